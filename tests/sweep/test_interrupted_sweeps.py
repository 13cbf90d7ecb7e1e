"""Sweeps that are killed or stopped: they resume, and leave no process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from adversarial_oversampling.training.checkpoints import VerifiedCheckpointIO
from tests.commands import start_in_terminal
from tests.sweep.sweeps import QUICK, is_alive, numbers, sweep_command, swept_here, until


def test_a_sweep_killed_at_any_moment_resumes(tmp_path: Path) -> None:
    jobs = ["dataset=haberman", "mode=q,do", "replicas=2", "trainer.max_epochs=20"]
    jobs += ["trainer.checkpoint_seconds=0", "logger=none"]
    assert swept_here(tmp_path / "straight", *jobs).returncode == 0
    for launcher, seconds in (("joblib", 2.0), ("basic", 4.0)):
        process = subprocess.Popen(
            sweep_command(tmp_path / "killed", *jobs, f"launcher={launcher}"), stdout=subprocess.DEVNULL
        )
        while not list((tmp_path / "killed").glob("*/*/.lock")) and process.poll() is None:
            time.sleep(0.1)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    last = swept_here(tmp_path / "killed", *jobs)
    assert last.returncode == 0, last.stdout
    assert "[2/2]" in last.stdout
    assert numbers(tmp_path / "killed") == numbers(tmp_path / "straight")
    for log in (tmp_path / "killed").glob("*/*/output.log"):
        # No job ran to its end twice; one that is killed after its result was written does not log this.
        assert log.read_text().count("Finished:") <= 1


def processes_in(folder: Path) -> list[psutil.Process]:
    """The processes that have a folder among their arguments or a file of it open."""
    found = []
    for process in psutil.process_iter():
        try:
            uses = " ".join([*process.cmdline(), *(file.path for file in process.open_files())])
        except psutil.Error:  # it has just ended, or is somebody else's
            continue
        if str(folder) in uses:
            found.append(process)
    return found


def epochs(folder: Path) -> dict[Path, int]:
    """The epoch of every checkpoint."""
    files = folder.glob("*/*/checkpoints/*.ckpt")
    return {file: VerifiedCheckpointIO().load_checkpoint(file)["epoch"] for file in files}


STOPS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]


@pytest.mark.parametrize(
    ("launcher", "sent", "code"),
    [
        *(("basic", *stop) for stop in STOPS),
        ("joblib, by the script", *STOPS[0]),
        *(("joblib", *stop) for stop in STOPS[1:]),
        ("submitit", *STOPS[0]),  # its jobs go on after the other signals, as on a cluster
    ],
)
def test_no_process_outlives_a_stopped_sweep(
    tmp_path: Path, launcher: str, sent: signal.Signals, code: int
) -> None:
    jobs = ["dataset=haberman", "mode=q", "seed=1,2,3", "replicas=1", "trainer.max_epochs=100000"]
    launcher, _, script = launcher.partition(", ")
    jobs += ["trainer.checkpoint_seconds=2", "logger=none", f"launcher={launcher}"]
    start = sweep_command(tmp_path, *jobs)
    if script:
        start[:3] = [str(Path(sys.executable).with_name("adversarial-oversampling"))]
    process = start_in_terminal(start)
    until(lambda: bool(list(tmp_path.glob("*/*/checkpoints/*.ckpt"))))
    below = psutil.Process(process.pid).children(recursive=True)
    assert processes_in(tmp_path)
    before = epochs(tmp_path)
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)  # as a terminal does
    else:
        process.send_signal(sent)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    if sent != signal.SIGKILL:  # a sweep that is stopped says so
        assert "3 of 3 jobs did not end: the same command resumes them." in stdout
        assert "The same command resumes." in stderr
        assert "Traceback" not in stderr

    below += processes_in(tmp_path)
    until(lambda: not any(is_alive(one) for one in below))
    after = epochs(tmp_path)
    assert before
    if launcher != "basic" and sent != signal.SIGKILL:  # the launcher kills its workers and all below them
        assert all(after[file] >= epoch for file, epoch in before.items())
    else:  # every job that trains saves the epoch in which the sweep ends
        assert all(after[file] > epoch for file, epoch in before.items())


def test_ctrl_c_while_joblibs_workers_start_prints_no_traceback(tmp_path: Path) -> None:
    """A worker imports for a while before it runs a job, and gets the terminal's signal too."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, time\n"
        "if any('popen_loky' in argument for argument in sys.orig_argv):\n"
        f"    open({str(tmp_path / 'importing')!r}, 'w').close()\n"
        "    time.sleep(4)\n"
    )
    jobs = ["dataset=haberman", "mode=q", "seed=1,2", "replicas=1", "logger=none", "launcher=joblib"]
    process = start_in_terminal(sweep_command(tmp_path / "runs", *jobs), tmp_path)
    until((tmp_path / "importing").exists)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "2 of 2 jobs did not end: the same command resumes them." in stdout
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    ("launcher", "name"), [("basic", "adversarial_oversampling.train"), ("joblib", "popen_loky")]
)
def test_ctrl_c_that_is_lost_before_a_job_ends_the_sweep(tmp_path: Path, launcher: str, name: str) -> None:
    """OmegaConf may turn the interrupt into another error while a job is composed."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        f"if any({name!r} in argument for argument in sys.orig_argv):\n"
        "    from adversarial_oversampling.sweep import job\n"
        "    def interrupted(cfg):\n"
        "        try:\n            os.kill(os.getpid(), signal.SIGINT)\n"
        "        except KeyboardInterrupt:\n            raise AttributeError\n"
        "    job.check = interrupted\n"
    )
    sweep = sweep_command(tmp_path / "runs", "mode=q", "seed=1,2", f"launcher={launcher}", *QUICK)
    process = start_in_terminal(sweep, tmp_path)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "2 of 2 jobs did not end: the same command resumes them." in stdout
    assert "Traceback" not in stderr


def test_a_sweep_whose_launcher_crashes_shows_what_has_ended(tmp_path: Path) -> None:
    jobs = ["dataset=haberman", "mode=q", "trainer.max_epochs=1,100000", "replicas=1", "logger=none"]
    process = subprocess.Popen(
        sweep_command(tmp_path, *jobs, "launcher=joblib", "hydra.launcher.n_jobs=2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    while "[1/2" not in process.stdout.readline():
        assert process.poll() is None
    for child in psutil.Process(process.pid).children():
        if "LokyProcess" in " ".join(child.cmdline()):
            child.kill()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "holdout protocol, 1 epoch, seed 0" in output
    assert "1 of 2 jobs did not end: the same command resumes them." in output
