"""Means, standard deviations and the table in the terminal."""

from io import StringIO

import pytest
from rich.console import Console

from adversarial_oversampling.results.display import (
    comparison,
    comparison_setting,
    dataset_labels,
    seeds_text,
    show,
    summary,
)
from adversarial_oversampling.results.schema import Result, mean, std
from tests.conftest import Run


def test_mean_and_standard_deviation_by_hand() -> None:
    assert mean([0.5, 0.75, 1.0]) == 0.75
    assert std([0.5, 0.75, 1.0]) == pytest.approx(0.25)  # (0.0625 + 0 + 0.0625) / 2 = 0.0625
    assert (mean([0.5]), std([0.5])) == (0.5, None)
    assert (mean([]), std([])) == (None, None)


def shown(result: Result) -> str:
    console = Console(width=120, record=True, file=StringIO())
    show(result, console)
    return " ".join(console.export_text().split())


def test_the_table_names_protocol_spread_and_classes(run: Run) -> None:
    result = run("mode=do", "trainer.max_epochs=1")
    text = shown(result)
    assert "do on haberman, wgan_gp, fs=balanced" in text
    assert "protocol holdout: best epoch on validation rows; 1 epoch (the first is 0), 2 replicas" in text
    assert result.mean.acsa is not None
    assert result.std.acsa is not None
    assert f"{100 * result.mean.acsa:.2f} ± {100 * result.std.acsa:.2f}" in text
    assert "OPTIMISTIC" not in text


def test_the_papers_protocol_is_labelled(run: Run) -> None:
    assert "OPTIMISTIC" in shown(run("mode=q", "protocol=paper", "trainer.max_epochs=1"))


def test_a_result_in_one_line(run: Run) -> None:
    result = run("mode=do", "protocol=paper", "trainer.max_epochs=1", "gan_type=vanilla")
    line = summary(result)
    assert "\n" not in line
    for part in ("haberman", "do vanilla fs=balanced", "paper", "OPTIMISTIC", "seeds 0-1"):
        assert part in line
    for name, metric in (("ACSA", "acsa"), ("GM", "g_mean")):
        mean_value, std_value = getattr(result.mean, metric), getattr(result.std, metric)
        assert f"{name} {100 * mean_value:.2f} ± {100 * std_value:.2f}" in line


def test_results_are_grouped_and_sorted_and_the_highest_is_marked(run: Run) -> None:
    one = run("mode=q", "trainer.max_epochs=1", "replicas=1")

    def scored(mode: str, acsa: float | None, dataset: str = "haberman", protocol: str = "holdout") -> Result:
        named = {
            "mode": mode,
            "dataset": dataset,
            "protocol": protocol,
            "na": None if acsa else "too few rows",
        }
        named |= {"table": one.table.model_copy(update={"published": dataset})}
        named |= {"select_on": "test" if protocol == "paper" else "validation"}
        return one.model_copy(update={**named, "mean": one.mean.model_copy(update={"acsa": acsa})})

    results = [scored("q", 0.5), scored("ao", 0.25), scored("smote", None), scored("do", 0.75)]
    results += [scored("cot", 0.5), scored("alone", 0.5, dataset="yeast")]
    results += [scored("q", 0.5, protocol="paper"), scored("do", 0.25, protocol="paper")]
    console = Console(width=140, record=True, file=StringIO())
    table = comparison(results)
    console.print(table)
    text = console.export_text()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]
    assert [row[2].split(" fs")[0] for row in rows] == ["do", "cot", "q", "ao", "smote", "q", "do", "alone"]
    assert [row[2].endswith(" *") for row in rows] == [True, *4 * [False], True, False, False]
    assert [row[3] for row in rows[:5]] == ["75.00", "50.00", "50.00", "25.00", "NA"]
    assert "OPTIMISTIC" in rows[5][1]
    assert [row.style == "bold" for row in table.rows] == [True, *4 * [False], True, False, False]
    assert "*: highest mean ACSA of the dataset and setting; a description, not a test" in text


def test_tables_of_one_name_are_two_groups(run: Run) -> None:
    one = run("mode=q", "trainer.max_epochs=1", "replicas=1")
    own = one.table.model_copy(update={"published": None, "file": "t.csv"})
    tables = [own.model_copy(update={"digest": 64 * letter}) for letter in "ab"]
    assert dataset_labels([one, one]) == ["haberman", "haberman"]
    labels = dataset_labels([one, *(one.model_copy(update={"table": table}) for table in tables)])
    assert labels == ["haberman", "haberman (t.csv) #aaaaaaaa", "haberman (t.csv) #bbbbbbbb"]


@pytest.mark.parametrize(
    ("seeds", "text"), [([3], "seed 3"), ([0, 1, 2], "seeds 0-2"), ([0, 2, 5], "seeds 0, 2, 5")]
)
def test_seeds_in_few_words(seeds: list[int], text: str) -> None:
    assert seeds_text(seeds) == text


def test_what_runs_of_one_table_share(run: Run) -> None:
    paper = run("mode=q", "protocol=paper", "trainer.max_epochs=1", "seed=3", name="paper")
    assert comparison_setting(paper) == "paper protocol (OPTIMISTIC), 1 epoch, seeds 3-4"
    folds = run("mode=q", "protocol=cv", "protocol.folds=2", "trainer.max_epochs=1", "replicas=1", name="cv")
    assert comparison_setting(folds) == "cv protocol, 2 folds, 1 epoch, seed 0"


def test_a_result_that_there_is_not_says_why(run: Run) -> None:
    result = run("mode=adasyn", "dataset=yeast")
    reason = "adasyn: No samples will be generated with the provided ratio settings."
    assert summary(result).endswith(f": NA ({reason})")
    assert "OPTIMISTIC" not in summary(result)
    text = shown(result)
    assert f"seed 0: no result: {reason}" in text
    assert "only 0 of 2 replicas" in text
    assert text.count("NA") == 6  # ACSA and GM of two replicas and their mean


def test_a_peer_has_no_epochs(run: Run) -> None:
    text = shown(run("mode=logistic", "protocol=paper"))
    assert "logistic on haberman, fs=natural" in text
    assert "protocol paper: no epochs to choose from; 2 replicas" in text


def test_what_is_undefined_is_said(run: Run) -> None:
    result = run("mode=q", "trainer.max_epochs=1")
    lost = {"acsa": None, "g_mean": None, "recall": None, "best_epoch": None}
    lost |= {"notes": ["the loss became NaN or infinite in epoch 0: no result"]}
    first = result.replicas[0].model_copy(update=lost)
    text = shown(result.model_copy(update={"replicas": [first, *result.replicas[1:]]}))
    assert "undefined" in text
    assert "seed 0: the loss became NaN" in text
