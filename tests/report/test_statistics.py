from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adversarial_oversampling.report import statistics
from adversarial_oversampling.report.runs import load, replica_frame, run_frame
from tests.report.conftest import MY_DO, WriteRun

DATASETS = ("secom", "pima", "haberman", "wafer", "credit")
TITLES = ("SECOM", "Pima", "Haberman", "Wafer", "Credit")


def frames(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs = load([folder])
    return run_frame(runs), replica_frame(runs)


@pytest.fixture
def five_datasets(write_run: WriteRun, tmp_path: Path) -> Path:
    """Write runs on five datasets: DO is above RO+Q by 10 points, and RO+Q above Q by 5."""
    for i, dataset in enumerate(DATASETS):
        for mode, gain in (("q", 0.0), ("ro", 0.05), ("do", 0.15)):
            write_run(dataset, mode, acsa=[0.6 + 0.01 * i + gain] * 3)
    return tmp_path / "runs"


# ---------------------------------------------------------------------------- over datasets


def test_ranks_friedman_and_nemenyi_where_three_methods_keep_their_order(five_datasets: Path) -> None:
    by_acsa, by_gm = statistics.rankings(frames(five_datasets)[0])

    assert (by_acsa.metric, by_gm.metric) == ("acsa", "g_mean")
    assert by_acsa.left_out == ()
    assert by_acsa.values.loc["SECOM"].tolist() == pytest.approx([60.0, 65.0, 75.0])
    # Friedman's statistic is 10 where three methods keep their order on five datasets, so p = exp(-5).
    assert by_acsa.result.pvalue == pytest.approx(np.exp(-5))
    assert by_acsa.result.rankdf["meanrank"].to_dict() == {"DO": 1.0, "RO+Q": 2.0, "Q": 3.0}
    # Nemenyi: q(0.05; 3, inf) / sqrt(2) = 2.343, times sqrt(3 * 4 / (6 * 5)).
    assert by_acsa.result.cd == pytest.approx(2.343 * np.sqrt(0.4), abs=2e-3)


def test_the_ranking_table_has_mean_ranks_and_friedmans_p(five_datasets: Path) -> None:
    table = statistics.ranking_table(statistics.rankings(frames(five_datasets)[0])[0])

    assert table.columns == ("method", "mean rank", "mean ACSA", *TITLES)
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["DO", "1.00", "77.00", "1", "1", "1", "1", "1"],
        ["RO+Q", "2.00", "67.00", "2", "2", "2", "2", "2"],
        ["Q", "3.00", "62.00", "3", "3", "3", "3", "3"],
    ]
    assert "p = 0.0067, the methods differ" in table.caption
    assert "5 datasets" in table.caption


def test_equal_means_share_a_rank(write_run: WriteRun, tmp_path: Path) -> None:
    for dataset in DATASETS:
        write_run(dataset, "q", acsa=[0.1 + 0.2] * 3)
        write_run(dataset, "ro", acsa=[0.3] * 3)  # not the same in floating point
        write_run(dataset, "do", acsa=[0.5] * 3)

    table = statistics.ranking_table(statistics.rankings(frames(tmp_path)[0])[0])

    assert [row[1].text for row in table.rows] == ["1.00", "2.50", "2.50"]


