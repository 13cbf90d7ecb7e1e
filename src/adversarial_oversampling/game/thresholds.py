"""Shift Q's decision away from the largest class by one number, tuned on the rows that choose the epoch."""

import torch
from torch import Tensor

from adversarial_oversampling.metrics import acsa_of_present, confusion

# 0 predicts the most probable class; 1 removes the class frequencies of the training rows from the decision.
SHIFTS = torch.arange(-20, 61) / 20


def shifted(logits: Tensor, shift: Tensor, log_prior: Tensor) -> Tensor:
    """Return logit_k - shift * log prior_k, `[R, M, C]` (Menon et al. 2021, post-hoc adjustment)."""
    return logits - (shift[:, None] * log_prior)[:, None]


def decide(logits: Tensor, shift: Tensor, log_prior: Tensor) -> Tensor:
    """Return the class of the largest shifted logit.

    For two classes this is a threshold on the probability; if the classes differ in size, every threshold
    corresponds to a shift.

    Parameters
    ----------
    logits : Tensor of shape [R, M, C]
    shift : Tensor of shape [R]
    log_prior : Tensor of shape [R, C]
        Logarithms of the class frequencies among the training rows.

    Returns
    -------
    Tensor of shape [R, M], int64
    """
    return shifted(logits, shift, log_prior).argmax(dim=-1)


def tuned_shift(logits: Tensor, classes: Tensor, log_prior: Tensor) -> Tensor:
    """Return the shift with the best mean recall; of equally good ones the middle one.

    Parameters
    ----------
    logits : Tensor of shape [R, M, C]
    classes : Tensor of shape [R, M], int64
        True classes; -1 marks padding.
    log_prior : Tensor of shape [R, C]

    Returns
    -------
    Tensor of shape [R]
        One of `SHIFTS` for each replica.
    """
    shifts = SHIFTS.to(logits.device)
    scores = []
    for shift in shifts:
        predicted = decide(logits, shift.expand(len(logits)), log_prior)
        scores.append(acsa_of_present(confusion(predicted, classes, logits.shape[-1])))
    score = torch.stack(scores)
    best = (score == score.max(dim=0).values).long()
    middle = (best.sum(dim=0) + 1) // 2
    return shifts[(best.cumsum(dim=0) >= middle).long().argmax(dim=0)]
