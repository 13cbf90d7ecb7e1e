"""The numbers in README and docs are those of the committed results."""

import re
from pathlib import Path

import pandas as pd
import pytest

from adversarial_oversampling.config.catalogue import datasets
from adversarial_oversampling.report import paper
from adversarial_oversampling.report.per_split import COLUMNS, FILE
from adversarial_oversampling.text import percent

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    frame = pd.read_csv(RESULTS / FILE, dtype={"config_hash": str})
    assert tuple(frame.columns) == COLUMNS
    return frame[frame["variant"].isna()]


def cell(results: pd.DataFrame, dataset: str, mode: str, protocol: str) -> str:
    """Return a cell of a table: mean ± standard deviation, or "-" if it was not run."""
    of_run = results[
        (results["dataset"] == dataset) & (results["mode"] == mode) & (results["protocol"] == protocol)
    ]
    assert len(of_run) in (0, 10)
    return percent(of_run["acsa"].mean(), of_run["acsa"].std()) if len(of_run) else "-"


def test_the_table_in_the_readme_is_that_of_the_results(results: pd.DataFrame) -> None:
    text = (ROOT / "README.md").read_text()
    (table,) = re.findall(r"(?m)(^\| dataset \| Q, `holdout`.*\n(?:\|.*\n)+)", text)
    head, _, *lines = ([field.strip() for field in line.strip("|").split("|")] for line in table.splitlines())
    titles = {description.title: name for name, description in datasets().items()}
    modes = {title: mode for mode, title in paper.columns().items()}
    for title, *fields in lines:
        for name, field in zip(head[1:], fields, strict=True):
            found = re.fullmatch(r"(\S+), (`holdout`|`paper` \(optimistic\)|published)", name)
            assert found is not None, name
            mode, kind = modes[found[1]], found[2].strip("`").partition("`")[0]
            if kind == "published":
                published = paper.TABLE_2.get((titles[title], mode))
                assert field == ("" if published is None else f"{published[0]:.2f}")
            else:
                assert field == cell(results, titles[title], mode, kind), (title, name)


def test_results_have_the_seeds_of_reports(results: pd.DataFrame) -> None:
    assert set(results["seed"]) == set(range(10))
    assert set(results["epochs"]) == {100}
    assert set(results["protocol"]) == {"holdout", "paper"}


def test_the_results_have_no_bulk() -> None:
    files = [file for file in RESULTS.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} <= {".csv", ".json", ".md", ".png", ".svg"}
    assert sum(file.stat().st_size for file in files) < 8 * 2**20
