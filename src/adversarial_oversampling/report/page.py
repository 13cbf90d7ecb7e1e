"""One self-contained HTML page of a report, with tables, pictures and every run. It makes no requests."""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from adversarial_oversampling.report.common import NA, SECTIONS, Cell, Table, rows_of
from adversarial_oversampling.report.figures import DARK, DPI, LIGHT, Picture, Theme, files
from adversarial_oversampling.report.render import alignments
from adversarial_oversampling.report.runs import PARTS
from adversarial_oversampling.results.display import OPTIMISTIC, seeds_text
from adversarial_oversampling.results.files import RESULT
from adversarial_oversampling.results.schema import METRICS
from adversarial_oversampling.text import capitalized, count, percent

INTRODUCTIONS = {
    "fs": "The tables behind the pictures are folded.",
    "statistics": "Tests over datasets, and intervals over the replicas of one dataset. The tables are "
    "folded.",
    "curves": "One picture per dataset, folded.",
}
FOLDED_PICTURES = ("curves",)
VERDICT_SECTION, RUNS_SECTION = "verdict", "runs"
CSS_PIXELS = 96  # per inch

TEXT_COLUMNS = ("method", "dataset", "fs", "variant", "protocol")
RUN_COLUMNS = (
    *TEXT_COLUMNS,
    "epochs",
    "seeds",
    *METRICS.values(),
    "optimism",
    "settings compared",
    "parameters",
    "seconds",
    "file",
)


@dataclass(frozen=True)
class Item:
    """A cell of the table of runs.

    Attributes
    ----------
    text : str
    key : float or str
        Value to sort by; an empty text is sorted last.
    link : str
        Address of a file; empty if there is none.
    """

    text: str
    key: float | str
    link: str = ""


@dataclass(frozen=True)
class Entry:
    """A line of the table of runs.

    Attributes
    ----------
    dataset, method, protocol : str
        Values to filter by.
    items : tuple of Item
        In the order of `RUN_COLUMNS`.
    optimistic : bool
    facts : tuple of (str, str)
        Names and texts of the details.
    """

    dataset: str
    method: str
    protocol: str
    items: tuple[Item, ...]
    optimistic: bool
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Line:
    """A row of a table; its first cell spans the following rows without a first cell."""

    head: Cell | None
    span: int
    cells: tuple[Cell, ...]
    new_group: bool


@dataclass(frozen=True)
class Inlined:
    """A picture with its size in CSS pixels and its files as data URIs."""

    picture: Picture
    width: int
    height: int
    light: str
    dark: str


@dataclass(frozen=True)
class Section:
    """A section of the page: its tables and pictures, in order."""

    name: str
    heading: str
    introduction: str
    blocks: Sequence[Table | Inlined]


def lines(table: Table) -> list[Line]:
    """Return the rows of a table for the page."""
    rows = []
    for i, row in enumerate(table.rows):
        span = 1
        while i + span < len(table.rows) and not table.rows[i + span][0].text:
            span += 1
        head = row[0] if row[0].text or i == 0 else None
        rows.append(Line(head, span, row[1:], i in table.groups and i > 0))
    return rows


def labels(table: Table) -> int:
    """Return the number of columns that say what a row is; they stay in view when the others scroll."""
    for i, alignment in enumerate(alignments(table)):
        if alignment == "right":
            return max(i, 1)
    return 1


def blocks(section: str, tables: Sequence[Table], pictures: Sequence[Inlined]) -> list[Table | Inlined]:
    """Return the tables and pictures of a section: setting by setting in the verdict, else pictures first."""
    of_tables = [table for table in tables if table.section == section]
    of_pictures = [picture for picture in pictures if picture.picture.section == section]
    if section != VERDICT_SECTION:
        return [*of_pictures, *of_tables]
    settings = dict.fromkeys([table.setting for table in of_tables])
    ordered: list[Table | Inlined] = []
    for setting in settings:
        ordered += [table for table in of_tables if table.setting == setting]
        ordered += [picture for picture in of_pictures if picture.picture.setting == setting]
    return ordered


def entries(frame: pd.DataFrame, folder: Path) -> list[Entry]:
    """Return every run as a line of the table of runs.

    Parameters
    ----------
    frame : DataFrame
        The run frame.
    folder : Path
        Folder of the page, from which links to files start.
    """
    return [_entry(run, folder) for run in rows_of(frame)]


