"""Peers from other libraries: the library's own numbers on each replica's rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.ensemble import BalancedRandomForestClassifier, EasyEnsembleClassifier
from lightgbm import LGBMClassifier
from omegaconf import OmegaConf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold
from xgboost import XGBClassifier

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.config.validation import check
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.data.sources import load_yeast
from adversarial_oversampling.data.table import make_table
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game.thresholds import SHIFTS
from adversarial_oversampling.method_output import MethodOutput
from adversarial_oversampling.random_streams import Purpose, seed_sequence
from adversarial_oversampling.training.peers import RefittedPeers, fit_and_predict
from adversarial_oversampling.training.run import build, build_data
from adversarial_oversampling.training.threshold_lightgbm import ThresholdLGBMClassifier
from tests.conftest import Compose, Run

# Fewer trees than by default: they are as much of a test.
FEWER = {
    "logistic": [],
    "balanced_forest": ["mode.estimator.n_estimators=10"],
    "easy_ensemble": ["mode.estimator.n_estimators=2"],
    "lightgbm": ["mode.estimator.n_estimators=10"],
    "threshold_lightgbm": ["mode.estimator.n_estimators=10"],
    "xgboost": ["mode.estimator.n_estimators=10"],
}


class BalancedXGB(XGBClassifier):
    """The weights by hand."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> "BalancedXGB":
        counts = np.bincount(y)
        return super().fit(x, y, sample_weight=(len(y) / (len(counts) * counts))[y])


LIBRARY: dict[str, Callable[[int], Any]] = {
    "logistic": lambda state: LogisticRegression(class_weight="balanced", max_iter=2000, random_state=state),
    "balanced_forest": lambda state: BalancedRandomForestClassifier(
        10, sampling_strategy="all", replacement=True, bootstrap=False, random_state=state
    ),
    "easy_ensemble": lambda state: EasyEnsembleClassifier(2, random_state=state),
    "lightgbm": lambda state: LGBMClassifier(
        n_estimators=10,
        class_weight="balanced",
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
        n_jobs=1,
        random_state=state,
    ),
    "xgboost": lambda state: BalancedXGB(n_estimators=10, n_jobs=1, random_state=state),
}
every_peer = pytest.mark.parametrize("mode", list(FEWER))


def played(compose_config: Compose, *overrides: str) -> tuple[TableDataModule, MethodOutput]:
    cfg = compose_config(*overrides)
    data = build_data(cfg)
    data.setup()
    return data, fit_and_predict(build("mode.estimator", cfg.mode.estimator), data)


