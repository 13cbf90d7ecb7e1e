"""Imputation, encoding, scaling and column selection, fitted on training rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import QuantileTransformer

from adversarial_oversampling import limits
from adversarial_oversampling.data.imputation import Mask, Values, donors, impute, impute_rows, moments
from adversarial_oversampling.data.splits import RowIndices
from adversarial_oversampling.data.table import Column, Table
from adversarial_oversampling.errors import InputError

SCALERS = ("standard", "clipped_standard", "quantile_normal", "minmax", "none")

_CLIP = 5.0
_LARGEST = 1e100
_LARGEST_SCALED = 1e30  # Q's products of larger numbers overflow
_DAY = 86400.0  # seconds
_N_QUANTILES = 1000


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a table before training.

    Attributes
    ----------
    n_neighbors : int
        Training rows that a missing number is averaged over. A missing category is the most frequent one.
    scaler : str
        ``standard``; ``clipped_standard``, the same cut at -5 and 5; ``quantile_normal``, each column's
        ranks mapped to a normal law; ``minmax``, the training rows onto [0, 1]; or ``none``. The indicators
        of a categorical column stay 0 and 1.
    n_selected : int or None
        Columns to keep: those with the highest F score on the training rows. None keeps all.
    max_donors : int or None
        Training rows among which neighbors are sought; None means all of them.

    Raises
    ------
    InputError
        If a setting is out of range.
    """

    n_neighbors: int = 2
    scaler: str = "standard"
    n_selected: int | None = None
    max_donors: int | None = None

    def __post_init__(self) -> None:
        limits.check("dataset.preprocessing.n_neighbors", self.n_neighbors)
        limits.Choice(SCALERS).check("dataset.preprocessing.scaler", self.scaler)
        limits.check("dataset.preprocessing.n_selected", self.n_selected)
        limits.check("dataset.preprocessing.max_donors", self.max_donors)

    def transform(
        self, table: Table, train_rows: RowIndices, cache_dir: str | Path | None
    ) -> NDArray[np.float32]:
        """Return the whole table as `fit_transform` returns it."""
        return self.fit_transform(table, train_rows, cache_dir)[1]

    def fit_transform(
        self, table: Table, train_rows: RowIndices, cache_dir: str | Path | None
    ) -> tuple["FittedPreprocessing", NDArray[np.float32]]:
        """Impute, encode, scale and select, with parameters fitted on `train_rows` alone.

        A column that is constant on the training rows becomes zero and is kept, so that the number of
        columns does not depend on the split.

        Parameters
        ----------
        table : Table
        train_rows : ndarray of int64
        cache_dir : str, Path or None
            Where imputed values are kept between runs; None keeps none.

        Returns
        -------
        fitted : FittedPreprocessing
        rows : ndarray of float32, shape [N, d']
            d' is `n_selected` or the number of encoded columns (`encoded_columns`).

        Raises
        ------
        InputError
            If `n_selected` exceeds the number of columns, or no column varies on the training rows.
        """
        n_encoded = len(encoded_columns(table.columns))
        if self.n_selected is not None and self.n_selected > n_encoded:
            raise InputError(
                f"dataset.preprocessing.n_selected={self.n_selected}: more than the {n_encoded} features "
                f"of dataset {table.name}; give at most {n_encoded}."
            )
        imputation = Imputation(table.columns, table.x, train_rows, self.n_neighbors, self.max_donors)
        x = encode(imputation.whole_table(cache_dir), table.columns)
        train = x[train_rows]
        low, high = train.min(axis=0), train.max(axis=0)
        varies = low < high
        if not varies.any():
            raise InputError(
                f"dataset {table.name}: every column is constant on the {len(train_rows)} training rows; "
                "give more rows to training or check the table."
            )
        _check_range(train, table)
        scaled_columns = varies & ~is_indicator(table.columns)
        scaler = Scaler.fit(self.scaler, train if scaled_columns.all() else train[:, scaled_columns])
        fitted = FittedPreprocessing(table.columns, imputation, low, high, scaler)
        # The columns are selected by all digits of their values.
        full = fitted.scaled(x, np.float32 if self.n_selected is None else np.float64)
        _check_scaled(full, varies, train_rows, table)
        if self.n_selected is not None:
            fitted.selected = select(full[train_rows], table.y[train_rows], self.n_selected)
            full = full[:, fitted.selected]
        return fitted, full.astype(np.float32, copy=False)


