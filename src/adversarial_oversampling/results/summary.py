"""What a table holds: counted once, shown when training starts, and kept in the result."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adversarial_oversampling.data.table import ROLES, Table
from adversarial_oversampling.results.schema import TableSummary
from adversarial_oversampling.text import count

_MOST_LISTED = 10


def summarize(table: Table) -> TableSummary:
    """Count the rows, columns, classes, missing cells and duplicates of a table."""
    distinct, group = np.unique(_row_hashes(table.x), return_inverse=True)
    lowest, highest = np.full(len(distinct), table.y.max()), np.zeros(len(distinct), table.y.dtype)
    np.minimum.at(lowest, group, table.y)
    np.maximum.at(highest, group, table.y)
    # fmin and fmax skip NaN; a column of nothing but NaN compares False.
    varies = np.fmin.reduce(table.x, axis=0) < np.fmax.reduce(table.x, axis=0)
    by_role = {role: [column.name for column in table.columns if column.role == role] for role in ROLES}
    return TableSummary(
        rows=len(table.x),
        columns={role: names for role, names in by_role.items() if names},
        classes=dict(zip(table.class_names, np.bincount(table.y).tolist(), strict=True)),
        missing_cells=sum(int(np.isnan(column).sum()) for column in table.x.T),
        constant_columns=[
            name for name, varied in zip(table.feature_names, varies, strict=True) if not varied
        ],
        duplicate_rows=len(group) - len(np.unique(group * len(table.class_names) + table.y)),
        rows_in_two_classes=int((lowest < highest)[group].sum()),
    )


def summary_lines(name: str, summary: TableSummary) -> list[str]:
    """Return a summary as a person reads it: a few lines of plain text."""
    columns = sum(map(len, summary.columns.values()))
    classes = [f"{label} ({rows})" for label, rows in summary.classes.items()]
    return [
        f"Table {name}: {count(summary.rows, 'row')}, {count(columns, 'column')}",
        *(f"  {role} ({len(names)}): {_listed(names)}" for role, names in summary.columns.items()),
        f"  classes ({len(classes)}): {_listed(classes)}",
        f"  missing cells: {summary.missing_cells}",
        f"  constant columns: {_listed(summary.constant_columns) or 'none'}",
        f"  duplicate rows: {summary.duplicate_rows}; "
        f"rows whose features stand in two classes: {summary.rows_in_two_classes}",
    ]


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
