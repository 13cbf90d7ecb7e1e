"""How far differences between methods may be chance: over datasets, and over seeds of one dataset.

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
from adversarial_oversampling.report.runs import cells, rows_of
from adversarial_oversampling.report.tables import (
    LABELS,
    NA,
    NOT_RUN,
    SHOWN,
    Cell,
    Footnotes,
    Row,
    Table,
    epochless,
    slug,
)

ALPHA = 0.05
FEWEST_DATASETS = 5
FEWEST_METHODS = 3
FIXED_SPLIT = (
    "The split is the archive's own, so no correction applies: the interval covers the initial weights (and "
    "the choice of validation rows), not the choice of test rows."
)
REFERENCES = ("q", "do")


@dataclass(frozen=True)
class Ranking:
    """Methods ranked over the datasets of one harness, by one metric.

    Attributes
    ----------
    harness, metric : str
    values : DataFrame
        Mean of each method (columns: titles) on each dataset (rows), in percent, without gaps.
    left_out : tuple of str
        Methods and datasets that would have left gaps, and why.
    remarks : tuple of str
        What else a reader has to know.
    result : RankResult or None
        What autorank found; None where there is too little to test.
    reason : str or None
        Why there is no result.
    """

    harness: str
    metric: str
    values: pd.DataFrame
    left_out: tuple[str, ...]
    remarks: tuple[str, ...]
    result: Any
    reason: str | None


def block(values: pd.DataFrame, na: Mapping[tuple[str, str], bool]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Leave out methods and datasets until no value is missing, the one with the most gaps first.

    A dataset goes only if most methods lack it: the tests have few datasets as it is.

    Parameters
    ----------
    values : DataFrame
        Methods in columns, datasets in rows.
    na : mapping
        Whether a (dataset, method) was run and gave nothing.

    Returns
    -------
    values : DataFrame
    left_out : tuple of str
    """
    left_out = []
    while (gaps := values.isna()).to_numpy().any():
        methods, datasets = gaps.mean(axis=0), gaps.mean(axis=1)
        if datasets.max() <= max(methods.max(), 0.5):
            name = str(methods.idxmax())
            missing = [str(one) for one in gaps.index[gaps[name].to_numpy()]]
            left_out.append(f"{name} ({_gaps(missing, [one for one in missing if na.get((one, name))])})")
            values = values.drop(columns=name)
        else:
            name = str(datasets.idxmax())
            left_out.append(f"{name} (no value of {_count(int(gaps.T[name].sum()), 'method')})")
            values = values.drop(index=name)
    return values, tuple(left_out)


def _gaps(missing: Sequence[str], na: Sequence[str]) -> str:
    """Datasets without a value, those where a method gives nothing apart from the others."""
    other = [one for one in missing if one not in na]
    told = {"NA on": na, "no value on": other}
    return "; ".join(f"{text} {', '.join(some)}" for text, some in told.items() if some)


def rankings(frame: pd.DataFrame) -> list[Ranking]:
    """Friedman's test and mean ranks of every harness, by ACSA and by GM."""
    found = []
    for harness, group in cells(frame).groupby("harness", sort=False):
        order = sorted(set(group["mode"]), key=paper.mode_order)
        na = {(row.dataset, row.title): row.na is not None for row in rows_of(group)}
        for metric in SHOWN:
            wide = 100 * group.pivot(index="dataset", columns="title", values=metric)
            wide = wide[[paper.title(mode) for mode in order]]
            wide = wide.loc[sorted(wide.index, key=paper.dataset_order)].round(9)  # equal means are ties
            values, left_out = block(wide, na)
            reason = too_few(values)
            result = None
            if reason is None:
                result = _autorank(values)
            remarks = tuple(epochless(group[group["title"].isin(values.columns)]))
            found.append(Ranking(str(harness), metric, values, left_out, remarks, result, reason))
    return found


