"""What a method returns: its predictions for the test rows, and how it was trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class MethodOutput:
    """Predictions for the test rows of R replicas, and how the method was trained.

    Attributes
    ----------
    row : Tensor of shape [R, M], int64
        Row numbers in the table; -1 is padding.
    predicted : Tensor of shape [R, M], int64
        Predicted classes.
    probabilities : Tensor of shape [R, M, C]
    na : sequence of (str or None), length R
        Why a replica has no result.
    best_epoch : sequence of (int or None), length R
        The epoch whose weights are tested; None for a method without epochs.
    selection_acsa : sequence of (float or None), length R
        ACSA of that epoch on the rows that choose it.
    diverged_at : sequence of int
        The epoch in which a replica's loss became NaN or infinite; -1 for never. Empty for a method without
        epochs.
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
    diverged_at: Sequence[int] = ()
    history: Mapping[str, Sequence[Tensor]] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, Tensor] | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


def join(parts: Sequence[MethodOutput]) -> MethodOutput:
    """Join the outputs of several groups of replicas, in their order."""
    rows = max(part.row.shape[1] for part in parts)
    epochs = {name: max(len(part.history[name]) for part in parts) for name in parts[0].history}
    first = parts[0]
    return MethodOutput(
        row=_stacked([part.row for part in parts], rows, -1),
        predicted=_stacked([part.predicted for part in parts], rows, 0),
        probabilities=_stacked([part.probabilities for part in parts], rows, 0),
        na=[reason for part in parts for reason in part.na],
        best_epoch=[epoch for part in parts for epoch in part.best_epoch],
        selection_acsa=[score for part in parts for score in part.selection_acsa],
        diverged_at=[epoch for part in parts for epoch in part.diverged_at],
        history={
            # A part whose replicas have all diverged stops early.
            name: list(_stacked([torch.stack(list(part.history[name]), 1) for part in parts], n, torch.nan).T)
            for name, n in epochs.items()
        },
        parameters=first.parameters,
        weights=(
            None
            if first.weights is None
            else {
                name: torch.cat([part.weights[name] for part in parts if part.weights])
                for name in first.weights
            }
        ),
        device=first.device,
    )


def _stacked(parts: Sequence[Tensor], width: int, filling: float) -> Tensor:
    """Concatenate tensors `[R, n, ...]` along R, padded to a common width n."""
    filled = []
    for part in parts:
        more = part.new_full((part.shape[0], width - part.shape[1], *part.shape[2:]), filling)
        filled.append(torch.cat([part, more], dim=1))
    return torch.cat(filled)


def not_applicable(na: Sequence[str], classes: int) -> MethodOutput:
    """Return the output of a method that cannot work on any replica's rows, for the reasons `na`."""
    replicas = len(na)
    empty = torch.empty(replicas, 0, dtype=torch.long)
    none = [None] * replicas
    return MethodOutput(empty, empty, torch.empty(replicas, 0, classes), na, none, none)
