"""What tables, statistics and figures share: cells, footnotes, and selections of the data frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.report.runs import without_version
from adversarial_oversampling.text import capitalized, slug

SECTIONS = {
    "verdict": "Verdict",
    "claims": "The paper's claims",
    "results": "Results",
    "modes": "Methods side by side",
    "ablations": "Ablations",
    "fs": "Oversampling rates",
    "statistics": "Statistics",
    "rows": "Real and generated rows",
    "curves": "Training curves",
    "runs": "Every run",
}
"""Sections of a report, in order, with their headings."""
MAIN_METRICS = ("acsa", "g_mean")
"""The metrics of the paper."""
NOT_RUN, NA = "-", "NA"


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes
    ----------
    text : str
    bold : bool
    marks : tuple of str
        Letters of its footnotes.
    """

    text: str
    bold: bool = False
    marks: tuple[str, ...] = ()


Row = tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table for readers, and the same as plain data.

    Attributes
    ----------
    name : str
        Name of its files, without the extension.
    section : str
        One of `SECTIONS`.
    title : str
        One line.
    caption : str
        How it was measured and how to read it.
    columns : tuple of str
    rows : tuple of Row
        Empty if there is no result; the caption then gives the reason.
    footnotes : tuple of (str, str)
        Letter and text; the letter is empty for a remark on the whole table.
    data : DataFrame
        Content of the CSV file: plain numbers, a row per run or comparison.
    groups : tuple of int
        Rows at which a new group begins.
    lead : str
        What the table says, in a few sentences.
    setting : str
        Its comparison setting.
    folded : bool
        Whether the page shows only its title until it is opened.
    """

    name: str
    section: str
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[tuple[str, str], ...]
    data: pd.DataFrame
    groups: tuple[int, ...] = ()
    lead: str = ""
    setting: str = ""
    folded: bool = False


@dataclass
class Footnotes:
    """Footnotes of a table, in the order of their first use.

    Attributes
    ----------
    letters : dict of str to str
        Letter of each text.
    remarks : list of str
        Remarks on the whole table.
    """

    letters: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def mark(self, text: str) -> str:
        """Return the letter of a footnote; a text that is used again keeps its letter."""
        return self.letters.setdefault(text, _letter(len(self.letters)))

    def all(self) -> tuple[tuple[str, str], ...]:
        """Return letters and texts, then the remarks without a letter."""
        lettered = [(letter, text) for text, letter in self.letters.items()]
        return (*lettered, *(("", text) for text in self.remarks))


def _letter(index: int) -> str:
    """Return the letter of a footnote: a to z, then aa, ab and so on."""
    quotient, remainder = divmod(index, 26)
    return (_letter(quotient - 1) if quotient else "") + chr(ord("a") + remainder)


def file_name(text: str) -> str:
    """Return a text as the name of a file, without extension."""
    return slug(text.lower())


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """Return the rows of a frame as named tuples."""
    return list(frame.itertuples())


def by_setting(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return every comparison setting with its rows."""
    return [(str(setting), group) for setting, group in frame.groupby("setting", sort=False)]


