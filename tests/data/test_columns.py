"""Roles of a frame's columns, and its cells as numbers."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adversarial_oversampling.data.columns import Origin, RoleOverrides, cells, columns_of
from adversarial_oversampling.data.table import Column, to_frame
from adversarial_oversampling.errors import InputError

nan = np.nan
FAR = pd.Series([pd.Timestamp(0), datetime.datetime(9999, 12, 31)], dtype=object)
WORDS = st.text(st.characters(categories=("Lu", "Ll")), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("values", "column", "numbers"),
    [
        ([1.5, None, 2.0], Column("c"), [1.5, nan, 2]),
        ([1.0, None, 2.0], Column("c", "integer"), [1, nan, 2]),
        (pd.array([1, None, 2], "Int8"), Column("c", "integer"), [1, nan, 2]),
        (pd.array([1.5, None, 2], "Float32"), Column("c"), [1.5, nan, 2]),
        ([Decimal("1.5"), None, Decimal(2)], Column("c"), [1.5, nan, 2]),
        ([10**400, 1, 2], None, []),
        ([True, False, True], Column("c", "boolean", ("False", "True")), [1, 0, 1]),
        (pd.array([True, None, False], "boolean"), Column("c", "boolean", ("False", "True")), [1, nan, 0]),
        ([True, None, False], Column("c", "boolean", ("False", "True")), [1, nan, 0]),
        (["true", None, "false"], Column("c", "boolean", ("false", "true")), [1, nan, 0]),
        (["TRUE", None, "TRUE"], Column("c", "boolean", ("False", "TRUE")), [1, nan, 1]),
        (["u", None, "t"], Column("c", "categorical", ("t", "u")), [1, nan, 0]),
        (pd.array(["u", None, "t"], "string"), Column("c", "categorical", ("t", "u")), [1, nan, 0]),
        (["1", None, "+2.5e1"], Column("c", "integer"), [1, nan, 25]),
        ([" 1", "2 ", ".5"], Column("c"), [1, 2, 0.5]),
        (pd.Categorical(["u", None, "t"]), Column("c", "categorical", ("t", "u")), [1, nan, 0]),
        (pd.Categorical([2, None, 10]), Column("c", "categorical", ("10", "2")), [1, nan, 0]),
        (pd.Categorical([2, None, 10], ordered=True), Column("c", "ordinal", ("2", "10")), [0, nan, 1]),
        (pd.to_datetime(["1970-01-02", None, "1969-12-31"]), Column("c", "date"), [86400, nan, -86400]),
        (pd.to_datetime(["2024-01-01T02:00+02:00"] * 3), Column("c", "date"), [1704067200] * 3),
        ([datetime.date(1970, 1, 2), None, datetime.date(1970, 1, 1)], Column("c", "date"), [86400, nan, 0]),
        (["1970-01-02", None, "1970-01-01T00:00:00.5Z"], Column("c", "date"), [86400, nan, 0.5]),
        (["9999-12-31", None, "0001-01-01"], Column("c", "date"), [253402214400, nan, -62135596800]),
        ([datetime.date(9999, 12, 31), None], Column("c", "date"), [253402214400, nan]),
        (FAR, Column("c", "date"), [0, 253402214400]),
        ([1e19, None, 2.0], Column("c"), [1e19, nan, 2]),
        ([2.0**53, None, -(2.0**53)], Column("c", "integer"), [2.0**53, nan, -(2.0**53)]),
        ([None, None, None], Column("c"), [nan] * 3),
    ],
)  # fmt: skip
def test_each_type(values: Any, column: Column | None, numbers: list[float]) -> None:
    frame = pd.DataFrame({"c": values})
    if column is None:
        with pytest.raises(InputError, match=r"^row 0: column 'c' has an infinite value"):
            cells(frame, columns_of(frame))
        return
    assert columns_of(frame) == (column,)
    assert np.array_equal(cells(frame, (column,))[:, 0], numbers, equal_nan=True)


@pytest.mark.parametrize(
    "values",
    [[[1], [2]], [b"a", b"b"], [1j, 2j], pd.to_timedelta([1, 2]), [datetime.time(1), None], [object(), None]],
)
def test_types_that_are_refused(values: Any) -> None:
    with pytest.raises(InputError, match=r"column 'c' holds .*; convert it, or leave it out\.$"):
        columns_of(pd.DataFrame({"c": values}))


def test_an_override_of_each_role() -> None:
    frame = pd.DataFrame({"a": [3, 1, 2], "b": [3, 1, None], "c": ["1", "0", None], "d": ["2024-01-01"] * 3})
    overrides: RoleOverrides = {
        "categorical": ["a"],
        "ordinal": {"b": ["3", "1"]},
        "numeric": ["c"],
        "date": ["d"],
    }
    columns = columns_of(frame, overrides)
    assert columns == (
        Column("a", "categorical", ("1", "2", "3")),
        Column("b", "ordinal", ("3", "1")),
        Column("c", "numeric"),
        Column("d", "date"),
    )
    expected = [[2, 0, 1, 1704067200], [0, 1, 0, 1704067200], [1, nan, nan, 1704067200]]
    assert np.array_equal(cells(frame, columns), expected, equal_nan=True)


def test_columns_are_found_by_name_in_another_frame() -> None:
    columns = columns_of(pd.DataFrame({"v": [1.5, 2], "c": ["a", "b"]}))
    assert cells(pd.DataFrame({"x": [0], "c": ["b"], "v": [7]}), columns).tolist() == [[7, 1]]
    with pytest.raises(InputError, match="there is no column 'v'"):
        cells(pd.DataFrame({"c": ["b"]}), columns)


@pytest.mark.parametrize(
    ("values", "unseen", "message"),
    [
        (["a", "b"], ["b", "z"], r"row 1: column 'c' has 'z', which is none of its categories \('a', 'b'\)"),
        (["a", "b"], ["b", 3], "column 'c' has '3'"),
        ([1.5, 2], [1.5, "z"], "row 1: column 'c' has 'z', which is not a number"),
        (
            pd.to_datetime(["2024-01-01"] * 2),
            ["2024-01-01", "z"],
            "row 1: column 'c' has 'z', which is not a date",
        ),
        ([True, False], [True, "z"], "row 1: column 'c' has 'z'"),
    ],
)
def test_a_cell_that_does_not_fit_is_named(values: Any, unseen: list[Any], message: str) -> None:
    columns = columns_of(pd.DataFrame({"c": values}))
    with pytest.raises(InputError, match=message):
        cells(pd.DataFrame({"c": unseen}), columns)


def test_a_boolean_column_takes_texts_and_truth_values() -> None:
    columns = columns_of(pd.DataFrame({"c": ["true", "false"]}))
    assert cells(pd.DataFrame({"c": [True, False]}), columns)[:, 0].tolist() == [1, 0]


def test_two_columns_of_one_name() -> None:
    with pytest.raises(InputError, match="there are 2 columns called 'c'"):
        columns_of(pd.DataFrame([[1, 2]], columns=["c", "c"]))


def test_messages_name_places_and_settings_as_the_caller_does() -> None:
    origin = Origin(lambda row: f"f.csv, line {row + 2}", "dataset.columns.")
    with pytest.raises(InputError, match=r"^f\.csv, line 3: .*dataset\.columns\.missing=\[\"\?\"\]"):
        columns_of(pd.DataFrame({"c": ["1", "?", "2"]}), origin=origin)


def test_an_unknown_role() -> None:
    with pytest.raises(InputError, match=r"^colour: choose among categorical, ordinal, numeric, date\.$"):
        columns_of(pd.DataFrame({"c": [1]}), {"colour": ["c"]})  # type: ignore[typeddict-unknown-key]


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_keep_their_value_as_numbers_and_as_texts(values: list[float | None]) -> None:
    for cell in (values, [None if value is None else repr(value) for value in values]):
        frame = pd.DataFrame({"c": cell})
        (column,) = columns_of(frame)
        assert column.role in ("numeric", "integer")
        expected = [nan if value is None else value for value in values]
        assert np.array_equal(cells(frame, (column,))[:, 0], expected, equal_nan=True)


@given(st.lists(st.none() | st.sampled_from(["red", "blue", "green"]) | WORDS, min_size=1, max_size=20))
def test_categories_are_found_again(values: list[str | None]) -> None:
    frame = pd.DataFrame({"c": pd.Series(values, dtype=object)})
    try:
        (column,) = columns_of(frame, {"categorical": ["c"]})
    except InputError as error:  # letters that look the same, such as those with and without a joiner
        assert "look the same" in str(error) or "same number" in str(error)  # noqa: PT017
        return
    (codes,) = cells(frame, (column,)).T
    missing = np.isnan(codes)
    assert missing.tolist() == [value is None for value in values]
    assert set(codes[~missing]) == set(range(len(column.categories)))
    assert [column.categories[int(code)] for code in codes[~missing]] == [v for v in values if v is not None]
    assert list(column.categories) == sorted(set(column.categories))


@given(st.lists(st.none() | st.datetimes(), min_size=1))
def test_dates_are_seconds(values: list[datetime.datetime | None]) -> None:
    epoch = datetime.datetime(1970, 1, 1)
    expected = [nan if value is None else (value - epoch).total_seconds() for value in values]
    for cell in (values, [None if value is None else value.isoformat() for value in values]):
        frame = pd.DataFrame({"c": pd.Series(cell, dtype=object)})
        seconds = cells(frame, columns_of(frame, {"date": ["c"]}))[:, 0]
        assert np.allclose(seconds, expected, rtol=1e-15, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("seconds", [253402214400.0, 253402214400.25, -62135596800.0, 1704110400.5])
def test_dates_are_shown_beyond_nanoseconds(seconds: float) -> None:
    shown = to_frame(np.array([[seconds], [nan]]), [Column("c", "date")]).c
    passed = shown[0].to_pydatetime() - datetime.datetime(1970, 1, 1)
    assert passed.total_seconds() == pytest.approx(seconds, abs=0.5, rel=0)
    assert shown.isna().tolist() == [False, True]


def test_whole_numbers_beyond_those_with_all_digits_are_shown() -> None:
    frame = pd.DataFrame({"c": [1e19, 3e21]})
    columns = columns_of(frame)
    assert to_frame(cells(frame, columns), columns).c.tolist() == [1e19, 3e21]
