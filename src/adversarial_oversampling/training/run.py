"""Build a game from the configuration, train it, test it, and leave the result."""

import logging
import os
import time
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pandas as pd
import torch
from filelock import FileLock, Timeout
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning_fabric.plugins.environments.lightning import LightningEnvironment, find_free_network_port
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.exceptions import SIGTERMException

from adversarial_oversampling.config import PLAYERS, check, config_hash, has_generator
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.game.networks import build_players
from adversarial_oversampling.method_output import Outcome, join, nothing
from adversarial_oversampling.random_streams import Purpose, Streams
from adversarial_oversampling.results import read as results
from adversarial_oversampling.results import write as record
from adversarial_oversampling.results.samples import sample
from adversarial_oversampling.shard import WHOLE, Share, shares
from adversarial_oversampling.tracking import wandb as tracking
from adversarial_oversampling.training import processes
from adversarial_oversampling.training.curves import log_history
from adversarial_oversampling.training.peers import fit_and_test
from adversarial_oversampling.training.progress import EpochBar

log = logging.getLogger(__name__)


def build(key: str, node: Any, **kwargs: Any) -> Any:
    """Instantiate the config node at `key`; what it refuses comes out as an InputError."""
    try:
        return instantiate(node, **kwargs)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, InputError):
            raise cause from None
        if isinstance(cause, TypeError | ValueError | MisconfigurationException):
            raise InputError(f"{key}: {' '.join(str(cause).split())}") from error
        raise


def build_data(cfg: DictConfig, replicas: Share = WHOLE, rows: Share = WHOLE) -> TableDataModule:
    """Read the table and make its LightningDataModule, not yet set up, of this process's share."""
    return TableDataModule(
        build("dataset.source", cfg.dataset.source),
        build("dataset.preprocessing", cfg.dataset.preprocessing),
        seed=cfg.seed,
        replicas=cfg.replicas,
        fold=cfg.protocol.fold,
        n_folds=cfg.protocol.folds,
        test_size=cfg.dataset.split.test_size,
        validation_size=cfg.protocol.validation_size,
        select_on=cfg.protocol.select_on,
        resampling=build("mode.resampling", cfg.mode.resampling) if "resampling" in cfg.mode else None,
        fs=cfg.fs.ratio,
        batch_size=cfg.dataset.training.batch_size,
        cache_dir=cfg.paths.cache_dir,
        replica_share=replicas,
        row_share=rows,
    )


