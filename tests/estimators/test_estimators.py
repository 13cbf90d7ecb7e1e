"""What the estimators promise beyond the libraries' own checks."""

import logging
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imblearn.pipeline import make_pipeline
from sklearn.base import clone
from sklearn.compose import make_column_selector
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.preprocessing import StandardScaler

from adversarial_oversampling.config.compose import default_config
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.estimators import AdversarialOversampler, AdversarialOversamplingClassifier
from adversarial_oversampling.estimators.fitting import quiet
from adversarial_oversampling.estimators.parameters import KEYS, configuration

MODES = ["do", "ao", "gamo", "both_fool", "both_favour"]
QUICK: dict[str, Any] = {"max_epochs": 2, "anchors": 16, "random_state": 0}


@pytest.fixture(scope="module")
def numbers() -> tuple[np.ndarray, np.ndarray]:
    x, y = make_classification(120, 4, n_informative=3, n_redundant=0, weights=[0.85], random_state=0)
    return x, y


@pytest.fixture(scope="module")
def mixed() -> tuple[pd.DataFrame, "pd.Series[str]"]:
    """A frame with a column of every role, and missing cells."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "whole": rng.integers(0, 50, 150),
            "real": rng.normal(size=150),
            "city": rng.choice(["Bonn", "Lima", "Oslo"], 150),
            "size": pd.Categorical(rng.choice(["s", "m", "l"], 150), ["s", "m", "l"], ordered=True),
            "member": rng.choice([True, False], 150),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 99, 150), "D"),
        }
    )
    labels = pd.Series(np.where(rng.random(150) < 0.2, "rare", np.where(frame.whole > 20, "most", "some")))
    frame.loc[rng.random(150) < 0.1, "real"] = np.nan
    frame.loc[rng.random(150) < 0.1, "city"] = None
    return frame, labels


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_in_cross_validation_without_a_warning(mode: str, numbers: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = cross_validate(
            AdversarialOversamplingClassifier(mode, **QUICK),
            *numbers,
            cv=2,
            scoring=["balanced_accuracy", "roc_auc", "neg_log_loss"],
            error_score="raise",
        )
        x, y = AdversarialOversampler(mode, **QUICK).fit_resample(*numbers)
    assert np.isfinite(scores["test_balanced_accuracy"]).all()
    assert len(set(np.bincount(y))) == 1
    assert np.array_equal(x[:120], numbers[0])


def test_parameters_have_the_defaults_of_the_yaml_files(numbers: Any) -> None:
    for mode in MODES:
        cfg = configuration(AdversarialOversamplingClassifier(mode), needs_generator=True)
        expected = default_config(("dataset=table", "logger=none", f"mode={mode}"))
        for section in ("players", "gan_type", "fs", "generated_rows"):
            assert cfg[section] == expected[section]
        assert cfg.mode == expected.mode
        assert cfg.trainer.max_epochs == expected.trainer.max_epochs


@pytest.mark.parametrize("name", sorted(KEYS))
def test_a_parameter_is_the_setting_of_its_name(name: str) -> None:
    assert KEYS[name].endswith(name)
    assert name in AdversarialOversamplingClassifier().get_params()
    assert name in AdversarialOversampler().get_params()


def test_numbers_of_numpy_are_numbers(numbers: Any) -> None:
    """Searches over arrays and distributions give them."""
    given: dict[str, Any] = {
        "max_epochs": np.int64(1),
        "learning_rate": np.float64(1e-3),
        "dropout": np.float32(0.5),
        "conditional": np.bool_(True),
        "n_members": np.int64(2),
        "epoch_selection": np.float64(0.5),
        "settings": {"players.generator.latent": np.int64(8)},
    }
    plain = {name: value.item() for name, value in given.items() if name != "settings"}
    plain["settings"] = {"players.generator.latent": 8}
    one, other = (
        AdversarialOversamplingClassifier(**QUICK | values).fit(*numbers).predict_proba(numbers[0])
        for values in (given, plain)
    )
    assert np.array_equal(one, other)


def test_the_same_seed_gives_the_same_numbers(numbers: Any) -> None:
    x, y = numbers
    first, again, other = (
        AdversarialOversamplingClassifier(**QUICK | {"random_state": seed}).fit(x, y).predict_proba(x)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    rows = [AdversarialOversampler(**QUICK).fit_resample(x, y)[0] for _ in range(2)]
    assert np.array_equal(*rows)


def test_a_row_is_predicted_alone_as_among_others(numbers: Any) -> None:
    x, y = numbers
    fitted = AdversarialOversamplingClassifier(**QUICK).fit(x, y)
    together = fitted.predict_proba(x)
    assert np.array_equal(together[5:6], fitted.predict_proba(x[5:6]))
    assert np.array_equal(together[::-3], fitted.predict_proba(x[::-3]))
    many = np.tile(x, (700, 1))  # more than are preprocessed at once
    assert np.array_equal(fitted.predict_proba(many)[-120:], together)
    assert np.allclose(together.sum(axis=1), 1, atol=1e-12)


def test_members_are_averaged(numbers: Any) -> None:
    x, y = numbers
    alone = AdversarialOversamplingClassifier(epoch_selection=None, **QUICK).fit(x, y)
    three = AdversarialOversamplingClassifier(epoch_selection=None, n_members=3, **QUICK).fit(x, y)
    weights = [fitted.model_.arrays["weights/classifier.layers.0.weight"] for fitted in (alone, three)]
    assert weights[1].shape[0] == 3
    assert np.array_equal(weights[0][0], weights[1][0])  # the first member is the player alone
    assert not np.array_equal(alone.predict_proba(x), three.predict_proba(x))


def test_without_epoch_selection_the_last_epoch_counts(numbers: Any) -> None:
    fitted = AdversarialOversamplingClassifier(epoch_selection=None, **QUICK | {"max_epochs": 7}).fit(
        *numbers
    )
    assert fitted.best_epoch_ == 6
    assert len(fitted.history_) == 7
    assert len(fitted.model_.fitted[0].imputation.train_rows) == 120


@pytest.mark.parametrize("make", [AdversarialOversamplingClassifier, AdversarialOversampler])
def test_a_fit_is_silent(make: Callable[..., Any], numbers: Any, capfd: pytest.CaptureFixture[str]) -> None:
    fit = make(**QUICK).fit if make is AdversarialOversamplingClassifier else make(**QUICK).fit_resample
    fit(*numbers)
    assert capfd.readouterr() == ("", "")
    make(**QUICK, verbose=1).fit(*numbers)


def test_progress_is_shown_when_asked_for(numbers: Any, capfd: pytest.CaptureFixture[str]) -> None:
    AdversarialOversamplingClassifier(**QUICK, verbose=1).fit(*numbers)
    assert "2/2" in capfd.readouterr().err


def test_pipeline_search_clone_and_pickle(numbers: Any) -> None:
    x, y = numbers
    sampler = make_pipeline(StandardScaler(), AdversarialOversampler(**QUICK), LogisticRegression())
    assert sampler.fit(x, y).predict(x).shape == (120,)
    search = GridSearchCV(
        AdversarialOversamplingClassifier(**QUICK),
        {"generated_weight": [0.0, 0.1]},
        cv=2,
        error_score="raise",
    ).fit(x, y)
    best = search.best_estimator_
    restored = pickle.loads(pickle.dumps(best))
    assert np.array_equal(restored.predict_proba(x), best.predict_proba(x))
    assert clone(best).get_params() == best.get_params()


def test_every_kind_of_column(mixed: Any) -> None:
    frame, labels = mixed
    fitted = AdversarialOversamplingClassifier(**QUICK).fit(frame, labels)
    roles = [column.role for column in fitted.columns_]
    assert roles == ["integer", "numeric", "categorical", "ordinal", "boolean", "date"]
    assert list(fitted.classes_) == sorted(set(labels))
    assert set(fitted.predict(frame)) <= set(labels)
    assert list(fitted.generated_) == [*frame, "class"]
    sampler = AdversarialOversampler(**QUICK)
    with pytest.warns(UserWarning, match="missing cells"):
        rows, y = sampler.fit_resample(frame, labels)
    assert len(set(y.value_counts())) == 1
    pd.testing.assert_frame_equal(rows[:150], frame)
    new = rows[150:]
    assert (new.dtypes == frame.dtypes).all()
    assert set(new.city) <= {"Bonn", "Lima", "Oslo"}
    for name in ("whole", "real", "since"):
        assert new[name].between(frame[name].min(), frame[name].max()).all()
    assert (new.since == new.since.dt.normalize()).all()


def test_roles_can_be_given(mixed: Any) -> None:
    frame, labels = mixed
    given = {"categorical": ["whole"], "ordinal": {"city": ["Oslo", "Lima", "Bonn"]}}
    fitted = AdversarialOversamplingClassifier(columns=given, **QUICK).fit(frame, labels)
    roles = {column.name: column for column in fitted.columns_}
    assert roles["whole"].role == "categorical"
    assert roles["city"].categories == ("Oslo", "Lima", "Bonn")
    with pytest.raises(
        InputError, match=r"^columns\.category: choose among categorical, ordinal, numeric, date"
    ):
        AdversarialOversamplingClassifier(columns={"category": ["city"]}, **QUICK).fit(frame, labels)


def test_an_unseen_category_and_a_missing_column(mixed: Any) -> None:
    frame, labels = mixed
    fitted = AdversarialOversamplingClassifier(**QUICK).fit(frame, labels)
    with pytest.raises(InputError, match="column 'city' has 'Kiev', which is none of its categories"):
        fitted.predict(frame.assign(city="Kiev"))
    with pytest.raises(ValueError, match="city"):
        fitted.predict(frame.drop(columns="city"))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"mode": "wgan"}, "mode=wgan: choose one of"),
        ({"mode": "lightgbm"}, "mode=lightgbm: it has no classifier of its own"),
        ({"fs": "all"}, "fs=all: choose one of"),
        ({"fs": 1.5}, "fs.ratio=1.5"),
        ({"batch_size": 0}, "dataset.training.batch_size=0"),
        ({"temperature": "low"}, "players.generator.temperature=low"),
        ({"settings": {"players.generator.size": 1}}, "players.generator.size: there is no such setting"),
        ({"epoch_selection": 1.0}, "protocol.validation_size=1.0"),
        ({"n_members": 0}, "members=0"),
        ({"settings": {"seed": 5}}, "settings: give the parameter random_state instead of seed"),
        ({"settings": {"trainer.max_epochs": 5}}, "settings: give the parameter max_epochs instead"),
        ({"settings": {"fs.ratio": 0.5}}, "settings: give the parameter fs instead of fs.ratio"),
        ({"settings": {"dataset.columns.drop": ["x0"]}}, "settings: give the parameter columns instead"),
        ({"settings": {"replicas": 3}}, "settings: replicas has no effect on an estimator"),
        ({"settings": {"dataset.split.test_size": 0.5}}, "settings: dataset.split.test_size has no effect"),
        ({"columns": {"categorical": "zip"}}, "columns: give a list for categorical, such as"),
    ],
)
def test_a_wrong_parameter_is_named(parameters: dict[str, Any], message: str, numbers: Any) -> None:
    with pytest.raises(InputError, match=message):
        AdversarialOversamplingClassifier(**QUICK | parameters).fit(*numbers)


@pytest.mark.parametrize("mode", ["q", "smote"])
def test_an_oversampler_needs_a_generator(mode: str, numbers: Any) -> None:
    with pytest.raises(InputError, match=f"mode={mode}: it has no generator"):
        AdversarialOversampler(mode, **QUICK).fit_resample(*numbers)


@pytest.mark.parametrize("scaler", ["standard", "minmax"])
def test_a_number_far_from_the_training_rows_is_refused(scaler: str, numbers: Any) -> None:
    fitted = AdversarialOversamplingClassifier(scaler=scaler, **QUICK).fit(*numbers)
    rows = numbers[0][:3].copy()
    rows[1, 2] = 1e20
    assert np.isfinite(fitted.predict_proba(rows)).all()
    for extreme, shown in ((1e40, r"1e\+40"), (-1e300, r"-1e\+300")):
        rows[1, 2] = extreme
        with pytest.raises(InputError, match=f"column 'x2' has {shown}, which is too far"):
            fitted.predict_proba(rows)


@pytest.mark.parametrize("patterns", [1, 20])
def test_a_number_far_from_the_training_rows_is_refused_beside_a_missing_cell(
    patterns: int, numbers: Any
) -> None:
    """Its distances to the donors are infinite. Few patterns of missing cells have trees."""
    x, y = numbers[0].copy(), numbers[1]
    for i in range(patterns):
        x[i, [k for k in range(4) if i >> k & 1] or [0]] = np.nan
    fitted = AdversarialOversamplingClassifier(**QUICK).fit(x, y)
    rows = x[30:33].copy()
    rows[1] = [np.nan, 1, 1e300, 1]
    with pytest.raises(InputError, match=r"column 'x2' has 1e\+300, which is too far"):
        fitted.predict_proba(rows)


def test_a_batch_may_be_larger_than_the_table(numbers: Any) -> None:
    """The memory of a step grows with it, and not with its square."""
    fitted = AdversarialOversamplingClassifier(**QUICK | {"batch_size": 20_000, "max_epochs": 1}).fit(
        *numbers
    )
    assert np.isfinite(fitted.predict_proba(numbers[0])).all()


def test_the_columns_of_an_arrow_table_keep_their_names(numbers: Any) -> None:
    frame = pd.DataFrame(numbers[0], columns=list("abcd"))
    table = pa.Table.from_pandas(frame)
    fitted = AdversarialOversamplingClassifier(**QUICK).fit(table, numbers[1])
    expected = AdversarialOversamplingClassifier(**QUICK).fit(frame, numbers[1]).predict_proba(frame)
    for rows in (table, frame, frame[list("abcd")]):
        np.testing.assert_array_equal(fitted.predict_proba(rows), expected)
    assert list(fitted.generated_)[:4] == list("abcd")


def test_an_oversampler_refuses_settings_that_leave_columns_out(numbers: Any) -> None:
    selected = {"dataset.preprocessing.n_selected": 1}
    with pytest.raises(InputError, match="n_selected leaves columns out"):
        AdversarialOversampler(settings=selected, **QUICK).fit_resample(*numbers)
    assert AdversarialOversamplingClassifier(settings=selected, **QUICK).fit(*numbers).n_features_in_ == 4


def test_what_a_fit_could_not_do_is_a_warning(mixed: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(120, 2)), np.arange(120) < 30
    x[y] += 100  # Borderline-SMOTE has no row in danger
    with pytest.warns(UserWarning, match="bsmote generated no rows of class True"):
        AdversarialOversamplingClassifier("bsmote", **QUICK).fit(x, y)
    with pytest.warns(UserWarning, match="Some rows have missing cells, and generated rows have none"):
        rows, _ = AdversarialOversampler(**QUICK).fit_resample(*mixed)
    assert not rows[150:].isna().any(axis=None)


def test_only_a_game_has_generated_rows(numbers: Any) -> None:
    assert not hasattr(AdversarialOversamplingClassifier("q", **QUICK).fit(*numbers), "generated_")
    assert hasattr(AdversarialOversamplingClassifier(**QUICK).fit(*numbers), "generated_")


def test_tables_that_cannot_be_learned(numbers: Any) -> None:
    x, y = numbers
    fit = AdversarialOversamplingClassifier(**QUICK).fit
    with pytest.raises(ValueError, match="only class '1'"):
        fit(x, np.ones(120, int))
    with pytest.raises(ValueError, match="class '7' has a single row"):
        fit(x, np.where(np.arange(120) == 3, 7, y))
    with pytest.raises(ValueError, match="column 'x2' has an infinite value"):
        fit(np.where(np.arange(4) == 2, np.inf, x), y)
    with pytest.raises(ValueError, match="NaN"):
        fit(x, np.where(np.arange(120) == 3, np.nan, y))


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, list[str]]:
    """Draw a table with columns of any role, some cells missing, and two to four classes."""
    rows, classes = draw(st.integers(12, 40)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    makers: dict[str, Callable[[], Any]] = {
        "numeric": lambda: rng.normal(size=rows) * 10.0 ** rng.integers(-3, 4),
        "integer": lambda: rng.integers(-5, 5, rows),
        "boolean": lambda: rng.choice([True, False], rows),
        "categorical": lambda: rng.choice(["red", "green", "blue", "grey"], rows),
        "date": lambda: pd.Timestamp("2021-05-05") + pd.to_timedelta(rng.integers(0, 1000, rows), "h"),
    }
    kinds = draw(st.lists(st.sampled_from(sorted(makers)), min_size=1, max_size=4))
    frame = pd.DataFrame({f"{kind}{i}": makers[kind]() for i, kind in enumerate(kinds)})
    frame.insert(0, "varies", rng.normal(size=rows))
    for name in frame.columns[1:]:
        if draw(st.booleans()) and frame[name].dtype != bool and frame[name].dtype.kind != "i":
            frame.loc[rng.random(rows) < 0.2, name] = None
    labels = [
        f"class {k}" for k in [*np.arange(classes).repeat(3), *rng.integers(0, classes, rows - 3 * classes)]
    ]
    return frame, labels


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.sampled_from(MODES), st.sampled_from([1, 2]))
def test_generated_rows_of_any_table(table: Any, mode: str, members: int) -> None:
    frame, labels = table
    sampler = AdversarialOversampler(
        mode, max_epochs=1, anchors=8, epoch_selection=None, random_state=0, n_members=members
    )
    rows, y = sampler.fit_resample(frame, labels)
    assert list(rows) == list(frame)
    assert (rows.dtypes == frame.dtypes).all()
    pd.testing.assert_frame_equal(rows[: len(frame)], frame)
    new, model, provenance = rows[len(frame) :], sampler.model_, sampler.provenance_
    for name in make_column_selector(dtype_include=["number", "datetime"])(frame):
        assert new[name].dropna().between(frame[name].min(), frame[name].max()).all()
    for name in make_column_selector(pattern="categorical")(frame):
        assert set(new[name].dropna()) <= set(frame[name].dropna())
    # The weights are convex and rebuild each row from real rows of its class.
    assert (provenance.weight > 0).all()
    assert set(provenance.generated) == set(range(len(new)))
    generated_labels = np.array(y[len(frame) :])
    assert (np.array(labels)[provenance.real] == generated_labels[provenance.generated]).all()
    encoded = model.fitted[0].transform(model.fitted[0].imputation.x)
    rebuilt = np.zeros((len(new), encoded.shape[1]))
    np.add.at(rebuilt, provenance.generated, provenance.weight.to_numpy()[:, None] * encoded[provenance.real])
    cells = model.fitted[0].inverse(rebuilt.astype(np.float32))
    expected = [model.fitted[0].columns[i].role == "numeric" for i in range(cells.shape[1])]
    given_cells = sampler.generated_[[name for name in frame if frame[name].dtype.kind == "f"]].to_numpy(
        float
    )
    assert np.allclose(
        cells[:, expected], given_cells, rtol=1e-3, atol=1e-3 * np.abs(cells[:, expected]).max(initial=1)
    )


def test_fits_in_several_threads_leave_the_process_as_it_was() -> None:
    """One may begin before another one ends, and end after it."""

    def state() -> Any:
        levels = [logging.getLogger(name).level for name in ("pytorch_lightning", "lightning_fabric")]
        return levels, list(warnings.filters), torch.are_deterministic_algorithms_enabled()

    before = state()
    one, other = quiet(), quiet()
    one.__enter__()
    within = state()
    other.__enter__()
    torch.use_deterministic_algorithms(not before[-1])  # as Lightning does
    one.__exit__(None, None, None)
    assert within[0] == state()[0] != before[0]
    other.__exit__(None, None, None)
    assert state() == before
