"""The generator of a game, as an over-sampler for imbalanced-learn."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from adversarial_oversampling.estimators.fitting import fit_model
from adversarial_oversampling.estimators.parameters import GameParameters, configuration
from adversarial_oversampling.estimators.rows import as_frame, as_given, columns_and_cells, training_table
from adversarial_oversampling.results.model import Generated


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

    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, NDArray[Any], bool]:  # noqa: N802 (imbalanced-learn's)
        y, one_versus_all = check_target_type(y, indicate_one_vs_all=True)
        columns_and_cells(as_frame(X, at_least=2), self.columns)  # raises an error that names what is wrong
        validate_data(self, X=X, y=y, reset=True, skip_check_array=True)
        return X, y, one_versus_all

    def _fit_resample(self, X: Any, y: NDArray[Any], **params: Any) -> tuple[Any, NDArray[Any]]:
        cfg = configuration(self, needs_generator=True)
        columns, cells = columns_and_cells(as_frame(X, at_least=2), self.columns)
        table, by_size = training_table(columns, cells, y)
        self.model_, self.history_ = fit_model(cfg, table)
        made, labels, provenance = [np.empty((0, len(columns)))], [y[:0]], [_provenance(0)]
        for label, wanted in self.sampling_strategy_.items():
            k = int(np.flatnonzero(by_size == label)[0])
            for member in range(self.n_members):
                rows = wanted // self.n_members + (member < wanted % self.n_members)
                new = self.model_.generate(k, rows, cfg.seed, member=member)
                provenance.append(_provenance(sum(map(len, made)), new))
                made.append(new.cells)
                labels.append(np.full(rows, label, y.dtype))
        self.generated_ = as_given(np.concatenate(made), columns, X)
        self.provenance_ = pd.concat(provenance, ignore_index=True)
        real = X if isinstance(X, pd.DataFrame) else as_given(cells, columns, X)
        joined = (
            pd.concat([real, self.generated_], ignore_index=True)
            if isinstance(X, pd.DataFrame)
            else np.concatenate([real, self.generated_])
        )
        return joined, np.concatenate([y, *labels])

    def __sklearn_tags__(self) -> Any:
        """Tell imbalanced-learn that texts are categories, missing cells are imputed and rows are dense."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = True
        tags.input_tags.sparse = False
        return tags


def _provenance(before: int, new: Generated | None = None) -> pd.DataFrame:
    """Return the anchors and the weights of generated rows that follow `before` others."""
    if new is None:
        return pd.DataFrame({"generated": np.empty(0, int), "real": np.empty(0, int), "weight": np.empty(0)})
    row, anchor = np.nonzero(new.weights)
    columns = {"generated": before + row, "real": new.anchors[anchor], "weight": new.weights[row, anchor]}
    return pd.DataFrame(columns)


_SHARED = inspect.signature(GameParameters.__init__).parameters.keys() - {"self"}
AdversarialOversampler._parameter_constraints = {
    **dict.fromkeys(_SHARED, "no_validation"),
    **BaseOverSampler._parameter_constraints,
}
