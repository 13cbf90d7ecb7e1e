"""Interpret the cells of a user's file (`data.table_files`): features, labels, missing cells, roles.

What may mean more than one thing is refused, with the first line that is in doubt and the setting that
settles it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adversarial_oversampling.data.columns import (
    SMALL_TABLE,
    Origin,
    RoleOverrides,
    Texts,
    cells,
    check_distinguishable,
    columns_of,
    listed,
    places_among,
    refuse_empty_columns,
    texts_of,
)
from adversarial_oversampling.data.formats import is_number, look
from adversarial_oversampling.data.table import Column, Table, make_table
from adversarial_oversampling.data.table_files import SEPARATORS, File, read_file
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.text import count, differing_in_case, shown, user_path

MISSING = ("NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan", "-NaN", "NULL", "null", "None")
"""Texts that mean a missing cell of a CSV file, beside the empty cell."""
MOST_CLASSES = 100
_MOST_FRACTIONS = 10  # a target with more different numbers that are not whole looks continuous
_NO_LABELS = {"?", *(word.casefold() for word in MISSING)}  # what may mean a missing label, in any case


@dataclass(frozen=True)
class ColumnSettings:
    """The section `dataset.columns`: what is known of a file's columns.

    Attributes
    ----------
    categorical, numeric, date : sequence of str
        Columns whose role is not inferred.
    ordinal : mapping of str to sequence of str
        Columns of ordered categories, and the values of each in order.
    drop : sequence of str
        Columns to leave out.
    missing : sequence of str
        More texts that mean a missing cell; numbers count by their value.
    keep_na : sequence of str
        Columns of a CSV file in which words such as None and NA are values.
    keep_na_labels : bool
        Whether labels such as None and NA are classes.
    """

    categorical: Sequence[str] = ()
    ordinal: Mapping[str, Sequence[str]] = field(default_factory=dict)
    numeric: Sequence[str] = ()
    date: Sequence[str] = ()
    drop: Sequence[str] = ()
    missing: Sequence[str] = ()
    keep_na: Sequence[str] = ()
    keep_na_labels: bool = False

    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> "ColumnSettings":
        """Return the settings of a configuration, with every name as text.

        Raises
        ------
        InputError
            For an unknown setting, or a value of the wrong kind.
        """
        known = {setting.name for setting in fields(cls)}
        if unknown := sorted(set(map(str, settings)) - known):
            raise InputError(
                f"dataset.columns.{unknown[0]}: there is no such setting; choose among "
                f"{', '.join(sorted(known))}."
            )
        parsed: dict[str, Any] = {}
        for name, value in settings.items():
            if name == "keep_na_labels":
                if not isinstance(value, bool):
                    raise InputError(f"dataset.columns.keep_na_labels={value}: give true or false.")
                parsed[name] = value
            elif name == "ordinal":
                parsed[name] = _ordinal(value)
            else:
                parsed[name] = _names(f"dataset.columns.{name}", value)
        return cls(**parsed)

    @property
    def roles(self) -> RoleOverrides:
        """The roles that are given."""
        return {
            "categorical": self.categorical,
            "ordinal": self.ordinal,
            "numeric": self.numeric,
            "date": self.date,
        }

    @property
    def with_role(self) -> set[str]:
        """The columns whose role is given."""
        return {*self.categorical, *self.ordinal, *self.numeric, *self.date}

    def missing_texts(self, column: str, values: Sequence[str], typed: bool) -> list[str]:
        """Return the texts that mean a missing cell of a column, which its known values never do."""
        words = () if typed else ("",) if column in self.keep_na else ("", *MISSING)
        known = {value.strip() for value in values}
        return [text for text in dict.fromkeys((*words, *self.missing)) if text not in known]


def load_table(
    path: str | None,
    target: str | None,
    name: str,
    separator: str | None = None,
    decimal: str | None = None,
    columns: Mapping[str, Any] | None = None,
    sha256: str | None = None,
    group: str | None = None,
) -> Table:
    """Load a table of the user: a CSV, Parquet or Feather file with a column of class labels.

    Parameters
    ----------
    path : str
        A CSV file may be compressed with gzip.
    target : str
        The column with the class labels.
    name : str
        What to call the dataset in results.
    separator : str, optional
        Between the cells of a CSV file; a comma by default.
    decimal : str, optional
        The decimal sign of a CSV file, a point by default.
    columns : mapping, optional
        The fields of `ColumnSettings`.
    sha256 : str, optional
        What the content of the file has to be.
    group : str, optional
        The column that tells which rows belong together, such as those of one patient. It is no feature.

    Raises
    ------
    InputError
        If the file cannot be read, or can be read in more than one way, or `make_table` refuses the table.
    """
    separator, decimal = dialect(separator, decimal)
    settings = ColumnSettings.parse(columns or {})
    if path is None:
        raise InputError("dataset.path: give the path of a CSV, Parquet or Feather file.")
    if target is None:
        raise InputError("dataset.target: give the name of the column with the class labels.")
    file = read_file(user_path(str(path)), separator, sha256, "dataset.path: ")
    origin = Origin(file.place, "dataset.columns.", decimal)
    apart = {str(target): "dataset.target"} | ({} if group is None else {str(group): "dataset.group"})
    if group is not None and str(group) == str(target):
        raise InputError(f"dataset.group: {shown(str(group))} is dataset.target; give another column.")
    given = _features(file, apart, settings)
    ordered = settings.ordinal
    texts = {name: settings.missing_texts(name, ordered.get(name, ()), file.typed) for name in given.columns}
    features, found = _without_missing(given, texts, decimal)
    labels = _labels(file, str(target), settings, origin)
    known = columns_of(features, settings.roles, origin)
    refuse_empty_columns(features, origin, f"{file.path}: ")
    values = cells(features, known, origin)
    _refuse_row_numbers(file, values, known, settings)
    table = make_table(name, values, labels, known)
    notes = [*_notes(file, apart, settings, known, found, decimal)]
    if group is not None:
        groups, spellings = _groups(file, str(group), table, settings, origin)
        table, notes = replace(table, groups=groups), notes + spellings
    return replace(table, notes=tuple(notes))


def _features(file: File, apart: Mapping[str, str], settings: ColumnSettings) -> pd.DataFrame:
    """Return the columns but those of `apart`, each with its setting, and those that are left out."""
    names = list(file.frame.columns)
    available = ", ".join(map(shown, names[:8])) + ", ..." * (len(names) > 8)
    for name, key in apart.items():
        if name not in names:
            raise InputError(f"{key}: {file.path} has no column {shown(name)}; it has {available}.")
    for key, listing in {"drop": settings.drop, "keep_na": settings.keep_na}.items():
        if absent := [name for name in listing if name not in names]:
            raise InputError(
                f"dataset.columns.{key}: {file.path} has no column {shown(absent[0])}; it has {available}."
            )
    for name in (*settings.drop, *settings.with_role, *settings.keep_na):
        if name in apart:
            raise InputError(
                f"dataset.columns: {shown(name)} is {apart[name]}; leave it out of the settings."
            )
        if name in settings.drop and name in settings.with_role:
            raise InputError(
                f"dataset.columns.drop: column {shown(name)} has a role too; choose one of them."
            )
    for name in file.nameless:
        if name not in settings.drop and name not in settings.with_role and name not in apart:
            raise InputError(
                f"{file.path}: column {names.index(name) + 1} has no name; leave it out with "
                f"dataset.columns.drop={listed([name])}, keep it with "
                f"dataset.columns.numeric={listed([name])}, or give it a name in the file."
            )
    index = _index(file, apart, settings)
    kept = file.frame.drop(columns=[*apart, *settings.drop, *index])
    if not kept.shape[1]:
        if index:
            raise InputError(
                f"{file.path}: there is no feature column but the index of a data frame; to keep it, give "
                f"dataset.columns.numeric={listed(index)}."
            )
        raise InputError(
            f"dataset.columns.drop: no feature column is left in {file.path}; drop fewer columns."
        )
    return kept


def _index(file: File, apart: Mapping[str, str], settings: ColumnSettings) -> list[str]:
    """Return the columns that are left out as the index of a data frame, which may tell the order of rows."""
    known = {*apart, *settings.drop, *settings.with_role}
    return [name for name in file.index if name not in known]


Found = dict[str, dict[str, int]]
"""By column, how often each of the texts that mean a missing cell stands in it."""


def _without_missing(
    frame: pd.DataFrame, texts: Mapping[str, Sequence[str]], decimal: str
) -> tuple[pd.DataFrame, Found]:
    """Return a frame in which the texts that mean a missing cell are missing, and how many were found."""
    columns, found = {}, {}
    for name in map(str, frame.columns):
        series = frame[name]
        places = places_among(series, texts[name], decimal)
        counts = np.bincount(places[places >= 0], minlength=len(texts[name])).tolist()
        found[name] = {text: n for text, n in zip(texts[name], counts, strict=True) if n}
        if isinstance(series.dtype, pd.CategoricalDtype):
            categories = series.cat.categories
            missing = places_among(categories.to_series(), texts[name], decimal) >= 0
            series = series.cat.remove_categories(categories[missing])
        columns[name] = series.mask(places >= 0) if found[name] else series
    return pd.DataFrame(columns, copy=False), found


def _notes(
    file: File,
    apart: Mapping[str, str],
    settings: ColumnSettings,
    columns: Sequence[Column],
    found: Found,
    decimal: str,
) -> Iterator[str]:
    """Yield what was left out or taken for missing, and may not be meant so."""
    if index := _index(file, apart, settings):
        yield (
            f"the index of a data frame, {', '.join(map(shown, index))}, is left out, since it may tell the "
            f"order of the rows; a role, such as dataset.columns.numeric={listed(index)}, keeps it, and "
            f"dataset.columns.drop={listed(index)} confirms that it is left out."
        )
    words = set(MISSING) - set(settings.missing)
    kept = [column.name for column in columns if column.role in ("categorical", "ordinal")]
    told = [(word, name, n) for name in kept for word, n in found[name].items() if word in words]
    if told:
        cells_of = [f"{shown(word)} in column {shown(name)} ({count(n, 'cell')})" for word, name, n in told]
        yield (
            f"taken for missing cells: {', '.join(cells_of)}; to keep such words as categories, give "
            f"dataset.columns.keep_na={listed(list(dict.fromkeys(name for _, name, _ in told)))}."
        )
    seen = {look(text, decimal) for counts in found.values() for text in counts}
    if unseen := [text for text in settings.missing if look(text, decimal) not in seen]:
        texts = " or ".join(map(shown, unseen))
        yield f"dataset.columns.missing: no cell of a feature is {texts}; correct the text, or leave it out."


def _texts_apart(
    file: File, name: str, key: str, settings: ColumnSettings, origin: Origin
) -> tuple[Texts, NDArray[np.bool_]]:
    """Return the column that a setting names and that is no feature as texts, and which cells are missing."""
    series = file.frame[name]
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.cat.remove_unused_categories()
    try:
        texts = texts_of(series)
    except TypeError as error:
        raise InputError(f"{key}: column {shown(name)} of {file.path} holds {error}.") from error
    missing = places_among(series, ["", *settings.missing], origin.decimal) >= 0
    return texts, missing | (texts.codes < 0)


def _labels(file: File, target: str, settings: ColumnSettings, origin: Origin) -> NDArray[np.str_]:
    texts, missing = _texts_apart(file, target, "dataset.target", settings, origin)
    if unlabelled := int(missing.sum()):
        row = int(np.argmax(missing))
        raise InputError(
            f"{file.place(row)}: there is no label in column {shown(target)}, nor in {unlabelled - 1} other "
            "rows; label these rows or remove them."
        )
    named = [i for i, value in enumerate(texts.values) if value.strip().casefold() in _NO_LABELS]
    if named and not settings.keep_na_labels:
        raise InputError(
            f"{file.place(texts.first(named[0]))}: the label in column {shown(target)} is "
            f"{shown(texts.values[named[0]])}; if that is a class, give dataset.columns.keep_na_labels=true, "
            "else label these rows or remove them."
        )
    _check_classes(file, target, texts, origin)
    return np.array(texts.values, str)[texts.codes]


def _groups(
    file: File, name: str, table: Table, settings: ColumnSettings, origin: Origin
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the group of each row, by the values of a column, and what a user should know of them.

    Raises
    ------
    InputError
        If a row has none, if values look the same, or if all rows of a class are in one group.
    """
    texts, missing = _texts_apart(file, name, "dataset.group", settings, origin)
    missing |= np.array([*(v.strip().casefold() in _NO_LABELS for v in texts.values), False])[texts.codes]
    if missing.any():
        raise InputError(
            f"{file.place(int(np.argmax(missing)))}: column {shown(name)} (dataset.group) has no value; give "
            "a row that belongs to no group a value of its own."
        )
    check_distinguishable(name, texts, origin)
    # By their first rows: the codes of a category follow the order of the categories.
    groups = pd.factorize(texts.codes)[0].astype(np.int64)
    for k, label in enumerate(table.class_names):
        of_class = np.flatnonzero(table.y == k)
        if len(np.unique(groups[of_class])) == 1:
            only = texts.values[texts.codes[of_class[0]]]
            raise InputError(
                f"dataset.group: all rows of class {shown(label)} are in one group, {shown(only)} in column "
                f"{shown(name)}, which cannot be in both the training and the test part; merge the class "
                "into another, remove it, or add rows of other groups."
            )
    return groups, [
        f"dataset.group: {' and '.join(map(shown, alike))} in column {shown(name)} differ only in case and "
        "are different groups; if they are one group, write it in one way."
        for alike in differing_in_case(texts.values)[:1]
    ]


