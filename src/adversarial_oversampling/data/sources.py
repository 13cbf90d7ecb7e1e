"""The paper's six datasets.

Each loader is the ``_target_`` of a file in ``conf/dataset``. It reads the dataset's original files from
``paths.data_dir`` if they are there; otherwise Haberman, Pima and Yeast come from the copies inside the
package, and SECOM, Wafer and Credit are downloaded once into ``paths.cache_dir``. Wherever a table comes
from, its parsed values must match a digest pinned here; a download is kept only if they do.
"""

import io
import logging
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import requests
import urllib3
from numpy.typing import ArrayLike, NDArray
from pooch.utils import unique_file_name
from tqdm.auto import tqdm

from adversarial_oversampling.data.cache import keep
from adversarial_oversampling.data.table import Column, Table, order_classes
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.text import user_path

SECOM_URL = "https://archive.ics.uci.edu/static/public/179/secom.zip"
WAFER_URL = "https://www.timeseriesclassification.com/aeon-toolkit/Wafer.zip"
CREDIT_URL = "https://data.openml.org/datasets/0004/46929/dataset_46929.pq"

MOST_SECONDS = 600.0
"""For the whole of a download."""
MOST_BYTES = 2**28
"""Of a download, and of a file in an archive."""
_SILENCE = 30.0  # seconds for which a server may send nothing

PUBLISHED = {
    "secom": "46d0ef30f719bb53d69c809dc40b4ae30522dae1deb11b54362d8d99e25ba9bd",
    "pima": "ad0d8f3e1e3ce57c25205dfaf97378e24ff9d7537765fbbbcd7b94152d6ad52d",
    "haberman": "d0c77a459a2d25225a97e688e8c344885ef99ed686c060a9da5f0a3f1de71068",
    "wafer": "6ddab74c58c018b73a664e8e60051cbdd52e60998378d20713846a87cf3dfe67",
    "credit": "2c5501ec5604e1b978603145b2659740e73307ee8a24a4e0944032fd4db3bcc3",
    "yeast": "a44fc357bd256cdb7990a7413eb350f22f32564c95cfbdda728e5842009c7a48",
}
"""`Table.digest` of each published table.

It is taken over parsed values, so that line ends, separators and 1.5e+00 for 1.5 make no difference.
"""

_HINT = "delete it and fetch the published file again, or read a table of your own with dataset=table."
_SHIPPED = Path(__file__).parent / "files"

_log = logging.getLogger(__name__)

_PIMA_FEATURES = (
    "pregnancies",
    "glucose",
    "blood_pressure",
    "skin_thickness",
    "insulin",
    "bmi",
    "pedigree",
    "age",
)
_HABERMAN_FEATURES = ("age", "year", "nodes")
_YEAST_FEATURES = ("mcg", "gvh", "alm", "mit", "erl", "pox", "vac", "nuc")
_CREDIT_FEATURES = (
    "RevolvingUtilizationOfUnsecuredLines",
    "age",
    "NumberOfTime30-59DaysPastDueNotWorse",
    "DebtRatio",
    "MonthlyIncome",
    "NumberOfOpenCreditLinesAndLoans",
    "NumberOfTimes90DaysLate",
    "NumberRealEstateLoansOrLines",
    "NumberOfTime60-89DaysPastDueNotWorse",
    "NumberOfDependents",
)
_CREDIT_TARGETS = ("SeriousDlqin2yrs", "FinancialDistressNextTwoYears")
_CREDIT_LABELS = {"0": "0", "1": "1", "No": "0", "Yes": "1"}


def published_name(table: Table) -> str | None:
    """Return the published dataset whose values a table has; None for any other table."""
    if {column.role for column in table.columns} <= {"integer", "numeric"}:
        # Whole numbers have a role of their own only in a table of the user, whose values may be published.
        table = replace(table, columns=tuple(map(Column, table.feature_names)))
    return next((name for name, digest in PUBLISHED.items() if digest == table.digest), None)


