"""Peers from other libraries: one scikit-learn classifier per replica, on the rows that Q would see."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from lightgbm.basic import LightGBMError
from numpy.typing import NDArray
from omegaconf import DictConfig
from tqdm.auto import tqdm

from adversarial_oversampling.data.datamodule import TableDataModule, pad
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.method_output import MethodOutput
from adversarial_oversampling.metrics import acsa_of_present, confusion
from adversarial_oversampling.random_streams import Purpose, seed_sequence
from adversarial_oversampling.results.model import Prediction, Predictor
from adversarial_oversampling.results.schema import Result
from adversarial_oversampling.text import one_line
from adversarial_oversampling.training.build import build, build_data
from adversarial_oversampling.training.threshold_lightgbm import ThresholdLGBMClassifier

log = logging.getLogger(__name__)

_REFUSALS = (ValueError, TypeError, ArithmeticError, LightGBMError)
"""What libraries raise on settings and on rows; XGBoost's error is a ValueError."""


def fit_and_predict(make: Callable[..., Any], data: TableDataModule, progress: bool = False) -> MethodOutput:
    """Fit a new estimator on each replica's training rows and predict its test rows.

    No estimator learns from validation rows, as no mode does. They give `selection_acsa`, by which a search
    compares settings, and tune the decision of an estimator that has a threshold.

    Parameters
    ----------
    make : callable
        Makes an unfitted classifier with `fit`, `predict` and `predict_proba`; takes `random_state`.
    data : TableDataModule
        Set up.
    progress : bool
        Show a bar over replicas.

    Returns
    -------
    MethodOutput
        A replica whose rows the library refuses has no result, for the reason that it gives.

    Raises
    ------
    InputError
        For settings that the library refuses on any rows.
    """
    tests = [split.test for split in data.splits]
    row = pad(tests)
    predicted = torch.full_like(row, -1)
    probabilities = torch.zeros(*row.shape, data.classes)
    na: list[str | None] = [None] * len(tests)
    selection_acsa: list[float | None] = [None] * len(tests)
    for r, split in enumerate(tqdm(data.splits, desc="replicas", leave=False, disable=not progress)):
        x = data.rows.x[r].numpy()
        try:
            estimator = _fitted(make, data, r)
            predicted_probabilities = estimator.predict_proba(x[split.test])
        except _REFUSALS as error:
            if not any(na):
                _check_settings(make, data.classes)
            na[r] = f"{make.func.__name__ if isinstance(make, partial) else make}: {one_line(error)}"
            continue
        selection_acsa[r] = _validation_acsa(estimator, data, r)
        # Every class has training rows, so the columns are the classes.
        probabilities[r, : len(split.test)] = torch.from_numpy(predicted_probabilities)
        predicted[r, : len(split.test)] = torch.from_numpy(estimator.predict(x[split.test]))
    return MethodOutput(row, predicted, probabilities, na, [None] * len(tests), selection_acsa)


def _fitted(make: Callable[..., Any], data: TableDataModule, r: int) -> Any:
    """Return a new estimator fitted on replica r's training rows."""
    split, x, y = data.splits[r], data.rows.x[r].numpy(), data.table.y
    state = seed_sequence(data.seeds[r], Purpose.ESTIMATOR, data.folds[r]).generate_state(1)
    # LightGBM takes a signed number.
    estimator = make(random_state=int(state[0] >> np.uint32(1)))
    fitting, options = [split.train], {}
    if isinstance(estimator, ThresholdLGBMClassifier):
        if len(split.validation):
            fitting.append(split.validation)
        elif data.table.groups is not None:
            options["groups"] = data.table.groups[split.train]
    return estimator.fit(*(part for rows in fitting for part in (x[rows], y[rows])), **options)


def _check_settings(make: Callable[..., Any], classes: int) -> None:
    """Refuse settings that an estimator refuses on a table of as many classes that any classifier can learn.

    What it cannot do on another table is then no fault of a setting.

    Raises
    ------
    InputError
        With the library's message.
    """
    y = np.arange(100 * classes) % classes
    x = np.random.default_rng(0).normal(y[:, None], size=(len(y), 5)).astype(np.float32)
    try:
        make(random_state=0).fit(x, y).predict_proba(x)
    except _REFUSALS as error:
        raise InputError(f"mode.estimator: {one_line(error)}") from error


class RefittedPeers(Predictor):
    """The estimators of a run, fitted again: no file of the run holds them.

    Parameters
    ----------
    cfg : DictConfig
        Of the run; its table is read again.
    result : Result
        Of the run.

    Raises
    ------
    InputError
        If the table is no longer the one that the run was trained on.
    """

    def __init__(self, cfg: DictConfig, result: Result) -> None:
        data = build_data(cfg)
        if data.table.digest != result.table.digest:
            raise InputError(
                f"dataset {result.dataset}: its table has changed since the run was trained; train it again "
                "with rerun=true."
            )
        data.setup()
        make = build("mode.estimator", cfg.mode.estimator)
        self.columns, self.classes, self.seeds = data.table.columns, result.classes, data.seeds
        # Without validation rows every replica counts the same.
        self.selection_acsa = [
            None if replica.na else replica.selection_acsa or 0.0 for replica in result.replicas
        ]
        self._estimators = {r: _fitted(make, data, r) for r in self.trained}
        self._preprocessing = data.fitted

    def predict(
        self, x: NDArray[np.float64], replicas: Sequence[int], mean: bool = False
    ) -> Iterator[Prediction]:
        """Classify rows `x [n, d]` by some replicas; with `mean` by their average probabilities.

        The average is that of the shifted probabilities where the decision is shifted.
        """
        predicted, probabilities, deciding = [], [], []
        for r in replicas:
            rows, estimator = self._preprocessing[r].transform(x), self._estimators[r]
            predicted.append(estimator.predict(rows))
            probabilities.append(torch.from_numpy(estimator.predict_proba(rows)).float())
            if isinstance(estimator, ThresholdLGBMClassifier):
                deciding.append(torch.from_numpy(estimator.shifted_proba(rows)).float())
            else:
                deciding.append(probabilities[-1])
        stacked = torch.stack(probabilities)
        if mean:
            decision = torch.stack(deciding).mean(dim=0, keepdim=True)
            yield Prediction(decision.argmax(dim=-1).numpy(), stacked.mean(dim=0, keepdim=True))
        else:
            yield Prediction(np.stack(predicted), stacked)


def _validation_acsa(estimator: Any, data: TableDataModule, r: int) -> float | None:
    """Return replica r's mean recall of the classes that have validation rows; None without such rows."""
    rows = data.splits[r].validation
    if not len(rows):
        return None
    try:
        predicted = torch.from_numpy(estimator.predict(data.rows.x[r].numpy()[rows]))
    except _REFUSALS as error:
        log.warning("seed %d: no ACSA on validation rows: %s", data.seeds[r], one_line(error))
        return None
    true = torch.from_numpy(data.table.y[rows])
    return float(acsa_of_present(confusion(predicted[None], true[None], data.classes)))
