"""How several processes divide replicas or the rows of a batch among themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """One process's block of what several processes divide among themselves.

    Attributes
    ----------
    rank : int
        Number of the block, from 0.
    world_size : int
        Number of blocks.
    """

    rank: int = 0
    world_size: int = 1

    def take(self, whole: Tensor, dim: int) -> Tensor:
        """Return the block along a dimension; blocks keep the order of the whole."""
        return whole.tensor_split(self.world_size, dim)[self.rank]

    def take_items(self, whole: Sequence[T]) -> list[T]:
        """Return this process's block of a sequence; blocks keep the order of the whole."""
        return [whole[i] for i in self.take(torch.arange(len(whole)), dim=0).tolist()]


WHOLE = Shard()


def shards(world_size: int) -> list[Shard]:
    """Return every process's shard."""
    return [Shard(rank, world_size) for rank in range(world_size)]
