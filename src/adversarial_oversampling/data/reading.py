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
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
from numpy.typing import NDArray

from adversarial_oversampling.config.resources import available_memory
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
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.text import count, one_line, shown, user_path

MISSING = ("NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan", "-NaN", "NULL", "null", "None")
"""Texts that mean a missing cell of a CSV file, beside the empty cell."""
SEPARATORS = {",": ",", ";": ";", "\t": "tab", "|": "|", " ": "space", ":": ":"}
"""Characters that may separate the cells of a CSV file, and how settings and messages call them."""
MOST_CLASSES = 100
_MOST_FRACTIONS = 10  # a target with more different numbers that are not whole looks continuous
_NO_LABELS = {"?", *(word.casefold() for word in MISSING)}  # what may mean a missing label, in any case
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINES_TO_GUESS = 20  # lines in which another separator is looked for
_INTEGERS = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}  # with missing cells too


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
    index : sequence of str
        The columns that were the index of a data frame.
    content : bytes or None
        Of a CSV file, from which the line of a row is found.
    separator : str
    """

    path: Path
    frame: pd.DataFrame
    nameless: Sequence[str] = ()
    index: Sequence[str] = ()
    content: bytes | None = None
    separator: str = ","

    @property
    def typed(self) -> bool:
        """Whether the file tells what is missing, as Parquet and Feather do."""
        return self.content is None

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
    given = _features(file, str(target), settings)
    ordered = settings.ordinal
    texts = {name: settings.missing_texts(name, ordered.get(name, ()), file.typed) for name in given.columns}
    features, found = _without_missing(given, texts, decimal)
    labels = _labels(file, str(target), settings, origin)
    known = columns_of(features, settings.roles, origin)
    refuse_empty_columns(features, origin, f"{file.path}: ")
    values = cells(features, known, origin)
    _refuse_row_numbers(file, values, known, settings)
    notes = _notes(file, str(target), settings, known, found, decimal)
    return replace(make_table(name, values, labels, known), notes=tuple(notes))


def read_file(
    path: Path,
    separator: str = ",",
    sha256: str | None = None,
    setting: str = "",
    fitted: bool = False,
) -> File:
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
    fitted : bool
        Whether the rows are new ones for a table that is known, so that no setting can be changed.

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
    return _csv(_Csv(path, content.removeprefix(_BYTE_ORDER_MARK), separator, fitted))


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
        table = read(io.BytesIO(content))
        written = (table.schema.pandas_metadata or {}).get("index_columns") or []
        index = [name for name in written if isinstance(name, str)]  # a range is no column
        frame = table.to_pandas(ignore_metadata=True, types_mapper=_INTEGERS.get)
    columns = [str(name) for name in frame.columns]
    if repeated := [name for name in columns if columns.count(name) > 1]:
        raise InputError(f"{path}: there are two columns called {shown(repeated[0])}; rename one of them.")
    if not len(frame):
        raise InputError(f"{path}: the table has no rows.")
    names, nameless = _named(columns)
    return File(path, frame.set_axis(names, axis=1), nameless, [name for name in names if name in index])


@dataclass(frozen=True)
class _Csv:
    """A CSV file before it is taken apart.

    `fitted` tells whether the separator is that of a table that is known; else a setting gives it.
    """

    path: Path
    content: bytes
    separator: str
    fitted: bool

    def separated_by(self, other: str) -> str:
        """Return what to do about another separator."""
        if self.fitted:
            return f"write the file with the separator of the run's table, {SEPARATORS[self.separator]!r}"
        called = SEPARATORS[other]
        return f"give dataset.separator={called if called.isalpha() else repr(called)}"


def _csv(file: _Csv) -> File:
    _check_encoding(file.path, file.content)
    _check_first_line(file)
    header = _check_structure(file)
    names, nameless = _named([cell.strip() for cell in header])
    texts = {name: pa.string() for name in names}
    with parsing(file.path, "check the line that this names.", "cannot be read as CSV"):
        table = pa.csv.read_csv(
            io.BytesIO(file.content),
            pa.csv.ReadOptions(column_names=names, block_size=min(len(file.content) + 1, 2**30)),
            pa.csv.ParseOptions(delimiter=file.separator, newlines_in_values=True),
            pa.csv.ConvertOptions(column_types=texts, strings_can_be_null=False),
        )
    # The header is the first row, since a name in quotes may span lines.
    frame = table.slice(1).to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get)
    return File(file.path, frame, nameless, (), file.content, file.separator)


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


def _check_first_line(file: _Csv) -> None:
    if first := re.match(rb'"?(sep=(.))"?\s*[\r\n]', file.content, re.I):
        line, other = first[1].decode(), first[2].decode()
        also = ""
        if other in SEPARATORS and other != file.separator:
            also = f", and {file.separated_by(other)}"
        raise InputError(
            f"{file.path}, line 1: {shown(line)} is a note for Excel, not the header; remove this line{also}."
        )


def _check_structure(file: _Csv) -> list[str]:
    """Return the header of a CSV file in which every record has as many cells as the header.

    The csv module reads the whole file, which takes a few seconds for twenty million cells, so that stray
    quotes and line breaks in quotes cannot shift cells unnoticed.
    """
    records = _records(file.content, file.separator)
    if re.search(b'[ \t\xa0]"', file.content):  # few files have any, and cells take longer
        records = _without_late_quotes(file, records)
    line = 0
    try:
        line, header = next(records)
        _check_header(file, line, header)
        line, width = 0, len(header)
        for line, record in records:
            if len(record) != width:
                raise _unequal(file, line, record, header)
    except csv.Error as error:
        where = f" after line {line}" if line else ""
        raise InputError(f"{file.path}{where}: {one_line(error)}; check the quotes.") from error
    if not line:
        raise InputError(f"{file.path}: there is a header but no row.")
    return header


def _without_late_quotes(
    file: _Csv, records: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    """Yield records until a cell has a quote after a blank, where it does not begin a text in quotes."""
    blank = re.compile('[ \t\u00a0]+"'.replace(file.separator, ""))
    for line, record in records:
        if cell := next(filter(blank.match, record), None):
            raise InputError(
                f"{file.path}, line {line}: {shown(cell)} has a blank before its quotes, which makes them a "
                "part of the text; remove the blanks before quotes."
            )
        yield line, record


def _check_header(file: _Csv, line: int, header: Sequence[str]) -> None:
    names = [cell.strip() for cell in header]
    start = f"{file.path}, line {line}"
    if len(names) == 1:
        others = [other for other in SEPARATORS if other not in (file.separator, " ", ":")]
        if found := [other for other in others if other in header[0].strip()]:
            raise InputError(f"{start}: {_separated(file, found[0])}.")
    if all(is_number(name) for name in names):
        raise InputError(
            f"{start}: the file has no header: its first line holds only numbers, such as {shown(names[0])}; "
            "add a line with the names of the columns before it."
        )
    repeated = [name for name in names if name and names.count(name) > 1]
    if repeated:
        raise InputError(f"{start}: there are two columns called {shown(repeated[0])}; rename one of them.")


def _unequal(file: _Csv, line: int, record: Sequence[str], header: Sequence[str]) -> InputError:
    start = f"{file.path}, line {line}: {count(len(record), 'cell')} where the header has {len(header)}"
    if other := _other_separator(file):
        return InputError(f"{start}: {_separated(file, other)}.")
    text = shown(file.separator.join(record))
    if len(record) < len(header):
        return InputError(f"{start}: {text}; add the cells that lack, empty ones if they are missing values.")
    called = SEPARATORS[file.separator]
    if not record[-1].strip():
        return InputError(f"{start}: {text}; remove the separator ({called}) at the end of the line.")
    return InputError(f"{start}: {text}; put a cell that contains the separator ({called}) in quotes.")


def _other_separator(file: _Csv) -> str | None:
    """Return a separator that divides the first lines into equally many cells, if there is one."""
    lines = [line for line in file.content[: 1 << 20].splitlines() if line.strip()][:_LINES_TO_GUESS]
    for other in SEPARATORS:
        numbers = {line.count(other.encode()) for line in lines}
        if other not in (file.separator, " ", ":") and len(numbers) == 1 and 0 not in numbers:
            return other
    return None


def _separated(file: _Csv, other: str) -> str:
    """Return the words for a file with another separator, and for its decimal commas if it has some."""
    way_out = file.separated_by(other)
    signs = (re.escape(other.encode()),) * 2
    comma = re.search(rb"(?:^|%b)[+-]?\d+,\d+\s*(?:%b|$)" % signs, file.content, re.M)
    if comma and other != "," and not file.fitted:
        way_out += " dataset.decimal=','"
    return f"the cells are separated by {SEPARATORS[other]!r}, not {SEPARATORS[file.separator]!r}; {way_out}"


def _features(file: File, target: str, settings: ColumnSettings) -> pd.DataFrame:
    """Return the columns but the target and those that are left out."""
    names = list(file.frame.columns)
    available = ", ".join(map(shown, names[:8])) + ", ..." * (len(names) > 8)
    if target not in names:
        raise InputError(f"dataset.target: {file.path} has no column {shown(target)}; it has {available}.")
    for key, listing in {"drop": settings.drop, "keep_na": settings.keep_na}.items():
        if absent := [name for name in listing if name not in names]:
            raise InputError(
                f"dataset.columns.{key}: {file.path} has no column {shown(absent[0])}; it has {available}."
            )
    for name in (*settings.drop, *settings.with_role, *settings.keep_na):
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
    index = _index(file, target, settings)
    kept = file.frame.drop(columns=[target, *settings.drop, *index])
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


def _index(file: File, target: str, settings: ColumnSettings) -> list[str]:
    """Return the columns that are left out as the index of a data frame, which may tell the order of rows."""
    known = {target, *settings.drop, *settings.with_role}
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
    file: File, target: str, settings: ColumnSettings, columns: Sequence[Column], found: Found, decimal: str
) -> Iterator[str]:
    """Yield what was left out or taken for missing, and may not be meant so."""
    if index := _index(file, target, settings):
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


def _labels(file: File, target: str, settings: ColumnSettings, origin: Origin) -> NDArray[np.str_]:
    series = file.frame[target]
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.cat.remove_unused_categories()
    try:
        texts = texts_of(series)
    except TypeError as error:
        raise InputError(f"dataset.target: column {shown(target)} of {file.path} holds {error}.") from error
    missing = places_among(series, ["", *settings.missing], origin.decimal) >= 0
    missing |= texts.codes < 0
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
