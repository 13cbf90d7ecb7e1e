"""The generator of a game, as an over-sampler for imbalanced-learn."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from adversarial_oversampling.data.table import Column
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.estimators.fitting import fit_model
from adversarial_oversampling.estimators.parameters import GameParameters, configuration
from adversarial_oversampling.estimators.rows import (
    as_frame,
    as_given,
    as_labels,
    columns_and_cells,
    training_table,
)
from adversarial_oversampling.results.model import provenance


class AdversarialOversampler(GameParameters, BaseOverSampler):
    """Add generated rows, convex combinations of real rows of their class, to the small classes.

    The generator is that of a game of "Does Adversarial Oversampling Help us?" (CIKM 2021), which is played
    on the rows first.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        How many rows each class gets, as for every over-sampler of imbalanced-learn.
    mode, fs, gan_type, n_members, epoch_selection, random_state, device, verbose
    max_epochs, batch_size, width, learning_rate, dropout, weight_decay, scaler, n_neighbors
    generator_weight, generated_weight, critic_steps, temperature, gumbel, anchors, conditional
    settings, columns
        As in `GameParameters`, which describes them.

    Attributes
    ----------
    sampling_strategy_ : dict
        Rows that were generated of each class.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where the rows were a frame.
    generated_ : DataFrame or ndarray
        The generated rows, which `fit_resample` returns after the real ones.
    provenance_ : DataFrame
        What each generated row was made from: `generated` (its number among the generated rows), `real` (the
        number of a real row) and `weight` (its convex weight, above 0). The weighted sum of the real rows, as
        they are preprocessed, is the generated row.
    history_ : DataFrame
        Curves of the training, a row per epoch.
    model_ : TrainedModel
        The networks with their preprocessing.
    """

    def __init__(
        self,
        mode: str = "do",
        *,
        sampling_strategy: float | str | Mapping[Any, int] | Callable[..., Any] = "auto",
        fs: str | float | None = None,
        gan_type: str | None = None,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        width: int | None = None,
        learning_rate: float | None = None,
        dropout: float | None = None,
        weight_decay: float | None = None,
        scaler: str | None = None,
        n_neighbors: int | None = None,
        generator_weight: float | None = None,
        generated_weight: float | None = None,
        critic_steps: int | None = None,
        temperature: float | None = None,
        gumbel: float | None = None,
        anchors: int | None = None,
        conditional: bool | None = None,
        settings: Mapping[str, Any] | None = None,
        columns: Mapping[str, Any] | None = None,
        n_members: int = 1,
        epoch_selection: float | None = 0.2,
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
        verbose: int = 0,
    ) -> None:
        BaseOverSampler.__init__(self, sampling_strategy=sampling_strategy)
        parameters = {name: value for name, value in locals().items() if name in _SHARED}
        GameParameters.__init__(self, **parameters)

    def fit_resample(self, X: Any, y: Any, **params: Any) -> tuple[Any, Any]:
        """Return the rows `X [n, d]` with their labels `y [n]`, and after them the generated ones.

        Generated rows have no missing cells.

        Raises
        ------
        InputError
            A ValueError, for a parameter or a table that has to change.
        """
        as_labels(y)  # what it refuses would be a TypeError of imbalanced-learn's
        rows, labels = super().fit_resample(X, y, **params)
        joined = self.__dict__.pop("_joined")
        if np.any(pd.isna(joined)):
            warnings.warn(
                "Some rows have missing cells, and generated rows have none, so a model that sees which "
                "cells are missing can tell the two apart. Impute the rows before or after.",
                UserWarning,
                stacklevel=2,
            )
        # imbalanced-learn gives a frame its old types: fractions, where a role allows them, would be cut off.
        return joined if isinstance(joined, pd.DataFrame) else rows, labels

    def _check_X_y(self, X: Any, y: Any) -> tuple["_Rows", NDArray[Any], bool]:  # noqa: N802 (imbalanced-learn's)
        """Return what `_fit_resample` gets in place of X: the rows with their columns and cells."""
        y, one_versus_all = check_target_type(as_labels(y), indicate_one_vs_all=True)
        rows = _Rows(X, *columns_and_cells(as_frame(X, at_least=2), self.columns))
        validate_data(self, X=X, y=y, reset=True, skip_check_array=True)
        return rows, y, one_versus_all

    def _fit_resample(self, X: "_Rows", y: NDArray[Any], **params: Any) -> tuple[Any, NDArray[Any]]:
        given, columns, cells = X
        cfg = configuration(self, needs_generator=True)
        if cfg.dataset.preprocessing.n_selected is not None:
            raise InputError(
                "settings: dataset.preprocessing.n_selected leaves columns out, which a generated row needs; "
                "leave the setting out."
            )
        table, by_size = training_table(columns, cells, y)
        self.model_, self.history_ = fit_model(cfg, table)
        made, labels = [np.empty((0, len(columns)))], [y]
        origins = [provenance(np.empty((0, 0), np.float32), np.empty(0, np.int64))]
        for label, wanted in self.sampling_strategy_.items():
            k = int(np.flatnonzero(by_size == label)[0])
            for member in range(self.n_members):
                rows = wanted // self.n_members + (member < wanted % self.n_members)
                new = self.model_.generate(k, rows, cfg.seed, member=member)
                origins.append(provenance(new.weights, new.anchors, first=sum(map(len, made))))
                made.append(new.cells)
                labels.append(np.full(rows, label, y.dtype))
        self.generated_ = as_given(np.concatenate(made), columns, given, cells)
        self.provenance_ = pd.concat(origins, ignore_index=True)
        if isinstance(given, pd.DataFrame):
            self._joined = pd.concat([given, self.generated_], ignore_index=True)
        else:
            self._joined = np.concatenate([np.asarray(given), self.generated_])
        return self._joined, np.concatenate(labels)

    def __sklearn_tags__(self) -> Any:
        """Tell imbalanced-learn that texts are categories, missing cells are imputed and rows are dense."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = True
        tags.input_tags.sparse = False
        return tags


class _Rows(NamedTuple):
    """Rows as they were given, with their columns and cells."""

    given: Any
    columns: tuple[Column, ...]
    cells: NDArray[np.float64]


_SHARED = inspect.signature(GameParameters.__init__).parameters.keys() - {"self"}
AdversarialOversampler._parameter_constraints = {
    **dict.fromkeys(_SHARED, "no_validation"),
    **BaseOverSampler._parameter_constraints,
}