def test_autorank_prints_nothing(five_datasets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    statistics.rankings(frames(five_datasets)[0])

    assert capsys.readouterr().out == ""


def test_methods_and_datasets_with_missing_values_are_left_out_and_named(
    five_datasets: Path, write_run: WriteRun
) -> None:
    write_run("secom", "adasyn", na="no neighbors")
    for dataset in DATASETS[1:]:
        write_run(dataset, "adasyn")
    write_run("yeast", "do")  # no other method on this dataset
    write_run("pima", "lightgbm")

    ranking = statistics.rankings(frames(five_datasets)[0])[0]

    assert list(ranking.values.columns) == ["Q", "RO+Q", "DO"]
    assert list(ranking.values.index) == list(TITLES)
    assert ranking.left_out == (
        "class-weighted LightGBM (no value on SECOM, Haberman, Wafer, Credit, Yeast)",
        "Yeast (no value of 3 methods)",
        "ADASYN+Q (NA on SECOM)",
    )
    assert "ADASYN+Q (NA on SECOM)" in statistics.ranking_table(ranking).footnotes[0][1]


def test_means_of_fewer_replicas_are_named(five_datasets: Path, write_run: WriteRun) -> None:
    write_run("secom", "adasyn", acsa=[0.9, None, None])
    for dataset in DATASETS[1:]:
        write_run(dataset, "adasyn", acsa=[0.9] * 3)

    ranking = statistics.rankings(frames(five_datasets)[0])[0]

    assert ranking.remarks == (
        "Means of fewer replicas, and so of other splits: ADASYN+Q on SECOM (1 of 3).",
    )
    assert ranking.remarks[0] in [text for _, text in statistics.ranking_table(ranking).footnotes]


@pytest.mark.parametrize("datasets", [1, 4])
def test_with_too_few_datasets_the_ranking_table_is_one_sentence(
    write_run: WriteRun, tmp_path: Path, datasets: int
) -> None:
    for dataset in DATASETS[:datasets]:
        for mode in ("q", "ro", "do"):
            write_run(dataset, mode)

    frame, replicas = frames(tmp_path)
    ranking = statistics.rankings(frame)[0]
    table = statistics.ranking_table(ranking)

    assert ranking.result is None
    assert table.rows == ()
    noun = "dataset" if datasets == 1 else "datasets"
    assert table.caption == (
        "No test over datasets: it takes at least 3 methods and 5 datasets, and here 3 methods have a value "
        f"on each of {datasets} {noun}."
    )
    names = [table.name for table in statistics.tables(frame, replicas, [ranking])]
    assert not any(name.startswith("pairs") for name in names)


def test_without_any_value_nothing_is_ranked(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("yeast", "adasyn", na="no neighbors")

    ranking = statistics.rankings(frames(tmp_path)[0])[0]

    assert ranking.result is None
    assert ranking.left_out == ("ADASYN+Q (NA on Yeast)",)


def test_methods_without_epochs_are_named_where_test_rows_choose_the_epoch(
    write_run: WriteRun, tmp_path: Path
) -> None:
    for dataset in DATASETS:
        for mode in ("q", "do", "lightgbm"):
            write_run(dataset, mode, "paper")

    frame, replicas = frames(tmp_path)

    for table in statistics.tables(frame, replicas, statistics.rankings(frame)):
        remark = table.footnotes[-1][1]
        assert remark.startswith("class-weighted LightGBM: no epoch to choose"), table.name


def test_pairwise_equals_hand_computed_values() -> None:
    values = pd.DataFrame(
        {"a": [5.0, 6.0, 7.0, 8.0, 9.0], "b": [4.0, 4.0, 4.0, 4.0, 4.0], "c": [5.0, 5.0, 9.0, 4.0, 4.0]}
    )

    pairs = statistics.pairwise(values).set_index(["first", "second"])

    ab, ac = pairs.loc[("a", "b")], pairs.loc[("a", "c")]
    assert (ab["difference"], ab["wins"], ab["losses"], ab["ties"]) == (3.0, 5, 0, 0)
    assert ab["p"] == 2 / 2**5  # both of the extreme signs
    assert ab["effect"] == 1.0
    # a - c = 0, 1, -2, 4, 5: ranks 1, -2, 3, 4 of 10 altogether.
    assert (ac["wins"], ac["losses"], ac["ties"]) == (3, 1, 1)
    assert ac["effect"] == pytest.approx(0.6)
    assert pairs["p_holm"].tolist() == statistics.holm(pairs["p"].to_numpy()).tolist()


def test_two_methods_with_equal_values_have_p_1() -> None:
    pairs = statistics.pairwise(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]}))

    assert (pairs["p"][0], pairs["effect"][0], pairs["ties"][0]) == (1.0, 0.0, 2)


def test_holm_equals_hand_computed_values() -> None:
    # Sorted 0.01, 0.03, 0.04: times 3, 2, 1 gives 0.03, 0.06, 0.04, and the last may not be below 0.06.
    assert statistics.holm(np.array([0.04, 0.01, 0.03])).tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert statistics.holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]


