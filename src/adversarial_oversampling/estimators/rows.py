"""The rows and labels that an estimator is given, as a table of the suite."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from adversarial_oversampling.data.columns import Origin, RoleOverrides, cells, columns_of
from adversarial_oversampling.data.table import Column, Table, make_table, to_frame

_ROWS = Origin(prefix="columns.", of_file=False)


def as_frame(x: Any, at_least: int = 1) -> pd.DataFrame:
    """Return rows `x [n, d]`, a frame or anything that is an array, as a frame of `at_least` rows.

    Raises
    ------
    ValueError
        For fewer rows, no columns, or another number of dimensions, with scikit-learn's messages.
    """
    if not isinstance(x, pd.DataFrame):
        values = check_array(x, dtype=None, ensure_all_finite=False, ensure_min_samples=at_least)
        names = [f"x{i}" for i in range(values.shape[1])]
        return pd.DataFrame(values, columns=names).infer_objects()
    for count, least, what in ((len(x), at_least, "sample"), (x.shape[1], 1, "feature")):
        if count < least:
            raise ValueError(
                f"Found array with {count} {what}(s) (shape={x.shape}) while a minimum of {least} is "
                "required."
            )
    sparse = {name: kind.subtype for name, kind in x.dtypes.items() if isinstance(kind, pd.SparseDtype)}
    return x.astype(sparse) if sparse else x


def columns_and_cells(
    frame: pd.DataFrame, roles: Mapping[str, Any] | None, fitted: Sequence[Column] | None = None
) -> tuple[tuple[Column, ...], NDArray[np.float64]]:
    """Return the columns of some rows and their cells.

    Parameters
    ----------
    frame : DataFrame
    roles : mapping, optional
        Roles of columns (`GameParameters`).
    fitted : sequence of Column, optional
        The columns of the rows that were fitted; None infers them.

    Raises
    ------
    InputError
        As `columns_of` and `cells`.
    """
    columns = tuple(fitted) if fitted else columns_of(frame, cast(RoleOverrides, dict(roles or {})), _ROWS)
    return columns, cells(frame, columns, _ROWS)


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
    kind = np.asarray(x).dtype
    return to_frame(cells, columns).to_numpy(kind) if kind.kind in "OUS" else cells.astype(kind)
