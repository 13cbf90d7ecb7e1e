"""The loss terms of the paper, one pure function each.

All players minimise. Terms come as one value per row; `expectation` averages them by a class law.
Rows carry a leading replica axis: scores `[R, ...]`, logits `[R, ..., C]`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid, one_hot

ClassifierTerm = Callable[[Tensor, Tensor], Tensor]


def favour(logits: Tensor, classes: Tensor) -> Tensor:
    """Cross-entropy CE = -log Q_k: the row should be seen as its class k (eqs. 5, 6 and 8).

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
    """Complement cross-entropy CCE = -log(1 - Q_k): the row should not be seen as k (eqs. 3 and 8).

    Computed as -logsigmoid(logsumexp of all but k - logit_k). That is logsumexp of all minus logsumexp of
    all but k, without the cancellation: never clamped, never infinite.

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
    own = one_hot(classes, logits.shape[-1]).bool()
    others = logits.masked_fill(own, -torch.inf).logsumexp(dim=-1)
    return -logsigmoid(others - logits.gather(-1, classes.unsqueeze(-1)).squeeze(-1))


def favour_squares(logits: Tensor, classes: Tensor) -> Tensor:
    """Least squares to the class: mean over j of (Q_j - [j = k])^2 (GAMO, Mullick et al. 2019).

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
    own = one_hot(classes, logits.shape[-1]).to(logits.dtype)
    return ((logits.softmax(dim=-1) - own) ** 2).mean(dim=-1)


def fool_squares(logits: Tensor, classes: Tensor) -> Tensor:
    """Least squares to every other class: mean over j of (Q_j - [j != k])^2 (GAMO's generators).

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
    others = 1 - one_hot(classes, logits.shape[-1]).to(logits.dtype)
    return ((logits.softmax(dim=-1) - others) ** 2).mean(dim=-1)


CLASSIFIER_TERMS: dict[str, ClassifierTerm] = {
    term.__name__: term for term in (favour, fool, favour_squares, fool_squares)
}


def complement_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """Entropy of Q among the wrong classes, divided by their number (COT, Chen et al. 2019).

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
    """What D and G make of D's scores: the operator s(.) of eqs. 3, 4, 6 and 7."""

    gradient_penalty: float
    label_noise: float

    def discriminator_real(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """D on real rows: -s(D(x)), to be minimised. `label_noise` is what each target misses 1 by."""

    def discriminator_generated(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """D on generated rows: -s(1 - D(G(z|k))), to be minimised."""

    def generator(self, scores: Tensor) -> Tensor:
        """G against D: s(1 - D(G(z|i))), to be minimised."""


@dataclass(frozen=True)
class Vanilla:
    """s(u) = log u, with D(x) = sigmoid(score): Goodfellow et al. 2014 in its minimax form.

    Attributes
    ----------
    gradient_penalty : float
        Weight of the gradient penalty; the vanilla game has none.
    """

    gradient_penalty: float = 0.0
    label_noise: ClassVar[float] = 0.0

    def discriminator_real(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """-log D(x), from the score without a clamp; there is no target to fall short of."""
        return -logsigmoid(scores)

    def discriminator_generated(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """-log(1 - D(G(z|k)))."""
        return -logsigmoid(-scores)

    def generator(self, scores: Tensor) -> Tensor:
        """log(1 - D(G(z|i)))."""
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
        """-D(x); there is no target to fall short of."""
        return -scores

    def discriminator_generated(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """D(G(z|k))."""
        return scores

    def generator(self, scores: Tensor) -> Tensor:
        """-D(G(z|i))."""
        return -scores


@dataclass(frozen=True)
class LeastSquares:
    """Squared distance of D(x) = sigmoid(score) to its target, as in GAMO (Mullick et al. 2019).

    The sigmoid is computed as exp(log sigmoid), which rounds every element alike; torch's own does
    not at the end of a buffer, and replicas would feel each other's sizes.

    Attributes
    ----------
    label_noise : float
        D's targets miss 1 and 0 by a uniform number up to this. G aims at 1 itself.
    gradient_penalty : float
        Weight of the gradient penalty; GAMO has none.
    """

    label_noise: float = 0.1
    gradient_penalty: float = 0.0

    def discriminator_real(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """(D(x) - (1 - label_noise))^2."""
        return (logsigmoid(scores).exp() - (1 - label_noise)) ** 2

    def discriminator_generated(self, scores: Tensor, label_noise: Tensor | float = 0.0) -> Tensor:
        """(D(G(z|k)) - label_noise)^2."""
        return (logsigmoid(scores).exp() - label_noise) ** 2

    def generator(self, scores: Tensor) -> Tensor:
        """(D(G(z|i)) - 1)^2."""
        return (logsigmoid(scores).exp() - 1) ** 2


def expectation(values: Tensor, law: Tensor) -> Tensor:
    """E over k ~ law of the mean over the rows of class k: a stratified estimate.

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


def gradient_penalty(
    score: Callable[[Tensor], Tensor], real: Tensor, generated: Tensor, mix: Tensor
) -> Tensor:
    """One-centred penalty E (|grad D(x')| - 1)^2, Gulrajani et al. 2017, eq. 3.

    x' lies on the line from a real row to a generated row of the same class.

    Parameters
    ----------
    score : callable
        D on rows `[R, B, d]`, returning `[R, B]`.
    real, generated : Tensor of shape [R, B, d]
        Row b of both is of the same class.
    mix : Tensor of shape [R, B, 1]
        Uniform in [0, 1): the real row's share.

    Returns
    -------
    Tensor of shape [R]
    """
    between = (mix * real + (1 - mix) * generated).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    excess: Tensor = torch.linalg.vector_norm(gradient, dim=-1) - 1
    return (excess**2).mean(dim=-1)
