"""What each replica sees: its split, its batches, its anchors, and the same as in a solo run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from torch import Tensor

from adversarial_oversampling.data import datamodule
from adversarial_oversampling.data.datamodule import Batch, ClassDraws, ReplicaRows, TableDataModule, pad
from adversarial_oversampling.data.preprocessing import Preprocessing
from adversarial_oversampling.data.sources import load_haberman, load_yeast
from adversarial_oversampling.data.table import Table, make_table
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.random_streams import Purpose, Streams

PLAIN = Preprocessing(scaler="none")


def table_of(*counts: int) -> Table:
    """Row i has the features (i + 1, -i - 1), so that a row's values tell which row it is."""
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    number = np.arange(len(y), dtype=float)[:, None] + 1
    labels = [chr(ord("a") + k) for k in y]
    return make_table("tiny", np.hstack([number, -number]), labels, ["plus", "minus"])


def module_of(table: Table, preprocessing: Preprocessing = PLAIN, **options: Any) -> TableDataModule:
    """Set up; a table without missing cells writes no cache."""
    data = TableDataModule(table, preprocessing, cache_dir=Path("unused"), **options)
    data.setup()
    return data


def batches_of(data: TableDataModule) -> list[Batch]:
    """All batches of one epoch."""
    return [batch for block in data.train_dataloader() for batch in block]


def epoch(data: TableDataModule) -> Batch:
    """All batches of one epoch, side by side."""
    return joined(batches_of(data))


def joined(batches: list[Batch]) -> Batch:
    return Batch(*(torch.cat(parts, dim=1) for parts in zip(*batches, strict=True)))


