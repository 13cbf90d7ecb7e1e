"""Checks and limits of launchers; test_sweeps_by_launcher runs whole sweeps."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from adversarial_oversampling.config.compose import config_dir
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.sweep.launchers import check_launcher, limit_jobs_at_once, log_controllers


@pytest.mark.parametrize(
    ("overrides", "limit"),
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
    monkeypatch: pytest.MonkeyPatch, overrides: list[str], limit: int | None
) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    with initialize_config_dir(config_dir(), version_base="1.3"):
        config = compose("train", overrides=overrides, return_hydra_config=True)
    limit_jobs_at_once(config)
    assert config.hydra.sweeper.max_batch_size == limit
    if "joblib" in overrides[0]:
        assert config.hydra.launcher.n_jobs == 8


def test_a_search_has_a_limit_of_its_own() -> None:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        config = compose(
            "train", overrides=["launcher=submitit", "hparams_search=q"], return_hydra_config=True
        )
    limit_jobs_at_once(config)
    assert "max_batch_size" not in config.hydra.sweeper
    assert config.hydra.sweeper.n_jobs == 1


# What this machine has: on most systems, sh is one of the other two.
SHELLS = [shell for shell in ("sh", "bash", "dash") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_process_of_submitit_writes_to_a_file_and_knows_its_job(tmp_path: Path, shell: str) -> None:
    output = tmp_path / "it's $HOME"
    with initialize_config_dir(config_dir(), version_base="1.3"):
        config = compose(
            "train", overrides=["launcher=submitit", "hydra.launcher.mem_gb=4"], return_hydra_config=True
        )
    config.hydra.sweep.dir = str(output)
    log_controllers(config)
    assert config.hydra.launcher.mem_gb == 4

    controller = [sys.executable, "-c", "import os; print(os.getppid()); 1 / 0"]
    with subprocess.Popen(
        " && ".join([*config.hydra.launcher.setup, shlex.join(controller)]),
        shell=True,
        executable=shutil.which(shell),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": "elsewhere"},
    ) as process:
        written, errors = process.communicate(timeout=60)
    assert int(written) == process.pid  # which submitit takes for the job's number
    assert not errors
    assert "ZeroDivisionError" in (output / ".submitit" / "controllers.log").read_text()


def test_other_launchers_have_no_setup() -> None:
    for launcher in ("basic", "joblib", "slurm"):
        with initialize_config_dir(config_dir(), version_base="1.3"):
            config = compose("train", overrides=[f"launcher={launcher}"], return_hydra_config=True)
        before = config.copy()
        log_controllers(config)
        assert config == before


@pytest.mark.parametrize(
    ("launcher", "address", "message"),
    [
        ("ray", "local", r"^launcher=ray: Ray does not start on this machine: RuntimeError: no room$"),
        ("ray_cluster", "auto", r"^launcher=ray_cluster: no Ray cluster at auto: .*RuntimeError: no room$"),
    ],
)
def test_a_failing_ray_is_reported_as_what_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, launcher: str, address: str, message: str
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("ray.init", fail)
    with initialize_config_dir(config_dir(), version_base="1.3"):
        config = compose("train", overrides=[f"launcher={launcher}"], return_hydra_config=True)
    assert config.hydra.launcher.ray.init.address == address
    with pytest.raises(InputError, match=message):
        check_launcher(config)
