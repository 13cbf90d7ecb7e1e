"""Tables of a report: built from the data frames of `records`, written as Markdown, CSV and LaTeX."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from adversarial_oversampling.config import OVERSAMPLING_MODES
from adversarial_oversampling.report import paper
from adversarial_oversampling.report.runs import cells, departures, rows_of
from adversarial_oversampling.results.read import seeds_text

LABELS = {
    "acsa": "ACSA",
    "g_mean": "GM",
    "auroc": "AUROC",
    "pr_auc": "PR-AUC",
    "calibration_error": "calibration error",
}
SHOWN = ("acsa", "g_mean")
FS_MODES = ("do", "q", "ao")
NOT_RUN, UNDEFINED, NA = "-", "undefined", "NA"
OURS_AT_RATE = "At any fs but natural a variant of ours: the paper does not oversample here."
ALL_COLUMNS = "all columns"
BOLD = "Bold is the highest mean of a line of ours, and says nothing about significance."


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table.

    Attributes
    ----------
    text : str
    bold : bool
    marks : tuple of str
        Letters of the footnotes that belong to it.
    """

    text: str
    bold: bool = False
    marks: tuple[str, ...] = ()


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table to be read, and the same as plain data.

    Attributes
    ----------
    name : str
        Stem of its files.
    section : str
        "results", "fs", "statistics" or "runs".
    title : str
        One line.
    caption : str
        How it was measured and how it is to be read.
    columns : tuple of str
    rows : tuple of Row
        None at all where the caption says why there is no result.
    footnotes : tuple of (str, str)
        Letter and text; the letter is empty for a remark on the whole table.
    data : DataFrame
        What the CSV file holds: plain numbers, a row per run or comparison.
    groups : tuple of int
        Rows at which a new group begins.
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


@dataclass
class Footnotes:
    """Footnotes as they come up: the same text keeps its letter."""

    letters: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def mark(self, text: str) -> str:
        """Letter of a footnote."""
        return self.letters.setdefault(text, _letter(len(self.letters)))

    def all(self) -> tuple[tuple[str, str], ...]:
        """Letters and texts, then the remarks without a letter."""
        lettered = [(letter, text) for text, letter in self.letters.items()]
        return (*lettered, *(("", text) for text in self.remarks))


def _letter(index: int) -> str:
    """Name a footnote: a to z, then aa, ab and so on."""
    before, last = divmod(index, 26)
    return (_letter(before - 1) if before else "") + chr(ord("a") + last)


def slug(text: str) -> str:
    """Text as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def percent(value: float, spread: float = float("nan")) -> str:
    """Fraction in percent with two decimals, and its spread where it has one."""
    if pd.isna(value):
        return UNDEFINED
    return f"{100 * value:.2f}" + ("" if pd.isna(spread) else f" ± {100 * spread:.2f}")


def method_caption(frame: pd.DataFrame) -> str:
    """How the runs of one harness were measured: epochs, seeds, split, choice of the epoch, spread."""
    first = frame.iloc[0]
    chosen = [one for one in dict.fromkeys(frame["epoch_selection"]) if not one.startswith("no epochs")]
    choice = f"; {' or '.join(chosen)}" if chosen else ""
    spread = (
        f"± is the standard deviation over {first['replicas']} replicas"
        if first["replicas"] > 1
        else "a single replica, so no spread"
    )
    return (
        f"{first['harness'][0].upper()}{first['harness'][1:]}{choice}. {_splits(frame)} "
        f"Numbers are percentages; {spread}."
    )


def _splits(frame: pd.DataFrame) -> str:
    """Share of the rows that each dataset tests on."""
    shares: dict[str, list[str]] = {}
    for row in rows_of(frame.drop_duplicates("dataset")):
        if row.fixed_split:
            text = "the archive's own, the same for every seed"
        else:
            tested = sum(row.rows_test)
            text = f"{tested / (tested + sum(row.rows_train) + sum(row.rows_validation)):.0%}"
        shares.setdefault(text, []).append(row.dataset)
    parts = [f"{text} ({', '.join(datasets)})" for text, datasets in shares.items()]
    return f"Test rows: {'; '.join(parts)}."


def _value(run: Any, metric: str, notes: Footnotes) -> Cell:
    """A run's mean and spread; NA and lost replicas are explained in a footnote."""
    if run is None:
        return Cell(NOT_RUN)
    if run.na is not None:
        return Cell(NA, marks=(notes.mark(f"NA: {run.na}"),))
    marks: tuple[str, ...] = ()
    if run.lost:
        told = f"{run.n} of {run.replicas} replicas have a value; the others: {'; '.join(run.lost)}"
        marks = (notes.mark(told),)
    return Cell(percent(getattr(run, metric), getattr(run, f"{metric}_std")), marks=marks)


