"""Imputation of missing values by the nearest training rows, with a cache between runs."""

import hashlib
import logging
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from sklearn.impute import KNNImputer

from adversarial_oversampling.data.cache import keep
from adversarial_oversampling.data.splits import RowIndices
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.text import user_path

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Up to this many patterns of missing columns among the training rows, a KD-tree per pair of patterns
# is cheap; SECOM has hundreds of patterns, Credit three.
_MAX_PATTERNS = 8
_FARTHEST = 1e100
# Part of the cache key: raise it whenever `impute` may give other values.
_IMPUTATION_VERSION = 1

_log = logging.getLogger(__name__)


def impute(
    x: Values,
    train_rows: RowIndices,
    n_neighbors: int,
    cache_dir: str | Path | None,
    max_donors: int | None = None,
) -> Values:
    """Fill the missing values of a table with `impute_rows`, whose donors are the training rows.

    Parameters
    ----------
    x : ndarray of float64, shape [N, d]
        NaN is missing.
    train_rows : ndarray of int64
        The donors. Another row influences its own values only.
    n_neighbors : int
    cache_dir : str, Path or None
        Imputed values are kept there, under a key of all inputs; None keeps none.
    max_donors : int, optional
        Of more training rows, `donors` chooses so many.

    Returns
    -------
    ndarray of float64, shape [N, d]
        Without missing values.

    Raises
    ------
    InputError
        If the cache cannot be written.
    """
    missing = np.isnan(x)
    if not missing.any():
        return x
    chosen = donors(train_rows, max_donors)
    path, values = None, None
    if cache_dir is not None:
        path = user_path(str(cache_dir)) / f"imputed-{_cache_key(x, train_rows, n_neighbors, max_donors)}.npz"
        values = _load_cached(path, int(missing.sum()))
    full = x.copy()
    if values is None:
        # Training rows are imputed in a call of their own: the rounding depends on the rows of a call.
        for rows in (train_rows, np.setdiff1d(np.arange(len(x)), train_rows)):
            full[rows] = impute_rows(x[rows], x[chosen], n_neighbors)
        if path is not None:
            keep(path, partial(np.savez, values=full[missing]))
    else:
        full[missing] = values
    return full


def donors(train_rows: RowIndices, at_most: int | None) -> RowIndices:
    """Return the training rows that values are imputed from: all, or so many at equal distances."""
    if at_most is None or len(train_rows) <= at_most:
        return train_rows
    return train_rows[np.linspace(0, len(train_rows) - 1, at_most).astype(np.int64)]


def impute_rows(x: Values, donors: Values, n_neighbors: int) -> Values:
    """Fill missing values with the mean of the nearest donors that have the column.

    Distances are Euclidean over the columns that both rows have, weighted for their number, after each
    column is standardised on the donors. This equals scikit-learn's ``StandardScaler`` and
    ``KNNImputer`` fitted on the donors, but where distances are tied. A row that shares no column
    with any donor takes the column's mean; a column that is missing in every donor is filled with zero.

    Parameters
    ----------
    x : ndarray of float64, shape [n, d]
        NaN is missing.
    donors : ndarray of float64, shape [m, d]
    n_neighbors : int

    Returns
    -------
    ndarray of float64, shape [n, d]
        Without missing values.

    References
    ----------
    Troyanskaya et al., Missing value estimation methods for DNA microarrays, Bioinformatics 17, 2001.
    """
    missing = np.isnan(x)
    if not missing.any():
        return x
    mean, scaling = moments(donors)
    # Donors alone decide which algorithm is used: the values of one row do not depend on the other rows.
    if len(np.unique(np.isnan(donors), axis=0)) <= _MAX_PATTERNS:
        return _impute_by_pattern(x, donors, n_neighbors, mean, scaling)
    imputer = KNNImputer(n_neighbors=n_neighbors, keep_empty_features=True)
    imputer.fit(_standardised(donors, mean, scaling))
    full = x.copy()
    full[missing] = (imputer.transform(_standardised(x, mean, scaling)) * scaling + mean)[missing]
    return full


