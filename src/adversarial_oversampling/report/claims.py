"""The claims of the paper, and what the runs say about each.

A claim is a list of paired differences in ACSA, each with the range in which the claim puts it. Its verdict
follows from the 95 % intervals of these differences alone:

- A difference "holds" if its interval lies within the claimed range, "does not hold" if it lies outside, and
  is "undecided" if it overlaps the range in part or if there is one pair only. It is "not measured" if one of
  the two runs is missing. A method without a result on a dataset (NA) takes no part there.
- A comparison over datasets that is claimed on "every" dataset does not hold if one difference does not.
  Otherwise it is not measured if one is missing, undecided if one is, and else holds. A comparison that is
  claimed on "some" dataset holds if one difference does. Otherwise it is not measured if one is missing,
  undecided if one is, and else does not hold.
- A claim combines its comparisons like "every".
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from adversarial_oversampling.report import paper
from adversarial_oversampling.report.common import (
    NA,
    NOT_RUN,
    Cell,
    Footnotes,
    Row,
    RunKey,
    Table,
    by_setting,
    file_name,
    measurement,
    replicas_by_run,
)
from adversarial_oversampling.report.statistics import (
    DIFFERENCE_COLUMNS,
    INTERVALS,
    Difference,
    difference,
    interval_text,
    plain,
)
from adversarial_oversampling.text import capitalized

FILE = "claims.csv"

COLUMNS = (
    "setting",
    "claim",
    "statement",
    "source",
    "claim_verdict",
    "comparison",
    "comparison_verdict",
    "mode",
    "settings",
    "reference",
    "relative",
    "claimed_above",
    "claimed_at_most",
    "dataset",
    "verdict",
    "missing",
    *DIFFERENCE_COLUMNS,
)

Verdict = Literal["holds", "does not hold", "undecided", "not measured"]
HOLDS, FAILS, UNDECIDED, NOT_MEASURED = "holds", "does not hold", "undecided", "not measured"

Range = tuple[float, float]
"""Bounds of a difference, as fractions: above the first, and at most the second."""
ABOVE: Range = (0.0, math.inf)
NOT_ABOVE: Range = (-math.inf, 0.0)


@dataclass(frozen=True)
class Comparison:
    """A method minus another one on some datasets, and where the paper's claim puts the difference.

    Attributes
    ----------
    mode, reference : str
    datasets : tuple of str
    claimed : Range
    quantifier : {"every", "some"}
        On how many of the datasets.
    relative : bool
        Whether the difference is a part of the reference's ACSA.
    settings : tuple of str
        Variant of the first mode; the reference has default settings.
    """

    mode: str
    reference: str
    datasets: tuple[str, ...] = paper.DATASETS
    claimed: Range = ABOVE
    quantifier: Literal["every", "some"] = "every"
    relative: bool = False
    settings: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The comparison in a few words."""
        titles = paper.columns()
        relative = ", relative" if self.relative else ""
        return f"{titles[self.mode]}{_settings(self.settings)} - {titles[self.reference]}{relative}"


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Attributes
    ----------
    number : int
    statement : str
        In our own words.
    source : str
        Section, table or figure of the paper.
    rule : str
        What must be shown for the claim to hold.
    comparisons : tuple of Comparison
    """

    number: int
    statement: str
    source: str
    rule: str
    comparisons: tuple[Comparison, ...]


RATES = (("fs=quarter",), ("fs=half",), ("fs=three_quarters",), ())
"""Variants of DO in the paper's Figure 2; its default is fs=balanced."""
CROSS_ENTROPY = (
    "gan_type=vanilla",
    "mode.rules.classifier_term=favour",
    "mode.rules.generator_term=fool",
    "mode.rules.real_term=favour",
)
"""Settings that give GAMO cross-entropy in place of least squares."""

