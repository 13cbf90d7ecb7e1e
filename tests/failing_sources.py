"""What fails: sources, as in `dataset.source._target_=tests.failing_sources.killed`, and an estimator."""

import os
import signal
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression


def raising(**_: Any) -> None:
    """Raise an unexpected error."""
    raise RuntimeError("the source failed")


def killed(**_: Any) -> None:
    """End the process with SIGKILL, as the system does when it runs out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


class Particular(LogisticRegression):  # type: ignore[misc]
    """Refuses large numbers, as some estimators refuse some rows."""

    def fit(self, x: NDArray[np.float32], y: NDArray[np.int64]) -> Self:
        if x.max() > 1000:
            raise ValueError("a number above 1000")
        return super().fit(x, y)

    def predict_proba(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        if x.max() > 1000:
            raise ValueError("a number above 1000")
        return super().predict_proba(x)
