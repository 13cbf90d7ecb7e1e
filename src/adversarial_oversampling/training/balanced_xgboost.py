"""XGBoost with balanced class weights, for which the library has no setting."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_sample_weight
from xgboost import XGBClassifier


class BalancedXGBClassifier:
    """Boosted trees in which a row of class k weighs N / (C n_k).

    Parameters
    ----------
    **settings
        Those of `xgboost.XGBClassifier`.
    """

    def __init__(self, **settings: Any) -> None:
        self._classifier = XGBClassifier(**settings)

    def fit(self, x: NDArray[np.float32], y: NDArray[np.int64]) -> Self:
        """Fit to rows `x [n, d]` of the classes `y [n]`."""
        self._classifier.fit(x, y, sample_weight=compute_sample_weight("balanced", y))
        return self

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the most probable class of every row."""
        return np.asarray(self._classifier.predict(x), np.int64)

    def predict_proba(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of the classes, `[n, C]`."""
        return np.asarray(self._classifier.predict_proba(x))
