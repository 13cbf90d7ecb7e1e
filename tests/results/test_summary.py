"""The counts of a table."""

from pathlib import Path

import numpy as np
import pytest

from adversarial_oversampling.data.sources import load_haberman
from adversarial_oversampling.data.table import Column, make_table
from adversarial_oversampling.results.summary import summarize, summary_lines, summary_warnings
from tests.conftest import Run


def test_counts_by_hand() -> None:
    nan = np.nan
    x = [[0.0, 1, 5], [-0.0, 1, 5], [0, 1, 5], [nan, 1, 5], [nan, 1, 5], [2, 1, nan]]
    columns = [Column("v"), Column("c", "categorical", ("a", "b")), "w"]
    summary = summarize(make_table("t", np.array(x), ["x", "x", "y", "x", "x", "y"], columns))
    assert summary.rows == 6
    assert summary.columns == {"numeric": ["v", "w"], "categorical": ["c"]}
    assert summary.classes == {"x": 4, "y": 2}
    assert summary.missing_cells == 3
    assert summary.constant_columns == ["c", "w"]
    assert summary.duplicate_rows == 2
    assert summary.rows_in_two_classes == 3
    assert summary.columns_that_tell_the_class == []
    assert summary_lines("t", summary) == [
        "Table t: 6 rows, 3 columns",
        "  numeric (2): v, w",
        "  categorical (1): c",
        "  classes (2): x (4), y (2)",
        "  missing cells: 3",
        "  constant columns: c, w",
        "  duplicate rows: 2; rows whose features stand in two classes: 3",
    ]


def test_a_column_that_tells_the_class() -> None:
    nan = np.nan
    code, copied = [7.0, 7, 8, nan, nan, 8], [0.0, 0, 1, 0, 0, 1]
    one_off, distinct, constant = [0.0, 0, 1, 0, 0, 0], [0.0, 1, 2, 3, 4, 5], [nan] * 6
    x = np.array([code, copied, one_off, distinct, constant]).T
    names = ["the code", "copied", "one_off", "distinct", "constant"]
    summary = summarize(make_table("t", x, ["a", "a", "b", "a", "a", "b"], names))
    assert summary.columns_that_tell_the_class == ["the code", "copied"]
    (warning,) = summary_warnings(summary)
    assert warning.startswith("columns 'the code', 'copied' tell the class of every row")
    assert warning.endswith('dataset.columns.drop=["the code",copied].')


def test_a_warning_names_classes_that_differ_only_in_case() -> None:
    table = make_table("t", np.arange(6.0)[:, None], ["yes", "Yes", "no", "no", "yes", "Yes"], ["v"])
    (warning,) = summary_warnings(summarize(table))
    assert warning.startswith("classes 'Yes' and 'yes' differ only in case")


def test_a_warning_names_the_column_that_tells_the_class(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [f"{i % 7},{int(i % 3 > 0)},{'no' if i % 3 else 'yes'}" for i in range(60)]
    file = tmp_path / "t.csv"
    file.write_text("\n".join(["v,outcome,label", *rows]))
    result = run("mode=logistic", "dataset=table", f"dataset.path={file}", "dataset.target=label")
    assert "Column 'outcome' tells the class of every row" in caplog.text
    assert result.table.summary is not None
    assert result.table.summary.columns_that_tell_the_class == ["outcome"]


def test_rows_of_a_published_table() -> None:
    """Compared with the counts of Python's sets."""
    table = load_haberman(None)
    rows = [(*row, label) for row, label in zip(table.x.tolist(), table.y.tolist(), strict=True)]
    classes: dict[tuple[float, ...], set[int]] = {}
    for *features, label in rows:
        classes.setdefault(tuple(features), set()).add(label)
    summary = summarize(table)
    assert summary.duplicate_rows == len(rows) - len(set(rows))
    assert summary.rows_in_two_classes == sum(len(classes[tuple(row[:-1])]) == 2 for row in rows)


def test_the_summary_is_shown_once_and_kept(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        result = run("mode=logistic", "dataset=haberman")
    assert caplog.text.count("Table haberman: 306 rows, 3 columns") == 1
    assert result.table.summary is not None
    assert result.table.summary.classes == {"1": 225, "2": 81}
