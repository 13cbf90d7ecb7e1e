"""Imputation against scikit-learn and by hand; scaling and selection; nothing leaks from test rows."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.feature_selection import f_classif
from sklearn.impute import KNNImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from adversarial_oversampling.data import imputation
from adversarial_oversampling.data.imputation import impute
from adversarial_oversampling.data.preprocessing import SCALERS, Preprocessing, Scaler, select
from adversarial_oversampling.data.sources import load_credit, load_haberman, load_secom
from adversarial_oversampling.data.splits import holdout
from adversarial_oversampling.data.table import Column, Table, make_table
from adversarial_oversampling.errors import InputError

pytestmark = pytest.mark.filterwarnings("error")

NAN = np.nan


def by_scikit_learn(x: np.ndarray, train_rows: np.ndarray, n_neighbors: int) -> np.ndarray:
    scaler = StandardScaler()
    imputer = KNNImputer(n_neighbors=n_neighbors, keep_empty_features=True)
    filled = make_pipeline(scaler, imputer).fit(x[train_rows]).transform(x)
    return np.where(np.isnan(x), scaler.inverse_transform(filled), x)


def with_patterns(seed: int, n_rows: int, n_features: int, n_patterns: int, share: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, n_features)) * 10.0 ** rng.integers(-3, 4, n_features) + rng.normal(
        size=n_features
    )
    patterns = rng.random((n_patterns, n_features)) < share
    patterns[0] = False
    x[patterns[rng.integers(0, n_patterns, n_rows)]] = NAN
    return x


def table_of(x: np.ndarray, y: np.ndarray) -> Table:
    return make_table("t", x, [str(k) for k in y], [f"v{i}" for i in range(x.shape[1])])


def refuse(*_: object, **__: object) -> np.ndarray:
    raise AssertionError("the cache should have served")


def rescaled(x: np.ndarray, train_rows: np.ndarray, scaler: str) -> np.ndarray:
    return Scaler.fit(scaler, x[train_rows]).transform(x)


class TestImpute:
    def test_hand_computed(self, tmp_path: Path) -> None:
        x = np.array(
            [
                [0.0, 0.0, 10.0],
                [1.0, 0.0, 20.0],
                [4.0, 4.0, 40.0],
                [8.0, 8.0, 80.0],
                [0.9, 0.1, NAN],  # nearest: rows 1 and 0
                [7.0, NAN, NAN],  # by the first column alone: rows 3 and 2
                [0.0, 0.0, -99.0],  # no donor: it is a test row
            ]
        )
        full = impute(x, np.arange(6), 2, tmp_path)
        assert full[4, 2] == 15.0
        assert full[5].tolist() == [7.0, 6.0, 60.0]
        assert np.array_equal(full[~np.isnan(x)], x[~np.isnan(x)])

    def test_distance_weighs_the_number_of_shared_columns(self, tmp_path: Path) -> None:
        # Standardised, the last row is at a mean squared distance of 0.18 from row 0, over two columns, and
        # of 0.30 from row 1, over one. Sums would say 0.37 and 0.30.
        x = np.array([[1.0, 1.0, 5.0], [1.2, NAN, 7.0], [-3.0, -3.0, 9.0], [3.0, 3.0, 9.0], [0.0, 0.0, NAN]])
        train = np.arange(4)
        for k in (1, 2):
            assert np.allclose(impute(x, train, k, tmp_path), by_scikit_learn(x, train, k))
        assert impute(x, train, 1, tmp_path)[4, 2] == 5.0

    @pytest.mark.parametrize("seed", range(12))
    @pytest.mark.parametrize("n_neighbors", [1, 2, 5])
    def test_equals_scikit_learn_with_few_patterns(self, seed: int, n_neighbors: int, tmp_path: Path) -> None:
        x = with_patterns(seed, n_rows=60, n_features=5, n_patterns=4, share=0.4)
        train = np.random.default_rng(seed).permutation(60)[:40]
        assert np.isnan(np.delete(x, train, axis=0)).any()
        assert np.allclose(impute(x, train, n_neighbors, tmp_path), by_scikit_learn(x, train, n_neighbors))

    def test_equals_scikit_learn_with_many_patterns(self, tmp_path: Path) -> None:
        x = with_patterns(0, n_rows=80, n_features=8, n_patterns=60, share=0.4)
        train = np.arange(0, 80, 2)
        assert np.allclose(impute(x, train, 2, tmp_path), by_scikit_learn(x, train, 2))

    def test_both_ways_agree(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        x = with_patterns(3, n_rows=80, n_features=6, n_patterns=8, share=0.5)
        train = np.arange(50)
        by_tree = impute(x, train, 2, tmp_path / "tree")
        monkeypatch.setattr(imputation, "_MAX_PATTERNS", 0)
        assert np.allclose(by_tree, impute(x, train, 2, tmp_path / "brute"))

    @pytest.mark.parametrize("max_patterns", [0, 8])
    def test_corner_cases(self, max_patterns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(imputation, "_MAX_PATTERNS", max_patterns)
        x = np.array(
            [
                [1.0, 2.0, NAN, 7.0],
                [3.0, NAN, NAN, 7.0],
                [5.0, NAN, NAN, 7.0],
                [4.0, 6.0, NAN, 7.0],
                [NAN, NAN, NAN, NAN],  # shares nothing with any donor: training means
                [2.0, NAN, 8.0, 9.0],  # a training row lacks column 2, a test row has it
            ]
        )
        full = impute(x, np.arange(4), 3, tmp_path)
        # Two donors of column 1 where three are asked for.
        assert np.allclose(full[1:3, 1], 4.0)
        assert np.allclose(full[4], [3.25, 4.0, 0.0, 7.0])
        assert np.allclose(full[5], [2.0, 4.0, 8.0, 9.0])
        assert np.array_equal(full[:4, 2], np.zeros(4))

    @pytest.mark.parametrize("n_patterns", [4, 60])
    def test_test_rows_do_not_leak(self, n_patterns: int, tmp_path: Path) -> None:
        x = with_patterns(5, n_rows=90, n_features=8, n_patterns=n_patterns, share=0.4)
        train = np.arange(0, 90, 2)
        test = np.arange(1, 90, 2)
        other = x.copy()
        other[test] = with_patterns(6, n_rows=45, n_features=8, n_patterns=40, share=0.5) * 100
        assert np.array_equal(impute(x, train, 2, tmp_path)[train], impute(other, train, 2, tmp_path)[train])

    def test_complete_table_is_returned_at_once(self, tmp_path: Path) -> None:
        x = np.arange(6.0).reshape(3, 2)
        assert impute(x, np.arange(2), 2, tmp_path / "cache") is x
        assert not (tmp_path / "cache").exists()

    def test_input_is_left_alone(self, tmp_path: Path) -> None:
        x = with_patterns(0, 30, 4, 3, 0.4)
        before = x.copy()
        impute(x, np.arange(20), 2, tmp_path)
        assert np.array_equal(x, before, equal_nan=True)

    def test_credit_equals_scikit_learn_where_distances_are_not_tied(
        self, data_dir: Path, tmp_path: Path
    ) -> None:
        x = load_credit(data_dir=str(data_dir), cache_dir="unused").x[:4000]
        train = np.random.default_rng(0).permutation(4000)[:2800]
        ours, theirs = impute(x, train, 2, tmp_path), by_scikit_learn(x, train, 2)
        scaled = StandardScaler().fit(x[train]).transform(x)
        n_compared = 0
        for row, column in np.argwhere(np.isnan(x)):
            donors = train[~np.isnan(x[train, column])]
            gaps = scaled[donors] - scaled[row]
            nearest = np.sort(np.sqrt(np.nanmean(gaps**2, axis=1)))[:3]
            if nearest[2] - nearest[1] > 1e-6:
                n_compared += 1
                assert np.isclose(ours[row, column], theirs[row, column])
        assert n_compared > 800


class TestCache:
    @pytest.fixture
    def x(self) -> np.ndarray:
        return with_patterns(1, n_rows=40, n_features=4, n_patterns=4, share=0.4)

    def test_hit(self, x: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = impute(x, np.arange(30), 2, tmp_path)
        assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
        monkeypatch.setattr(imputation, "impute_rows", refuse)
        assert np.array_equal(first, impute(x.copy(), np.arange(30), 2, tmp_path))

    def test_only_imputed_cells_are_kept(self, x: np.ndarray, tmp_path: Path) -> None:
        full = impute(x, np.arange(30), 2, tmp_path)
        with np.load(next(tmp_path.iterdir())) as stored:
            assert np.array_equal(stored["values"], full[np.isnan(x)])

    @pytest.mark.parametrize(
        "change",
        [
            lambda x, rows, k: (x + 1.0, rows, k),
            lambda x, rows, k: (x, rows[:-1], k),
            lambda x, rows, k: (x, rows, k + 1),
        ],
    )
    def test_every_input_is_in_the_key(
        self, change: Callable[..., tuple[np.ndarray, np.ndarray, int]], x: np.ndarray, tmp_path: Path
    ) -> None:
        inputs = (x, np.arange(30), 2)
        impute(*inputs, tmp_path)
        impute(*change(*inputs), tmp_path)
        assert len(list(tmp_path.iterdir())) == 2

    @pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped", "short", "nan", "other key"])
    def test_corrupt_file_is_computed_again(
        self, damage: str, x: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = impute(x, np.arange(30), 2, tmp_path)
        path = next(tmp_path.iterdir())
        content = path.read_bytes()
        values = first[np.isnan(x)]
        if damage == "empty":
            path.write_bytes(b"")
        elif damage == "text":
            path.write_bytes(b"not an archive")
        elif damage == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif damage == "flipped":
            middle = len(content) // 2
            path.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
        elif damage == "short":
            np.savez(path, values=values[:-1])
        elif damage == "nan":
            np.savez(path, values=np.full_like(values, NAN))
        else:
            np.savez(path, other=values)
        with caplog.at_level(logging.WARNING):
            assert np.array_equal(first, impute(x, np.arange(30), 2, tmp_path))
        assert str(path) in caplog.text
        caplog.clear()
        impute(x, np.arange(30), 2, tmp_path)
        assert not caplog.records

    def test_several_writers_at_once(self, x: np.ndarray, tmp_path: Path) -> None:
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _: impute(x, np.arange(30), 2, tmp_path), range(16)))
        assert all(np.array_equal(results[0], result) for result in results)
        assert len(list(tmp_path.iterdir())) == 1

    def test_folder_that_cannot_be_written(self, x: np.ndarray, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match=r"^paths\.cache_dir: "):
            impute(x, np.arange(30), 2, tmp_path / "file")


class TestScale:
    X = np.array([[0.0], [2.0], [4.0], [100.0]])
    TRAIN = np.arange(3)

    def test_standard(self) -> None:
        deviation = np.sqrt(8 / 3)
        assert np.allclose(
            rescaled(self.X, self.TRAIN, "standard")[:, 0], np.array([-2, 0, 2, 98]) / deviation
        )

    def test_clipped_standard(self) -> None:
        deviation = np.sqrt(8 / 3)
        expected = [-2 / deviation, 0, 2 / deviation, 5]
        assert np.allclose(rescaled(self.X, self.TRAIN, "clipped_standard")[:, 0], expected)

    def test_minmax(self) -> None:
        assert rescaled(self.X, self.TRAIN, "minmax")[:, 0].tolist() == [0.0, 0.5, 1.0, 25.0]

    def test_none(self) -> None:
        assert np.array_equal(rescaled(self.X, self.TRAIN, "none"), self.X)

    def test_quantile_normal(self) -> None:
        # Five training rows are the quantiles 0, 1/4, 1/2, 3/4 and 1, whatever their distances.
        x = np.array([[1.0], [10.0], [100.0], [1e4], [1e6], [5.5], [1e9]])
        scaled = rescaled(x, np.arange(5), "quantile_normal")[:, 0]
        assert np.allclose(scaled[1:4], norm.ppf([0.25, 0.5, 0.75]))
        assert np.isclose(scaled[5], norm.ppf(0.125))
        assert scaled[6] == scaled[4] > 5
        assert np.isclose(scaled[0], -scaled[4])

    def test_unknown(self) -> None:
        with pytest.raises(InputError, match=r"^dataset\.preprocessing\.scaler=robust: choose one of "):
            rescaled(self.X, self.TRAIN, "robust")


class TestSelect:
    @pytest.mark.parametrize("seed", range(5))
    def test_highest_f_scores(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1, 2], [30, 12, 4])
        x = rng.normal(size=(46, 9)) + y[:, None] * rng.random(9)
        best = np.argsort(-f_classif(x, y)[0])
        for n_selected in (1, 4, 9):
            assert select(x, y, n_selected).tolist() == sorted(best[:n_selected])

    def test_perfect_columns_come_first_and_constant_ones_last(self) -> None:
        y = np.array([0, 0, 1, 1])
        x = np.array([[7.0, 1.0, 0.0, 0.0], [7.0, 2.0, 0.0, 1.0], [7.0, 3.0, 1.0, 0.0], [7.0, 4.0, 1.0, 1.0]])
        assert select(x, y, 1).tolist() == [2]
        assert select(x, y, 2).tolist() == [1, 2]
        assert select(x, y, 3).tolist() == [1, 2, 3]
        assert select(x, y, 4).tolist() == [0, 1, 2, 3]

    def test_class_absent_from_the_training_rows(self) -> None:
        x = np.array([[0.0, 5.0], [1.0, 5.1], [0.1, 9.0], [0.9, 9.1]])
        assert select(x, np.array([0, 0, 2, 2]), 1).tolist() == [1]


class TestTransform:
    @pytest.fixture
    def table(self) -> Table:
        x = with_patterns(2, n_rows=80, n_features=6, n_patterns=3, share=0.3)
        x[:, 1] = 3.0
        return table_of(x, np.repeat([0, 1], [60, 20]))

    @pytest.mark.parametrize("scaler", SCALERS)
    def test_shape_and_constant_columns(self, scaler: str, table: Table, tmp_path: Path) -> None:
        z = Preprocessing(scaler=scaler).transform(table, np.arange(0, 80, 2), tmp_path)
        assert z.dtype == np.float32
        assert z.shape == (80, 6)
        assert np.isfinite(z).all()
        assert (z[:, 1] == 0).all()
        assert (z[:, [0, 2, 3, 4, 5]].std(axis=0) > 0).all()

    def test_column_constant_on_training_rows_only(self, tmp_path: Path) -> None:
        x = np.array([[1.0, 0.1], [2.0, 0.1], [3.0, 0.1], [4.0, 0.9]])
        z = Preprocessing().transform(table_of(x, np.array([0, 1, 0, 1])), np.arange(3), tmp_path)
        assert z[:, 1].tolist() == [0.0, 0.0, 0.0, 0.0]
        assert np.allclose(z[:, 0], (x[:, 0] - 2) / np.sqrt(2 / 3))

    def test_selection_keeps_the_order_of_the_columns(self, table: Table, tmp_path: Path) -> None:
        train = np.arange(0, 80, 2)
        z = Preprocessing().transform(table, train, tmp_path)
        best = np.sort(np.argsort(-f_classif(np.delete(z[train], 1, axis=1), table.y[train])[0])[:2])
        best += best >= 1
        assert np.array_equal(Preprocessing(n_selected=2).transform(table, train, tmp_path), z[:, best])

    @pytest.mark.parametrize("scaler", SCALERS)
    def test_test_rows_do_not_leak(self, scaler: str, table: Table, tmp_path: Path) -> None:
        train, test = np.arange(0, 80, 2), np.arange(1, 80, 2)
        x, labels = table.x.copy(), table.y.copy()
        x[test] = x[test] * -50 + 1000
        labels[test] = 1 - labels[test]
        other = table_of(x, labels)
        settings = Preprocessing(scaler=scaler, n_selected=3)
        changed = settings.transform(other, train, tmp_path)
        assert np.array_equal(settings.transform(table, train, tmp_path)[train], changed[train])

    def test_secom(self, data_dir: Path, tmp_path: Path) -> None:
        table = load_secom(data_dir=str(data_dir), cache_dir="unused")
        train = holdout(table, 0.3, None, 0).train
        z = Preprocessing().transform(table, train, tmp_path)
        assert z.shape == (1567, 590)
        assert np.isfinite(z).all()
        assert 460 < (z[train].std(axis=0) > 0).sum() < 480
        assert Preprocessing(n_selected=20).transform(table, train, tmp_path).shape == (1567, 20)

    @pytest.mark.parametrize("n_selected", [0, -1, 4])
    def test_bad_n_selected(self, n_selected: int, tmp_path: Path) -> None:
        table = load_haberman(data_dir=None)
        with pytest.raises(InputError, match=r"^dataset\.preprocessing\.n_selected="):
            Preprocessing(n_selected=n_selected).transform(table, np.arange(200), tmp_path)

    def test_bad_neighbors(self) -> None:
        with pytest.raises(InputError, match=r"^dataset\.preprocessing\.n_neighbors=0: "):
            Preprocessing(n_neighbors=0)

    def test_bad_scaler(self) -> None:
        with pytest.raises(InputError, match=r"^dataset\.preprocessing\.scaler=robust: .*standard"):
            Preprocessing(scaler="robust")

    def test_nothing_varies_on_the_training_rows(self, tmp_path: Path) -> None:
        table = table_of(np.array([[1.0], [1.0], [1.0], [2.0]]), np.array([0, 1, 0, 1]))
        with pytest.raises(InputError, match=r"dataset t: every column is constant on the 3 training rows"):
            Preprocessing().transform(table, np.arange(3), tmp_path)


class TestExtremeValues:
    def test_a_value_whose_square_is_infinite_is_refused(self, tmp_path: Path) -> None:
        x = np.random.default_rng(0).normal(size=(40, 2))
        x[7, 1] = -1e200
        table = make_table("t", x, ["a", "b"] * 20, ["v", "w"])
        with pytest.raises(InputError, match="column 'w' has the value 1e\\+200"):
            Preprocessing().transform(table, np.arange(40), tmp_path)
        # In a test row it is no fault of the column, but it is infinite once it is scaled.
        rest = np.setdiff1d(np.arange(40), [7])
        with pytest.raises(InputError, match="column 'w' has infinite values once it is scaled"):
            Preprocessing().transform(table, rest, tmp_path)

    @pytest.mark.parametrize("scaler", ["standard", "minmax"])
    def test_a_column_that_is_lost_is_refused(self, scaler: str, tmp_path: Path) -> None:
        x = np.random.default_rng(0).normal(size=(40, 2))
        x[:, 1] = 1e16 + 4 * np.arange(40)  # float32 cannot tell them apart without scaling
        table = make_table("t", x, ["a", "b"] * 20, ["v", "w"])
        Preprocessing(scaler=scaler).transform(table, np.arange(40), tmp_path)
        with pytest.raises(InputError, match="column 'w' is the same in every training row"):
            Preprocessing(scaler="none").transform(table, np.arange(40), tmp_path)


class TestFitted:
    """A fitted preprocessing treats other rows as the table's, and takes rows back."""

    COLUMNS = (
        Column("number"),
        Column("count", "integer"),
        Column("flag", "boolean", ("False", "True")),
        Column("size", "ordinal", ("s", "m", "l")),
        Column("city", "categorical", ("Bonn", "Lima", "Oslo")),
        Column("pair", "categorical", ("x", "y")),
        Column("day", "date"),
    )

    def table(self, missing: float = 0.1) -> Table:
        rng = np.random.default_rng(0)
        x = np.column_stack(
            [
                rng.normal(size=80),
                rng.integers(-5, 90, 80),
                *(rng.integers(0, k, 80) for k in (2, 3, 3, 2)),
                86400.0 * rng.integers(18000, 19000, 80),
            ]
        )
        x[rng.random(x.shape) < missing] = np.nan
        return make_table("t", x, ["a", "b", "b", "b"] * 20, self.COLUMNS)

    @pytest.mark.parametrize("n_selected", [None, 4])
    @pytest.mark.parametrize("scaler", SCALERS)
    def test_rows_of_the_table(self, scaler: str, n_selected: int | None, tmp_path: Path) -> None:
        table, train = self.table(), np.arange(0, 80, 2)
        fitted, rows = Preprocessing(scaler=scaler, n_selected=n_selected).fit_transform(
            table, train, tmp_path
        )
        assert rows.shape[1] == (n_selected or 9)
        assert np.array_equal(fitted.transform(table.x), rows)
        assert np.array_equal(fitted.transform(table.x[5:6]), rows[5:6])

    @pytest.mark.parametrize("scaler", ["standard", "quantile_normal", "minmax", "none"])
    def test_the_inverse_returns_the_cells(self, scaler: str, tmp_path: Path) -> None:
        table, train = self.table(missing=0), np.arange(80)
        fitted, rows = Preprocessing(scaler=scaler).fit_transform(table, train, tmp_path)
        cells = fitted.inverse(rows)
        exact = [i for i, column in enumerate(self.COLUMNS) if column.role != "numeric"]
        assert np.array_equal(cells[:, exact], table.x[:, exact])
        assert np.allclose(cells, table.x, rtol=1e-5, atol=1e-5)

    def test_a_missing_category_is_the_most_frequent_one(self, tmp_path: Path) -> None:
        table, train = self.table(), np.arange(80)
        rows = Preprocessing().transform(table, train, tmp_path)
        cities = table.x[:, 4]
        frequent = np.bincount(cities[~np.isnan(cities)].astype(int)).argmax()
        assert (rows[np.isnan(cities)][:, 4 + frequent] == 1).all()
        assert np.isin(rows[:, 4:7], (0, 1)).all()
        assert (rows[:, 4:7].sum(axis=1) == 1).all()

    def test_donors_are_limited(self, tmp_path: Path) -> None:
        table, train = self.table(), np.arange(80)
        few = Preprocessing(max_donors=5, n_neighbors=1).fit_transform(table, train, tmp_path)[0]
        filled = few.imputation.rows(table.x)
        donors = table.x[np.linspace(0, 79, 5).astype(int)]
        for i in (0, 1, 6):
            missing = np.isnan(table.x[:, i])
            known = donors[~np.isnan(donors[:, i]), i]
            assert np.isin(filled[missing, i], [*known, known.mean()]).all()
