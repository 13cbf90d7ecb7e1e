"""The classifier Q of a game, as a scikit-learn estimator."""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, check_is_fitted, validate_data

from adversarial_oversampling.data.table import to_frame
from adversarial_oversampling.estimators.fitting import fit_model
from adversarial_oversampling.estimators.parameters import GameParameters, configuration
from adversarial_oversampling.estimators.rows import as_frame, as_labels, columns_and_cells, training_table

_GENERATED_ROWS = 100  # of each class


class AdversarialOversamplingClassifier(ClassifierMixin, GameParameters):
    """Train a classifier against, or with the help of, a generator of rows.

    The game of "Does Adversarial Oversampling Help us?" (CIKM 2021), as the suite plays it: the same
    networks, losses and random streams.

    Parameters
    ----------
    mode, fs, gan_type, n_members, epoch_selection, random_state, device, verbose
    max_epochs, batch_size, width, learning_rate, dropout, weight_decay, scaler, n_neighbors
    generator_weight, generated_weight, critic_steps, temperature, gumbel, anchors, conditional
    settings, columns
        As in `GameParameters`, which describes them.

    Attributes
    ----------
    classes_ : ndarray of shape [C]
        The labels, sorted.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where the rows were a frame.
    history_ : DataFrame
        Curves of the training, a row per epoch.
    best_epoch_ : int
        The epoch whose weights are used; the first is 0.
    model_ : TrainedModel
        The networks with their preprocessing.
    """

    def fit(self, X: ArrayLike | pd.DataFrame, y: ArrayLike) -> Self:
        """Train on rows `X [n, d]` with labels `y [n]`.

        Raises
        ------
        InputError
            A ValueError, for a parameter or a table that has to change.
        """
        cfg = configuration(self, needs_generator=False)
        y = as_labels(y)
        columns, cells = columns_and_cells(as_frame(X, at_least=2), self.columns)
        validate_data(self, X, y, reset=True, skip_check_array=True)
        labels = _check_y(y, multi_output=False, y_numeric=False, estimator=self)
        check_classification_targets(labels)
        _check_length(cells, labels)
        table, by_size = training_table(columns, cells, labels)
        self.model_, self.history_ = fit_model(cfg, table)
        self.columns_ = columns
        self.classes_, self._position = np.unique(by_size, return_inverse=True)
        self.best_epoch_ = self.model_.record.best_epoch[0]
        return self

    def predict_proba(self, X: ArrayLike | pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of every class for rows `X [n, d]`: `[n, C]`, in the order of `classes_`.

        A row's probabilities do not depend on the other rows.
        """
        return self._classified(X)[1]

    def predict(self, X: ArrayLike | pd.DataFrame) -> NDArray[Any]:
        """Return the labels of rows `X [n, d]`."""
        positions = self._classified(X)[0]
        labels: NDArray[Any] = self.classes_[positions]
        return labels

    @property
    def generated_(self) -> pd.DataFrame:
        """Generated rows of every class as the columns show them, with their `class` in the last column.

        It is called `class_` where a feature is called `class`.
        """
        check_is_fitted(self, "model_")
        if not self.model_.record.generator:
            raise AttributeError(f"mode={self.mode} generates no rows")
        label = "class"
        while label in {column.name for column in self.columns_}:
            label += "_"
        frames = []
        for k, place in enumerate(self._position):
            made = self.model_.generate(k, _GENERATED_ROWS, self.model_.record.seeds[0])
            frame = to_frame(made.cells, self.columns_)
            frame[label] = self.classes_[place]
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def _classified(self, X: ArrayLike | pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the position in `classes_` and the probabilities of each row."""
        check_is_fitted(self, "model_")
        frame = as_frame(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        if not (isinstance(X, pd.DataFrame) and hasattr(self, "feature_names_in_")):
            # By position, as in scikit-learn, whose warning has named the difference.
            frame = frame.set_axis([column.name for column in self.columns_], axis=1)
        _, cells = columns_and_cells(frame, self.columns, self.columns_)
        predicted, probabilities = [], []
        for block in self.model_.predict(cells, [0], mean=True):  # in double precision: they sum to 1
            predicted.append(self._position[block.predicted[0]])
            ordered = np.empty(block.probabilities.shape[1:])
            ordered[:, self._position] = block.probabilities[0].numpy()
            probabilities.append(ordered)
        return np.concatenate(predicted), np.concatenate(probabilities)

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that texts are categories and missing cells are imputed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = True
        return tags


def _check_length(cells: NDArray[np.float64], labels: NDArray[Any]) -> None:
    if len(cells) != len(labels):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: [{len(cells)}, {len(labels)}]"
        )