def load_secom(data_dir: str | None, cache_dir: str, url: str | None = None) -> Table:
    """Load SECOM (UCI 179): 1567 rows, 590 features, 41,951 missing values; class 1, a failed unit, is rare.

    Parameters
    ----------
    data_dir : str or None
        Folder with ``secom.data`` and ``secom_labels.data``.
    cache_dir : str
        Folder for the downloaded archive.
    url : str, optional
        Another address of a zip with the two files.

    Raises
    ------
    InputError
        If the files are missing, unreadable or altered, or the download fails.
    """
    names = ("secom.data", "secom_labels.data")
    files = _local(data_dir, names)
    if files is not None:
        return _secom(files)
    return _downloaded("secom", url or SECOM_URL, cache_dir, names, _secom, names)


def _secom(files: Sequence["_File"]) -> Table:
    x = _frame(files[0], r"\s+", 590)
    labels = _frame(files[1], r"\s+", 2, text_columns=(1,))[0]
    return _published(files, "secom", x, _as_text(labels), [f"sensor_{i}" for i in range(590)])


def load_pima(data_dir: str | None, cache_dir: str | None = None) -> Table:
    """Load Pima Indians Diabetes: 768 rows, 8 features; class 1, diabetes, is rare.

    Zeros stay as they are: five columns code a missing value as 0, and the paper does not treat them.

    Parameters
    ----------
    data_dir : str or None
        Folder with ``pima-indians-diabetes.csv``; without it the package's own copy is read.
    cache_dir : str or None
        Not used: nothing is downloaded. All six loaders take the same two folders.

    Raises
    ------
    InputError
        If the file is unreadable or altered.
    """
    file = _local_or_shipped(data_dir, "pima-indians-diabetes.csv")
    frame = _frame(file, ",", 9)
    return _published([file], "pima", frame.iloc[:, :8], _as_text(frame[8]), _PIMA_FEATURES)


def load_haberman(data_dir: str | None, cache_dir: str | None = None) -> Table:
    """Load Haberman's Survival (UCI 43): 306 rows, 3 features; class 2, died within five years, is rare.

    Parameters
    ----------
    data_dir : str or None
        Folder with ``haberman.data``; without it the package's own copy is read.
    cache_dir : str or None
        Not used: nothing is downloaded.

    Raises
    ------
    InputError
        If the file is unreadable or altered.
    """
    file = _local_or_shipped(data_dir, "haberman.data")
    frame = _frame(file, ",", 4)
    return _published([file], "haberman", frame.iloc[:, :3], _as_text(frame[3]), _HABERMAN_FEATURES)


def load_yeast(data_dir: str | None, cache_dir: str | None = None) -> Table:
    """Load Yeast (UCI 110): 1484 rows, 8 features, ten classes from 463 rows (CYT) to 5 (ERL).

    Parameters
    ----------
    data_dir : str or None
        Folder with ``yeast.data``; without it the package's own copy is read.
    cache_dir : str or None
        Not used: nothing is downloaded.

    Raises
    ------
    InputError
        If the file is unreadable or altered.
    """
    file = _local_or_shipped(data_dir, "yeast.data")
    frame = _frame(file, r"\s+", 10, text_columns=(0, 9))
    return _published([file], "yeast", frame.iloc[:, 1:9], list(frame[9].astype(str)), _YEAST_FEATURES)


def load_wafer(data_dir: str | None, cache_dir: str, url: str | None = None) -> Table:
    """Load Wafer (UCR archive): 1000 training rows, then 6164 test rows, 152 time steps; class -1 is rare.

    Parameters
    ----------
    data_dir : str or None
        Folder with ``Wafer_TRAIN.tsv`` and ``Wafer_TEST.tsv``.
    cache_dir : str
        Folder for the downloaded archive.
    url : str, optional
        Another address of a zip with ``Wafer_TRAIN.txt`` and ``Wafer_TEST.txt``, separated by white space.

    Raises
    ------
    InputError
        If the files are missing, unreadable or altered, or the download fails.
    """
    names = ("Wafer_TRAIN.tsv", "Wafer_TEST.tsv")
    files = _local(data_dir, names)
    if files is not None:
        return _wafer(files)
    in_zip = ("Wafer_TRAIN.txt", "Wafer_TEST.txt")
    return _downloaded("wafer", url or WAFER_URL, cache_dir, names, _wafer, in_zip)


