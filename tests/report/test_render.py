import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from adversarial_oversampling.report import ablations, claims, proposed, render, tables, verdict
from adversarial_oversampling.report.common import Cell, Table
from adversarial_oversampling.report.runs import load, replica_frame, run_frame


def table_of(rows: Sequence[Sequence[Cell]], columns: Sequence[str] = ("a", "b"), **changes: object) -> Table:
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


def test_markdown_has_title_caption_table_and_footnotes() -> None:
    table = table_of(
        [[Cell("x_1|y"), Cell("1.00", bold=True, marks=("a",))], [Cell("z"), Cell("-")]],
        footnotes=(("a", "why *not*"), ("", "remark")),
    )

    assert render.markdown(table) == (
        "### Title\n\nCaption.\n\n"
        "| a | b |\n| --- | --- |\n| x\\_1\\|y | **1.00** (a) |\n| z | - |\n\n"
        "- (a) why \\*not\\*\n- remark\n"
    )


def test_a_table_without_rows_is_rendered_as_title_and_caption() -> None:
    assert render.markdown(table_of([])) == "### Title\n\nCaption.\n"
    assert "tabular" not in render.latex(table_of([]))
    assert "Caption." in render.latex(table_of([]))


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
def test_latex_text_escapes_special_characters(text: str, expected: str) -> None:
    assert render.latex_text(text) == expected


def test_latex_has_cells_footnotes_and_a_rule_between_groups() -> None:
    rows = [
        [Cell("secom"), Cell("1", bold=True)],
        [Cell(""), Cell("2", marks=("a", "b"))],
        [Cell("x"), Cell("")],
    ]

    text = render.latex(table_of(rows, groups=(0, 2), footnotes=(("a", "50 %"),)))

    assert r"\toprule a & b \\ \midrule" in text
    assert (
        "secom & \\textbf{1} \\\\\n & 2\\textsuperscript{a,b} \\\\\n\\midrule\nx &  \\\\\n\\bottomrule"
        in text
    )
    assert r"\textsuperscript{a} 50 \%" in text
    assert "landscape" not in text


def test_wide_latex_tables_are_in_landscape_and_long_ones_continue_on_the_next_page() -> None:
    columns = [f"c{i}" for i in range(9)]

    text = render.latex(table_of([[Cell("1")] * 9] * 41, columns))

    assert text.count(r"\begin{landscape}") == text.count(r"\end{landscape}") == 2
    assert text.count(r"\begin{table}") == 2
    assert "Title, continued}" in text
    assert text.count(r"\label") == 1


def test_a_latex_file_is_a_document_with_a_short_caption_and_numbers_to_the_right() -> None:
    rows = [[Cell("DO"), Cell("1.00 ± 0.10"), Cell("long " * 20)]]

    text = render.latex(table_of(rows, "abc", lead="DO is best.", footnotes=(("a", "why"),)))

    lines = [line for line in text.splitlines() if not line.startswith("%")]
    assert lines[0] == r"\documentclass{article}"
    packages = [line for line in lines if line.startswith(r"\usepackage")]
    assert packages == lines[1 : 1 + len(packages)]
    assert lines[1 + len(packages)] == r"\begin{document}"
    assert lines[-1] == r"\end{document}"
    assert r"\caption{Title}" in text
    assert r"\begin{tabular}{lr>{\raggedright\arraybackslash}p{6cm}}" in text
    below = text[text.index(r"\end{tabular}") :]
    assert r"\footnotesize{}DO is best. Caption." in below
    assert r"\textsuperscript{a} why" in below


def test_numbers_are_aligned_to_the_right_and_long_texts_are_wrapped() -> None:
    rows = [
        [*map(Cell, ("secom", "1.00 ± 0.20", "+1.0", "-", "", "1. a claim", "12 of 15"))],
        [*map(Cell, ("pima", "NA", "-2 [3, 4]; d -0.50", "1", "", "2. " + "b" * 60, "3"))],
    ]

    assert render.alignments(table_of(rows, "abcdefg")) == [
        *("left", "right", "right", "right", "left", "wrapped", "right")
    ]


def test_latex_of_all_tables_has_balanced_braces_and_environments(suite: Path) -> None:
    runs = load([suite])
    frame, replicas = run_frame(runs), replica_frame(runs)
    all_tables = [
        *verdict.tables(frame, replicas),
        *claims.tables(frame, claims.assessed_settings(replicas)),
        *proposed.tables(frame, replicas),
        *ablations.tables(ablations.ablations(replicas), frame),
        *tables.table_2(frame),
        *tables.peers(frame),
        *tables.fs_sweep(frame),
        *tables.long_table(frame),
    ]

    assert len(all_tables) == 18
    assert len({table.name for table in all_tables}) == len(all_tables)
    for table in all_tables:
        text = render.latex(table)
        unescaped = re.sub(r"\\[{}\\]", "", text)
        assert unescaped.count("{") == unescaped.count("}")
        opened, closed = (re.findall(rf"\\{kind}{{(\w+)}}", text) for kind in ("begin", "end"))
        assert sorted(opened) == sorted(closed)
        body = [row for row in text.splitlines() if row.endswith(r" \\") and "rule" not in row]
        assert len(body) == len(table.rows)
        assert {len(re.findall(r"(?<!\\)&", row)) for row in body} == {len(table.columns) - 1}
        assert text.isascii()
