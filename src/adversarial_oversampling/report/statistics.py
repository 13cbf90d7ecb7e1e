"""Statistics of differences between methods: over datasets, and over seeds of one dataset.

Over datasets: Friedman's test with mean ranks, and Wilcoxon's signed-rank test for every pair, corrected
after Holm. Over seeds: intervals of paired differences after Nadeau and Bengio (2003), as the splits of one
table share most of their rows and are no independent measurements.
"""

import io
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from autorank import autorank
from scipy import stats

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
    dataset_titles,
    default_runs,
    file_name,
    mode_titles,
    no_epoch_remarks,
    repeated_tables,
    rows_of,
)
from adversarial_oversampling.results.schema import METRICS
from adversarial_oversampling.text import capitalized, count

ALPHA = 0.05
FEWEST_DATASETS = 5
FEWEST_METHODS = 3
FIXED_SPLIT = (
    "The split is the archive's own, so no correction applies: the interval covers the initial weights (and "
    "the choice of validation rows), not the choice of test rows."
)
DIFFERENCE_COLUMNS = ("difference", "low", "high", "effect", "n", "test_to_train", "fixed_split")
INTERVALS = (
    "Bold: the interval leaves out 0. The intervals use the variance after Nadeau and Bengio, (1/n + test "
    "rows/other rows) times that of the differences, since the splits of one table share rows. They assume "
    "normal differences and are not corrected for their number."
)


@dataclass(frozen=True)
class Ranking:
    """Methods ranked over the datasets of one comparison setting, by one metric.

    Attributes
    ----------
    setting, metric : str
    values : DataFrame
        Mean of each method (columns: titles) on each dataset (rows: titles), in percent; no value is missing.
    left_out : tuple of str
        Methods and datasets with missing values, which are not ranked, and why.
    remarks : tuple of str
        Further remarks for the reader.
    result : RankResult or None
        What autorank returns; None if there is too little to test.
    reason : str or None
        Why there is no result.
    references : tuple of str
        Titles of the paper's references.
    """

    setting: str
    metric: str
    values: pd.DataFrame
    left_out: tuple[str, ...]
    remarks: tuple[str, ...]
    result: Any
    reason: str | None
    references: tuple[str, ...]


# ---------------------------------------------------------------------------- over datasets