def equal(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def replica(batch: Batch, r: int) -> Batch:
    return Batch(*(part[r : r + 1] for part in batch))


@pytest.fixture(scope="module")
def haberman() -> Table:
    return load_haberman(None)


@pytest.fixture(scope="module")
def yeast() -> Table:
    return load_yeast(None)


class TestReplicas:
    def test_a_seed_each(self) -> None:
        data = module_of(table_of(20, 10), seed=7, replicas=3)
        assert data.seeds == [7, 8, 9]
        assert data.folds == [None, None, None]
        assert data.rows.x.shape == (3, 30, 2)
        assert data.counts.shape == (3, 2)
        assert data.classes == 2

    def test_folds_come_seed_by_seed(self) -> None:
        data = module_of(table_of(20, 10), seed=4, replicas=2, n_folds=3)
        assert data.seeds == [4, 4, 4, 5, 5, 5]
        assert data.folds == [0, 1, 2, 0, 1, 2]
        assert [split.fold for split in data.splits] == [0, 1, 2, 0, 1, 2]
        for first in (0, 3):
            tested = np.concatenate([split.test for split in data.splits[first : first + 3]])
            assert np.array_equal(np.sort(tested), np.arange(30))

    def test_one_fold_only(self) -> None:
        data = module_of(table_of(20, 10), seed=4, replicas=2, n_folds=3, fold=2)
        assert data.seeds == [4, 5]
        assert data.folds == [2, 2]

    def test_replicas_have_different_splits_and_batches(self) -> None:
        data = module_of(table_of(60, 30), replicas=3)
        assert len({tuple(split.test) for split in data.splits}) == 3
        assert len({tuple(row) for row in epoch(data).row.tolist()}) == 3

    def test_counts_by_hand(self, haberman: Table) -> None:
        # 225 and 81 rows. Test: ceil(91.8) = 92, in shares of 67.6 and 24.4: 68 and 24 rows.
        # Validation of the 157 and 57 left: ceil(42.8) = 43, in shares of 31.5 and 11.5: 31.547 has the
        # larger remainder, so 32 and 11. Left are 125 and 46.
        data = module_of(haberman, replicas=2, test_size=0.3, validation_size=0.2)
        assert data.counts.tolist() == [[125, 46], [125, 46]]

    def test_each_replica_is_scaled_on_its_own_training_rows(self, haberman: Table) -> None:
        data = module_of(haberman, Preprocessing(scaler="standard"), replicas=3)
        assert data.rows.x.dtype == torch.float32
        for x, split in zip(data.rows.x, data.splits, strict=True):
            train = x[torch.from_numpy(split.train)]
            torch.testing.assert_close(train.mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0)
            torch.testing.assert_close(train.std(dim=0, correction=0), torch.ones(3), atol=1e-5, rtol=0)
        assert not torch.equal(data.rows.x[0], data.rows.x[1])

    def test_setup_twice_changes_nothing(self) -> None:
        data = module_of(table_of(20, 10), replicas=2)
        rows, draws, splits, state = data.rows, data.draws, data.splits, data.state_dict()["batches"]
        for stage in (None, "fit", "test"):
            data.setup(stage)
        assert data.rows is rows
        assert data.draws is draws
        assert data.splits is splits
        assert torch.equal(data.state_dict()["batches"], state)


class TestTrainingBatches:
    def test_shapes(self) -> None:
        # 40 rows: 12 test, 6 validation, 22 training rows make ceil(22 / 8) = 3 batches.
        data = module_of(table_of(30, 10), replicas=2, batch_size=8)
        batches = batches_of(data)
        assert len(batches) == 3
        for batch in batches:
            assert batch.x.shape == (2, 8, 2)
            assert batch.x.dtype == torch.float32
            assert batch.y.shape == batch.row.shape == (2, 8)
            assert batch.y.dtype == batch.row.dtype == torch.int64

    @settings(deadline=None, max_examples=15)
    @given(
        counts=st.lists(st.integers(4, 30), min_size=2, max_size=4).map(lambda ns: sorted(ns, reverse=True)),
        fs=st.none() | st.floats(0.05, 1),
        seed=st.integers(0, 2**31),
        batch_size=st.integers(1, 40),
    )
    def test_training_rows_with_their_own_values(
        self, counts: list[int], fs: float | None, seed: int, batch_size: int
    ) -> None:
        table = table_of(*counts)
        data = module_of(table, seed=seed, replicas=2, fs=fs, batch_size=batch_size)
        batch = epoch(data)
        for r, split in enumerate(data.splits):
            row = batch.row[r].numpy()
            assert np.isin(row, split.train).all()
            assert np.array_equal(batch.y[r].numpy(), table.y[row])
            assert np.array_equal(batch.x[r].numpy(), table.x[row].astype(np.float32))

    @pytest.mark.parametrize("fs", [None, 0.25, 0.5, 1.0])
    def test_class_frequencies(self, fs: float | None) -> None:
        # 120, 40 and 10 rows: 51 test rows (36, 12, 3), then 24 validation rows (17, 6, 1), so 67, 22 and 6
        # rows train. Wanted are max(n_k, fs * 67) rows of class k among their sum.
        data = module_of(table_of(120, 40, 10), replicas=2, fs=fs, batch_size=4000, seed=3)
        assert data.counts.tolist() == [[67, 22, 6]] * 2
        targets = np.array([max(n, (fs or 0) * 67) for n in (67, 22, 6)])
        batch = joined([batches_of(data)[0] for _ in range(5)])
        for y in batch.y:
            self.check_frequencies(np.bincount(y, minlength=3), targets)

    def test_rows_of_a_class_are_equally_likely(self) -> None:
        data = module_of(table_of(30, 10), fs=1.0, batch_size=8000)
        row, train = epoch(data).row[0].numpy(), data.splits[0].train
        for k in range(2):
            own = train[data.table.y[train] == k]
            self.check_frequencies(np.bincount(row, minlength=40)[own], np.ones(len(own)))

    def check_frequencies(self, found: np.ndarray, weights: np.ndarray) -> None:
        wanted = found.sum() * weights / weights.sum()
        statistic = ((found - wanted) ** 2 / wanted).sum()
        assert statistic < chi2.ppf(0.9999, len(found) - 1)

    def test_a_rate_below_the_natural_one_changes_nothing(self) -> None:
        # 30 and 10 rows leave 16 and 6 for training: natural is 0.375.
        natural, below, above = (module_of(table_of(30, 10), fs=fs) for fs in (None, 0.3, 0.9))
        assert natural.counts.tolist() == [[16, 6]]
        wanted = epoch(natural)
        assert equal(epoch(below), wanted)
        assert not equal(epoch(above), wanted)

    def test_blocks_do_not_change_the_numbers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        one, other = (module_of(table_of(30, 10), replicas=2, batch_size=3) for _ in range(2))
        wanted = epoch(one)
        assert len(one.train_dataloader()) == 1
        monkeypatch.setattr(datamodule, "BLOCK_NUMBERS", 2 * 2 * 3 * 2)  # two batches of 3 rows of 2 columns
        assert len(other.train_dataloader()) == 4  # 8 batches
        assert equal(epoch(other), wanted)

    def test_epochs_differ(self) -> None:
        data = module_of(table_of(30, 10))
        assert not torch.equal(epoch(data).row, epoch(data).row)

    def test_batches_go_on_in_a_new_loader(self) -> None:
        # One loader over two epochs draws as two loaders do.
        one, other = module_of(table_of(30, 10)), module_of(table_of(30, 10))
        loader = one.train_dataloader()
        wanted = joined([batch for _ in range(2) for block in loader for batch in block])
        assert equal(joined([epoch(other), epoch(other)]), wanted)

    def test_evaluation_and_anchors_leave_the_batches_alone(self) -> None:
        one, other = module_of(table_of(30, 10)), module_of(table_of(30, 10))
        list(one.val_dataloader())
        list(one.test_dataloader())
        one.anchors(2)
        assert equal(epoch(one), epoch(other))


class TestSoloRuns:
    @pytest.mark.parametrize("fs", [None, 1.0])
    def test_holdout(self, yeast: Table, fs: float | None) -> None:
        options: dict[str, Any] = {"test_size": 0.5, "fs": fs, "preprocessing": Preprocessing()}
        together = module_of(yeast, seed=5, replicas=3, **options)
        solos = [module_of(yeast, seed=5 + r, **options) for r in range(3)]
        self.check_equal(together, solos)

    def test_cross_validation(self, haberman: Table) -> None:
        options: dict[str, Any] = {"n_folds": 4, "fs": 0.5, "preprocessing": Preprocessing()}
        together = module_of(haberman, seed=2, replicas=2, **options)
        solos = [module_of(haberman, seed=s, fold=f, **options) for s in (2, 3) for f in range(4)]
        self.check_equal(together, solos)

    @pytest.mark.parametrize("n_folds", [None, 3])
    def test_groups(self, haberman: Table, n_folds: int | None) -> None:
        """Whose splits are of different sizes."""
        # Groups of 1, 2, 3, ... rows.
        groups = np.repeat(np.arange(40), np.arange(40))[: len(haberman.y)]
        table = replace(haberman, groups=np.unique(groups, return_inverse=True)[1])
        options: dict[str, Any] = {"n_folds": n_folds, "fs": 0.5, "preprocessing": Preprocessing()}
        together = module_of(table, seed=2, replicas=3, **options)
        folds = [None] if n_folds is None else range(n_folds)
        solos = [module_of(table, seed=s, fold=f, **options) for s in (2, 3, 4) for f in folds]
        assert len({len(split.test) for split in together.splits}) > 1
        assert {solo.steps_per_epoch for solo in solos} == {together.steps_per_epoch}
        self.check_equal(together, solos)

    def check_equal(self, together: TableDataModule, solos: list[TableDataModule]) -> None:
        assert len(together.splits) == len(solos)
        anchors, mask = together.anchors(20)
        epochs = [epoch(together) for _ in range(2)]
        evaluated = {part: list(getattr(together, part)()) for part in ("val_dataloader", "test_dataloader")}
        for r, solo in enumerate(solos):
            assert torch.equal(solo.rows.x[0], together.rows.x[r])
            assert torch.equal(solo.counts[0], together.counts[r])
            own_anchors, own_mask = solo.anchors(20)
            assert torch.equal(own_anchors[0], anchors[r])
            assert torch.equal(own_mask[0], mask[r])
            for whole in epochs:
                assert equal(epoch(solo), replica(whole, r))
            for part, chunks in evaluated.items():
                own = list(getattr(solo, part)())
                assert len(own) == len(chunks)
                assert all(equal(a, replica(b, r)) for a, b in zip(own, chunks, strict=True))


class TestState:
    def test_goes_on_exactly(self) -> None:
        options: dict[str, Any] = {"replicas": 3, "seed": 1, "fs": 0.8}
        data = module_of(table_of(30, 10), **options)
        epoch(data)
        state = data.state_dict()
        wanted = [epoch(data), epoch(data)]
        fresh = module_of(table_of(30, 10), **options)
        fresh.load_state_dict(state)
        for one in wanted:
            assert equal(epoch(fresh), one)

    def test_can_be_loaded_before_setup(self) -> None:
        data = module_of(table_of(30, 10))
        epoch(data)
        fresh = TableDataModule(table_of(30, 10), PLAIN, cache_dir=Path("unused"))
        fresh.load_state_dict(data.state_dict())
        fresh.setup()
        assert equal(epoch(fresh), epoch(data))

    def test_holds_tensors_only(self, tmp_path: Path) -> None:
        data = module_of(table_of(30, 10), replicas=2)
        torch.save(data.state_dict(), tmp_path / "state")
        loaded = torch.load(tmp_path / "state", weights_only=True)
        assert torch.equal(loaded["batches"], data.state_dict()["batches"])


class TestEvaluation:
    def check_part(self, data: TableDataModule, chunks: list[Batch], part: str, rows: int) -> None:
        assert {chunk.row.shape for chunk in chunks} == {(len(data.splits), rows)}
        whole = joined(chunks)
        assert torch.equal(whole.row < 0, whole.y < 0)
        assert set(whole.row[whole.row < 0].tolist()) <= {-1}
        assert set(whole.y[whole.y < 0].tolist()) <= {-1}
        for r, split in enumerate(data.splits):
            real = whole.row[r] >= 0
            row = whole.row[r][real].numpy()
            assert np.array_equal(np.sort(row), getattr(split, part))
            assert np.array_equal(whole.y[r][real].numpy(), data.table.y[row])
            assert torch.equal(whole.x[r][real], data.rows.x[r][row])

    def test_two_chunks(self, yeast: Table) -> None:
        # ceil(0.5 * 1484) = 742 test rows are more than 512: two chunks of 371.
        # ceil(0.2 * 742) = 149 validation rows
        data = module_of(yeast, replicas=2, test_size=0.5)
        chunks = list(data.test_dataloader())
        assert len(data.test_dataloader()) == len(chunks) == 2
        assert [int((chunk.row[0] >= 0).sum()) for chunk in chunks] == [371, 371]
        self.check_part(data, chunks, "test", 371)
        self.check_part(data, list(data.val_dataloader()), "validation", 149)

    def test_folds_of_different_sizes(self) -> None:
        # 11 rows of 2 classes in 3 folds: at most ceil(11 / 3) + 2 = 6 test rows. At least 11 / 3 - 2 rows
        # are tested, so at most ceil(0.2 * (11 - 6 + 4)) + 2 = 4 rows validate.
        data = module_of(table_of(7, 4), n_folds=3)
        assert len({len(split.test) for split in data.splits}) == 2
        self.check_part(data, list(data.test_dataloader()), "test", 6)
        self.check_part(data, list(data.val_dataloader()), "validation", 4)

    @settings(deadline=None, max_examples=30)
    @given(
        counts=st.lists(st.integers(6, 40), min_size=2, max_size=5).map(lambda ns: sorted(ns, reverse=True)),
        n_folds=st.integers(2, 6),
        validation_size=st.floats(0.05, 0.9),
    )
    def test_a_fold_alone_has_the_shapes_of_all(
        self, counts: list[int], n_folds: int, validation_size: float
    ) -> None:
        options: dict[str, Any] = {"n_folds": n_folds, "validation_size": validation_size}
        together = module_of(table_of(*counts), **options)
        for fold in (0, n_folds - 1):
            alone = module_of(table_of(*counts), fold=fold, **options)
            for part in ("val_dataloader", "test_dataloader"):
                whole, own = (list(getattr(data, part)()) for data in (together, alone))
                assert [chunk.row.shape[1] for chunk in own] == [chunk.row.shape[1] for chunk in whole]
                assert equal(joined(own), replica(joined(whole), fold))

    def test_rows_that_choose_the_epoch(self) -> None:
        data = module_of(table_of(30, 10), select_on="test", validation_size=None)
        self.check_part(data, list(data.val_dataloader()), "test", 12)
        assert data.counts.sum() + len(data.splits[0].test) == 40

    def test_is_repeatable(self) -> None:
        data = module_of(table_of(30, 10), replicas=2)
        loader = data.val_dataloader()
        assert equal(joined(list(loader)), joined(list(loader)))


class TestStepsPerEpoch:
    @pytest.mark.parametrize(("batch_size", "steps"), [(64, 3), (171, 1), (170, 2), (1, 171), (1000, 1)])
    def test_holdout_by_hand(self, haberman: Table, batch_size: int, steps: int) -> None:
        # 306 rows: 92 test, 43 validation, 171 training rows
        data = module_of(haberman, batch_size=batch_size)
        assert data.steps_per_epoch == len(batches_of(data)) == steps

    def test_holdout_does_not_depend_on_the_replicas(self, yeast: Table) -> None:
        found = {
            module_of(yeast, seed=seed, replicas=replicas, batch_size=1).steps_per_epoch
            for seed, replicas in ((0, 1), (0, 4), (17, 2))
        }
        assert len(found) == 1

    def test_folds_by_hand(self, haberman: Table) -> None:
        # 306 * 4/5 * 4/5 = 195.84, so 196 rows, and ceil(196 / 64) = 4
        for options in ({"replicas": 2}, {"fold": 0}, {"fold": 4, "seed": 9}):
            data = module_of(haberman, n_folds=5, batch_size=64, **options)
            assert data.steps_per_epoch == 4

    def test_folds_of_different_sizes_have_the_same_steps(self) -> None:
        # 10 rows in 3 folds train on 6 or 7 rows; 10 * 2/3 rounds to 7.
        table = table_of(6, 4)
        every = module_of(table, n_folds=3, validation_size=None, select_on="test", batch_size=1)
        assert sorted(every.counts.sum(dim=1).tolist()) == [6, 7, 7]
        assert every.steps_per_epoch == 7
        for fold in range(3):
            alone = module_of(
                table, n_folds=3, fold=fold, validation_size=None, select_on="test", batch_size=1
            )
            assert alone.steps_per_epoch == 7


class TestAnchors:
    def numbers(self, anchors: Tensor, mask: Tensor) -> list[list[list[int]]]:
        """Which rows the anchors of each replica and class are; see `table_of`."""
        assert (anchors[..., 0] == -anchors[..., 1]).all()
        return [
            [[int(a) - 1 for a in x[:, 0][m]] for x, m in zip(xs, ms, strict=True)]
            for xs, ms in zip(anchors, mask, strict=True)
        ]

    def training_rows(self, data: TableDataModule, r: int, k: int) -> set[int]:
        train = data.splits[r].train
        return set(train[data.table.y[train] == k].tolist())

    @pytest.mark.parametrize("cap", [1, 2, 4, 7, 1000])
    def test_training_rows_of_the_right_class(self, cap: int) -> None:
        data = module_of(table_of(20, 12, 4), replicas=3)
        anchors, mask = data.anchors(cap)
        # The largest class of the table has 20 rows, whatever the split.
        assert anchors.shape == (3, 3, min(cap, 20), 2)
        assert mask.shape == (3, 3, min(cap, 20))
        assert (anchors[~mask] == 0).all()
        for r, classes in enumerate(self.numbers(anchors, mask)):
            for k, rows in enumerate(classes):
                own = self.training_rows(data, r, k)
                assert len(rows) == len(set(rows)) == min(cap, len(own))
                assert set(rows) <= own

    def test_small_classes_are_masked(self) -> None:
        # 20, 12 and 4 rows: 11 test rows (6, 4, 1); 5 validation rows would be (3, 2, 0), and the third
        # class gives one too. Left are 11, 6 and 2.
        data = module_of(table_of(20, 12, 4))
        assert data.counts.tolist() == [[11, 6, 2]]
        _, mask = data.anchors(1000)
        assert mask.sum(dim=-1).tolist() == data.counts.tolist()
        # existing anchors come first
        assert (mask.long().diff(dim=-1) <= 0).all()

    def test_a_subset_is_drawn_by_seed(self) -> None:
        data = module_of(table_of(200, 20), replicas=2)
        drawn = self.numbers(*data.anchors(5))
        assert self.numbers(*data.anchors(5)) == drawn
        assert drawn[0][0] != drawn[1][0]

    def test_folds_of_one_seed_draw_differently(self) -> None:
        # The largest class gives 40 training rows in every fold: which places among them are drawn?
        data = module_of(table_of(60, 30), n_folds=3, validation_size=None, select_on="test")
        places = []
        for r, classes in enumerate(self.numbers(*data.anchors(5))):
            own = sorted(self.training_rows(data, r, 0))
            assert len(own) == 40
            places.append(tuple(own.index(row) for row in classes[0]))
        assert len(set(places)) == 3

    def test_every_row_may_be_drawn(self) -> None:
        # One anchor of 4 training rows over 60 seeds: each place is left out with chance (3/4)^60 = 3e-8.
        data = module_of(table_of(20, 8), replicas=60)
        position = []
        for r, classes in enumerate(self.numbers(*data.anchors(1))):
            own = sorted(self.training_rows(data, r, 1))
            assert len(own) == 4
            position.append(own.index(classes[1][0]))
        assert set(position) == {0, 1, 2, 3}

    @pytest.mark.parametrize("cap", [0, -1])
    def test_cap_below_one(self, cap: int) -> None:
        with pytest.raises(InputError, match=rf"players\.generator\.anchors={cap}"):
            module_of(table_of(20, 10)).anchors(cap)


class TestClassDraws:
    def draws(self) -> ClassDraws:
        # Replica 0 trains on rows 0 to 4, replica 1 on rows 2, 3, 4 and 5.
        y = torch.tensor([0, 1, 1, 2, 0, 2]).expand(2, -1)
        return ClassDraws(y, [np.array([0, 1, 2, 3, 4]), np.array([2, 3, 4, 5])], 3)

    def test_rows_of_a_class(self) -> None:
        draws = self.draws()
        assert draws.counts.tolist() == [[2, 2, 1], [1, 1, 2]]
        found = [[draws.of_class(k, r).tolist() for k in range(3)] for r in range(2)]
        assert found == [[[0, 4], [1, 2], [3]], [[4], [2], [3, 5]]]

    def test_a_class_of_probability_zero_is_never_drawn(self) -> None:
        law = torch.tensor([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]], dtype=torch.float64)
        row = self.draws().draw(law, 1, 500, Streams([0, 1], Purpose.BATCHES))[:, 0]
        assert set(row[0].tolist()) == {1, 2, 3}
        assert set(row[1].tolist()) == {4}

    def test_draws_above_the_cumulated_law_fall_on_its_last_class(self) -> None:
        # A law that sums to 0.5 leaves half of the draws above it.
        law = torch.tensor([[0.25, 0.25, 0.0], [0.25, 0.25, 0.0]], dtype=torch.float64)
        row = self.draws().draw(law, 4, 500, Streams([0, 1], Purpose.BATCHES)).flatten(1)
        assert set(row[0].tolist()) == {0, 4, 1, 2}
        assert set(row[1].tolist()) == {4, 2}
        # 0.75 of 2000 draws, standard error 19
        assert int((row[1] == 2).sum()) == pytest.approx(1500, abs=90)