CLAIMS = (
    Claim(
        1,
        "DO raises the ACSA of Q by 0.7 to 49.27 %, relative to Q.",
        "abstract; its Table 2 has 0.63 % (Wafer) to 49.28 % (Credit)",
        "The relative improvement is above 0.7 % and at most 49.27 % on every dataset.",
        (Comparison("do", "q", claimed=(0.007, 0.4927), relative=True),),
    ),
    Claim(
        2,
        "DO has the highest ACSA on every dataset.",
        "section 4.2 and Table 2, section 5",
        "DO is above each of the other eight methods on every dataset.",
        tuple(
            Comparison("do", mode) for mode in ("q", "ro", "cot", "smote", "bsmote", "adasyn", "gamo", "ao")
        ),
    ),
    Claim(
        3,
        "AO is better than Q on tables with many columns or a high imbalance: SECOM, Wafer and Credit.",
        "section 4.2 and Table 2",
        "AO is above Q on each of the three.",
        (Comparison("ao", "q", ("secom", "wafer", "credit")),),
    ),
    Claim(
        4,
        "AO is better than GAMO on every dataset but Yeast.",
        "section 4.2 and Table 2",
        "AO is above GAMO on five datasets, and not above it on Yeast.",
        (
            Comparison("ao", "gamo", tuple(name for name in paper.DATASETS if name != "yeast")),
            Comparison("ao", "gamo", ("yeast",), claimed=NOT_ABOVE),
        ),
    ),
    Claim(
        5,
        "Each rate of data-space oversampling improves Q.",
        "section 1 and Figure 2 (SECOM)",
        "DO on SECOM is above Q at each fs: quarter, half, three_quarters and balanced.",
        tuple(Comparison("do", "q", ("secom",), settings=rate) for rate in RATES),
    ),
    Claim(
        6,
        "In a game of three players, cross-entropy is a better loss than GAMO's least squares.",
        "sections 1 and 4.2, which argue from AO against GAMO",
        "GAMO with cross-entropy in place of least squares, all else equal, is above GAMO on every dataset.",
        (Comparison("gamo", "gamo", settings=CROSS_ENTROPY),),
    ),
    Claim(
        7,
        "Random oversampling, SMOTE, Borderline-SMOTE and ADASYN do not always help, and COT does not suit "
        "imbalanced tables.",
        "section 4.2 and Table 2",
        "Each of the five is not above Q on at least one dataset.",
        tuple(
            Comparison(mode, "q", claimed=NOT_ABOVE, quantifier="some")
            for mode in ("ro", "smote", "bsmote", "adasyn", "cot")
        ),
    ),
)


@dataclass(frozen=True)
class Finding:
    """What the runs of one setting say about a comparison on one dataset.

    Attributes
    ----------
    dataset : str
    found : Difference or None
        None if a run is missing or has no result.
    verdict : Verdict or None
        None if a method has no result on the dataset.
    missing : tuple of (str, str)
        Title of the method and of the dataset of each run that is missing.
    """

    dataset: str
    found: Difference | None
    verdict: Verdict | None
    missing: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Assessed:
    """A claim with its findings in one comparison setting, one sequence for each comparison."""

    claim: Claim
    findings: tuple[tuple[Finding, ...], ...]

    @property
    def comparison_verdicts(self) -> tuple[Verdict, ...]:
        """The verdict on each comparison."""
        return tuple(
            combined((finding.verdict for finding in findings), comparison.quantifier)
            for comparison, findings in zip(self.claim.comparisons, self.findings, strict=True)
        )

    @property
    def verdict(self) -> Verdict:
        """The verdict on the claim."""
        return combined(self.comparison_verdicts, "every")

    @property
    def missing(self) -> str:
        """The runs that are missing, as a text; empty if there are none."""
        runs = [run for part in self.findings for finding in part for run in finding.missing]
        datasets: dict[str, dict[str, None]] = {}
        for title, dataset in runs:
            datasets.setdefault(title, {})[dataset] = None
        return "; ".join(f"{title} on {', '.join(names)}" for title, names in datasets.items())


# ---------------------------------------------------------------------------- rules


def decide(low: float, high: float, claimed: Range) -> Verdict:
    """Return whether an interval lies within the claimed range, outside it, or partly within."""
    above, at_most = claimed
    if low > above and high <= at_most:
        return "holds"
    if high <= above or low > at_most:
        return "does not hold"
    return "undecided"  # also without an interval


def combined(verdicts: Iterable[Verdict | None], quantifier: Literal["every", "some"]) -> Verdict:
    """Return the verdict on several differences, of which None takes no part."""
    given = {verdict for verdict in verdicts if verdict is not None}
    deciding: Verdict = "does not hold" if quantifier == "every" else "holds"
    for verdict in (deciding, NOT_MEASURED, UNDECIDED):
        if verdict in given:
            return verdict
    if not given:
        return "not measured"
    return "holds" if quantifier == "every" else "does not hold"


