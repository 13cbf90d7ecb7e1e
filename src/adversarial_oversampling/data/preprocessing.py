"""Imputation, scaling and column selection, fitted on training rows and applied to the whole table."""

import hashlib
import logging
import os
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from sklearn.impute import KNNImputer
from sklearn.preprocessing import QuantileTransformer

from adversarial_oversampling import limits
from adversarial_oversampling.data.splits import RowIndices
from adversarial_oversampling.data.table import Table
from adversarial_oversampling.errors import InputError

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

SCALERS = ("standard", "clipped_standard", "quantile_normal", "minmax", "none")

_CLIP = 5.0
_N_QUANTILES = 1000
# Up to this many patterns of missing columns among the training rows, a KD-tree per pair of patterns
# is cheap; SECOM has hundreds of patterns, Credit three.
_MAX_PATTERNS = 8
# Part of the cache key: raise it whenever `impute` may give other values.
_IMPUTATION_VERSION = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a table before training.

    Attributes
    ----------
    n_neighbors : int
        Training rows that a missing value is averaged over.
    scaler : str
        ``standard``; ``clipped_standard``, the same cut at -5 and 5; ``quantile_normal``, each column's
        ranks mapped to a normal law; ``minmax``, the training rows onto [0, 1]; or ``none``.
    n_selected : int or None
        Columns to keep: those with the highest F score on the training rows. None keeps all.

    Raises
    ------
    InputError
        If a setting is out of range.
    """

    n_neighbors: int = 2
    scaler: str = "standard"
    n_selected: int | None = None

    def __post_init__(self) -> None:
        limits.check("dataset.preprocessing.n_neighbors", self.n_neighbors)
        limits.Choice(SCALERS).check("dataset.preprocessing.scaler", self.scaler)
        limits.check("dataset.preprocessing.n_selected", self.n_selected)

    def transform(self, table: Table, train_rows: RowIndices, cache_dir: str | Path) -> NDArray[np.float32]:
        """Impute, scale and select, with parameters fitted on `train_rows` alone.

        A column that is constant on the training rows becomes zero and is kept, so that the number of
        columns does not depend on the split.

        Parameters
        ----------
        table : Table
        train_rows : ndarray of int64
        cache_dir : str or Path
            Where imputed values are kept between runs.

        Returns
        -------
        ndarray of float32, shape [N, d'], where d' is `n_selected` or the table's number of features

        Raises
        ------
        InputError
            If `n_selected` exceeds the number of features, or no column varies on the training rows.
        """
        n_features = table.x.shape[1]
        if self.n_selected is not None and self.n_selected > n_features:
            raise InputError(
                f"dataset.preprocessing.n_selected={self.n_selected}: more than the {n_features} features "
                f"of dataset {table.name}; give at most {n_features}."
            )
        x = impute(table.x, train_rows, self.n_neighbors, cache_dir)
        varies = x[train_rows].min(axis=0) < x[train_rows].max(axis=0)
        if not varies.any():
            raise InputError(
                f"dataset {table.name}: every column is constant on the {len(train_rows)} training rows; "
                "give more rows to training or check the table."
            )
        scaled = scale(x if varies.all() else x[:, varies], train_rows, self.scaler)
        # The columns are selected by all digits of their values.
        full = np.zeros(x.shape, np.float32 if self.n_selected is None else np.float64)
        full[:, varies] = scaled
        if self.n_selected is not None:
            full = full[:, select(full[train_rows], table.y[train_rows], self.n_selected)]
        return full.astype(np.float32, copy=False)


def scale(x: Values, train_rows: RowIndices, scaler: str) -> Values:
    """Scale the columns of a full table in which every column varies on the training rows.

    Parameters
    ----------
    x : ndarray, shape [N, d]
        No missing values.
    train_rows : ndarray of int64
    scaler : str
        One of `SCALERS`.

    Returns
    -------
    ndarray, shape [N, d]
    """
    limits.Choice(SCALERS).check("dataset.preprocessing.scaler", scaler)
    train: Values = x[train_rows]
    match scaler:
        case "standard":
            mean, deviation = _moments(train)
            scaled: Values = x - mean
            scaled /= deviation
            return scaled
        case "clipped_standard":
            return np.clip(scale(x, train_rows, "standard"), -_CLIP, _CLIP)
        case "quantile_normal":
            transformer = QuantileTransformer(
                n_quantiles=min(_N_QUANTILES, len(train)), output_distribution="normal", subsample=None
            )
            return np.asarray(transformer.fit(train).transform(x))
        case "minmax":
            low: Values = train.min(axis=0)
            high: Values = train.max(axis=0)
            return (x - low) / (high - low)
    return x


def select(x: Values, y: NDArray[np.int64], n_selected: int) -> NDArray[np.intp]:
    """Return the columns with the highest F score of a one-way analysis of variance.

    The ranking uses the share of a column's variance between the classes. It orders the columns as F does,
    and is also defined if the classes explain all variance, where F divides by zero. Constant columns come
    last. Columns with equal scores keep their order.

    Parameters
    ----------
    x : ndarray, shape [n, d]
        Training rows, no missing values.
    y : ndarray of int64, shape [n]
    n_selected : int

    Returns
    -------
    ndarray of int, shape [n_selected]
        Column indices, ascending.
    """
    centred = x - x.mean(axis=0)
    members = np.eye(int(y.max()) + 1)[y]
    counts = members.sum(axis=0)
    members, counts = members[:, counts > 0], counts[counts > 0]
    between = ((members.T @ centred) ** 2 / counts[:, None]).sum(axis=0)
    score = np.full(x.shape[1], -np.inf)
    varies = x.min(axis=0) < x.max(axis=0)
    score[varies] = between[varies] / (centred[:, varies] ** 2).sum(axis=0)
    return np.sort(np.argsort(-score, kind="stable")[:n_selected])


def impute(x: Values, train_rows: RowIndices, n_neighbors: int, cache_dir: str | Path) -> Values:
    """Fill missing values with the mean of the nearest training rows that have the column.

    Distances are Euclidean over the columns that both rows have, weighted for their number, after each
    column is standardised on the training rows. This equals scikit-learn's ``StandardScaler`` and
    ``KNNImputer`` fitted on the training rows, but where distances are tied. A row that shares no column
    with any donor takes the column's training mean; a column that is missing in every training row is
    filled with zero.

    Parameters
    ----------
    x : ndarray of float64, shape [N, d]
        NaN is missing.
    train_rows : ndarray of int64
        The donors. Another row influences its own values only.
    n_neighbors : int
    cache_dir : str or Path
        Imputed values are kept there, under a key of all inputs.

    Returns
    -------
    ndarray of float64, shape [N, d]
        Without missing values.

    Raises
    ------
    InputError
        If the cache cannot be written.

    References
    ----------
    Troyanskaya et al., Missing value estimation methods for DNA microarrays, Bioinformatics 17, 2001.
    """
    missing = np.isnan(x)
    if not missing.any():
        return x
    path = Path(cache_dir).expanduser() / f"imputed-{_cache_key(x, train_rows, n_neighbors)}.npz"
    values = _load_cached(path, int(missing.sum()))
    if values is None:
        values = _impute_missing(x, missing, train_rows, n_neighbors)
        _save_cached(path, values)
    full = x.copy()
    full[missing] = values
    return full


def _impute_missing(x: Values, missing: Mask, train_rows: RowIndices, n_neighbors: int) -> Values:
    """Return the imputed values, in the order of `x[missing]`."""
    mean, scaling = _moments(x[train_rows])
    standardised = (x - mean) / scaling
    # Only training rows decide which algorithm is used, so that the imputed values of training rows do not
    # depend on the test rows.
    if len(np.unique(missing[train_rows], axis=0)) <= _MAX_PATTERNS:
        full = _impute_by_pattern(x, standardised, train_rows, n_neighbors, mean)
        return full[missing]
    imputer = KNNImputer(n_neighbors=n_neighbors, keep_empty_features=True).fit(standardised[train_rows])
    full = np.empty_like(x)
    # Training rows are transformed in a call of their own: the rounding depends on the rows of a call.
    for rows in (train_rows, np.setdiff1d(np.arange(len(x)), train_rows)):
        if len(rows):
            full[rows] = imputer.transform(standardised[rows])
    return (full * scaling + mean)[missing]


def _moments(train: Values) -> tuple[Values, Values]:
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


def _impute_by_pattern(
    x: Values, standardised: Values, train_rows: RowIndices, n_neighbors: int, mean: Values
) -> Values:
    """Return `x` with missing values imputed, by a KD-tree for each pair of patterns of missing columns.

    Rows with one pattern of missing columns are imputed together. For each pattern among the training rows,
    one tree over the columns that both patterns have finds the nearest donors.
    """
    full = x.copy()
    donor_patterns = _patterns(x, train_rows)
    for pattern, rows in _patterns(x, np.arange(len(x))):
        missing_columns = np.flatnonzero(pattern)
        if not len(missing_columns):
            continue
        # (pattern of the donors, distances [n, k], donor rows [n, k])
        candidates: list[tuple[Mask, Values, RowIndices]] = []
        for donor_pattern, donors in donor_patterns:
            shared = ~pattern & ~donor_pattern
            if not shared.any() or donor_pattern[missing_columns].all():
                continue
            tree = cKDTree(standardised[np.ix_(donors, shared)])
            k = np.arange(1, min(n_neighbors, len(donors)) + 1)
            distances, nearest = tree.query(standardised[np.ix_(rows, shared)], k=k)
            candidates.append((donor_pattern, distances / np.sqrt(shared.sum()), donors[nearest]))
        for column in missing_columns:
            with_column = [candidate[1:] for candidate in candidates if not candidate[0][column]]
            if not with_column:
                full[rows, column] = mean[column]
                continue
            distances = np.hstack([distances for distances, _ in with_column])
            donors = np.hstack([donors for _, donors in with_column])
            best = np.argsort(distances, axis=1, kind="stable")[:, :n_neighbors]
            full[rows, column] = x[np.take_along_axis(donors, best, axis=1), column].mean(axis=1)
    return full


def _patterns(x: Values, rows: RowIndices) -> list[tuple[Mask, RowIndices]]:
    """Return each pattern of missing columns among the rows, with the rows that have it."""
    patterns, which = np.unique(np.isnan(x[rows]), axis=0, return_inverse=True)
    # NumPy 2.0 gives the inverse a second axis.
    return [(pattern, rows[which.ravel() == i]) for i, pattern in enumerate(patterns)]


def _cache_key(x: Values, train_rows: RowIndices, n_neighbors: int) -> str:
    sha = hashlib.sha256(repr((_IMPUTATION_VERSION, x.shape, n_neighbors)).encode())
    # One bit pattern for every NaN.
    sha.update(np.where(np.isnan(x), np.nan, x).tobytes())
    sha.update(np.ascontiguousarray(train_rows, dtype=np.int64).tobytes())
    return sha.hexdigest()


def _load_cached(path: Path, n_values: int) -> Values | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file) as stored:
            values = np.asarray(stored["values"])
        if values.dtype != np.float64 or values.shape != (n_values,) or not np.isfinite(values).all():
            raise ValueError(f"not {n_values} finite numbers")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        _log.warning("%s is no cache of imputed values (%s); computing them again", path, error)
        return None
    return values


def _save_cached(path: Path, values: Values) -> None:
    # Written aside and moved into place, so that a second process finds no file or a complete one.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            aside = Path(file.name)
            try:
                np.savez(file, values=values)
                file.close()
                os.replace(aside, path)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise InputError(
            f"paths.cache_dir: cannot write {path.parent} ({error}); name a folder to write in."
        ) from error