def _entry(run: Any, folder: Path) -> Entry:
    variant = "; ".join(run.variant)
    folds = f", {count(run.folds, 'fold')}" if run.folds else ""
    items = [
        Item(run.title, run.title),
        Item(run.dataset_title, run.dataset_title),
        Item(run.fs.replace("_", " "), run.rate),
        Item(NA if run.na is not None else variant or "none", variant),
        Item(f"{run.protocol}{folds}", run.protocol),
        _number_item(run.epochs),
        Item(seeds_text(run.seeds).removeprefix("seeds ").removeprefix("seed "), len(run.seeds)),
    ]
    for metric in METRICS:
        value = getattr(run, metric)
        text = NA if run.na is not None else percent(value, getattr(run, f"{metric}_std"))
        items.append(Item(text, "" if pd.isna(value) else value))
    items += [
        Item("", "") if pd.isna(run.optimism) else Item(f"{100 * run.optimism:+.2f}", run.optimism),
        _number_item(run.settings_compared),
        _number_item(run.parameters or float("nan")),
        Item("", "") if pd.isna(run.seconds) else Item(f"{run.seconds:.1f}", run.seconds),
        Item(RESULT, run.config_hash, _link(Path(run.folder) / RESULT, folder))
        if run.folder is not None
        else Item("in an earlier report", run.config_hash),
    ]
    facts = [
        ("variant", variant or "none"),
        ("NA", run.na or ""),
        ("replicas without a result", "" if run.na else "; ".join(run.reasons_without_value)),
        ("epoch", run.epoch_selection),
        ("game", run.gan_type or ""),
        ("classes, the largest first", ", ".join(run.classes)),
        *((f"{part} rows", _spaced_counts(getattr(run, f"rows_{part}"))) for part in PARTS),
        ("hash", run.config_hash),
    ]
    return Entry(
        run.dataset_title,
        run.title,
        run.protocol,
        tuple(items),
        bool(run.optimistic),
        tuple((name, text) for name, text in facts if text),
    )


def _link(file: Path, folder: Path) -> str:
    """Return the address of a file, relative to a folder so that both can be moved together."""
    return quote(os.path.relpath(file, folder).replace(os.sep, "/"))


def _number_item(value: float) -> Item:
    return Item("", "") if pd.isna(value) else Item(f"{value:,.0f}", value)


def _spaced_counts(rows: Sequence[int]) -> str:
    return " / ".join(map(str, rows)) if sum(rows) else ""


def inlined(picture: Picture, folder: Path) -> Inlined:
    """Return a picture with its files as data URIs."""
    png, _ = files(picture, LIGHT)
    with Image.open(folder / png) as image:
        width, height = (round(pixels * CSS_PIXELS / DPI) for pixels in image.size)
    return Inlined(
        picture, width, height, _data_uri(picture, LIGHT, folder), _data_uri(picture, DARK, folder)
    )


def _data_uri(picture: Picture, theme: Theme, folder: Path) -> str:
    """Return the smaller of a picture's PNG and SVG files as a data URI."""
    names = zip(("image/png", "image/svg+xml"), files(picture, theme), strict=True)
    contents = [(kind, (folder / name).read_bytes()) for kind, name in names]
    kind, content = min(contents, key=lambda pair: len(pair[1]))
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def flag(text: str) -> Markup:
    """Return a text in which the word OPTIMISTIC stands out."""
    badge = Markup(f'<strong class="badge">{OPTIMISTIC}</strong>')
    return escape(text).replace(f"({OPTIMISTIC})", badge).replace(f"{OPTIMISTIC}:", badge + ":")


def render(
    tables: Sequence[Table],
    pictures: Sequence[Inlined],
    frame: pd.DataFrame,
    made_of: Mapping[str, Any],
    folder: Path,
    when: datetime,
) -> str:
    """Return the page as text.

    Parameters
    ----------
    tables : sequence of Table
        Those of the section "runs" are left out: the page has a table of its own for them.
    pictures : sequence of Inlined
    frame : DataFrame
        The run frame.
    made_of : mapping
        The report's record.
    folder : Path
        Folder of the report, in which the page lies beside the folders of tables and figures.
    when : datetime
        Time of the report.
    """
    environment = Environment(
        loader=PackageLoader("adversarial_oversampling.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"flag": flag, "capitalized": capitalized}
    environment.tests["table"] = lambda block: isinstance(block, Table)
    all_entries = entries(frame, folder)
    sections = [
        Section(name, heading, INTRODUCTIONS.get(name, ""), blocks(name, tables, pictures))
        for name, heading in SECTIONS.items()
        if name != RUNS_SECTION
    ]
    choices = {
        part: list(dict.fromkeys(getattr(entry, part) for entry in all_entries))
        for part in ("dataset", "method")
    }
    return environment.get_template("page.html.jinja").render(
        when=when,
        settings=[
            (setting, count(number, "run"))
            for setting, number in frame.groupby("setting", sort=False).size().items()
        ],
        datasets=list(dict.fromkeys(frame["dataset_title"])),
        versions=made_of["versions"],
        devices=made_of["devices"],
        sections=[section for section in sections if section.blocks],
        protocols=dict(zip(frame["setting"], frame["protocol"], strict=True)),
        runs_heading=SECTIONS[RUNS_SECTION],
        folded_pictures=FOLDED_PICTURES,
        lines=lines,
        alignments=alignments,
        labels=labels,
        light_files=lambda picture: files(picture, LIGHT),
        entries=all_entries,
        choices=choices,
        columns=RUN_COLUMNS,
        text_columns=TEXT_COLUMNS,
        themes=(LIGHT, DARK),
    )


def write(
    path: Path,
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    frame: pd.DataFrame,
    made_of: Mapping[str, Any],
    folder: Path,
    when: datetime,
) -> None:
    """Write the page; the pictures' files lie in the folder `figures` beside it.

    Parameters
    ----------
    path : Path
        The page.
    tables : sequence of Table
    pictures : sequence of Picture
    frame : DataFrame
        The run frame.
    made_of : mapping
        The report's record.
    folder : Path
        Folder to which the page, its tables and figures will be moved.
    when : datetime
        Time of the report.
    """
    with_files = [inlined(picture, path.parent / "figures") for picture in pictures]
    path.write_text(render(tables, with_files, frame, made_of, folder, when), "utf-8")
