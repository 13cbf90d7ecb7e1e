"""The rows and labels that an estimator is given, as a table of the suite."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from adversarial_oversampling.data.columns import (
    Origin,
    RoleOverrides,
    cells,
    columns_of,
    refuse_empty_columns,
)
from adversarial_oversampling.data.table import Column, Table, make_table, to_frame
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.text import count

_ROWS = Origin(prefix="columns.", of_file=False)
_NEW_ROWS = replace(_ROWS, fitted=True)


def as_frame(x: Any, at_least: int = 1) -> pd.DataFrame:
    """Return rows `x [n, d]`, a frame or anything that is an array, as a frame of `at_least` rows.

    Raises
    ------
    InputError
        If a cell of a masked array is masked.
    ValueError
        For fewer rows, no columns, or another number of dimensions, with scikit-learn's messages.
    """
    _refuse_masked("X", x, "fill it, as X.astype(float).filled(numpy.nan) does with missing cells")
    if not isinstance(x, pd.DataFrame):
        values = check_array(x, dtype=None, ensure_all_finite=False, ensure_min_samples=at_least)
        names = getattr(x, "column_names", getattr(x, "columns", None))  # of Arrow, and of Polars
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            names = [f"x{i}" for i in range(values.shape[1])]
        return pd.DataFrame(values, columns=names).infer_objects()
    for found, least, what in ((len(x), at_least, "sample"), (x.shape[1], 1, "feature")):
        if found < least:
            raise ValueError(
                f"Found array with {found} {what}(s) (shape={x.shape}) while a minimum of {least} is "
                "required."
            )
    sparse = {name: kind.subtype for name, kind in x.dtypes.items() if isinstance(kind, pd.SparseDtype)}
    return x.astype(sparse) if sparse else x


def as_labels(y: Any) -> Any:
    """Return labels `y [n]`, those of a nullable type in NumPy's type of the same values.

    Raises
    ------
    InputError
        If a label is missing or masked. NaN in an array of numbers is left to scikit-learn, which refuses it.
    """
    _refuse_masked("y", y, "leave out their rows")
    if not isinstance(y, list | tuple) and not hasattr(y, "ndim"):  # a column of Polars or Arrow
        y = np.asarray(y)
    labels = np.asarray(y, dtype=object) if isinstance(y, list | tuple) else y
    dtype = getattr(labels, "dtype", None)
    if dtype is None or labels.ndim != 1 or getattr(dtype, "kind", "f") == "f":
        return y
    missing = np.flatnonzero(pd.isna(labels))
    if len(missing):
        raise InputError(f"y: the label of row {missing[0]} is missing; leave out the rows without a label.")
    # Only the nullable types of pandas have it. scikit-learn would make floats of their numbers.
    kind = getattr(dtype, "numpy_dtype", None)
    return labels.astype(kind) if isinstance(kind, np.dtype) and kind.kind != "O" else y


def _refuse_masked(name: str, values: Any, way_out: str) -> None:
    """Refuse masked values: conversions drop the mask, and the values below it would count."""
    if isinstance(values, np.ma.MaskedArray) and (masked := int(np.sum(values.mask))):
        raise InputError(f"{name} has {count(masked, 'masked value')}; {way_out}.")


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
        As `columns_of` and `cells`, or if a column that is inferred has no value.
    """
    if fitted:
        return tuple(fitted), cells(frame, fitted, _NEW_ROWS)
    for role, named in (roles or {}).items():
        if isinstance(named, str):
            raise InputError(f"columns: give a list for {role}, such as {{'{role}': ['{named}']}}.")
    columns = columns_of(frame, cast(RoleOverrides, dict(roles or {})), _ROWS)
    refuse_empty_columns(frame, _ROWS)
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


