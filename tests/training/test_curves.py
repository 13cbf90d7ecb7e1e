"""Curves for loggers: means and standard deviations over replicas, epoch by epoch."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.loggers import CSVLogger

from adversarial_oversampling.training.curves import log_epoch, log_history, mean_and_std

NAN = math.nan


class Recorder(CSVLogger):
    """A logger that also keeps what it gets."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.logged: list[tuple[Any, int | None]] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.logged.append((dict(metrics), step))


def test_mean_and_standard_deviation_by_hand() -> None:
    values = {"loss": torch.tensor([1.0, 2.0, 6.0]), "acsa": torch.tensor([0.25, NAN, 0.75])}
    logged = mean_and_std(values, torch.tensor([True, True, True]))
    assert logged["loss"] == 3
    assert logged["loss_std"] == pytest.approx(math.sqrt(7))  # (4 + 1 + 9) / 2
    assert logged["acsa"] == 0.5  # undefined in one replica
    assert logged["acsa_std"] == pytest.approx(math.sqrt(0.125))  # (0.0625 + 0.0625) / 1


def test_one_replica_has_no_deviation_and_none_has_no_mean() -> None:
    logged = mean_and_std({"loss": torch.tensor([1.0, 2.0])}, torch.tensor([False, True]))
    assert logged == {"loss": 2.0}
    assert math.isnan(mean_and_std({"acsa": torch.tensor([NAN])}, torch.tensor([True]))["acsa"])


def test_a_replica_counts_until_it_diverges(tmp_path: Path) -> None:
    recorder, diverged_at = Recorder(tmp_path), torch.tensor([-1, 1])
    values = {"loss": torch.tensor([1.0, 3.0])}
    log_epoch([recorder], 0, values, diverged_at)
    log_epoch([recorder], 1, values, diverged_at)
    assert recorder.logged[0][0]["loss"] == 2
    assert recorder.logged[1] == ({"epoch": 1.0, "loss": 1.0}, 1)
    again = Recorder(tmp_path)
    log_history([again], {"loss": [values["loss"], values["loss"]]}, diverged_at)
    assert again.logged == recorder.logged
