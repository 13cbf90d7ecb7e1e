"""Numbers below the smallest normal one, which processors handle a hundred times slower."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Let torch's CPU kernels take numbers below 1e-38 for 0 in this thread.

    A softmax at a low temperature is full of them.
    """
    before = bool(torch.tensor(1e-39) * 1 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
