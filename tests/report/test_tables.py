import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adversarial_oversampling.report import tables
from adversarial_oversampling.report.runs import load, run_frame
from adversarial_oversampling.report.tables import Cell, Footnotes, Table
from tests.report.conftest import WriteRun


def frame_of(folder: Path) -> pd.DataFrame:
    return run_frame(load([folder]))


def line(table: Table, *head: str) -> list[str]:
    """Texts after the head of the row that begins so; an empty head takes the one above."""
    above = [""] * len(head)
    for row in table.rows:
        above = [cell.text or above[i] for i, cell in enumerate(row[: len(head)])]
        if above == list(head):
            return [cell.text for cell in row[len(head) :]]
    raise AssertionError(f"no row {head}")


def bold(table: Table) -> list[str]:
    return [cell.text for row in table.rows for cell in row if cell.bold]


def made(rows: Sequence[Sequence[Cell]], columns: Sequence[str] = ("a", "b"), **changes: object) -> Table:
    parts = {
        "name": "name",
        "section": "results",
        "title": "Title",
        "caption": "Caption.",
        "columns": tuple(columns),
        "rows": tuple(tuple(row) for row in rows),
        "footnotes": (),
        "data": pd.DataFrame(),
    }
    return Table(**(parts | changes))  # type: ignore[arg-type]


# ---------------------------------------------------------------------------- the paper's table