def embolden(line: Sequence[Cell], values: Sequence[float]) -> list[Cell]:
    """Make the highest number bold, as it is shown: with two decimals. Numbers that are all the same stay."""
    shown = [None if pd.isna(value) else round(100 * value, 2) for value in values]
    known = [value for value in shown if value is not None]
    return [
        Cell(cell.text, len(set(known)) > 1 and value == max(known), cell.marks)
        for cell, value in zip(line, shown, strict=True)
    ]


def _ours(runs: Sequence[Any], metric: str, notes: Footnotes) -> list[Cell]:
    line = [_value(run, metric, notes) for run in runs]
    return embolden(line, [float("nan") if run is None else getattr(run, metric) for run in runs])


def _two_lines(head: Cell, runs: Sequence[Any], notes: Footnotes) -> list[Row]:
    """ACSA and GM of some runs."""
    return [
        (head if metric == SHOWN[0] else Cell(""), Cell(LABELS[metric]), *_ours(runs, metric, notes))
        for metric in SHOWN
    ]


def _papers(dataset: str, modes: Sequence[str], metric: str, notes: Footnotes) -> list[Cell]:
    """The paper's own line of a dataset."""
    scores = [paper.TABLE_2[dataset, mode] for mode in modes]
    values = [float("nan") if one is None else one[SHOWN.index(metric)] / 100 for one in scores]
    line = []
    for mode, value in zip(modes, values, strict=True):
        marks: tuple[str, ...] = ()
        if metric == "g_mean" and (dataset, mode) in paper.impossible():
            marks = (notes.mark("The paper's GM is above its ACSA, which no single model can have."),)
        line.append(Cell("NA" if pd.isna(value) else percent(value), marks=marks))
    return embolden(line, values)


def _grid(found: pd.DataFrame, *keys: str) -> dict[Any, Any]:
    """Runs by the values of some columns."""
    return {tuple(getattr(row, key) for key in keys): row for row in rows_of(found)}


def _harnesses(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), group) for name, group in frame.groupby("harness", sort=False)]


def _plain(runs: Iterable[Any]) -> pd.DataFrame:
    """Runs as the rows of a CSV file, in percent."""
    rows = []
    for run in runs:
        row = {key: getattr(run, key) for key in ("harness", "dataset", "mode", "title", "fs")}
        row["departures"] = "; ".join(departures(run.variant))
        for metric in SHOWN:
            row[f"{metric}_percent"] = 100 * getattr(run, metric)
            row[f"{metric}_std_percent"] = 100 * getattr(run, f"{metric}_std")
        rows.append({**row, "n": run.n, "replicas": run.replicas, "na": run.na})
    return pd.DataFrame(rows)


def _with_paper(data: pd.DataFrame) -> pd.DataFrame:
    """The same, with the paper's two numbers where it has some."""
    scores = [
        paper.TABLE_2.get((dataset, mode)) or (None, None)
        for dataset, mode in zip(data["dataset"], data["mode"], strict=True)
    ]
    beside = pd.DataFrame(scores, columns=[f"paper_{metric}_percent" for metric in SHOWN], index=data.index)
    return pd.concat([data, beside], axis=1)


