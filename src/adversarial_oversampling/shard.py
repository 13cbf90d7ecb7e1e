"""What one of several processes has of a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """One process's block of what several processes divide among themselves.

    Attributes
    ----------
    rank : int
        Which block, from 0.
    of : int
        Into how many blocks.
    """

    rank: int = 0
    of: int = 1

    def take(self, whole: Tensor, dim: int) -> Tensor:
        """Give the block along a dimension; blocks keep the order of the whole."""
        return whole.tensor_split(self.of, dim)[self.rank]

    def part(self, whole: Sequence[T]) -> list[T]:
        """Give the block of a sequence."""
        return [whole[i] for i in self.take(torch.arange(len(whole)), dim=0).tolist()]


WHOLE = Share()


def shares(of: int) -> list[Share]:
    """Every process's share."""
    return [Share(rank, of) for rank in range(of)]
