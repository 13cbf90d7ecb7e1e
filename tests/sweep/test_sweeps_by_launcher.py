"""Whole sweeps with every launcher, some of whose jobs die."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.sweep.sweeps import QUICK, numbers, sweep_command, swept, swept_here, until

LAUNCHERS = ["basic", "joblib", "submitit", "ray"]
AS_NICE_AS_OTHERS = ("RAY_worker_niceness", "0")  # of 15, Ray's workers hardly run while others compute


def source(csv: Path) -> list[str]:
    return [f"dataset.path={csv}", "dataset.target=label"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, csv: Path) -> dict[str, Any]:
    """The numbers of the job that succeeds in every launcher's sweep, from a sweep of its own."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = swept_here(folder, "dataset=table", *source(csv), "mode=do", *QUICK)
    assert done.returncode == 0, done.stderr
    return numbers(folder)


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
