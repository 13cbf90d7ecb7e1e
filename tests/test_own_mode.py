"""A mode added as one YAML file in a folder of one's own, and a table of one's own, through the commands."""

from pathlib import Path

import pandas as pd
import pytest

from adversarial_oversampling.results.read import read_result
from tests.commands import command
from tests.sweep.sweeps import swept_here
from tests.tracking.wandb_runs import inspected

MODE = """
defaults:
  - do

name: stronger_do
description:
  title: DO, w = 0.5
  order: 95
  origin: peer
  help: DO with a larger weight of the generated rows
  color: green
rules:
  generated_weight: 0.5
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the own mode and of others, on published tables and on a table of one's own called yeast."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "conf" / "mode").mkdir(parents=True)
    (folder / "conf" / "mode" / "stronger_do.yaml").write_text(MODE)
    rows = [f"{i % 7},{i % 11},{'ab'[i % 4 == 0]}" for i in range(80)]
    (folder / "yeast.csv").write_text("\n".join(["u,v,label", *rows]))
    settings = ["--config-dir", f"{folder}/conf", "protocol=paper", "trainer.max_epochs=2", "replicas=2"]
    settings += ["trainer.enable_progress_bar=false", "logger=none"]
    swept = swept_here(folder / "runs", *settings, "mode=do,stronger_do")
    assert swept.returncode == 0, swept.stdout + swept.stderr
    own = ["dataset=table", "dataset.name=yeast", f"dataset.path={folder}/yeast.csv", "dataset.target=label"]
    for output, overrides in (
        ("logged", ["mode=stronger_do", "logger=wandb"]),
        ("runs", ["dataset=yeast", "mode=q"]),
        ("runs", [*own, "mode=q"]),
        ("runs", [*own, "mode=cot"]),
    ):
        done = command("train", *settings, f"paths.output_dir={folder}/{output}", *overrides)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "runs"


@pytest.fixture(scope="module")
def report(runs: Path) -> Path:
    output = runs.parent / "report"
    done = command("report", str(runs), "--output", str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    return output


def test_a_mode_of_ones_own_is_no_variant(runs: Path) -> None:
    results = [read_result(file) for file in runs.glob("haberman/*/result.json")]
    (mine,) = (result for result in results if result.mode == "stronger_do")
    assert mine.variant == []
    assert mine.mode_description.title == "DO, w = 0.5"
    assert mine.fs == "balanced"


def test_a_mode_of_ones_own_stands_in_every_part_of_the_report_under_its_title(report: Path) -> None:
    document = (report / "report.md").read_text()
    page = (report / "index.html").read_text()
    for text in (document, page):
        assert text.count("DO, w = 0.5") >= 3  # a table of results, statistics, the runs
    statistics = list((report / "tables").glob("differences-do-acsa*.csv"))
    assert "DO, w = 0.5" in set(pd.read_csv(statistics[0])["title"])
    (picture,) = (report / "figures").glob("modes-*[!k].svg")
    assert picture.is_file()
    split = pd.read_csv(report / "results_per_split.csv")
    assert set(split["mode"]) == {"do", "stronger_do", "q", "cot"}


def test_a_mode_of_ones_own_stands_in_the_dashboards_views_under_its_title(runs: Path) -> None:
    """A view groups the runs that have its tags by job type."""
    (folder,) = (runs.parent / "logged").glob("haberman/stronger_do-*/wandb/offline-run-*")
    started = next(record["run"] for record in inspected(folder) if record["type"] == "run")
    assert started["job_type"] == "DO, w = 0.5"
    assert {"haberman", "paper", "default_settings"} <= set(started["tags"])


def test_a_csv_file_called_yeast_never_stands_under_the_papers_numbers(report: Path) -> None:
    (file,) = (report / "tables").glob("table-2-*.csv")
    table = pd.read_csv(file)
    papers = table[table["paper_acsa_percent"].notna()]
    assert set(papers["dataset"]) == {"haberman", "yeast"}
    own = table[table["dataset"] == "yeast (yeast.csv)"]
    assert len(own) >= 2
    assert own["paper_acsa_percent"].isna().all()


def test_a_fault_in_a_mode_of_ones_own_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mode").mkdir()
    (tmp_path / "mode" / "mine.yaml").write_text(MODE.replace("stronger_do", "mine").replace("95", "90"))
    for sweep in ([], ["-m"]):
        done = command(
            "train", *sweep, "--config-dir", str(tmp_path), "mode=mine", f"paths.output_dir={tmp_path}/r"
        )
        assert done.returncode == 1
        assert "mine.yaml: mode.description.order=90: " in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert not list(tmp_path.glob("r/*/*/result.json"))
