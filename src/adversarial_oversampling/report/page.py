"""One self-contained HTML page of a report: tables, pictures and every run. It makes no request at all."""

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

from adversarial_oversampling.report.figures import DARK, DPI, LIGHT, Picture, Theme, files, sentence
from adversarial_oversampling.report.runs import Run, departures, rows_of
from adversarial_oversampling.report.tables import LABELS, NA, Cell, Table, percent
from adversarial_oversampling.results.read import seeds_text

SECTIONS = {
    "results": ("Results", ""),
    "modes": ("Methods side by side", ""),
    "fs": ("Oversampling rates", "The tables behind the pictures are folded."),
    "statistics": (
        "Statistics",
        "How far differences may be chance, over datasets and over replicas of one. The tables are folded.",
    ),
    "rows": ("Real and generated rows", ""),
    "curves": ("Training curves", "A picture per dataset, folded."),
}
FOLDED_TABLES = ("fs", "statistics")
FOLDED_PICTURES = ("curves",)
NUMBER = re.compile(r"[+-]?\d.*|[<=] .*|NA|-|undefined|")
CSS_PIXELS = 96  # per inch


@dataclass(frozen=True)
class Item:
    """A cell of the table of runs: what it says and what it is sorted by.

    Attributes
    ----------
    text : str
    key : float or str
        A text that is empty comes last.
    """

    text: str
    key: float | str


@dataclass(frozen=True)
class Entry:
    """A line of the table of runs.

    Attributes
    ----------
    dataset, method, protocol : str
        What it is filtered by.
    items : tuple of Item
        In the order of `RUN_COLUMNS`.
    optimistic : bool
    facts : tuple of (str, str)
        Name and text of what the details tell.
    """

    dataset: str
    method: str
    protocol: str
    items: tuple[Item, ...]
    optimistic: bool
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Line:
    """A row of a table, its first cell spanning the rows that follow without one."""

    head: Cell | None
    span: int
    cells: tuple[Cell, ...]
    new_group: bool


@dataclass(frozen=True)
class Shown:
    """A picture with what the page needs of it."""

    picture: Picture
    width: int
    height: int
    light: str
    dark: str


TEXT_COLUMNS = ("method", "dataset", "fs", "departures", "protocol")
METRIC_COLUMNS = tuple(LABELS)
RUN_COLUMNS = (
    *TEXT_COLUMNS,
    "epochs",
    "seeds",
    *LABELS.values(),
    "optimism",
    "settings compared",
    "parameters",
    "seconds",
)


def lines(table: Table) -> list[Line]:
    """Rows of a table for the page."""
    found = []
    for i, row in enumerate(table.rows):
        span = 1
        while i + span < len(table.rows) and not table.rows[i + span][0].text:
            span += 1
        head = row[0] if row[0].text or i == 0 else None
        found.append(Line(head, span, row[1:], i in table.groups and i > 0))
    return found


def numeric(table: Table) -> list[bool]:
    """Whether each column holds numbers, which are set to the right."""
    return [
        all(NUMBER.fullmatch(row[i].text) for row in table.rows) and any(row[i].text for row in table.rows)
        for i in range(len(table.columns))
    ]


def entries(frame: pd.DataFrame) -> list[Entry]:
    """Every run as a line of the table of runs."""
    return [_entry(run) for run in rows_of(frame)]


