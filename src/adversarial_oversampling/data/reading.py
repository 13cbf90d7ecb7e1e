"""Read a user's own table from a CSV, Parquet or Feather file.

A file is either read as its author sees it, or refused with the first line that is in doubt and the setting
that settles it.
"""

import csv
import gzip
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
from numpy.typing import NDArray

from adversarial_oversampling.config.resources import available_memory
from adversarial_oversampling.data.columns import (
    Origin,
    RoleOverrides,
    Texts,
    cells,
    check_distinguishable,
    columns_of,
    listed,
    refuse_empty_columns,
    texts_of,
)
from adversarial_oversampling.data.formats import is_number
from adversarial_oversampling.data.table import Column, Table, make_table
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.text import count, one_line, shown, user_path

MISSING = ("NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan", "-NaN", "NULL", "null", "None")
"""Texts that mean a missing cell, beside the empty cell."""
SEPARATORS = {",": ",", ";": ";", "\t": "tab", "|": "|", " ": "space", ":": ":"}
"""Characters that may separate the cells of a CSV file, and how settings and messages call them."""
MOST_CLASSES = 100
_MOST_FRACTIONS = 10  # a target with more different numbers that are not whole looks continuous
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINES_TO_GUESS = 20  # lines in which another separator is looked for


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
        More texts that mean a missing cell.
    keep_na_labels : bool
        Whether labels such as None and NA are classes.
    """

    categorical: Sequence[str] = ()
    ordinal: Mapping[str, Sequence[str]] = field(default_factory=dict)
    numeric: Sequence[str] = ()
    date: Sequence[str] = ()
    drop: Sequence[str] = ()
    missing: Sequence[str] = ()
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


@dataclass(frozen=True)
class File:
    """A file as it was read, before its cells are interpreted.

    Attributes
    ----------
    path : Path
    frame : DataFrame
        Of texts if the file is CSV.
    nameless : sequence of str
        The columns without a name in the file, under the name that they have in the frame.
    content : bytes or None
        Of a CSV file, from which the line of a row is found.
    separator : str
    """

    path: Path
    frame: pd.DataFrame
    nameless: Sequence[str] = ()
    content: bytes | None = None
    separator: str = ","

    def place(self, row: int) -> str:
        """Return where a row is: its line in a CSV file, its number elsewhere."""
        if self.content is None:
            return f"{self.path}, row {row} (the first is 0)"
        for i, (line, _) in enumerate(_records(self.content, self.separator)):
            if i == row + 1:  # the first record is the header
                return f"{self.path}, line {line}"
        raise AssertionError(f"{self.path} has no row {row}")


def load_table(
    path: str | None,
    target: str | None,
    name: str,
    separator: str | None = None,
    decimal: str | None = None,
    columns: Mapping[str, Any] | None = None,
    sha256: str | None = None,
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

    Raises
    ------
    InputError
        If the file cannot be read, or can be read in more than one way, or `make_table` refuses the table.
    """
    separator, decimal = _dialect(separator, decimal)
    settings = ColumnSettings.parse(columns or {})
    if path is None:
        raise InputError("dataset.path: give the path of a CSV, Parquet or Feather file.")
    if target is None:
        raise InputError("dataset.target: give the name of the column with the class labels.")
    file = read_file(user_path(str(path)), separator, sha256, "dataset.path: ")
    origin = Origin(file.place, "dataset.columns.", decimal)
    features = _features(file, str(target), settings)
    labels = _labels(file, str(target), settings, origin)
    known = columns_of(features, settings.roles, origin)
    refuse_empty_columns(features, origin, f"{file.path}: ")
    values = cells(features, known, origin)
    _refuse_row_numbers(file, values, known, settings)
    return make_table(name, values, labels, known)


def read_file(path: Path, separator: str = ",", sha256: str | None = None, setting: str = "") -> File:
    """Read a file whose kind is known by its first bytes; the cells of a CSV file stay texts.

    Parameters
    ----------
    path : Path
    separator : str
        Between the cells of a CSV file.
    sha256 : str, optional
        What the content of the file has to be.
    setting : str
        What a message begins with if there is no such file, such as "dataset.path: ".

    Raises
    ------
    InputError
        If there is no such file, or it is damaged, or it is no table.
    """
    content = _content(path, sha256, setting)
    if content.startswith(b"PAR1"):
        return _typed(path, content, "Parquet")
    if content.startswith((b"ARROW1", b"FEA1")):
        return _typed(path, content, "Feather")
    for kind, suffixes in {"Parquet": (".parquet", ".pq"), "Feather": (".feather", ".arrow")}.items():
        if path.suffix.lower() in suffixes:
            raise InputError(f"{path}: is no {kind} file: it does not begin as one; write it again.")
    if content.startswith(b"PK\x03\x04"):
        raise InputError(
            f"{path}: is an archive or a spreadsheet, no CSV file; save the table as CSV (UTF-8)."
        )
    return _csv(path, content, separator)


