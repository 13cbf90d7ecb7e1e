"""What any method hands over to the record, whoever played."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Outcome:
    """Answers for the test rows of R replicas, and how they came about.

    Attributes
    ----------
    row : Tensor of shape [R, M], int64
        Row numbers in the table; -1 is padding.
    predicted : Tensor of shape [R, M], int64
        Decided classes.
    probabilities : Tensor of shape [R, M, C]
    na : sequence of (str or None), length R
        Why a replica has no result.
    best_epoch : sequence of (int or None), length R
        The epoch whose weights answered; None where there are no epochs.
    selection_acsa : sequence of (float or None), length R
        ACSA of that epoch on the rows that chose it.
    history : mapping of str to sequence of Tensor [R]
        Curves, one entry per epoch.
    parameters : mapping of str to int
        Trainable numbers of each player, for one replica.
    weights : mapping of str to Tensor, optional
        Each replica's best weights.
    device : torch.device
    """

    row: Tensor
    predicted: Tensor
    probabilities: Tensor
    na: Sequence[str | None]
    best_epoch: Sequence[int | None]
    selection_acsa: Sequence[float | None]
    history: Mapping[str, Sequence[Tensor]] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, Tensor] | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


def nothing(na: Sequence[str], classes: int) -> Outcome:
    """The outcome of a method that cannot work on any replica's rows, for the reasons `na`."""
    replicas = len(na)
    empty = torch.empty(replicas, 0, dtype=torch.long)
    none = [None] * replicas
    return Outcome(empty, empty, torch.empty(replicas, 0, classes), na, none, none)