def table_2(frame: pd.DataFrame) -> list[Table]:
    """The paper's Table 2 for every harness, with the paper's numbers below ours."""
    tables = []
    for harness, group in _harnesses(frame):
        found = cells(group)
        found = found[found["mode"].isin(paper.MODES)]
        if found.empty:
            continue
        notes = Footnotes()
        optimistic = harness.startswith("paper protocol")
        label = "paper" if optimistic else "paper (optimistic)"
        grid = _grid(found, "dataset", "mode")
        rows: list[Row] = []
        groups = []
        for dataset in sorted(set(found["dataset"]), key=paper.dataset_order):
            groups.append(len(rows))
            runs = [grid.get((dataset, mode)) for mode in paper.MODES]
            for head, name, *ours in _two_lines(Cell(dataset), runs, notes):
                rows.append((head, name, Cell("ours"), *ours))
                if dataset in paper.DATASETS:
                    metric = SHOWN[0] if head.text else SHOWN[1]
                    rows.append((Cell(""), name, Cell(label), *_papers(dataset, paper.MODES, metric, notes)))
        notes.remarks += _not_run(found, paper.MODES)
        compare = (
            "The paper's line is from one split, 100 epochs and the same optimistic choice of the epoch."
            if optimistic
            else "The paper's line is from its optimistic protocol, in which the test rows chose the epoch, "
            "and is no yardstick for ours."
        )
        caption = (
            f"{method_caption(found)} {compare} DO is at fs=balanced; the paper does not say at which fs "
        )
        caption += f"its own is. {BOLD} In the paper's lines bold is as the paper has it."
        tables.append(
            Table(
                slug(f"table-2 {harness}"),
                "results",
                f"Table 2, {harness}",
                caption,
                ("dataset", "metric", "from", *(paper.title(mode) for mode in paper.MODES)),
                tuple(rows),
                notes.all(),
                _with_paper(_plain(rows_of(found))),
                tuple(groups),
            )
        )
    return tables


def _not_run(found: pd.DataFrame, modes: Sequence[str]) -> list[str]:
    """What stands as "-" in a table, and which of the paper's datasets are no line of it."""
    remarks = []
    datasets, ran = (
        list(dict.fromkeys(found["dataset"])),
        set(zip(found["dataset"], found["mode"], strict=True)),
    )
    if any((dataset, mode) not in ran for dataset in datasets for mode in modes):
        remarks.append(f'"{NOT_RUN}": not run in this harness.')
    if missing := [dataset for dataset in paper.DATASETS if dataset not in datasets]:
        remarks.append(f"No run of {', '.join(missing)} in this harness.")
    return remarks


def epochless(found: pd.DataFrame) -> list[str]:
    """Name the methods of an optimistic harness that choose no epoch: a comparison is unfair to them."""
    plain = found[found["harness"].str.contains("OPTIMISTIC") & found["na"].isna() & ~found["optimistic"]]
    if plain.empty:
        return []
    return [
        f"{'; '.join(plain['title'].unique())}: no epoch to choose, so not optimistic; the choice on test "
        "rows favours the other methods."
    ]


def peers(frame: pd.DataFrame) -> list[Table]:
    """Methods that are not in the paper, for every harness, beside Q and DO of the same one."""
    tables = []
    for harness, group in _harnesses(frame):
        found = cells(group)
        others = found[~found["mode"].isin(paper.MODES)]
        if others.empty:
            continue
        found = found[found["dataset"].isin(others["dataset"])]
        beside = [mode for mode in ("q", "do") if mode in set(found["mode"])]
        modes = beside + sorted(set(others["mode"]), key=paper.mode_order)
        found = found[found["mode"].isin(modes)]
        notes = Footnotes()
        grid = _grid(found, "dataset", "mode")
        rows: list[Row] = []
        groups = []
        for dataset in sorted(set(found["dataset"]), key=paper.dataset_order):
            groups.append(len(rows))
            runs = [grid.get((dataset, mode)) for mode in modes]
            rows += _two_lines(Cell(dataset), runs, notes)
        notes.remarks += _not_run(found, modes)
        notes.remarks += epochless(found)
        caption = f"{method_caption(found)} None of these but Q and DO is in the paper. {BOLD}"
        tables.append(
            Table(
                slug(f"peers {harness}"),
                "results",
                f"Methods that are not in the paper, {harness}",
                caption,
                ("dataset", "metric", *(paper.title(mode) for mode in modes)),
                tuple(rows),
                notes.all(),
                _plain(rows_of(found)),
                tuple(groups),
            )
        )
    return tables


