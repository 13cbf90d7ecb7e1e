"""Bare training: no evaluation, no curves, no files. The only place that knows how to take steps."""

import time
from collections.abc import Callable, Sequence
from unittest.mock import PropertyMock, patch

import torch
from omegaconf import DictConfig
from pytorch_lightning import Callback, LightningModule, Trainer

from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.training.arithmetic import training_arithmetic
from adversarial_oversampling.training.build import build_game
from adversarial_oversampling.training.memory import keep_freed_memory
from adversarial_oversampling.training.run import prepare_data, prepare_process


class EpochClock(Callback):
    """Note the time at both ends of the last epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self.times = clock, [0.0, 0.0]

    def _note(self, place: int) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times[place] = self._clock()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note when the epoch begins."""
        self._note(0)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note when it ends."""
        self._note(1)


def prepare(cfg: DictConfig) -> TableDataModule:
    """Return the data module of a configuration, set up; it can be used again and again."""
    prepare_process(cfg)
    keep_freed_memory()
    return prepare_data(cfg)


def run_steps(
    cfg: DictConfig, n: int, data: TableDataModule, clock: Callable[[], float] = time.process_time
) -> float:
    """Take n training steps and return the seconds of one.

    They are the second epoch of a short training; the first one, of as many steps, warms up.

    Parameters
    ----------
    cfg : DictConfig
        Composed from `conf/train.yaml`; `trainer.accelerator` chooses the device.
    n : int
        Number of steps.
    data : TableDataModule
        Of `prepare`.
    clock : callable
        `time.process_time` for CPU seconds, `time.perf_counter` for seconds.
    """
    epoch = EpochClock(clock)
    with patch.object(TableDataModule, "steps_per_epoch", PropertyMock(return_value=n)):
        fit_game(cfg, data, epochs=2, callbacks=[epoch])
    started, ended = epoch.times
    return (ended - started) / n


def fit_game(
    cfg: DictConfig, data: TableDataModule, epochs: int | None = None, callbacks: Sequence[Callback] = ()
) -> Game:
    """Train without evaluation, for the configured epochs by default, and return the game."""
    game = build_game(cfg, data)
    trainer = Trainer(
        accelerator=cfg.trainer.accelerator,
        devices=1,
        max_epochs=epochs or cfg.trainer.max_epochs,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        deterministic=True,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with training_arithmetic(cfg.trainer.matmul_precision):
        trainer.fit(game, datamodule=data)
    return game