def as_claimed(found: Difference, comparison: Comparison) -> tuple[float, float, float]:
    """Return a difference and its interval, divided by the reference's mean if the claim is relative."""
    unit = found.reference_mean if comparison.relative else 1.0
    return found.mean / unit, found.low / unit, found.high / unit


# ---------------------------------------------------------------------------- assessment


def assess(replicas: pd.DataFrame, claims: Sequence[Claim] = CLAIMS) -> list[Assessed]:
    """Return every claim with its findings in one comparison setting.

    Parameters
    ----------
    replicas : DataFrame
        The rows of the replica frame of one setting.
    claims : sequence of Claim
    """
    runs = replicas_by_run(replicas[replicas["dataset"] == replicas["published"]])
    return [
        Assessed(
            claim,
            tuple(
                tuple(_finding(runs, comparison, dataset) for dataset in comparison.datasets)
                for comparison in claim.comparisons
            ),
        )
        for claim in claims
    ]


def _finding(runs: Mapping[RunKey, pd.DataFrame], comparison: Comparison, dataset: str) -> Finding:
    keys = [
        (dataset, comparison.mode, frozenset(comparison.settings)),
        (dataset, comparison.reference, frozenset[str]()),
    ]
    missing = tuple(_run_name(key) for key in keys if key not in runs)
    if missing:
        return Finding(dataset, None, "not measured", missing)
    found = difference(runs[keys[0]], runs[keys[1]])
    if found is None:
        return Finding(dataset, None, None)
    _, low, high = as_claimed(found, comparison)
    return Finding(dataset, found, decide(low, high, comparison.claimed))


def _run_name(key: RunKey) -> tuple[str, str]:
    dataset, mode, settings = key
    return f"{paper.columns()[mode]}{_settings(sorted(settings))}", paper.dataset_titles()[dataset]


def _settings(settings: Sequence[str]) -> str:
    if tuple(settings) == CROSS_ENTROPY:
        return " with cross-entropy"
    return f" ({'; '.join(settings)})" if settings else ""


# ---------------------------------------------------------------------------- tables


def assessed_settings(replicas: pd.DataFrame) -> dict[str, list[Assessed]]:
    """Return the claims of every setting in which at least one difference is measured."""
    settings = {setting: assess(group) for setting, group in by_setting(replicas)}
    return {
        setting: assessed
        for setting, assessed in settings.items()
        if any(finding.found for claim in assessed for part in claim.findings for finding in part)
    }