def selected_columns(frame: pd.DataFrame) -> list[Table]:
    """Runs on selected columns beside those on all columns, for every harness and dataset."""
    kept = frame["variant"].map(lambda variant: "; ".join(departures(variant)) or ALL_COLUMNS)
    frame = frame.assign(kept=kept)[(kept == ALL_COLUMNS) | kept.str.fullmatch(r"\d+ selected columns")]
    frame = frame[~frame["mode"].isin(OVERSAMPLING_MODES) | (frame["fs_ratio"] == 1.0)]
    tables = []
    for harness, group in _harnesses(frame):
        for dataset in dict.fromkeys(group["dataset"]):
            found = group[group["dataset"] == dataset]
            some = found[found["kept"] != ALL_COLUMNS]
            if some.empty:
                continue
            found = found[found["mode"].isin(some["mode"])]
            kinds = [ALL_COLUMNS, *sorted(set(some["kept"]), key=lambda kind: int(kind.split()[0]))]
            notes = Footnotes()
            grid = _grid(found, "mode", "kept")
            rows: list[Row] = []
            groups = []
            for mode in sorted(set(some["mode"]), key=paper.mode_order):
                groups.append(len(rows))
                runs = [grid.get((mode, kind)) for kind in kinds]
                rows += _two_lines(Cell(paper.title(mode)), runs, notes)
            if any((mode, kind) not in grid for mode in set(some["mode"]) for kind in kinds):
                notes.remarks.append(f'"{NOT_RUN}": not run in this harness.')
            caption = (
                f"{method_caption(found)} The columns with the highest F score on the training rows of each "
                "replica, a variant of ours: the paper keeps all columns. DO is at fs=balanced. "
                "Bold is the higher mean of a line, and says nothing about significance."
            )
            tables.append(
                Table(
                    slug(f"columns {dataset} {harness}"),
                    "results",
                    f"{dataset} with and without column selection, {harness}",
                    caption,
                    ("method", "metric", *kinds),
                    tuple(rows),
                    notes.all(),
                    _plain(rows_of(found)),
                    tuple(groups),
                )
            )
    return tables


def fs_sweep(frame: pd.DataFrame) -> list[Table]:
    """ACSA and GM over the oversampling rate, as in the paper's Figure 2, for every harness and dataset.

    A table needs a mode that was run at two rates.
    """
    only_fs = [all(part.startswith("fs=") for part in departures(variant)) for variant in frame["variant"]]
    swept = frame[frame["mode"].isin(FS_MODES) & np.array(only_fs)]
    tables = []
    for harness, group in _harnesses(swept):
        for dataset in dict.fromkeys(group["dataset"]):
            found = group[group["dataset"] == dataset]
            if found.groupby("mode")["fs"].nunique().max() < 2:
                continue
            rates = found.drop_duplicates("fs").sort_values("fs_ratio", na_position="first")
            kinds = list(rates["fs"])
            names = [
                kind if pd.isna(ratio) or kind == str(ratio) else f"{kind.replace('_', ' ')} ({ratio:g})"
                for kind, ratio in zip(kinds, rates["fs_ratio"], strict=True)
            ]
            notes = Footnotes()
            grid = _grid(found, "mode", "fs")
            rows: list[Row] = []
            groups = []
            modes = [mode for mode in FS_MODES if mode in set(found["mode"])]
            for mode in modes:
                groups.append(len(rows))
                runs = [grid.get((mode, kind)) for kind in kinds]
                marks = () if mode == "do" else (notes.mark(OURS_AT_RATE),)
                rows += _two_lines(Cell(paper.title(mode), marks=marks), runs, notes)
            if any((mode, kind) not in grid for mode in modes for kind in kinds):
                notes.remarks.append(f'"{NOT_RUN}": not run in this harness.')
            first = found.iloc[0]["rows_train"]
            caption = (
                f"{method_caption(found)} fs is the ratio of the smallest to the largest class after "
                f"oversampling; natural is the training rows' own, here {min(first) / max(first):.3f}, and a "
                "rate below it changes nothing. The paper shows this for DO on SECOM, in its Figure 2. "
                "Bold is the highest mean of a line, and says nothing about significance."
            )
            tables.append(
                Table(
                    slug(f"fs {dataset} {harness}"),
                    "fs",
                    f"{dataset} at several oversampling rates, {harness}",
                    caption,
                    ("method", "metric", *names),
                    tuple(rows),
                    notes.all(),
                    _plain(rows_of(found)),
                    tuple(groups),
                )
            )
    return tables