def _content(path: Path, sha256: str | None, setting: str) -> bytes:
    if path.is_dir():
        raise InputError(f"{setting}{path} is a folder; give the path of a file in it.")
    if not path.is_file():
        raise InputError(
            f"{setting}there is no file {path}; give the path of a CSV, Parquet or Feather file."
        )
    with parsing(path, "check its permissions.", "cannot be read"):
        _check_size(path, path.stat().st_size)
        content = path.read_bytes()
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{path}: it has changed since the run began; start the run again.")
    if content.startswith(b"\x1f\x8b"):
        with parsing(f"{path}: the gzip file", "copy it again."):
            _check_size(path, int.from_bytes(content[-4:], "little"))  # up to multiples of 4 GiB
            content = gzip.decompress(content)
    if not content.removeprefix(_BYTE_ORDER_MARK).strip():
        raise InputError(f"{path}: the file is empty; give a table with a header and rows.")
    return content


def _check_size(path: Path, size: int) -> None:
    if size > (available := available_memory()):
        raise InputError(
            f"{path}: its {size / 2**30:.1f} GiB are more than the {available / 2**30:.1f} GiB of memory "
            "available; leave out rows or columns."
        )


def _typed(path: Path, content: bytes, kind: str) -> File:
    read = pa.parquet.read_table if kind == "Parquet" else pa.feather.read_table
    with parsing(path, "write it again.", f"is no {kind} file that can be read"):
        frame = read(io.BytesIO(content)).to_pandas(ignore_metadata=True)
    columns = [str(name) for name in frame.columns]
    if repeated := [name for name in columns if columns.count(name) > 1]:
        raise InputError(f"{path}: there are two columns called {shown(repeated[0])}; rename one of them.")
    if not len(frame):
        raise InputError(f"{path}: the table has no rows.")
    names, nameless = _named(columns)
    return File(path, frame.set_axis(names, axis=1), nameless)


def _csv(path: Path, content: bytes, separator: str) -> File:
    content = content.removeprefix(_BYTE_ORDER_MARK)
    _check_encoding(path, content)
    header = _check_structure(path, content, separator)
    names, nameless = _named([cell.strip() for cell in header])
    texts = {name: pa.string() for name in names}
    with parsing(path, "check the line that this names.", "cannot be read as CSV"):
        table = pa.csv.read_csv(
            io.BytesIO(content),
            pa.csv.ReadOptions(column_names=names, block_size=min(len(content) + 1, 2**30)),
            pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            pa.csv.ConvertOptions(column_types=texts, strings_can_be_null=False),
        )
    # The header is the first row, since a name in quotes may span lines.
    frame = table.slice(1).to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get)
    return File(path, frame, nameless, content, separator)