def test_pairs_are_shown_as_a_method_minus_q_or_as_do_minus_a_method(five_datasets: Path) -> None:
    table = statistics.pairwise_table(statistics.rankings(frames(five_datasets)[0])[0])

    assert [[cell.text for cell in row] for row in table.rows] == [
        ["RO+Q - Q", "+5.00", "5/0/0", "0.0625", "0.1875", "+1.00"],
        ["DO - Q", "+15.00", "5/0/0", "0.0625", "0.1875", "+1.00"],
        ["DO - RO+Q", "+10.00", "5/0/0", "0.0625", "0.1875", "+1.00"],
    ]
    assert "smallest p that 5 datasets can give is 0.0625" in table.caption


# ---------------------------------------------------------------------------- over seeds


def test_corrected_interval_equals_hand_computed_values() -> None:
    # Mean 2, variance 1, n = 3, t(0.975, 2) = 4.302653; the factor is 1/3 + 3/7.
    half = 4.302653 * np.sqrt(1 / 3 + 3 / 7)

    assert statistics.corrected_interval(np.array([1.0, 2.0, 3.0]), 3 / 7) == pytest.approx(
        (2 - half, 2 + half), rel=1e-6
    )


def test_the_interval_with_a_ratio_of_zero_is_that_of_the_t_test() -> None:
    differences = np.array([0.1, 0.4, 0.2, 0.5])

    usual = stats.ttest_1samp(differences, 0).confidence_interval(0.95)

    assert statistics.corrected_interval(differences, 0.0) == pytest.approx((usual.low, usual.high))


def test_a_single_difference_has_no_interval_and_no_effect_size() -> None:
    assert np.isnan(statistics.corrected_interval(np.array([0.1]), 0.4)).all()
    assert np.isnan(statistics.effect_size(np.array([0.1])))


def test_effect_size_equals_hand_computed_values() -> None:
    assert statistics.effect_size(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)
    assert np.isnan(statistics.effect_size(np.array([0.3, 0.1 + 0.2])))  # the same but for rounding


