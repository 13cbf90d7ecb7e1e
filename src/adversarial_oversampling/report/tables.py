"""Tables of results, built from the run frame."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from adversarial_oversampling.report import paper
from adversarial_oversampling.report.common import (
    MAIN_METRICS,
    NA,
    NOT_RUN,
    Cell,
    Footnotes,
    Row,
    Table,
    by_setting,
    by_setting_and_dataset,
    dataset_titles,
    default_runs,
    file_name,
    fs_sweeps,
    measurement,
    mode_titles,
    no_epoch_remarks,
    rows_of,
)
from adversarial_oversampling.report.render import plain, row_counts
from adversarial_oversampling.results.schema import METRICS
from adversarial_oversampling.text import percent

NOT_RUN_HERE = f'"{NOT_RUN}": not run in this setting.'
IMPOSSIBLE = "The paper's GM is above its ACSA, which no single model can have."
NOT_OVERSAMPLED_IN_PAPER = (
    "Any fs but natural is a variant of ours: the paper does not oversample for this method."
)
NOT_IN_PAPER = "This method is not in the paper."
PAPER_IS_OPTIMISTIC = "The paper's numbers are OPTIMISTIC: the test rows chose the epoch."
HEADINGS = {"dataset": "dataset", "mode": "method"}
"""Heading of the first column of a table, by the column of the run frame."""
BOLD = "Bold marks the highest mean of a line; it does not mean that the difference is significant."


# ---------------------------------------------------------------------------- lines of a table


def _value(run: Any, metric: str, notes: Footnotes) -> Cell:
    """Return a run's mean and spread; footnotes explain NA and replicas without a value."""
    if run is None:
        return Cell(NOT_RUN)
    if run.na is not None:
        return Cell(NA, marks=(notes.mark(f"NA: {run.na}"),))
    marks: tuple[str, ...] = ()
    if run.reasons_without_value:
        reasons = "; ".join(run.reasons_without_value)
        text = f"{run.n} of {run.replicas} replicas have a value; the others: {reasons}"
        marks = (notes.mark(text),)
    return Cell(percent(getattr(run, metric), getattr(run, f"{metric}_std")), marks=marks)


def embolden(line: Sequence[Cell], values: Sequence[float]) -> list[Cell]:
    """Return cells with the highest number in bold, as printed with two decimals; none if all are equal."""
    printed = [None if pd.isna(value) else round(100 * value, 2) for value in values]
    known = [value for value in printed if value is not None]
    return [
        Cell(cell.text, len(set(known)) > 1 and value == max(known), cell.marks)
        for cell, value in zip(line, printed, strict=True)
    ]


def _line(runs: Sequence[Any], metric: str, notes: Footnotes) -> list[Cell]:
    line = [_value(run, metric, notes) for run in runs]
    return embolden(line, [float("nan") if run is None else getattr(run, metric) for run in runs])


def _two_lines(head: Cell, runs: Sequence[Any], notes: Footnotes) -> list[Row]:
    """Return a line of ACSA and one of GM."""
    return [
        (head if metric == MAIN_METRICS[0] else Cell(""), Cell(METRICS[metric]), *_line(runs, metric, notes))
        for metric in MAIN_METRICS
    ]


def _paper_line(dataset: str, metric: str, notes: Footnotes) -> list[Cell]:
    """Return the paper's own line of a published dataset."""
    scores = [paper.TABLE_2[dataset, mode] for mode in paper.columns()]
    values = [float("nan") if pair is None else pair[MAIN_METRICS.index(metric)] / 100 for pair in scores]
    line = []
    for mode, value in zip(paper.columns(), values, strict=True):
        marks: tuple[str, ...] = ()
        if metric == "g_mean" and (dataset, mode) in paper.impossible():
            marks = (notes.mark(IMPOSSIBLE),)
        line.append(Cell(NA if pd.isna(value) else percent(value), marks=marks))
    return embolden(line, values)


def _grid(runs: pd.DataFrame, *keys: str) -> dict[Any, Any]:
    """Return runs by the values of some columns."""
    return {tuple(getattr(run, key) for key in keys): run for run in rows_of(runs)}


# ---------------------------------------------------------------------------- plain numbers