@pytest.mark.parametrize("mode", list(LIBRARY))
@pytest.mark.parametrize("dataset", ["haberman", "yeast"])
def test_equals_the_library_on_the_same_rows(compose_config: Compose, mode: str, dataset: str) -> None:
    settings = [f"mode={mode}", f"dataset={dataset}", "recipe=plain", "seed=5", "replicas=2", *FEWER[mode]]
    data, outcome = played(compose_config, *settings)
    for r, seed in enumerate((5, 6)):
        x, y, split = data.rows.x[r].numpy(), data.table.y, data.splits[r]
        state = seed_sequence(seed, Purpose.ESTIMATOR, None).generate_state(1)[0]
        own = LIBRARY[mode](int(state) // 2).fit(x[split.train], y[split.train])
        assert own.classes_.tolist() == list(range(data.classes))
        np.testing.assert_array_equal(outcome.row[r], split.test)
        np.testing.assert_array_equal(outcome.predicted[r], own.predict(x[split.test]))
        chances = own.predict_proba(x[split.test]).astype(np.float32)
        np.testing.assert_array_equal(outcome.probabilities[r], chances)
    assert list(outcome.na) == [None, None]
    assert list(outcome.best_epoch) == [None, None]


@every_peer
def test_the_same_seed_gives_the_same_numbers_alone_and_among_others(run: Run, mode: str) -> None:
    settings = [f"mode={mode}", "seed=5", *FEWER[mode]]
    first, again = (run(*settings, name=name) for name in ("first", "again"))
    alone = run(*settings, "seed=6", "replicas=1", name="alone")
    assert first.replicas == again.replicas
    assert alone.replicas == first.replicas[1:]
    assert first.replicas[0].acsa != first.replicas[1].acsa


def test_a_fold_among_others_equals_that_fold_alone(compose_config: Compose) -> None:
    settings = ["mode=balanced_forest", "protocol=cv", "protocol.folds=3", "replicas=1"]
    data, whole = played(compose_config, *settings, *FEWER["balanced_forest"])
    _, one = played(compose_config, *settings, "protocol.fold=2", *FEWER["balanced_forest"])
    tested = len(data.splits[2].test)
    assert torch.equal(whole.predicted[2, :tested], one.predicted[0])
    assert torch.equal(whole.probabilities[2, :tested], one.probabilities[0])
    assert all(
        (row[len(split.test) :] == -1).all() for row, split in zip(whole.row, data.splits, strict=True)
    )


@every_peer
def test_there_is_nothing_to_oversample(compose_config: Compose, mode: str) -> None:
    check(compose_config(f"mode={mode}"))
    with pytest.raises(InputError, match=rf"^fs\.ratio=0\.5: the rows of mode={mode} are not"):
        check(compose_config(f"mode={mode}", "fs=half"))


def test_nothing_is_chosen_on_test_rows(run: Run, tmp_path: Path) -> None:
    result = run("mode=logistic", "protocol=paper")
    assert result.optimistic is False
    assert result.epoch_selection == "no epochs to choose from"
    assert result.parameters == {}
    assert all(r.best_epoch is None and r.selection_acsa is None for r in result.replicas)
    assert all(r.rows.validation == [0, 0] for r in result.replicas)
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert len(pd.read_parquet(tmp_path / "run" / "curves.parquet")) == 0


def test_what_the_library_refuses_is_no_result_of_that_replica_only(run: Run, tmp_path: Path) -> None:
    """One row is refused: only where it chooses the epoch or is tested, no peer meets it."""
    table = load_yeast(None)
    frame = pd.DataFrame(table.x).assign(label=np.where(table.y == 0, "a", "b"))
    frame.iloc[7, 0] = 1e6
    frame.to_csv(tmp_path / "odd.csv", index=False)
    source = ["dataset=table", f"dataset.path={tmp_path}/odd.csv", "dataset.target=label"]
    settings = [
        "mode=logistic",
        "dataset.preprocessing.scaler=none",
        "mode.estimator._target_=tests.failing_sources.Particular",
    ]
    result = run(*source, *settings, "replicas=12")
    refused = [record.seed for record in result.replicas if record.na is not None]
    assert 0 < len(refused) < 12
    for record in result.replicas:
        if record.seed in refused:
            assert record.na == "Particular: a number above 1000"
            assert record.acsa is None
        else:
            assert record.acsa > 0.5
    assert result.na is None
    assert result.defined.acsa == 12 - len(refused)
    predicted = set(pd.read_parquet(tmp_path / "run" / "predictions.parquet").seed)
    assert predicted == set(range(12)) - set(refused)


@pytest.mark.parametrize(
    ("mode", "setting"),
    [
        ("logistic", "C=-1"),
        ("logistic", "C=abc"),
        ("logistic", "class_weight=foo"),
        ("logistic", "nosuch=1"),
        ("lightgbm", "num_leaves=1"),
        ("lightgbm", "n_estimators=null"),
        ("lightgbm", "n_estimators=1.5"),
        ("lightgbm", "learning_rate=-1"),
        ("lightgbm", "learning_rate=abc"),
        ("lightgbm", "objective=nosuch"),
        ("xgboost", "max_depth=-1"),
        ("xgboost", "learning_rate=abc"),
    ],
)
def test_a_setting_that_the_library_refuses_is_an_error(mode: str, setting: str) -> None:
    cfg = compose_train([f"mode={mode}", "replicas=1", f"++mode.estimator.{setting}"])
    x = np.arange(60.0)
    data = build_data(cfg, table=make_table("t", x[:, None], list("ab" * 30), ["v"]))
    data.setup()
    with pytest.raises(InputError, match=r"^mode\.estimator: ") as refused:
        fit_and_predict(build("mode.estimator", cfg.mode.estimator), data)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("mode", "setting"),
    [
        ("lightgbm", f"n_estimators={10**20}"),
        ("lightgbm", "n_estimators=-1"),
        ("xgboost", "n_estimators=0"),
        ("lightgbm", "num_leaves=nan"),
        ("lightgbm", f"max_depth={-(10**20)}"),
        ("logistic", "C=inf"),
        ("easy_ensemble", f"sampling_strategy={10**400}"),
    ],
)
def test_a_number_that_no_library_takes_is_refused_at_once(mode: str, setting: str) -> None:
    cfg = compose_train([f"mode={mode}", f"++mode.estimator.{setting}"])
    with pytest.raises(InputError, match=rf"^mode\.estimator\.{setting.partition('=')[0]}=.*: give a "):
        check(cfg)


def unweighted(state: int) -> LGBMClassifier:
    return LGBMClassifier(
        n_estimators=10, deterministic=True, force_row_wise=True, verbose=-1, n_jobs=1, random_state=state
    )


