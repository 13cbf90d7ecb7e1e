"""Peers from other libraries: one scikit-learn classifier per replica, on the rows that Q would see."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightgbm.basic import LightGBMError
from tqdm.auto import tqdm

from adversarial_oversampling.data.datamodule import TableDataModule, pad
from adversarial_oversampling.method_output import MethodOutput
from adversarial_oversampling.metrics import acsa_of_present, confusion
from adversarial_oversampling.random_streams import Purpose, seed_sequence
from adversarial_oversampling.text import one_line

log = logging.getLogger(__name__)


def fit_and_predict(make: Callable[..., Any], data: TableDataModule, progress: bool = False) -> MethodOutput:
    """Fit a new estimator on each replica's training rows and predict its test rows.

    No estimator learns from validation rows, as no mode does. They give `selection_acsa`, by which a search
    compares settings.

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
    """
    tests = [split.test for split in data.splits]
    row = pad(tests)
    predicted = torch.full_like(row, -1)
    probabilities = torch.zeros(*row.shape, data.classes)
    na: list[str | None] = [None] * len(tests)
    selection_acsa: list[float | None] = [None] * len(tests)
    for r, split in enumerate(tqdm(data.splits, desc="replicas", leave=False, disable=not progress)):
        x, y = data.rows.x[r].numpy(), data.table.y
        state = seed_sequence(data.seeds[r], Purpose.ESTIMATOR, data.folds[r]).generate_state(1)
        # LightGBM takes a signed number.
        estimator = make(random_state=int(state[0] >> np.uint32(1)))
        try:
            estimator.fit(x[split.train], y[split.train])
            predicted_probabilities = estimator.predict_proba(x[split.test])
        except (ValueError, LightGBMError) as error:
            na[r] = f"{type(estimator).__name__}: {one_line(error)}"
            continue
        selection_acsa[r] = _validation_acsa(estimator, data, r)
        # Every class has training rows, so the columns are the classes.
        probabilities[r, : len(split.test)] = torch.from_numpy(predicted_probabilities)
        predicted[r, : len(split.test)] = torch.from_numpy(estimator.predict(x[split.test]))
    return MethodOutput(row, predicted, probabilities, na, [None] * len(tests), selection_acsa)


def _validation_acsa(estimator: Any, data: TableDataModule, r: int) -> float | None:
    """Return replica r's mean recall of the classes that have validation rows; None without such rows."""
    rows = data.splits[r].validation
    if not len(rows):
        return None
    try:
        predicted = torch.from_numpy(estimator.predict(data.rows.x[r].numpy()[rows]))
    except (ValueError, LightGBMError) as error:
        log.warning("seed %d: no ACSA on validation rows: %s", data.seeds[r], one_line(error))
        return None
    true = torch.from_numpy(data.table.y[rows])
    return float(acsa_of_present(confusion(predicted[None], true[None], data.classes)))
