"""The columns of a data frame: which role each has, and its cells as numbers.

`columns_of` infers the columns of a frame and `cells` converts a frame with known columns. Both take texts,
as in a CSV file, and typed columns, as in a Parquet file.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from adversarial_oversampling.data.formats import (
    as_number,
    common_unit,
    has_other_decimal,
    is_date,
    is_number,
    look,
    other_form,
    parsed_numbers,
)
from adversarial_oversampling.data.table import Column, refuse_infinite
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.text import shown, without_case

MOST_CATEGORIES = 100
"""A text column with more categories, most of them of a single row, is taken for an identifier."""
FEW_QUANTITIES = 10
"""Up to so many different numbers with a unit, such as "36 months" and "60 months", are categories."""
SMALL_TABLE = 20
"""Up to this many rows, a column may have a value of its own in every row by chance."""
LARGEST_WHOLE = 2**53
"""Up to here, every whole number is kept with all its digits."""

_BOOLEAN = ("False", "True")

Kind = Literal["boolean", "number", "date", "category", "text"]


class RoleOverrides(TypedDict, total=False):
    """Columns whose role is given instead of inferred; those of `ordinal` with their values in order."""

    categorical: Sequence[str]
    ordinal: Mapping[str, Sequence[str]]
    numeric: Sequence[str]
    date: Sequence[str]


@dataclass(frozen=True)
class Origin:
    """How messages name the rows of a frame and the settings of its columns.

    Attributes
    ----------
    place : callable
        The text for a row's number, such as "t.csv, line 3".
    prefix : str
        What stands before the name of a role, such as "dataset.columns.".
    decimal : str
        The decimal sign in texts.
    of_file : bool
        Whether columns can be left out, texts taken for missing and the decimal sign changed by settings.
    fitted : bool
        Whether the rows are new ones for columns that are known, so that only the rows can be changed.
    """

    place: Callable[[int], str] = "row {}".format
    prefix: str = ""
    decimal: str = "."
    of_file: bool = True
    fitted: bool = False


FRAME = Origin()


@dataclass(frozen=True)
class Texts:
    """A column as texts: each row's index into the distinct values, -1 for a missing cell."""

    codes: NDArray[np.int64]
    values: tuple[str, ...]

    def first(self, value: int) -> int:
        """Return the first row with a value."""
        return int(np.argmax(self.codes == value))


def columns_of(
    frame: pd.DataFrame, overrides: RoleOverrides | None = None, origin: Origin = FRAME
) -> tuple[Column, ...]:
    """Infer the role and the categories of every column.

    A column of numbers is an integer column if all of them are whole and at most 2^53, up to which floats
    keep every digit. A text column is one of numbers, dates (such as 2024-01-31 or 2024-01-31T12:00) or
    booleans (true and false) if all its cells are. It is categorical if none is a number or a date. Missing
    cells (None, NaN, NaT, NA) fit any role.

    Parameters
    ----------
    frame : DataFrame
    overrides : RoleOverrides, optional
        Roles that are not inferred.
    origin : Origin
        How messages name rows and settings.

    Returns
    -------
    tuple of Column

    Raises
    ------
    InputError
        If a column mixes numbers or dates with other texts, has texts such as 12% or 31/01/2024, has many
        numbers with one unit, is an identifier, has categories that look alike, or does not fit the role that
        it is given; if an override names no column, or a column twice; if two columns have one name.
    """
    names = [str(name) for name in frame.columns]
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise InputError(
            f"there are {names.count(repeated[0])} columns called {shown(repeated[0])}; rename them."
        )
    roles = _given_roles(overrides or {}, names, origin)
    ordinal = (overrides or {}).get("ordinal", {})
    columns = []
    for i, name in enumerate(names):
        column = _Reader(name, frame.iloc[:, i], origin)
        role = roles.get(name)
        if role is None:
            columns.append(column.inferred())
        else:
            columns.append(column.with_role(role, tuple(map(str, ordinal.get(name, ())))))
    return tuple(columns)