def _plain(runs: Iterable[Any]) -> pd.DataFrame:
    """Return runs as the rows of a CSV file, in percent."""
    rows = []
    for run in runs:
        row = {key: getattr(run, key) for key in ("setting", "dataset", "mode", "title", "fs")}
        row["variant"] = "; ".join(run.variant)
        for metric in MAIN_METRICS:
            row[f"{metric}_percent"] = 100 * getattr(run, metric)
            row[f"{metric}_std_percent"] = 100 * getattr(run, f"{metric}_std")
        rows.append({**row, "n": run.n, "replicas": run.replicas, "na": run.na})
    return pd.DataFrame(rows)


def _plain_with_paper(runs: Sequence[Any]) -> pd.DataFrame:
    """Return the frame of `_plain` with the paper's ACSA and GM of runs on a published dataset."""
    scores = [paper.TABLE_2.get((run.published, run.mode)) or (None, None) for run in runs]
    names = [f"paper_{metric}_percent" for metric in MAIN_METRICS]
    return pd.concat([_plain(runs), pd.DataFrame(scores, columns=names)], axis=1)


# ---------------------------------------------------------------------------- the tables


def _stacked(blocks: Iterable[Sequence[Row]]) -> tuple[tuple[Row, ...], tuple[int, ...]]:
    """Return the rows of all blocks, and the row at which each block begins."""
    rows: list[Row] = []
    groups = []
    for block in blocks:
        groups.append(len(rows))
        rows += block
    return tuple(rows), tuple(groups)


def _comparison_table(
    runs: pd.DataFrame,
    heads: Mapping[Any, Cell],
    columns: Mapping[Any, str],
    *,
    keys: tuple[str, str],
    notes: Footnotes,
    remarks: Sequence[str] = (),
    name: str,
    section: str,
    title: str,
    caption: str,
    folded: bool = False,
) -> Table:
    """Return a table with a line of ACSA and one of GM below each head.

    Parameters
    ----------
    runs : DataFrame
        Rows of the run frame, at most one for each head and column.
    heads : mapping
        From a value of the first key to the head of its lines.
    columns : mapping
        From a value of the second key to the name of its column.
    keys : tuple of str
        The columns of the run frame that select the lines and the column of a run.
    notes : Footnotes
        Footnotes of the heads; those of the cells are added.
    remarks : sequence of str
        Remarks beside the one on cells without a run.
    name, section, title, caption, folded
        See `Table`.
    """
    grid = _grid(runs, *keys)
    rows, groups = _stacked(
        _two_lines(head, [grid.get((key, column)) for column in columns], notes)
        for key, head in heads.items()
    )
    notes.remarks += [*_empty_cell_remarks(runs, keys, columns), *remarks]
    return Table(
        name=name,
        section=section,
        title=title,
        caption=caption,
        columns=(HEADINGS[keys[0]], "metric", *columns.values()),
        rows=rows,
        footnotes=notes.all(),
        data=_plain(rows_of(runs)),
        groups=groups,
        setting=str(runs["setting"].iloc[0]),
        folded=folded,
    )


def _empty_cell_remarks(runs: pd.DataFrame, keys: tuple[str, str], columns: Iterable[Any]) -> list[str]:
    """Return a remark if a line of the table has a cell without a run."""
    pairs = set(_grid(runs, *keys))
    complete = all((head, column) in pairs for head in set(runs[keys[0]]) for column in columns)
    return [] if complete else [NOT_RUN_HERE]


def _absent_dataset_remarks(runs: pd.DataFrame) -> list[str]:
    """Return a remark on the datasets of the paper without a run."""
    published = set(runs["published"])
    absent = [title for name, title in paper.dataset_titles().items() if name not in published]
    return [f"No run on {', '.join(absent)} in this setting."] if absent else []


