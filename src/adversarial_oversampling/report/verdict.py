"""The verdict: which method has the highest ACSA, and by how much DO differs from Q and from RO+Q."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from adversarial_oversampling.report import paper
from adversarial_oversampling.report.common import (
    NA,
    NOT_RUN,
    Cell,
    Footnotes,
    Row,
    Table,
    dataset_titles,
    default_run,
    default_runs,
    file_name,
    measurement,
    mode_titles,
    no_epoch_remarks,
    repeated_tables,
    replicas_by_run,
    rows_of,
)
from adversarial_oversampling.report.statistics import (
    INTERVALS,
    Difference,
    complete_block,
    difference,
    difference_cell,
    same_table_remarks,
)
from adversarial_oversampling.text import count, percent

COMPARED = ("q", "ro")
"""DO is compared with these."""
BEST = "do"


def main_settings(frame: pd.DataFrame) -> list[str]:
    """Return for each protocol the comparison setting with the most runs with default settings.

    Of two settings with equally many runs the one with more epochs or replicas, which comes first, counts.
    """
    runs = default_runs(frame)
    sizes = runs.groupby(["protocol", "setting"], sort=False).size()
    return [str(setting) for _, setting in sizes.groupby(level=0, sort=False).idxmax()]


def tables(frame: pd.DataFrame, replicas: pd.DataFrame) -> list[Table]:
    """Return for each protocol the verdict, and the mean ranks of the paper's methods."""
    made = []
    runs = default_runs(frame)
    for setting in main_settings(frame):
        group = runs[runs["setting"] == setting]
        ranks = paper_ranks(group)
        made.append(_verdict_table(setting, group, replicas[replicas["setting"] == setting], ranks.ranks))
        if ranks.ranks.shape[1] > 1:
            made.append(_rank_table(setting, group, ranks))
    return made


# ---------------------------------------------------------------------------- mean ranks


@dataclass(frozen=True)
class Ranks:
    """Ranks of the paper's methods by mean ACSA.

    Attributes
    ----------
    ranks : DataFrame
        Methods in columns (titles), datasets in rows (titles); 1 is best, equal values share a rank.
    left_out : tuple of str
        Methods and datasets without a run, which are not ranked, and why.
    na : tuple of str
        Methods that have the last rank on a dataset, as they have no result there.
    """

    ranks: pd.DataFrame
    left_out: tuple[str, ...]
    na: tuple[str, ...]

    @property
    def mean(self) -> "pd.Series[float]":
        """Mean rank of each method, the best first."""
        return self.ranks.mean().sort_values(kind="stable")


def paper_ranks(runs: pd.DataFrame) -> Ranks:
    """Rank the paper's methods on each dataset; a method without a result (NA) has the last rank there.

    Methods and datasets are left out until every method was run on every dataset.

    Parameters
    ----------
    runs : DataFrame
        The runs with default settings of one comparison setting.
    """
    repeated = repeated_tables(runs)
    runs = runs[runs["mode"].isin(list(paper.columns())) & ~runs["dataset_title"].isin(list(repeated))]
    values = runs.assign(acsa=runs["acsa"].where(runs["na"].isna(), -1.0)).pivot(
        index="dataset_title", columns="title", values="acsa"
    )
    order = list(dataset_titles(runs).values()), list(mode_titles(runs).values())
    values, left_out = complete_block(values.loc[order].round(9), {})
    na = tuple(
        f"{title} on {dataset}"
        for dataset, row in values.iterrows()
        for title, value in row.items()
        if value < 0
    )
    return Ranks(values.rank(axis=1, ascending=False), left_out + same_table_remarks(repeated), na)


def _rank_table(setting: str, runs: pd.DataFrame, ranks: Ranks) -> Table:
    mean = ranks.mean
    rows: list[Row] = [
        (Cell(str(title)), Cell(f"{mean[title]:.2f}"), *(Cell(f"{rank:g}") for rank in ranks.ranks[title]))
        for title in mean.index
    ]
    notes = Footnotes()
    if ranks.left_out:
        notes.remarks.append(
            f"Left out, so that every method has every dataset: {'; '.join(ranks.left_out)}."
        )
    if ranks.na:
        notes.remarks.append(f"Last rank, as there is no result (NA): {', '.join(ranks.na)}.")
    return Table(
        name=file_name(f"mean ranks {setting}"),
        section="verdict",
        title=f"Mean ranks of the paper's methods by ACSA, {setting}",
        caption=f"{measurement(runs)} Ranks of the mean ACSA on each dataset, 1 is best; equal values share "
        "one. The ranks ignore how far apart two methods are; the section on statistics has tests.",
        columns=("method", "mean rank", *map(str, ranks.ranks.index)),
        rows=tuple(rows),
        footnotes=notes.all(),
        data=pd.DataFrame({"setting": setting, "method": mean.index, "mean_rank": mean.to_numpy()}).join(
            ranks.ranks.T.loc[list(mean.index)].reset_index(drop=True)
        ),
        setting=setting,
    )


