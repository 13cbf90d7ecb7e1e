"""The verdicts on the paper's claims, by hand."""

import math
from pathlib import Path

import pytest

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.config.variants import variant
from adversarial_oversampling.report import claims, paper
from adversarial_oversampling.report.claims import (
    ABOVE,
    NOT_ABOVE,
    Claim,
    Comparison,
    Verdict,
    combined,
    decide,
)
from adversarial_oversampling.report.runs import load, replica_frame
from tests.report.conftest import WriteRun

NOISE = (0.001, -0.001, 0.0)
"""Differences between replicas, which give an interval without width enough to matter."""


def scores(mean: float) -> list[float]:
    return [mean + noise for noise in NOISE]


@pytest.mark.parametrize(
    ("low", "high", "claimed", "verdict"),
    [
        (0.01, 0.03, ABOVE, "holds"),
        (-0.03, -0.01, ABOVE, "does not hold"),
        (-0.01, 0.01, ABOVE, "undecided"),
        (-0.02, 0.0, ABOVE, "does not hold"),
        (-0.02, 0.0, NOT_ABOVE, "holds"),
        (0.01, 0.02, NOT_ABOVE, "does not hold"),
        (0.01, 0.40, (0.007, 0.4927), "holds"),
        (0.50, 0.60, (0.007, 0.4927), "does not hold"),
        (0.40, 0.60, (0.007, 0.4927), "undecided"),
        (math.nan, math.nan, ABOVE, "undecided"),
    ],
)
def test_a_difference_is_decided_by_its_interval(
    low: float, high: float, claimed: claims.Range, verdict: Verdict
) -> None:
    assert decide(low, high, claimed) == verdict


@pytest.mark.parametrize(
    ("verdicts", "every", "some"),
    [
        (["holds", "holds"], "holds", "holds"),
        (["holds", "does not hold"], "does not hold", "holds"),
        (["holds", "undecided"], "undecided", "holds"),
        (["holds", "not measured"], "not measured", "holds"),
        (["does not hold", "not measured"], "does not hold", "not measured"),
        (["does not hold", "undecided"], "does not hold", "undecided"),
        (["does not hold", None], "does not hold", "does not hold"),
        (["holds", None], "holds", "holds"),
        ([None], "not measured", "not measured"),
    ],
)
def test_verdicts_are_combined(verdicts: list[Verdict | None], every: Verdict, some: Verdict) -> None:
    assert combined(verdicts, "every") == every
    assert combined(verdicts, "some") == some


def assess(folder: Path, claim: Claim) -> claims.Assessed:
    (assessed,) = claims.assess(replica_frame(load([folder / "runs"])), [claim])
    return assessed


def test_a_relative_difference_is_divided_by_the_references_mean(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("pima", "q", acsa=scores(0.50))
    write_run("pima", "do", acsa=scores(0.60))
    comparison = Comparison("do", "q", ("pima",), claimed=(0.007, 0.4927), relative=True)
    assessed = assess(tmp_path, Claim(1, "", "", "", (comparison,)))
    (finding,) = assessed.findings[0]
    assert finding.found is not None
    mean, low, high = claims.as_claimed(finding.found, comparison)
    assert (mean, low, high) == pytest.approx((0.2, 0.2, 0.2))
    assert assessed.verdict == "holds"


def test_a_claim_on_every_dataset_fails_with_one(write_run: WriteRun, tmp_path: Path) -> None:
    for dataset, gain in {"pima": 0.1, "haberman": -0.1}.items():
        write_run(dataset, "q", acsa=scores(0.60))
        write_run(dataset, "do", acsa=scores(0.60 + gain))
    assessed = assess(tmp_path, Claim(2, "", "", "", (Comparison("do", "q", ("pima", "haberman")),)))
    assert [finding.verdict for finding in assessed.findings[0]] == ["holds", "does not hold"]
    assert assessed.verdict == "does not hold"


def test_a_missing_run_is_named(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("pima", "q")
    write_run("pima", "gamo", variant=claims.CROSS_ENTROPY)
    first = assess(tmp_path, Claim(2, "", "", "", (Comparison("do", "q", ("pima",)),)))
    assert (first.verdict, first.missing) == ("not measured", "DO on Pima")
    other = Claim(6, "", "", "", (Comparison("gamo", "gamo", ("pima",), settings=claims.CROSS_ENTROPY),))
    second = assess(tmp_path, other)
    assert second.missing == "GAMO on Pima"


def test_a_table_of_ones_own_is_no_published_one(write_run: WriteRun, tmp_path: Path) -> None:
    for mode, mean in {"q": 0.6, "do": 0.7}.items():
        write_run("pima", mode, acsa=scores(mean), file="pima.csv")
    assessed = assess(tmp_path, Claim(2, "", "", "", (Comparison("do", "q", ("pima",)),)))
    assert assessed.verdict == "not measured"


def test_an_na_takes_no_part(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("yeast", "q", acsa=scores(0.5))
    write_run("yeast", "adasyn", na="too few", acsa=[None] * 3)
    comparison = Comparison("adasyn", "q", ("yeast",), claimed=NOT_ABOVE, quantifier="some")
    assessed = assess(tmp_path, Claim(7, "", "", "", (comparison,)))
    assert [finding.verdict for finding in assessed.findings[0]] == [None]
    assert assessed.verdict == "not measured"


def test_the_claims_name_modes_and_datasets_that_exist() -> None:
    assert [claim.number for claim in claims.CLAIMS] == list(range(1, 8))
    for claim in claims.CLAIMS:
        for comparison in claim.comparisons:
            assert {comparison.mode, comparison.reference} <= set(paper.columns())
            assert set(comparison.datasets) <= set(paper.DATASETS)


def test_the_csv_file_has_a_row_per_comparison_and_dataset(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("pima", "q", acsa=scores(0.60))
    write_run("pima", "do", acsa=scores(0.63))
    frame = claims.csv_frame(claims.assessed_settings(replica_frame(load([tmp_path / "runs"]))))
    assert len(frame) == sum(len(c.datasets) for claim in claims.CLAIMS for c in claim.comparisons)
    measured = frame[frame["verdict"] != "not measured"].set_index("claim")
    assert measured.loc[1, "difference"] == pytest.approx(0.05)  # relative
    assert measured.loc[2, "difference"] == pytest.approx(0.03)
    assert measured.loc[2, "missing"] == ""


def test_the_ablation_of_gamos_loss_is_recognised() -> None:
    cfg = compose_train(["mode=gamo", "ablation=cross_entropy"])
    assert frozenset(variant(cfg)) == frozenset(claims.CROSS_ENTROPY)


def test_the_rates_of_figure_2_are_variants_of_do() -> None:
    rates = ("quarter", "half", "three_quarters", "balanced")
    found = tuple(tuple(variant(compose_train(["mode=do", "dataset=secom", f"fs={rate}"]))) for rate in rates)
    assert found == claims.RATES


def test_the_source_of_the_first_claim_gives_the_range_of_table_2() -> None:
    gains = {}
    for name in paper.DATASETS:
        do, q = paper.TABLE_2[name, "do"], paper.TABLE_2[name, "q"]
        assert do is not None
        assert q is not None
        gains[100 * (do[0] / q[0] - 1)] = paper.dataset_titles()[name]
    low, high = min(gains), max(gains)
    expected = f"{low:.2f} % ({gains[low]}) to {high:.2f} % ({gains[high]})"
    assert claims.CLAIMS[0].source == f"abstract; its Table 2 has {expected}"
