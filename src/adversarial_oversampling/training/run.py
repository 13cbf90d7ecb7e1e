"""Train one configuration in a folder and write its result."""

import logging
import os
import signal
import time
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from lightning_fabric.plugins.environments.lightning import find_free_network_port
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import SIGTERMException

from adversarial_oversampling.config.identity import has_generator, pin_file
from adversarial_oversampling.config.resources import replica_count
from adversarial_oversampling.config.validation import check
from adversarial_oversampling.config.variants import given_key, variant
from adversarial_oversampling.credentials import masked
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.errors import InputError, TrialPruned
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.limits import PLAYERS
from adversarial_oversampling.method_output import MethodOutput, join, not_applicable
from adversarial_oversampling.results import read, write
from adversarial_oversampling.results.files import LOG, NO_FILES, RESULT, writing
from adversarial_oversampling.results.samples import sample
from adversarial_oversampling.results.schema import Result
from adversarial_oversampling.results.summary import summarize, summary_lines, summary_warnings
from adversarial_oversampling.shard import WHOLE, Shard, shards
from adversarial_oversampling.text import capitalized, count
from adversarial_oversampling.tracking import loggers as tracking
from adversarial_oversampling.tracking.pending import is_pending, started_by_sweep_agent
from adversarial_oversampling.training import processes
from adversarial_oversampling.training.arithmetic import training_arithmetic
from adversarial_oversampling.training.build import build, build_data, build_game, build_trainer
from adversarial_oversampling.training.checkpoints import (
    checkpoint_path,
    delete_checkpoints,
    discard_unusable,
)
from adversarial_oversampling.training.curves import log_history
from adversarial_oversampling.training.equal import take_over
from adversarial_oversampling.training.locks import locked
from adversarial_oversampling.training.memory import keep_freed_memory, release_freed_memory
from adversarial_oversampling.training.peers import fit_and_predict
from adversarial_oversampling.training.trial import try_to_build

log = logging.getLogger(__name__)

WEIGHTS_WRITTEN = 9
"""How often weights are written: to the model, and with their best values and two moments to a checkpoint, of
which there are two while one replaces the other."""
PRELOAD = (__name__,)
"""What a process that trains imports first; imported once for all children of `processes.call`."""


