"""What a table holds: counted once, shown when training starts, and kept in the result."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adversarial_oversampling.data.columns import listed
from adversarial_oversampling.data.table import ROLES, Table
from adversarial_oversampling.results.schema import TableSummary
from adversarial_oversampling.text import count, differing_in_case, shown

_MOST_LISTED = 10


def summarize(table: Table) -> TableSummary:
    """Count the rows, columns, classes, missing cells and duplicates of a table."""
    _, group = np.unique(_row_hashes(table.x), return_inverse=True)
    # fmin and fmax skip NaN; a column of nothing but NaN compares False.
    varies = np.fmin.reduce(table.x, axis=0) < np.fmax.reduce(table.x, axis=0)
    by_role = {role: [column.name for column in table.columns if column.role == role] for role in ROLES}
    return TableSummary(
        rows=len(table.x),
        columns={role: names for role, names in by_role.items() if names},
        classes=dict(zip(table.class_names, np.bincount(table.y).tolist(), strict=True)),
        missing_cells=sum(int(np.isnan(column).sum()) for column in table.x.T),
        groups=table.group_count,
        constant_columns=[
            name for name, varied in zip(table.feature_names, varies, strict=True) if not varied
        ],
        duplicate_rows=len(group) - len(np.unique(group * len(table.class_names) + table.y)),
        rows_in_two_classes=int(_in_two_classes(group, table.y).sum()),
        columns_that_tell_the_class=[
            name
            for name, column in zip(table.feature_names, table.x.T, strict=True)
            if _tells_the_class(column, table.y)
        ],
    )


def summary_lines(name: str, summary: TableSummary) -> list[str]:
    """Return a summary as a person reads it: a few lines of plain text."""
    columns = sum(map(len, summary.columns.values()))
    classes = [f"{label} ({rows})" for label, rows in summary.classes.items()]
    return [
        f"Table {name}: {count(summary.rows, 'row')}, {count(columns, 'column')}",
        *(f"  {role} ({len(names)}): {_listed(names)}" for role, names in summary.columns.items()),
        f"  classes ({len(classes)}): {_listed(classes)}",
        *([] if summary.groups is None else [f"  groups of rows: {summary.groups}"]),
        f"  missing cells: {summary.missing_cells}",
        f"  constant columns: {_listed(summary.constant_columns) or 'none'}",
        f"  duplicate rows: {summary.duplicate_rows}; "
        f"rows whose features stand in two classes: {summary.rows_in_two_classes}",
    ]


def summary_warnings(summary: TableSummary) -> list[str]:
    """Return what of a summary a user should look at before trusting a result."""
    found = []
    if names := summary.columns_that_tell_the_class:
        who = f"column {shown(names[0])} tells"
        if len(names) > 1:
            who = f"columns {', '.join(map(shown, names))} tell"
        found.append(
            f"{who} the class of every row, as a copy of the label does; leave out what is not known before "
            f"the class is: dataset.columns.drop={listed(names)}."
        )
    found += [
        f"classes {' and '.join(map(shown, labels))} differ only in case; if they are one class, "
        "write the labels in one way."
        for labels in differing_in_case(summary.classes)
    ]
    return found


def _in_two_classes(group: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each row whether a row of the same group is in another class."""
    lowest, highest = np.full(group.max() + 1, y.max()), np.zeros(group.max() + 1, y.dtype)
    np.minimum.at(lowest, group, y)
    np.maximum.at(highest, group, y)
    different: NDArray[np.bool_] = (lowest < highest)[group]
    return different


def _tells_the_class(column: NDArray[np.float64], y: NDArray[np.int64]) -> bool:
    """Return whether no value of a column is in two classes; one of mostly different values says nothing."""
    group, values = pd.factorize(column, use_na_sentinel=False)
    return 1 < len(values) <= len(column) / 2 and not _in_two_classes(group, y).any()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")


def _row_hashes(x: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return a number for every row: the same for the same cells, all NaN and both zeros taken as one."""
    hashes = np.zeros(len(x), np.uint64)
    for column in x.T:
        cells = np.where(np.isnan(column), np.nan, column + 0.0)
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + pd.util.hash_array(cells)
        hashes ^= hashes >> np.uint64(29)
    return hashes