def _standardised(x: Values, mean: Values, scaling: Values) -> Values:
    """Standardise rows; the distances of numbers beyond `_FARTHEST` would be infinite."""
    with np.errstate(over="ignore"):
        return np.clip((x - mean) / scaling, -_FARTHEST, _FARTHEST)


def moments(train: Values) -> tuple[Values, Values]:
    """Return each column's mean and standard deviation without NaNs; the deviation of a constant column is 1.

    A column without values has mean 0 and deviation 1.
    """
    present = ~np.isnan(train)
    n_present = np.maximum(present.sum(axis=0), 1)
    values = np.where(present, train, 0.0)
    mean = values.sum(axis=0) / n_present
    np.subtract(train, mean, out=values)
    values[~present] = 0.0
    values *= values
    variance = values.sum(axis=0) / n_present
    varies = np.fmin.reduce(train, axis=0) < np.fmax.reduce(train, axis=0)
    return mean, np.where(varies & (variance > 0), np.sqrt(variance), 1.0)


def _impute_by_pattern(x: Values, donors: Values, n_neighbors: int, mean: Values, scaling: Values) -> Values:
    """Return `x` with missing values imputed, by a KD-tree for each pair of patterns of missing columns.

    Rows with one pattern of missing columns are imputed together. For each pattern among the donors, one
    tree over the columns that both patterns have finds the nearest ones.
    """
    full = x.copy()
    standardised, standardised_donors = (_standardised(rows, mean, scaling) for rows in (x, donors))
    donor_patterns = _patterns(donors)
    for pattern, rows in _patterns(x):
        missing_columns = np.flatnonzero(pattern)
        if not len(missing_columns):
            continue
        # (pattern of the donors, distances [n, k], donor rows [n, k])
        candidates: list[tuple[Mask, Values, RowIndices]] = []
        for donor_pattern, having in donor_patterns:
            shared = ~pattern & ~donor_pattern
            if not shared.any() or donor_pattern[missing_columns].all():
                continue
            tree = cKDTree(standardised_donors[np.ix_(having, shared)])
            k = np.arange(1, min(n_neighbors, len(having)) + 1)
            distances, nearest = tree.query(standardised[np.ix_(rows, shared)], k=k)
            candidates.append((donor_pattern, distances / np.sqrt(shared.sum()), having[nearest]))
        for column in missing_columns:
            with_column = [candidate[1:] for candidate in candidates if not candidate[0][column]]
            if not with_column:
                full[rows, column] = mean[column]
                continue
            distances = np.hstack([distances for distances, _ in with_column])
            nearest = np.hstack([nearest for _, nearest in with_column])
            best = np.argsort(distances, axis=1, kind="stable")[:, :n_neighbors]
            full[rows, column] = donors[np.take_along_axis(nearest, best, axis=1), column].mean(axis=1)
    return full


def _patterns(x: Values) -> list[tuple[Mask, RowIndices]]:
    """Return each pattern of missing columns among the rows, with the rows that have it."""
    patterns, which = np.unique(np.isnan(x), axis=0, return_inverse=True)
    # NumPy 2.0 gives the inverse a second axis.
    return [(pattern, np.flatnonzero(which.ravel() == i)) for i, pattern in enumerate(patterns)]


def _cache_key(x: Values, train_rows: RowIndices, n_neighbors: int, max_donors: int | None) -> str:
    inputs: tuple[object, ...] = (_IMPUTATION_VERSION, x.shape, n_neighbors)
    if max_donors is not None:
        inputs += (max_donors,)
    sha = hashlib.sha256(repr(inputs).encode())
    # One bit pattern for every NaN.
    sha.update(np.where(np.isnan(x), np.nan, x).tobytes())
    sha.update(np.ascontiguousarray(train_rows, dtype=np.int64).tobytes())
    return sha.hexdigest()


def _load_cached(path: Path, n_values: int) -> Values | None:
    if not path.is_file():
        return None
    try:
        with parsing(path, "its values are computed again."):
            with path.open("rb") as file, np.load(file) as stored:
                values = np.asarray(stored["values"])
            if values.dtype != np.float64 or values.shape != (n_values,) or not np.isfinite(values).all():
                raise ValueError(f"not {n_values} finite numbers")
    except InputError as damaged:
        _log.warning("%s", damaged)
        return None
    return values
