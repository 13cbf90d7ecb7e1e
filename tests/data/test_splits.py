"""Splits: disjoint, complete, the same shape for every seed, and kind to tiny classes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adversarial_oversampling.data.sources import load_secom, load_wafer, load_yeast
from adversarial_oversampling.data.splits import (
    Split,
    allocate,
    folds,
    grouped_part,
    holdout,
    stratified_part,
)
from adversarial_oversampling.data.table import Table, make_table
from adversarial_oversampling.errors import InputError

YEAST_SIZES = [463, 429, 244, 163, 51, 44, 35, 30, 20]

sizes = st.floats(0.02, 0.98)
seeds = st.integers(0, 2**40)
class_sizes = st.lists(st.integers(2, 40), min_size=2, max_size=6).map(lambda ns: sorted(ns, reverse=True))


def table_of(counts: list[int], test_rows: np.ndarray | None = None) -> Table:
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    # Letters keep the order of the classes where two have one size.
    labels = [chr(ord("a") + k) for k in y]
    return make_table("t", np.arange(len(y), dtype=float)[:, None], labels, ["v"], test_rows)


def grouped(table: Table, groups: int) -> Table:
    """Give every row one of so many groups, each class to all of them in turn."""
    members = np.empty(len(table.y), np.int64)
    for k in range(len(table.class_names)):
        rows = np.flatnonzero(table.y == k)
        members[rows] = np.arange(len(rows)) % groups
    return replace(table, groups=np.unique(members, return_inverse=True)[1])


def counts_of(table: Table, split: Split) -> list[list[int]]:
    n_classes = len(table.class_names)
    return [
        np.bincount(table.y[rows], minlength=n_classes).tolist()
        for rows in (split.train, split.validation, split.test)
    ]


def check_partition(table: Table, split: Split) -> None:
    parts = (split.train, split.validation, split.test)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(table.y)))
    for rows in parts:
        assert rows.dtype == np.int64
        assert (np.diff(rows) > 0).all()


class TestAllocate:
    def test_hand_computed(self) -> None:
        # 0.3 of 17 rows is 5.1, so 6 rows. Shares 6 * (9, 5, 3) / 17 = 3.18, 1.76, 1.06: the row that is
        # left after 3 + 1 + 1 goes to the second class.
        assert allocate(np.array([9, 5, 3]), 0.3).tolist() == [3, 2, 1]

    def test_equal_remainders_favour_the_lower_index(self) -> None:
        # 4 rows over three equal classes: 1.33 each.
        assert allocate(np.array([4, 4, 4]), 1 / 3).tolist() == [2, 1, 1]

    def test_both_sides_keep_a_row_of_a_tiny_class(self) -> None:
        assert allocate(np.array([96, 2, 2]), 0.1).tolist() == [10, 1, 1]
        assert allocate(np.array([96, 2, 2]), 0.9).tolist() == [86, 1, 1]

    def test_single_row_stays(self) -> None:
        assert allocate(np.array([5, 1]), 0.9)[1] == 0

    def test_size_is_not_rounded_up_by_floating_point(self) -> None:
        assert 0.07 * 100 > 7
        assert allocate(np.array([100]), 0.07).tolist() == [7]

    def test_secom(self) -> None:
        assert allocate(np.array([1463, 104]), 0.3).tolist() == [440, 31]

    @given(st.lists(st.integers(0, 60), min_size=1, max_size=8).filter(any), sizes)
    def test_bounds(self, counts: list[int], size: float) -> None:
        n = np.array(counts)
        given_ = allocate(n, size)
        assert (given_[n >= 2] >= 1).all()
        assert (given_[n >= 2] < n[n >= 2]).all()
        assert (given_[n < 2] == 0).all()
        # Within one row of the share, but where the guarantees say otherwise.
        share = size * n
        assert (np.abs(given_ - share)[n >= 2] < 2).all()


class TestStratifiedPart:
    @given(st.integers(0, 5), seeds, sizes)
    def test_rarest_class_of_yeast(self, n_rare: int, seed: int, size: float) -> None:
        y = np.repeat(np.arange(10), [*YEAST_SIZES, 5])
        rows = np.random.default_rng(1).permutation(len(y) - 5 + n_rare)
        rest, part = stratified_part(y, rows, size, np.random.default_rng(seed))
        assert np.array_equal(np.sort(np.concatenate([rest, part])), np.sort(rows))
        kept, given_ = np.bincount(y[rest], minlength=10)[9], np.bincount(y[part], minlength=10)[9]
        assert kept + given_ == n_rare
        assert kept >= min(1, n_rare)
        assert given_ >= (n_rare >= 2)
        assert (np.bincount(y[part], minlength=10)[:9] >= 1).all()


class TestHoldout:
    @given(class_sizes, sizes, st.one_of(st.none(), st.just(0), sizes), seeds)
    def test_partition(self, counts: list[int], test: float, validation: float | None, seed: int) -> None:
        table = table_of(counts)
        split = holdout(table, test, validation, seed)
        check_partition(table, split)
        assert split.fold is None
        in_train, in_validation, in_test = map(np.array, counts_of(table, split))
        assert (in_train >= 1).all()
        assert (in_test >= 1).all()
        if not validation:
            assert len(split.validation) == 0
        else:
            # A class gives a row to validation whenever it has two to divide.
            assert ((in_validation >= 1) | (in_train == 1)).all()

    @given(class_sizes, sizes, sizes, seeds, seeds)
    def test_counts_do_not_depend_on_the_seed(
        self, counts: list[int], test: float, validation: float, seed: int, other: int
    ) -> None:
        table = table_of(counts)
        first, second = (holdout(table, test, validation, s) for s in (seed, other))
        assert counts_of(table, first) == counts_of(table, second)

    def test_seeds(self) -> None:
        table = table_of([60, 40])
        first, again, other = (holdout(table, 0.3, 0.2, seed) for seed in (3, 3, 4))
        assert np.array_equal(first.test, again.test)
        assert np.array_equal(first.validation, again.validation)
        assert not np.array_equal(first.test, other.test)
        assert not np.array_equal(first.validation, other.validation)

    def test_test_rows_do_not_depend_on_the_validation_size(self) -> None:
        table = table_of([60, 40])
        assert np.array_equal(holdout(table, 0.3, 0.2, 5).test, holdout(table, 0.3, None, 5).test)

    def test_streams_differ(self) -> None:
        # With equal streams the two draws would take the same places of a class.
        y = np.repeat([0, 1], [20, 20])
        table = make_table("t", np.arange(40.0)[:, None], ["ab"[k] for k in y], ["v"], np.arange(0))
        drawn = holdout(table, 0.5, None, 0).test
        inner = holdout(table, None, 0.5, 0).validation
        assert len(drawn) == len(inner)
        assert not np.array_equal(drawn, inner)

    def test_archive_rows(self) -> None:
        table = table_of([6, 4], test_rows=np.array([7, 2, 5]))
        split = holdout(table, None, None, 0)
        assert split.test.tolist() == [2, 5, 7]
        check_partition(table, split)

    def test_test_size_overrides_the_archive(self) -> None:
        table = table_of([60, 40], test_rows=np.arange(5))
        assert len(holdout(table, 0.3, None, 0).test) == 30

    def test_secom_counts_of_the_paper(self, data_dir: Path) -> None:
        table = load_secom(data_dir=str(data_dir), cache_dir="unused")
        for seed in range(5):
            assert counts_of(table, holdout(table, 0.3, None, seed)) == [[1023, 73], [0, 0], [440, 31]]

    def test_wafer_counts_of_the_paper(self, data_dir: Path) -> None:
        table = load_wafer(data_dir=str(data_dir), cache_dir="unused")
        assert counts_of(table, holdout(table, None, None, 0)) == [[903, 97], [0, 0], [5499, 665]]

    def test_yeast_has_every_class_on_every_side(self) -> None:
        table = load_yeast(data_dir=None)
        for part in counts_of(table, holdout(table, 0.5, 0.2, 0)):
            assert min(part) >= 1

    @pytest.mark.parametrize("size", [1, 1.0, -0.1, 1.5, 30, float("nan"), "0.3"])
    def test_bad_test_size(self, size: float) -> None:
        with pytest.raises(InputError, match=r"^dataset\.split\.test_size="):
            holdout(table_of([6, 4]), size, None, 0)

    def test_no_test_rows_to_take(self) -> None:
        with pytest.raises(InputError, match=r"^dataset\.split\.test_size=None: .*no test rows of its own"):
            holdout(table_of([6, 4]), None, None, 0)

    @pytest.mark.parametrize("size", [1, -0.1, 1.5, float("nan"), "0.2"])
    def test_bad_validation_size(self, size: float) -> None:
        with pytest.raises(InputError, match=r"^protocol\.validation_size="):
            holdout(table_of([6, 4]), 0.3, size, 0)

    def test_negative_seed(self) -> None:
        with pytest.raises(InputError, match=r"^seed=-1: "):
            holdout(table_of([6, 4]), 0.3, None, -1)


class TestFolds:
    @given(class_sizes, st.integers(2, 5), st.one_of(st.none(), sizes), seeds)
    def test_partition(self, counts: list[int], n: int, validation: float | None, seed: int) -> None:
        table = table_of(counts)
        if n > counts[-1]:
            return
        splits = folds(table, n, validation, seed)
        assert [split.fold for split in splits] == list(range(n))
        tested = np.concatenate([split.test for split in splits])
        assert np.array_equal(np.sort(tested), np.arange(len(table.y)))
        for split in splits:
            check_partition(table, split)
            in_train, in_validation, in_test = map(np.array, counts_of(table, split))
            assert (in_train >= 1).all()
            assert (in_test >= 1).all()
            assert validation is None or ((in_validation >= 1) | (in_train == 1)).all()

    def test_seeds(self) -> None:
        table = table_of([60, 40])
        first, again, other = (folds(table, 5, 0.2, seed)[0] for seed in (3, 3, 4))
        assert np.array_equal(first.test, again.test)
        assert np.array_equal(first.validation, again.validation)
        assert not np.array_equal(first.test, other.test)

    def test_counts_do_not_depend_on_the_seed(self) -> None:
        table = load_yeast(data_dir=None)
        first, other = (folds(table, 3, 0.2, seed) for seed in (0, 1))
        assert [counts_of(table, split) for split in first] == [counts_of(table, split) for split in other]

    def test_yeast_in_five_folds(self) -> None:
        table = load_yeast(data_dir=None)
        for split in folds(table, 5, 0.2, 0):
            in_train, in_validation, in_test = counts_of(table, split)
            assert in_test[9] == 1
            assert in_validation[9] == 1
            assert in_train[9] == 3

    def test_archive_split_is_pooled(self) -> None:
        table = table_of([6, 4], test_rows=np.arange(5))
        tested = np.concatenate([split.test for split in folds(table, 2, None, 0)])
        assert np.array_equal(np.sort(tested), np.arange(10))

    def test_too_many_folds(self) -> None:
        with pytest.raises(InputError, match=r"^protocol\.folds=5: class 'b' .* has 4 rows"):
            folds(table_of([6, 4]), 5, None, 0)

    def test_too_few_folds(self) -> None:
        with pytest.raises(InputError, match=r"^protocol\.folds=1: give a whole number of at least 2"):
            folds(table_of([6, 4]), 1, None, 0)

    def test_bad_validation_size(self) -> None:
        with pytest.raises(InputError, match=r"^protocol\.validation_size="):
            folds(table_of([6, 4]), 2, 1.0, 0)


class TestGroups:
    def test_hand_computed(self) -> None:
        # Half of 6 and 4 rows is 3 and 2. Groups 0 and 2 have rows (2, 0) of the classes, 1 and 3 have
        # (1, 2): one of each has (3, 2), and a third group never brings the part closer to that.
        y = np.array([0, 0, 0, 1, 1, 0, 0, 0, 1, 1])
        groups = np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 3])
        drawn = set()
        for seed in range(50):
            rest, part = grouped_part(y, groups, np.arange(10), 0.5, np.random.default_rng(seed))
            assert np.bincount(y[part]).tolist() == [3, 2]
            assert sorted([*rest, *part]) == list(range(10))
            drawn.add(tuple(np.unique(groups[part]).tolist()))
        assert drawn == {(0, 1), (0, 3), (1, 2), (2, 3)}

    def test_a_class_of_two_groups_is_on_both_sides(self) -> None:
        # The rare class is in groups 8 and 9 alone, which are never both drawn, and one of them always is.
        y, groups = np.array([0] * 80 + [1, 1, 1, 1]), np.array([*np.repeat(np.arange(8), 10), 8, 8, 9, 9])
        for seed in range(50):
            rest, part = grouped_part(y, groups, np.arange(84), 0.1, np.random.default_rng(seed))
            assert np.bincount(y[part]).tolist()[1] == np.bincount(y[rest]).tolist()[1] == 2

    def test_one_group_may_give_a_row_of_several_classes(self) -> None:
        # Any of the groups 8 to 10 gives both rare classes a row, and no second one is needed.
        y = np.array([0] * 80 + [1, 1, 1, 2, 2, 2])
        groups = np.array([*np.repeat(np.arange(8), 10), 8, 9, 10, 8, 9, 10])
        for seed in range(20):
            _, part = grouped_part(y, groups, np.arange(86), 0.1, np.random.default_rng(seed))
            assert np.bincount(y[part]).tolist()[1:] == [1, 1]

    @given(class_sizes, st.integers(2, 12), sizes, st.one_of(st.none(), sizes), seeds)
    def test_holdout(
        self, counts: list[int], groups: int, test: float, validation: float | None, seed: int
    ) -> None:
        table = grouped(table_of(counts), groups)
        split = holdout(table, test, validation, seed)
        check_partition(table, split)
        self.check_apart(table, split)
        in_train, _, in_test = map(np.array, counts_of(table, split))
        assert (in_train >= 1).all()
        assert (in_test >= 1).all()

    def test_parts_are_close_to_their_size(self) -> None:
        """As every group of this table has 1 % of its rows."""
        rng = np.random.default_rng(0)
        table = replace(table_of([600, 300, 100]), groups=rng.permutation(np.arange(1000) % 100))
        for seed in range(10):
            _, validation, test = counts_of(table, holdout(table, 0.3, 0.2, seed))
            assert (np.abs(np.array(test) - [180, 90, 30]) <= [25, 15, 6]).all()
            assert (np.abs(np.array(validation) - [84, 42, 14]) <= [25, 15, 6]).all()

    def test_seeds(self) -> None:
        table = grouped(table_of([60, 40]), 20)
        first, again, other = (holdout(table, 0.3, 0.2, seed) for seed in (3, 3, 4))
        assert np.array_equal(first.test, again.test)
        assert np.array_equal(first.validation, again.validation)
        assert not np.array_equal(first.test, other.test)

    @given(class_sizes, st.integers(2, 12), st.integers(2, 4), seeds)
    def test_folds(self, counts: list[int], groups: int, n: int, seed: int) -> None:
        table = grouped(table_of(counts), groups)
        try:
            splits = folds(table, n, 0.2, seed)
        except InputError:  # a class has too few rows or groups
            return
        assert sorted(np.concatenate([split.test for split in splits])) == list(range(len(table.y)))
        for split in splits:
            check_partition(table, split)
            self.check_apart(table, split)
            assert (np.array(counts_of(table, split)[2]) >= 1).all()

    def test_folds_of_many_groups(self) -> None:
        table = grouped(table_of([60, 40]), 20)
        for split in folds(table, 5, 0.2, 0):
            self.check_apart(table, split)
            assert counts_of(table, split)[2] == [12, 8]

    def check_apart(self, table: Table, split: Split) -> None:
        assert table.groups is not None
        parts = [set(table.groups[rows]) for rows in (split.train, split.validation, split.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == table.groups.max() + 1

    def test_more_folds_than_groups(self) -> None:
        with pytest.raises(InputError, match=r"protocol.folds=5: dataset t has 4 groups; give at most 4"):
            folds(grouped(table_of([30, 20]), 4), 5, 0.2, 0)

    def test_a_class_without_a_test_row(self) -> None:
        # Group 0 has all rows of class b but one, and group 1 that one and all rows of class c but one.
        table = make_table("t", np.arange(12.0)[:, None], list("aaaabbbbcccc"), ["v"])
        table = replace(table, groups=np.array([2, 2, 3, 3, 0, 0, 0, 1, 1, 1, 1, 2]))
        with pytest.raises(InputError, match=r"seed=0 protocol.folds=4: there is no test row of class '\w'"):
            folds(table, 4, 0.2, 0)

    def test_groups_are_a_part_of_the_digest(self) -> None:
        table = table_of([6, 4])
        digests = {grouped(table, n).digest for n in (2, 3)} | {table.digest}
        assert len(digests) == 3
