"""The epoch whose weights each replica keeps, and the replicas that diverged."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from adversarial_oversampling.limits import PLAYERS


class BestEpoch:
    """For each replica the weights of its best epoch so far, and when it diverged.

    Of epochs with equal scores the one with the lowest loss is kept: few validation rows give few distinct
    scores, and the first epoch that reaches the best one is often barely trained. A replica that has diverged
    keeps what it had before.

    Parameters
    ----------
    replicas : int
        R.
    weights : mapping of str to Tensor [R * members, ...]
        The networks' state, kept until the first epoch has been scored.

    Attributes
    ----------
    epoch : Tensor of shape [R]
        Best epoch, from 0; -1 before the first.
    score : Tensor of shape [R], float64
        ACSA of that epoch on the rows that choose it, or its running mean.
    loss : Tensor of shape [R]
        Class-balanced cross-entropy of that epoch on the same rows.
    weights : dict of str to Tensor [R * members, ...]
        Weights of that epoch.
    diverged_at : Tensor of shape [R]
        Epoch in which a loss or a weight became NaN or infinite; -1 for never.
    diverged_first : Tensor of shape [R]
        The player through whose network it began, as a place in `limits.PLAYERS`; -1 for none.
    """

    def __init__(self, replicas: int, weights: Mapping[str, Tensor]) -> None:
        self.epoch = torch.full((replicas,), -1)
        self.score = torch.full((replicas,), -torch.inf, dtype=torch.float64)
        self.loss = torch.full((replicas,), torch.inf)
        self.diverged_at = torch.full((replicas,), -1)
        self.diverged_first = torch.full((replicas,), -1)
        self.weights = {name: value.clone() for name, value in weights.items()}

    @property
    def all_diverged(self) -> bool:
        """Whether no replica is left to train."""
        return bool((self.diverged_at >= 0).all())

    def reason(self, replica: int) -> str | None:
        """Return why a replica has no result; None if it has not diverged."""
        epoch, first = int(self.diverged_at[replica]), int(self.diverged_first[replica])
        return (
            None if epoch < 0 else f"the loss of the {PLAYERS[first]} became NaN or infinite in epoch {epoch}"
        )

    def find_diverged(self, epoch: int, values: Tensor, first: Callable[[], Tensor]) -> None:
        """Mark the replicas that have a NaN or an infinity among the values `[n, R]` of an epoch.

        `first` returns the players that were the first, `[R]`; it is called only if it is needed.
        """
        newly_diverged = ~values.isfinite().all(dim=0).cpu() & (self.diverged_at < 0)
        self.diverged_at[newly_diverged] = epoch
        if bool(newly_diverged.any()):
            self.diverged_first[newly_diverged] = first().cpu()[newly_diverged]

    def update(
        self,
        epoch: int,
        score: Tensor,
        loss: Tensor,
        weights: Callable[[], Mapping[str, Tensor]],
        last: bool = False,
    ) -> None:
        """Keep the weights of the replicas whose score `[R]` is above their best one so far.

        Among equal scores, a lower loss `[R]` is better. `weights` returns the networks' state; it is called
        only if it is needed. With `last`, the epoch is kept whatever its score.
        """
        score, loss = score.cpu(), loss.cpu()
        better = torch.full_like(score, last, dtype=torch.bool)
        better |= (score > self.score) | ((score == self.score) & (loss < self.loss))
        better &= self.diverged_at < 0
        self.score[better], self.loss[better] = score[better], loss[better]
        self.epoch[better] = epoch
        if bool(better.any()):
            for name, value in weights().items():
                chosen = better.to(value.device).repeat_interleave(len(value) // len(better))
                self.weights[name] = self.weights[name].to(value.device)
                self.weights[name][chosen] = value[chosen]

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint: tensors only."""
        return {
            "epoch": self.epoch,
            "score": self.score,
            "loss": self.loss,
            "weights": self.weights,
            "diverged_at": self.diverged_at,
            "diverged_first": self.diverged_first,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that `state_dict` returned."""
        self.epoch, self.score, self.loss = state["epoch"], state["score"], state["loss"]
        self.weights = state["weights"]
        self.diverged_at, self.diverged_first = state["diverged_at"], state["diverged_first"]