class TestPieces:
    def test_pad(self) -> None:
        parts = [np.array([1, 2, 3]), np.array([4])]
        assert pad(parts).tolist() == [[1, 2, 3], [4, -1, -1]]
        assert pad(parts, 2).tolist() == [[1, 2, 3, -1], [4, -1, -1, -1]]

    def test_take(self) -> None:
        x = torch.tensor([[[1.0], [2.0], [3.0]], [[10.0], [20.0], [30.0]]])
        rows = ReplicaRows(x, torch.tensor([[0, 1, 2], [2, 1, 0]]))
        batch = rows.take(torch.tensor([[2, 0], [1, -1]]))
        assert batch.x[0].tolist() == [[3.0], [1.0]]
        assert batch.x[1, 0].tolist() == [20.0]
        assert batch.y.tolist() == [[2, 0], [1, -1]]
        assert batch.row.tolist() == [[2, 0], [1, -1]]


class TestErrors:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"replicas": 0}, r"replicas=0"),
            ({"replicas": -2}, r"replicas=-2"),
            ({"batch_size": 0}, r"dataset\.training\.batch_size=0"),
            ({"fs": 0.0}, r"fs\.ratio=0\.0"),
            ({"fs": -0.5}, r"fs\.ratio=-0\.5"),
            ({"fs": 1.01}, r"fs\.ratio=1\.01"),
            ({"fs": float("nan")}, r"fs\.ratio=nan"),
            ({"n_folds": 3, "fold": 3}, r"protocol\.fold=3: choose one of 0 to 2"),
            ({"n_folds": 1}, r"protocol\.folds=1"),
            ({"fold": 0}, r"protocol\.fold=0: there are folds only with protocol=cv"),
            ({"seed": -1}, "seed=-1"),
            ({"select_on": "all"}, r"protocol\.select_on=all"),
            ({"validation_size": None}, r"protocol\.validation_size=None"),
            ({"n_folds": 3, "fold": -1}, r"protocol\.fold=-1"),
            ({"fold": 0}, r"protocol\.fold=0"),
            ({"test_size": 1.0}, r"dataset\.split\.test_size=1\.0"),
            ({"validation_size": 1.0}, r"protocol\.validation_size=1\.0"),
        ],
        ids=str,
    )
    def test_at_once(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            TableDataModule(table_of(20, 10), PLAIN, cache_dir=Path("unused"), **options)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n_folds": 11}, r"protocol\.folds"),
            ({"test_size": None}, r"dataset\.split\.test_size"),
        ],
        ids=str,
    )
    def test_in_setup(self, options: dict[str, Any], message: str) -> None:
        data = TableDataModule(table_of(20, 10), PLAIN, cache_dir=Path("unused"), **options)
        with pytest.raises(InputError, match=message):
            data.setup()


