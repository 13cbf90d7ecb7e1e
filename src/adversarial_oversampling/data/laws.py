"""Class laws: how often each class is drawn. One function per law, over all replicas at once.

Every law takes the training rows per class, `counts [R, C]`, and the oversampling rate `fs`, and
returns probabilities `[R, C]` that sum to 1 in each replica.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Law = Callable[[Tensor, float | None], Tensor]


def _normalised(weights: Tensor) -> Tensor:
    return weights / weights.sum(dim=-1, keepdim=True)


def _targets(counts: Tensor, fs: float | None) -> Tensor:
    """Rows per class after data-space oversampling: t_k = max(n_k, fs * n_C), `[R, C]`."""
    counts = counts.double()
    largest = counts.max(dim=-1, keepdim=True).values
    return counts if fs is None else torch.maximum(counts, fs * largest)


def real(counts: Tensor, fs: float | None = None) -> Tensor:
    """n_k / N: the rows as they are (AO: the law of the real rows, eqs. 4 and 5)."""
    return _normalised(counts.double())


def balanced(counts: Tensor, fs: float | None = None) -> Tensor:
    """1 / C for every class (the generator's law i in both modes, eqs. 3 and 6)."""
    return _normalised(torch.ones_like(counts, dtype=torch.float64))


def inverse(counts: Tensor, fs: float | None = None) -> Tensor:
    """(1 / n_k) / sum_j (1 / n_j): rare classes most often (AO: Q's generated rows, law j of eq. 5).

    For two classes the real and the inverse law add up to the uniform one.
    """
    return _normalised(1.0 / counts.double())


def oversampled(counts: Tensor, fs: float | None) -> Tensor:
    """t_k / sum_j t_j with t_k = max(n_k, fs * n_C) (DO: law k of eqs. 7 and 8).

    `fs` is the ratio of the smallest to the largest class after data-space oversampling
    (section 4.2, figure 2): 1 balances, None or anything up to the natural ratio changes nothing.
    """
    return _normalised(_targets(counts, fs))


def deficit(counts: Tensor, fs: float | None) -> Tensor:
    """(t_k - n_k) / sum_j (t_j - n_j): generated rows fill only what each class lacks.

    Another reading of the paper's "subset" of generated samples in DO. Where nothing is lacking
    (natural fs, balanced table) the law is zero for every class: no generated rows.
    """
    counts = counts.double()
    lacking = _targets(counts, fs) - counts
    # 0.28 * 25 is 7.000000000000001 in floating point: rounding is no lack.
    lacking = torch.where(lacking > 1e-9 * counts, lacking, torch.zeros_like(lacking))
    total = lacking.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, lacking / total.clamp_min(1e-300), torch.zeros_like(lacking))


def to_balance(counts: Tensor, fs: float | None = None) -> Tensor:
    """(n_C - n_k) / sum_j (n_C - n_j): what each class lacks to the largest, whatever `fs` (GAMO)."""
    return deficit(counts, 1.0)


LAWS: dict[str, Law] = {
    law.__name__: law for law in (real, balanced, inverse, oversampled, deficit, to_balance)
}
