"""Two-stage oversampling: imbalanced-learn's rows, of one replica's training rows only."""

from pathlib import Path

import numpy as np
import pytest
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler

from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.data.preprocessing import Preprocessing
from adversarial_oversampling.data.resampling import METHODS, Resampling
from adversarial_oversampling.data.sources import load_haberman, load_yeast
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.streams import Purpose, seed_sequence


def two_clouds() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, (40, 2)), rng.normal(1, 1, (9, 2))]).astype(np.float32)
    return x, np.repeat([0, 1], [40, 9])


@pytest.mark.parametrize(
    ("method", "sampler"),
    [
        ("ro", RandomOverSampler(random_state=7)),
        ("smote", SMOTE(k_neighbors=5, random_state=7)),
        ("bsmote", BorderlineSMOTE(k_neighbors=5, random_state=7)),
        ("adasyn", ADASYN(n_neighbors=5, random_state=7)),
    ],
)
def test_rows_are_those_of_imbalanced_learn(method: str, sampler: SMOTE) -> None:
    x, y = two_clouds()
    expected_x, expected_y = sampler.fit_resample(x, y)
    new_x, new_y = Resampling(method)(x, y, seed=7)
    np.testing.assert_array_equal(np.concatenate([x, new_x]), expected_x)
    np.testing.assert_array_equal(np.concatenate([y, new_y]), expected_y)
    assert set(new_y) == {1}


def test_smote_between_two_rows_lies_on_their_line() -> None:
    x = np.array([[0, 0], [2, 4], [9, 9], [9, 8], [8, 9], [7, 7]], np.float32)
    y = np.array([1, 1, 0, 0, 0, 0])
    new_x, new_y = Resampling("smote")(x, y, seed=0)  # one neighbour is all that two rows allow
    assert new_y.tolist() == [1, 1]
    np.testing.assert_allclose(new_x[:, 1], 2 * new_x[:, 0], rtol=1e-6)
    assert ((new_x[:, 0] >= 0) & (new_x[:, 0] <= 2)).all()


@pytest.mark.parametrize("method", ["smote", "bsmote", "adasyn"])
def test_a_single_row_has_no_neighbour(method: str) -> None:
    x, y = two_clouds()
    with pytest.raises(InputError, match=rf"mode\.resampling\.method={method}.*single training row.*mode=ro"):
        Resampling(method)(x[:41], y[:41], seed=0)


def test_what_the_library_refuses_is_said() -> None:
    table = load_yeast(None)
    with pytest.raises(InputError, match="not possible here: No samples will be generated"):
        Resampling("adasyn")(table.x.astype(np.float32), table.y, seed=0)


@pytest.mark.parametrize(
    ("method", "neighbours", "key"), [("copy", 5, r"method=copy"), ("smote", 0, r"neighbours=0")]
)
def test_settings_are_checked(method: str, neighbours: int, key: str) -> None:
    with pytest.raises(InputError, match=rf"mode\.resampling\.{key}"):
        Resampling(method, neighbours)


@pytest.mark.parametrize("method", list(METHODS))
def test_the_data_module_appends_rows_made_from_training_rows(method: str) -> None:
    table = load_haberman(None)
    data = TableDataModule(
        table, Preprocessing(), replicas=2, resampling=Resampling(method), cache_dir=Path("unused")
    )
    data.setup()
    plain = TableDataModule(table, Preprocessing(), replicas=2, cache_dir=Path("unused"))
    plain.setup()
    assert data.steps_per_epoch == plain.steps_per_epoch
    for r in range(2):
        train = data.splits[r].train
        state = seed_sequence(r, Purpose.RESAMPLING, None).generate_state(1)
        x, y = Resampling(method)(plain.rows.x[r].numpy()[train], table.y[train], int(state[0]))
        np.testing.assert_array_equal(data.rows.x[r, :306], plain.rows.x[r])
        np.testing.assert_array_equal(data.rows.x[r, 306 : 306 + len(y)], x)
        np.testing.assert_array_equal(data.rows.y[r, 306 : 306 + len(y)], y)
        drawn = set(data.draws.of_class(1, r).tolist())
        assert drawn == set(train[table.y[train] == 1]) | set(range(306, 306 + len(y)))
    if method != "adasyn":
        assert (data.counts[:, 0] == data.counts[:, 1]).all()
