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
from torch import Tensor
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

ROUNDING = 1e-3
"""By how much probabilities in single precision may differ from 1 in all."""
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
        For settings that the library refuses on any rows, and for an estimator that does not return a class
        and the probability of each class.
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
            replica_probabilities = _probabilities(estimator, x[split.test], data.classes)
            replica_predicted = _predicted(estimator, x[split.test], data.classes)
        except InputError:  # of a class that is no classifier
            raise
        except _REFUSALS as error:
            if not any(na):
                _check_settings(make, data.classes)
            na[r] = f"{make.func.__name__ if isinstance(make, partial) else make}: {one_line(error)}"
            continue
        selection_acsa[r] = _validation_acsa(estimator, data, r)
        probabilities[r, : len(split.test)] = replica_probabilities
        predicted[r, : len(split.test)] = replica_predicted
    return MethodOutput(row, predicted, probabilities, na, [None] * len(tests), selection_acsa)


def _probabilities(estimator: Any, x: NDArray[np.float32], classes: int) -> Tensor:
    """Return the probability of each class, `[n, C]`: every class has training rows, so each has a column.

    Raises
    ------
    InputError
        If the estimator returns anything else.
    """
    found = np.asarray(estimator.predict_proba(x))
    problem = None
    if found.shape != (len(x), classes):
        problem = f"an array of shape {found.shape} for {len(x)} rows and {classes} classes"
    elif not np.isfinite(found).all():
        problem = "numbers that are not finite"
    elif (found < 0).any() or (np.abs(found.sum(axis=1) - 1) > ROUNDING).any():
        problem = "numbers that are negative or do not add up to 1"
    if problem is not None:
        raise InputError(
            f"mode.estimator: {type(estimator).__name__}.predict_proba returns {problem}; it has to return "
            "the probability of each class for each row."
        )
    return torch.from_numpy(found).float()


def _predicted(estimator: Any, x: NDArray[np.float32], classes: int) -> Tensor:
    """Return the class of each row, int64 `[n]`.

    Raises
    ------
    InputError
        If the estimator returns anything else.
    """
    found = np.asarray(estimator.predict(x))
    if found.shape != (len(x),) or not np.isin(found, np.arange(classes)).all():
        raise InputError(
            f"mode.estimator: {type(estimator).__name__}.predict has to return a class for each row, a whole "
            f"number from 0 to {classes - 1}, as in the rows that it was fitted to."
        )
    return torch.from_numpy(found.astype(np.int64))


def _fitted(make: Callable[..., Any], data: TableDataModule, r: int) -> Any:
    """Return a new estimator fitted on replica r's training rows."""
    split, x, y = data.splits[r], data.rows.x[r].numpy(), data.table.y
    state = seed_sequence(data.seeds[r], Purpose.ESTIMATOR, data.folds[r]).generate_state(1)
    # LightGBM takes a signed number.
    estimator = make(random_state=int(state[0] >> np.uint32(1)))
    for method in ("fit", "predict", "predict_proba"):
        if not hasattr(estimator, method):
            raise InputError(
                f"mode.estimator: {type(estimator).__name__} has no {method}; give a class with "
                "scikit-learn's fit, predict and predict_proba."
            )
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
        self._tested = {r: data.rows.x[r].numpy()[data.splits[r].test] for r in self.trained}
        for r, estimator in self._estimators.items():
            true = torch.from_numpy(data.table.y[data.splits[r].test])
            predicted = _predicted(estimator, self._tested[r], data.classes)
            matrix = confusion(predicted[None], true[None], data.classes)[0]
            if matrix.tolist() != result.replicas[r].confusion:
                log.warning(
                    "seed %d: fitted again, %s classifies the test rows otherwise than in the run; its code "
                    "or its library has changed, or this is another machine.",
                    data.seeds[r],
                    type(estimator).__name__,
                )

    def predict(
        self, x: NDArray[np.float64], replicas: Sequence[int], mean: bool = False
    ) -> Iterator[Prediction]:
        """Classify rows `x [n, d]` by some replicas; with `mean` by their average probabilities.

        The average is that of the shifted probabilities where the decision is shifted.

        Raises
        ------
        InputError
            If the average is asked for and an estimator decides otherwise than by the largest probability.
        """
        predicted, probabilities, deciding = [], [], []
        for r in replicas:
            rows, estimator = self._preprocessing[r].transform(x), self._estimators[r]
            predicted.append(_predicted(estimator, rows, len(self.classes)).numpy())
            probabilities.append(_probabilities(estimator, rows, len(self.classes)))
            if isinstance(estimator, ThresholdLGBMClassifier):
                deciding.append(torch.from_numpy(estimator.shifted_proba(rows)).float())
                continue
            if mean and not self._decides_by_probability(r):
                raise InputError(
                    f"{type(estimator).__name__} decides otherwise than by the largest probability, so the "
                    "average of its replicas has no decision; choose one with --replica."
                )
            deciding.append(probabilities[-1])
        stacked = torch.stack(probabilities)
        if mean:
            decision = torch.stack(deciding).mean(dim=0, keepdim=True)
            yield Prediction(decision.argmax(dim=-1).numpy(), stacked.mean(dim=0, keepdim=True))
        else:
            yield Prediction(np.stack(predicted), stacked)

    def _decides_by_probability(self, r: int) -> bool:
        """Return whether each of replica r's test rows gets a class of the largest probability."""
        estimator, rows = self._estimators[r], self._tested[r]
        chances = _probabilities(estimator, rows, len(self.classes))
        predicted = _predicted(estimator, rows, len(self.classes))
        return bool((chances.gather(1, predicted[:, None])[:, 0] >= chances.amax(dim=1) - ROUNDING).all())


def _validation_acsa(estimator: Any, data: TableDataModule, r: int) -> float | None:
    """Return replica r's mean recall of the classes that have validation rows; None without such rows."""
    rows = data.splits[r].validation
    if not len(rows):
        return None
    try:
        predicted = _predicted(estimator, data.rows.x[r].numpy()[rows], data.classes)
    except _REFUSALS as error:
        log.warning("seed %d: no ACSA on validation rows: %s", data.seeds[r], one_line(error))
        return None
    true = torch.from_numpy(data.table.y[rows])
    return float(acsa_of_present(confusion(predicted[None], true[None], data.classes)))