def _mean(metric: str, run: Any) -> str:
    return percent(getattr(run, metric), getattr(run, f"{metric}_std"))


def _counts(rows: Sequence[int]) -> str:
    return "/".join(map(str, rows)) if sum(rows) else ""


LONG_COLUMNS: dict[str, Callable[[Any], str]] = {
    "dataset": lambda run: run.dataset,
    "method": lambda run: run.title,
    "game": lambda run: run.gan_type or "",
    "fs": lambda run: run.fs,
    "departures from the paper": lambda run: "; ".join(run.variant),
    **{label: partial(_mean, metric) for metric, label in LABELS.items()},
    "n": lambda run: f"{run.n}" if run.n == run.replicas else f"{run.n} of {run.replicas}",
    "optimism": lambda run: "" if pd.isna(run.optimism) else f"{100 * run.optimism:+.2f}",
    "training rows": lambda run: _counts(run.rows_train),
    "validation rows": lambda run: _counts(run.rows_validation),
    "test rows": lambda run: _counts(run.rows_test),
    "settings compared": lambda run: str(run.settings_compared),
    "parameters": lambda run: str(run.parameters) if run.parameters else "",
    "seconds": lambda run: f"{run.seconds:.1f}",
    "hash": lambda run: run.config_hash,
}


def long_table(frame: pd.DataFrame) -> list[Table]:
    """Every run of every harness with all that is known of it; variants too."""
    tables = []
    for harness, group in _harnesses(frame):
        notes = Footnotes()
        rows: list[Row] = []
        groups = []
        for _, runs in group.groupby("dataset", sort=False):
            groups.append(len(rows))
            rows += [_long_row(run, notes) for run in rows_of(runs)]
        gap = (
            "the best epoch's ACSA on the test rows minus the last epoch's"
            if "OPTIMISTIC" in harness
            else "ACSA on the validation rows that chose the epoch minus ACSA on the test rows"
        )
        caption = (
            f"{method_caption(group)} Every run, with what sets it apart from the paper's cell. "
            "n: replicas with a value. Optimism: how much choosing the epoch flatters a run, in points: "
            f"{gap}. Rows: of each class, the largest first, in the first replica. Settings compared: tuning "
            "budget, how many settings were tried on validation rows to choose the defaults. Seconds: "
            "wall time of all replicas together, on whatever machine ran them. The CSV file has fractions."
        )
        tables.append(
            Table(
                slug(f"runs {harness}"),
                "runs",
                f"Every run, {harness}",
                caption,
                tuple(LONG_COLUMNS),
                tuple(rows),
                notes.all(),
                flat(group),
                tuple(groups),
            )
        )
    return tables


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Either data frame with texts where it has sequences, for a CSV file."""
    texts: dict[str, Callable[[Any], str]] = {
        "variant": "; ".join,
        "lost": "; ".join,
        "classes": "; ".join,
        "seeds": seeds_text,
        **dict.fromkeys(("rows_train", "rows_validation", "rows_test"), _counts),
    }
    return frame.assign(**{name: frame[name].map(text) for name, text in texts.items() if name in frame})


def _long_row(run: Any, notes: Footnotes) -> tuple[Cell, ...]:
    row = []
    for name, text in LONG_COLUMNS.items():
        if name in LABELS.values() and run.na is not None:
            row.append(Cell(NA, marks=(notes.mark(f"NA: {run.na}"),)))
        else:
            row.append(Cell(text(run)))
    return tuple(row)


def markdown(table: Table) -> str:
    """A table as Markdown: title, caption, table, footnotes."""
    parts = [f"### {_markdown_text(table.title)}", _markdown_text(table.caption)]
    if table.rows:
        lines = [[_markdown_text(name) for name in table.columns], ["---"] * len(table.columns)]
        lines += [[_markdown_cell(cell) for cell in row] for row in table.rows]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    if table.footnotes:
        parts.append(
            "\n".join(
                f"- {f'({letter}) ' if letter else ''}{_markdown_text(text)}"
                for letter, text in table.footnotes
            )
        )
    return "\n\n".join(parts) + "\n"


def _markdown_text(text: str) -> str:
    return re.sub(r"([\\`*_|<\[\]])", r"\\\1", " ".join(text.split()))


def _markdown_cell(cell: Cell) -> str:
    text = _markdown_text(cell.text)
    marks = f" ({','.join(cell.marks)})" if cell.marks else ""
    return (f"**{text}**" if cell.bold else text) + marks


_LATEX = {
    "\\": r"\textbackslash{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
}
PAGE = 40
"""Rows of a LaTeX table that fit on a page; a longer table goes on on the next one."""
WIDE = 7
"""Columns above which a LaTeX table is turned."""


def latex_text(text: str) -> str:
    """Text with everything that LaTeX takes for a command made harmless, and minus signs before numbers."""
    plain = "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))
    return re.sub(r"(?<![\w.)])-(?=\d)", "$-$", plain)


def _latex_cell(cell: Cell) -> str:
    text = latex_text(cell.text)
    marks = f"\\textsuperscript{{{','.join(cell.marks)}}}" if cell.marks else ""
    return (f"\\textbf{{{text}}}" if cell.bold else text) + marks


def latex(table: Table) -> str:
    """A table as LaTeX: shrunk to the page where it is too wide, turned if it has many columns.

    It needs the packages booktabs, graphicx and pdflscape, and fontenc with the option T1.
    """
    if not table.rows:
        return f"% {table.name}\n{latex_text(f'{table.title}. {table.caption}')}\n"
    head = " & ".join(map(latex_text, table.columns)) + r" \\"
    notes = "\\\\\n".join(
        (f"\\textsuperscript{{{letter}}} " if letter else "") + latex_text(text)
        for letter, text in table.footnotes
    )
    wide = len(table.columns) > WIDE
    lines = [f"% {table.name}"]
    for start in range(0, len(table.rows), PAGE):
        body = []
        for i, row in enumerate(table.rows[start : start + PAGE], start):
            if i > start and i in table.groups:
                body.append(r"\midrule")
            body.append(" & ".join(map(_latex_cell, row)) + r" \\")
        caption = latex_text(f"{table.title}, continued." if start else f"{table.title}. {table.caption}")
        label = "" if start else f"\\label{{tab:{table.name}}}"
        lines += [
            r"\begin{landscape}" if wide else "",
            r"\begin{table}[p]",
            rf"\centering\caption{{{caption}}}{label}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{'l' * len(table.columns)}}}",
            rf"\toprule {head} \midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            rf"\par\smallskip\raggedright\footnotesize {notes}",
            r"\end{table}",
            r"\end{landscape}" if wide else "",
        ]
    return "\n".join(filter(None, lines)) + "\n"


def csv(table: Table) -> str:
    """A table's plain numbers."""
    return table.data.to_csv(index=False)
