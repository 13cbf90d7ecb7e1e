"""How precisely a game is computed while it trains."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def training_arithmetic(matmul_precision: str) -> Iterator[None]:
    """Take denormals for 0, and compute matrix products with a precision.

    Parameters
    ----------
    matmul_precision : {"highest", "high", "medium"}
        As in `torch.set_float32_matmul_precision`. Below "highest", factors may be rounded to TF32 on a GPU
        and, with "medium", to bfloat16 on a CPU; sums are float32 either way. A device without such products
        computes all of them in float32.
    """
    # Processors handle numbers below 1e-38 a hundred times slower; a softmax at a low temperature is full of
    # them.
    flushed = bool(torch.tensor(1e-39) * 1 == 0)
    precision = torch.get_float32_matmul_precision()
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision(matmul_precision)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_float32_matmul_precision(precision)
