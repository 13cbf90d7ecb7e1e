"""Finished results for all loggers, without importing wandb."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from pytorch_lightning.loggers import Logger

from adversarial_oversampling.curve_names import monitor
from adversarial_oversampling.errors import TrialPruned
from adversarial_oversampling.results.schema import METRICS, Result, mean


@runtime_checkable
class ResultLogger(Protocol):
    """A logger that takes a whole result and has to be finished (`tracking.wandb.Tracker`)."""

    def log_result(self, result: Result, run_dir: Path) -> None:
        """Log a finished run."""

    def finish(self, exit_code: int) -> None:
        """End the log; 0 is success."""


def final_metrics(result: Result) -> dict[str, float]:
    """Return the numbers of a finished run by their names in W&B, which mark optimistic ones."""
    prefix = "final_optimistic" if result.optimistic else "final"
    values: dict[str, float | None] = {
        f"{prefix}/{metric}{suffix}": getattr(scores, metric)
        for suffix, scores in (("", result.mean), ("_std", result.std), ("_replicas", result.defined))
        for metric in METRICS
    }
    values |= {
        f"{prefix}/{metric}_sem": None if spread is None else spread / getattr(result.defined, metric) ** 0.5
        for metric in METRICS
        for spread in [getattr(result.std, metric)]
    }
    epochs: list[float] = [r.best_epoch for r in result.replicas if r.best_epoch is not None]
    values |= {
        f"best/{monitor(result.select_on)}_acsa": result.mean_selection_acsa,
        "best/epoch": mean(epochs),
    }
    values |= {f"seconds/{part}": value for part, value in result.seconds.items()}
    return {name: float(value) for name, value in values.items() if value is not None}


def log_result(loggers: Sequence[Logger], result: Result, run_dir: Path) -> None:
    """Log a result that has been written: its metrics to all loggers, and the whole to Weights & Biases."""
    for logger in loggers:
        logger.log_metrics(final_metrics(result), step=result.epochs)
        logger.save()
        if isinstance(logger, ResultLogger):
            logger.log_result(result, run_dir)


@contextmanager
def finishing(loggers: Sequence[Logger]) -> Iterator[None]:
    """Finish the W&B run at the end of the block, as failed if the block raises anything but TrialPruned."""
    failed = 1
    try:
        yield
        failed = 0
    except TrialPruned:
        failed = 0
        raise
    finally:
        for logger in loggers:
            if isinstance(logger, ResultLogger):
                logger.finish(exit_code=failed)
