"""Peers from other libraries: one scikit-learn classifier per replica, on the rows that Q would see."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightgbm.basic import LightGBMError
from tqdm.auto import tqdm

from adversarial_oversampling.data.datamodule import TableDataModule, pad
from adversarial_oversampling.method_output import MethodOutput
from adversarial_oversampling.random_streams import Purpose, seed_sequence
from adversarial_oversampling.text import one_line


def fit_and_predict(make: Callable[..., Any], data: TableDataModule, progress: bool = False) -> MethodOutput:
    """Fit a new estimator on each replica's training rows and predict its test rows.

    Validation rows are not used: every mode learns from the same rows.

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
        # Every class has training rows, so the columns are the classes.
        probabilities[r, : len(split.test)] = torch.from_numpy(predicted_probabilities)
        predicted[r, : len(split.test)] = torch.from_numpy(estimator.predict(x[split.test]))
    none = [None] * len(tests)
    return MethodOutput(row, predicted, probabilities, na, none, none)