def _wafer(files: Sequence["_File"]) -> Table:
    parts = [_frame(file, r"\s+", 153) for file in files]
    frame = pd.concat(parts, ignore_index=True)
    test_rows = np.arange(len(parts[0]), len(frame), dtype=np.int64)
    features = [f"t{i}" for i in range(152)]
    return _published(files, "wafer", frame.iloc[:, 1:], _as_text(frame[0]), features, test_rows)


def load_credit(data_dir: str | None, cache_dir: str, url: str | None = None) -> Table:
    """Load Give Me Some Credit: 150,000 rows, 10 features, two of them with missing values; class 1 is rare.

    Parameters
    ----------
    data_dir : str or None
        Folder with Kaggle's ``cs-training.csv``.
    cache_dir : str
        Folder for the downloaded file.
    url : str, optional
        Another address: of a parquet file as at OpenML, or a CSV file as Kaggle's. Columns are read by name,
        so their order and an index column make no difference.

    Raises
    ------
    InputError
        If the file is missing, unreadable or altered, or the download fails.
    """
    names = ("cs-training.csv",)
    files = _local(data_dir, names)
    if files is not None:
        return _credit(files)
    note = " (Kaggle's cs-training.csv needs an account)"
    return _downloaded("credit", url or CREDIT_URL, cache_dir, names, _credit, note=note)


def _credit(files: Sequence["_File"]) -> Table:
    (file,) = files
    buffer = io.BytesIO(file.content)
    with parsing(file.where, file.way_out, "cannot be parsed"):
        frame = pd.read_parquet(buffer) if file.content.startswith(b"PAR1") else pd.read_csv(buffer)
        targets = [column for column in _CREDIT_TARGETS if column in frame.columns]
        missing = [column for column in _CREDIT_FEATURES if column not in frame.columns]
        if missing or not targets:
            absent = missing or [_CREDIT_TARGETS[0]]
            raise InputError(f"{file.where}: no column {', '.join(absent)}; {file.way_out}")
        labels = frame[targets[0]].astype(str).map(_CREDIT_LABELS).fillna("?")
        x = frame[list(_CREDIT_FEATURES)].to_numpy(np.float64, na_value=np.nan)
    return _published(files, "credit", x, list(labels), _CREDIT_FEATURES)


@dataclass(frozen=True)
class _File:
    """A file with its name in messages, and what to do if it is not the published one."""

    where: str
    content: bytes
    way_out: str = _HINT


def _read(path: Path) -> _File:
    with parsing(path, "check its permissions.", "cannot be read"):
        return _File(str(path), path.read_bytes())


def _local(data_dir: str | None, names: Sequence[str]) -> list[_File] | None:
    """Return the named files in `data_dir`; None if there is no `data_dir` or it has none of them."""
    if not data_dir:
        return None
    folder = user_path(data_dir)
    if not folder.is_dir():
        raise InputError(
            f"paths.data_dir: there is no folder {folder}; create it, correct the path "
            "(or ADVERSARIAL_OVERSAMPLING_DATA_DIR), or set it to null."
        )
    missing = [name for name in names if not (folder / name).is_file()]
    if len(missing) == len(names):
        return None
    if missing:
        raise InputError(
            f"paths.data_dir: {folder} lacks {', '.join(missing)}; "
            f"{', '.join(names)} belong together, put all or none of them there."
        )
    return [_read(folder / name) for name in names]


def _local_or_shipped(data_dir: str | None, name: str) -> _File:
    files = _local(data_dir, (name,))
    return _read(_SHIPPED / name) if files is None else files[0]