def by_setting_and_dataset(frame: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Return every comparison setting and title of a dataset with their rows."""
    return [
        (setting, str(group["dataset_title"].iloc[0]), group)
        for setting, runs in by_setting(frame)
        for _, group in runs.groupby("dataset", sort=False)
    ]


def repeated_tables(frame: pd.DataFrame) -> dict[str, str]:
    """Return the titles of tables that are an earlier one or a version of it, each with how it is.

    They are not independent of it, so tests and counts over datasets leave them out.
    """
    first: dict[str, str] = {}
    repeated = {}
    for row in rows_of(frame.drop_duplicates("dataset").sort_values(["dataset_order", "dataset"])):
        title, name = row.dataset_title, without_version(row.dataset, row.table_digest)
        if row.table_digest in first:
            repeated[title] = f"the same table as {first[row.table_digest]}"
        elif name in first:
            repeated[title] = f"a table of the same name as {first[name]}"
        first = {row.table_digest: title, name: title} | first
    return repeated


def mode_titles(frame: pd.DataFrame) -> dict[str, str]:
    """Return the modes of a frame with their titles, in the order of the tables."""
    modes = frame.drop_duplicates("mode").sort_values(["order", "mode"])
    return dict(zip(modes["mode"], modes["title"], strict=True))


def dataset_titles(frame: pd.DataFrame) -> dict[str, str]:
    """Return the datasets of a frame with their titles, in the order of the tables."""
    datasets = frame.drop_duplicates("dataset").sort_values(["dataset_order", "dataset"])
    return dict(zip(datasets["dataset"], datasets["dataset_title"], strict=True))


def has_default_settings(row: Any) -> bool:
    """Return whether a row of either frame is of a run with default settings: its variant is empty."""
    return not row.variant


def default_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of either frame that are of runs with default settings.

    Raises
    ------
    InputError
        If a mode has two runs on a dataset.
    """
    runs = frame[[has_default_settings(row) for row in rows_of(frame)]]
    check_unique(runs)
    return runs


def check_unique(frame: pd.DataFrame, keys: Sequence[str] = ()) -> None:
    """Raise an error if two runs agree in setting, dataset, mode and further columns.

    Raises
    ------
    InputError
        If two runs agree. The message names them.
    """
    identity = ["setting", "dataset", "mode", *keys]
    runs = frame.drop_duplicates("config_hash")
    repeated = runs[runs.duplicated(identity, keep=False)]
    if len(repeated):
        (setting, dataset, mode, *_), same = next(iter(repeated.groupby(identity, sort=False)))
        raise InputError(
            f"{mode} on {dataset}: several runs of the {setting} have the hashes "
            f"{', '.join(same['config_hash'])}; leave all but one out, or give each its own dataset.name."
        )


RunKey = tuple[str, str, frozenset[str]]
"""Dataset, mode and variant of a run."""


def default_run(dataset: str, mode: str) -> RunKey:
    """Return the key of a run with default settings."""
    return dataset, mode, frozenset()


def replicas_by_run(replicas: pd.DataFrame) -> dict[RunKey, pd.DataFrame]:
    """Return the replicas of every run of one comparison setting.

    Raises
    ------
    InputError
        If two runs have one key.
    """
    check_unique(replicas, ["variant"])
    runs = (run for _, run in replicas.groupby(["dataset", "mode", "variant"], sort=False))
    return {
        (str(first.dataset), str(first.mode), frozenset(first.variant)): run
        for run in runs
        for first in rows_of(run.head(1))
    }


def fs_sweeps(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of every mode that was run at two or more rates, with no other setting changed.

    Raises
    ------
    InputError
        If a mode has two runs at one rate.
    """
    only_fs = [all(setting.startswith("fs=") for setting in variant) for variant in frame["variant"]]
    runs = frame[only_fs]
    check_unique(runs, ["fs"])
    rates = runs.groupby(["setting", "dataset", "mode"])["fs"].transform("nunique")
    return runs[rates >= 2]


def measurement(frame: pd.DataFrame) -> str:
    """Return how the runs of one setting were measured: epochs, seeds, split, choice of the epoch, spread."""
    first = frame.iloc[0]
    choices = [text for text in dict.fromkeys(frame["epoch_selection"]) if not text.startswith("no epochs")]
    choice = f"; {' or '.join(choices)}" if choices else ""
    spread = (
        f"± is the standard deviation over {first['replicas']} replicas"
        if first["replicas"] > 1
        else "a single replica, so no spread"
    )
    return f"{capitalized(first['setting'])}{choice}. {_test_rows(frame)} Numbers are percentages; {spread}."


def _test_rows(frame: pd.DataFrame) -> str:
    """Return the part of the rows that each dataset is tested on."""
    datasets: dict[str, list[str]] = {}
    for row in rows_of(frame.drop_duplicates("dataset")):
        if row.fixed_split:
            text = "the archive's own, the same for every seed"
        else:
            tested = sum(row.rows_test)
            text = f"{tested / (tested + sum(row.rows_train) + sum(row.rows_validation)):.0%}"
        datasets.setdefault(text, []).append(row.dataset_title)
    parts = [f"{text} ({', '.join(names)})" for text, names in datasets.items()]
    return f"Test rows: {'; '.join(parts)}."


def no_epoch_remarks(frame: pd.DataFrame) -> list[str]:
    """Return a remark that names the methods without epochs if test rows choose the epoch of the others."""
    runs = frame[(frame["select_on"] == "test") & frame["na"].isna() & ~frame["optimistic"]]
    if runs.empty:
        return []
    return [
        f"{'; '.join(runs['title'].unique())}: no epoch to choose, so not optimistic; the choice on test "
        "rows favours the other methods."
    ]