def _check_classes(file: File, target: str, texts: Texts, origin: Origin) -> None:
    start = f"dataset.target: column {shown(target)} of {file.path} has {len(texts.values)} different"
    if all(is_number(value, origin.decimal) for value in texts.values):
        fractions = [v for v in texts.values if not float(v.replace(origin.decimal, ".")).is_integer()]
        if len(fractions) > _MOST_FRACTIONS:
            raise InputError(
                f"{start} numbers, such as {shown(fractions[0])}, and looks continuous; name a column of "
                "classes, or divide the values into classes."
            )
    check_distinguishable(target, texts, origin)
    if len(texts.values) > MOST_CLASSES:
        raise InputError(
            f"{start} labels, more than {MOST_CLASSES}; name a column of classes, or merge classes."
        )


def _refuse_row_numbers(
    file: File, values: NDArray[np.float64], columns: Sequence[Column], settings: ColumnSettings
) -> None:
    """Refuse numbers that count the rows: from 0 or 1, or in all but small tables from any, in any order."""
    rows = len(values)
    for column, numbers in zip(columns, values.T, strict=True):
        if column.role != "integer" or column.name in settings.with_role:
            continue
        first = numbers.min()
        if numbers.max() - first != rows - 1:  # also for missing cells
            continue
        in_order = first in (0, 1) and np.array_equal(numbers, np.arange(rows) + first)
        if in_order or (rows > SMALL_TABLE and len(np.unique(numbers)) == rows):
            raise InputError(
                f"{file.path}: column {shown(column.name)} counts the rows, from {first:.0f} to "
                f"{numbers.max():.0f}; leave it out with "
                f"dataset.columns.drop={listed([column.name])}, or keep it with "
                f"dataset.columns.numeric={listed([column.name])}."
            )