@dataclass(frozen=True, eq=False)
class Imputation:
    """How missing cells are filled: numbers from the nearest training rows, categories by the most frequent.

    Attributes
    ----------
    columns : tuple of Column
    x : ndarray of float64, shape [N, d]
        Rows that the donors are among.
    train_rows : ndarray of int64
    n_neighbors : int
    max_donors : int or None
        As in `Preprocessing`.
    """

    columns: tuple[Column, ...]
    x: Values
    train_rows: RowIndices
    n_neighbors: int
    max_donors: int | None

    @cached_property
    def _categorical(self) -> Mask:
        return np.array([bool(column.categories) for column in self.columns])

    @cached_property
    def most_frequent(self) -> Values:
        """The most frequent cell of each column with categories among the training rows, else 0: `[d]`."""
        frequent = np.zeros(len(self.columns))
        for i in np.flatnonzero(self._categorical):
            cells = self.x[self.train_rows, i]
            counts = np.bincount(cells[~np.isnan(cells)].astype(np.int64), minlength=1)
            frequent[i] = counts.argmax()
        return frequent

    def whole_table(self, cache_dir: str | Path | None) -> Values:
        """Return the rows `x` without missing cells."""
        if not self._categorical.any():
            return impute(self.x, self.train_rows, self.n_neighbors, cache_dir, self.max_donors)
        filled = self._with_categories(self.x)
        numbers = ~self._categorical
        filled[:, numbers] = impute(
            self.x[:, numbers], self.train_rows, self.n_neighbors, cache_dir, self.max_donors
        )
        return filled

    def rows(self, x: Values) -> Values:
        """Return other rows `x [n, d]` without missing cells."""
        if not np.isnan(x).any():
            return x
        filled = self._with_categories(x)
        numbers = ~self._categorical
        among = self.x[donors(self.train_rows, self.max_donors)]
        filled[:, numbers] = impute_rows(x[:, numbers], among[:, numbers], self.n_neighbors)
        return filled

    def _with_categories(self, x: Values) -> Values:
        return np.where(np.isnan(x) & self._categorical, self.most_frequent, x)


@dataclass(eq=False)
class Scaler:
    """A scaler of columns that vary, with its parameters.

    Attributes
    ----------
    name : str
        One of `SCALERS`.
    parameters : mapping of str to ndarray
        By name: `offset` and `factor` `[d]`, or `quantiles` `[q, d]`.
    """

    name: str
    parameters: Mapping[str, Values]

    @classmethod
    def fit(cls, name: str, train: Values) -> "Scaler":
        """Return the scaler of some training rows `[n, d]` without missing values."""
        limits.Choice(SCALERS).check("dataset.preprocessing.scaler", name)
        match name:
            case "standard" | "clipped_standard":
                mean, deviation = moments(train)
                return cls(name, {"offset": mean, "factor": deviation})
            case "minmax":
                low: Values = train.min(axis=0)
                return cls(name, {"offset": low, "factor": train.max(axis=0) - low})
            case "quantile_normal":
                if not train.shape[1]:
                    return cls(name, {"quantiles": np.zeros((1, 0))})
                quantiles = min(_N_QUANTILES, len(train))
                fitted = QuantileTransformer(
                    n_quantiles=quantiles, output_distribution="normal", subsample=None
                ).fit(train)
                return cls(name, {"quantiles": fitted.quantiles_})
        return cls(name, {})

    def transform(self, x: Values) -> Values:
        """Scale rows `[n, d]`."""
        match self.name:
            case "standard" | "minmax":
                scaled: Values = x - self.parameters["offset"]
                scaled /= self.parameters["factor"]
                return scaled
            case "clipped_standard":
                return np.clip(Scaler("standard", self.parameters).transform(x), -_CLIP, _CLIP)
            case "quantile_normal" if x.shape[1] and len(x):
                return np.asarray(self._quantile_transformer.transform(x))
        return x

    def inverse(self, x: Values) -> Values:
        """Return rows `[n, d]` in the columns' own units. What was cut off stays cut off."""
        match self.name:
            case "standard" | "clipped_standard" | "minmax":
                return x * self.parameters["factor"] + self.parameters["offset"]
            case "quantile_normal" if x.shape[1] and len(x):
                return np.asarray(self._quantile_transformer.inverse_transform(x))
        return x

    @cached_property
    def _quantile_transformer(self) -> QuantileTransformer:
        quantiles = self.parameters["quantiles"]
        transformer = QuantileTransformer(n_quantiles=len(quantiles), output_distribution="normal")
        transformer.n_quantiles_, transformer.n_features_in_ = quantiles.shape
        transformer.quantiles_ = quantiles
        transformer.references_ = np.linspace(0, 1, len(quantiles), endpoint=True)
        return transformer