def cells(frame: pd.DataFrame, columns: Sequence[Column], origin: Origin = FRAME) -> NDArray[np.float64]:
    """Return the cells of known columns as numbers.

    Parameters
    ----------
    frame : DataFrame
        Has the columns by name, in any order.
    columns : sequence of Column
        As `columns_of` returned them for this or another frame.
    origin : Origin
        How messages name rows and settings.

    Returns
    -------
    ndarray of float64, shape [N, d]
        Numbers; of dates the seconds since 1970 (UTC); of categories their index. NaN where missing.

    Raises
    ------
    InputError
        If a column is absent, or a cell is infinite, no number, no date or none of the column's categories.
    """
    positions: dict[str, int] = {str(name): i for i, name in enumerate(frame.columns)}
    if absent := [column.name for column in columns if column.name not in positions]:
        raise InputError(f"there is no column {shown(absent[0])}.")
    values = np.empty((len(frame), len(columns)))
    for j, column in enumerate(columns):
        values[:, j] = _Reader(column.name, frame.iloc[:, positions[column.name]], origin).cells(column)
    refuse_infinite(values, columns, origin.place)
    return values


def refuse_empty_columns(frame: pd.DataFrame, origin: Origin = FRAME, where: str = "") -> None:
    """Refuse columns without any value, from which nothing can be learned.

    Parameters
    ----------
    frame : DataFrame
    origin : Origin
        How the message names settings.
    where : str
        What the message begins with, such as a file's name.

    Raises
    ------
    InputError
        The message names the columns.
    """
    names = [str(name) for name in frame.columns]
    if empty := [name for i, name in enumerate(names) if frame.iloc[:, i].isna().all()]:
        way_out = (
            f"leave it out with {origin.prefix}drop={listed(empty)}" if origin.of_file else "leave it out"
        )
        raise InputError(
            f"{where}column {', '.join(map(shown, empty[:8]))} has no value in any row; {way_out}."
        )


def texts_of(series: "pd.Series[Any]") -> Texts:
    """Return the cells of a column of any type as texts."""
    match kind := _kind(series):
        case "category":
            return Texts(np.asarray(series.cat.codes, np.int64), tuple(map(_text, series.cat.categories)))
        case "text":
            encoded = _arrow(series).dictionary_encode()
            codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
            return Texts(codes, tuple(encoded.dictionary.to_pylist()))
        case _:
            values = _datetimes(series) if kind == "date" else series
            codes, distinct = pd.factorize(values)
            return Texts(np.asarray(codes, np.int64), tuple(map(_text, distinct)))


def places_among(series: "pd.Series[Any]", texts: Sequence[str], decimal: str = ".") -> NDArray[np.int64]:
    """Return the place of each cell of a column among some texts, -1 for a cell that is none of them.

    Numbers are compared by value, and so are the dates of a column that is typed.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        of_categories = places_among(series.cat.categories.to_series(), texts, decimal)
        return np.append(of_categories, -1)[series.cat.codes]
    places = np.full(len(series), -1)
    try:
        kind = _kind(series)
    except TypeError:  # which is refused where roles are inferred
        return places
    if kind == "text":
        array = pc.utf8_trim_whitespace(_arrow(series))
        found = pc.index_in(array, pa.array(list(texts), array.type))
        places = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    if kind == "date":
        wanted, values = _seconds_of(texts), _epoch(_datetimes(series))
    elif kind in ("text", "number"):
        numbers = [as_number(text, decimal) for text in texts]
        wanted = np.array([math.nan if number is None else number for number in numbers])
        if np.isnan(wanted).all():
            return places
        values, _ = _Reader(str(series.name), series.mask(places >= 0), Origin(decimal=decimal))._numbers()
        if series.dtype.kind == "f":  # of perhaps fewer digits
            with np.errstate(over="ignore"):
                wanted = wanted.astype(series.dtype.type).astype(np.float64)
    else:
        return places
    for i in np.flatnonzero(~np.isnan(wanted)):
        places[values == wanted[i]] = i
    return places


def check_distinguishable(name: str, texts: Texts, origin: Origin = FRAME, unless: str = "") -> None:
    """Refuse values that a reader takes for the same.

    They differ only in white space, in invisible characters or in how a number is written; on demand also
    those that differ only in case.

    Parameters
    ----------
    name : str
        The column's name.
    texts : Texts
    origin : Origin
        How messages name rows.
    unless : str, optional
        Refuse texts that differ only in case too, and name this setting, which takes them as they are.

    Raises
    ------
    InputError
        The message names both values and a row of the rarer one.
    """
    counts = np.bincount(texts.codes[texts.codes >= 0], minlength=len(texts.values))
    known: dict[str | float, int] = {}
    for i in range(len(texts.values)):
        if not counts[i]:
            continue
        key = seen = look(texts.values[i], origin.decimal)
        if isinstance(seen, str) and unless:
            key = without_case(seen)
        j = known.setdefault(key, i)
        if j != i:
            rare, common = sorted((i, j), key=lambda k: (counts[k], -texts.first(k)))
            way_out = "write them in one way"
            if isinstance(key, float):
                reason = "are the same number"
            elif seen == look(texts.values[j], origin.decimal):
                reason = "look the same"
            else:
                reason = "differ only in case"
                way_out += f", or give {unless}"
            raise InputError(
                f"{origin.place(texts.first(rare))}: column {shown(name)} has {shown(texts.values[rare])} "
                f"and elsewhere {shown(texts.values[common])}, which {reason}; {way_out}."
            )


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a setting, in quotes where they are not plain words."""
    return f"[{','.join(name if name.isidentifier() else _in_quotes(name) for name in names)}]"