def build_game(cfg: DictConfig, data: TableDataModule) -> Game:
    """Seat the players of `cfg.mode` at the rows of a data module that is set up."""
    rules = build("mode.rules", cfg.mode.rules)
    anchors = data.anchors(cfg.players.generator.anchors) if rules.generator_term else None
    players = build_players(
        cfg.players,
        Streams(data.seeds, Purpose.WEIGHTS, data.folds),
        features=data.rows.x.shape[-1],
        classes=data.classes,
        anchors=anchors,
    )
    generated_rows = cfg.generated_rows
    if generated_rows is None:
        generated_rows = max(1, cfg.dataset.training.batch_size // data.classes)
    optimizers = {
        player: build(f"players.{player}.optimizer", cfg.players[player].optimizer) for player in PLAYERS
    }
    return Game(
        rules=rules,
        gan=build("gan_type.loss", cfg.gan_type.loss),
        **players,
        counts=data.counts,
        fs=cfg.fs.ratio,
        generated_rows=generated_rows,
        optimizers=optimizers,
        schedule=build("schedule", cfg.schedule),
        noise=Streams(data.seeds, Purpose.GAME, data.folds, rows=data.row_share),
        monitor="test_optimistic" if cfg.protocol.select_on == "test" else "validation",
    )


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that replace the one before in one move: a run killed while it writes keeps that one.

    Lightning's own go through the system's folder for temporary files, from where they may be copied.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Save beside the path, then move."""
        new = Path(f"{path}.new")
        super().save_checkpoint(checkpoint, new, storage_options)
        os.replace(new, path)


def build_trainer(
    cfg: DictConfig, run_dir: Path, loggers: list[Logger], replicas: Share = WHOLE, rows: Share = WHOLE
) -> Trainer:
    """Lightning's trainer, with a checkpoint that an interrupted run goes on from."""
    settings: Any = OmegaConf.to_container(cfg.trainer, resolve=True)
    checkpoint = ModelCheckpoint(
        dirpath=run_dir / "checkpoints",
        filename=checkpoint_of(cfg, run_dir, replicas).stem,
        every_n_epochs=settings.pop("checkpoint_every"),
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    callbacks: list[Callback] = [checkpoint]
    settings["enable_progress_bar"] &= replicas.rank == rows.rank == 0
    if settings["enable_progress_bar"]:
        callbacks.append(EpochBar())
    if rows.of > 1:
        settings |= {
            # Every player's move leaves the other players' weights out; buffers are equal from the start.
            "strategy": DDPStrategy(find_unused_parameters=has_generator(cfg), broadcast_buffers=False),
            "plugins": [LightningEnvironment(), WholeCheckpoints()],
            "use_distributed_sampler": False,
        }
    else:
        settings["plugins"] = [WholeCheckpoints()]
        on_gpu = settings["accelerator"] != "cpu" and torch.cuda.is_available()
        settings["devices"] = [replicas.rank] if on_gpu and replicas.of > 1 else 1
    trainer: Trainer = build(
        "trainer",
        settings,
        logger=loggers or False,
        callbacks=callbacks,
        default_root_dir=str(run_dir),
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        enable_model_summary=False,
    )
    return trainer


def checkpoint_of(cfg: DictConfig, run_dir: Path, replicas: Share = WHOLE) -> Path:
    """What an interrupted run, or a process that has some of its replicas, goes on from."""
    part = f"-{replicas.rank + 1}-of-{replicas.of}" if replicas.of > 1 else ""
    return run_dir / "checkpoints" / f"{config_hash(cfg)}{part}.ckpt"


def fit(trainer: Trainer, game: Game, data: TableDataModule, checkpoint: Path) -> None:
    """Train, from the checkpoint if there is one.

    Raises
    ------
    InputError
        If the checkpoint cannot be read.
    SystemExit
        With 143 or 130 when a signal stops the training.
    """
    resume = None
    if checkpoint.is_file():
        try:
            torch.load(checkpoint, map_location="cpu", weights_only=True)
        except (EOFError, IndexError, KeyError, RuntimeError, UnpicklingError) as error:
            raise InputError(f"{checkpoint} is damaged: delete it, and the run starts anew.") from error
        log.info("Going on from %s.", checkpoint)
        resume = str(checkpoint)
    try:
        trainer.fit(game, datamodule=data, ckpt_path=resume, weights_only=True if resume else None)
    except SystemExit as stopped:  # Lightning's answer to SIGTERM and to Ctrl-C
        terminated = isinstance(stopped, SIGTERMException)
        log.error(
            "Stopped in epoch %d. The same command goes on from the last checkpoint, if there is one.",
            trainer.current_epoch,
        )
        raise SystemExit(143 if terminated else 130) from stopped


def prepare(cfg: DictConfig) -> None:
    """Set up a process that trains."""
    for name in ("pytorch_lightning", "lightning_fabric"):  # advertisements, and one line per process
        logging.getLogger(name).setLevel(logging.WARNING)
    # Between Lightning and torch, once a job, and nothing that a user could change.
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec", category=FutureWarning)
    # Older versions of torch know no other name for it.
    warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic products on a GPU
    torch.set_num_threads(cfg.threads)


def replica_count(cfg: DictConfig) -> int:
    """How many games are played: one per seed, and per fold where all folds are."""
    folds = cfg.protocol.folds if cfg.protocol.folds is not None and cfg.protocol.fold is None else 1
    return int(cfg.replicas * folds)


def drop_checkpoints(cfg: DictConfig, run_dir: Path) -> None:
    """Forget what an interrupted run would go on from, however many processes it had."""
    folder = run_dir / "checkpoints"
    for file in folder.glob(f"{config_hash(cfg)}*.ckpt*"):
        file.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def train(cfg: DictConfig, run_dir: Path, wait: bool = False) -> dict[str, Any]:
    """Train, test and write the result into `run_dir`.

    A finished result of the same configuration is returned as it is; an interrupted run goes on
    from its last checkpoint and ends with the numbers that it would have had.

    Parameters
    ----------
    cfg : DictConfig
        Composed from `conf/train.yaml`.
    run_dir : Path
        Folder of this run.
    wait : bool
        Wait while another process trains in the folder, instead of refusing.

    Returns
    -------
    dict
        What result.json holds.

    Raises
    ------
    InputError
        For a setting, a file or a table that has to change.
    """
    check(cfg)
    run_dir.mkdir(parents=True, exist_ok=True)
    with only_process(run_dir, wait):
        if (result := results.finished(run_dir, cfg)) is not None:
            log.info("Already finished: showing %s. Train anew with rerun=true.", run_dir / results.RESULT)
            if tracking.awaited() or results.owed_to_wandb(run_dir, cfg):
                trackers = begin_logging(cfg, run_dir, only=["wandb"])
                with tracking.finishing(trackers):
                    log_history(trackers, *record.read_curves(run_dir, result))
                    tracking.log_result(trackers, result, run_dir)
            elif "wandb" in cfg.logger:
                log.info(
                    "Nothing new is logged to Weights & Biases: the folder `wandb` has it all, for "
                    "`wandb sync`; rerun=true trains and logs anew."
                )
            drop_checkpoints(cfg, run_dir)
            return result
        if "rules" in cfg.mode and replica_count(cfg) < cfg.trainer.devices:
            port = find_free_network_port()
            parts = [partial(play_rank, cfg, run_dir, rows, port) for rows in shares(cfg.trainer.devices)]
            result = processes.call(parts)[0]
        else:
            result = play(cfg, run_dir)
        drop_checkpoints(cfg, run_dir)
    log.info("Finished: %s", run_dir / results.RESULT)
    return result


@contextmanager
def only_process(run_dir: Path, wait: bool = False) -> Iterator[None]:
    """Keep a second process out of a run's folder; the lock goes with the process that holds it."""
    lock = FileLock(run_dir / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        if not wait:
            raise InputError(
                f"hydra.run.dir={run_dir}: another process trains there; wait, or choose another folder."
            ) from error
        log.info("Another process trains in %s: waiting for it.", run_dir)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def play(cfg: DictConfig, run_dir: Path, rows: Share = WHOLE) -> dict[str, Any]:
    """Train, test and write the result, whatever lies in `run_dir` but a checkpoint to go on from.

    With a share of the rows this process is one of several that play one game: each has its part of
    every batch, and the first one logs and writes.
    """
    prepare(cfg)
    started = time.perf_counter()
    data = build_data(cfg, rows=rows)
    data.setup()
    seconds = {"setup": time.perf_counter() - started}
    loggers = begin_logging(cfg, run_dir) if rows.rank == 0 else []
    with tracking.finishing(loggers):
        started = time.perf_counter()
        samples = None
        if all(reason is not None for reason in data.not_applicable):
            outcome = nothing([str(reason) for reason in data.not_applicable], data.classes)
        elif "estimator" in cfg.mode:
            make = build("mode.estimator", cfg.mode.estimator)
            outcome = fit_and_test(make, data, progress=cfg.trainer.enable_progress_bar)
        elif cfg.trainer.devices > 1 and rows.of == 1:
            parts = [partial(play_replicas, cfg, run_dir, some) for some in shares(cfg.trainer.devices)]
            outcomes, samples_of = zip(*processes.call(parts), strict=True)
            outcome, samples = join(outcomes), samples_of[0]
            log_history(loggers, outcome.history, torch.tensor(outcome.diverged_at))
        else:
            outcome, samples = play_game(cfg, run_dir, data, loggers)
        if rows.rank > 0:
            return {}
        if outcome.diverged_at and min(outcome.diverged_at) >= 0:
            raise InputError(
                f"In every replica {outcome.na[0]}: lower dataset.training.learning_rate (or "
                "players.generator.optimizer.lr), or check dataset.preprocessing.scaler."
            )
        seconds["play"] = time.perf_counter() - started
        result = record.build(cfg, outcome, data, seconds)
        record.write(run_dir, result, outcome, data, samples)
        tracking.log_result(loggers, result, run_dir)
    return result


def begin_logging(cfg: DictConfig, run_dir: Path, only: Collection[str] | None = None) -> list[Logger]:
    """The run's loggers, or those of some names, told the configuration."""
    loggers = [
        build(f"logger.{name}", one, save_dir=str(run_dir))
        for name, one in cfg.logger.items()
        if only is None or name in only
    ]
    for logger in loggers:
        logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))
    return loggers


def play_rank(cfg: DictConfig, run_dir: Path, rows: Share, port: int) -> dict[str, Any]:
    """Play in one of several processes that share every batch."""
    if rows.rank > 0:
        logging.getLogger().setLevel(logging.ERROR)  # the first one tells the rest
    os.environ |= {"LOCAL_RANK": str(rows.rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return play(cfg, run_dir, rows)


def play_replicas(cfg: DictConfig, run_dir: Path, some: Share) -> tuple[Outcome, pd.DataFrame | None]:
    """Play the games of some of the replicas."""
    prepare(cfg)
    data = build_data(cfg, replicas=some)
    data.setup()
    return play_game(cfg, run_dir, data, [], some)


def play_game(
    cfg: DictConfig, run_dir: Path, data: TableDataModule, loggers: list[Logger], replicas: Share = WHOLE
) -> tuple[Outcome, pd.DataFrame | None]:
    """Train and test the game on rows that are set up; returns answers and a sample of rows."""
    game = build_game(cfg, data)
    trainer = build_trainer(cfg, run_dir, loggers, replicas, data.row_share)
    fit(trainer, game, data, checkpoint_of(cfg, run_dir, replicas))
    game.load_best()
    trainer.test(game, datamodule=data, verbose=False)
    return game.outcome(), sample(game, data)
