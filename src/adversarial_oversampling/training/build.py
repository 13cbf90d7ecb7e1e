"""Build objects from the configuration: the data module, the game and Lightning's trainer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy

from adversarial_oversampling.curve_names import monitor
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.data.table import Table
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.game.networks import build_players
from adversarial_oversampling.limits import PLAYERS
from adversarial_oversampling.random_streams import STREAMS, Purpose
from adversarial_oversampling.shard import WHOLE, Shard
from adversarial_oversampling.text import one_line
from adversarial_oversampling.training.checkpoints import (
    EpochCheckpoint,
    VerifiedCheckpointIO,
    checkpoint_path,
    written_by,
)
from adversarial_oversampling.training.curves import CurveLogger
from adversarial_oversampling.training.memory import check_memory
from adversarial_oversampling.training.progress import EpochBar


def build(key: str, node: Any, **kwargs: Any) -> Any:
    """Instantiate the config node at `key`.

    Raises
    ------
    InputError
        For a value that the class refuses.
    """
    try:
        return instantiate(node, **kwargs)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, InputError):
            raise cause from None
        if isinstance(cause, TypeError | ValueError | MisconfigurationException):
            raise InputError(f"{key}: {one_line(cause)}") from error
        raise


def build_data(
    cfg: DictConfig, replicas: Shard = WHOLE, rows: Shard = WHOLE, table: Table | None = None
) -> TableDataModule:
    """Return the data module of this process's shard, not yet set up; without `table`, read the dataset's.

    Raises
    ------
    InputError
        For a setting or a file that has to change, and if there is too little memory for the run.
    """
    if table is None:
        table = build("dataset.source", cfg.dataset.source)
    check_memory(cfg, table, replicas)
    return TableDataModule(
        table,
        build("dataset.preprocessing", cfg.dataset.preprocessing),
        seed=cfg.seed,
        replicas=cfg.replicas,
        members=cfg.members,
        fold=cfg.protocol.fold,
        n_folds=cfg.protocol.folds,
        test_size=cfg.dataset.split.test_size,
        validation_size=cfg.protocol.validation_size,
        select_on=cfg.protocol.select_on,
        resampling=build("mode.resampling", cfg.mode.resampling) if "resampling" in cfg.mode else None,
        fs=cfg.fs.ratio,
        batch_size=cfg.dataset.training.batch_size,
        cache_dir=cfg.paths.cache_dir,
        replica_shard=replicas,
        row_shard=rows,
        streams=STREAMS[cfg.trainer.random_numbers],
    )


def build_game(cfg: DictConfig, data: TableDataModule) -> Game:
    """Return the game of `cfg.mode` on a data module that is set up."""
    rules = build("mode.rules", cfg.mode.rules)
    anchors = data.anchors(cfg.players.generator.anchors) if rules.generator_term else None
    players = build_players(
        cfg.players,
        data.streams(Purpose.WEIGHTS),
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
        noise=data.streams(Purpose.GAME, STREAMS[cfg.trainer.random_numbers], data.row_shard),
        members=data.members,
        monitor=monitor(cfg.protocol.select_on),
        running_mean=cfg.protocol.running_mean,
        weight_average=cfg.protocol.weight_average,
    )


def check_gpu(accelerator: str, setting: str, way_out: str) -> None:
    """Refuse an accelerator that this machine lacks.

    Parameters
    ----------
    accelerator : str
        Lightning's name, such as "gpu".
    setting, way_out : str
        What the user gave, and what to give instead.

    Raises
    ------
    InputError
        If it is a GPU, and torch finds none.
    """
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise InputError(
            f"{setting}: torch finds no GPU on this machine; {way_out}, or install a CUDA build of torch and "
            "its driver."
        )


def build_trainer(
    cfg: DictConfig,
    run_dir: Path,
    loggers: list[Logger],
    replicas: Shard = WHOLE,
    rows: Shard = WHOLE,
    others: Sequence[Callback] = (),
) -> Trainer:
    """Return Lightning's trainer, which saves the checkpoints that an interrupted run resumes from."""
    settings: Any = OmegaConf.to_container(cfg.trainer, resolve=True)
    del settings["random_numbers"], settings["matmul_precision"]
    seconds = settings.pop("checkpoint_seconds")
    checkpoint = EpochCheckpoint(checkpoint_path(cfg, run_dir, replicas), seconds)
    callbacks: list[Callback] = [CurveLogger(), checkpoint, *others]
    settings["enable_progress_bar"] &= replicas.rank == rows.rank == 0
    if settings["enable_progress_bar"]:
        callbacks.append(EpochBar())
    if rows.world_size > 1:
        settings |= {
            # The game averages the gradients itself; buffers are equal from the start.
            "strategy": DDPStrategy(broadcast_buffers=False),
            "plugins": [LightningEnvironment(), VerifiedCheckpointIO(written_by(cfg))],
            "use_distributed_sampler": False,
        }
    else:
        settings["plugins"] = [VerifiedCheckpointIO(written_by(cfg))]
        on_gpu = settings["accelerator"] != "cpu" and torch.cuda.is_available()
        settings["devices"] = [replicas.rank] if on_gpu and replicas.world_size > 1 else 1
    check_gpu(settings["accelerator"], f"trainer.accelerator={settings['accelerator']}", "take trainer=cpu")
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