def _in_quotes(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # as it is typed: settings know no escapes such as \u2212


class _Reader:
    """One column of a frame."""

    def __init__(self, name: str, series: "pd.Series[Any]", origin: Origin) -> None:
        self.name, self.series, self.origin = name, series, origin
        try:
            self.kind = _kind(series)
        except TypeError as error:
            raise InputError(f"column {shown(name)} holds {error}; convert it, or leave it out.") from error

    def inferred(self) -> Column:
        match self.kind:
            case "boolean":
                return Column(self.name, "boolean", _BOOLEAN)
            case "date":
                return Column(self.name, "date")
            case "category" if self.series.cat.ordered:
                return Column(self.name, "ordinal", texts_of(self.series).values)
            case "category":
                return self._categorical()
        numbers, bad = self._numbers()
        if not bad.any():
            self._refuse_leading_zeros()
            self._refuse_lost_digits(numbers)
            return Column(self.name, "integer" if _whole(numbers) else "numeric")
        return self._inferred_from_text()

    def with_role(self, role: str, order: tuple[str, ...]) -> Column:
        if role == "categorical":
            return self._categorical()
        column = Column(self.name, role, order)
        if role == "ordinal" and len(set(order)) < max(len(order), 1):
            raise InputError(
                f"{self.origin.prefix}ordinal: list every value of column {shown(self.name)} once, in order."
            )
        self.cells(column)  # refuses a cell that does not fit
        return column

    def cells(self, column: Column) -> NDArray[np.float64]:
        match column.role:
            case "numeric" | "integer":
                numbers, bad = self._numbers()
                if bad.any():
                    raise self._no_number(int(np.argmax(bad)))
                return numbers
            case "date":
                return self._seconds()
        texts = texts_of(self.series)
        fold = str.casefold if column.role == "boolean" else str  # pandas writes True, a file perhaps true
        index = {fold(category): float(i) for i, category in enumerate(column.categories)}
        # One more for missing cells, whose code is -1.
        known = np.array([*(index.get(fold(value), -1.0) for value in texts.values), np.nan])
        values = known[texts.codes]
        if (unseen := values < 0).any():
            row = int(np.argmax(unseen))
            categories = ", ".join(map(shown, column.categories[:8])) + ", ..." * (len(column.categories) > 8)
            way_out = f"list it in {self.origin.prefix}ordinal, in order"
            if self.origin.fitted:
                way_out = "leave the cell empty or the row out, or train on rows that have it"
                if not self.origin.of_file:
                    way_out += ", or on a column of pandas' category dtype"
            raise InputError(
                f"{self.origin.place(row)}: column {shown(self.name)} has "
                f"{shown(texts.values[texts.codes[row]])}, which is none of its categories ({categories}); "
                f"{way_out}."
            )
        return values

    def _categorical(self, given: bool = True) -> Column:
        texts = texts_of(self.series)
        check_distinguishable(self.name, texts, self.origin, "" if given else self._setting("categorical"))
        return Column(self.name, "categorical", tuple(sorted(set(texts.values))))

    def _inferred_from_text(self) -> Column:
        texts = texts_of(self.series)
        self._refuse_other_forms(texts)
        numbers = np.array([is_number(value, self.origin.decimal) for value in texts.values])
        foreign = [i for i, value in enumerate(texts.values) if has_other_decimal(value, self.origin.decimal)]
        dates = np.array([is_date(value) for value in texts.values])
        if foreign or numbers.any():
            row = self._odd_one(texts, numbers)
            raise self._no_number(texts.first(foreign[0])) if foreign else self._mixed(texts, row, "numbers")
        if dates.all():
            self._seconds()
            return Column(self.name, "date")
        if dates.any():
            raise self._mixed(texts, self._odd_one(texts, dates), "dates")
        folded = [value.casefold() for value in texts.values]
        if {"true", "false"} >= set(folded) and len(set(folded)) == len(folded):
            spell = {"true": _BOOLEAN[1], "false": _BOOLEAN[0]} | dict(zip(folded, texts.values, strict=True))
            return Column(self.name, "boolean", (spell["false"], spell["true"]))
        self._refuse_quantities(texts)
        self._refuse_identifier(texts)
        return self._categorical(given=False)

    def _refuse_leading_zeros(self) -> None:
        """Refuse texts such as 01234, which may be numbers or codes."""
        if self.kind != "text":
            return
        found = pc.fill_null(pc.match_substring_regex(_arrow(self.series), r"^\s*[+-]?0[0-9]"), False)
        row = pc.index(found, True).as_py()
        if row >= 0:
            raise InputError(
                f"{self.origin.place(row)}: column {shown(self.name)} has "
                f"{shown(str(self.series.iloc[row]))}, which may be a number or a code; give "
                f"{self._setting('numeric')} or {self._setting('categorical')}."
            )

    def _refuse_lost_digits(self, numbers: NDArray[np.float64]) -> None:
        """Refuse whole numbers with more digits than are kept, as identifiers have."""
        if not self.origin.of_file and not pd.api.types.is_integer_dtype(self.series.dtype):
            return
        large = np.flatnonzero(np.isfinite(numbers) & (np.abs(numbers) >= LARGEST_WHOLE))
        if not len(large):
            return
        texts = texts_of(self.series.iloc[large])
        for i, value in enumerate(texts.values):
            whole = re.fullmatch(r"\s*[+-]?[0-9]+\s*", value)
            if whole and int(value) != int(float(value)):
                raise InputError(
                    f"{self.origin.place(int(large[texts.first(i)]))}: column {shown(self.name)} has "
                    f"{shown(value)}, of whose digits about 16 are kept; if it identifies the row, leave "
                    f"it out with {self._setting('drop')}; else give {self._setting('categorical')} or "
                    f"{self._setting('numeric')}."
                )

    def _refuse_other_forms(self, texts: Texts) -> None:
        """Refuse texts such as 12% or 31/01/2024, which would silently become categories."""
        for i, value in enumerate(texts.values):
            if form := other_form(value):
                kind, advice = form
                raise InputError(
                    f"{self.origin.place(texts.first(i))}: column {shown(self.name)} has {shown(value)}, "
                    f"which may be {kind}; {advice}; {self._ways_out(value)}"
                )

    def _refuse_quantities(self, texts: Texts) -> None:
        """Refuse many numbers with one unit, which would silently become categories."""
        if len(texts.values) > FEW_QUANTITIES and (unit := common_unit(texts.values)):
            where = f"{self.origin.place(texts.first(0))}: column {shown(self.name)}"
            raise InputError(
                f"{where} has {shown(texts.values[0])}, and numbers with {shown(unit)} in all other cells; "
                f"write them without it, or give {self._setting('categorical')}."
            )

    def _refuse_identifier(self, texts: Texts) -> None:
        rows, distinct = int((texts.codes >= 0).sum()), len(texts.values)
        every = distinct == rows > SMALL_TABLE
        leave_out = f" with {self._setting('drop')}" if self.origin.of_file else ""
        if every or (distinct > MOST_CATEGORIES and 2 * distinct > rows):
            raise InputError(
                f"{self.origin.place(texts.first(0))}: column {shown(self.name)} has texts such as "
                f"{shown(texts.values[0])}, {distinct} different ones in {rows} rows, as an identifier has; "
                f"leave it out{leave_out}, or keep it with {self._setting('categorical')}."
            )

    def _numbers(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the cells as numbers, and which of them are neither a number nor missing."""
        if self.kind == "boolean" or (self.kind == "number" and self.series.dtype != object):
            numbers = self.series.to_numpy(np.float64, na_value=np.nan)
            return numbers, np.zeros(len(numbers), bool)
        if self.kind == "date":
            return np.full(len(self.series), np.nan), self.series.notna().to_numpy(bool)
        if self.kind == "text":
            parsed = parsed_numbers(_arrow(self.series), self.origin.decimal)
            if parsed is not None:
                return parsed, np.zeros(len(parsed), bool)
        texts = texts_of(self.series)
        values = [as_number(value, self.origin.decimal) for value in texts.values]
        known = np.array([*(math.nan if value is None else value for value in values), math.nan])
        bad = np.array([*(value is None for value in values), False])
        return known[texts.codes], bad[texts.codes]

    def _seconds(self) -> NDArray[np.float64]:
        if self.kind == "date":
            return _epoch(_datetimes(self.series))
        texts = texts_of(self.series)
        values = np.append(_seconds_of(texts.values), np.nan)[texts.codes]
        bad = np.isnan(values) & (texts.codes >= 0)
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f"{self.origin.place(row)}: column {shown(self.name)} has "
                f"{shown(texts.values[texts.codes[row]])}, which is not a date; write dates as 2024-01-31 or "
                "2024-01-31T12:00"
                + ("." if self.origin.fitted else f", or give {self._setting('categorical')}.")
            )
        return values

    def _odd_one(self, texts: Texts, kind: NDArray[np.bool_]) -> int:
        """Return the first row of the smaller part: of the values of a kind, or of the others."""
        of_kind = np.append(kind, False)[texts.codes]
        others = (texts.codes >= 0) & ~of_kind
        return int(np.argmax(others if others.sum() <= of_kind.sum() else of_kind))

    def _mixed(self, texts: Texts, row: int, kind: str) -> InputError:
        text = texts.values[texts.codes[row]]
        return InputError(
            f"{self.origin.place(row)}: column {shown(self.name)} mixes {kind} with other texts, here "
            f"{shown(text)}; {self._ways_out(text)}"
        )

    def _no_number(self, row: int) -> InputError:
        texts = texts_of(self.series)
        text = texts.values[texts.codes[row]]
        start = (
            f"{self.origin.place(row)}: column {shown(self.name)} has {shown(text)}, which is not a number"
        )
        form = other_form(text)
        advice = "" if form is None or form[0] == "a date" else form[1]
        if self.origin.fitted:
            sign = "point" if self.origin.decimal == "." else "comma"
            advice = advice or f"write a number with a decimal {sign}"
            return InputError(f"{start}; {advice}, or leave the cell empty.")
        if advice:
            start += f"; {advice}"
        if not has_other_decimal(text, self.origin.decimal) or not self.origin.of_file:
            return InputError(f"{start}; {self._ways_out(text)}")
        sign, setting = ("comma", "decimal=','") if self.origin.decimal == "." else ("point", "decimal=.")
        return InputError(
            f"{start}; if the {sign} is the decimal sign, give "
            f"{self.origin.prefix.removesuffix('columns.')}{setting}; else write the number without it, or "
            f"give {self._setting('categorical')}."
        )

    def _ways_out(self, text: str) -> str:
        missing = "replace it"
        if self.origin.of_file:
            missing = f"give {self.origin.prefix}missing=[{_in_quotes(text)}]"
        return (
            f"if it means a missing cell, {missing}; if the column holds categories, give "
            f"{self._setting('categorical')}."
        )

    def _setting(self, role: str) -> str:
        return f"{self.origin.prefix}{role}={listed([self.name])}"


def _given_roles(overrides: RoleOverrides, names: Sequence[str], origin: Origin) -> dict[str, str]:
    roles: dict[str, str] = {}
    for role, given in overrides.items():
        if role not in RoleOverrides.__annotations__:
            raise InputError(
                f"{origin.prefix}{role}: choose among {', '.join(RoleOverrides.__annotations__)}."
            )
        for name in map(str, given):  # type: ignore[call-overload]
            if name not in names:
                listed = ", ".join(map(shown, names[:8])) + ", ..." * (len(names) > 8)
                raise InputError(
                    f"{origin.prefix}{role}: there is no feature column {shown(name)}; there are {listed}."
                )
            if roles.setdefault(name, role) != role:
                raise InputError(
                    f"{origin.prefix}{role}: column {shown(name)} is in {origin.prefix}{roles[name]} too; "
                    "choose one role."
                )
    return roles


def _kind(series: "pd.Series[Any]") -> Kind:
    """Return what the cells of a column are.

    Raises
    ------
    TypeError
        For cells that are no values of a table.
    """
    dtype, types = series.dtype, pd.api.types
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if types.is_bool_dtype(dtype):
        return "boolean"
    if types.is_datetime64_any_dtype(dtype):
        return "date"
    if types.is_integer_dtype(dtype) or types.is_float_dtype(dtype):
        return "number"
    if types.is_string_dtype(dtype) and not types.is_object_dtype(dtype):
        return "text"
    match inferred := pd.api.types.infer_dtype(series, skipna=True):
        case "boolean":
            return "boolean"
        case "integer" | "floating" | "mixed-integer-float" | "decimal":
            return "number"
        case "datetime" | "datetime64" | "date":
            return "date"
        case "string" | "empty":
            return "text"
        case "mixed-integer" | "mixed" if series.dropna().map(_is_simple).all():
            return "text"
    raise TypeError(f"values of the type {inferred}")


def _is_simple(value: object) -> bool:
    return isinstance(value, str | bool | int | float | np.number | np.bool_)


def _arrow(series: "pd.Series[Any]") -> pa.Array:
    values = series if series.dtype != object else series.map(_text, na_action="ignore")
    array = pa.array(values, pa.large_string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _text(value: object) -> str:
    """Return a value as text; a whole number without decimals."""
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value)


def _whole(numbers: NDArray[np.float64]) -> bool:
    """Return whether all numbers are whole, with every digit known."""
    known = numbers[~np.isnan(numbers)]
    return len(known) > 0 and bool(((np.trunc(known) == known) & (np.abs(known) <= LARGEST_WHOLE)).all())


def _datetimes(series: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return dates with their time in UTC; those without a time zone are in UTC already."""
    try:
        if series.dtype == object:  # of perhaps several units, of which pandas would take the finest
            series = series.map(lambda date: pd.Timestamp(date).as_unit("us"), na_action="ignore")
        return pd.to_datetime(series, utc=True)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"column {shown(str(series.name))} has a date that is out of range: {error}."
        ) from error


def _seconds_of(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return texts as seconds since 1970 (UTC), NaN for a text that is no date."""
    fits = [text.strip() if is_date(text) else None for text in texts]
    return _epoch(pd.to_datetime(pd.Series(fits, dtype=object), format="ISO8601", utc=True, errors="coerce"))


def _epoch(dates: "pd.Series[Any]") -> NDArray[np.float64]:
    """Return dates in UTC as seconds since 1970, whatever their unit: nanoseconds end in 2262."""
    times = dates.dt.tz_localize(None).to_numpy()
    return np.asarray((times - np.datetime64(0, "s")) / np.timedelta64(1, "s"), np.float64)