class Own:
    """An oversampler of the user's."""

    method = "own"

    def __init__(self, rows: Callable[[Any, Any], tuple[Any, Any]]) -> None:
        self.rows = rows

    def __call__(self, x: Any, y: Any, seed: int) -> tuple[Any, Any]:
        return self.rows(x, y)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (lambda x, y: (x[:3, :1], y[:3]), r"arrays of the shapes \(3, 1\) and \(3,\) for rows of 3 columns"),
        (lambda x, y: (x[:3], y[:2]), r"arrays of the shapes \(3, 3\) and \(2,\) for rows of 3 columns"),
        (lambda x, y: (x[:3] * np.nan, y[:3]), "cells that are not finite"),
        (lambda x, y: (x[:3], y[:3] + 2), "classes other than the whole numbers from 0 to 1"),
        (lambda x, y: (np.concatenate([x, x[:3]]), np.concatenate([y, y[:3]])), "the training rows too"),
    ],
)
def test_what_an_oversampler_must_not_return_is_refused(
    haberman: Table, rows: Callable[[Any, Any], tuple[Any, Any]], problem: str
) -> None:
    with pytest.raises(InputError, match=rf"^mode\.resampling: own returns {problem}; return new rows and"):
        module_of(haberman, resampling=Own(rows))


def test_new_rows_of_an_oversampler_of_the_users_are_trained_on(haberman: Table) -> None:
    rows = Own(lambda x, y: (x[:3].astype(np.float64), y[:3].astype(np.int32)))
    data, plain = module_of(haberman, resampling=rows), module_of(haberman)
    assert (data.counts.sum(dim=1) == plain.counts.sum(dim=1) + 3).all()


def test_a_class_without_training_rows_is_refused() -> None:
    """The archive's own test part may hold all rows of a class."""
    table = make_table("own", np.arange(9.0)[:, None], list("aaaabbbcc"), ["x"], np.array([7, 8]))
    data = TableDataModule(table, PLAIN, test_size=None, cache_dir=Path("unused"))
    with pytest.raises(InputError, match=r"class 'c' has no training row.*dataset\.split\.test_size"):
        data.setup()
