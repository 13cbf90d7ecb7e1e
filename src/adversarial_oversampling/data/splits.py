"""Split a table into training, validation and test rows.

Every part is stratified. The number of rows of each class depends on the table and the sizes alone, so splits
of different seeds have one shape, and a class with two or more rows is in both parts of every split. In a
table with groups, the rows of a group stay together, and these numbers are only approximate.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from adversarial_oversampling import limits
from adversarial_oversampling.data.table import Table
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.random_streams import Purpose, seed_sequence
from adversarial_oversampling.text import count, shown

RowIndices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Row indices of one split, each array ascending.

    Attributes
    ----------
    train : ndarray of int64
        RowIndices that the players train on.
    validation : ndarray of int64
        RowIndices that choose the epoch; empty where the protocol has none.
    test : ndarray of int64
    fold : int or None
        Which fold the test rows are, under cross-validation.
    """

    train: RowIndices
    validation: RowIndices
    test: RowIndices
    fold: int | None = None


def allocate(counts: NDArray[np.int64], size: float) -> NDArray[np.int64]:
    """Return the number of rows of each class in a part.

    The part has ``ceil(size * counts.sum())`` rows, allocated by the method of largest remainders (equal
    remainders favour the lower class index). A class with two or more rows then has at least one row in each
    part and a class with one row has none in this one, which can change the total.

    Parameters
    ----------
    counts : ndarray of int64, shape [C]
        RowIndices per class.
    size : float
        Fraction of all rows, in (0, 1).

    Returns
    -------
    ndarray of int64, shape [C]
    """
    n_rows = int(counts.sum())
    # 0.07 * 100 is 7.000000000000001 in floating point, and is meant to be 7.
    total = math.ceil(size * n_rows - 1e-9)
    allocated, remainders = np.divmod(total * counts, n_rows)
    largest = np.argsort(-remainders, kind="stable")[: total - int(allocated.sum())]
    allocated[largest] += 1
    return np.clip(allocated, np.minimum(1, counts // 2), np.maximum(counts - 1, 0))


def stratified_part(
    y: NDArray[np.int64], rows: RowIndices, size: float, rng: np.random.Generator
) -> tuple[RowIndices, RowIndices]:
    """Draw a stratified part out of some rows.

    Parameters
    ----------
    y : ndarray of int64, shape [N]
        Class indices of the whole table.
    rows : ndarray of int64
        The rows to divide.
    size : float
        The part's fraction of `rows`, in (0, 1); see `allocate`.
    rng : numpy.random.Generator

    Returns
    -------
    rest, part : ndarray of int64
        The two sides, ascending.
    """
    part = np.zeros(len(y), dtype=bool)
    for label, n_drawn in enumerate(allocate(np.bincount(y[rows]), size)):
        part[rng.permutation(rows[y[rows] == label])[:n_drawn]] = True
    ordered = np.sort(rows)
    return ordered[~part[ordered]], ordered[part[ordered]]


def grouped_part(
    y: NDArray[np.int64], groups: NDArray[np.int64], rows: RowIndices, size: float, rng: np.random.Generator
) -> tuple[RowIndices, RowIndices]:
    """Draw a part of whole groups out of some rows, with about as many rows of each class as `allocate` says.

    The groups are visited in random order, and each is drawn if that brings the part closer to these numbers
    and leaves a row of each of its classes. For a class that has no row in the part then, one more group is
    drawn, if there is one that leaves a row of each of its classes.

    Parameters
    ----------
    y : ndarray of int64, shape [N]
        Class indices of the whole table.
    groups : ndarray of int64, shape [N]
        The group of each row.
    rows : ndarray of int64
        The rows to divide.
    size : float
        The part's fraction of `rows`, in (0, 1).
    rng : numpy.random.Generator

    Returns
    -------
    rest, part : ndarray of int64
        The two sides, ascending.
    """
    numbers, group = np.unique(groups[rows], return_inverse=True)
    counts = np.zeros((len(numbers), int(y.max()) + 1), np.int64)
    np.add.at(counts, (group, y[rows]), 1)
    every = counts.sum(axis=0)
    wanted = allocate(every, size)
    part, drawn = np.zeros_like(every), np.zeros(len(numbers), bool)

    def distance(part: NDArray[np.int64]) -> float:
        return float((((part - wanted) / np.maximum(every, 1)) ** 2).sum())

    def leaves_a_row(g: int) -> bool:
        return bool(((part + counts[g] < every) | (counts[g] == 0)).all())

    order = rng.permutation(len(numbers))
    for g in order:
        if distance(part + counts[g]) < distance(part) and leaves_a_row(g):
            part, drawn[g] = part + counts[g], True
    for k in np.flatnonzero(wanted):
        if part[k]:
            continue
        if able := [g for g in order if counts[g, k] and not drawn[g] and leaves_a_row(g)]:
            g = min(able, key=lambda g: distance(part + counts[g]))
            part, drawn[g] = part + counts[g], True
    ordered = np.sort(rows)
    is_drawn = np.isin(groups[ordered], numbers[drawn])
    return ordered[~is_drawn], ordered[is_drawn]


def grouped_folds(
    y: NDArray[np.int64], groups: NDArray[np.int64], n_folds: int, rng: np.random.Generator
) -> Iterator[tuple[RowIndices, RowIndices]]:
    """Yield the rows of the other folds and those of each fold, with all rows of a group in one fold.

    Parameters
    ----------
    y : ndarray of int64, shape [N]
        Class indices.
    groups : ndarray of int64, shape [N]
        The group of each row.
    n_folds : int
    rng : numpy.random.Generator
    """
    # The order of the groups decides between equally good folds. What scikit-learn's own shuffling does
    # differs between versions.
    order = rng.permutation(int(groups.max()) + 1)
    yield from StratifiedGroupKFold(n_folds).split(y, y, order[groups])


def holdout(table: Table, test_size: float | None, validation_size: float | None, seed: int) -> Split:
    """Split a table into training, validation and test rows.

    Parameters
    ----------
    table : Table
    test_size : float or None
        Fraction of all rows, in [0, 1). Zero leaves the test part empty; None takes the archive's own test
        rows.
    validation_size : float or None
        Fraction of the remaining rows, in [0, 1). Zero or None leaves the validation part empty.
    seed : int

    Returns
    -------
    Split

    Raises
    ------
    InputError
        If a size or the seed is out of range, or the table has no test rows of its own to take, or its
        groups leave no test row of a class.
    """
    limits.check("seed", seed)
    if test_size != 0:
        limits.check("dataset.split.test_size", test_size)
    limits.check("protocol.validation_size", validation_size)
    rows = np.arange(len(table.y), dtype=np.int64)
    if test_size is None:
        if table.test_rows is None:
            raise InputError(
                f"dataset.split.test_size=None: dataset {table.name} has no test rows of its own; "
                "give a number such as 0.3."
            )
        test = np.sort(table.test_rows)
        rest = np.setdiff1d(rows, test)
    elif test_size == 0:
        rest, test = rows, rows[:0]
    else:
        rest, test = _part(table, rows, test_size, _generator(seed, Purpose.TEST_ROWS))
        _check_tested(table, test, f"seed={seed}", "give dataset.split.test_size another fraction")
    train, validation = _inner_part(table, rest, validation_size, _generator(seed, Purpose.VALIDATION_ROWS))
    return Split(train, validation, test)


def folds(table: Table, n_folds: int, validation_size: float | None, seed: int) -> list[Split]:
    """Split a table for stratified cross-validation; an archive's own training and test rows are pooled.

    Parameters
    ----------
    table : Table
    n_folds : int
    validation_size : float or None
        Fraction of each fold's training rows, in [0, 1). Zero or None leaves the validation part empty.
    seed : int

    Returns
    -------
    list of Split, length n_folds
        Every row is a test row in exactly one of them.

    Raises
    ------
    InputError
        If there are fewer than two folds, or more than the smallest class has rows or the table has groups,
        or the validation size or the seed is out of range, or the groups leave no test row of a class.
    """
    limits.check("seed", seed)
    limits.check("protocol.folds", n_folds)
    limits.check("protocol.validation_size", validation_size)
    counts = np.bincount(table.y)
    if n_folds > counts[-1]:
        raise InputError(
            f"protocol.folds={n_folds}: class '{table.class_names[-1]}' of dataset {table.name} has "
            f"{counts[-1]} rows; give at most {counts[-1]}."
        )
    if table.groups is None:
        state = int(seed_sequence(seed, Purpose.FOLDS, None).generate_state(1)[0])
        parts = StratifiedKFold(n_folds, shuffle=True, random_state=state).split(table.x, table.y)
    else:
        if n_folds > (most := table.group_count or 0):
            raise InputError(
                f"protocol.folds={n_folds}: dataset {table.name} has {most} groups; give at most {most}."
            )
        parts = grouped_folds(table.y, table.groups, n_folds, _generator(seed, Purpose.FOLDS))
    splits = []
    for fold, (rest, test) in enumerate(parts):
        _check_tested(table, test, f"seed={seed} protocol.folds={n_folds}", "give fewer folds")
        rng = _generator(seed, Purpose.VALIDATION_ROWS, fold)
        train, validation = _inner_part(table, rest.astype(np.int64), validation_size, rng)
        splits.append(Split(train, validation, test.astype(np.int64), fold))
    return splits


def _part(
    table: Table, rows: RowIndices, size: float, rng: np.random.Generator
) -> tuple[RowIndices, RowIndices]:
    if table.groups is None:
        return stratified_part(table.y, rows, size, rng)
    return grouped_part(table.y, table.groups, rows, size, rng)


def _inner_part(
    table: Table, rows: RowIndices, size: float | None, rng: np.random.Generator
) -> tuple[RowIndices, RowIndices]:
    if size is None or size == 0:
        return rows, np.empty(0, dtype=np.int64)
    return _part(table, rows, size, rng)


def _check_tested(table: Table, test: RowIndices, where: str, way_out: str) -> None:
    """Refuse a split without a test row of some class, which only groups cause."""
    if table.groups is None:
        return
    absent = np.flatnonzero(np.bincount(table.y[test], minlength=len(table.class_names)) == 0)
    if len(absent):
        rows = np.flatnonzero(table.y == absent[0])
        raise InputError(
            f"{where}: there is no test row of class {shown(table.class_names[absent[0]])} of dataset "
            f"{table.name}, whose {count(len(rows), 'row')} are in "
            f"{count(len(np.unique(table.groups[rows])), 'group')} (dataset.group); {way_out}, or add rows."
        )


def _generator(seed: int, purpose: Purpose, fold: int | None = None) -> np.random.Generator:
    return np.random.default_rng(seed_sequence(seed, purpose, fold))
