"""The losses of an epoch: averages over turns, and the round in which one is no longer finite."""

import pytest
import torch

from adversarial_oversampling.game.epoch_losses import EpochLosses


def test_averages_are_over_the_turns_of_each_player() -> None:
    losses = EpochLosses()
    for real, loss in ((1.0, 3.0), (2.0, 5.0), (6.0, 7.0)):  # D's steps of two rounds
        losses.add("discriminator", {"real": torch.tensor([real, 0.0]), "loss": torch.tensor([loss, 1.0])})
    losses.add("classifier", {"loss": torch.tensor([4.0, 8.0])})
    averages = losses.averages()
    assert list(averages) == ["discriminator/real", "discriminator/loss", "classifier/loss"]
    assert averages["discriminator/real"].tolist() == [3.0, 0.0]
    assert averages["discriminator/loss"].tolist() == [5.0, 1.0]
    assert averages["classifier/loss"].tolist() == [4.0, 8.0]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_rounds_up_to_the_first_that_is_not_finite_are_counted(value: float) -> None:
    losses = EpochLosses()
    for generated in (0.0, value, 0.0):
        losses.add(
            "discriminator", {"generated": torch.tensor([0.0, generated]), "loss": torch.tensor([1.0, 1.0])}
        )
        losses.add("complement", {"loss": torch.tensor([generated, 0.0])})
        losses.end_round()
    assert losses.rounds == 3
    assert [(player, rounds.tolist()) for player, rounds in losses.finite_rounds()] == [
        ("generator", [3, 1]),
        ("discriminator", [3, 3]),
        ("classifier", [1, 3]),
    ]


def test_losses_keep_no_graph() -> None:
    losses = EpochLosses()
    losses.add("classifier", {"loss": torch.ones(2, requires_grad=True) * 2})
    assert not losses.averages()["classifier/loss"].requires_grad
