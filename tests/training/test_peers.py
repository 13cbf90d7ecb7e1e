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
from sklearn.linear_model import LogisticRegression

from adversarial_oversampling.config.validation import check
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.data.sources import load_yeast
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.method_output import MethodOutput
from adversarial_oversampling.random_streams import Purpose, seed_sequence
from adversarial_oversampling.training.peers import fit_and_predict
from adversarial_oversampling.training.run import build, build_data
from tests.conftest import Compose, Run

# Fewer trees than by default: they are as much of a test.
FEWER = {
    "logistic": [],
    "balanced_forest": ["mode.estimator.n_estimators=10"],
    "easy_ensemble": ["mode.estimator.n_estimators=2"],
    "lightgbm": ["mode.estimator.n_estimators=10"],
}
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
}
every_peer = pytest.mark.parametrize("mode", list(LIBRARY))


def played(compose_config: Compose, *overrides: str) -> tuple[TableDataModule, MethodOutput]:
    cfg = compose_config(*overrides)
    data = build_data(cfg)
    data.setup()
    return data, fit_and_predict(build("mode.estimator", cfg.mode.estimator), data)


@every_peer
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
    [("logistic", "mode.estimator.C=-1"), ("lightgbm", "mode.estimator.num_leaves=1")],
)
def test_a_setting_that_the_library_refuses_is_an_error(
    compose_config: Compose, mode: str, setting: str
) -> None:
    with pytest.raises(InputError, match=r"mode\.estimator: .*(C|num_leaves)"):
        played(compose_config, f"mode={mode}", setting)
