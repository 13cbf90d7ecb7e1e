"""Epochs as loggers see them."""

import math

import pytest
import torch

from adversarial_oversampling.training.curves import log_epoch, spread

NAN = math.nan


def test_mean_and_spread_by_hand() -> None:
    values = {"loss": torch.tensor([1.0, 2.0, 6.0]), "acsa": torch.tensor([0.25, NAN, 0.75])}
    told = spread(values, torch.tensor([True, True, True]))
    assert told["loss"] == 3
    assert told["loss_std"] == pytest.approx(math.sqrt(7))  # (4 + 1 + 9) / 2
    assert told["acsa"] == 0.5  # undefined in one replica
    assert told["acsa_std"] == pytest.approx(math.sqrt(0.125))  # (0.0625 + 0.0625) / 1


def test_one_replica_has_no_spread_and_none_has_no_mean() -> None:
    told = spread({"loss": torch.tensor([1.0, 2.0])}, torch.tensor([False, True]))
    assert told == {"loss": 2.0}
    assert math.isnan(spread({"acsa": torch.tensor([NAN])}, torch.tensor([True]))["acsa"])


def test_a_replica_counts_until_it_diverges() -> None:
    values, diverged_at = {"loss": torch.tensor([1.0, 3.0])}, torch.tensor([-1, 1])
    assert log_epoch([], 0, values, diverged_at)["loss"] == 2
    assert log_epoch([], 1, values, diverged_at) == {"epoch": 1.0, "loss": 1.0}
