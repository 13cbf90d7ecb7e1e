"""What is seen to before a launcher gets its jobs; see test_sweep for whole sweeps."""

import pytest
from hydra import compose, initialize_config_dir

from adversarial_oversampling.config.compose import config_dir
from adversarial_oversampling.sweep.launchers import prepare


@pytest.mark.parametrize(
    ("overrides", "bound"),
    [
        (["launcher=submitit"], 8),
        (["launcher=submitit", "threads=2", "trainer=ddp", "trainer.accelerator=cpu"], 2),
        (["launcher=submitit", "threads=9"], 1),
        (["launcher=submitit", "hydra.sweeper.max_batch_size=7"], 7),
        (["launcher=joblib"], None),  # it has n_jobs
        (["launcher=basic"], None),
    ],
)
def test_no_launcher_starts_all_jobs_of_a_sweep_at_once(
    monkeypatch: pytest.MonkeyPatch, overrides: list[str], bound: int | None
) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    with initialize_config_dir(config_dir(), version_base="1.3"):
        config = compose("train", overrides=overrides, return_hydra_config=True)
    prepare(config)
    assert config.hydra.sweeper.max_batch_size == bound
    if "joblib" in overrides[0]:
        assert config.hydra.launcher.n_jobs == 8


def test_a_search_has_a_bound_of_its_own() -> None:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        config = compose(
            "train", overrides=["launcher=submitit", "hparams_search=q"], return_hydra_config=True
        )
    prepare(config)
    assert "max_batch_size" not in config.hydra.sweeper
    assert config.hydra.sweeper.n_jobs == 1