def _downloaded(
    name: str,
    url: str,
    cache_dir: str,
    wanted: Sequence[str],
    parse: Callable[[Sequence[_File]], Table],
    members: Sequence[str] = (),
    note: str = "",
) -> Table:
    """Return the table of a file in the cache, or else of a download, which is then kept there.

    What does not have the published values does not enter the cache. With `members`, the file is a zip of
    them.
    """

    def table_of(file: _File) -> Table:
        return parse(_members(file, members) if members else [file])

    way_out = (
        f"put {' and '.join(wanted)} into a folder{note} and name it in paths.data_dir or "
        "ADVERSARIAL_OVERSAMPLING_DATA_DIR."
    )
    no_download = partial(parsing, f"dataset {name}: {url}", way_out, "could not be downloaded")
    with no_download():
        path = user_path(cache_dir) / unique_file_name(url)
    if path.is_file():
        try:
            return table_of(_read(path))
        except InputError as error:
            _log.warning("The cache is not used and the file is downloaded again: %s", error)
    with no_download():
        content = _fetched(url)
    table = table_of(_File(f"dataset {name}: the download from {url}", content, way_out))
    keep(path, lambda file: file.write(content))
    return table


def _fetched(url: str) -> bytes:
    """Download a file within limits of size and, for the whole of it, of time."""
    _log.info("Downloading %s.", url)
    content, end = bytearray(), time.monotonic() + MOST_SECONDS
    # What a server compresses would have no known length.
    answer = requests.get(url, stream=True, timeout=_SILENCE, headers={"Accept-Encoding": "identity"})
    with answer, tqdm(unit="B", unit_scale=True, disable=None, leave=False) as bar:
        answer.raise_for_status()
        raw: urllib3.HTTPResponse = answer.raw
        bar.total = raw.length_remaining
        # read1 returns what has arrived, so that the limit of time is checked.
        while part := raw.read1(2**16, decode_content=False):
            content += part
            bar.update(len(part))
            if time.monotonic() > end:
                raise TimeoutError(f"it takes longer than {MOST_SECONDS:g} seconds")
            if len(content) > MOST_BYTES:
                raise OverflowError(f"it is larger than {MOST_BYTES} bytes")
    return bytes(content)


def _members(archive: _File, names: Sequence[str]) -> list[_File]:
    with (
        parsing(archive.where, archive.way_out, f"is no zip with {' and '.join(names)}"),
        zipfile.ZipFile(io.BytesIO(archive.content)) as opened,
    ):
        found = {Path(member.filename).name: member for member in opened.infolist()}
        files = []
        for name in names:
            if found[name].file_size > MOST_BYTES:
                raise OverflowError(f"{name} is larger than {MOST_BYTES} bytes")
            files.append(_File(f"{archive.where}/{name}", opened.read(found[name]), archive.way_out))
        return files


def _frame(file: _File, separator: str, n_columns: int, text_columns: Sequence[int] = ()) -> pd.DataFrame:
    """Parse a file without a header; every column is float64 but the text columns."""
    dtypes = {i: str if i in text_columns else np.float64 for i in range(n_columns)}
    with parsing(file.where, file.way_out, "cannot be parsed"):
        frame = pd.read_csv(io.BytesIO(file.content), sep=separator, header=None, dtype=dtypes)
    if frame.shape[1] != n_columns:
        raise InputError(f"{file.where}: {frame.shape[1]} columns, not {n_columns}; {file.way_out}")
    return frame


def _published(
    files: Sequence[_File],
    name: str,
    x: ArrayLike,
    labels: Sequence[str],
    columns: Sequence[str],
    test_rows: NDArray[np.int64] | None = None,
) -> Table:
    """Return the table if its digest is the published one, and raise an InputError otherwise.

    The checks of `make_table` are not needed: an equal digest means equal values.
    """
    values = np.asarray(x, dtype=np.float64)
    if len(values) == len(labels):
        table = order_classes(name, values, labels, columns, test_rows)
        if table.digest == PUBLISHED[name]:
            return table
    where = " and ".join(file.where for file in files)
    raise InputError(f"{where}: the values are not those of the published {name} table; {files[0].way_out}")


def _as_text(column: "pd.Series[float]") -> list[str]:
    """Return numeric labels as text: 1.0 gives "1"."""
    return [format(value, "g") for value in column]
