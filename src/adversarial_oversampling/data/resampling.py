"""Two-stage methods: the training rows are oversampled before Q is trained.

The methods are imbalanced-learn's. They get the training rows of one replica, after preprocessing.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from numpy.typing import NDArray

from adversarial_oversampling import limits
from adversarial_oversampling.errors import NotApplicable
from adversarial_oversampling.text import one_line

METHODS = {"ro": RandomOverSampler, "smote": SMOTE, "bsmote": BorderlineSMOTE, "adasyn": ADASYN}
_NEIGHBORS = {"smote": "k_neighbors", "bsmote": "k_neighbors", "adasyn": "n_neighbors"}


class Oversampler(Protocol):
    """Makes the rows that the classes lack."""

    @property
    def method(self) -> str:
        """Name of the method in notes and reasons."""

    def __call__(
        self, x: NDArray[np.float32], y: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return new rows and their classes, or raise `NotApplicable`; see `Resampling`."""


@dataclass(frozen=True)
class Resampling:
    """Oversample every class to the size of the largest.

    Attributes
    ----------
    method : {"ro", "smote", "bsmote", "adasyn"}
        Random oversampling; Chawla et al. 2002; Han et al. 2005; He et al. 2008.
    n_neighbors : int
        Neighbors of a row between which new rows are drawn. Where the smallest class has no more rows, the
        largest number that it allows is used, as the paper does for Yeast.

    Raises
    ------
    InputError
        If the method is unknown or there is less than one neighbor.
    """

    method: str
    n_neighbors: int = 5

    def __post_init__(self) -> None:
        limits.Choice(METHODS).check("mode.resampling.method", self.method)
        limits.check("mode.resampling.n_neighbors", self.n_neighbors)

    def __call__(
        self, x: NDArray[np.float32], y: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Generate the rows that the classes lack.

        Parameters
        ----------
        x : ndarray of float32, shape [n, d]
            Training rows.
        y : ndarray of int64, shape [n]
            Their classes.
        seed : int
            Below 2^32.

        Returns
        -------
        x, y : ndarray, shapes [S, d] and [S]
            The new rows alone.

        Raises
        ------
        NotApplicable
            If the method cannot work on these rows, with the reason.
        """
        options: dict[str, int] = {"random_state": seed}
        if self.method in _NEIGHBORS:
            smallest = int(np.bincount(y).min())
            if smallest < 2:
                raise NotApplicable(f"{self.method}: a class has a single training row and so no neighbor")
            options[_NEIGHBORS[self.method]] = min(self.n_neighbors, smallest - 1)
        try:
            x_all, y_all = METHODS[self.method](**options).fit_resample(x, y)
        except (ValueError, RuntimeError) as error:
            raise NotApplicable(f"{self.method}: {one_line(error)}") from error
        return np.asarray(x_all[len(x) :], np.float32), np.asarray(y_all[len(y) :], np.int64)
