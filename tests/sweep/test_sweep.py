"""Sweeps through the command line: their order, what they print, and what they refuse."""

import re
import threading
import time
from pathlib import Path

import pytest

from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.sweep import callback
from adversarial_oversampling.sweep.plan import Job
from adversarial_oversampling.sweep.status import JobStatus
from tests.sweep.sweeps import QUICK, swept, swept_by_fork, swept_here


def test_a_run_that_is_several_jobs_is_one_row(tmp_path: Path) -> None:
    done = swept_here(tmp_path, "mode=q", "gan_type=wgan_gp,vanilla", *QUICK)
    assert done.returncode == 0
    assert "[2/2]" in done.stdout
    assert done.stdout.count("holdout protocol, 1 epoch, seed 0") == 1


def test_a_rerun_trains_each_run_once_and_keeps_the_result_before(tmp_path: Path) -> None:
    jobs = ["mode=q", "gan_type=wgan_gp,vanilla", *QUICK]
    assert swept_here(tmp_path, *jobs).returncode == 0
    (result,) = tmp_path.glob("*/*/result.json")
    first = result.read_bytes()
    assert swept_here(tmp_path, *jobs, "rerun=true").returncode == 0
    assert (result.parent / "output.log").read_text().count("Finished:") == 2
    assert (result.parent / "previous" / "result.json").read_bytes() == first


def test_the_longest_job_runs_first_and_only_the_sweeps_own_lines_are_shown(tmp_path: Path) -> None:
    choices = ["mode=q", "trainer.max_epochs=1,3,2", "replicas=1", "logger=none", "fs=natural,quarter"]
    done = swept_here(tmp_path, *choices)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line[:4] for line in lines[:6]] == [f"[{number}/6" for number in range(1, 7)]
    assert "HYDRA" not in done.stdout + done.stderr
    files = sorted(tmp_path.glob("*/*/result.json"), key=lambda file: file.stat().st_mtime_ns)
    results = [read_result(file) for file in files]
    assert [result.epochs for result in results] == [3, 3, 2, 2, 1, 1]
    assert [result.fs for result in results] == 3 * ["natural", "quarter"]
    # Haberman's ratio is above a quarter.
    assert [bool(result.replicas[0].notes) for result in results] == 3 * [False, True]


def test_a_line_says_which_jobs_run_while_none_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(callback, "QUIET", 0.5)
    sweep = callback.SweepCallback()
    sweep.folder, sweep.varied, sweep.space = tmp_path, {"mode"}, None
    sweep.jobs = [Job(name, ("haberman",), 1.0) for name in "abc"]
    sweep.statuses, sweep.running, sweep.at_once, sweep.over = {}, {}, 1, threading.Event()
    for job, mode in enumerate(("q", "do")):
        JobStatus(job, [f"mode={mode}", "seed=1"], str(tmp_path), "running").write(tmp_path)
    follower = threading.Thread(target=sweep._follow)
    follower.start()
    told, give_up = "", time.monotonic() + 30
    while told.count("running") < 2 and time.monotonic() < give_up:
        told += capsys.readouterr().out
        time.sleep(0.1)
    sweep.over.set()
    follower.join()
    for line in told.splitlines():
        assert re.fullmatch(r"\[0/3\] running: mode=q for \d+ s, mode=do for \d+ s", line)
    assert sweep.at_once == 2


def test_a_misspelt_setting_is_refused_where_a_result_lies_too(tmp_path: Path) -> None:
    assert swept_here(tmp_path, "mode=q", *QUICK).returncode == 0
    done = swept_here(tmp_path, "mode=q", *QUICK, "+replicass=4")
    assert done.returncode == 1
    assert "replicass: there is no such setting; did you mean replicas?" in done.stdout


def test_tables_of_ones_own_are_told_apart(tmp_path: Path, csv: Path) -> None:
    other = csv.with_name("other.csv")
    other.write_bytes(csv.read_bytes().replace(b"\n30", b"\n31", 1))
    paths = f"dataset.path={csv},{other}"
    done = swept_here(tmp_path, "dataset=table", "dataset.target=label", paths, "mode=q", *QUICK)
    assert done.returncode == 0
    for name in ("table (table.csv)", "other (other.csv)"):
        assert done.stdout.count(f"│ {name}") == 1


def test_a_finished_sweep_is_shown_without_training(tmp_path: Path) -> None:
    jobs = ["dataset=yeast", "mode=adasyn,logistic", *QUICK]
    first, second = (swept_here(tmp_path, *jobs) for _ in range(2))
    assert first.returncode == second.returncode == 0
    assert "finished before" not in first.stdout
    assert second.stdout.count("finished before") == 2
    assert "NA (adasyn: No samples will be generated" in second.stdout
    assert second.stdout.count("holdout protocol, 1 epoch, seed 0") == 2  # a row of the table for each
    for log in tmp_path.glob("*/*/output.log"):
        assert log.read_text().count("Finished:") == 1


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (["mode=do,q", "mode.rules.critic_steps=2"], "mode=q: mode.rules.critic_steps: there is no such"),
        (["mode=q,nobody"], "No job was started. mode=nobody: choose one of adasyn"),
        (["launcher=slurm", "mode=q"], "launcher=slurm: there is no srun here"),
        (["launcher=ray_cluster", "mode=q"], "launcher=ray_cluster: no Ray cluster at 127.0.0.1:9"),
        (
            ["launcher=ray", "hydra.launcher.ray.remote.num_gpus=1000", "mode=q"],
            "launcher=ray: hydra.launcher.ray.remote.num_gpus=1000 for a job",
        ),
    ],
)
def test_a_sweep_that_cannot_start_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str], error: str
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")  # where nobody listens
    done = swept(tmp_path, *overrides, *QUICK)
    assert done.returncode == 1
    assert error in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*/*"))


def test_an_output_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = swept_by_fork(tmp_path / "file", "mode=q", *QUICK)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: paths.output_dir: ")
    assert "Traceback" not in done.stderr


def test_bad_input_in_a_job_is_one_line(tmp_path: Path) -> None:
    secret = "paths.cache_dir='/tmp/x?token=hunter2'"
    done = swept_here(tmp_path, "mode=q", "replicas=1,0", "trainer.max_epochs=1", secret)
    assert done.returncode == 1
    files = [tmp_path / "multirun.yaml", *tmp_path.glob(".sweeps/*/*.json")]
    assert len(files) == 3
    assert not [file for file in files if "hunter2" in file.read_text()]
    assert "/tmp/x?token=***" in files[0].read_text()
    assert "replicas=0: give a whole number of at least 1" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
