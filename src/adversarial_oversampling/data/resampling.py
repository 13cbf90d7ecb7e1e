"""Two-stage methods: training rows are oversampled first, and Q learns afterwards.

The methods are imbalanced-learn's. They see the training rows of one replica only, after
preprocessing.
"""

from dataclasses import dataclass

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from numpy.typing import NDArray

from adversarial_oversampling.errors import InputError, NotApplicable

METHODS = {"ro": RandomOverSampler, "smote": SMOTE, "bsmote": BorderlineSMOTE, "adasyn": ADASYN}
_NEIGHBOURS = {"smote": "k_neighbors", "bsmote": "k_neighbors", "adasyn": "n_neighbors"}


@dataclass(frozen=True)
class Resampling:
    """Oversample every class to the size of the largest.

    Attributes
    ----------
    method : {"ro", "smote", "bsmote", "adasyn"}
        Random oversampling; Chawla et al. 2002; Han et al. 2005; He et al. 2008.
    neighbours : int
        Neighbours that a new row is drawn between. Where the smallest class has no more rows than
        that, the largest number that it allows, as the paper does for Yeast.

    Raises
    ------
    InputError
        If the method is unknown or there is less than one neighbour.
    """

    method: str
    neighbours: int = 5

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"mode.resampling.method={self.method}: choose one of {', '.join(METHODS)}.")
        if self.neighbours < 1:
            raise InputError(f"mode.resampling.neighbours={self.neighbours}: at least 1 is needed.")

    def __call__(
        self, x: NDArray[np.float32], y: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Make the rows that the classes lack.

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
        if self.method in _NEIGHBOURS:
            smallest = int(np.bincount(y).min())
            if smallest < 2:
                raise NotApplicable(f"{self.method}: a class has a single training row and so no neighbour")
            options[_NEIGHBOURS[self.method]] = min(self.neighbours, smallest - 1)
        try:
            x_all, y_all = METHODS[self.method](**options).fit_resample(x, y)
        except (ValueError, RuntimeError) as error:
            raise NotApplicable(f"{self.method}: {' '.join(str(error).split())}") from error
        return np.asarray(x_all[len(x) :], np.float32), np.asarray(y_all[len(y) :], np.int64)
