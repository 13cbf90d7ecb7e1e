from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.report import paper, render, tables
from adversarial_oversampling.report.common import Cell, Footnotes, Table
from adversarial_oversampling.report.runs import load, run_frame
from tests.report.conftest import MY_DO, WriteRun, selected_columns


def frame_of(folder: Path) -> pd.DataFrame:
    return run_frame(load([folder]))


def line(table: Table, *head: str) -> list[str]:
    """Return the texts of the row with this head; an empty head is that of the row above."""
    above = [""] * len(head)
    for row in table.rows:
        above = [cell.text or above[i] for i, cell in enumerate(row[: len(head)])]
        if above == list(head):
            return [cell.text for cell in row[len(head) :]]
    raise AssertionError(f"no row {head}")


def bold(table: Table) -> list[str]:
    return [cell.text for row in table.rows for cell in row if cell.bold]


# ---------------------------------------------------------------------------- the paper's table


def test_table_2_has_measured_lines_and_the_papers_lines(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("credit", "q", "paper", acsa=[0.5, 0.6, 0.7])
    write_run("credit", "ao", "paper", acsa=[0.61, 0.61, 0.61])

    (table,) = tables.table_2(frame_of(tmp_path))

    assert table.columns[:4] == ("dataset", "metric", "from", "Q")
    assert len(table.columns) == 3 + 9
    assert line(table, "Credit", "ACSA", "ours") == ["60.00 ± 10.00", *"-" * 6, "61.00 ± 0.00", "-"]
    assert line(table, "Credit", "GM", "ours")[0] == "58.00 ± 10.00"
    assert line(table, "Credit", "ACSA", "paper")[:2] == ["50.61", "50.04"]
    assert line(table, "Credit", "GM", "paper")[-1] == "75.54"
    assert bold(table) == ["61.00 ± 0.00", "75.55", "59.00 ± 0.00", "75.54"]
    assert table.title == "Table 2, paper protocol (OPTIMISTIC), 4 epochs, seeds 0-2"
    assert "± is the standard deviation over 3 replicas" in table.caption
    assert ("", '"-": not run in this setting.') in table.footnotes
    assert ("", "No run on SECOM, Pima, Haberman, Wafer, Yeast in this setting.") in table.footnotes


def test_the_papers_impossible_cell_has_a_footnote(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("credit", "q", "paper")
    write_run("wafer", "q", "paper")

    (table,) = tables.table_2(frame_of(tmp_path))

    marked = [cell for row in table.rows for cell in row if cell.marks]
    assert [(cell.text, cell.marks) for cell in marked] == [
        ("paper", ("a",)),
        ("paper", ("a",)),
        ("paper", ("a",)),
        ("paper", ("a",)),
        ("62.19", ("b",)),
    ]
    assert table.footnotes[:2] == (("a", tables.PAPER_IS_OPTIMISTIC), ("b", tables.IMPOSSIBLE))


def test_under_holdout_the_papers_line_is_labeled_optimistic(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("pima", "do", "holdout")

    (table,) = tables.table_2(frame_of(tmp_path))

    assert [row[2].text for row in table.rows] == ["ours", "paper"] * 2
    assert table.rows[1][2].marks == ("a",)
    assert table.footnotes[0] == ("a", tables.PAPER_IS_OPTIMISTIC)
    assert "cannot be compared with ours" in table.caption
    assert "OPTIMISTIC" not in table.title


def test_each_comparison_setting_has_its_own_table(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("pima", "q", "paper")
    write_run("pima", "q", "holdout")
    write_run("pima", "do", "holdout", epochs=5)
    write_run("pima", "ao", "holdout", seeds=[7])

    all_tables = tables.table_2(frame_of(tmp_path))

    assert [table.data["mode"].tolist() for table in all_tables] == [["do"], ["q"], ["ao"], ["q"]]


def test_cells_distinguish_na_undefined_replicas_without_a_value_and_not_run(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_run("yeast", "adasyn", na="no neighbors")
    write_run("yeast", "q", acsa=[None, None, None])
    write_run("yeast", "ro", acsa=[0.5, None, 0.6])

    (table,) = tables.table_2(frame_of(tmp_path))

    assert line(table, "Yeast", "ACSA", "ours") == [
        "undefined",
        "55.00 ± 7.07",
        "-",
        "-",
        "-",
        "NA",
        "-",
        "-",
        "-",
    ]
    notes = dict(table.footnotes)
    assert table.rows[0][3 + 5].marks == ("c",)
    assert notes["c"] == "NA: no neighbors"
    assert notes["b"].startswith("2 of 3 replicas have a value; the others: undefined")


def test_runs_with_other_settings_are_not_in_table_2(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("secom", "do", fs="half")
    write_run("secom", "do", variant=[selected_columns(20)])
    write_run("secom", "q", variant=["players.classifier.width=64"])

    assert tables.table_2(frame_of(tmp_path)) == []


def test_a_dataset_that_is_not_in_the_paper_has_no_line_of_the_paper(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_run("mine", "q", seeds=[4])

    (table,) = tables.table_2(frame_of(tmp_path))

    assert [row[2].text for row in table.rows] == ["ours", "ours"]
    assert "±" not in line(table, "mine (mine.csv)", "ACSA", "ours")[0]
    assert "a single replica, so no spread" in table.caption


def test_the_caption_gives_the_share_of_test_rows(write_run: WriteRun, tmp_path: Path) -> None:
    for dataset in ("haberman", "wafer"):
        write_run(dataset, "q")

    (table,) = tables.table_2(frame_of(tmp_path))

    assert "Test rows: 29% (Haberman); the archive's own, the same for every seed (Wafer)." in table.caption


def test_the_csv_file_of_table_2_has_plain_numbers_in_percent(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("secom", "q", "paper", acsa=[0.5, 0.6, 0.7])

    (table,) = tables.table_2(frame_of(tmp_path))
    (row,) = pd.read_csv(StringIO(render.csv(table))).to_dict("records")

    assert row["acsa_percent"] == pytest.approx(60)
    assert row["acsa_std_percent"] == pytest.approx(10)
    assert (row["n"], row["paper_acsa_percent"], row["paper_g_mean_percent"]) == (3, 57.06, 42.82)


# ---------------------------------------------------------------------------- the other tables


def test_methods_that_are_not_in_the_paper_are_shown_beside_q_and_do(
    write_run: WriteRun, tmp_path: Path
) -> None:
    for mode in ("q", "ro", "do", "lightgbm", "mystery"):
        write_run("pima", mode, "paper", acsa=[0.7] * 3)
    write_run("haberman", "do", "paper")  # no peer there

    (table,) = tables.peers(frame_of(tmp_path))

    assert table.columns == ("dataset", "metric", "Q", "DO", "class-weighted LightGBM", "mystery")
    assert len(table.rows) == 2
    assert bold(table) == []  # all the same
    assert table.footnotes[1] == (
        "",
        "class-weighted LightGBM: no epoch to choose, so not optimistic; "
        "the choice on test rows favours the other methods.",
    )


def test_combinations_are_shown_as_methods_that_are_not_in_the_paper(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_run("pima", "both_fool")

    (table,) = tables.peers(frame_of(tmp_path))

    assert table.columns == ("dataset", "metric", "both fool")
    assert "None of these methods is in the paper." in table.caption


def test_the_table_of_rates_has_every_mode_with_two_rates(write_run: WriteRun, tmp_path: Path) -> None:
    for fs, score in (("natural", 0.5), ("0.3", 0.55), ("balanced", 0.6)):
        write_run("secom", "do", fs=fs, acsa=[score] * 3)
    for fs, score in (("natural", 0.4), ("half", 0.45)):
        write_run("secom", "q", fs=fs, acsa=[score] * 3)
        write_run("secom", "my_do", fs=fs, description=MY_DO)
    write_run("secom", "ao", fs="half")  # a single rate
    write_run("secom", "do", fs="half", variant=[selected_columns(20)])
    write_run("pima", "do")

    (table,) = tables.fs_sweep(frame_of(tmp_path))

    assert table.columns == ("method", "metric", "natural", "0.3", "half (0.5)", "balanced (1)")
    assert line(table, "DO", "ACSA") == ["50.00 ± 0.00", "55.00 ± 0.00", "-", "60.00 ± 0.00"]
    assert line(table, "Q", "ACSA") == ["40.00 ± 0.00", "-", "45.00 ± 0.00", "-"]
    assert [row[0].text for row in table.rows] == ["DO", "", "Q", "", "My DO", ""]
    assert [row[0].marks for row in table.rows[::2]] == [(), ("a",), ("b",)]
    assert dict(table.footnotes) == {
        "a": tables.NOT_OVERSAMPLED_IN_PAPER,
        "b": tables.NOT_IN_PAPER,
        "": '"-": not run in this setting.',
    }
    assert "here 0.070" in table.caption  # 62 / 880
    assert "DO on SECOM, in its Figure 2" in table.caption


def test_two_runs_of_a_mode_at_one_rate_are_an_error(write_run: WriteRun, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_run("mine", "do", fs="half", folder=name, config_hash=name * 10)

    with pytest.raises(InputError, match="aaaaaaaaaa, bbbbbbbbbb"):
        tables.fs_sweep(frame_of(tmp_path))


def test_the_table_of_runs_has_every_run_with_all_its_numbers(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("secom", "do", variant=[selected_columns(20)], acsa=[0.5, 0.6, None])
    write_run("yeast", "adasyn", na="no neighbors")
    write_run("yeast", "lightgbm")

    (table,) = tables.long_table(frame_of(tmp_path))

    first = dict(zip(table.columns, (cell.text for cell in table.rows[0]), strict=True))
    assert first["variant"] == "dataset.preprocessing.n_selected=20"
    assert first["n"] == "2 of 3"
    assert first["optimism"] == "+3.00"
    assert first["training rows"] == "880/62"
    assert first["AUROC"] == "60.00 ± 7.07"
    second = dict(zip(table.columns, table.rows[1], strict=True))
    assert (second["ACSA"].text, second["ACSA"].marks, second["n"].text) == ("NA", ("a",), "0 of 3")
    assert table.footnotes == (("a", "NA: no neighbors"),)
    assert [row[1].text for row in table.rows] == ["DO", "ADASYN+Q", "class-weighted LightGBM"]
    assert table.rows[2][table.columns.index("optimism")].text == ""
    assert table.groups == (0, 1)
    assert len(table.data) == 3


# ---------------------------------------------------------------------------- tables and modes of one's own


@pytest.mark.parametrize("beside_yeast", [False, True])
@pytest.mark.parametrize("protocol", ["paper", "holdout"])
def test_a_csv_file_named_yeast_has_no_line_of_the_paper(
    write_run: WriteRun, tmp_path: Path, beside_yeast: bool, protocol: str
) -> None:
    write_run("yeast", "q", protocol, file="yeast.csv", acsa=[0.9] * 3)
    if beside_yeast:
        write_run("yeast", "q", protocol, acsa=[0.6] * 3)

    (table,) = tables.table_2(frame_of(tmp_path))

    lines = [(row[0].text, row[1].text, row[2].text) for row in table.rows]
    yeast = [("Yeast", "ACSA", "ours"), ("", "ACSA", "paper"), ("", "GM", "ours"), ("", "GM", "paper")]
    own = [("yeast (yeast.csv)", "ACSA", "ours"), ("", "GM", "ours")]
    assert lines == (yeast if beside_yeast else []) + own
    assert line(table, "yeast (yeast.csv)", "ACSA", "ours")[0] == "90.00 ± 0.00"
    printed = {cell.text for row in table.rows for cell in row}
    assert {"61.67", "62.81"} <= printed if beside_yeast else not {"61.67", "62.81"} & printed
    missing = table.footnotes[-1][1]
    assert missing.startswith("No run on SECOM")
    assert ("Yeast" in missing) is not beside_yeast
    data = table.data.set_index("dataset")
    assert pd.isna(data.loc["yeast (yeast.csv)", "paper_acsa_percent"])
    if beside_yeast:
        assert data.loc["yeast", "paper_acsa_percent"] == 61.67


def test_the_published_table_under_another_name_has_the_papers_line(
    write_run: WriteRun, tmp_path: Path
) -> None:
    run = write_run("pima", "q", "paper")
    table = load([run])[0].result.table
    write_run("renamed", "q", "paper", table=table)

    (table_2,) = tables.table_2(frame_of(tmp_path))

    assert [row[0].text for row in table_2.rows if row[0].text] == ["Pima", "renamed (own table)"]
    assert line(table_2, "renamed (own table)", "ACSA", "paper")[0] == "76.89"


def test_a_users_mode_is_in_the_tables_under_its_title_and_in_its_order(
    write_run: WriteRun, tmp_path: Path
) -> None:
    for mode in ("q", "do", "my_do", "both_fool", "lightgbm"):
        write_run("pima", mode, description=MY_DO if mode == "my_do" else None)
    frame = frame_of(tmp_path)

    (table_2,), (peers,), (every_run,) = tables.table_2(frame), tables.peers(frame), tables.long_table(frame)

    assert "My DO" not in table_2.columns
    assert list(table_2.columns[3:]) == list(paper.columns().values())
    assert peers.columns[2:] == ("Q", "DO", "My DO", "both fool", "class-weighted LightGBM")
    titles = [row[1].text for row in every_run.rows]
    assert list(dict.fromkeys(titles)) == ["Q", "DO", "My DO", "both fool", "class-weighted LightGBM"]


# ---------------------------------------------------------------------------- footnotes, bold


def test_a_footnote_that_is_used_again_keeps_its_letter() -> None:
    notes = Footnotes()

    letters = [notes.mark(f"text {i}") for i in (*range(28), 0)]

    assert letters[:2] + letters[25:] == ["a", "b", "z", "aa", "ab", "a"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.7, 0.6], [False, True, False]),
        ([0.70001, 0.7, 0.6], [True, True, False]),  # equal as printed
        ([0.5, 0.5], [False, False]),
        ([0.5, np.nan], [False, False]),
        ([np.nan, 0.5, 0.4], [False, True, False]),
        ([], []),
    ],
)
def test_bold_is_the_highest_number_as_printed(values: list[float], expected: list[bool]) -> None:
    assert [cell.bold for cell in tables.embolden([Cell("")] * len(values), values)] == expected