def _entry(run: Any) -> Entry:
    smallest, largest = min(run.rows_train), max(run.rows_train)
    ratio = smallest / largest if pd.isna(run.fs_ratio) else run.fs_ratio
    apart = "; ".join(departures(run.variant))
    folds = f", {run.folds} folds" if run.folds else ""
    items = [
        Item(run.title, run.title),
        Item(run.dataset, run.dataset),
        Item(run.fs.replace("_", " "), ratio),
        Item(NA if run.na is not None else apart or "none", apart),
        Item(f"{run.protocol}{folds}", run.protocol),
        _number(run.epochs),
        Item(seeds_text(run.seeds).removeprefix("seeds ").removeprefix("seed "), len(run.seeds)),
    ]
    for metric in METRIC_COLUMNS:
        value = getattr(run, metric)
        text = NA if run.na is not None else percent(value, getattr(run, f"{metric}_std"))
        items.append(Item(text, "" if pd.isna(value) else value))
    items += [
        Item("", "") if pd.isna(run.optimism) else Item(f"{100 * run.optimism:+.2f}", run.optimism),
        _number(run.settings_compared),
        _number(run.parameters) if run.parameters else Item("", ""),
        Item(f"{run.seconds:.1f}", run.seconds),
    ]
    facts = [
        ("departures from the paper's cell", "; ".join(run.variant) or "none"),
        ("NA", run.na or ""),
        ("lost replicas", "" if run.na else "; ".join(run.lost)),
        ("epoch", run.epoch_selection),
        ("game", run.gan_type or ""),
        ("classes, the largest first", ", ".join(map(str, run.classes))),
        *((f"{part} rows", _counts(run, part)) for part in ("train", "validation", "test")),
        ("hash", run.config_hash),
    ]
    return Entry(
        run.dataset,
        run.title,
        run.protocol,
        tuple(items),
        bool(run.optimistic),
        tuple((name, text) for name, text in facts if text),
    )


def _number(value: float) -> Item:
    return Item(f"{value:,}", value)


def _counts(run: Any, part: str) -> str:
    rows = getattr(run, f"rows_{part}")
    return " / ".join(map(str, rows)) if sum(rows) else ""


def shown(picture: Picture, folder: Path) -> Shown:
    """A picture with its files as data URIs."""
    png, _ = files(picture, LIGHT)
    with Image.open(folder / png) as image:
        width, height = (round(pixels * CSS_PIXELS / DPI) for pixels in image.size)
    return Shown(picture, width, height, _uri(picture, LIGHT, folder), _uri(picture, DARK, folder))


def _uri(picture: Picture, theme: Theme, folder: Path) -> str:
    """The smaller one of a picture's two files."""
    kinds = zip(("image/png", "image/svg+xml"), files(picture, theme), strict=True)
    kind, content = min(
        ((kind, (folder / name).read_bytes()) for kind, name in kinds), key=lambda found: len(found[1])
    )
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def flag(text: str) -> Markup:
    """Text in which the word OPTIMISTIC stands out."""
    badge = Markup('<strong class="badge">OPTIMISTIC</strong>')
    return escape(text).replace("(OPTIMISTIC)", badge).replace("OPTIMISTIC:", badge + ":")


def versions(runs: Sequence[Run]) -> dict[str, str]:
    """Versions that the runs were made with; several where they differ."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for name, version in run.result["versions"].items():
            found.setdefault(name, {})[version] = None
    return {name: ", ".join(seen) for name, seen in found.items()}


def render(
    tables: Sequence[Table],
    pictures: Sequence[Shown],
    frame: pd.DataFrame,
    runs: Sequence[Run],
    when: datetime,
) -> str:
    """The page as text.

    Parameters
    ----------
    tables : sequence of Table
        Those of the section "runs" are left out: the page has a table of its own for them.
    pictures : sequence of Shown
    frame : DataFrame
        The run frame.
    runs : sequence of Run
    when : datetime
        When the report was made.
    """
    environment = Environment(
        loader=PackageLoader("adversarial_oversampling.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["flag"] = flag
    found = entries(frame)
    sections = []
    for name, (heading, lead) in SECTIONS.items():
        its_tables = [table for table in tables if table.section == name]
        its_pictures = [one for one in pictures if one.picture.section == name]
        if its_tables or its_pictures:
            sections.append((name, heading, lead, its_pictures, its_tables))
    choices = {
        part: list(dict.fromkeys(getattr(entry, part) for entry in found))
        for part in ("dataset", "method", "protocol")
    }
    return environment.get_template("page.html.jinja").render(
        when=when,
        harnesses=list(frame.groupby("harness", sort=False).size().items()),
        datasets=list(dict.fromkeys(frame["dataset"])),
        versions=versions(runs),
        devices=list(dict.fromkeys(str(run.result["device"]) for run in runs)),
        sections=sections,
        folded_tables=FOLDED_TABLES,
        folded_pictures=FOLDED_PICTURES,
        lines=lines,
        numeric=numeric,
        sentence=sentence,
        entries=found,
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
    inlined = [shown(picture, path.parent / "figures") for picture in pictures]
    path.write_text(render(tables, inlined, frame, runs, datetime.now(UTC)))
