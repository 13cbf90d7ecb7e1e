"""Recall per class, ACSA and GM over a replica axis.

The metrics are functions of the confusion matrix `[R, C, C]` (rows: true class, columns:
predicted). A class without evaluated rows has no recall, so ACSA and GM of that replica are NaN
and a warning names the class. It is never counted as 0 or 1.
"""

import warnings
from typing import Any

import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor
from torch.nn.functional import one_hot
from torchmetrics import Metric, MetricCollection
from torchmetrics.functional.classification import multiclass_calibration_error


class AbsentClassWarning(UserWarning):
    """A class has no evaluated rows, so ACSA and GM are undefined."""


def confusion(predicted: Tensor, target: Tensor, classes: int) -> Tensor:
    """Count rows by true and predicted class, for each replica.

    Parameters
    ----------
    predicted, target : Tensor of shape [R, B], int64
        Rows with a negative target are padding and do not count.
    classes : int
        C.

    Returns
    -------
    Tensor of shape [R, C, C], int64
    """
    replicas = target.shape[0]
    valid = (target >= 0).long()
    cell = target.clamp_min(0) * classes + predicted
    counts = torch.zeros(replicas, classes * classes, dtype=torch.long, device=target.device)
    return counts.scatter_add_(1, cell, valid).reshape(replicas, classes, classes)


def recall(matrix: Tensor) -> Tensor:
    """Return the recall of each class, `[R, C]` in [0, 1]; NaN for a class without rows."""
    matrix = matrix.double()
    return matrix.diagonal(dim1=-2, dim2=-1) / matrix.sum(dim=-1)


def acsa(matrix: Tensor) -> Tensor:
    """Return the average class-specific accuracy, the mean of the recalls: `[R]` in [0, 1] (section 4.2)."""
    return recall(matrix).mean(dim=-1)


def g_mean(matrix: Tensor) -> Tensor:
    """Return the geometric mean of the recalls, (product of recalls)^(1/C): `[R]` in [0, 1]."""
    recalls = recall(matrix)
    return recalls.prod(dim=-1) ** (1.0 / recalls.shape[-1])


def acsa_of_present(matrix: Tensor) -> Tensor:
    """Return the mean recall of the classes that have rows, `[R]`.

    It is used to choose an epoch or a threshold and is never reported: the validation rows may lack a class
    that has a single training row.
    """
    return recall(matrix).nanmean(dim=-1)


def probability_metrics(probabilities: Tensor, classes: Tensor) -> dict[str, float | None]:
    """Compute the metrics of one replica that depend on Q's probabilities and not on its decision.

    Parameters
    ----------
    probabilities : Tensor of shape [M, C]
        The largest class is class 0.
    classes : Tensor of shape [M], int64

    Returns
    -------
    dict
        `auroc`: one class against the rest, mean over classes. `pr_auc`: average precision, mean over
        all classes but the largest; for two classes that of the minority. `calibration_error`: expected
        calibration error of the most probable class, 15 bins, weighted by rows. In [0, 1]; the first two are
        None where a class has no rows, and all are where a probability is not a number.
    """
    if not bool(probabilities.isfinite().all()):
        return dict.fromkeys(("auroc", "pr_auc", "calibration_error"))
    own = one_hot(classes, probabilities.shape[-1]).numpy()
    chance = probabilities.double().numpy()
    complete = bool(own.any(axis=0).all())
    error = multiclass_calibration_error(probabilities, classes, chance.shape[1], n_bins=15, norm="l1")
    return {
        "auroc": float(roc_auc_score(own, chance, average="macro")) if complete else None,
        "pr_auc": (
            float(average_precision_score(own[:, 1:], chance[:, 1:], average="macro")) if complete else None
        ),
        "calibration_error": float(error),
    }


def warn_of_absent(matrix: Tensor) -> None:
    """Warn of classes without evaluated rows in confusion matrices `[R, C, C]`: ACSA and GM are undefined."""
    absent = (matrix.sum(dim=-1) == 0).nonzero().tolist()
    if absent:
        names = ", ".join(f"class {k} of replica {r}" for r, k in absent[:5])
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        warnings.warn(
            f"No evaluated rows in {names}{more}: ACSA and GM are undefined there.",
            AbsentClassWarning,
            stacklevel=2,
        )


class Confusion(Metric):
    """Confusion matrices `[R, C, C]` of R replicas, summed over batches and processes.

    Parameters
    ----------
    replicas, classes : int
        R and C.
    """

    higher_is_better: bool | None = None
    is_differentiable: bool | None = False
    full_state_update: bool | None = False
    matrix: Tensor

    def __init__(self, replicas: int, classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes = classes
        empty = torch.zeros(replicas, classes, classes, dtype=torch.long)
        self.add_state("matrix", default=empty, dist_reduce_fx="sum")

    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Add a batch: predicted and true classes `[R, B]`; a negative target is padding."""
        self.matrix = self.matrix + confusion(predicted, target, self.classes)

    def compute(self) -> Tensor:
        """Return the confusion matrices, `[R, C, C]`."""
        return self.matrix


class Recall(Confusion):
    """Recall per class, `[R, C]`; NaN for a class without rows."""

    higher_is_better = True

    def compute(self) -> Tensor:
        """Return the recall of each class, `[R, C]` in [0, 1]."""
        return recall(self.matrix)


class ACSA(Confusion):
    """Average class-specific accuracy, `[R]`; NaN, with a warning, when a class is absent."""

    higher_is_better = True

    def compute(self) -> Tensor:
        """Return ACSA, `[R]` in [0, 1]."""
        warn_of_absent(self.matrix)
        return acsa(self.matrix)


class GMean(Confusion):
    """Geometric mean of the recalls, `[R]`; NaN, with a warning, when a class is absent."""

    higher_is_better = True

    def compute(self) -> Tensor:
        """Return GM, `[R]` in [0, 1]."""
        warn_of_absent(self.matrix)
        return g_mean(self.matrix)


def imbalance_metrics(replicas: int, classes: int, **kwargs: Any) -> MetricCollection:
    """Return a collection of ACSA, GM, recall and confusion matrix that share one state.

    Each batch is counted once. Further arguments are passed to torchmetrics' `Metric`.
    """
    return MetricCollection(
        {
            "acsa": ACSA(replicas, classes, **kwargs),
            "g_mean": GMean(replicas, classes, **kwargs),
            "recall": Recall(replicas, classes, **kwargs),
            "confusion": Confusion(replicas, classes, **kwargs),
        },
        compute_groups=[["acsa", "g_mean", "recall", "confusion"]],
    )
