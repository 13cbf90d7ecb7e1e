"""Sweeps as a command line starts them."""

import io
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
from hydra.core.hydra_config import HydraConfig

from adversarial_oversampling import train
from adversarial_oversampling.results.read import read_result
from tests.commands import command

QUICK = ["replicas=1", "trainer.max_epochs=1", "logger=none"]


def sweep_command(folder: Path, *overrides: str) -> list[str]:
    sweep = [sys.executable, "-m", "adversarial_oversampling.train", "-m", f"paths.output_dir={folder}"]
    return [*sweep, *overrides]


def swept(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Run a sweep in a process of its own, as a user does."""
    return subprocess.run(
        sweep_command(folder, *overrides), capture_output=True, text=True, check=False, timeout=300
    )


def swept_by_fork(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Run a sweep in a process that need not import anything; for the basic launcher, whose jobs it forks."""
    return command("train", *sweep_command(folder, *overrides)[3:])


def swept_here(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Run a sweep in this process; its jobs have processes of their own, which need not import anything.

    The output is that of this process. What the jobs print is in their folders.
    """
    arguments = ["train", *sweep_command(folder, *overrides)[3:]]
    code: object = 0
    with (
        _state_kept(),
        mock.patch.object(sys, "argv", [*arguments]),  # the command adds the sweep's name
        redirect_stdout(io.StringIO()) as stdout,
        redirect_stderr(io.StringIO()) as stderr,
    ):
        try:
            train.main()
        except SystemExit as ended:
            code = ended.code or 0
            if isinstance(code, str):  # which Python prints
                print(code, file=stderr)
                code = 1
    assert isinstance(code, int)
    return subprocess.CompletedProcess(arguments, code, stdout.getvalue(), stderr.getvalue())


def numbers(folder: Path) -> dict[str, Any]:
    """The numbers of a sweep's results by job folder."""
    by_folder = {}
    for file in sorted(folder.glob("*/*/result.json")):
        result = read_result(file)
        by_folder[str(file.parent.relative_to(folder))] = [result.replicas, result.mean, result.na]
    return by_folder


def until(true: Callable[[], bool]) -> None:
    """Wait; fail after two minutes."""
    give_up = time.monotonic() + 120
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still runs; one that has ended may wait for its parent to notice."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def _state_kept() -> Iterator[None]:
    """Undo what a command changes in its process: handlers, Hydra's configuration, the environment."""
    root = logging.getLogger()
    handlers, level, factory = [*root.handlers], root.level, logging.getLogRecordFactory()
    raising, config = logging.raiseExceptions, HydraConfig.instance().cfg
    on_signal = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    with mock.patch.dict(os.environ):
        try:
            yield
        finally:
            root.handlers[:], logging.raiseExceptions = handlers, raising
            root.setLevel(level)
            logging.setLogRecordFactory(factory)
            HydraConfig.instance().cfg = config
            for one, handler in on_signal.items():
                signal.signal(one, handler)