def table_2(frame: pd.DataFrame) -> list[Table]:
    """Return the paper's Table 2 for every setting, with the paper's numbers below ours.

    The paper's numbers stand only below runs on the published table.
    """
    modes = paper.columns()
    keys = ("dataset", "mode")
    tables = []
    for setting, group in by_setting(frame):
        runs = default_runs(group)
        runs = runs[runs["mode"].isin(list(modes))]
        if runs.empty:
            continue
        notes = Footnotes()
        optimistic = runs["select_on"].iloc[0] == "test"
        grid = _grid(runs, *keys)
        published = dict(zip(runs["dataset"], runs["published"], strict=True))
        rows, groups = _stacked(
            _block_with_paper(
                Cell(title),
                [grid.get((dataset, mode)) for mode in modes],
                published[dataset],
                notes,
            )
            for dataset, title in dataset_titles(runs).items()
        )
        notes.remarks += [*_empty_cell_remarks(runs, keys, modes), *_absent_dataset_remarks(runs)]
        comparison = (
            "The paper's line is from one split, 100 epochs and the same optimistic choice of the epoch."
            if optimistic
            else "The paper's line is from its optimistic protocol, in which the test rows chose the epoch, "
            "and cannot be compared with ours."
        )
        tables.append(
            Table(
                name=file_name(f"table 2 {setting}"),
                section="results",
                title=f"Table 2, {setting}",
                caption=f"{measurement(runs)} {comparison} {paper.FS_REMARK} {BOLD} In the paper's lines "
                "bold is as in the paper.",
                columns=("dataset", "metric", "from", *modes.values()),
                rows=rows,
                footnotes=notes.all(),
                data=_plain_with_paper(rows_of(runs)),
                groups=groups,
                setting=setting,
            )
        )
    return tables


def _block_with_paper(head: Cell, runs: Sequence[Any], published: str | None, notes: Footnotes) -> list[Row]:
    """Return the lines of ACSA and GM of a dataset, with the paper's lines if the dataset is published.

    Parameters
    ----------
    head : Cell
    runs : sequence
        A run or None for each mode of the paper.
    published : str or None
        Name of the published dataset.
    notes : Footnotes
    """
    rows: list[Row] = []
    lines = _two_lines(head, runs, notes)
    for metric, (first, name, *ours) in zip(MAIN_METRICS, lines, strict=True):
        rows.append((first, name, Cell("ours"), *ours))
        if published in paper.DATASETS:
            label = Cell("paper", marks=(notes.mark(PAPER_IS_OPTIMISTIC),))
            rows.append((Cell(""), name, label, *_paper_line(published, metric, notes)))
    return rows


def peers(frame: pd.DataFrame) -> list[Table]:
    """Return the methods that are not in the paper, for every setting, beside the paper's references."""
    tables = []
    for setting, group in by_setting(frame):
        runs = default_runs(group)
        others = runs[~runs["mode"].isin(list(paper.columns()))]
        if others.empty:
            continue
        runs = runs[runs["dataset"].isin(others["dataset"])]
        references = mode_titles(runs[runs["mode"].isin(paper.REFERENCES)])
        modes = {**references, **mode_titles(others)}
        runs = runs[runs["mode"].isin(list(modes))]
        in_paper = f" but {' and '.join(references.values())}" if references else ""
        tables.append(
            _comparison_table(
                runs,
                heads={dataset: Cell(title) for dataset, title in dataset_titles(runs).items()},
                columns=modes,
                keys=("dataset", "mode"),
                notes=Footnotes(),
                remarks=[*_absent_dataset_remarks(runs), *no_epoch_remarks(runs)],
                name=file_name(f"peers {setting}"),
                section="results",
                title=f"Methods that are not in the paper, {setting}",
                caption=f"{measurement(runs)} None of these methods{in_paper} is in the paper. {BOLD}",
            )
        )
    return tables


def fs_sweep(frame: pd.DataFrame) -> list[Table]:
    """Return ACSA and GM over the oversampling rate, as in the paper's Figure 2, per setting and dataset.

    The table has every mode that was run at two or more rates.
    """
    figure_2_dataset, figure_2_mode = paper.FIGURE_2
    shown_in_paper = f"{paper.columns()[figure_2_mode]} on {paper.dataset_titles()[figure_2_dataset]}"
    tables = []
    for setting, dataset, runs in by_setting_and_dataset(fs_sweeps(frame)):
        rates = runs.drop_duplicates("fs").sort_values("fs_ratio", na_position="first")
        titles = mode_titles(runs)
        notes = Footnotes()
        tables.append(
            _comparison_table(
                runs,
                heads={
                    mode: Cell(titles[mode], marks=_figure_2_marks(mode, notes))
                    for mode in sorted(titles, key=lambda mode: mode != figure_2_mode)
                },
                columns={rate.fs: _rate_name(rate.fs, rate.fs_ratio) for rate in rows_of(rates)},
                keys=("mode", "fs"),
                notes=notes,
                name=file_name(f"fs {dataset} {setting}"),
                section="fs",
                title=f"{dataset} at several oversampling rates, {setting}",
                caption=f"{measurement(runs)} fs is the ratio of the smallest to the largest class after "
                "oversampling. natural is the ratio of the training rows as they are, here "
                f"{runs['natural_ratio'].iloc[0]:.3f}; a rate below it changes nothing. The paper shows "
                f"this for {shown_in_paper}, in its Figure 2. {BOLD}",
                folded=True,
            )
        )
    return tables


