"""One self-contained HTML page of a report, with tables, pictures and every run. It makes no requests."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from adversarial_oversampling.report.common import NA, SECTIONS, Cell, Table, rows_of
from adversarial_oversampling.report.figures import DARK, DPI, LIGHT, Picture, Theme, files
from adversarial_oversampling.report.runs import PARTS, Run
from adversarial_oversampling.results.display import OPTIMISTIC, seeds_text
from adversarial_oversampling.results.schema import METRICS
from adversarial_oversampling.text import capitalized, count, percent

INTRODUCTIONS = {
    "fs": "The tables behind the pictures are folded.",
    "statistics": "Tests over datasets, and intervals over the replicas of one dataset. The tables are "
    "folded.",
    "curves": "One picture per dataset, folded.",
}
FOLDED_TABLES = ("fs", "statistics")
FOLDED_PICTURES = ("curves",)
RUNS_SECTION = "runs"
NUMBER = re.compile(r"[+-]?\d.*|[<=] .*|NA|-|undefined|")
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
)


@dataclass(frozen=True)
class Item:
    """A cell of the table of runs.

    Attributes
    ----------
    text : str
    key : float or str
        Value to sort by; an empty text is sorted last.
    """

    text: str
    key: float | str


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
    """A section of the page."""

    name: str
    heading: str
    introduction: str
    pictures: Sequence[Inlined]
    tables: Sequence[Table]


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


def numeric(table: Table) -> list[bool]:
    """Return for each column whether it holds numbers, which are aligned to the right."""
    return [
        all(NUMBER.fullmatch(row[i].text) for row in table.rows) and any(row[i].text for row in table.rows)
        for i in range(len(table.columns))
    ]


def entries(frame: pd.DataFrame) -> list[Entry]:
    """Return every run as a line of the table of runs."""
    return [_entry(run) for run in rows_of(frame)]


def _entry(run: Any) -> Entry:
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
        _number_item(run.parameters) if run.parameters else Item("", ""),
        Item(f"{run.seconds:.1f}", run.seconds),
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


def _number_item(value: float) -> Item:
    return Item(f"{value:,}", value)


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


def versions(runs: Sequence[Run]) -> dict[str, str]:
    """Return the versions of packages that the runs used; several where they differ."""
    used: dict[str, dict[str, None]] = {}
    for run in runs:
        for name, version in run.result.versions.items():
            used.setdefault(name, {})[version] = None
    return {name: ", ".join(all_versions) for name, all_versions in used.items()}


def render(
    tables: Sequence[Table],
    pictures: Sequence[Inlined],
    frame: pd.DataFrame,
    runs: Sequence[Run],
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
    runs : sequence of Run
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
    all_entries = entries(frame)
    sections = [
        Section(
            name,
            heading,
            INTRODUCTIONS.get(name, ""),
            [picture for picture in pictures if picture.picture.section == name],
            [table for table in tables if table.section == name],
        )
        for name, heading in SECTIONS.items()
        if name != RUNS_SECTION
    ]
    choices = {
        part: list(dict.fromkeys(getattr(entry, part) for entry in all_entries))
        for part in ("dataset", "method", "protocol")
    }
    return environment.get_template("page.html.jinja").render(
        when=when,
        settings=[
            (setting, count(number, "run"))
            for setting, number in frame.groupby("setting", sort=False).size().items()
        ],
        datasets=list(dict.fromkeys(frame["dataset_title"])),
        versions=versions(runs),
        devices=list(dict.fromkeys(run.result.device for run in runs)),
        sections=[section for section in sections if section.pictures or section.tables],
        runs_heading=SECTIONS[RUNS_SECTION],
        folded_tables=FOLDED_TABLES,
        folded_pictures=FOLDED_PICTURES,
        lines=lines,
        numeric=numeric,
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
    runs: Sequence[Run],
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
    runs : sequence of Run
    """
    with_files = [inlined(picture, path.parent / "figures") for picture in pictures]
    path.write_text(render(tables, with_files, frame, runs, datetime.now(UTC)))
