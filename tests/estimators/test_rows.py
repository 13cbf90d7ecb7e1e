"""New rows have the types of those that an estimator was given, and mean what their cells mean."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.estimators import AdversarialOversampler, AdversarialOversamplingClassifier
from adversarial_oversampling.estimators.rows import as_frame, as_given, as_labels, columns_and_cells

ROWS = 8
DAYS = pd.date_range("2020-01-01", periods=ROWS)
COLUMNS: dict[str, Any] = {
    "booleans": [True, False] * 4,
    "booleans and missing": np.array([True, False, None, True] * 2, object),
    "nullable booleans": pd.array([True, False, None, True] * 2, dtype="boolean"),
    "categories of numbers": pd.Categorical([3, 1, 2, None] * 2),
    "categories of booleans": pd.Categorical([True, False] * 4),
    "ordered categories": pd.Categorical(["s", "m", "l", None] * 2, ["s", "m", "l"], ordered=True),
    "texts": ["x", "y"] * 4,
    "texts and missing": np.array(["x", None] * 4, object),
    "nullable texts": pd.array(["x", None] * 4, dtype="string"),
    "whole numbers": range(ROWS),
    "small whole numbers": np.arange(ROWS, dtype=np.int8),
    "nullable whole numbers": pd.array([1, None] * 4, dtype="Int64"),
    "short floats": np.linspace(0, 1, ROWS, dtype=np.float32),
    "floats": np.linspace(0, 1, ROWS),
    "numbers as texts": [f"{i}.5" for i in range(ROWS)],
    "whole numbers as texts": [str(i) for i in range(ROWS)],
    "decimals": [Decimal("1.5"), Decimal("2.25")] * 4,
    "decimals of Arrow": pd.array([Decimal("1.50"), None] * 4, dtype=pd.ArrowDtype(pa.decimal128(6, 2))),
    "whole numbers of Arrow": pd.array([1, None] * 4, dtype=pd.ArrowDtype(pa.int32())),
    "texts of Arrow": pd.array(["x", None] * 4, dtype=pd.ArrowDtype(pa.string())),
    "booleans of Arrow": pd.array([True, None] * 4, dtype=pd.ArrowDtype(pa.bool_())),
    "days of Arrow": pd.array(list(DAYS.date), dtype=pd.ArrowDtype(pa.date32())),
    "times of Arrow": pd.array(DAYS, dtype=pd.ArrowDtype(pa.timestamp("us"))),
    "dates": DAYS,
    "dates in a zone": DAYS.tz_localize("Europe/Berlin"),
    "days": list(DAYS.date),
    "days as texts": DAYS.strftime("%Y-%m-%d"),
    "times as texts": DAYS.strftime("%Y-%m-%dT06:00:00"),
    "times as texts with a blank": DAYS.strftime("%Y-%m-%d 06:00:00"),
    "minutes as texts": DAYS.strftime("%Y-%m-%d 06:30"),
    "times of UTC as texts": DAYS.strftime("%Y-%m-%dT06:00:00Z"),
    "times with an offset as texts": DAYS.strftime("%Y-%m-%d 01:00:00+02:00"),
    "times with a zone": np.array(
        [datetime.datetime(2020, 1, 1, i, tzinfo=datetime.UTC) for i in range(ROWS)], object
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_new_cells_have_the_type_and_the_values_of_the_real_ones(name: str) -> None:
    frame = pd.DataFrame({"column": COLUMNS[name]}, index=[7] * ROWS)
    columns, cells = columns_and_cells(frame, None)
    shown = as_given(cells, columns, frame, cells)
    pd.testing.assert_frame_equal(shown, frame.reset_index(drop=True))
    for value, real in zip(shown.column, frame.column, strict=True):
        assert type(value) is type(real)


@pytest.mark.parametrize("role", ["categorical", "ordinal"])
def test_categories_of_a_given_role_keep_their_values(role: str) -> None:
    frame = pd.DataFrame({"column": np.array([1, 2, 4, None], object)})
    given: Any = ["column"] if role == "categorical" else {"column": ["1", "2", "3", "4"]}
    columns, cells = columns_and_cells(frame, {role: given})
    assert as_given(cells, columns, frame, cells).column.tolist() == [1, 2, 4, None]
    if role == "ordinal":  # what no real row has is shown as its text
        assert as_given(np.array([[2.0]]), columns, frame, cells).column.tolist() == ["3"]


def test_fractions_in_a_column_of_whole_numbers_are_not_cut_off() -> None:
    for given in (pd.DataFrame({"column": [1, 2, 3]}), np.array([[1], [2], [3]])):
        name = as_frame(given).columns[0]
        columns, cells = columns_and_cells(as_frame(given), {"numeric": [name]})
        assert np.asarray(as_given(np.array([[1.5]]), columns, given, cells)).tolist() == [[1.5]]


def test_arrays_keep_their_values() -> None:
    mixed = np.array([[1.5, True, "a"], [2.0, False, "b"]] * 2, object)
    columns, cells = columns_and_cells(as_frame(mixed), None)
    assert as_given(cells, columns, mixed, cells).tolist() == mixed.tolist()
    texts = np.array([["1", "a"], ["2", "b"]] * 2)
    columns, cells = columns_and_cells(as_frame(texts), None)
    assert as_given(np.array([[1234567.0, 0.0]]), columns, texts, cells).tolist() == [["1234567", "a"]]


@pytest.mark.parametrize("unit", ["D", "s", "ns"])
def test_arrays_of_dates_keep_their_unit(unit: str) -> None:
    given = DAYS.to_numpy().astype(f"M8[{unit}]").reshape(-1, 1)
    columns, cells = columns_and_cells(as_frame(given), None)
    shown = as_given(cells, columns, given, cells)
    assert shown.dtype == given.dtype
    assert np.array_equal(shown, given)


MISSING: dict[str, Any] = {
    "texts": ["a", "b", None] * 20,
    "an array": np.array(["a", "b", np.nan] * 20, object),
    "nullable texts": pd.Series(["a", "b", None] * 20, dtype="string"),
    "categories": pd.Series(pd.Categorical(["a", "b", None] * 20)),
    "nullable numbers": pd.Series([1, 2, None] * 20, dtype="Int64"),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_label_is_named(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    for call in (
        AdversarialOversamplingClassifier(max_epochs=1).fit,
        AdversarialOversampler(max_epochs=1).fit_resample,
    ):
        with pytest.raises(InputError, match="y: the label of row 2 is missing; leave out the rows"):
            call(x, MISSING[name])


def test_masked_values_are_refused() -> None:
    """Their mask would be lost on the way."""
    x = np.ma.masked_equal([[1, 2], [3, -9], [5, 6]], -9)
    with pytest.raises(InputError, match=r"X has 1 masked value; fill it, as X.astype"):
        as_frame(x)
    assert as_frame(x.astype(float).filled(np.nan)).isna().sum().sum() == 1
    with pytest.raises(InputError, match=r"y has 2 masked values; leave out their rows"):
        as_labels(np.ma.masked_equal([0, 1, 9, 9], 9))
    assert as_frame(np.ma.asarray([[1, 2]])).to_numpy().tolist() == [[1, 2]]


@pytest.mark.parametrize(("dtype", "kind"), [("Int64", np.int64), ("boolean", np.bool_)])
def test_nullable_labels_keep_their_values(dtype: str, kind: type) -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = pd.Series([1, 0, 0] * 20, dtype=dtype)
    fitted = AdversarialOversamplingClassifier(max_epochs=1, anchors=8, random_state=0).fit(x, y)
    assert fitted.classes_.dtype == fitted.predict(x).dtype == kind
    _, labels = AdversarialOversampler(max_epochs=1, anchors=8, random_state=0).fit_resample(x, y)
    assert labels.dtype == dtype


@pytest.mark.filterwarnings("ignore:X .* feature names")
def test_rows_in_another_container_go_by_position() -> None:
    values = np.random.default_rng(0).normal(size=(60, 2))
    frames = [values, pd.DataFrame(values, columns=["a", "b"]), pd.DataFrame(values)]
    for given in frames:
        fitted = AdversarialOversamplingClassifier(max_epochs=1, anchors=8, random_state=0)
        fitted.fit(given, np.arange(60) < 20)
        expected = fitted.predict_proba(given)
        for other in frames[:2]:
            assert np.array_equal(fitted.predict_proba(other), expected)


def test_an_oversampler_rounds_to_the_digits_of_a_decimal_type() -> None:
    kind = pd.ArrowDtype(pa.decimal128(6, 2))
    prices = pd.Series([Decimal(f"{cents / 100:.2f}") for cents in range(60)], dtype=kind)
    frame = pd.DataFrame({"price": prices, "b": np.random.default_rng(0).normal(size=60)})
    sampler = AdversarialOversampler(max_epochs=1, anchors=8, random_state=0)
    rows, _ = sampler.fit_resample(frame, np.arange(60) < 20)
    assert rows.price.dtype == kind
    assert len(rows) == 80
    assert rows.price[60:].between(Decimal("0.00"), Decimal("0.19")).all()


def test_an_oversampler_keeps_fractions_that_a_role_allows() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.integers(0, 50, 60), "b": rng.normal(size=60)})
    sampler = AdversarialOversampler(columns={"numeric": ["a"]}, max_epochs=1, random_state=0)
    rows, _ = sampler.fit_resample(frame, np.arange(60) < 20)
    assert rows.a[60:].tolist() == sampler.generated_.a.tolist()
    assert (rows.a[60:] % 1 != 0).any()
    assert rows.a[:60].tolist() == frame.a.tolist()


def test_a_column_of_the_minority_that_is_always_false_stays_false() -> None:
    rng = np.random.default_rng(0)
    y = np.where(np.arange(120) < 20, "few", "many")
    frame = pd.DataFrame({"number": rng.normal(size=120), "always": y == "many", "k": pd.Categorical(y)})
    rows, labels = AdversarialOversampler(max_epochs=1, anchors=8, random_state=0).fit_resample(frame, y)
    assert (rows.always == (labels == "many")).all()
    assert (rows.k == labels).all()
    assert (rows.dtypes == frame.dtypes).all()


def test_real_rows_of_an_array_are_returned_as_they_are() -> None:
    numbers = np.random.default_rng(0).normal(size=60)
    x = np.array([[number, number > 0, None if number > 1 else "a"] for number in numbers], object)
    rows, _ = AdversarialOversampler(max_epochs=1, anchors=8, random_state=0).fit_resample(
        x, np.arange(60) < 10
    )
    assert rows[:60].tolist() == x.tolist()


@pytest.mark.parametrize("estimator", [AdversarialOversampler, AdversarialOversamplingClassifier])
def test_columns_that_cannot_be_used_are_named(estimator: Any) -> None:
    y = np.arange(30) < 10
    frame = pd.DataFrame({"a": np.arange(30) % 7, "b": np.nan})
    fit = getattr(estimator(max_epochs=1), "fit_resample" if hasattr(estimator, "fit_resample") else "fit")
    with pytest.raises(InputError, match="column 'b' has no value in any row; leave it out"):
        fit(frame, y)
    with pytest.raises(InputError, match="there are 2 columns called 'a'; rename them"):
        fit(frame.set_axis(["a", "a"], axis=1), y)


def test_generated_rows_of_a_classifier_keep_a_feature_called_class() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"class": rng.normal(size=60), "x": rng.normal(size=60)})
    labels = np.where(np.arange(60) < 15, "few", "many")
    fitted = AdversarialOversamplingClassifier(max_epochs=1, anchors=8, random_state=0).fit(frame, labels)
    generated = fitted.generated_
    assert list(generated) == ["class", "x", "class_"]
    assert set(generated.class_) == {"few", "many"}
    assert generated["class"].between(frame["class"].min(), frame["class"].max()).all()


def test_a_rate_of_any_type_of_number_is_the_same_rate() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), np.arange(60) < 10
    probabilities = [
        AdversarialOversamplingClassifier(max_epochs=1, anchors=8, random_state=0, fs=fs).fit(x, y)
        for fs in (0.5, np.float32(0.5), np.float64(0.5))
    ]
    first, *others = (fitted.predict_proba(x) for fitted in probabilities)
    assert all(np.array_equal(first, other) for other in others)
    with pytest.raises(InputError, match=r"fs=\[0.5\]: give a number, or one of balanced"):
        AdversarialOversamplingClassifier(fs=[0.5]).fit(x, y)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64", pd.ArrowDtype(pa.int64())])
def test_whole_numbers_with_more_digits_than_are_kept_are_refused(dtype: Any) -> None:
    frame = pd.DataFrame({"account": pd.Series([2**60 + i for i in range(ROWS)], dtype=dtype)})
    with pytest.raises(
        InputError, match=r"column 'account' has '1152921504606846977', of whose digits about 16"
    ):
        columns_and_cells(frame, None)
    columns_and_cells(frame, {"numeric": ["account"]})
    columns_and_cells(frame.astype("float64"), None)


class Column:
    """Labels as another library holds them: an array, but for its attributes."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.values, dtype)


def test_labels_of_other_libraries_are_arrays() -> None:
    assert as_labels(Column(["a", "b"])).tolist() == ["a", "b"]
    assert as_labels(pa.chunked_array([["a", "b"]])).tolist() == ["a", "b"]
    with pytest.raises(InputError, match="the label of row 1 is missing"):
        as_labels(Column(["a", None]))