def scores_of_shifts(probabilities: np.ndarray, y: np.ndarray, counts: np.ndarray) -> dict[float, float]:
    """Mean recall of every shift, without the suite's code."""
    classes = np.arange(len(counts))
    return {
        float(shift): float(np.mean([(decided == k)[y == k].mean() for k in classes if (y == k).any()]))
        for shift in SHIFTS.numpy()
        for decided in [(np.log(probabilities) - shift * np.log(counts / counts.sum())).argmax(axis=1)]
    }


@pytest.mark.parametrize("dataset", ["haberman", "yeast"])
@pytest.mark.parametrize("protocol", ["holdout", "paper"])
def test_the_threshold_is_tuned_on_rows_that_the_trees_do_not_know(
    compose_config: Compose, dataset: str, protocol: str
) -> None:
    settings = ["mode=threshold_lightgbm", f"dataset={dataset}", f"protocol={protocol}", "replicas=1"]
    settings += ["recipe=plain"]  # the settings of `unweighted`
    data, outcome = played(compose_config, *settings, *FEWER["threshold_lightgbm"])
    x, y, split = data.rows.x[0].numpy(), data.table.y, data.splits[0]
    state = int(seed_sequence(0, Purpose.ESTIMATOR, None).generate_state(1)[0]) // 2
    counts = np.bincount(y[split.train])
    own = unweighted(state).fit(x[split.train], y[split.train])
    if protocol == "holdout":
        scores = scores_of_shifts(own.predict_proba(x[split.validation]), y[split.validation], counts)
    else:
        assert len(split.validation) == 0
        chances = np.zeros((len(split.train), data.classes))
        x_train, y_train = x[split.train], y[split.train]
        folds = StratifiedKFold(min(5, counts.min()), shuffle=True, random_state=state)
        for fitting, rest in folds.split(x_train, y_train):
            chances[rest] = (
                unweighted(state).fit(x_train[fitting], y_train[fitting]).predict_proba(x_train[rest])
            )
        scores = scores_of_shifts(chances, y_train, counts)
    best = [shift for shift, score in scores.items() if score == pytest.approx(max(scores.values()))]
    shift = best[(len(best) + 1) // 2 - 1]
    probabilities = own.predict_proba(x[split.test])
    decided = (np.log(probabilities) - shift * np.log(counts / counts.sum())).argmax(axis=1)
    np.testing.assert_array_equal(outcome.predicted[0], decided)
    np.testing.assert_array_equal(outcome.probabilities[0], probabilities.astype(np.float32))
    assert (decided != probabilities.argmax(axis=1)).any()
    if protocol == "holdout":
        assert outcome.selection_acsa[0] == pytest.approx(max(scores.values()))
    else:
        assert outcome.selection_acsa[0] is None


def test_a_threshold_needs_two_rows_of_every_class() -> None:
    x, y = np.arange(12, dtype=np.float32)[:, None], np.repeat([0, 1], [11, 1])
    classifier = ThresholdLGBMClassifier(n_folds=5, random_state=0, verbose=-1, n_jobs=1)
    with pytest.raises(ValueError, match=r"^a class has a single training row"):
        classifier.fit(x, y)
    assert classifier.fit(x, y, x, y).predict(x).shape == (12,)


def test_a_threshold_is_tuned_on_groups_that_the_trees_do_not_know() -> None:
    """Every group is five equal rows of a random class, which trees recall and cannot predict."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 3)).astype(np.float32), np.arange(100) % 2
    groups = np.repeat(np.arange(100), 5)
    classifier = ThresholdLGBMClassifier(
        n_folds=5, random_state=0, verbose=-1, n_jobs=1, min_child_samples=1, num_leaves=64
    )
    found = {
        name: (classifier._out_of_fold(x[groups], y[groups], given).argmax(axis=1) == y[groups]).mean()
        for name, given in {"rows": None, "groups": groups}.items()
    }
    assert found["rows"] > 0.95
    assert 0.3 < found["groups"] < 0.7
    with pytest.raises(ValueError, match=r"^a class has a single training group"):
        classifier.fit(x[:9], np.repeat([0, 1], [7, 2]), groups=np.repeat([0, 1, 2], [4, 3, 2]))


def test_a_run_without_validation_rows_tunes_on_groups(run: Run, tmp_path: Path) -> None:
    """The groups reach the peer: it has no result, since the rows of a class are a single group."""
    frame = pd.DataFrame({"v": np.arange(40) % 13, "w": np.arange(40) % 7, "label": ["a", "b"] * 20})
    # Class b has two groups, one of which is tested.
    frame["g"] = [f"a{i}" if i % 2 == 0 else f"b{i // 20}" for i in range(40)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    source = ["dataset=table", f"dataset.path={tmp_path}/t.csv", "dataset.target=label", "dataset.group=g"]
    settings = ["mode=threshold_lightgbm", "protocol=paper", *FEWER["threshold_lightgbm"]]
    result = run(*source, *settings)
    assert "a class has a single training group" in str(result.replicas[0].na)


@every_peer
def test_a_run_is_refitted_to_predict_new_rows(run: Run, mode: str) -> None:
    settings = [f"mode={mode}", *FEWER[mode]]
    result = run(*settings)
    model = RefittedPeers(OmegaConf.create(result.config), result)
    data = build_data(OmegaConf.create(result.config))
    data.setup()
    (each,) = model.predict(data.table.x, [0, 1])
    for r, record in enumerate(result.replicas):
        test = data.splits[r].test
        acsa = balanced_accuracy_score(data.table.y[test], each.predicted[r, test])
        assert acsa == pytest.approx(record.acsa)
    (mean,) = model.predict(data.table.x, [0, 1], mean=True)
    torch.testing.assert_close(mean.probabilities[0], each.probabilities.mean(dim=0))
    agreed = each.predicted[0] == each.predicted[1]
    np.testing.assert_array_equal(mean.predicted[0, agreed], each.predicted[0, agreed])
    assert agreed.any()
    assert not agreed.all()


class Faulty(LogisticRegression):
    """A classifier of the user's whose methods may return what no classifier returns."""

    def __init__(self, proba: str = "", labels: str = "", random_state: int = 0) -> None:
        super().__init__(random_state=random_state)
        self.proba, self.labels = proba, labels

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        found = super().predict_proba(x)
        match self.proba:
            case "one column":
                return found[:, 1:]
            case "scores":
                return 3 * found - 1
            case "sums":
                return found / 2
            case "undefined":
                return np.full_like(found, np.nan)
        return np.asarray(found)

    def predict(self, x: np.ndarray) -> np.ndarray:
        found = super().predict(x)
        match self.labels:
            case "names":
                return found.astype(str)
            case "too large":
                return found + 1
            case "a column":
                return found[:, None]
            case "cautious":
                return (self.predict_proba(x)[:, 1] > 0.2).astype(int)
        return np.asarray(found)


def faulty(**settings: str) -> list[str]:
    target = ["mode=logistic", "recipe=plain", "mode.estimator._target_=tests.training.test_peers.Faulty"]
    removed = [f"~mode.estimator.{name}" for name in compose_train(["mode=logistic"]).mode.estimator]
    removed = [item for item in removed if not item.endswith("_")]
    return [*target, *removed, *(f"+mode.estimator.{name}={value}" for name, value in settings.items())]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"proba": "one column"},
            r"predict_proba returns an array of shape \(92, 1\) for 92 rows and 2 classes",
        ),
        ({"proba": "scores"}, "predict_proba returns numbers that are negative or do not add up to 1"),
        ({"proba": "sums"}, "predict_proba returns numbers that are negative or do not add up to 1"),
        ({"proba": "undefined"}, "predict_proba returns numbers that are not finite"),
        ({"labels": "names"}, "predict has to return a class for each row, a whole number from 0 to 1"),
        ({"labels": "too large"}, "predict has to return a class"),
        ({"labels": "a column"}, "predict has to return a class"),
    ],
)
def test_what_is_no_class_and_no_probability_is_refused(
    compose_config: Compose, settings: dict[str, str], problem: str
) -> None:
    with pytest.raises(InputError, match=rf"^mode\.estimator: Faulty\.{problem}"):
        played(compose_config, *faulty(**settings))


