"""Random streams: one per replica and purpose, all derived from the run's seed."""

from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from adversarial_oversampling.shard import WHOLE, Shard


class Purpose(IntEnum):
    """What a stream is for. Streams of one seed with different purposes are independent.

    The values are part of the random numbers: changing one changes results.
    """

    TEST_ROWS = 0
    VALIDATION_ROWS = 1
    FOLDS = 2
    WEIGHTS = 101
    BATCHES = 102
    ANCHORS = 103
    GAME = 104
    RESAMPLING = 105
    ESTIMATOR = 106
    SAMPLES = 107


def seed_sequence(seed: int, purpose: Purpose, fold: int | None) -> np.random.SeedSequence:
    """Return the seed sequence of one seed, purpose and fold."""
    # Short entropy is padded with zeros: fold 0 must not be the same as no fold.
    return np.random.SeedSequence([seed, int(purpose), 0 if fold is None else fold + 1])


class Streams:
    """R independent random streams whose draws are stacked on a leading replica axis.

    Draws are made on the CPU, replica by replica, and then moved. So a replica draws the same
    numbers alone, among others, and on a GPU.

    Parameters
    ----------
    seeds : sequence of int
        One seed per replica.
    purpose : Purpose
        Keeps the streams of one seed apart.
    folds : sequence of (int or None), optional
        The fold of each replica; folds of one seed draw different numbers.
    device : torch.device or str
        Where the drawn tensors go.
    rows : Shard
        This process's block of the rows, which are the last dimension but one. Every process draws the
        numbers of all rows and keeps its own, so a row's numbers do not depend on the process.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        purpose: Purpose,
        folds: Sequence[int | None] | None = None,
        device: torch.device | str = "cpu",
        rows: Shard = WHOLE,
    ) -> None:
        self.device, self.rows = device, rows
        self._generators = []
        for seed, fold in zip(seeds, folds or [None] * len(seeds), strict=True):
            state = seed_sequence(seed, purpose, fold).generate_state(1, np.uint64)
            self._generators.append(torch.Generator().manual_seed(int(state[0] >> np.uint64(1))))

    def __len__(self) -> int:
        return len(self._generators)

    def normal(self, *shape: int) -> Tensor:
        """Draw standard normal numbers of shape `[R, *shape]`, float32."""
        return self._draw(torch.Tensor.normal_, shape, torch.float32)

    def uniform(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Draw uniform numbers in [0, 1) of shape `[R, *shape]`."""
        return self._draw(torch.Tensor.uniform_, shape, dtype)

    def _draw(self, fill: Callable[..., Tensor], shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        sizes = [len(self), *shape]
        if self.rows.world_size > 1:
            sizes[-2] *= self.rows.world_size
        out = torch.empty(sizes, dtype=dtype)
        for slot, generator in zip(out, self._generators, strict=True):
            fill(slot, generator=generator)
        if self.rows.world_size > 1:
            out = self.rows.take(out, dim=-2)
        return out.to(self.device)

    def state(self) -> Tensor:
        """Return the state of every stream, uint8 of shape `[R, bytes]`."""
        return torch.stack([generator.get_state() for generator in self._generators])

    def restore(self, state: Tensor) -> None:
        """Continue from a state that `state` returned."""
        for generator, saved in zip(self._generators, state.cpu(), strict=True):
            generator.set_state(saved.clone())  # torch crashes on a view