@dataclass(eq=False)
class FittedPreprocessing:
    """A `Preprocessing` with the parameters of one split's training rows.

    Attributes
    ----------
    columns : tuple of Column, length d
    imputation : Imputation
    low, high : ndarray of float64, shape [e]
        Smallest and largest value of each encoded column among the training rows.
    scaler : Scaler
        Of the encoded columns that vary and are no indicators.
    selected : ndarray of int or None
        The encoded columns that are kept; None keeps all.
    """

    columns: tuple[Column, ...]
    imputation: Imputation
    low: Values
    high: Values
    scaler: Scaler
    selected: NDArray[np.intp] | None = None

    @cached_property
    def _varies(self) -> Mask:
        return self.low < self.high

    @cached_property
    def _scaled(self) -> Mask:
        return self._varies & ~is_indicator(self.columns)

    @cached_property
    def _days(self) -> list[int]:
        """Columns of dates without a time of day."""
        dates = [i for i, column in enumerate(self.columns) if column.role == "date"]
        return [i for i in dates if not np.any(np.nan_to_num(self.imputation.x[:, i]) % _DAY)]

    def scaled(self, x: Values, dtype: type = np.float32) -> NDArray[Any]:
        """Scale encoded rows `[n, e]`; a column that is constant on the training rows becomes zero."""
        if self._scaled.all():
            with np.errstate(over="ignore"):  # what is infinite is refused
                return self.scaler.transform(x).astype(dtype, copy=False)
        full: NDArray[Any] = np.zeros(x.shape, dtype)
        with np.errstate(over="ignore"):
            full[:, self._scaled] = self.scaler.transform(x[:, self._scaled])
        indicators = self._varies & ~self._scaled
        full[:, indicators] = x[:, indicators]
        return full

    def transform(self, x: Values) -> NDArray[np.float32]:
        """Return rows `x [n, d]` of a table's cells as Q sees them, `[n, d']`.

        Raises
        ------
        InputError
            If a number is so far from the training rows that Q's logits would be infinite.
        """
        encoded = encode(self.imputation.rows(x), self.columns)
        full = self.scaled(encoded, np.float64)
        extreme = np.argwhere(~(np.abs(full) <= _LARGEST_SCALED))
        if len(extreme):
            row, i = extreme[0]
            raise InputError(
                f"column '{encoded_columns(self.columns)[i]}' has {encoded[row, i]:g}, which is too far from "
                "the training rows to be classified; correct the cell, or leave it empty."
            )
        return (full if self.selected is None else full[:, self.selected]).astype(np.float32)

    def inverse(self, rows: NDArray[np.float32]) -> Values:
        """Return the cells `[n, d]` that rows `[n, d']`, such as generated ones, stand for.

        A categorical column takes the category with the largest indicator. Integers and codes are rounded,
        and dates to days where no date has a time of day. Every value lies within the range of the training
        rows. A column that was not selected is missing.
        """
        full = np.full((len(rows), len(self.low)), np.nan)
        kept = np.arange(len(self.low)) if self.selected is None else self.selected
        full[:, kept] = rows
        full[:, self._scaled] = self.scaler.inverse(full[:, self._scaled])
        constant = np.flatnonzero(~self._varies)
        full[:, constant] = np.where(np.isnan(full[:, constant]), np.nan, self.low[constant])
        cells = decode(np.clip(full, self.low, self.high), self.columns)
        for i in self._days:
            cells[:, i] = np.rint(cells[:, i] / _DAY) * _DAY
        return cells