def train(
    cfg: DictConfig,
    run_dir: str | Path,
    wait: bool = False,
    callbacks: Sequence[Callback] = (),
    composition: Mapping[str, str] = NO_FILES,
) -> Result:
    """Train, test and write the result into `run_dir`.

    A finished result of the same configuration is returned as it is. An interrupted run resumes from its last
    checkpoint and ends with the numbers that it would have had. With `rerun=true` a result is replaced, and a
    checkpoint that cannot be resumed from is deleted.

    Parameters
    ----------
    cfg : DictConfig
        Composed from `conf/train.yaml`.
    run_dir : str or Path
        Folder of this run.
    wait : bool
        Wait while another process trains in the folder, instead of raising.
    callbacks : sequence of Callback
        More callbacks for Lightning's trainer. Only a run that trains in this process has them.
    composition : mapping of str to str
        Files that say how the configuration was composed, by name, to be written with the result.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        For a setting, a file or a table that has to change.
    TrialPruned
        If a callback raises it. No result is written.
    """
    run_dir = Path(run_dir)
    check(cfg)
    pin_file(cfg)
    write.check_storable(OmegaConf.to_container(cfg, resolve=True))
    with writing(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
    with locked(run_dir, wait):
        result = read.finished(run_dir, cfg)
        if result is not None:
            read.log_stored(run_dir, result, cfg)
            log_finished(cfg, run_dir, result)
            delete_checkpoints(cfg, run_dir)
            return result
        if cfg.rerun:
            discard_unusable(cfg, run_dir)
        if "rules" in cfg.mode and replica_count(cfg) < cfg.trainer.devices:
            port = find_free_network_port()
            parts = [
                partial(run_row_shard, cfg, run_dir, rows, port, composition)
                for rows in shards(cfg.trainer.devices)
            ]
            result = processes.call(parts, PRELOAD)[0]
        else:
            try:
                result = run_method(cfg, run_dir, callbacks=callbacks, composition=composition)
            except TrialPruned:
                delete_checkpoints(cfg, run_dir)
                raise
        assert result is not None  # only processes with rows.rank > 0 return None
        delete_checkpoints(cfg, run_dir)
    return result


def run_method(
    cfg: DictConfig,
    run_dir: Path,
    rows: Shard = WHOLE,
    callbacks: Sequence[Callback] = (),
    composition: Mapping[str, str] = NO_FILES,
) -> Result | None:
    """Train and test the configured method and write the result; resume from a checkpoint if there is one.

    Nothing of the run's folder changes before the settings, the table and the folder have proved usable.

    If `rows` is a shard, this process is one of several that train one game on parts of every batch. Only the
    first process logs, writes and returns the result; the others return None.
    """
    prepare_process(cfg)
    try_to_build(cfg, run_dir)
    started = time.perf_counter()
    data = prepare_data(cfg, rows=rows)
    seconds = {"setup": time.perf_counter() - started}
    if rows.rank > 0:
        train_and_test(cfg, run_dir, data, [])
        return None
    summary = summarize(data.table)
    write.rehearse(run_dir, cfg, data, summary)
    with log_file(run_dir / LOG):
        result = take_over(cfg, run_dir, data, composition) if rows == WHOLE else None
        if result is not None:
            log_stored(cfg, run_dir, result)
        else:
            log.info("%s", "\n".join(summary_lines(cfg.dataset.name, summary)))
            for warning in (*data.table.notes, *summary_warnings(summary)):
                log.warning("%s", capitalized(warning))
            loggers = begin_logging(cfg, run_dir)
            with tracking.finishing(loggers):
                started = time.perf_counter()
                output, samples = train_and_test(cfg, run_dir, data, loggers, callbacks)
                seconds["train_and_test"] = time.perf_counter() - started
                result = write.build_result(cfg, output, data, summary, seconds)
                result = write.write_run(run_dir, cfg, result, output, data, samples, composition)
                tracking.log_result(loggers, result, run_dir)
        log.info("Finished: %s", run_dir / RESULT)
    return result


def train_and_test(
    cfg: DictConfig,
    run_dir: Path,
    data: TableDataModule,
    loggers: list[Logger],
    callbacks: Sequence[Callback] = (),
) -> tuple[MethodOutput, pd.DataFrame | None]:
    """Train and test the configured method on a data module that is set up; return also a sample of rows.

    Raises
    ------
    InputError
        If every replica diverges.
    """
    samples = None
    if all(reason is not None for reason in data.not_applicable):
        output = not_applicable([str(reason) for reason in data.not_applicable], data.classes)
    elif "estimator" in cfg.mode:
        make = build("mode.estimator", cfg.mode.estimator)
        output = fit_and_predict(make, data, progress=cfg.trainer.enable_progress_bar)
    elif cfg.trainer.devices > 1 and data.row_shard.world_size == 1:
        parts = [partial(run_replica_shard, cfg, run_dir, r) for r in shards(cfg.trainer.devices)]
        outputs, samples_of = zip(*processes.call(parts, PRELOAD), strict=True)
        output, samples = join(outputs), samples_of[0]
        log_history(loggers, output.history, torch.tensor(output.diverged_at))
    else:
        output, samples = run_game(cfg, run_dir, data, loggers, callbacks=callbacks)
    if output.diverged_at and None not in output.na:
        raise InputError(f"In every replica {output.na[0]}{way_out_of_divergence(cfg)}")
    return output, samples


def way_out_of_divergence(cfg: DictConfig) -> str:
    """Return what to change where every replica has diverged: what was set, or else the usual causes."""
    players = PLAYERS if has_generator(cfg) else PLAYERS[-1:]
    keys = [given_key(cfg, f"players.{player}.optimizer.lr") for player in players]
    rates = [f"{key}={rate}" for key in keys if (rate := OmegaConf.select(cfg, key)) is not None]
    lower = f"lower a learning rate ({', '.join(rates)})"
    if changed := variant(cfg):
        settings = ", ".join(changed)
        return f". The settings that are not the defaults are {settings}; change them back, or {lower}."
    scaler = (
        "quantile_normal" if cfg.dataset.preprocessing.scaler != "quantile_normal" else "clipped_standard"
    )
    return f": {lower}, or give dataset.preprocessing.scaler={scaler}."


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Write what is logged to a file too, created with its first record."""
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def run_game(
    cfg: DictConfig,
    run_dir: Path,
    data: TableDataModule,
    loggers: list[Logger],
    replicas: Shard = WHOLE,
    callbacks: Sequence[Callback] = (),
) -> tuple[MethodOutput, pd.DataFrame | None]:
    """Train and test the game on a data module that is set up; return its output and a sample of rows."""
    game = build_game(cfg, data)
    trainer = build_trainer(cfg, run_dir, loggers, replicas, data.row_shard, callbacks)
    state = sum(value.nbytes for value in game.state_dict().values())
    write.check_space(run_dir, WEIGHTS_WRITTEN * state)
    with stopping():
        with training_arithmetic(cfg.trainer.matmul_precision):
            fit(trainer, game, data, checkpoint_path(cfg, run_dir, replicas))
        game.load_best()
        trainer.test(game, datamodule=data, verbose=False)
    release_freed_memory()
    return game.output(), sample(game, data)


@contextmanager
def stopping() -> Iterator[None]:
    """Exit with 143 or 130 after a signal that Lightning has received; its own exit codes are 0 and 1.

    Between the first and the last epoch `EpochCheckpoint` receives the signals.
    """
    try:
        yield
    except SystemExit as stopped:
        terminated = isinstance(stopped, SIGTERMException)
        if not terminated and not isinstance(stopped.__context__, KeyboardInterrupt):
            raise
        log.error("Stopped. The same command resumes from the last checkpoint, if there is one.")
        raise SystemExit(128 + (signal.SIGTERM if terminated else signal.SIGINT)) from stopped


def fit(trainer: Trainer, game: Game, data: TableDataModule, checkpoint: Path) -> None:
    """Train, from the checkpoint if there is one.

    Raises
    ------
    InputError
        If the checkpoint cannot be read.
    SystemExit
        With 143 or 130 when a signal stops the training; it is saved after the epoch that the signal met.
    """
    keep_freed_memory()
    resume = None
    if checkpoint.is_file():
        log.info("Resuming from %s.", checkpoint)
        resume = str(checkpoint)
    trainer.fit(game, datamodule=data, ckpt_path=resume, weights_only=True if resume else None)


def run_row_shard(
    cfg: DictConfig, run_dir: Path, rows: Shard, port: int, composition: Mapping[str, str]
) -> Result | None:
    """Train in one of several processes that share every batch."""
    if rows.rank > 0:
        logging.getLogger().setLevel(logging.ERROR)  # the first process logs the same messages
    os.environ |= {"LOCAL_RANK": str(rows.rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return run_method(cfg, run_dir, rows, composition=composition)


def run_replica_shard(
    cfg: DictConfig, run_dir: Path, replicas: Shard
) -> tuple[MethodOutput, pd.DataFrame | None]:
    """Train and test the replicas of a shard; return their output and a sample of rows."""
    prepare_process(cfg)
    data = prepare_data(cfg, replicas=replicas)
    return run_game(cfg, run_dir, data, [], replicas)


def prepare_data(cfg: DictConfig, replicas: Shard = WHOLE, rows: Shard = WHOLE) -> TableDataModule:
    """Return the data module of this process's shard, set up."""
    data = build_data(cfg, replicas, rows)
    data.setup()
    release_freed_memory()
    return data


def prepare_process(cfg: DictConfig) -> None:
    """Set log levels, warning filters, deterministic matrix products and the number of threads."""
    # Lightning logs tips, and the same line in every process.
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Lightning calls a deprecated function of torch; a user cannot avoid the warning.
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec", category=FutureWarning)
    # `broadcast_buffers` is deprecated, but older versions of torch do not have its replacement.
    warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic products on a GPU
    # Deterministic kernels need not fill new memory, which is written before it is read.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if cfg.threads > (cores := os.cpu_count() or 1):
        raise InputError(
            f"threads={cfg.threads}: this machine has {count(cores, 'core')}; give at most {cores}."
        )
    torch.set_num_threads(cfg.threads)


def begin_logging(cfg: DictConfig, run_dir: Path, only: Collection[str] | None = None) -> list[Logger]:
    """Start the run's loggers, or those of some names, and log the configuration."""
    loggers = [
        build(f"logger.{name}", node, save_dir=str(run_dir))
        for name, node in cfg.logger.items()
        if only is None or name in only
    ]
    for logger in loggers:
        logger.log_hyperparams(masked(OmegaConf.to_container(cfg, resolve=True)))
    return loggers


def log_stored(cfg: DictConfig, run_dir: Path, result: Result, only: Collection[str] | None = None) -> None:
    """Log the curves and the result of a finished run from its files."""
    loggers = begin_logging(cfg, run_dir, only)
    with tracking.finishing(loggers):
        log_history(loggers, *write.read_curves(run_dir, result))
        tracking.log_result(loggers, result, run_dir)


def log_finished(cfg: DictConfig, run_dir: Path, result: Result) -> None:
    """Log a finished result to Weights & Biases if no run of it is complete there."""
    if started_by_sweep_agent() or is_pending(run_dir, cfg):
        log_stored(cfg, run_dir, result, only=["wandb"])
    elif "wandb" in cfg.logger:
        log.info(
            "Nothing new to log to Weights & Biases: the folder `wandb` holds the complete run for "
            "`wandb sync`; rerun=true trains and logs again."
        )