def csv_frame(settings: Mapping[str, Sequence[Assessed]]) -> pd.DataFrame:
    """Return one row per setting, claim, comparison and dataset, with the verdict on each of them.

    Differences and intervals are fractions: of 1, or of the reference's mean ACSA where `relative` is true.
    """
    rows = []
    for setting, assessed in settings.items():
        for claim in assessed:
            parts = zip(claim.claim.comparisons, claim.comparison_verdicts, claim.findings, strict=True)
            for comparison, verdict, findings in parts:
                rows += [
                    {
                        "setting": setting,
                        "claim": claim.claim.number,
                        "statement": claim.claim.statement,
                        "source": claim.claim.source,
                        "claim_verdict": claim.verdict,
                        "comparison": comparison.title,
                        "comparison_verdict": verdict,
                        "mode": comparison.mode,
                        "settings": "; ".join(comparison.settings),
                        "reference": comparison.reference,
                        "relative": comparison.relative,
                        "claimed_above": comparison.claimed[0],
                        "claimed_at_most": comparison.claimed[1],
                        "dataset": finding.dataset,
                        "verdict": finding.verdict or NA,
                        "missing": "; ".join(" on ".join(run) for run in finding.missing),
                        **_numbers(finding, comparison),
                    }
                    for finding in findings
                ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _numbers(finding: Finding, comparison: Comparison) -> dict[str, Any]:
    if finding.found is None:
        return {}
    mean, low, high = as_claimed(finding.found, comparison)
    return plain(finding.found) | {"difference": mean, "low": low, "high": high}


def tables(frame: pd.DataFrame, settings: Mapping[str, Sequence[Assessed]]) -> list[Table]:
    """Return the verdicts on all claims, and the differences behind them, for every setting."""
    made = []
    for setting, assessed in settings.items():
        runs = frame[frame["setting"] == setting]
        made += [_verdict_table(setting, assessed, runs), _difference_table(setting, assessed)]
    return made


def _verdict_table(setting: str, assessed: Sequence[Assessed], runs: pd.DataFrame) -> Table:
    notes = Footnotes()
    rows = []
    for claim in assessed:
        marks = (notes.mark(f"Missing: {claim.missing}."),) if claim.missing else ()
        rows.append(
            (
                Cell(f"{claim.claim.number}. {claim.claim.statement}"),
                Cell(claim.verdict, bold=claim.verdict in (HOLDS, FAILS), marks=marks),
                Cell(_counts(claim)),
                Cell(claim.claim.rule),
                Cell(claim.claim.source),
            )
        )
    return Table(
        name=file_name(f"claims {setting}"),
        section="claims",
        title=f"Verdicts on the paper's claims, {setting}",
        caption=f"{measurement(runs)} A claim is a set of paired differences in ACSA. A difference holds if "
        "its 95 % interval lies within the claimed range, does not hold if it lies outside, and is undecided "
        "otherwise; it is not measured if a run is missing. A claim on all datasets does not hold if one "
        'difference does not. A claim that something is not so "on at least one dataset" holds if one '
        "difference does.",
        columns=("claim", "verdict", "differences", "rule", "in the paper"),
        rows=tuple(rows),
        footnotes=notes.all(),
        data=pd.DataFrame(
            {
                "setting": setting,
                "claim": [claim.claim.number for claim in assessed],
                "statement": [claim.claim.statement for claim in assessed],
                "source": [claim.claim.source for claim in assessed],
                "verdict": [claim.verdict for claim in assessed],
                "missing": [claim.missing for claim in assessed],
            }
        ),
        setting=setting,
    )


def _counts(claim: Assessed) -> str:
    """Return how many differences have each verdict."""
    verdicts = [finding.verdict or NA for part in claim.findings for finding in part]
    names = (HOLDS, FAILS, UNDECIDED, NOT_MEASURED, NA)
    return ", ".join(f"{name}: {verdicts.count(name)}" for name in names if name in verdicts)


def _difference_table(setting: str, assessed: Sequence[Assessed]) -> Table:
    shown = [
        name
        for name in paper.DATASETS
        if any(f.found and f.dataset == name for claim in assessed for part in claim.findings for f in part)
    ]
    rows: list[Row] = []
    groups = []
    pairs = set()
    for claim in assessed:
        groups.append(len(rows))
        parts = zip(claim.claim.comparisons, claim.comparison_verdicts, claim.findings, strict=True)
        for i, (comparison, verdict, findings) in enumerate(parts):
            of_dataset = {finding.dataset: finding for finding in findings}
            pairs |= {finding.found.n for finding in findings if finding.found}
            rows.append(
                (
                    Cell("" if i else f"claim {claim.claim.number}"),
                    Cell(comparison.title),
                    Cell(verdict),
                    *(_finding_cell(of_dataset.get(name), comparison) for name in shown),
                )
            )
    n = " or ".join(map(str, sorted(pairs)))
    return Table(
        name=file_name(f"claims differences {setting}"),
        section="claims",
        title=f"Differences behind the verdicts, {setting}",
        caption=f"{capitalized(setting)}. Differences in ACSA over replicas of the same seed and split (n = "
        f"{n}), in points: mean [95 % interval]; relative ones in percent of the reference's mean. "
        f"{INTERVALS}",
        columns=("claim", "difference", "verdict", *(paper.dataset_titles()[name] for name in shown)),
        rows=tuple(rows),
        footnotes=(("", f'"{NOT_RUN}": a run is missing. NA: a method has no result on this dataset.'),),
        data=csv_frame({setting: assessed}),
        groups=tuple(groups),
        setting=setting,
        folded=True,
    )


def _finding_cell(finding: Finding | None, comparison: Comparison) -> Cell:
    if finding is None:
        return Cell("")
    if finding.found is None:
        return Cell(NA if finding.verdict is None else NOT_RUN)
    return Cell(interval_text(*as_claimed(finding.found, comparison)), bold=finding.found.leaves_out_zero)