def _named(header: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names of the columns, with one for each column without a name, and these."""
    names, nameless = list(header), []
    for i, name in enumerate(header):
        if not name.strip():
            names[i] = f"column_{i + 1}"
            while names.count(names[i]) > 1:
                names[i] += "_"
            nameless.append(names[i])
    return names, nameless


def _check_encoding(path: Path, content: bytes) -> None:
    way_out = "save the file as UTF-8"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}, line 1: the file is in UTF-16 (byte 0x{content[0]:02x}); {way_out}.")
    if (position := content.find(b"\0")) >= 0:
        raise InputError(
            f"{path}, line {_line(content, position)}: there is a NUL byte, as in UTF-16 or in a damaged "
            f"file; {way_out}."
        )
    try:
        content.decode()
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise InputError(
            f"{path}, line {_line(content, error.start)}: byte 0x{byte:02x} is no UTF-8 (in Latin-1 it is "
            f"{shown(bytes([byte]).decode('latin-1'))}); {way_out}."
        ) from error


def _line(content: bytes, position: int) -> int:
    return len(re.findall(rb"\r\n|\r|\n", content[:position])) + 1


def _records(content: bytes, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a CSV file with the line on which each begins, without empty lines."""
    reader = csv.reader(
        io.TextIOWrapper(io.BytesIO(content), "utf-8", newline=""), delimiter=separator, strict=True
    )
    line = 1
    for record in reader:
        if record:
            yield line, record
        line = reader.line_num + 1


def _check_structure(path: Path, content: bytes, separator: str) -> list[str]:
    """Return the header of a CSV file in which every record has as many cells as the header.

    The csv module reads the whole file, which takes a few seconds for twenty million cells, so that stray
    quotes and line breaks in quotes cannot shift cells unnoticed.
    """
    records = _records(content, separator)
    line = 0
    try:
        line, header = next(records)
        _check_header(path, line, header, content, separator)
        line, width = 0, len(header)
        for line, record in records:
            if len(record) != width:
                raise _unequal(path, line, record, header, content, separator)
    except csv.Error as error:
        where = f" after line {line}" if line else ""
        raise InputError(f"{path}{where}: {one_line(error)}; check the quotes.") from error
    if not line:
        raise InputError(f"{path}: there is a header but no row.")
    return header


def _check_header(path: Path, line: int, header: Sequence[str], content: bytes, separator: str) -> None:
    names = [cell.strip() for cell in header]
    start = f"{path}, line {line}"
    if len(names) == 1:
        found = [
            other for other in SEPARATORS if other in header[0].strip() and other not in (separator, " ", ":")
        ]
        if found:
            raise InputError(f"{start}: {_separated(found[0], separator, content)}.")
    if all(is_number(name) for name in names):
        raise InputError(
            f"{start}: the file has no header: its first line holds only numbers, such as {shown(names[0])}; "
            "add a line with the names of the columns before it."
        )
    repeated = [name for name in names if name and names.count(name) > 1]
    if repeated:
        raise InputError(f"{start}: there are two columns called {shown(repeated[0])}; rename one of them.")


def _unequal(
    path: Path, line: int, record: Sequence[str], header: Sequence[str], content: bytes, separator: str
) -> InputError:
    start = f"{path}, line {line}: {count(len(record), 'cell')} where the header has {len(header)}"
    if other := _other_separator(content, separator):
        return InputError(f"{start}: {_separated(other, separator, content)}.")
    text = shown(separator.join(record))
    if len(record) < len(header):
        return InputError(f"{start}: {text}; add the cells that lack, empty ones if they are missing values.")
    called = SEPARATORS[separator]
    if not record[-1].strip():
        return InputError(f"{start}: {text}; remove the separator ({called}) at the end of the line.")
    return InputError(f"{start}: {text}; put a cell that contains the separator ({called}) in quotes.")


def _other_separator(content: bytes, separator: str) -> str | None:
    """Return a separator that divides the first lines into equally many cells, if there is one."""
    lines = [line for line in content[: 1 << 20].splitlines() if line.strip()][:_LINES_TO_GUESS]
    for other in SEPARATORS:
        numbers = {line.count(other.encode()) for line in lines}
        if other not in (separator, " ", ":") and len(numbers) == 1 and 0 not in numbers:
            return other
    return None


def _separated(other: str, separator: str, content: bytes) -> str:
    """Return the words for a file with another separator, and for its decimal commas if it has some."""
    called = SEPARATORS[other]
    setting = f"dataset.separator={called if called.isalpha() else repr(called)}"
    comma = re.search(rb"(?:^|%b)[+-]?\d+,\d+\s*(?:%b|$)" % ((re.escape(other.encode()),) * 2), content, re.M)
    if comma and other != ",":
        setting += " dataset.decimal=','"
    return f"the cells are separated by {called!r}, not {SEPARATORS[separator]!r}; give {setting}"


def _features(file: File, target: str, settings: ColumnSettings) -> pd.DataFrame:
    """Return the columns but the target and those that are left out, with missing cells as such."""
    names = list(file.frame.columns)
    available = ", ".join(map(shown, names[:8])) + ", ..." * (len(names) > 8)
    if target not in names:
        raise InputError(f"dataset.target: {file.path} has no column {shown(target)}; it has {available}.")
    for name in settings.drop:
        if name not in names:
            raise InputError(
                f"dataset.columns.drop: {file.path} has no column {shown(name)}; it has {available}."
            )
    for name in (*settings.drop, *settings.with_role):
        if name == target:
            raise InputError(
                f"dataset.columns: {shown(name)} is dataset.target; leave it out of the settings."
            )
        if name in settings.drop and name in settings.with_role:
            raise InputError(
                f"dataset.columns.drop: column {shown(name)} has a role too; choose one of them."
            )
    for name in file.nameless:
        if name not in settings.drop and name not in settings.with_role and name != target:
            raise InputError(
                f"{file.path}: column {names.index(name) + 1} has no name; leave it out with "
                f"dataset.columns.drop={listed([name])}, keep it with "
                f"dataset.columns.numeric={listed([name])}, or give it a name in the file."
            )
    kept = file.frame.drop(columns=[target, *settings.drop])
    if not kept.shape[1]:
        raise InputError(
            f"dataset.columns.drop: no feature column is left in {file.path}; drop fewer columns."
        )
    texts = pa.array(["", *MISSING, *settings.missing], pa.string())
    return pd.DataFrame({name: _without_missing(kept[name], texts) for name in kept.columns}, copy=False)


def _without_missing(series: "pd.Series[Any]", texts: pa.Array) -> "pd.Series[Any]":
    """Return a column in which the texts that mean a missing cell are missing."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        missing = set(texts.to_pylist())
        return series.cat.remove_categories([c for c in series.cat.categories if str(c).strip() in missing])
    if series.dtype == object:
        is_missing = series.map(
            lambda value: isinstance(value, str) and value.strip() in set(texts.to_pylist())
        )
        return series.mask(is_missing.astype(bool))
    if not pd.api.types.is_string_dtype(series.dtype):
        return series
    array = pa.array(series, from_pandas=True)
    found = pc.is_in(pc.utf8_trim_whitespace(array), texts.cast(array.type))
    if not pc.any(found).as_py():
        return series
    kept = pc.if_else(found, pa.scalar(None, array.type), array)
    return pd.Series(kept, dtype=series.dtype, index=series.index, name=series.name)


def _labels(file: File, target: str, settings: ColumnSettings, origin: Origin) -> NDArray[np.str_]:
    try:
        texts = texts_of(file.frame[target])
    except TypeError as error:
        raise InputError(f"dataset.target: column {shown(target)} of {file.path} holds {error}.") from error
    stripped = [value.strip() for value in texts.values]
    blank = {i for i, value in enumerate(stripped) if not value or value in settings.missing}
    if unlabelled := int((np.isin(texts.codes, [-1, *blank])).sum()):
        row = int(np.argmax(np.isin(texts.codes, [-1, *blank])))
        raise InputError(
            f"{file.place(row)}: there is no label in column {shown(target)}, nor in {unlabelled - 1} other "
            "rows; label these rows or remove them."
        )
    named = [i for i, value in enumerate(stripped) if value in MISSING]
    if named and not settings.keep_na_labels:
        raise InputError(
            f"{file.place(texts.first(named[0]))}: the label in column {shown(target)} is "
            f"{shown(texts.values[named[0]])}; if that is a class, give dataset.columns.keep_na_labels=true, "
            "else label these rows or remove them."
        )
    _check_classes(file, target, texts, origin)
    return np.array(texts.values, str)[texts.codes]


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
    for j, column in enumerate(columns):
        if column.role != "integer" or column.name in settings.with_role or values[0, j] not in (0, 1):
            continue
        if np.array_equal(values[:, j], np.arange(len(values)) + values[0, j]):
            raise InputError(
                f"{file.path}: column {shown(column.name)} counts the rows; leave it out with "
                f"dataset.columns.drop={listed([column.name])}, or keep it with "
                f"dataset.columns.numeric={listed([column.name])}."
            )


def _dialect(separator: str | None, decimal: str | None) -> tuple[str, str]:
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
    separator, decimal = _dialect(settings.get("separator"), settings.get("decimal"))
    known = ColumnSettings.parse(settings.get("columns") or {})
    file = read_file(user_path(str(path)), separator)
    absent = [column.name for column in columns if column.name not in file.frame.columns]
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise InputError(
            f"{path}: there is no column {shown(absent[0])}{more}, which the rows of the run have; the file "
            f"has {', '.join(map(shown, list(file.frame.columns)[:8]))}."
        )
    texts = pa.array(["", *MISSING, *known.missing], pa.string())
    frame = pd.DataFrame(
        {column.name: _without_missing(file.frame[column.name], texts) for column in columns}, copy=False
    )
    return cells(frame, columns, Origin(file.place, decimal=decimal, fitted=True))