def _autorank(values: pd.DataFrame) -> Any:
    """Friedman's and Nemenyi's tests.

    autorank prints what it does even when it is not asked to, and warns of its tests for normality and its
    effect sizes where columns are equal; neither is used here.
    """
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return autorank(values.reset_index(drop=True), alpha=ALPHA, force_mode="nonparametric")


def too_few(values: pd.DataFrame) -> str | None:
    """Why nothing can be tested over these datasets and methods; None if it can."""
    datasets, methods = values.shape
    if datasets >= FEWEST_DATASETS and methods >= FEWEST_METHODS:
        return None
    have = "has" if methods == 1 else "have"
    return (
        f"No test over datasets: it takes at least {FEWEST_METHODS} methods and {FEWEST_DATASETS} datasets, "
        f"and here {_count(methods, 'method')} {have} a value on each of {_count(datasets, 'dataset')}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def pairwise(values: pd.DataFrame) -> pd.DataFrame:
    """Wilcoxon's signed-rank test of every pair of methods over datasets, corrected after Holm.

    Returns
    -------
    DataFrame
        first, second, difference (mean of first minus second), wins, losses, ties (of first), p, p_holm, and
        effect: the matched-pairs rank-biserial correlation, 1 where first is above second on every dataset.
    """
    rows = []
    for first, second in combinations(values.columns, 2):
        gaps = (values[first] - values[second]).to_numpy()
        rows.append(
            {
                "first": first,
                "second": second,
                "difference": gaps.mean(),
                "wins": int((gaps > 0).sum()),
                "losses": int((gaps < 0).sum()),
                "ties": int((gaps == 0).sum()),
                "p": float(stats.wilcoxon(gaps).pvalue) if gaps.any() else 1.0,
                "effect": rank_biserial(gaps),
            }
        )
    found = pd.DataFrame(rows)
    found.insert(7, "p_holm", holm(found["p"].to_numpy()))
    return found


def rank_biserial(gaps: np.ndarray) -> float:
    """Share of the ranks of positive differences minus that of negative ones; zeros are left out."""
    gaps = gaps[gaps != 0]
    if not len(gaps):
        return 0.0
    ranks = stats.rankdata(np.abs(gaps))
    return float((ranks * np.sign(gaps)).sum() / ranks.sum())


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p-values for their number, after Holm."""
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(steps, 1.0)
    return corrected


def paired(replicas: pd.DataFrame, metric: str, reference: str) -> pd.DataFrame:
    """Differences of every mode from one of them, over the replicas of each harness and dataset.

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
        harness, dataset, metric, mode, title, reference; difference (mode minus reference), low and high (the
        95 % interval) as fractions; effect (Cohen's d of the paired differences); n; test_to_train and
        fixed_split. Where there are fewer than two pairs only `difference` and `n` have values.
    """
    rows = []
    for (harness, dataset), group in cells(replicas).groupby(["harness", "dataset"], sort=False):
        first = rows_of(group)[0]
        known = sum(first.rows_train) + sum(first.rows_validation)
        ratio = 0.0 if first.fixed_split else sum(first.rows_test) / known
        wide = group.assign(fold=group["fold"].fillna(-1)).pivot(
            index=["seed", "fold"], columns="mode", values=metric
        )
        if reference not in wide:
            continue
        for mode in sorted(set(wide.columns) - {reference}, key=paper.mode_order):
            gaps = (wide[mode] - wide[reference]).dropna().to_numpy()
            if not len(gaps):
                continue
            low, high = corrected_interval(gaps, ratio)
            rows.append(
                {
                    "harness": harness,
                    "dataset": dataset,
                    "metric": metric,
                    "mode": mode,
                    "title": paper.title(mode),
                    "reference": reference,
                    "difference": gaps.mean(),
                    "low": low,
                    "high": high,
                    "effect": effect_size(gaps),
                    "n": len(gaps),
                    "test_to_train": ratio,
                    "fixed_split": first.fixed_split,
                }
            )
    return pd.DataFrame(rows)


def corrected_interval(gaps: np.ndarray, test_to_train: float) -> tuple[float, float]:
    """Confidence interval, 95 %, of a mean difference over splits of one table.

    The variance of the mean is (1 / n + test rows / training rows) s^2, after Nadeau and Bengio: without the
    second term it would be far too small, as the splits overlap. Zero leaves the usual interval.
    """
    n = len(gaps)
    if n < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(1 - ALPHA / 2, n - 1) * gaps.std(ddof=1) * np.sqrt(1 / n + test_to_train)
    return float(gaps.mean() - half), float(gaps.mean() + half)


def effect_size(gaps: np.ndarray) -> float:
    """Cohen's d of paired differences: mean over standard deviation; NaN where they are all the same."""
    if len(gaps) < 2 or np.allclose(gaps, gaps[0], rtol=0, atol=1e-12):
        return float("nan")
    return float(gaps.mean() / gaps.std(ddof=1))


def ranking_table(ranking: Ranking) -> Table:
    """Mean ranks and Friedman's test."""
    name, title = f"ranks {ranking.metric} {ranking.harness}", f"Mean ranks by {LABELS[ranking.metric]}"
    notes = Footnotes()
    if ranking.left_out:
        notes.remarks.append(
            f"Left out, so that every method has every dataset: {'; '.join(ranking.left_out)}."
        )
    heading = f"{title}, {ranking.harness}"
    if ranking.result is None:
        reason = ranking.reason or ""
        data = pd.DataFrame({"harness": [ranking.harness], "metric": [ranking.metric], "reason": [reason]})
        return Table(slug(name), "statistics", heading, reason, (), (), notes.all(), data)
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
        f"{_sentence(ranking.harness)}. Ranks on each of {datasets} datasets, 1 is best, equal values share "
        f"one. Friedman's test: p {_p(result.pvalue, '= ')}, {verdict} (level {ALPHA:g}). Mean ranks "
        f"closer than {result.cd:.2f} cannot be told apart (Nemenyi's critical difference). The tests take "
        f"the datasets as independent draws and know nothing of the spread within one: {datasets} of them "
        "show large and steady differences only."
    )
    data = pd.DataFrame({"method": mean.index, "mean_rank": mean.to_numpy()})
    data = data.assign(
        harness=ranking.harness, metric=ranking.metric, p=result.pvalue, cd=result.cd, datasets=datasets
    )
    columns = ("method", "mean rank", f"mean {LABELS[ranking.metric]}", *map(str, ranks.index))
    return Table(slug(name), "statistics", heading, caption, columns, tuple(rows), notes.all(), data)


def pairwise_table(ranking: Ranking) -> Table:
    """Wilcoxon's test of every pair with Q or DO; the CSV file has all pairs."""
    found = pairwise(ranking.values)
    shown = {paper.title(mode) for mode in REFERENCES}
    pairs = found[found["first"].isin(shown) | found["second"].isin(shown)]
    datasets = len(ranking.values)
    rows = tuple(_pair(row) for row in rows_of(pairs))
    caption = (
        f"{_sentence(ranking.harness)}. Wilcoxon's signed-rank test, two-sided, over {datasets} datasets, of "
        f"the pairs with Q or DO. The CSV file has all {len(found)} pairs, and Holm's correction counts them "
        "all. Difference: mean over datasets, in points. Effect: rank-biserial correlation, -1 to 1. The "
        f"smallest p that {datasets} datasets can give is {_p(2.0 ** (1 - datasets))} before the correction, "
        "so a large p is no sign that two methods are alike."
    )
    return Table(
        slug(f"pairs {ranking.metric} {ranking.harness}"),
        "statistics",
        f"Pairs of methods by {LABELS[ranking.metric]}, {ranking.harness}",
        caption,
        ("pair", "difference", "better/equal/worse", "p", "p after Holm", "effect"),
        rows,
        tuple(("", remark) for remark in ranking.remarks),
        found.assign(harness=ranking.harness, metric=ranking.metric),
    )


def _pair(row: Any) -> Row:
    """A pair as it is read: something minus Q, or DO minus something."""
    sign, names = 1, (row.first, row.second)
    if row.first == paper.title("q") or row.second == paper.title("do"):
        sign, names = -1, (row.second, row.first)
    return (
        Cell(" - ".join(names)),
        Cell(f"{sign * row.difference:+.2f}"),
        Cell("/".join(map(str, (row.wins, row.ties, row.losses)[::sign]))),
        Cell(_p(row.p)),
        Cell(_p(row.p_holm)),
        Cell(f"{sign * row.effect:+.2f}"),
    )


def paired_tables(frame: pd.DataFrame, replicas: pd.DataFrame) -> list[Table]:
    """Paired differences from Q and from DO, a table for every harness and metric."""
    tables = []
    for harness, runs in cells(frame).groupby("harness", sort=False):
        na = {(row.dataset, row.mode) for row in rows_of(runs) if row.na is not None}
        remarks = epochless(runs)
        group = replicas[replicas["harness"] == harness]
        for reference in REFERENCES:
            for metric in SHOWN:
                found = paired(group, metric, reference)
                if len(found):
                    tables.append(_paired_table(str(harness), reference, metric, found, na, remarks))
    return tables


def _paired_table(
    harness: str,
    reference: str,
    metric: str,
    found: pd.DataFrame,
    na: set[tuple[str, str]],
    remarks: Sequence[str],
) -> Table:
    notes = Footnotes()
    grid = {(row.mode, row.dataset): row for row in rows_of(found)}
    modes = sorted(set(found["mode"]), key=paper.mode_order)
    datasets = sorted(set(found["dataset"]), key=paper.dataset_order)
    rows: list[Row] = []
    for mode in modes:
        line = [Cell(paper.title(mode))]
        for dataset in datasets:
            absent = NA if {(dataset, mode), (dataset, reference)} & na else NOT_RUN
            line.append(_difference(grid.get((mode, dataset)), absent))
        rows.append(tuple(line))
    pairs = sorted(set(found["n"]))
    fixed = set(found.loc[found["fixed_split"], "dataset"])
    heads = [f"{one} ({notes.mark(FIXED_SPLIT)})" if one in fixed else one for one in datasets]
    notes.remarks += [
        f'"{NOT_RUN}": no replicas to pair. NA: one of the two gives nothing on this dataset.',
        "d is Cohen's d of the paired differences: their mean over their standard deviation.",
        *remarks,
    ]
    title = paper.title(reference)
    caption = (
        f"{_sentence(harness)}. {LABELS[metric]} minus that of {title}, over replicas of the same seed and "
        f"split (n = {' or '.join(map(str, pairs))}), in points: mean [95 % interval]; d. Bold: the interval "
        "leaves out 0. The intervals use the variance after Nadeau and Bengio, (1/n + test rows/other rows) "
        "times that of the differences, since the splits of one table share rows; they take the differences "
        "as normal and are not corrected for their number."
    )
    return Table(
        slug(f"differences {reference} {metric} {harness}"),
        "statistics",
        f"{LABELS[metric]} against {title}, {harness}",
        caption,
        ("method", *heads),
        tuple(rows),
        notes.all(),
        found,
    )


def _difference(row: Any, absent: str) -> Cell:
    if row is None:
        return Cell(absent)
    text = f"{100 * row.difference:+.2f}"
    if row.n < 2:
        return Cell(text)
    text += f" [{100 * row.low:.2f}, {100 * row.high:.2f}]"
    if pd.isna(row.effect):
        return Cell(text)
    return Cell(f"{text}; d {row.effect:.2f}", bold=row.low > 0 or row.high < 0)


def tables(frame: pd.DataFrame, replicas: pd.DataFrame, ranked: Sequence[Ranking]) -> list[Table]:
    """Every table of statistics, harness by harness."""
    found = []
    for ranking in ranked:
        found.append(ranking_table(ranking))
        if ranking.result is not None:
            found.append(pairwise_table(ranking))
    return found + paired_tables(frame, replicas)


def _p(value: float, equals: str = "") -> str:
    return "< 0.0001" if value < 1e-4 else f"{equals}{value:.4f}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
