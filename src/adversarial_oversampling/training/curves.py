"""What an epoch's values look like to a logger: mean and spread over the replicas."""

from collections.abc import Mapping, Sequence

from lightning_fabric.loggers.logger import Logger
from torch import Tensor


def spread(values: Mapping[str, Tensor], playing: Tensor) -> dict[str, float]:
    """Mean and standard deviation (`..._std`) of `[R]` values over the replicas that still play.

    A value that is undefined for a replica is left out, as ACSA is where a class has no rows.

    Parameters
    ----------
    values : mapping of str to Tensor [R]
    playing : Tensor of shape [R], bool
        Replicas that have not diverged.
    """
    told = {}
    for name, value in values.items():
        defined = value[playing & ~value.isnan()]
        told[name] = float(defined.mean())
        if len(defined) > 1:
            told[f"{name}_std"] = float(defined.std())
    return told


def log_epoch(
    loggers: Sequence[Logger], epoch: int, values: Mapping[str, Tensor], diverged_at: Tensor
) -> dict[str, float]:
    """Log one epoch; returns what was logged.

    Parameters
    ----------
    loggers : sequence of Logger
    epoch : int
        From 0.
    values : mapping of str to Tensor [R]
    diverged_at : Tensor of shape [R]
        Epoch in which a replica diverged; -1 for never.
    """
    told = {"epoch": float(epoch), **spread(values, (diverged_at < 0) | (diverged_at > epoch))}
    for logger in loggers:
        logger.log_metrics(told, step=epoch)
    return told


def log_history(
    loggers: Sequence[Logger], history: Mapping[str, Sequence[Tensor]], diverged_at: Tensor
) -> None:
    """Log every epoch of some curves, as `log_epoch` would have."""
    for epoch in range(max(map(len, history.values()), default=0)):
        log_epoch(loggers, epoch, {name: curve[epoch] for name, curve in history.items()}, diverged_at)
