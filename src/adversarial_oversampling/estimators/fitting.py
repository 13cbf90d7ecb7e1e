"""One fit of an estimator: the suite's data module, game and trainer, in memory and in silence."""

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pandas as pd
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.utilities.exceptions import SIGTERMException

from adversarial_oversampling.data.table import Table
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.results.model import TrainedModel
from adversarial_oversampling.text import capitalized
from adversarial_oversampling.training.arithmetic import training_arithmetic
from adversarial_oversampling.training.build import build, build_data, build_game, check_gpu
from adversarial_oversampling.training.progress import EpochBar


def fit_model(cfg: DictConfig, table: Table) -> tuple[TrainedModel, pd.DataFrame]:
    """Train the configured game on all rows of a table.

    Returns
    -------
    model : TrainedModel
    history : DataFrame
        Every curve, a row per epoch.

    Raises
    ------
    InputError
        For a setting or a table that has to change, and if the loss becomes NaN or infinite.
    """
    cfg = cfg.copy()
    OmegaConf.update(cfg, "dataset.split.test_size", 0)
    OmegaConf.update(cfg, "paths.cache_dir", None)
    check_gpu(cfg.trainer.accelerator, "device=cuda", "give device='cpu'")
    with quiet():
        data = build_data(cfg, table=table)
        data.setup()
        if reason := data.not_applicable[0]:
            raise InputError(f"mode={cfg.mode.name}: {reason}.")
        notes = data.notes[0]
        game = build_game(cfg, data)
        shown = cfg.trainer.enable_progress_bar
        trainer: Trainer = build(
            "trainer",
            {"_target_": "pytorch_lightning.Trainer", "accelerator": cfg.trainer.accelerator},
            max_epochs=cfg.trainer.max_epochs,
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=shown,
            num_sanity_val_steps=0,
            callbacks=[EpochBar()] if shown else [],
        )
        try:
            with training_arithmetic(cfg.trainer.matmul_precision):
                trainer.fit(game, datamodule=data)
        except SystemExit as stopped:  # Lightning's answer to Ctrl-C and to SIGTERM
            raise stopped if isinstance(stopped, SIGTERMException) else KeyboardInterrupt from stopped
        data.teardown()
    for note in notes:
        warnings.warn(f"{note}.", UserWarning, stacklevel=3)
    if game.best.all_diverged:
        raise InputError(
            f"{capitalized(str(game.best.reason(0)))}: lower learning_rate, or choose another scaler."
        )
    model = TrainedModel.of(cfg, data, game.best.weights, game.best.epoch.tolist(), game.best.score.tolist())
    history = pd.DataFrame({name: [float(v[0]) for v in curve] for name, curve in game.history.items()})
    return model, history.rename_axis("epoch")


class Shared:
    """A context of the whole process, which the first user enters and the last one leaves, in any thread.

    Each of them could otherwise restore what another one has changed.

    Parameters
    ----------
    context : callable
        Makes the context.
    """

    def __init__(self, context: Callable[[], AbstractContextManager[None]]) -> None:
        self._context, self._lock, self._users = context, threading.Lock(), 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Be one of the users."""
        with self._lock:
            if self._users == 0:
                self._entered = self._context()
                self._entered.__enter__()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._entered.__exit__(None, None, None)


@Shared
@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning from logging, and torch's settings as they are."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    deterministic = torch.are_deterministic_algorithms_enabled()
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            # Lightning calls a deprecated function of torch.
            warnings.filterwarnings(
                "ignore", message=".*isinstance.treespec, LeafSpec", category=FutureWarning
            )
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        torch.use_deterministic_algorithms(deterministic)
