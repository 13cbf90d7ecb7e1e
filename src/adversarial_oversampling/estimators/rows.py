"""The rows and labels that an estimator is given, as a table of the suite."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from adversarial_oversampling.data.table import Column, Table, make_table, to_frame


def columns_and_cells(
    x: Any, roles: Mapping[str, Any] | None, fitted: Sequence[Column] | None = None
) -> tuple[tuple[Column, ...], NDArray[np.float64]]:
    """Return the columns of some rows and their cells.

    Parameters
    ----------
    x : DataFrame or array_like of shape [n, d]
    roles : mapping, optional
        Roles of columns (`GameParameters`).
    fitted : sequence of Column, optional
        The columns of the rows that were fitted; None infers them.
    """
    if isinstance(x, pd.DataFrame):
        sparse = {name: kind.subtype for name, kind in x.dtypes.items() if isinstance(kind, pd.SparseDtype)}
        x = x.astype(sparse) if sparse else x
    values = check_array(
        x, dtype="numeric", ensure_all_finite="allow-nan", ensure_min_samples=1 if fitted else 2
    )
    names = list(x.columns) if isinstance(x, pd.DataFrame) else [f"x{i}" for i in range(values.shape[1])]
    role = "integer" if values.dtype.kind in "iu" else "numeric"
    columns = tuple(fitted or [Column(str(name), role) for name in names])
    return columns, values.astype(np.float64)


def training_table(
    columns: Sequence[Column], cells: NDArray[np.float64], y: NDArray[Any]
) -> tuple[Table, NDArray[Any]]:
    """Return a table, and the label of each of its classes: the largest first.

    Raises
    ------
    InputError
        As `make_table`.
    """
    labels, codes = np.unique(y, return_inverse=True)
    names = [str(label) for label in labels]
    table = make_table("table", cells, [names[code] for code in codes], columns)
    order = dict(zip(names, labels, strict=True))
    return table, np.array([order[name] for name in table.class_names], dtype=labels.dtype)


def as_given(cells: NDArray[np.float64], columns: Sequence[Column], x: Any) -> Any:
    """Return cells `[n, d]` in the container and the types of the rows `x` that were given."""
    if isinstance(x, pd.DataFrame):
        frame = to_frame(cells, columns)
        frame.columns = x.columns
        return frame.astype(x.dtypes)
    return cells.astype(np.asarray(x).dtype)
