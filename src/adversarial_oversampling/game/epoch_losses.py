"""The losses of an epoch's turns: their averages, and the first round in which one is not finite."""

from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor

CULPRITS = {
    "discriminator/generated": "generator",
    "generator/against_discriminator": "discriminator",
    "generator/against_classifier": "classifier",
    "classifier/generated": "generator",
    "complement/loss": "classifier",
}
"""Losses that the network of another player than the one that moves may make not finite, and that player."""


class EpochLosses:
    """The losses of the turns that have been played in an epoch.

    A turn's losses are added in one operation: with small networks, a round is as long as the number of its
    operations.

    Attributes
    ----------
    rounds : int
        How many rounds have been played.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._names: dict[str, list[str]] = {}
        self._turns: Counter[str] = Counter()
        self._finite_rounds = torch.zeros(0)
        self.rounds = 0

    @torch.no_grad()
    def add(self, player: str, parts: Mapping[str, Tensor]) -> None:
        """Add the losses of a turn, each `[R]`: its parts in the order of play, then the whole."""
        values = torch.stack(list(parts.values()))
        if player in self._sums:
            # In place: a small tensor that outlives the step keeps malloc from reusing the memory around it.
            self._sums[player] += values
        else:
            self._sums[player], self._names[player] = values, [f"{player}/{name}" for name in parts]
        self._turns[player] += 1

    def end_round(self) -> None:
        """Count the rounds up to which each loss is finite."""
        sums = torch.cat(list(self._sums.values()))
        finite = (sums - sums == 0).float()
        if self.rounds:
            self._finite_rounds += finite
        else:
            self._finite_rounds = finite
        self.rounds += 1

    def averages(self) -> dict[str, Tensor]:
        """Return the average of each loss over its turns, `[R]`, by names such as `discriminator/real`."""
        return {
            name: value
            for player, names in self._names.items()
            for name, value in zip(names, self._sums[player] / self._turns[player], strict=True)
        }

    def finite_rounds(self) -> list[tuple[str, Tensor]]:
        """Return for each loss, in the order of play, whose network may have made it not finite, and when.

        Returns
        -------
        list of (str, Tensor [R])
            The player, and how many rounds were finite.
        """
        names = [name for of_player in self._names.values() for name in of_player]
        culprits = [CULPRITS.get(name, name.partition("/")[0]) for name in names]
        return list(zip(culprits, self._finite_rounds, strict=True))
