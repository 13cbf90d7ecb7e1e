"""Random streams: one per replica and purpose, all derived from the run's seed."""

import contextlib
import math
import random
from collections.abc import Callable, Iterator, Sequence
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


def seed_sequence(seed: int, purpose: Purpose, fold: int | None, member: int = 0) -> np.random.SeedSequence:
    """Return the seed sequence of one seed, purpose, fold and member of an ensemble."""
    # Short entropy is padded with zeros: fold 0 must not be the same as no fold. The first member of an
    # ensemble draws the numbers that it draws alone.
    return np.random.SeedSequence([seed, int(purpose), 0 if fold is None else fold + 1, member])


@contextlib.contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Seed the global generators of Python, NumPy and torch's CPU, and restore them at the end.

    For libraries that have no other seed.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])


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
    members : int
        Streams of each replica, side by side: R is the number of seeds times this number.
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
        members: int = 1,
        device: torch.device | str = "cpu",
        rows: Shard = WHOLE,
    ) -> None:
        self.device, self.rows = device, rows
        states = [
            seed_sequence(seed, purpose, fold, member).generate_state(1, np.uint64)
            for seed, fold in zip(seeds, folds or [None] * len(seeds), strict=True)
            for member in range(members)
        ]
        self._start([int(state[0] >> np.uint64(1)) for state in states])
        self._replicas = len(states)

    def _start(self, keys: Sequence[int]) -> None:
        """Start a stream for each replica's key."""
        self._generators = [torch.Generator().manual_seed(key) for key in keys]

    def __len__(self) -> int:
        return self._replicas

    def normal(self, *shape: int) -> Tensor:
        """Draw standard normal numbers of shape `[R, *shape]`, float32."""
        return self._part(self._filled(torch.Tensor.normal_, shape, torch.float32))

    def uniform(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Draw uniform numbers in [0, 1) of shape `[R, *shape]`."""
        return self._part(self._filled(torch.Tensor.uniform_, shape, dtype))

    def _filled(self, fill: Callable[..., Tensor], shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        out = torch.empty(self._whole(shape), dtype=dtype)
        for slot, generator in zip(out, self._generators, strict=True):
            fill(slot, generator=generator)
        return out.to(self.device)

    def _whole(self, shape: Sequence[int]) -> list[int]:
        """Return the shape `[R, *shape]` with the rows of all processes."""
        sizes = [len(self), *shape]
        if self.rows.world_size > 1:
            sizes[-2] *= self.rows.world_size
        return sizes

    def _part(self, drawn: Tensor) -> Tensor:
        """Return this process's rows."""
        return self.rows.take(drawn, dim=-2) if self.rows.world_size > 1 else drawn

    def state(self) -> Tensor:
        """Return the state of every stream, uint8 of shape `[R, bytes]`."""
        return torch.stack([generator.get_state() for generator in self._generators])

    def restore(self, state: Tensor) -> None:
        """Continue from a state that `state` returned."""
        for generator, saved in zip(self._generators, state.cpu(), strict=True):
            generator.set_state(saved.clone())  # torch crashes on a view


class DeviceStreams(Streams):
    """Streams that draw on their device, all replicas in one pass, without a generator that has to be asked.

    Number i of replica r is a hash of the replica's key and of i: two rounds of SplitMix64's mixing function
    (Steele et al. 2014). A draw is a fixed number of operations on integers for any R, and a replica draws
    the same numbers alone and among others. The numbers are not those of `Streams`; the laws are.
    """

    def _start(self, keys: Sequence[int]) -> None:
        self._keys, self._drawn = torch.tensor(keys), 0

    def normal(self, *shape: int) -> Tensor:
        """Draw standard normal numbers of shape `[R, *shape]`, float32 (Box and Muller 1958)."""
        bits = self._bits(shape)
        radius = (-2 * (((bits >> 40) & _LOW_24) + 1).float().mul(2.0**-24).log()).sqrt()
        angle = ((bits >> 16) & _LOW_24).float() * (2 * math.pi * 2.0**-24)
        return self._shaped(radius * angle.cos(), shape)

    def uniform(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Draw uniform numbers in [0, 1) of shape `[R, *shape]`."""
        digits = 24 if dtype == torch.float32 else 53
        bits = (self._bits(shape) >> (64 - digits)) & ((1 << digits) - 1)
        return self._shaped(bits.to(dtype) * 2.0**-digits, shape)

    def _bits(self, shape: Sequence[int]) -> Tensor:
        """Return 64 random bits for each number, int64 of shape `[R, numbers]`."""
        self._keys = self._keys.to(self.device)
        # On the CPU, the logarithm of what does not fill a vector register is rounded differently.
        count = -(-math.prod(self._whole(shape)[1:]) // 16) * 16
        index = torch.arange(self._drawn, self._drawn + count, device=self.device)
        self._drawn += count
        return mixed(self._keys[:, None] + mixed(index * _GOLDEN))

    def _shaped(self, drawn: Tensor, shape: Sequence[int]) -> Tensor:
        sizes = self._whole(shape)
        return self._part(drawn[:, : math.prod(sizes[1:])].reshape(sizes))

    def state(self) -> Tensor:
        """Return the key of each replica and how many numbers it has drawn, int64 of shape `[R, 2]`."""
        return torch.stack([self._keys.cpu(), torch.full((len(self),), self._drawn)], dim=1)

    def restore(self, state: Tensor) -> None:
        """Continue from a state that `state` returned."""
        if len(state) != len(self):
            raise ValueError(f"a state of {len(state)} streams for {len(self)} streams")
        self._keys, self._drawn = state[:, 0].clone(), int(state[0, 1])


STREAMS = {"cpu": Streams, "device": DeviceStreams}
"""Choices of `trainer.random_numbers`."""

_LOW_24 = 2**24 - 1
_GOLDEN = -0x61C8864680B583EB  # 2^64 divided by the golden ratio, as a signed number


def mixed(z: Tensor) -> Tensor:
    """Mix the bits of int64 numbers: every bit of the result depends on all bits of the argument."""
    z = (z ^ _shifted(z, 30)) * -0x40A7B892E31B1A47
    z = (z ^ _shifted(z, 27)) * -0x6B2FB644ECCEEE15
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, by: int) -> Tensor:
    """Shift right and fill with zeros, as for an unsigned number."""
    return (z >> by) & ((1 << (64 - by)) - 1)
