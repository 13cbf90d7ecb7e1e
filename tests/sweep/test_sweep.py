"""Sweeps through the command line: every launcher, jobs that die, sweeps that are killed."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from adversarial_oversampling.config.compose import config_dir
from adversarial_oversampling.data.sources import load_haberman
from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.sweep import callback
from adversarial_oversampling.sweep.overrides import jobs_of, name_sweep
from adversarial_oversampling.sweep.plan import Job
from adversarial_oversampling.sweep.status import JobStatus, duration, read_statuses
from adversarial_oversampling.training.checkpoints import VerifiedCheckpointIO
from tests.commands import start_in_terminal
from tests.sweep.sweeps import QUICK, is_alive, sweep_command, swept, swept_here, until

LAUNCHERS = ["basic", "joblib", "submitit", "ray"]
AS_NICE_AS_OTHERS = ("RAY_worker_niceness", "0")  # of 15, Ray's workers hardly run while others compute


def numbers(folder: Path) -> dict[str, Any]:
    """The numbers of a sweep's results by job folder."""
    by_folder = {}
    for file in sorted(folder.glob("*/*/result.json")):
        result = read_result(file)
        by_folder[str(file.parent.relative_to(folder))] = [result.replicas, result.mean, result.na]
    return by_folder


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = load_haberman(None)
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    frame = pd.DataFrame(table.x, columns=list(table.feature_names))
    frame.assign(label=[table.class_names[k] for k in table.y]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, csv: Path) -> dict[str, Any]:
    """The numbers of the job that succeeds in every launcher's sweep, from a sweep of its own."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = swept_here(folder, "dataset=table", *source(csv), "mode=do", *QUICK)
    assert done.returncode == 0, done.stderr
    return numbers(folder)


def source(csv: Path) -> list[str]:
    return [f"dataset.path={csv}", "dataset.target=label"]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_jobs_that_die_leave_the_others_untouched(
    tmp_path: Path, csv: Path, undisturbed: dict[str, Any], launcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*AS_NICE_AS_OTHERS)
    good = "adversarial_oversampling.data.reading.load_table"
    choices = f"dataset.source._target_=tests.failing_sources.raising,tests.failing_sources.killed,{good}"
    run = swept_here if launcher == "basic" else swept
    done = run(tmp_path, f"launcher={launcher}", "dataset=table", *source(csv), choices, "mode=do", *QUICK)
    assert done.returncode == 1
    assert numbers(tmp_path) == undisturbed
    failures = [line for line in done.stdout.splitlines() if "FAILED" in line]  # as they happen
    assert sum("the source failed" in line for line in failures) == 1
    assert sum("killed by SIGKILL" in line for line in failures) == 1
    assert len(failures) == 2
    assert "2 of 3 jobs failed" in done.stdout
    assert "[3/3, 2 failed]" in done.stdout
    log = next(file for file in tmp_path.glob("*/*/output.log") if "failed" in file.read_text())
    assert "Traceback" in log.read_text()


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
        *((launcher, *stop) for launcher in ("basic", "joblib") for stop in STOPS),
        ("joblib, by the script", *STOPS[0]),
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
    assert "holdout protocol, 1 epochs, seed 0" in output
    assert "1 of 2 jobs did not end: the same command resumes them." in output


def test_a_run_that_is_several_jobs_is_one_row(tmp_path: Path) -> None:
    done = swept_here(tmp_path, "mode=q", "gan_type=wgan_gp,vanilla", *QUICK)
    assert done.returncode == 0
    assert "[2/2]" in done.stdout
    assert done.stdout.count("holdout protocol, 1 epochs, seed 0") == 1


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
    assert second.stdout.count("holdout protocol, 1 epochs, seed 0") == 2  # a row of the table for each
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
    done = swept(tmp_path / "file", "mode=q", *QUICK)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: paths.output_dir: ")
    assert "Traceback" not in done.stderr


def test_a_cluster_that_was_started_elsewhere_leaves_results_here(tmp_path: Path) -> None:
    """Ray's workers start in the folder of `ray start`, and a sweep's paths are relative to its own."""
    there, here = tmp_path / "there", tmp_path / "here"
    for folder in (there, here):
        folder.mkdir()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    # Short: Ray's sockets lie below it, and have at most 107 letters.
    scratch = tempfile.mkdtemp()
    environment = {**os.environ, "HOME": str(tmp_path), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": 64 * "a"}
    environment |= [AS_NICE_AS_OTHERS]
    start = ["ray", "start", "--head", "--block", f"--port={port}", "--num-cpus=1", f"--temp-dir={scratch}"]
    start += ["--include-dashboard=false", "--disable-usage-stats", "--node-ip-address=127.0.0.1"]
    with (tmp_path / "ray.log").open("w") as log:
        cluster = subprocess.Popen(
            [str(Path(sys.executable).parent / start[0]), *start[1:]],
            cwd=there,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: "Ray runtime started" in (tmp_path / "ray.log").read_text())
        done = subprocess.run(
            sweep_command(Path("runs"), "launcher=ray_cluster", "mode=q,do", *QUICK),
            cwd=here,
            env={**environment, "RAY_ADDRESS": f"127.0.0.1:{port}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
    finally:
        cluster.terminate()
        cluster.wait(timeout=60)
        shutil.rmtree(scratch)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[2/2]" in done.stdout
    assert len(list((here / "runs").glob("haberman/*/result.json"))) == 2
    assert not list(there.iterdir())


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


def test_jobs_are_all_combinations_of_the_choices() -> None:
    for given in (["mode=q,do", "seed=range(3)", "replicas=2"], ["mode=glob([q,a*])", "seed=choice(1,2)"]):
        config = OmegaConf.create({"hydra": {"sweeper": {}, "overrides": {"task": given}}})
        with initialize_config_dir(config_dir(), version_base="1.3"):
            assert len(jobs_of(config)) == 6  # the glob is q, adasyn and ao


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (["train", "-m", "mode=q,do"], 2),
        (["train", "-m", "mode=q,do", "seed=1", "--config-dir", "here"], 2),
        (["train", "mode=q,do", "--multirun"], 1),
        (["train", "-m"], 2),
        (["train", "hydra.mode=MULTIRUN", "mode=q,do"], 1),
    ],
)
def test_a_sweep_gets_a_name_among_its_overrides(given: list[str], place: int) -> None:
    arguments = list(given)
    name_sweep(arguments)
    words = "q-do_" if "mode=q,do" in given else "sweep_"
    assert arguments[place].startswith(f"sweep.name={words}")
    assert arguments[place + 1].startswith("sweep.id=")
    assert arguments[:place] + arguments[place + 2 :] == given


def test_the_same_sweep_has_the_same_name_wherever_it_runs() -> None:
    names = []
    for given in (
        ["mode=q,do", "seed=1"],
        ["launcher=joblib", "seed=1", "hydra.launcher.n_jobs=2", "mode=q,do", "paths.output_dir=there"],
        ["mode=q,do", "seed=2"],
    ):
        arguments = ["train", "-m", *given]
        name_sweep(arguments)
        names.append(arguments[2])
    assert names[0] == names[1] != names[2]


def test_the_name_of_a_sweep_says_what_runs() -> None:
    arguments = ["train", "-m", "mode=q,do", "dataset=pima,yeast", "replicas=3"]
    name_sweep(arguments)
    assert arguments[2].startswith("sweep.name=pima-yeast_q-do_")
    long = ["train", "-m", f"dataset={'a' * 300}"]
    name_sweep(long)
    assert len(long[2]) < 128  # W&B allows no longer group


def test_a_deletion_makes_another_sweep_and_an_option_is_no_override() -> None:
    first = ["train", "-m", "mode=q,do"]
    second = [*first, "~trainer.profiler"]
    for arguments in (first, second):
        name_sweep(arguments)
    assert first[2] != second[2]
    arguments = ["train", "-m", "--config-dir", "a=b", "mode=q,do"]
    name_sweep(arguments)
    assert arguments[:4] == ["train", "-m", "--config-dir", "a=b"]
    assert arguments[4].startswith("sweep.name=")


def test_a_single_run_gets_no_name() -> None:
    arguments = ["train", "mode=q"]
    name_sweep(arguments)
    assert arguments == ["train", "mode=q"]


def test_statuses_are_read_once_and_in_order(tmp_path: Path) -> None:
    statuses = [JobStatus(job, [f"seed={job}"], str(tmp_path), "done", 1.5) for job in (10, 2, 3)]
    for status in statuses:
        status.write(tmp_path / "sweep")
    new = read_statuses(tmp_path / "sweep", ended={3})
    assert [status.job for status in new] == [2, 10]
    assert new[1] == statuses[0]


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.4, "3 s"), (98.0, "98 s"), (120.0, "2 min"), (7200.0, "2.0 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
