"""The page's verdict, the differences of AO and DO, and ablations, by hand."""

from pathlib import Path

import pandas as pd
import pytest

from adversarial_oversampling.report import ablations, proposed, statistics, tables, verdict
from adversarial_oversampling.report.figures import LIGHT
from adversarial_oversampling.report.figures.intervals import ablation_pictures, verdict_pictures
from adversarial_oversampling.report.runs import load, replica_frame, run_frame
from adversarial_oversampling.results.read import read_result
from tests.report.conftest import WriteRun


def frames(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs = load([folder / "runs"])
    return run_frame(runs), replica_frame(runs)


def write_modes(
    write_run: WriteRun, dataset: str, means: dict[str, float], protocol: str = "holdout"
) -> None:
    for mode, mean in means.items():
        write_run(dataset, mode, protocol, acsa=[mean - 0.01, mean + 0.01, mean])


def test_the_verdict_names_the_best_method_and_the_mean_ranks(write_run: WriteRun, tmp_path: Path) -> None:
    write_modes(write_run, "pima", {"q": 0.60, "ro": 0.70, "do": 0.75, "lightgbm": 0.80})
    write_modes(write_run, "haberman", {"q": 0.65, "ro": 0.60, "do": 0.55})
    first, ranks = verdict.tables(*frames(tmp_path))
    assert [[cell.text for cell in row[:4]] for row in first.rows] == [
        ["Pima", "DO, 75.00 ± 1.00", "class-weighted LightGBM, 80.00 ± 1.00", "75.00 ± 1.00"],
        ["Haberman", "Q, 65.00 ± 1.00", "Q, 65.00 ± 1.00", "55.00 ± 1.00"],
    ]
    assert [row[4].text for row in first.rows] == ["+15.00 [15.00, 15.00]", "-10.00 [-10.00, -10.00]"]
    # Ranks: DO 1 and 3, RO 2 and 2, Q 3 and 1.
    assert [(row[0].text, row[1].text) for row in ranks.rows] == [
        ("Q", "2.00"),
        ("RO+Q", "2.00"),
        ("DO", "2.00"),
    ]
    assert "DO - Q: the interval is above 0 on 1 of 2 datasets, below 0 on 1." in first.lead


def test_holdout_comes_first(write_run: WriteRun, tmp_path: Path) -> None:
    for protocol in ("paper", "holdout"):
        write_modes(write_run, "pima", {"q": 0.6, "do": 0.7}, protocol)
    found = [table.setting.split()[0] for table in verdict.tables(*frames(tmp_path))]
    assert found == ["holdout", "holdout", "paper", "paper"]


def test_a_method_without_a_result_has_the_last_rank(write_run: WriteRun, tmp_path: Path) -> None:
    write_modes(write_run, "yeast", {"q": 0.5, "do": 0.6})
    write_run("yeast", "adasyn", na="too few", acsa=[None] * 3)
    frame, _ = frames(tmp_path)
    found = verdict.paper_ranks(frame)
    assert found.mean.to_dict() == {"DO": 1.0, "Q": 2.0, "ADASYN+Q": 3.0}
    assert found.na == ("ADASYN+Q on Yeast",)


def test_a_table_that_is_shown_twice_is_counted_once(write_run: WriteRun, tmp_path: Path) -> None:
    write_modes(write_run, "secom", {"q": 0.50, "do": 0.60})
    table = read_result(write_run("secom", "ro", acsa=[0.5, 0.5, 0.5]) / "result.json").table
    source = {"_target_": "adversarial_oversampling.data.sources.load_secom"}
    selected = {"dataset": {"preprocessing": {"n_selected": 20}, "source": source}}
    same = table.model_copy(update={"published": None})  # not all of its columns
    for mode, acsa in {"q": 0.7, "ro": 0.7, "do": 0.6}.items():
        titles = {"dataset_title": "SECOM, 20 columns", "table": same, "config": selected}
        write_run("secom_20_columns", mode, acsa=[acsa] * 3, **titles)
    frame, replicas = frames(tmp_path)

    first, ranks = verdict.tables(frame, replicas)
    assert [row[0].text for row in first.rows] == ["SECOM", "SECOM, 20 columns"]
    assert "Of 3 methods of the paper, DO has the best mean rank by ACSA, 1.00 over 1 dataset." in first.lead
    assert "DO - Q: the interval is above 0 on 1 of 1 dataset, below 0 on 0." in first.lead
    remark = "SECOM, 20 columns (the same table as SECOM)"
    assert ("", f"Not counted above: {remark}.") in first.footnotes
    assert ranks.columns == ("method", "mean rank", "SECOM")
    assert ranks.footnotes == (("", f"Left out, so that every method has every dataset: {remark}."),)
    (ranking, _) = statistics.rankings(frame)
    assert list(ranking.values.index) == ["SECOM"]
    assert ranking.left_out == (remark,)
    (table_2,) = tables.table_2(frame)
    lines = [(row[0].text, row[2].text) for row in table_2.rows if row[1].text == "ACSA"]
    assert lines == [("SECOM", "ours"), ("", "paper"), ("SECOM, 20 columns", "ours")]


def test_the_preferred_peer_is_chosen_on_validation_rows(write_run: WriteRun, tmp_path: Path) -> None:
    write_modes(write_run, "pima", {"ao": 0.70, "do": 0.72, "threshold_q": 0.90, "weighted_q": 0.60})
    frame, replicas = frames(tmp_path)
    scores = {"threshold_q": 0.7, "weighted_q": 0.8}
    replicas["selection_acsa"] = replicas["mode"].map(scores).fillna(0.99)
    assert proposed.preferred_peers(frame, replicas) == {"pima": "weighted_q"}
    (table,) = proposed.tables(frame, replicas)
    shown = {row[0].text: row[1].text for row in table.rows}
    assert shown["DO - preferred peer"] == "+12.00 [12.00, 12.00]"
    assert shown["AO - Q, tuned threshold"] == "-20.00 [-20.00, -20.00]"
    assert ("a", "Preferred: class-weighted Q.") in table.footnotes


def test_an_ablation_is_compared_with_the_default_settings_of_its_mode(
    write_run: WriteRun, tmp_path: Path
) -> None:
    for dataset, (base, changed) in {"pima": (0.70, 0.68), "yeast": (0.50, 0.55)}.items():
        write_modes(write_run, dataset, {"do": base, "ro": 0.6})
        write_run(
            dataset,
            "do",
            variant=["players.generator.gumbel=0"],
            acsa=[changed - 0.01, changed + 0.01, changed],
        )
    write_run("haberman", "do", variant=["players.generator.gumbel=0"])  # nothing to compare with
    frame, replicas = frames(tmp_path)
    found = ablations.ablations(replicas)
    assert dict(zip(found["dataset"], found["difference"], strict=True)) == pytest.approx(
        {"pima": -0.02, "yeast": 0.05}
    )
    (table,) = ablations.tables(found, frame)
    assert [cell.text for cell in table.rows[0]] == [
        "DO",
        "players.generator.gumbel=0",
        "-2.00 [-2.00, -2.00]",
        "+5.00 [5.00, 5.00]",
    ]


def test_the_pictures_of_intervals_show_the_differences(write_run: WriteRun, tmp_path: Path) -> None:
    write_modes(write_run, "pima", {"q": 0.60, "do": 0.70})
    write_run("pima", "do", variant=["players.generator.gumbel=0"], acsa=[0.66, 0.68, 0.70])
    frame, replicas = frames(tmp_path)
    differences = ablations.ablations(replicas)
    pictures = [
        *verdict_pictures(frame, replicas, verdict.main_settings(frame)),
        *ablation_pictures(differences),
    ]
    dots = [
        [line.get_xdata()[0] for line in picture.draw(LIGHT).axes[0].lines if line.get_marker() == "o"]
        for picture in pictures
    ]
    assert [dots_of[0] for dots_of in dots] == pytest.approx([-10.0, -2.0])
    labels = [text.get_text() for text in pictures[1].draw(LIGHT).axes[0].get_yticklabels()]
    assert labels == ["DO: players.generator.gumbel=0"]
    assert [picture.section for picture in pictures] == ["verdict", "ablations"]
