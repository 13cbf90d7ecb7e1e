"""Read a CSV, Parquet or Feather file as its author sees it, before its cells are interpreted.

A file that may be read in more than one way is refused with the first line that is in doubt and the way out.
"""

import csv
import gzip
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from adversarial_oversampling.config.resources import available_memory
from adversarial_oversampling.data.formats import is_number
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.text import count, one_line, shown

SEPARATORS = {",": ",", ";": ";", "\t": "tab", "|": "|", " ": "space", ":": ":"}
"""Characters that may separate the cells of a CSV file, and how settings and messages call them."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINES_TO_GUESS = 20  # lines in which another separator is looked for
_INTEGERS = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}  # with missing cells too


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
    reader = _reader(content, separator)
    line = 1
    for record in reader:
        if record:
            yield line, record
        line = reader.line_num + 1


def _reader(content: bytes, separator: str) -> Any:  # the class of csv has no public name
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
    return csv.reader(text, delimiter=separator, strict=True)


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
    if width == 1 and (empty := _empty_line(file)):
        raise InputError(
            f"{file.path}, line {empty}: the line is empty; in a file with one column, write a missing cell "
            'as "", or remove the line.'
        )
    return header


def _empty_line(file: _Csv) -> int:
    """Return the first empty line between two records, 0 if there is none."""
    reader = _reader(file.content, file.separator)
    next(record for record in reader if record)  # the header
    empty = 0
    for record in reader:
        if record and empty:
            return empty
        empty = empty or (0 if record else reader.line_num)
    return 0


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