def test_table_2_has_ours_and_the_papers_lines(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("credit", "q", "paper", acsa=[0.5, 0.6, 0.7])
    write_run("credit", "ao", "paper", acsa=[0.61, 0.61, 0.61])

    (table,) = tables.table_2(frame_of(tmp_path))

    assert table.columns[:4] == ("dataset", "metric", "from", "Q")
    assert len(table.columns) == 3 + 9
    assert line(table, "credit", "ACSA", "ours") == ["60.00 ± 10.00", *"-" * 6, "61.00 ± 0.00", "-"]
    assert line(table, "credit", "GM", "ours")[0] == "58.00 ± 10.00"
    assert line(table, "credit", "ACSA", "paper")[:2] == ["50.61", "50.04"]
    assert line(table, "credit", "GM", "paper")[-1] == "75.54"
    assert bold(table) == ["61.00 ± 0.00", "75.55", "59.00 ± 0.00", "75.54"]
    assert table.title == "Table 2, paper protocol (OPTIMISTIC), 4 epochs, seeds 0-2"
    assert "± is the standard deviation over 3 replicas" in table.caption
    assert ("", '"-": not run in this harness.') in table.footnotes
    assert ("", "No run of secom, pima, haberman, wafer, yeast in this harness.") in table.footnotes


def test_the_papers_impossible_cell_is_flagged(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("credit", "q", "paper")
    write_run("wafer", "q", "paper")

    (table,) = tables.table_2(frame_of(tmp_path))

    marked = [cell for row in table.rows for cell in row if cell.marks]
    assert [(cell.text, cell.marks) for cell in marked] == [("62.19", ("a",))]
    assert table.footnotes[0] == ("a", "The paper's GM is above its ACSA, which no single model can have.")


def test_in_an_honest_protocol_the_papers_line_is_called_optimistic(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_run("pima", "do", "holdout")

    (table,) = tables.table_2(frame_of(tmp_path))

    assert [row[2].text for row in table.rows] == ["ours", "paper (optimistic)"] * 2
    assert "no yardstick" in table.caption
    assert "OPTIMISTIC" not in table.title


def test_harnesses_never_share_a_table(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("pima", "q", "paper")
    write_run("pima", "q", "holdout")
    write_run("pima", "do", "holdout", epochs=5)
    write_run("pima", "ao", "holdout", seeds=[7])

    made_tables = tables.table_2(frame_of(tmp_path))

    assert [table.data["mode"].tolist() for table in made_tables] == [["q"], ["do"], ["q"], ["ao"]]


def test_na_undefined_lost_and_not_run_are_told_apart(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("yeast", "adasyn", na="no neighbours")
    write_run("yeast", "q", acsa=[None, None, None])
    write_run("yeast", "ro", acsa=[0.5, None, 0.6])

    (table,) = tables.table_2(frame_of(tmp_path))

    assert line(table, "yeast", "ACSA", "ours") == [
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
    told = dict(table.footnotes)
    assert table.rows[0][3 + 5].marks == ("c",)
    assert told["c"] == "NA: no neighbours"
    assert told["b"].startswith("2 of 3 replicas have a value; the others: undefined")


def test_variants_and_other_rates_stay_out_of_table_2(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("secom", "do", fs="half")
    write_run("secom", "do", variant=["20 selected columns"])
    write_run("secom", "q", variant=["players.classifier.width=64"])

    assert tables.table_2(frame_of(tmp_path)) == []


def test_own_datasets_have_no_line_of_the_paper(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("mine", "q", seeds=[4])

    (table,) = tables.table_2(frame_of(tmp_path))

    assert [row[2].text for row in table.rows] == ["ours", "ours"]
    assert "±" not in line(table, "mine", "ACSA", "ours")[0]
    assert "a single replica, so no spread" in table.caption


def test_caption_says_which_rows_test(write_run: WriteRun, tmp_path: Path) -> None:
    for dataset in ("haberman", "wafer"):
        write_run(dataset, "q")

    (table,) = tables.table_2(frame_of(tmp_path))

    assert "Test rows: 29% (haberman); the archive's own, the same for every seed (wafer)." in table.caption


def test_csv_has_plain_numbers(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("secom", "q", "paper", acsa=[0.5, 0.6, 0.7])

    (table,) = tables.table_2(frame_of(tmp_path))
    (row,) = pd.read_csv(StringIO(tables.csv(table))).to_dict("records")

    assert row["acsa_percent"] == pytest.approx(60)
    assert row["acsa_std_percent"] == pytest.approx(10)
    assert (row["n"], row["paper_acsa_percent"], row["paper_g_mean_percent"]) == (3, 57.06, 42.82)


# ---------------------------------------------------------------------------- the other tables


def test_peers_stand_beside_q_and_do(write_run: WriteRun, tmp_path: Path) -> None:
    for mode in ("q", "ro", "do", "lightgbm", "mystery"):
        write_run("pima", mode, "paper", acsa=[0.7] * 3)
    write_run("haberman", "do", "paper")  # no peer there

    (table,) = tables.peers(frame_of(tmp_path))

    assert table.columns == ("dataset", "metric", "Q", "DO", "LightGBM, class weights", "mystery")
    assert len(table.rows) == 2
    assert bold(table) == []  # all the same
    assert table.footnotes[1] == (
        "",
        "LightGBM, class weights: no epoch to choose, so not optimistic; "
        "the choice on test rows favours the other methods.",
    )


def test_the_other_two_games_are_among_the_peers(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("pima", "both_fool", variant=["a combination that is not in the paper"])

    (table,) = tables.peers(frame_of(tmp_path))

    assert table.columns == ("dataset", "metric", "both fool")


def test_selected_columns_beside_all(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("secom", "do", acsa=[0.5, 0.5, 0.5])
    write_run("secom", "do", variant=["20 selected columns"], acsa=[0.6, 0.6, 0.6])
    write_run("secom", "do", fs="half", variant=["20 selected columns"])
    write_run("secom", "q", variant=["100 selected columns"])
    write_run("secom", "ro")

    (table,) = tables.selected_columns(frame_of(tmp_path))

    assert table.columns == ("method", "metric", "all columns", "20 selected columns", "100 selected columns")
    assert line(table, "DO", "ACSA") == ["50.00 ± 0.00", "60.00 ± 0.00", "-"]
    assert line(table, "Q", "ACSA")[:2] == ["-", "-"]
    assert len(table.rows) == 4


def test_fs_sweep(write_run: WriteRun, tmp_path: Path) -> None:
    for fs, score in (("natural", 0.5), ("0.3", 0.55), ("balanced", 0.6)):
        write_run("secom", "do", fs=fs, acsa=[score] * 3)
    write_run("secom", "q", acsa=[0.4] * 3)
    write_run("secom", "ao", fs="half", variant=["fs=half, where the paper does not oversample"])
    write_run("secom", "do", fs="half", variant=["20 selected columns"])
    write_run("pima", "do")  # one rate is no sweep

    (table,) = tables.fs_sweep(frame_of(tmp_path))

    assert table.columns == ("method", "metric", "natural", "0.3", "half (0.5)", "balanced (1)")
    assert line(table, "DO", "ACSA") == ["50.00 ± 0.00", "55.00 ± 0.00", "-", "60.00 ± 0.00"]
    assert line(table, "Q", "ACSA") == ["40.00 ± 0.00", "-", "-", "-"]
    assert [row[0].text for row in table.rows] == ["DO", "", "Q", "", "AO", ""]
    assert [bool(row[0].marks) for row in table.rows] == [False, False, True, False, True, False]
    assert "here 0.070" in table.caption  # 62 / 880


def test_long_table_has_every_run_and_what_is_known_of_it(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("secom", "do", variant=["20 selected columns"], acsa=[0.5, 0.6, None])
    write_run("yeast", "adasyn", na="no neighbours")
    write_run("yeast", "lightgbm")

    (table,) = tables.long_table(frame_of(tmp_path))

    first = dict(zip(table.columns, (cell.text for cell in table.rows[0]), strict=True))
    assert first["departures from the paper"] == "20 selected columns"
    assert first["n"] == "2 of 3"
    assert first["optimism"] == "+3.00"
    assert first["training rows"] == "880/62"
    assert first["AUROC"] == "60.00 ± 7.07"
    second = dict(zip(table.columns, table.rows[1], strict=True))
    assert (second["ACSA"].text, second["ACSA"].marks, second["n"].text) == ("NA", ("a",), "0 of 3")
    assert table.footnotes == (("a", "NA: no neighbours"),)
    assert [row[1].text for row in table.rows] == ["DO", "ADASYN+Q", "LightGBM, class weights"]
    assert table.rows[2][table.columns.index("optimism")].text == ""
    assert table.groups == (0, 1)
    assert len(table.data) == 3


# ---------------------------------------------------------------------------- footnotes, bold


def test_footnotes_keep_their_letters() -> None:
    notes = Footnotes()

    letters = [notes.mark(f"text {i}") for i in (*range(28), 0)]

    assert letters[:2] + letters[25:] == ["a", "b", "z", "aa", "ab", "a"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.7, 0.6], [False, True, False]),
        ([0.70001, 0.7, 0.6], [True, True, False]),  # they look the same
        ([0.5, 0.5], [False, False]),
        ([0.5, np.nan], [False, False]),
        ([np.nan, 0.5, 0.4], [False, True, False]),
        ([], []),
    ],
)
def test_bold_is_the_highest_as_shown(values: list[float], expected: list[bool]) -> None:
    assert [cell.bold for cell in tables.embolden([Cell("")] * len(values), values)] == expected


# ---------------------------------------------------------------------------- renderers


def test_markdown() -> None:
    table = made(
        [[Cell("x_1|y"), Cell("1.00", bold=True, marks=("a",))], [Cell("z"), Cell("-")]],
        footnotes=(("a", "why *not*"), ("", "remark")),
    )

    assert tables.markdown(table) == (
        "### Title\n\nCaption.\n\n"
        "| a | b |\n| --- | --- |\n| x\\_1\\|y | **1.00** (a) |\n| z | - |\n\n"
        "- (a) why \\*not\\*\n- remark\n"
    )


def test_a_table_without_rows_is_its_caption() -> None:
    assert tables.markdown(made([])) == "### Title\n\nCaption.\n"
    assert "tabular" not in tables.latex(made([]))
    assert "Caption." in tables.latex(made([]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % & more", r"50 \% \& more"),
        ("a_b^c~{$#}", r"a\_b\textasciicircum{}c\textasciitilde{}\{\$\#\}"),
        ("\\x", r"\textbackslash{}x"),
        ("1 ± 2", r"1 $\pm$ 2"),
        ("[-1.00, -2]", "[$-$1.00, $-$2]"),
        ("seeds 0-4", "seeds 0-4"),
        ('p < "0"', r"p \textless{} \textquotedbl{}0\textquotedbl{}"),
    ],
)
def test_latex_text(text: str, expected: str) -> None:
    assert tables.latex_text(text) == expected


def test_latex() -> None:
    rows = [
        [Cell("secom"), Cell("1", bold=True)],
        [Cell(""), Cell("2", marks=("a", "b"))],
        [Cell("x"), Cell("")],
    ]

    text = tables.latex(made(rows, groups=(0, 2), footnotes=(("a", "50 %"),)))

    assert r"\toprule a & b \\ \midrule" in text
    assert (
        "secom & \\textbf{1} \\\\\n & 2\\textsuperscript{a,b} \\\\\n\\midrule\nx &  \\\\\n\\bottomrule"
        in text
    )
    assert r"\textsuperscript{a} 50 \%" in text
    assert "landscape" not in text


def test_wide_latex_tables_are_turned_and_long_ones_go_on() -> None:
    columns = [f"c{i}" for i in range(9)]

    text = tables.latex(made([[Cell("1")] * 9] * 41, columns))

    assert text.count(r"\begin{landscape}") == text.count(r"\end{landscape}") == 2
    assert text.count(r"\begin{table}") == 2
    assert "Title, continued." in text
    assert text.count(r"\label") == 1


def test_latex_of_real_tables_is_balanced(suite: Path) -> None:
    frame = frame_of(suite)
    made_tables = [
        *tables.table_2(frame),
        *tables.peers(frame),
        *tables.selected_columns(frame),
        *tables.fs_sweep(frame),
        *tables.long_table(frame),
    ]

    assert len(made_tables) == 2 + 2 + 1 + 1 + 2
    assert len({table.name for table in made_tables}) == len(made_tables)
    for table in made_tables:
        text = tables.latex(table)
        bare = re.sub(r"\\[{}\\]", "", text)
        assert bare.count("{") == bare.count("}")
        opened, closed = (re.findall(rf"\\{kind}{{(\w+)}}", text) for kind in ("begin", "end"))
        assert sorted(opened) == sorted(closed)
        body = [one for one in text.splitlines() if one.endswith(r" \\") and "rule" not in one]
        assert len(body) == len(table.rows)
        assert {len(re.findall(r"(?<!\\)&", one)) for one in body} == {len(table.columns) - 1}
        assert text.isascii()