def _check_range(train: Values, table: Table) -> None:
    """Refuse numbers whose squares a sum cannot hold: a variance would be infinite, and the column lost."""
    largest = np.maximum(-train.min(axis=0), train.max(axis=0))
    if (largest > _LARGEST).any():
        i = int(largest.argmax())
        raise InputError(
            f"dataset {table.name}: column '{encoded_columns(table.columns)[i]}' has the value "
            f"{largest[i]:.3g} (or its negative), and the most is {_LARGEST:.0e}; correct it, or leave the "
            "cell empty."
        )


def _check_scaled(scaled: NDArray[Any], varies: Mask, train_rows: RowIndices, table: Table) -> None:
    """Refuse a column that varies but is constant or infinite once it is scaled."""
    train = scaled[train_rows]
    finite = np.isfinite(scaled).all(axis=0)
    lost = varies & (train.min(axis=0) >= train.max(axis=0))
    if lost.any() or not finite.all():
        i = int(np.argmax(lost | ~finite))
        what = "is the same in every training row" if finite[i] else "has infinite values"
        raise InputError(
            f"dataset {table.name}: column '{encoded_columns(table.columns)[i]}' {what} once it is scaled; "
            "correct its extreme values, or choose dataset.preprocessing.scaler=quantile_normal."
        )


def encoded_columns(columns: Sequence[Column]) -> list[str]:
    """Return the names of the encoded columns: one per category, or one per column."""
    names: list[str] = []
    for column in columns:
        if _width(column) > 1:
            names += [f"{column.name}={category}" for category in column.categories]
        else:
            names.append(column.name)
    return names


def is_indicator(columns: Sequence[Column]) -> Mask:
    """Return which encoded columns are indicators of a category."""
    return np.repeat([_width(column) > 1 for column in columns], [_width(column) for column in columns])


def encode(x: Values, columns: Sequence[Column]) -> Values:
    """Replace each categorical column of `x [n, d]` by an indicator of every category: `[n, e]`.

    Two categories are a single column of zeros and ones, as booleans are, and ordinals stay numbers.
    """
    widths = [_width(column) for column in columns]
    if max(widths) == 1:
        return x
    encoded = np.empty((len(x), sum(widths)))
    for i, (start, stop) in enumerate(_places(widths)):
        if stop - start == 1:
            encoded[:, start] = x[:, i]
        else:
            encoded[:, start:stop] = x[:, i, None] == np.arange(stop - start)
    return encoded


def decode(encoded: Values, columns: Sequence[Column]) -> Values:
    """Return the cells `[n, d]` nearest to encoded rows `[n, e]`: whole numbers but in numeric columns."""
    x = np.empty((len(encoded), len(columns)))
    for i, (start, stop) in enumerate(_places([_width(column) for column in columns])):
        part = encoded[:, start:stop]
        if stop - start > 1:
            absent = np.isnan(part).any(axis=1)
            x[:, i] = np.where(absent, np.nan, np.where(np.isnan(part), -np.inf, part).argmax(axis=1))
        else:
            x[:, i] = part[:, 0] if columns[i].role == "numeric" else np.rint(part[:, 0])
    return x


def _width(column: Column) -> int:
    return len(column.categories) if column.role == "categorical" and len(column.categories) > 2 else 1


def _places(widths: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(np.concatenate([[0], np.cumsum(widths)]).tolist()))


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
