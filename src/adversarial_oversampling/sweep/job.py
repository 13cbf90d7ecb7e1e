"""One job of a sweep, in a child process: whatever happens to it, the others go on."""

import logging
import os
import sys
import time
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from omegaconf import DictConfig

from adversarial_oversampling.config import ELSEWHERE, check
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.results import read as results
from adversarial_oversampling.sweep.status import OUTPUT, Fate
from adversarial_oversampling.training import processes

FOLDER = ".sweeps"


def play_job(cfg: DictConfig, job: HydraConf) -> dict[str, Any] | None:
    """Play one job of a sweep and write its fate down; returns its result, or None if it failed."""
    if "joblib" in job.launcher._target_ and (parent := parent_process()) and parent.pid:
        processes.leave_with(parent.pid)  # joblib's workers outlive a sweep that is killed
    os.chdir(job.runtime.cwd)  # a cluster's workers have a folder of their own
    run_dir = Path(job.runtime.output_dir)
    started = time.perf_counter()
    status, reason, result = "kept", None, None
    warnings: list[str] = []
    try:
        check(cfg)
        result = results.finished(run_dir, cfg)
        if result is None:
            status = "done"
        if result is None or results.owed_to_wandb(run_dir, cfg):
            reason, warnings = play_apart(cfg, run_dir)
            result = None if reason else results.finished(run_dir, cfg)
    except InputError as error:
        reason = str(error)
    if result is None:
        status = "failed"
    seconds = time.perf_counter() - started
    overrides = [str(one) for one in job.overrides.task if not ELSEWHERE.match(str(one))]
    fate = Fate(job.job.num, overrides, str(run_dir), status, seconds, reason, warnings)
    fate.write(folder_of(job, cfg))
    return result


def folder_of(job: HydraConf, cfg: DictConfig) -> Path:
    """Where the fates of a sweep's jobs lie."""
    return Path(str(job.sweep.dir), FOLDER, str(cfg.sweep.id))


def play_apart(cfg: DictConfig, run_dir: Path) -> tuple[str | None, list[str]]:
    """Play one job in a child process, which dies with this one; returns why it failed, or its warnings."""
    try:
        (warnings,) = processes.call([partial(_play, cfg, run_dir)])
    except (InputError, processes.ProcessDiedError) as failed:
        return str(failed), []
    return None, warnings


def _play(cfg: DictConfig, run_dir: Path) -> list[str]:
    from adversarial_oversampling.training.run import train

    warnings = Warnings()
    logging.getLogger("adversarial_oversampling").addHandler(warnings)
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / OUTPUT).open("a") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    try:
        train(cfg, run_dir, wait=True)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise
    return warnings.told


class Warnings(logging.Handler):
    """Keeps the warnings that a job logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.told.append(record.getMessage())
