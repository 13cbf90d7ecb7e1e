"""Two-stage oversampling: imbalanced-learn's rows, of one replica's training rows only."""

from pathlib import Path

import numpy as np
import pytest
import torch
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from imblearn.over_sampling.base import BaseOverSampler

from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.data.preprocessing import Preprocessing
from adversarial_oversampling.data.resampling import METHODS, Resampling
from adversarial_oversampling.data.sources import load_haberman, load_yeast
from adversarial_oversampling.data.table import make_table
from adversarial_oversampling.errors import InputError, NotApplicable
from adversarial_oversampling.random_streams import Purpose, seed_sequence


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
    new_x, new_y = Resampling("smote")(x, y, seed=0)  # one neighbor is all that two rows allow
    assert new_y.tolist() == [1, 1]
    np.testing.assert_allclose(new_x[:, 1], 2 * new_x[:, 0], rtol=1e-6)
    assert ((new_x[:, 0] >= 0) & (new_x[:, 0] <= 2)).all()


@pytest.mark.parametrize("method", ["smote", "bsmote", "adasyn"])
def test_a_single_row_has_no_neighbor(method: str) -> None:
    x, y = two_clouds()
    with pytest.raises(
        NotApplicable, match=rf"^{method}: a class has a single training row and so no neighbor$"
    ):
        Resampling(method)(x[:41], y[:41], seed=0)


def test_what_the_library_refuses_is_said() -> None:
    table = load_yeast(None)
    reason = r"^adasyn: No samples will be generated with the provided ratio settings\.$"
    with pytest.raises(NotApplicable, match=reason):
        Resampling("adasyn")(table.x.astype(np.float32), table.y, seed=0)


@pytest.mark.parametrize(
    ("method", "n_neighbors", "key"), [("copy", 5, r"method=copy"), ("smote", 0, r"n_neighbors=0")]
)
def test_settings_are_checked(method: str, n_neighbors: int, key: str) -> None:
    with pytest.raises(InputError, match=rf"mode\.resampling\.{key}"):
        Resampling(method, n_neighbors)


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


def sampler(method: str, smallest: int, state: int) -> BaseOverSampler:
    """Imbalanced-learn's, with five n_neighbors or as many as the smallest class allows."""
    n_neighbors = min(5, smallest - 1)
    if method == "ro":
        return RandomOverSampler(random_state=state)
    if method == "adasyn":
        return ADASYN(n_neighbors=n_neighbors, random_state=state)
    return {"smote": SMOTE, "bsmote": BorderlineSMOTE}[method](k_neighbors=n_neighbors, random_state=state)


@pytest.mark.parametrize(
    ("method", "dataset"),
    [(method, "haberman") for method in METHODS]
    + [(method, "yeast") for method in ("ro", "smote", "bsmote")],
)
def test_new_rows_are_what_imbalanced_learn_makes_of_the_training_rows(method: str, dataset: str) -> None:
    table = {"haberman": load_haberman, "yeast": load_yeast}[dataset](None)
    data, plain = (
        TableDataModule(
            table,
            Preprocessing(),
            seed=3,
            replicas=2,
            test_size=0.5,
            resampling=resampling,
            cache_dir=Path("unused"),
        )
        for resampling in (Resampling(method), None)
    )
    data.setup()
    plain.setup()
    count = len(table.y)
    for r, seed in enumerate((3, 4)):
        train = plain.splits[r].train
        x, y = plain.rows.x[r].numpy()[train], table.y[train]
        state = int(seed_sequence(seed, Purpose.RESAMPLING, None).generate_state(1)[0])
        x_all, y_all = sampler(method, int(np.bincount(y).min()), state).fit_resample(x, y)
        more = len(y_all) - len(y)
        assert more > 0
        np.testing.assert_array_equal(x_all[: len(y)], x)
        np.testing.assert_array_equal(data.rows.x[r, count : count + more], x_all[len(y) :])
        np.testing.assert_array_equal(data.rows.y[r, count : count + more], y_all[len(y) :])
        assert (data.rows.y[r, count + more :] == -1).all()
        assert data.counts[r].tolist() == np.bincount(y_all).tolist()
        assert data.not_applicable == [None, None]
        for part in ("validation", "test"):
            np.testing.assert_array_equal(getattr(data.splits[r], part), getattr(plain.splits[r], part))
            drawn = {int(row) for k in range(data.classes) for row in data.draws.of_class(k, r)}
            assert not drawn & set(getattr(data.splits[r], part).tolist())


def test_replicas_with_different_numbers_of_new_rows_equal_their_solo_runs() -> None:
    table, options = load_haberman(None), {"resampling": Resampling("adasyn"), "cache_dir": Path("unused")}
    together = TableDataModule(table, Preprocessing(), seed=5, replicas=3, **options)
    together.setup()
    assert len(set(together.counts[:, 1].tolist())) > 1
    (batches,) = together.train_dataloader()
    for r in range(3):
        solo = TableDataModule(table, Preprocessing(), seed=5 + r, **options)
        solo.setup()
        assert torch.equal(solo.counts[0], together.counts[r])
        (own,) = solo.train_dataloader()
        for mine, ours in zip(own, batches, strict=True):
            assert all(torch.equal(a[0], b[r]) for a, b in zip(mine, ours, strict=True))


def test_only_the_replica_that_cannot_be_resampled_is_marked() -> None:
    """Two folds of a class of five rows: three train, or two, and one of them chooses the epoch."""
    labels = ["a"] * 40 + ["b"] * 5
    table = make_table("few", np.random.default_rng(0).normal(size=(45, 2)), labels, ["u", "v"])
    data = TableDataModule(
        table, Preprocessing(), n_folds=2, resampling=Resampling("smote"), cache_dir=Path("unused")
    )
    data.setup()
    train = [np.bincount(table.y[split.train]).tolist() for split in data.splits]
    assert sorted(few for _, few in train) == [1, 2]
    for r, (many, few) in enumerate(train):
        if few == 1:
            assert data.not_applicable[r] == "smote: a class has a single training row and so no neighbor"
            assert data.counts[r].tolist() == [many, few]
        else:
            assert data.not_applicable[r] is None
            assert data.counts[r].tolist() == [many, many]