def dialect(separator: str | None, decimal: str | None) -> tuple[str, str]:
    """Return the separator and the decimal sign of the settings, each as one character."""
    characters = {called: character for character, called in SEPARATORS.items()} | {r"\t": "\t"}
    given = "," if separator is None else characters.get(separator, separator)
    sign = "." if decimal is None else decimal
    if given not in SEPARATORS:
        raise InputError(f"dataset.separator={separator}: choose one of {' '.join(SEPARATORS.values())}.")
    if sign not in (".", ","):
        raise InputError(f"dataset.decimal={decimal}: choose . or ,")
    if sign == given:
        raise InputError(
            "dataset.decimal=',': the comma cannot be the separator too; give dataset.separator, such as ';'."
        )
    return given, sign


def _names(key: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence):
        raise InputError(f"{key}={value}: give a list of texts, such as [a,b].")
    return tuple(map(str, value))


def _ordinal(value: object) -> dict[str, tuple[str, ...]]:
    """Return the values of each column from a mapping, or from a list of lists that begin with the column."""
    key = "dataset.columns.ordinal"
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {str(name): _names(f"{key}.{name}", values) for name, values in value.items()}
    if isinstance(value, Sequence) and all(
        isinstance(v, Sequence) and len(v) and not isinstance(v, str) for v in value
    ):
        return {str(first): tuple(map(str, values)) for first, *values in value}
    raise InputError(
        f"{key}={value}: give each column with its values in order, such as {{size:[small,large]}}."
    )


