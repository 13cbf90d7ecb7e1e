"""The loss terms of the paper, one pure function each.

All players minimise. Terms come as one value per row; `expectation` averages them by a class law.
Rows carry a leading replica axis: scores `[R, ...]`, logits `[R, ..., C]`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid

from adversarial_oversampling.game.networks import is_class

ClassifierTerm = Callable[[Tensor, Tensor], Tensor]


def favour(logits: Tensor, classes: Tensor) -> Tensor:
    """Compute the cross-entropy CE = -log Q_k, which is low for rows classified as k (eqs. 5, 6 and 8).

    Parameters
    ----------
    logits : Tensor of shape [..., C]
        Q's outputs.
    classes : Tensor of shape [...], int64
        The class k of each row.

    Returns
    -------
    Tensor of shape [...]
        Non-negative; 0 where Q is certain of k.
    """
    flat = cross_entropy(logits.reshape(-1, logits.shape[-1]), classes.reshape(-1), reduction="none")
    return flat.reshape(classes.shape)


def fool(logits: Tensor, classes: Tensor) -> Tensor:
    """Compute the complement cross-entropy CCE = -log(1 - Q_k), low for rows not classified as k (eqs. 3, 8).

    It is evaluated as -logsigmoid(logsumexp_{j != k}(logit_j) - logit_k). This equals
    logsumexp_j(logit_j) - logsumexp_{j != k}(logit_j) without the cancellation, and stays finite without a
    clamp.

    Parameters
    ----------
    logits : Tensor of shape [..., C]
        Q's outputs.
    classes : Tensor of shape [...], int64
        The class k of each row.

    Returns
    -------
    Tensor of shape [...]
        Non-negative; 0 where Q is certain that the class is another one.
    """
    own = is_class(classes, logits.shape[-1])
    others = logits.masked_fill(own, -torch.inf).logsumexp(dim=-1)
    return -logsigmoid(others - logits.gather(-1, classes.unsqueeze(-1)).squeeze(-1))


def favour_squares(logits: Tensor, classes: Tensor) -> Tensor:
    """Compute the squared error to class k: mean over j of (Q_j - [j = k])^2 (GAMO, Mullick et al. 2019).

    Parameters
    ----------
    logits : Tensor of shape [..., C]
        Q's outputs.
    classes : Tensor of shape [...], int64
        The class k of each row.

    Returns
    -------
    Tensor of shape [...]
        In [0, 2 / C]; 0 where Q is certain of k.
    """
    own = is_class(classes, logits.shape[-1]).to(logits.dtype)
    return ((logits.softmax(dim=-1) - own) ** 2).mean(dim=-1)


def fool_squares(logits: Tensor, classes: Tensor) -> Tensor:
    """Compute the squared error to all classes but k: mean over j of (Q_j - [j != k])^2 (GAMO's generators).

    Parameters
    ----------
    logits : Tensor of shape [..., C]
        Q's outputs.
    classes : Tensor of shape [...], int64
        The class k of each row.

    Returns
    -------
    Tensor of shape [...]
        Smallest where Q spreads evenly over the classes but k: 0 for two classes, above 0 for more.
    """
    others = (~is_class(classes, logits.shape[-1])).to(logits.dtype)
    return ((logits.softmax(dim=-1) - others) ** 2).mean(dim=-1)


CLASSIFIER_TERMS: dict[str, ClassifierTerm] = {
    term.__name__: term for term in (favour, fool, favour_squares, fool_squares)
}


def smoothed(term: ClassifierTerm, rate: float) -> ClassifierTerm:
    """Return a term whose targets are smoothed: (1 - rate) term_k + rate * mean over j of term_j.

    For `favour` this is label smoothing (Szegedy et al. 2016). A rate of 0 returns the term itself.
    """
    if not rate:
        return term

    def smooth(logits: Tensor, classes: Tensor) -> Tensor:
        every = [term(logits, torch.full_like(classes, j)) for j in range(logits.shape[-1])]
        return (1 - rate) * term(logits, classes) + rate * torch.stack(every).mean(dim=0)

    return smooth


def complement_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """Compute the entropy of Q over the wrong classes, divided by their number (COT, Chen et al. 2019).

    Parameters
    ----------
    logits : Tensor of shape [..., C]
        Q's outputs.
    classes : Tensor of shape [...], int64
        The class k of each row.

    Returns
    -------
    Tensor of shape [...]
        In [0, log(C - 1) / (C - 1)], largest where the wrong classes are equally likely. With two
        classes it is 0, and so is its gradient.
    """
    count = logits.shape[-1]
    every = torch.arange(count - 1, device=logits.device).expand(*classes.shape, count - 1)
    wrong = every + (every >= classes.unsqueeze(-1))
    log_share = logits.gather(-1, wrong).log_softmax(dim=-1)
    return -(log_share.exp() * log_share).sum(dim=-1) / (count - 1)


class GanLoss(Protocol):
    """Losses of D and G as functions of D's scores: the operator s(.) of eqs. 3, 4, 6 and 7.

    Attributes
    ----------
    gradient_penalty : float
        Weight of the gradient penalty in D's loss.
    label_noise : float
        Largest distance of D's targets from 1 and 0.
    """

    gradient_penalty: float
    label_noise: float

    def discriminator_real(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """Return D's loss on each real row, -s(D(x)); `label_noise` is subtracted from targets 1."""

    def discriminator_generated(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """Return D's loss on each generated row, -s(1 - D(G(z|k))); `label_noise` is added to targets 0."""

    def generator(self, scores: Tensor) -> Tensor:
        """Return G's loss against D on each generated row, s(1 - D(G(z|i)))."""


@dataclass(frozen=True)
class Vanilla:
    """s(u) = log u, with D(x) = sigmoid(score): Goodfellow et al. 2014 in its minimax form.

    Attributes
    ----------
    gradient_penalty : float
        Weight of the gradient penalty; the vanilla game has none.
    label_noise : float
        Upper end of the uniform noise by which D's targets differ from 1 and 0; the vanilla game has none.
    """

    gradient_penalty: float = 0.0
    label_noise: float = 0.0

    def discriminator_real(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """Return -log D(x), or its cross-entropy with the target 1 - label_noise, without a clamp.

        -(1 - t) log D - t log(1 - D) = -log D + t score, as log D - log(1 - D) is the score.
        """
        return -logsigmoid(scores) + label_noise * scores

    def discriminator_generated(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """Return -log(1 - D(G(z|k))), or its cross-entropy with the target label_noise."""
        return -logsigmoid(-scores) - label_noise * scores

    def generator(self, scores: Tensor) -> Tensor:
        """Return log(1 - D(G(z|i)))."""
        return logsigmoid(-scores)


@dataclass(frozen=True)
class Wasserstein:
    """s(u) = u, with the critic's score as D: Gulrajani et al. 2017.

    The constant 1 in s(1 - D) has no gradient and is left out, so that D's loss without the
    penalty is minus the estimated Wasserstein distance.

    Attributes
    ----------
    gradient_penalty : float
        Weight of the one-centred gradient penalty.
    """

    gradient_penalty: float = 10.0
    label_noise: ClassVar[float] = 0.0

    def discriminator_real(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """Return -D(x); `label_noise` has no effect."""
        return -scores

    def discriminator_generated(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """Return D(G(z|k))."""
        return scores

    def generator(self, scores: Tensor) -> Tensor:
        """Return -D(G(z|i))."""
        return -scores


@dataclass(frozen=True)
class LeastSquares:
    """Squared distance of D(x) = sigmoid(score) to its target, as in GAMO (Mullick et al. 2019).

    The sigmoid is computed as exp(log sigmoid), which rounds every element in the same way. torch.sigmoid
    rounds the last elements of a buffer differently, so a replica's loss would depend on the number of
    replicas.

    Attributes
    ----------
    label_noise : float
        Upper end of the uniform noise by which D's targets differ from 1 and 0. G's target is 1.
    gradient_penalty : float
        Weight of the gradient penalty; GAMO has none.
    """

    label_noise: float = 0.1
    gradient_penalty: float = 0.0

    def discriminator_real(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """Return (D(x) - (1 - label_noise))^2."""
        return (logsigmoid(scores).exp() - (1 - label_noise)) ** 2

    def discriminator_generated(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """Return (D(G(z|k)) - label_noise)^2."""
        return (logsigmoid(scores).exp() - label_noise) ** 2

    def generator(self, scores: Tensor) -> Tensor:
        """Return (D(G(z|i)) - 1)^2."""
        return (logsigmoid(scores).exp() - 1) ** 2


def balanced_cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """Compute the mean over the classes that have rows of their mean cross-entropy.

    Parameters
    ----------
    logits : Tensor of shape [R, M, C]
    classes : Tensor of shape [R, M], int64
        -1 marks padding.

    Returns
    -------
    Tensor of shape [R]
    """
    own = is_class(classes, logits.shape[-1]).to(logits.dtype)
    per_class = (own * favour(logits, classes.clamp_min(0)).unsqueeze(-1)).sum(dim=1) / own.sum(dim=1)
    return per_class.nanmean(dim=-1)


def expectation(values: Tensor, law: Tensor) -> Tensor:
    """Average one value per row: the mean over the rows of each class, weighted by a class law.

    Parameters
    ----------
    values : Tensor of shape [R, C, m]
        One value for each of m rows of every class.
    law : Tensor of shape [R, C]
        Class probabilities.

    Returns
    -------
    Tensor of shape [R]
    """
    return (law * values.mean(dim=-1)).sum(dim=-1)


def interpolate(real: Tensor, generated: Tensor, mix: Tensor) -> Tensor:
    """Return x' on the line from a real row to a generated row: mix * real + (1 - mix) * generated.

    Parameters
    ----------
    real, generated : Tensor of shape [R, B, d]
        Row b of both is of the same class.
    mix : Tensor of shape [R, B, 1]
        Uniform in [0, 1): the real row's share.

    Returns
    -------
    Tensor of shape [R, B, d]
    """
    return mix * real + (1 - mix) * generated


def gradient_penalty(gradient: Tensor) -> Tensor:
    """Compute the one-centred gradient penalty E (|grad D(x')| - 1)^2 (Gulrajani et al. 2017, eq. 3).

    Parameters
    ----------
    gradient : Tensor of shape [R, B, d]
        grad D(x') at each interpolated row (`interpolate`).

    Returns
    -------
    Tensor of shape [R]
    """
    excess: Tensor = torch.linalg.vector_norm(gradient, dim=-1) - 1
    return (excess**2).mean(dim=-1)