def test_paired_differences_equal_hand_computed_values(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("haberman", "q", acsa=[0.5, 0.6, 0.7])
    write_run("haberman", "do", acsa=[0.51, 0.62, 0.73])
    write_run("haberman", "do", fs="half", acsa=[0.9, 0.9, 0.9])  # its variant is not empty

    (row,) = statistics.paired(frames(tmp_path)[1], "acsa", "q").to_dict("records")

    assert (row["mode"], row["reference"], row["n"], row["fixed_split"]) == ("do", "q", 3, False)
    assert row["difference"] == pytest.approx(0.02)
    assert row["effect"] == pytest.approx(2.0)
    assert row["test_to_train"] == pytest.approx((68 + 24) / (136 + 48 + 34 + 12))
    half = 4.302653 * 0.01 * np.sqrt(1 / 3 + 92 / 230)
    assert (row["low"], row["high"]) == pytest.approx((0.02 - half, 0.02 + half), rel=1e-6)


def test_replicas_are_paired_by_seed_and_fold(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("pima", "q", "cv", folds=2, seeds=[0, 1], acsa=[0.1, 0.2, None, 0.4])
    write_run("pima", "do", "cv", folds=2, seeds=[0, 1], acsa=[0.2, 0.4, 0.9, 0.7])

    (row,) = statistics.paired(frames(tmp_path)[1], "acsa", "q").to_dict("records")

    assert row["n"] == 3
    assert row["difference"] == pytest.approx((0.1 + 0.2 + 0.3) / 3)


def test_a_fixed_split_is_not_corrected_and_has_a_footnote(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("wafer", "q", acsa=[0.5, 0.5, 0.5])
    write_run("wafer", "do", acsa=[0.6, 0.7, 0.8])

    frame, replicas = frames(tmp_path)
    (row,) = statistics.paired(replicas, "acsa", "q").to_dict("records")
    table = statistics.paired_tables(frame, replicas)[0]

    assert row["test_to_train"] == 0.0
    half = 4.302653 * 0.1 / np.sqrt(3)
    assert row["high"] == pytest.approx(0.2 + half, rel=1e-6)
    assert table.columns == ("method", "Wafer (a)")
    assert table.footnotes[0] == ("a", statistics.FIXED_SPLIT)


def test_paired_tables_have_one_table_per_reference_and_metric(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("pima", "q", acsa=[0.5, 0.5, 0.5])
    write_run("pima", "ro", acsa=[0.6, 0.6, 0.6])
    write_run("pima", "do", acsa=[0.70, 0.71, 0.72])
    write_run("yeast", "q", acsa=[0.5, 0.5, 0.5])
    write_run("yeast", "ro", acsa=[0.5, 0.4, 0.6])
    write_run("yeast", "adasyn", na="no neighbors")

    tables = {table.name: table for table in statistics.paired_tables(*frames(tmp_path))}

    assert list(tables) == [
        f"differences-{reference}-{metric}-holdout-protocol-4-epochs-seeds-0-2"
        for reference, metric in (("q", "acsa"), ("q", "g_mean"), ("do", "acsa"), ("do", "g_mean"))
    ]
    against_q, _, against_do, _ = tables.values()
    assert against_q.columns == ("method", "Pima", "Yeast")
    half = 100 * 4.302653 * 0.01 * np.sqrt(1 / 3 + 92 / 230)
    wide = 100 * 4.302653 * 0.1 * np.sqrt(1 / 3 + 75 / 187)  # yeast has other numbers of rows
    assert [[(cell.text, cell.bold) for cell in row] for row in against_q.rows] == [
        [
            ("RO+Q", False),
            ("+10.00 [10.00, 10.00]", False),
            (f"+0.00 [{-wide:.2f}, {wide:.2f}]; d 0.00", False),
        ],
        [("DO", False), (f"+21.00 [{21 - half:.2f}, {21 + half:.2f}]; d 21.00", True), ("-", False)],
    ]
    assert [row[0].text for row in against_do.rows] == ["Q", "RO+Q"]
    assert against_do.columns == ("method", "Pima")
    assert "(n = 3)" in against_q.caption


def test_paired_tables_distinguish_na_from_a_missing_run(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("yeast", "q")
    write_run("yeast", "adasyn", na="no neighbors")
    write_run("pima", "q")
    write_run("pima", "adasyn")
    write_run("pima", "ro")
    write_run("yeast", "do")

    table = statistics.paired_tables(*frames(tmp_path))[0]

    cells = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert table.columns == ("method", "Pima", "Yeast")
    assert cells["ADASYN+Q"][1] == "NA"
    assert cells["RO+Q"][1] == "-"


def test_tables_of_a_single_run_have_no_rows(write_run: WriteRun) -> None:
    frame, replicas = frames(write_run("haberman", "do"))

    tables = statistics.tables(frame, replicas, statistics.rankings(frame))

    assert [table.rows for table in tables] == [(), ()]


def test_a_users_mode_is_ranked_and_compared_under_its_title(
    five_datasets: Path, write_run: WriteRun
) -> None:
    for dataset in DATASETS:
        write_run(dataset, "my_do", acsa=[0.5] * 3, description=MY_DO)
    frame, replicas = frames(five_datasets)

    ranking = statistics.rankings(frame)[0]
    against_q = statistics.paired_tables(frame, replicas)[0]

    assert list(ranking.values.columns) == ["Q", "RO+Q", "DO", "My DO"]
    assert [row[0].text for row in statistics.ranking_table(ranking).rows] == ["DO", "RO+Q", "Q", "My DO"]
    pairs = [row[0].text for row in statistics.pairwise_table(ranking).rows]
    assert pairs == ["RO+Q - Q", "DO - Q", "My DO - Q", "DO - RO+Q", "DO - My DO"]
    assert [row[0].text for row in against_q.rows] == ["RO+Q", "DO", "My DO"]


def test_a_csv_file_named_as_a_published_dataset_is_ranked_as_another_dataset(
    five_datasets: Path, write_run: WriteRun
) -> None:
    for mode in ("q", "ro", "do"):
        write_run("pima", mode, file="pima.csv", acsa=[0.3] * 3)
    frame, replicas = frames(five_datasets)

    ranking = statistics.rankings(frame)[0]

    assert list(ranking.values.index) == [*TITLES, "pima (pima.csv)"]
    assert statistics.paired_tables(frame, replicas)[0].columns[-1] == "pima (pima.csv)"
