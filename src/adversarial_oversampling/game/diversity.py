"""How varied the generated rows are: the anchors that they use, and their distances."""

from typing import NamedTuple

import torch
from torch import Tensor

from adversarial_oversampling.game.networks import product

MOST_ROWS = 1024
"""Of a class, so many generated rows have their distances computed: their pairs grow with the square."""


class Distances(NamedTuple):
    """Euclidean distances within the rows of a class; NaN for a class with one row.

    Attributes
    ----------
    nearest : Tensor of shape [R, C]
        Mean distance of a row to the nearest other one.
    between : Tensor of shape [R, C]
        Mean distance of two rows.
    """

    nearest: Tensor
    between: Tensor


def perplexity(weights: Tensor) -> Tensor:
    """Return the effective number of anchors per sample: exp of the entropy of g, averaged over samples.

    Parameters
    ----------
    weights : Tensor of shape [R, C, m, A]
        Rows that sum to 1.

    Returns
    -------
    Tensor of shape [R, C]
        Between 1 (one anchor copied) and A (the mean of all anchors).
    """
    entropy: Tensor = torch.special.entr(weights).sum(dim=-1)
    return entropy.exp().mean(dim=-1)


def distinct_anchors(weights: Tensor, present: Tensor) -> Tensor:
    """Return how many different anchors are the strongest of some sample, divided by the most there can be.

    Parameters
    ----------
    weights : Tensor of shape [R, C, m, A]
    present : Tensor of shape [R, C, A], bool
        Which anchors exist.

    Returns
    -------
    Tensor of shape [R, C]
        In (0, 1]; 1 if each of the m samples has another anchor, or if every anchor is used.
    """
    strongest = torch.zeros_like(present).scatter(-1, weights.argmax(dim=-1), True)
    most = present.sum(dim=-1).clamp_max(weights.shape[2])
    return strongest.sum(dim=-1) / most


def anchor_entropy(weights: Tensor, present: Tensor) -> Tensor:
    """Return the entropy of the mean weights of each class's samples, divided by its largest value.

    Parameters
    ----------
    weights : Tensor of shape [R, C, m, A]
    present : Tensor of shape [R, C, A], bool
        Which anchors exist.

    Returns
    -------
    Tensor of shape [R, C]
        In [0, 1]: 0 if all samples copy one anchor, 1 if together they use all equally; 1 for one anchor.
    """
    mean = weights.mean(dim=2)
    # The gradient of entr is infinite at 0, where absent anchors are.
    entropy = torch.special.entr(mean.clamp_min(torch.finfo(mean.dtype).tiny)).sum(dim=-1)
    count = present.sum(dim=-1)
    return torch.where(count > 1, entropy / count.clamp_min(2).log(), 1.0)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the Euclidean distances of rows `a [R, C, m, d]` to rows `b [R, C, n, d]`: `[R, C, m, n]`."""
    inner = product(a.flatten(0, 1), b.flatten(0, 1).mT).reshape(*a.shape[:3], b.shape[2])
    square = a.square().sum(dim=-1)[..., :, None] + b.square().sum(dim=-1)[..., None, :]
    return square.sub_(inner, alpha=2).clamp_min_(0).sqrt_()  # in place, as they are large


def distances_within(rows: Tensor, present: Tensor) -> Distances:
    """Return the distances within the rows of each class.

    Parameters
    ----------
    rows : Tensor of shape [R, C, n, d]
    present : Tensor of shape [R, C, n], bool
        Which rows exist.
    """
    pairs = present[..., :, None] & present[..., None, :]
    pairs &= ~torch.eye(rows.shape[2], dtype=torch.bool, device=rows.device)
    between = distances(rows, rows)
    nearest = between.masked_fill(~pairs, torch.inf).amin(dim=-1)
    some = pairs.any(dim=-1)
    return Distances(
        nearest.where(some, 0).sum(dim=-1) / some.sum(dim=-1),
        between.where(pairs, 0).sum(dim=(-1, -2)) / pairs.sum(dim=(-1, -2)),
    )


def diversity(
    rows: Tensor, weights: Tensor, anchors: Tensor, present: Tensor, real: Distances
) -> dict[str, Tensor]:
    """Return the diversity of generated rows, each value a mean over classes, `[R]`.

    Parameters
    ----------
    rows : Tensor of shape [R, C, m, d]
        Generated rows.
    weights : Tensor of shape [R, C, m, A]
        Their weights of the anchors.
    anchors : Tensor of shape [R, C, A, d]
    present : Tensor of shape [R, C, A], bool
        Which anchors exist.
    real : Distances
        Of the anchors.

    Returns
    -------
    dict of str to Tensor [R]
        `perplexity` and `distinct_anchors`; `distance_to_real`, the mean distance of a generated row to its
        nearest anchor divided by that of an anchor to its nearest one; and `distance_between`, the mean
        distance of two generated rows divided by that of two anchors; both are those of the first `MOST_ROWS`
        rows. Classes where a distance of the real
        rows is undefined or 0 are left out; the value is NaN if none is left.
    """
    rows = rows[:, :, :MOST_ROWS]
    to_real = distances(rows, anchors).masked_fill(~present.unsqueeze(2), torch.inf).amin(dim=-1).mean(dim=-1)
    between = distances_within(rows, torch.ones_like(rows[..., 0], dtype=torch.bool)).between
    return {
        "perplexity": perplexity(weights).mean(dim=-1),
        "distinct_anchors": distinct_anchors(weights, present).mean(dim=-1),
        "distance_to_real": _mean_ratio(to_real, real.nearest),
        "distance_between": _mean_ratio(between, real.between),
    }


def _mean_ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    return (numerator / denominator.where(denominator > 0, torch.nan)).nanmean(dim=-1)
