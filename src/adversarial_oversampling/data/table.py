"""A table for classification, its columns and its classes."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.text import shown

_DIGEST_ROWS = 10_000  # hashed at once

ROLES = ("numeric", "integer", "boolean", "ordinal", "categorical", "date")
"""What a column holds. Cells of the first two are numbers, of a date seconds since 1970 (UTC), and of the
others the index of a category."""


@dataclass(frozen=True)
class Column:
    """A feature column.

    Attributes
    ----------
    name : str
    role : str
        One of `ROLES`.
    categories : tuple of str
        The texts that the cells of a boolean, ordinal or categorical column stand for, in order; empty for
        the other roles.
    """

    name: str
    role: str = "numeric"
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Table:
    """A classification table; `make_table` builds and checks one.

    Attributes
    ----------
    name : str
        The dataset's name, as in ``dataset.name``.
    x : ndarray of float64, shape [N, d]
        Features; NaN is a missing value.
    y : ndarray of int64, shape [N]
        Class indices. Class 0 has the most rows; equal sizes are ordered by label text.
    columns : tuple of Column, length d
    class_names : tuple of str, length C
        The original labels as text, in the order of `y`.
    test_rows : ndarray of int64 or None
        The rows of the archive's own test part, where there is one.
    groups : ndarray of int64 or None, shape [N]
        The group of each row, from 0. Rows of one group are in one part of a split.
    notes : tuple of str
        What a user should know of how the file was read.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.int64]
    columns: tuple[Column, ...]
    class_names: tuple[str, ...]
    test_rows: NDArray[np.int64] | None = None
    groups: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def group_count(self) -> int | None:
        """How many groups there are; None for a table without groups."""
        return None if self.groups is None else int(self.groups.max()) + 1

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the values, the classes, their names, the archive's test rows and the groups.

        Values count to 40 bits, twelve digits: the last bits are where parsers of decimals differ.
        Rounding to a few decimals would not do, since printed decimals fall on its ties.
        """
        test_rows = np.empty(0, np.int64) if self.test_rows is None else self.test_rows
        head: tuple[Any, ...] = (self.x.shape, self.class_names, len(test_rows))
        if any(column.role != "numeric" for column in self.columns):
            head += tuple((column.role, column.categories) for column in self.columns)
        sha = hashlib.sha256(repr(head).encode())
        for start in range(0, len(self.x), _DIGEST_ROWS):
            mantissa, exponent = np.frexp(self.x[start : start + _DIGEST_ROWS])
            values = np.ldexp(np.rint(np.ldexp(mantissa, 40)), exponent - 40)
            # One bit pattern for every NaN and for both zeros.
            sha.update(np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes())
        sha.update(np.ascontiguousarray(self.y, "<i8").tobytes())
        sha.update(np.ascontiguousarray(test_rows, "<i8").tobytes())
        if self.groups is not None:
            sha.update(np.ascontiguousarray(self.groups, "<i8").tobytes())
        return sha.hexdigest()


def make_table(
    name: str,
    x: ArrayLike,
    labels: Sequence[str] | NDArray[np.str_],
    columns: Sequence[Column | str],
    test_rows: NDArray[np.int64] | None = None,
) -> Table:
    """Order the classes by falling size and check that the table can be learned from.

    Parameters
    ----------
    name : str
    x : array_like, shape [N, d]
    labels : sequence of str, length N
    columns : sequence of Column or str, length d
        A name alone is a numeric column.
    test_rows : ndarray of int64, optional

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If rows and labels differ in number, there are fewer than two classes, a class has a single row, a
        value is infinite, or no column varies.
    """
    values = np.asarray(x, dtype=np.float64)
    if len(values) != len(labels):
        raise InputError(f"dataset {name}: {len(values)} rows of features but {len(labels)} labels.")
    table = order_classes(name, values, labels, columns, test_rows)
    check_classes(table)
    _check_features(table)
    return table


def order_classes(
    name: str,
    x: NDArray[np.float64],
    labels: Sequence[str] | NDArray[np.str_],
    columns: Sequence[Column | str],
    test_rows: NDArray[np.int64] | None,
) -> Table:
    """Return a table whose classes are ordered by falling size, without the checks of `make_table`."""
    texts, inverse, counts = np.unique(np.asarray(labels, str), return_inverse=True, return_counts=True)
    # `texts` is sorted, so a stable sort leaves classes of one size in the order of their text.
    order = np.argsort(-counts, kind="stable")
    return Table(
        name=name,
        x=np.ascontiguousarray(x),
        y=np.argsort(order)[inverse].astype(np.int64),
        columns=tuple(Column(column) if isinstance(column, str) else column for column in columns),
        class_names=tuple(str(text) for text in texts[order]),
        test_rows=test_rows,
    )


def check_classes(table: Table) -> None:
    """Refuse a table that no split can serve.

    Raises
    ------
    InputError
        If there are fewer than two classes, or a class has a single row.
    """
    if len(table.class_names) < 2:
        found = f"only class {shown(table.class_names[0])}" if table.class_names else "no row"
        raise InputError(f"dataset {table.name}: two or more classes are needed, the target has {found}.")
    counts = np.bincount(table.y)
    if counts[-1] == 1:
        raise InputError(
            f"dataset {table.name}: class {shown(table.class_names[-1])} has a single row, and two or "
            "more are needed; merge the class into another, remove it, or add rows."
        )


def refuse_infinite(
    x: NDArray[np.float64], columns: Sequence[Column], place: Callable[[int], str] = "row {}".format
) -> None:
    """Refuse infinite numbers.

    Parameters
    ----------
    x : ndarray of float64, shape [N, d]
    columns : sequence of Column
    place : callable
        How the message names a row.

    Raises
    ------
    InputError
        The message names the first such column and row.
    """
    infinite = np.isinf(x)
    if infinite.any():
        j = int(infinite.any(axis=0).argmax())
        raise InputError(
            f"{place(int(infinite[:, j].argmax()))}: column {shown(columns[j].name)} has an infinite value; "
            "replace it, or leave the cell empty."
        )


def _check_features(table: Table) -> None:
    refuse_infinite(table.x, table.columns, lambda row: f"dataset {table.name}, row {row}")
    # fmin and fmax skip NaN; a column of nothing but NaN compares False, as it should.
    varies = np.fmin.reduce(table.x, axis=0) < np.fmax.reduce(table.x, axis=0)
    if not varies.any():
        raise InputError(
            f"dataset {table.name}: every feature column is constant, so there is nothing to learn."
        )


def to_frame(x: NDArray[np.float64], columns: Sequence[Column]) -> pd.DataFrame:
    """Return cells `x [n, d]` as their columns show them: numbers, categories as text, booleans and dates."""
    frame = {column.name: _as_shown(x[:, i], column) for i, column in enumerate(columns)}
    return pd.DataFrame(frame, index=range(len(x)))


def _as_shown(cells: NDArray[np.float64], column: Column) -> "pd.Series[Any]":
    missing = np.isnan(cells)
    if column.categories:
        names = np.array([*column.categories, None], dtype=object)
        return pd.Series(names[np.where(missing, len(column.categories), cells).astype(np.int64)])
    match column.role:
        case "integer":
            numbers = pd.Series(np.where(missing, 0, cells).astype(np.int64), dtype="Int64")
            return numbers.mask(missing) if missing.any() else numbers.astype(np.int64)
        case "date":
            return pd.Series(_dates(cells))
    return pd.Series(cells)


def _dates(seconds: NDArray[np.float64]) -> pd.DatetimeIndex:
    try:
        return pd.to_datetime(seconds, unit="s")
    except pd.errors.OutOfBoundsDatetime:  # in nanoseconds, which fractions of a second are kept in
        return pd.to_datetime(np.rint(seconds), unit="s")