def read_rows(path: Path, columns: Sequence[Column], settings: Mapping[str, Any]) -> NDArray[np.float64]:
    """Read rows of a table that is known, such as new ones to predict.

    Parameters
    ----------
    path : Path
    columns : sequence of Column
        The file has them by name, in any order. Other columns are left out.
    settings : mapping
        The section `dataset` of the table's configuration, of which `separator`, `decimal` and `columns`
        count.

    Returns
    -------
    ndarray of float64, shape [n, d]

    Raises
    ------
    InputError
        If the file cannot be read, or lacks a column, or a cell does not fit its column.
    """
    separator, decimal = dialect(settings.get("separator"), settings.get("decimal"))
    known = ColumnSettings.parse(settings.get("columns") or {})
    file = read_file(user_path(str(path)), separator, fitted=True)
    absent = [column.name for column in columns if column.name not in file.frame.columns]
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise InputError(
            f"{path}: there is no column {shown(absent[0])}{more}, which the rows of the run have; the file "
            f"has {', '.join(map(shown, list(file.frame.columns)[:8]))}."
        )
    texts = {
        column.name: known.missing_texts(column.name, column.categories, file.typed) for column in columns
    }
    frame, _ = _without_missing(file.frame[list(texts)], texts, decimal)
    return cells(frame, columns, Origin(file.place, decimal=decimal, fitted=True))