def test_a_class_without_probabilities_is_refused(compose_config: Compose) -> None:
    target = "mode.estimator._target_=sklearn.linear_model.Perceptron"
    with pytest.raises(
        InputError, match=r"^mode\.estimator: Perceptron has no predict_proba; give a class with"
    ):
        played(compose_config, *faulty(), target)


def test_replicas_that_decide_by_themselves_have_no_average(run: Run) -> None:
    result = run(*faulty(labels="cautious"))
    model = RefittedPeers(OmegaConf.create(result.config), result)
    rows = build_data(OmegaConf.create(result.config)).table.x
    (each,) = model.predict(rows, [0, 1])
    assert (each.predicted != each.probabilities.argmax(dim=-1).numpy()).any()
    with pytest.raises(
        InputError, match=r"^Faulty decides otherwise than by the largest probability, .*--replica"
    ):
        list(model.predict(rows, [0, 1], mean=True))


def test_a_peer_that_is_another_one_when_it_is_fitted_again_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(*faulty())
    cfg = OmegaConf.create(result.config)
    RefittedPeers(cfg, result)
    assert "fitted again" not in caplog.text
    monkeypatch.setattr(Faulty, "predict", lambda _, x: np.zeros(len(x), int))
    RefittedPeers(cfg, result)
    assert caplog.text.count("fitted again, Faulty classifies the test rows otherwise than in the run") == 2
