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
"""Losses whose first NaN or infinity is due to another player than the one of their name, and that player."""


class EpochLosses:
    """The losses of the turns that have been played in an epoch.

    A turn's losses are added in one operation: with small networks, the time of a round depends on how many
    operations it has, not on their size.

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
    def add(self, player: str, losses: Mapping[str, Tensor]) -> None:
        """Add the losses of a turn, each `[R]`: its parts in the order of play, then the whole."""
        values = torch.stack(list(losses.values()))
        if player in self._sums:
            # In place: a small tensor that outlives the step keeps malloc from reusing the memory around it.
            self._sums[player] += values
        else:
            self._sums[player], self._names[player] = values, [f"{player}/{name}" for name in losses]
        self._turns[player] += 1

    def end_round(self) -> None:
        """Count the rounds up to which each loss is finite."""
        sums = torch.cat(list(self._sums.values()))
        finite = (sums - sums == 0).float()  # NaN - NaN and infinity - infinity are NaN
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
        """Return for each loss, in the order of play, the player to blame and for how long it was finite.

        Returns
        -------
        list of (str, Tensor [R])
            The player, and the rounds until the loss became NaN or infinite.
        """
        names = [name for of_player in self._names.values() for name in of_player]
        culprits = [CULPRITS.get(name, name.partition("/")[0]) for name in names]
        return list(zip(culprits, self._finite_rounds, strict=True))