def complete_block(
    values: pd.DataFrame, na: Mapping[tuple[str, str], bool]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Leave out methods and datasets until no value is missing, the one that lacks the most values first.

    A dataset is left out only if most methods lack it: the tests have few datasets as it is.

    Parameters
    ----------
    values : DataFrame
        Methods in columns, datasets in rows.
    na : mapping
        Whether a (dataset, method) was run without a result.

    Returns
    -------
    values : DataFrame
    left_out : tuple of str
    """
    left_out = []
    while (missing := values.isna()).to_numpy().any():
        methods, datasets = missing.mean(axis=0), missing.mean(axis=1)
        if datasets.max() <= max(methods.max(), 0.5):
            name = str(methods.idxmax())
            datasets_without = [str(dataset) for dataset in missing.index[missing[name].to_numpy()]]
            without_result = [dataset for dataset in datasets_without if na.get((dataset, name))]
            left_out.append(f"{name} ({_missing_text(datasets_without, without_result)})")
            values = values.drop(columns=name)
        else:
            name = str(datasets.idxmax())
            left_out.append(f"{name} (no value of {count(int(missing.T[name].sum()), 'method')})")
            values = values.drop(index=name)
    return values, tuple(left_out)


def same_table_remarks(repeated: Mapping[str, str]) -> tuple[str, ...]:
    """Return why datasets with the table of another one are left out."""
    return tuple(f"{title} ({how})" for title, how in repeated.items())


def fewer_replica_remarks(runs: pd.DataFrame) -> list[str]:
    """Return a remark that names the means of fewer replicas than a run has: they are over other splits."""
    fewer = runs[runs["n"] < runs["replicas"]]
    if fewer.empty:
        return []
    means = [f"{run.title} on {run.dataset_title} ({run.n} of {run.replicas})" for run in rows_of(fewer)]
    return [f"Means of fewer replicas, and so of other splits: {'; '.join(means)}."]


def _missing_text(datasets_without: Sequence[str], without_result: Sequence[str]) -> str:
    """Return the datasets on which a method lacks a value; those on which it has no result are separate."""
    others = [dataset for dataset in datasets_without if dataset not in without_result]
    parts = {"NA on": without_result, "no value on": others}
    return "; ".join(f"{text} {', '.join(datasets)}" for text, datasets in parts.items() if datasets)


def rankings(frame: pd.DataFrame) -> list[Ranking]:
    """Return mean ranks and Friedman's test of every comparison setting, by ACSA and by GM."""
    ranked = []
    for setting, runs in by_setting(default_runs(frame)):
        repeated = repeated_tables(runs)
        group = runs[~runs["dataset_title"].isin(list(repeated))]
        modes, datasets = mode_titles(group), dataset_titles(group)
        na = {(row.dataset_title, row.title): row.na is not None for row in rows_of(group)}
        for metric in MAIN_METRICS:
            wide = 100 * group.pivot(index="dataset_title", columns="title", values=metric)
            wide = wide.loc[list(datasets.values()), list(modes.values())].round(9)  # equal means are ties
            values, left_out = complete_block(wide, na)
            left_out += same_table_remarks(repeated)
            reason = too_few(values)
            compared = group[group["title"].isin(values.columns) & group["dataset_title"].isin(values.index)]
            ranked.append(
                Ranking(
                    setting,
                    metric,
                    values,
                    left_out,
                    (*no_epoch_remarks(compared), *fewer_replica_remarks(compared)),
                    _autorank(values) if reason is None else None,
                    reason,
                    tuple(modes.get(mode, paper.columns()[mode]) for mode in paper.REFERENCES),
                )
            )
    return ranked


def _autorank(values: pd.DataFrame) -> Any:
    """Return Friedman's and Nemenyi's tests.

    autorank prints even with `verbose=False`, and warns of tests and effect sizes that are not used here if
    columns are equal.
    """
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return autorank(values.reset_index(drop=True), alpha=ALPHA, force_mode="nonparametric")


def too_few(values: pd.DataFrame) -> str | None:
    """Return why nothing can be tested over these datasets and methods; None if it can."""
    datasets, methods = values.shape
    if datasets >= FEWEST_DATASETS and methods >= FEWEST_METHODS:
        return None
    have = "has" if methods == 1 else "have"
    return (
        f"No test over datasets: it takes at least {FEWEST_METHODS} methods and {FEWEST_DATASETS} datasets, "
        f"and here {count(methods, 'method')} {have} a value on each of {count(datasets, 'dataset')}."
    )


def pairwise(values: pd.DataFrame) -> pd.DataFrame:
    """Return Wilcoxon's signed-rank test of every pair of methods over datasets, corrected after Holm.

    Returns
    -------
    DataFrame
        first, second, difference (mean of first minus second), wins, losses, ties (of first), p, p_holm, and
        effect: the matched-pairs rank-biserial correlation, 1 if first is above second on every dataset.
    """
    rows = []
    for first, second in combinations(values.columns, 2):
        differences = (values[first] - values[second]).to_numpy()
        rows.append(
            {
                "first": first,
                "second": second,
                "difference": differences.mean(),
                "wins": int((differences > 0).sum()),
                "losses": int((differences < 0).sum()),
                "ties": int((differences == 0).sum()),
                "p": float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0,
                "effect": rank_biserial(differences),
            }
        )
    pairs = pd.DataFrame(rows)
    pairs.insert(7, "p_holm", holm(pairs["p"].to_numpy()))
    return pairs


def rank_biserial(differences: np.ndarray) -> float:
    """Return the share of the ranks of positive differences minus that of negative ones, without zeros."""
    differences = differences[differences != 0]
    if not len(differences):
        return 0.0
    ranks = stats.rankdata(np.abs(differences))
    return float((ranks * np.sign(differences)).sum() / ranks.sum())


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values corrected for their number, after Holm."""
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(steps, 1.0)
    return corrected


def ranking_table(ranking: Ranking) -> Table:
    """Return a table of mean ranks and Friedman's test."""
    label = METRICS[ranking.metric]
    name = file_name(f"ranks {ranking.metric} {ranking.setting}")
    heading = f"Mean ranks by {label}, {ranking.setting}"
    notes = Footnotes()
    if ranking.left_out:
        notes.remarks.append(
            f"Left out, so that every method has every dataset: {'; '.join(ranking.left_out)}."
        )
    if ranking.result is None:
        reason = ranking.reason or ""
        data = pd.DataFrame({"setting": [ranking.setting], "metric": [ranking.metric], "reason": [reason]})
        return Table(
            name=name,
            section="statistics",
            title=heading,
            caption=reason,
            columns=(),
            rows=(),
            footnotes=notes.all(),
            data=data,
            setting=ranking.setting,
        )
    notes.remarks += ranking.remarks
    ranks = ranking.values.rank(axis=1, ascending=False)
    mean = ranks.mean().sort_values(kind="stable")
    rows: list[Row] = []
    for method in map(str, mean.index):
        row = [method, f"{mean[method]:.2f}", f"{ranking.values[method].mean():.2f}"]
        rows.append(tuple(map(Cell, [*row, *(f"{rank:g}" for rank in ranks[method])])))
    result, datasets = ranking.result, len(ranks)
    verdict = (
        "the methods differ"
        if result.pvalue < ALPHA
        else "no difference between the methods can be shown, so their order may well be chance"
    )
    caption = (
        f"{capitalized(ranking.setting)}. Ranks on each of {datasets} datasets, 1 is best, equal values "
        f"share one. Friedman's test: p {_p(result.pvalue, '= ')}, {verdict} (level {ALPHA:g}). Mean ranks "
        f"closer than {result.cd:.2f} cannot be told apart (Nemenyi's critical difference). The tests take "
        f"the datasets as independent draws and ignore the spread within one dataset: with {datasets} "
        "datasets they show large and steady differences only."
    )
    data = pd.DataFrame({"method": mean.index, "mean_rank": mean.to_numpy()})
    data = data.assign(
        setting=ranking.setting, metric=ranking.metric, p=result.pvalue, cd=result.cd, datasets=datasets
    )
    return Table(
        name=name,
        section="statistics",
        title=heading,
        caption=caption,
        columns=("method", "mean rank", f"mean {label}", *map(str, ranks.index)),
        rows=tuple(rows),
        footnotes=notes.all(),
        data=data,
        setting=ranking.setting,
        folded=True,
    )


def pairwise_table(ranking: Ranking) -> Table:
    """Return Wilcoxon's test of every pair with one of the references; the CSV file has all pairs."""
    pairs = pairwise(ranking.values)
    references = list(ranking.references)
    shown = pairs[pairs["first"].isin(references) | pairs["second"].isin(references)]
    datasets = len(ranking.values)
    caption = (
        f"{capitalized(ranking.setting)}. Wilcoxon's signed-rank test, two-sided, over {datasets} datasets, "
        f"of the pairs with {' or '.join(references)}. The CSV file has all {len(pairs)} pairs, and Holm's "
        "correction counts them all. Difference: mean over datasets, in points. Effect: rank-biserial "
        f"correlation, -1 to 1. The smallest p that {datasets} datasets can give is "
        f"{_p(2.0 ** (1 - datasets))} before the correction, so a large p does not show that two methods are "
        "alike."
    )
    return Table(
        name=file_name(f"pairs {ranking.metric} {ranking.setting}"),
        section="statistics",
        title=f"Pairs of methods by {METRICS[ranking.metric]}, {ranking.setting}",
        caption=caption,
        columns=("pair", "difference", "better/equal/worse", "p", "p after Holm", "effect"),
        rows=tuple(_pair(row, ranking.references) for row in rows_of(shown)),
        footnotes=tuple(("", remark) for remark in ranking.remarks),
        data=pairs.assign(setting=ranking.setting, metric=ranking.metric),
        setting=ranking.setting,
        folded=True,
    )


def _pair(row: Any, references: Sequence[str]) -> Row:
    """Return a pair as a method minus the baseline, or as the paper's best method minus another one."""
    baseline, best = references
    sign, names = 1, (row.first, row.second)
    if row.first == baseline or row.second == best:
        sign, names = -1, (row.second, row.first)
    return (
        Cell(" - ".join(names)),
        Cell(f"{sign * row.difference:+.2f}"),
        Cell("/".join(map(str, (row.wins, row.ties, row.losses)[::sign]))),
        Cell(_p(row.p)),
        Cell(_p(row.p_holm)),
        Cell(f"{sign * row.effect:+.2f}"),
    )


# ---------------------------------------------------------------------------- over replicas


@dataclass(frozen=True)
class Difference:
    """Mean difference of a metric between two runs, over replicas of the same seed and fold.

    Attributes
    ----------
    mean : float
        A fraction.
    low, high : float
        The 95 % interval; NaN with fewer than two pairs.
    effect : float
        Cohen's d of the paired differences; NaN if it is not defined.
    n : int
        Number of pairs.
    reference_mean : float
        Mean of the metric in the second run, over the same pairs.
    test_to_train : float
        Ratio of rows in the variance of the interval; 0 for a fixed split.
    fixed_split : bool
    """

    mean: float
    low: float
    high: float
    effect: float
    n: int
    reference_mean: float
    test_to_train: float
    fixed_split: bool

    @property
    def leaves_out_zero(self) -> bool:
        """Whether the whole interval is above or below 0."""
        return self.low > 0 or self.high < 0


def difference(replicas: pd.DataFrame, reference: pd.DataFrame, metric: str = "acsa") -> Difference | None:
    """Return the paired difference between two runs on one dataset; None if no pair has both values.

    Parameters
    ----------
    replicas, reference : DataFrame
        The rows of the replica frame of each run.
    metric : str
    """
    ours, theirs = (
        rows.set_index([rows["seed"], rows["fold"].fillna(-1)])[metric].dropna()
        for rows in (replicas, reference)
    )
    differences = (ours - theirs).dropna()
    if differences.empty:
        return None
    every = rows_of(replicas)
    tested = sum(sum(row.rows_test) for row in every)
    other_rows = sum(sum(row.rows_train) + sum(row.rows_validation) for row in every)
    ratio = 0.0 if every[0].fixed_split else tested / other_rows
    values = differences.to_numpy()
    low, high = corrected_interval(values, ratio)
    return Difference(
        mean=float(values.mean()),
        low=low,
        high=high,
        effect=effect_size(values),
        n=len(values),
        reference_mean=float(theirs.loc[differences.index].mean()),
        test_to_train=ratio,
        fixed_split=bool(every[0].fixed_split),
    )


def paired(replicas: pd.DataFrame, metric: str, reference: str) -> pd.DataFrame:
    """Return differences of every mode from one of them, over the replicas of each setting and dataset.

    Parameters
    ----------
    replicas : DataFrame
        The replica frame.
    metric : str
    reference : str
        A mode; replicas of the same seed and fold are paired.

    Returns
    -------
    DataFrame
        setting, dataset, metric, mode, title, reference; difference (mode minus reference), low and high (the
        95 % interval) as fractions; effect (Cohen's d of the paired differences); n; test_to_train and
        fixed_split. With fewer than two pairs only `difference` and `n` have values.
    """
    rows = []
    for (setting, dataset), group in default_runs(replicas).groupby(["setting", "dataset"], sort=False):
        of_mode = {str(mode): run for mode, run in group.groupby("mode", sort=False)}
        if reference not in of_mode:
            continue
        for mode, title in mode_titles(group).items():
            found = None if mode == reference else difference(of_mode[mode], of_mode[reference], metric)
            if found is None:
                continue
            keys = {"setting": setting, "dataset": dataset, "metric": metric}
            rows.append({**keys, "mode": mode, "title": title, "reference": reference, **plain(found)})
    return pd.DataFrame(rows)


def plain(found: Difference) -> dict[str, Any]:
    """Return a difference as columns of a CSV file, as fractions."""
    values = (
        found.mean,
        found.low,
        found.high,
        found.effect,
        found.n,
        found.test_to_train,
        found.fixed_split,
    )
    return dict(zip(DIFFERENCE_COLUMNS, values, strict=True))


def corrected_interval(differences: np.ndarray, test_to_train: float) -> tuple[float, float]:
    """Return the 95 % confidence interval of a mean difference over splits of one table.

    The variance of the mean is (1 / n + test rows / training rows) s^2, after Nadeau and Bengio: without the
    second term it would be far too small, as the splits overlap. A ratio of zero gives the usual interval.
    """
    n = len(differences)
    if n < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(1 - ALPHA / 2, n - 1) * differences.std(ddof=1) * np.sqrt(1 / n + test_to_train)
    return float(differences.mean() - half), float(differences.mean() + half)


def effect_size(differences: np.ndarray) -> float:
    """Return Cohen's d of paired differences, mean over standard deviation; NaN if they are all equal."""
    if len(differences) < 2 or np.allclose(differences, differences[0], rtol=0, atol=1e-12):
        return float("nan")
    return float(differences.mean() / differences.std(ddof=1))


def paired_tables(frame: pd.DataFrame, replicas: pd.DataFrame) -> list[Table]:
    """Return paired differences from each reference, a table for every setting and metric."""
    tables = []
    for setting, runs in by_setting(default_runs(frame)):
        group = replicas[replicas["setting"] == setting]
        for reference in paper.REFERENCES:
            for metric in MAIN_METRICS:
                differences = paired(group, metric, reference)
                if len(differences):
                    tables.append(_paired_table(setting, reference, metric, differences, runs))
    return tables


def _paired_table(
    setting: str, reference: str, metric: str, differences: pd.DataFrame, runs: pd.DataFrame
) -> Table:
    label = METRICS[metric]
    titles = mode_titles(runs)
    notes = Footnotes()
    grid = {(row.mode, row.dataset): row for row in rows_of(differences)}
    na = {(row.mode, row.dataset) for row in rows_of(runs) if row.na is not None}
    compared = set(differences["dataset"])
    datasets = {name: title for name, title in dataset_titles(runs).items() if name in compared}
    rows: list[Row] = []
    for mode in [mode for mode in titles if mode in set(differences["mode"])]:
        line = [Cell(titles[mode])]
        for dataset in datasets:
            absent = NA if {(mode, dataset), (reference, dataset)} & na else NOT_RUN
            line.append(_difference(grid.get((mode, dataset)), absent))
        rows.append(tuple(line))
    pairs = sorted(set(differences["n"]))
    fixed = set(differences.loc[differences["fixed_split"], "dataset"])
    heads = [
        f"{title} ({notes.mark(FIXED_SPLIT)})" if name in fixed else title for name, title in datasets.items()
    ]
    notes.remarks += [
        f'"{NOT_RUN}": no replicas to pair. NA: one of the two methods has no result on this dataset.',
        "d is Cohen's d of the paired differences: their mean over their standard deviation.",
        *no_epoch_remarks(runs),
    ]
    title = titles[reference]
    caption = (
        f"{capitalized(setting)}. {label} minus that of {title}, over replicas of the same seed and "
        f"split (n = {' or '.join(map(str, pairs))}), in points: mean [95 % interval]; d. {INTERVALS}"
    )
    return Table(
        name=file_name(f"differences {reference} {metric} {setting}"),
        section="statistics",
        title=f"{label} against {title}, {setting}",
        caption=caption,
        columns=("method", *heads),
        rows=tuple(rows),
        footnotes=notes.all(),
        data=differences,
        setting=setting,
        folded=True,
    )


def _difference(row: Any, absent: str) -> Cell:
    if row is None:
        return Cell(absent)
    text = interval_text(row.difference, row.low, row.high)
    if pd.isna(row.effect):
        return Cell(text)
    return Cell(f"{text}; d {row.effect:.2f}", bold=row.low > 0 or row.high < 0)


def interval_text(mean: float, low: float, high: float) -> str:
    """Return a difference and its interval in points; without the interval if there is none."""
    text = f"{100 * mean:+.2f}"
    return text if pd.isna(low) else f"{text} [{100 * low:.2f}, {100 * high:.2f}]"


def difference_cell(found: Difference | None, marks: tuple[str, ...] = ()) -> Cell:
    """Return a paired difference as a cell, bold if its interval leaves out 0; NA if there is no pair."""
    if found is None:
        return Cell(NA, marks=marks)
    return Cell(interval_text(found.mean, found.low, found.high), bold=found.leaves_out_zero, marks=marks)


# ---------------------------------------------------------------------------- all of them


def tables(frame: pd.DataFrame, replicas: pd.DataFrame, ranked: Sequence[Ranking]) -> list[Table]:
    """Return every table of statistics: over datasets, then over replicas, setting by setting."""
    over_datasets = []
    for ranking in ranked:
        over_datasets.append(ranking_table(ranking))
        if ranking.result is not None:
            over_datasets.append(pairwise_table(ranking))
    return over_datasets + paired_tables(frame, replicas)


def _p(value: float, equals: str = "") -> str:
    return "< 0.0001" if value < 1e-4 else f"{equals}{value:.4f}"
