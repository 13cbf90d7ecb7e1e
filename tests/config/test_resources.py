"""What launchers are asked for."""

import pytest
from hydra import compose, initialize_config_dir

from adversarial_oversampling.config.compose import compose_train, config_dir
from adversarial_oversampling.config.resources import gpus_per_job


@pytest.mark.parametrize("launcher", ["submitit", "slurm", "ray", "ray_cluster"])
@pytest.mark.parametrize(
    ("trainer", "cpus", "gpus"),
    [
        (["trainer=cpu"], 1, 0),
        (["trainer=cpu", "threads=3"], 3, 0),
        (["trainer=gpu"], 1, 1),
        (["trainer=ddp", "trainer.devices=4", "trainer.accelerator=gpu"], 4, 4),
        (["trainer=ddp", "trainer.accelerator=cpu", "threads=2"], 4, 0),
    ],
)
def test_a_launcher_is_asked_for_what_a_job_needs(
    launcher: str, trainer: list[str], cpus: int, gpus: int
) -> None:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("train", overrides=[f"launcher={launcher}", *trainer], return_hydra_config=True)
    asked = cfg.hydra.launcher
    if "ray" in launcher:
        assert (asked.ray.remote.num_cpus, asked.ray.remote.num_gpus) == (cpus, gpus)
    else:
        assert (asked.cpus_per_task, asked.gpus_per_node) == (cpus, gpus)


def test_automatic_devices_are_gpus_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = compose_train(["trainer=ddp", "trainer.devices=3"])
    for there, gpus in ((True, 3), (False, 0)):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        assert gpus_per_job(cfg) == gpus
