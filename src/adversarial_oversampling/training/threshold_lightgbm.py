"""LightGBM on the rows as they are, with a tuned decision."""

from typing import Any, Self

import numpy as np
import torch
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from torch import Tensor

from adversarial_oversampling.data import laws
from adversarial_oversampling.data.splits import grouped_folds
from adversarial_oversampling.game.thresholds import decide, shifted, tuned_shift

# A probability of 0 has no logarithm.
_LEAST = np.finfo(np.float64).tiny


class ThresholdLGBMClassifier:
    """Boosted trees without class weights, whose decision is shifted as that of `mode=threshold_q` is.

    Parameters
    ----------
    n_folds : int
        Folds of the training rows on which the shift is tuned if `fit` gets no other rows; fewer where the
        smallest class has fewer rows.
    random_state : int
        Of the trees and of the folds.
    **settings
        Those of `lightgbm.LGBMClassifier`.
    """

    def __init__(self, n_folds: int, random_state: int, **settings: Any) -> None:
        self.n_folds, self.random_state = n_folds, random_state
        self._classifier = LGBMClassifier(random_state=random_state, **settings)

    def fit(
        self,
        x: NDArray[np.float32],
        y: NDArray[np.int64],
        x_tuning: NDArray[np.float32] | None = None,
        y_tuning: NDArray[np.int64] | None = None,
        groups: NDArray[np.int64] | None = None,
    ) -> Self:
        """Fit the trees, then choose the shift with the best mean recall.

        Parameters
        ----------
        x, y : ndarray, shapes [n, d] and [n]
            Training rows and their classes.
        x_tuning, y_tuning : ndarray, shapes [m, d] and [m], optional
            Rows on which the shift is tuned. Without them, it is tuned on out-of-fold predictions of the
            training rows.
        groups : ndarray, shape [n], optional
            The group of each training row, which stays together in a fold.

        Raises
        ------
        ValueError
            If out-of-fold predictions are needed and a class has a single training row.
        """
        self._log_prior = laws.real(torch.from_numpy(np.bincount(y))[None]).log()
        self._classifier.fit(x, y)
        if x_tuning is None or y_tuning is None:
            probabilities, y_tuning = self._out_of_fold(x, y, groups), y
        else:
            probabilities = self.predict_proba(x_tuning)
        self.shift = tuned_shift(_logits(probabilities), torch.from_numpy(y_tuning)[None], self._log_prior)
        return self

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of every row by the shifted decision."""
        logits = _logits(self.predict_proba(x))
        return np.asarray(decide(logits, self.shift, self._log_prior)[0].numpy())

    def predict_proba(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return LightGBM's own probabilities of the classes, `[n, C]`."""
        return np.asarray(self._classifier.predict_proba(x))

    def shifted_proba(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probabilities whose largest is the decision, `[n, C]`."""
        logits = shifted(_logits(self.predict_proba(x)), self.shift, self._log_prior)
        return np.asarray(logits[0].softmax(dim=-1).numpy())

    def _out_of_fold(
        self, x: NDArray[np.float32], y: NDArray[np.int64], groups: NDArray[np.int64] | None
    ) -> NDArray[np.float64]:
        independent = np.arange(len(y)) if groups is None else groups
        smallest = min(len(np.unique(independent[y == k])) for k in np.unique(y))
        if smallest < 2:
            what = "row" if groups is None else "group"
            raise ValueError(f"a class has a single training {what}, and the threshold no row to be tuned on")
        count = min(self.n_folds, smallest)
        if groups is None:
            folds: Any = StratifiedKFold(count, shuffle=True, random_state=self.random_state)
        else:
            folds = grouped_folds(y, groups, count, np.random.default_rng(self.random_state))
        # It clones the classifier.
        return np.asarray(cross_val_predict(self._classifier, x, y, cv=folds, method="predict_proba"))


def _logits(probabilities: NDArray[np.float64]) -> Tensor:
    """Return the logarithms of probabilities `[n, C]` as logits of a single replica, `[1, n, C]`."""
    return torch.from_numpy(np.log(np.maximum(probabilities, _LEAST)))[None]
