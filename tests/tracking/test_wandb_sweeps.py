"""The jobs of sweeps in Weights & Biases."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.training.run import train
from tests.conftest import Compose
from tests.sweep.sweeps import is_alive, sweep_command, swept_by_fork, swept_here, until
from tests.tracking.wandb_runs import ONLINE, check_files, expected, inspected

pytestmark = pytest.mark.usefixtures("fresh_wandb")
BRIEF = ["replicas=1", "trainer.max_epochs=1"]


def test_a_warning_of_a_job_is_told_at_the_end_of_the_sweep(tmp_path: Path) -> None:
    ended = swept_by_fork(tmp_path / "runs", "mode=q,ro", *BRIEF, "logger=wandb", *ONLINE)
    assert ended.returncode == 0
    assert "Warning in 2 of 2 jobs: Weights & Biases is not reached" in ended.stdout
    assert f"wandb sync {tmp_path}/runs/*/*/wandb/offline-run-*" in ended.stdout


def test_the_jobs_of_a_sweep_are_a_group(tmp_path: Path) -> None:
    ended = swept_by_fork(tmp_path / "runs", "mode=q,do", *BRIEF, "logger=wandb")
    assert ended.returncode == 0
    assert "wandb:" not in ended.stdout + ended.stderr  # it is in the jobs' own output
    folders = sorted((tmp_path / "runs").glob("haberman/*/wandb/offline-run-*"))
    begun = [next(one["run"] for one in inspected(folder) if one["type"] == "run") for folder in folders]
    assert [one["job_type"] for one in begun] == ["DO", "Q"]  # the titles
    assert len({one["run_group"] for one in begun}) == 1
    assert begun[0]["run_group"].startswith("q-do_")


def sweep(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    """Start a sweep of Q that logs offline."""
    settings = ["mode=q", "replicas=1", "logger=wandb", "trainer.checkpoint_seconds=0", *overrides]
    return subprocess.Popen(
        sweep_command(folder, *settings), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def services_below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    below = psutil.Process(process.pid).children(recursive=True)
    return [one for one in below if "wandb-core" in one.name()]


def test_the_jobs_of_a_sweep_share_a_service_that_ends_with_the_sweep(tmp_path: Path) -> None:
    settings = ["seed=1,2", "trainer.max_epochs=100000", "launcher=joblib", "hydra.launcher.n_jobs=2"]
    process = sweep(tmp_path, *settings)
    until(lambda: len(list(tmp_path.glob("haberman/*/wandb/offline-run-*/run-*.wandb"))) == 2)
    until(lambda: len(list(tmp_path.glob("haberman/*/checkpoints/*.ckpt"))) == 2)
    (service,) = services_below(process)
    assert service.ppid() == process.pid

    first, second = sorted(tmp_path.glob("haberman/*/output.log"))
    trains = {
        file.path: one
        for one in psutil.Process(process.pid).children(recursive=True)
        for file in one.open_files()
        if file.path.endswith("output.log")
    }
    trains[str(first)].kill()
    assert process.stdout is not None
    failed = next(line for line in iter(process.stdout.readline, "") if "FAILED" in line)
    assert "1 failed] FAILED seed=1: killed by SIGKILL" in failed
    assert service.is_running()
    assert trains[str(second)].is_running()

    process.kill()
    process.wait()
    until(lambda: not any(is_alive(one) for one in (service, *trains.values())))


def test_a_run_that_was_killed_goes_on_in_the_same_sweep(tmp_path: Path) -> None:
    process = sweep(tmp_path, "gan_type=wgan_gp,vanilla", "trainer.max_epochs=75")  # one run, two jobs
    until(lambda: bool(list(tmp_path.glob("haberman/*/checkpoints/*.ckpt"))))
    for one in psutil.Process(process.pid).children(recursive=True):
        if any(file.path.endswith("output.log") for file in one.open_files()):
            one.kill()
    output, _ = process.communicate(timeout=300)
    assert "[1/2, 1 failed" in output
    (file,) = tmp_path.glob("haberman/*/result.json")
    check_files(file.parent, read_result(file))


def test_a_sweep_whose_service_is_killed_logs_every_job(tmp_path: Path) -> None:
    process = sweep(tmp_path, "seed=1,2", "trainer.max_epochs=75")
    until(lambda: bool(list(tmp_path.glob("haberman/*/checkpoints/*.ckpt"))))
    (service,) = services_below(process)
    service.kill()
    process.communicate(timeout=300)
    assert process.returncode == 0
    results = list(tmp_path.glob("haberman/*/result.json"))
    assert len(results) == 2
    for file in results:
        check_files(file.parent, read_result(file))


def test_a_finished_sweep_is_logged_without_training(tmp_path: Path) -> None:
    settings = ["mode=q,logistic", "replicas=2", "trainer.max_epochs=2"]
    assert swept_here(tmp_path, *settings, "logger=none").returncode == 0
    for _ in range(2):
        ended = swept_by_fork(tmp_path, *settings, "logger=wandb")
        assert ended.returncode == 0
        assert ended.stdout.count("finished before") == 2
        for file in tmp_path.glob("haberman/*/result.json"):
            check_files(file.parent, read_result(file))
    assert len(list(tmp_path.glob("haberman/*/wandb/offline-run-*"))) == 2


def test_the_agent_of_a_wandb_sweep_drives_the_command(
    compose_config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example's command as an agent puts it together, for one set of values, twice."""
    # Slow to import, and every worker imports all tests.
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    sweep = yaml.safe_load((Path(__file__).parents[2] / "docs" / "wandb_sweep.yaml").read_text())
    assert sweep["metric"]["name"] == "best/validation_acsa"
    chosen = {
        name: one["values"][-1] if "values" in one else one["min"]
        for name, one in sweep["parameters"].items()
    }
    values = {name: {"value": value} for name, value in chosen.items()}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"wandb_version": 1, **values}))
    macros = create_sweep_command_args({"args": values}) | {"env": ["/usr/bin/env"]}
    command = []
    for part in create_sweep_command(sweep["command"]):
        command += macros[part[2:-1]] if part.startswith("${") else [part]
    assert command[:2] == ["/usr/bin/env", "python"]
    command[1] = sys.executable
    command += ["replicas=2", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}/run"]
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep123")
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(tmp_path / "config.yaml"))
    for attempt in ("agent001", "agent002"):
        monkeypatch.setenv("WANDB_RUN_ID", attempt)
        if attempt == "agent001":
            subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        else:  # finds a finished run
            train(compose_config(*command[4:-1]), tmp_path / "run")
        (folder,) = (tmp_path / "run" / "wandb").glob(f"offline-run-*-{attempt}")
        result = read_result(tmp_path / "run" / "result.json")
        (told,) = inspected(folder, "--summary")
        selected = [one.selection_acsa for one in result.replicas]
        assert told["summary"]["best/validation_acsa"] == pytest.approx(sum(selected) / 2)
        assert {name: told["summary"][name] for name in expected(result)} == expected(result)
        assert told["config"]["gan_type"] == "vanilla"
        assert told["config"]["resolved.gan_type"] == result.config["gan_type"]
        assert result.config["gan_type"]["name"] == "vanilla"
        begun = next(one["run"] for one in inspected(folder) if one["type"] == "run")
        assert begun["sweep_id"] == "sweep123"
