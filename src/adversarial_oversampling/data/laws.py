"""Class laws: how often each class is drawn. One function per law, over all replicas at once.

Every law takes the training rows per class, `counts [R, C]`, and the oversampling rate `fs`, and
returns probabilities `[R, C]` that sum to 1 in each replica. `deficit` and `to_balance` are 0 for every class
if no class lacks rows.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Law = Callable[[Tensor, float | None], Tensor]


def _normalised(weights: Tensor) -> Tensor:
    return weights / weights.sum(dim=-1, keepdim=True)


def _targets(counts: Tensor, fs: float | None) -> Tensor:
    """Return the rows per class after data-space oversampling, t_k = max(n_k, fs * n_C): `[R, C]`."""
    counts = counts.double()
    largest = counts.max(dim=-1, keepdim=True).values
    return counts if fs is None else torch.maximum(counts, fs * largest)


def real(counts: Tensor, fs: float | None = None) -> Tensor:
    """Return n_k / N, the class frequencies of the training rows (AO: real rows, eqs. 4 and 5)."""
    return _normalised(counts.double())


def balanced(counts: Tensor, fs: float | None = None) -> Tensor:
    """Return 1 / C for every class (law i of the generator in AO and DO, eqs. 3 and 6)."""
    return _normalised(torch.ones_like(counts, dtype=torch.float64))


def inverse(counts: Tensor, fs: float | None = None) -> Tensor:
    """Return (1 / n_k) / sum_j (1 / n_j), largest for rare classes (AO: Q's generated rows, law j of eq. 5).

    For two classes the mean of the real and the inverse law is the balanced law.
    """
    return _normalised(1.0 / counts.double())


def oversampled(counts: Tensor, fs: float | None) -> Tensor:
    """t_k / sum_j t_j with t_k = max(n_k, fs * n_C) (DO: law k of eqs. 7 and 8).

    `fs` is the ratio of the smallest to the largest class after data-space oversampling
    (section 4.2, figure 2): 1 balances, None or anything up to the natural ratio changes nothing.
    """
    return _normalised(_targets(counts, fs))


def deficit(counts: Tensor, fs: float | None) -> Tensor:
    """Return (t_k - n_k) / sum_j (t_j - n_j), the share of each class in the rows missing to t_k.

    This is another reading of the paper's "subset" of generated samples in DO. If no class lacks rows
    (natural fs, or a balanced table), the law is zero for every class and no rows are generated.
    """
    counts = counts.double()
    lacking = _targets(counts, fs) - counts
    # 0.28 * 25 is 7.000000000000001 in floating point; a difference due to rounding counts as 0.
    lacking = torch.where(lacking > 1e-9 * counts, lacking, torch.zeros_like(lacking))
    total = lacking.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, lacking / total.clamp_min(1e-300), torch.zeros_like(lacking))


def to_balance(counts: Tensor, fs: float | None = None) -> Tensor:
    """Return (n_C - n_k) / sum_j (n_C - n_j), the deficit to the largest class at any `fs` (GAMO)."""
    return deficit(counts, 1.0)


LAWS: dict[str, Law] = {
    law.__name__: law for law in (real, balanced, inverse, oversampled, deficit, to_balance)
}
