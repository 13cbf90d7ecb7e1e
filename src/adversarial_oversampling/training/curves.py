"""The curves of a game for loggers: mean and standard deviation over the replicas."""

import logging
from collections.abc import Mapping, Sequence

import torch
from lightning_fabric.loggers.logger import Logger
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from adversarial_oversampling.game.module import Game

log = logging.getLogger(__name__)


class CurveLogger(Callback):
    """Log every epoch of a game; a resumed run's loggers get the earlier epochs first."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epochs of earlier attempts, even if none is left to train."""
        assert isinstance(pl_module, Game)
        if trained := max(map(len, pl_module.history.values()), default=0):
            log.info("Resuming after %d of %d epochs.", trained, trainer.max_epochs)
        log_history(trainer.loggers, pl_module.history, pl_module.best.diverged_at)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch."""
        assert isinstance(pl_module, Game)
        values = {name: curve[-1] for name, curve in pl_module.history.items()}
        log_epoch(trainer.loggers, trainer.current_epoch, values, pl_module.best.diverged_at)


def mean_and_std(values: Mapping[str, Tensor], included: Tensor) -> dict[str, float]:
    """Return the mean and the standard deviation (`..._std`) of `[R]` values over some replicas.

    A value that is undefined for a replica is left out, as ACSA is where a class has no rows.

    Parameters
    ----------
    values : mapping of str to Tensor [R]
    included : Tensor of shape [R], bool
        Replicas that have not diverged.
    """
    matrix = torch.stack(list(values.values()))[:, included]
    defined = ~matrix.isnan()
    count = defined.sum(dim=1)
    mean = matrix.nansum(dim=1) / count
    square = (matrix - mean[:, None]).square().nansum(dim=1)
    std = (square / (count - 1)).sqrt()
    logged = dict(zip(values, mean.tolist(), strict=True))
    spread = zip(values, std.tolist(), (count > 1).tolist(), strict=True)
    return logged | {f"{name}_std": value for name, value, known in spread if known}


def log_epoch(
    loggers: Sequence[Logger], epoch: int, values: Mapping[str, Tensor], diverged_at: Tensor
) -> None:
    """Log one epoch.

    Parameters
    ----------
    loggers : sequence of Logger
    epoch : int
        From 0.
    values : mapping of str to Tensor [R]
    diverged_at : Tensor of shape [R]
        Epoch in which a replica diverged; -1 for never.
    """
    logged = {
        "epoch": float(epoch),
        **mean_and_std(values, (diverged_at < 0) | (diverged_at > epoch)),
    }
    for logger in loggers:
        logger.log_metrics(logged, step=epoch)


def log_history(
    loggers: Sequence[Logger], history: Mapping[str, Sequence[Tensor]], diverged_at: Tensor
) -> None:
    """Log every epoch of some curves with `log_epoch`."""
    for epoch in range(max(map(len, history.values()), default=0)):
        log_epoch(loggers, epoch, {name: curve[epoch] for name, curve in history.items()}, diverged_at)