def as_given(
    made: NDArray[np.float64], columns: Sequence[Column], given: Any, cells: NDArray[np.float64]
) -> Any:
    """Return new rows in the container and the types of those that an estimator was given.

    Parameters
    ----------
    made : ndarray of float64, shape [n, d]
        Cells of the new rows.
    columns : sequence of Column
    given : DataFrame or array_like, shape [N, d]
        The rows that were given.
    cells : ndarray of float64, shape [N, d]
        Their cells.

    Returns
    -------
    DataFrame or ndarray
        A category, or a boolean, is the value of a real row that has it. Fractions in a column of whole
        numbers, which only a role that was given allows, are floats.
    """
    kind = None if isinstance(given, pd.DataFrame) else np.asarray(given).dtype
    if kind is not None and kind.kind not in "OUSM":
        fractions = kind.kind != "f" and any(column.role == "numeric" for column in columns)
        return made if fractions else made.astype(kind)
    real, frame = as_frame(given), to_frame(made, columns)
    typed = [
        _categories(made[:, i], column, real.iloc[:, i], cells[:, i])
        if column.categories
        else (_dates if column.role == "date" else _numbers)(frame.iloc[:, i], real.iloc[:, i])
        for i, column in enumerate(columns)
    ]
    rows = pd.concat(typed, axis=1)
    rows.columns = real.columns
    if kind is None:
        return rows
    values = rows.to_numpy(object)
    if kind.kind == "O":
        return values
    return values.astype(kind if kind.kind == "M" else kind.kind)  # as wide as its texts need


def _categories(
    made: NDArray[np.float64], column: Column, real: "pd.Series[Any]", cells: NDArray[np.float64]
) -> "pd.Series[Any]":
    values = np.array([*column.categories, None], dtype=object)  # texts, for what no row has
    missing = np.isnan(cells)
    known, first = np.unique(cells[~missing].astype(np.int64), return_index=True)
    values[known] = real[~missing].iloc[first].to_numpy(object)
    if missing.any():
        values[-1] = real[missing].iloc[0]
    places = np.where(np.isnan(made), len(column.categories), made).astype(np.int64)
    return pd.Series(values[places], dtype=object).astype(real.dtype)


def _dates(made: "pd.Series[Any]", real: "pd.Series[Any]") -> "pd.Series[Any]":
    if isinstance(real.dtype, pd.DatetimeTZDtype):
        zoned: pd.Series[Any] = made.dt.tz_localize("UTC").astype(real.dtype)
        return zoned
    if pd.api.types.is_datetime64_any_dtype(real.dtype):
        return made.astype(real.dtype)
    example = real.dropna().iloc[0]
    if isinstance(example, datetime):
        zoned = made.dt.tz_localize("UTC").dt.tz_convert(example.tzinfo) if example.tzinfo else made
        return zoned.astype(object)
    shown: pd.Series[Any] = made.dt.date
    if isinstance(example, str):
        timed = [text for text in real.dropna() if ":" in text]
        write = partial(_text_like, timed[0]) if timed else lambda time: time.date().isoformat()
        shown = made.map(write, na_action="ignore").astype(real.dtype)
    return shown


def _text_like(example: str, time: pd.Timestamp) -> str:
    """Write a time of UTC as a text with a time is written, in the zone of that."""
    zone = pd.Timestamp(example).tz
    if zone is not None:
        time = time.tz_localize("UTC").tz_convert(zone)
    seconds = re.search(r":[0-9]{2}:[0-9]{2}", example)
    text = time.isoformat(sep="T" if "T" in example else " ", timespec="auto" if seconds else "minutes")
    return f"{text.removesuffix('+00:00')}Z" if example.endswith("Z") else text


def _numbers(made: "pd.Series[Any]", real: "pd.Series[Any]") -> "pd.Series[Any]":
    example = None if real.isna().all() else real.dropna().iloc[0]
    if isinstance(example, str):
        return made.map(str, na_action="ignore").astype(real.dtype)
    if isinstance(example, Decimal):
        if isinstance(real.dtype, pd.ArrowDtype):  # with a fixed number of digits after the point
            digits = max(0, real.dtype.pyarrow_dtype.scale)
            texts = made.map(f"{{:.{digits}f}}".format, na_action="ignore")
            return texts.map(Decimal, na_action="ignore").astype(real.dtype)
        return made.map(lambda number: Decimal(str(number)), na_action="ignore").astype(object)
    whole = pd.api.types.is_integer_dtype(real.dtype) or pd.api.types.is_bool_dtype(real.dtype)
    return made if whole and pd.api.types.is_float_dtype(made.dtype) else made.astype(real.dtype)