def _figure_2_marks(mode: str, notes: Footnotes) -> tuple[str, ...]:
    """Return the footnotes of a mode beside the one of the paper's Figure 2."""
    if mode not in paper.columns():
        return (notes.mark(NOT_IN_PAPER),)
    return () if mode == paper.FIGURE_2[1] else (notes.mark(NOT_OVERSAMPLED_IN_PAPER),)


def _rate_name(fs: str, ratio: float) -> str:
    if pd.isna(ratio) or fs == str(ratio):
        return fs
    return f"{fs.replace('_', ' ')} ({ratio:g})"


# ---------------------------------------------------------------------------- every run


def _mean_text(metric: str, run: Any) -> str:
    return percent(getattr(run, metric), getattr(run, f"{metric}_std"))


def _known(value: float, spec: str) -> str:
    return "" if pd.isna(value) else format(value, spec)


LONG_COLUMNS: Mapping[str, Callable[[Any], str]] = {
    "dataset": lambda run: run.dataset_title,
    "method": lambda run: run.title,
    "game": lambda run: run.gan_type or "",
    "fs": lambda run: run.fs,
    "variant": lambda run: "; ".join(run.variant),
    **{label: partial(_mean_text, metric) for metric, label in METRICS.items()},
    "n": lambda run: f"{run.n}" if run.n == run.replicas else f"{run.n} of {run.replicas}",
    "optimism": lambda run: _known(100 * run.optimism, "+.2f"),
    "training rows": lambda run: row_counts(run.rows_train),
    "validation rows": lambda run: row_counts(run.rows_validation),
    "test rows": lambda run: row_counts(run.rows_test),
    "settings compared": lambda run: _known(run.settings_compared, ".0f"),
    "parameters": lambda run: _known(run.parameters or float("nan"), ".0f"),
    "seconds": lambda run: _known(run.seconds, ".1f"),
    "hash": lambda run: run.config_hash,
}


def long_table(frame: pd.DataFrame) -> list[Table]:
    """Return every run of every setting, variants included, with all its numbers."""
    tables = []
    for setting, group in by_setting(frame):
        notes = Footnotes()
        rows, groups = _stacked(
            [_long_row(run, notes) for run in rows_of(runs)]
            for _, runs in group.groupby("dataset", sort=False)
        )
        optimism = (
            "the best epoch's ACSA on the test rows minus the last epoch's"
            if group["select_on"].iloc[0] == "test"
            else "ACSA on the validation rows that choose the epoch minus ACSA on the test rows"
        )
        tables.append(
            Table(
                name=file_name(f"runs {setting}"),
                section="runs",
                title=f"Every run, {setting}",
                caption=f"{measurement(group)} Variant: the settings that are not the default of the run's "
                "mode, dataset and protocol. n: replicas with a value. Optimism: by how many points the "
                f"choice of the epoch raises ACSA, {optimism}. Rows: of each class, the largest first, in "
                "the first replica. Settings compared: the tuning budget, the number of settings that were "
                "tried on validation rows to choose the defaults. Seconds: wall time of all replicas "
                "together; it depends on the machine. The CSV file has fractions.",
                columns=tuple(LONG_COLUMNS),
                rows=rows,
                footnotes=notes.all(),
                data=plain(group),
                groups=groups,
                setting=setting,
            )
        )
    return tables


def _long_row(run: Any, notes: Footnotes) -> Row:
    row = []
    for name, text in LONG_COLUMNS.items():
        if name in METRICS.values() and run.na is not None:
            row.append(Cell(NA, marks=(notes.mark(f"NA: {run.na}"),)))
        else:
            row.append(Cell(text(run)))
    return tuple(row)
