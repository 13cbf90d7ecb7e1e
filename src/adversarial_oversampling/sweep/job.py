"""Run one job of a sweep in a child process, so that a failure does not affect the other jobs."""

import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from traceback import format_exc

from hydra.conf import HydraConf
from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.config.compose import task_overrides
from adversarial_oversampling.config.identity import PLACEMENT
from adversarial_oversampling.config.validation import check
from adversarial_oversampling.credentials import masked
from adversarial_oversampling.errors import InputError, ProcessDiedError, TrialPruned
from adversarial_oversampling.guard import interruptible, prepare_process, raise_if_stopped, reason
from adversarial_oversampling.results import read
from adversarial_oversampling.results.files import NO_FILES, composition
from adversarial_oversampling.sweep.overrides import is_search
from adversarial_oversampling.sweep.status import OUTPUT, JobStatus
from adversarial_oversampling.tracking.pending import is_pending
from adversarial_oversampling.tracking.service import PRELOAD
from adversarial_oversampling.training import processes
from adversarial_oversampling.training.study import TrialAddress

FOLDER = ".sweeps"
TRAINING = ("adversarial_oversampling.training.run",)
"""What a job's process imports first; slow to import, and not needed in this process."""


def run_job(cfg: DictConfig, hydra: HydraConf) -> float | str | None:
    """Run one job of a sweep and write its status.

    Return its validation ACSA, "pruned" if its search has ended it early, or None if it failed or has none.
    """
    if "joblib" in hydra.launcher._target_ and (parent := parent_process()) and parent.pid:
        processes.exit_with_parent(parent.pid)  # joblib's workers outlive a sweep that is killed
    with interruptible():  # which a launcher's worker is not
        return _run_job(cfg, hydra)


def _run_job(cfg: DictConfig, hydra: HydraConf) -> float | str | None:
    prepare_process()  # which may be a launcher's worker
    os.chdir(hydra.runtime.cwd)  # a cluster's workers have a folder of their own
    run_dir = Path(hydra.runtime.output_dir)
    overrides = [item for item in task_overrides(hydra) if not PLACEMENT.match(item)]
    status = JobStatus(hydra.job.num, overrides, str(run_dir), "skipped")
    folder = status_folder(hydra, cfg)
    result = None
    raise_if_stopped()
    try:
        check(cfg)
        result = read.finished(run_dir, cfg)
        if result is None:
            status = replace(status, status="done")
        elif elsewhere := read.made_elsewhere(result, cfg):
            status = replace(status, warnings=[elsewhere])
        if result is None or is_pending(run_dir, cfg):
            replace(status, status="running").write(folder)
            status = run_in_child(cfg, run_dir, status, trial_address(cfg, hydra), composition(cfg, hydra))
            result = None if status.reason else read.finished(run_dir, cfg)
    except Exception as error:  # one job's error does not end the sweep
        raise_if_stopped()
        status = replace(status, reason=reason(error))
    if status.status == "pruned":
        status.write(folder)
        return status.status
    score = None if result is None else result.mean_selection_acsa
    if result is None:
        status = replace(status, status="failed")
    elif score is None and is_search(hydra):
        none = f"mode={cfg.mode.name} has no validation ACSA, by which a search compares settings"
        status = replace(status, status="failed", reason=none if result.na is None else f"NA ({result.na})")
    status.write(folder)
    return score


def trial_address(cfg: DictConfig, hydra: HydraConf) -> TrialAddress | None:
    """Return the trial to which a job reports its epochs, if it belongs to one."""
    if cfg.sweep.trial is None:
        return None
    # A node of Hydra's configuration would take all of it, and a launcher's classes, to the child process.
    pruner = OmegaConf.to_container(hydra.sweeper.pruner, resolve=True)
    return TrialAddress(hydra.sweeper.storage, cfg.sweep.study, cfg.sweep.trial, pruner)


def status_folder(hydra: HydraConf, cfg: DictConfig) -> Path:
    """Return the folder of the status files of a sweep's jobs."""
    return Path(str(hydra.sweep.dir), FOLDER, str(cfg.sweep.id))


def run_in_child(
    cfg: DictConfig,
    run_dir: Path,
    status: JobStatus,
    trial: TrialAddress | None = None,
    composed: Mapping[str, str] = NO_FILES,
) -> JobStatus:
    """Train in a child process that ends with this one; return its seconds, warnings and why it failed."""
    started = time.perf_counter()
    try:
        preload = [*TRAINING]
        preload += [PRELOAD] if "wandb" in cfg.logger else []
        preload += ["optuna"] if trial is not None else []
        ((seconds, warnings, pruned),) = processes.call(
            [partial(_train, cfg, run_dir, trial, composed)], preload
        )
    except (InputError, ProcessDiedError) as failure:  # the job's output has the traceback
        return replace(status, seconds=time.perf_counter() - started, reason=str(failure))
    if pruned:
        status = replace(status, status="pruned", reason=pruned)
    return replace(status, seconds=seconds, warnings=warnings)


def _train(
    cfg: DictConfig, run_dir: Path, trial: TrialAddress | None, composed: Mapping[str, str]
) -> tuple[float, list[str], str | None]:
    """Return the seconds, the warnings, and how the search ended the run if it did."""
    from adversarial_oversampling.training.pruning import Pruning
    from adversarial_oversampling.training.run import train

    started = time.perf_counter()
    warnings = WarningCollector()
    logging.getLogger("adversarial_oversampling").addHandler(warnings)
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / OUTPUT).open("a", encoding="utf-8") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    pruned = None
    try:
        callbacks = [] if trial is None else [Pruning(trial)]
        train(cfg, run_dir, wait=True, callbacks=callbacks, composition=composed)
    except TrialPruned as ended:
        pruned = str(ended)
    except Exception as error:
        text = f"Error: {error}" if isinstance(error, InputError) else format_exc()
        print(masked(text), file=sys.stderr)
        raise
    return time.perf_counter() - started, warnings.messages, pruned


class WarningCollector(logging.Handler):
    """Collect the warnings that a job logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Collect one message."""
        self.messages.append(record.getMessage())