# ---------------------------------------------------------------------------- the verdict


def _verdict_table(setting: str, runs: pd.DataFrame, replicas: pd.DataFrame, ranks: pd.DataFrame) -> Table:
    titles = mode_titles(runs)
    of_run = replicas_by_run(default_runs(replicas))
    has_peers = bool(set(titles) - set(paper.columns()))
    repeated = repeated_tables(runs)
    notes = Footnotes(remarks=[f'"{NOT_RUN}": not run in this setting.', *no_epoch_remarks(runs)])
    if repeated:
        notes.remarks.append(f"Not counted above: {'; '.join(same_table_remarks(repeated))}.")
    rows: list[Row] = []
    data = []
    differences: dict[str, list[Difference]] = {mode: [] for mode in COMPARED}
    winners: dict[str, list[str]] = {}
    for dataset, title in dataset_titles(runs).items():
        of_dataset = {run.mode: run for run in rows_of(runs[runs["dataset"] == dataset])}
        in_paper = {mode: run for mode, run in of_dataset.items() if mode in paper.columns()}
        row: dict[str, Any] = {"setting": setting, "dataset": dataset}
        cells = []
        for name, group in {"best_of_paper": in_paper, "best_of_all": of_dataset}.items():
            known = [run for run in group.values() if not pd.isna(run.acsa)]
            if not known:
                cells.append(Cell(NA))
                continue
            best = max(known, key=lambda run: float(run.acsa))
            cells.append(Cell(f"{best.title}, {percent(best.acsa, best.acsa_std)}"))
            row[name] = best.mode
            if name == "best_of_paper" and title not in repeated:
                winners.setdefault(best.title, []).append(title)
        if not has_peers:
            del cells[1]
        do = of_dataset.get(BEST)
        cells.append(Cell(NOT_RUN) if do is None else Cell(percent(do.acsa, do.acsa_std)))
        for mode in COMPARED:
            if not {default_run(dataset, BEST), default_run(dataset, mode)} <= set(of_run):
                cells.append(Cell(NOT_RUN))
                continue
            found = difference(of_run[default_run(dataset, BEST)], of_run[default_run(dataset, mode)])
            cells.append(difference_cell(found))
            if found and title not in repeated:
                differences[mode].append(found)
            if found:
                numbers = {"": found.mean, "_low": found.low, "_high": found.high, "_n": found.n}
                row |= {f"{BEST}_minus_{mode}{part}": value for part, value in numbers.items()}
        rows.append((Cell(title), *cells))
        data.append(row)
    named = paper.columns()
    return Table(
        name=file_name(f"verdict {setting}"),
        section="verdict",
        title=f"The highest ACSA, and {named[BEST]} against {named['q']} and {named['ro']}, {setting}",
        lead=summary(winners, ranks, differences),
        caption=f"{measurement(runs)} {INTERVALS}",
        columns=(
            "dataset",
            "highest ACSA of the paper's methods",
            *(["highest ACSA of all methods"] if has_peers else []),
            named[BEST],
            *(f"{named[BEST]} - {named[mode]} [95 % interval]" for mode in COMPARED),
        ),
        rows=tuple(rows),
        footnotes=notes.all(),
        data=pd.DataFrame(data),
        setting=setting,
    )


def summary(
    winners: Mapping[str, Sequence[str]],
    ranks: pd.DataFrame,
    differences: Mapping[str, Sequence[Difference]],
) -> str:
    """Return the verdict in a few sentences.

    Parameters
    ----------
    winners : mapping
        For the title of each method with the highest mean ACSA the datasets on which it has it.
    ranks : DataFrame
        Ranks of the paper's methods (columns) on each dataset (rows).
    differences : mapping
        DO minus each mode, on each dataset.
    """
    sentences = []
    if ranks.shape[1] > 1:
        mean = ranks.mean().sort_values(kind="stable")
        best = [str(title) for title in mean.index[mean == mean.iloc[0]]]
        verb = "has" if len(best) == 1 else "have"
        sentences.append(
            f"Of {count(ranks.shape[1], 'method')} of the paper, {' and '.join(best)} {verb} the best mean "
            f"rank by ACSA, {mean.iloc[0]:.2f} over {count(len(ranks), 'dataset')}."
        )
    if winners:
        first = sorted(winners.items(), key=lambda item: -len(item[1]))
        listed = "; ".join(f"{title} on {', '.join(datasets)}" for title, datasets in first)
        sentences.append(f"Highest mean ACSA: {listed}.")
    named = paper.columns()
    for mode, found in differences.items():
        if found:
            above = sum(one.low > 0 for one in found)
            below = sum(one.high < 0 for one in found)
            sentences.append(
                f"{named[BEST]} - {named[mode]}: the interval is above 0 on {above} of "
                f"{count(len(found), 'dataset')}, below 0 on {below}."
            )
    return " ".join(sentences)
