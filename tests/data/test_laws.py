"""Class laws by hand, and what holds for every table."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adversarial_oversampling.data.laws import (
    LAWS,
    Law,
    balanced,
    deficit,
    inverse,
    oversampled,
    real,
    to_balance,
)

TWO = torch.tensor([[90, 10]])
THREE = torch.tensor([[463, 44, 5]])  # 512 rows

tables = st.lists(st.integers(1, 500), min_size=2, max_size=10)
rates = st.none() | st.floats(0.001, 1.0)
every_law = pytest.mark.parametrize("law", list(LAWS.values()), ids=list(LAWS))


def check(law: Tensor, *wanted: Fraction | float | int) -> None:
    expected = torch.tensor([[float(p) for p in wanted]], dtype=torch.float64)
    torch.testing.assert_close(law, expected, rtol=1e-13, atol=0)


class TestByHand:
    def test_names(self) -> None:
        assert list(LAWS) == ["real", "balanced", "inverse", "oversampled", "deficit", "to_balance"]
        assert list(LAWS.values()) == [real, balanced, inverse, oversampled, deficit, to_balance]

    @pytest.mark.parametrize("fs", [None, 0.25, 0.5, 1.0])
    def test_laws_without_a_rate(self, fs: float | None) -> None:
        check(real(TWO, fs), 0.9, 0.1)
        check(balanced(TWO, fs), 0.5, 0.5)
        # 1/90 and 1/10 are 1/90 and 9/90
        check(inverse(TWO, fs), 0.1, 0.9)
        check(real(THREE, fs), 463 / 512, 44 / 512, 5 / 512)
        check(balanced(THREE, fs), 1 / 3, 1 / 3, 1 / 3)
        # 1/463 : 1/44 : 1/5 = 44*5 : 463*5 : 463*44 = 220 : 2315 : 20372, in all 22907
        check(inverse(THREE, fs), 220 / 22907, 2315 / 22907, 20372 / 22907)

    def test_oversampled_two_classes(self) -> None:
        check(oversampled(TWO, None), 0.9, 0.1)
        check(oversampled(TWO, 0.25), 0.8, 0.2)  # 90 and 22.5
        check(oversampled(TWO, 0.5), 2 / 3, 1 / 3)  # 90 and 45
        check(oversampled(TWO, 0.75), 4 / 7, 3 / 7)  # 90 and 67.5
        check(oversampled(TWO, 1.0), 0.5, 0.5)

    def test_oversampled_three_classes(self) -> None:
        check(oversampled(THREE, None), 463 / 512, 44 / 512, 5 / 512)
        # 0.05 * 463 = 23.15 lifts only the smallest class; in all 530.15
        check(oversampled(THREE, 0.05), 463 / 530.15, 44 / 530.15, 23.15 / 530.15)
        check(oversampled(THREE, 0.25), 2 / 3, 1 / 6, 1 / 6)  # 463, 115.75, 115.75
        check(oversampled(THREE, 0.5), 0.5, 0.25, 0.25)  # 463, 231.5, 231.5
        check(oversampled(THREE, 1.0), 1 / 3, 1 / 3, 1 / 3)

    def test_deficit_two_classes(self) -> None:
        for fs in (0.25, 0.5, 1.0):
            check(deficit(TWO, fs), 0, 1)

    def test_deficit_three_classes(self) -> None:
        check(deficit(THREE, 0.05), 0, 0, 1)  # only the smallest lacks rows
        check(deficit(THREE, 0.25), 0, 71.75 / 182.5, 110.75 / 182.5)  # 115.75 - 44, 115.75 - 5
        check(deficit(THREE, 0.5), 0, 187.5 / 414, 226.5 / 414)  # 231.5 - 44, 231.5 - 5
        check(deficit(THREE, 1.0), 0, 419 / 877, 458 / 877)  # 463 - 44, 463 - 5

    def test_deficit_is_zero_at_the_natural_rate(self) -> None:
        check(deficit(torch.tensor([[25, 7]]), 7 / 25), 0, 0)  # 0.28 * 25 is 7.000000000000001

    def test_deficit_is_zero_where_nothing_lacks(self) -> None:
        check(deficit(TWO, None), 0, 0)
        check(deficit(TWO, 0.1), 0, 0)
        check(deficit(TWO, 0.01), 0, 0)
        check(deficit(torch.tensor([[7, 7, 7]]), 1.0), 0, 0, 0)

    @pytest.mark.parametrize("fs", [None, 0.05, 0.5, 1.0])
    def test_to_balance_is_the_same_at_every_rate(self, fs: float | None) -> None:
        check(to_balance(TWO, fs), 0, 1)  # 90 - 10 in all
        check(to_balance(THREE, fs), 0, 419 / 877, 458 / 877)  # 463 - 44, 463 - 5
        check(to_balance(torch.tensor([[10, 40, 20]]), fs), 30 / 50, 0, 20 / 50)
        check(to_balance(torch.tensor([[40, 40, 20]]), fs), 0, 0, 1)
        check(to_balance(torch.tensor([[7, 7, 7]]), fs), 0, 0, 0)

    def test_the_largest_class_need_not_come_first(self) -> None:
        # 10, 40, 20 at a half: 20, 40, 20; lacking are 10, 0, 0
        counts = torch.tensor([[10, 40, 20]])
        check(oversampled(counts, 0.5), 0.25, 0.5, 0.25)
        check(deficit(counts, 0.5), 1, 0, 0)

    def test_every_replica_has_its_own_largest_class(self) -> None:
        counts = torch.tensor([[90, 10], [10, 30]])
        law = oversampled(counts, 0.5)
        check(law[:1], 2 / 3, 1 / 3)
        check(law[1:], 1 / 3, 2 / 3)  # 15 and 30


class TestProperties:
    @every_law
    @settings(deadline=None, max_examples=40)
    @given(counts=tables, fs=rates)
    def test_are_laws(self, law: Law, counts: list[int], fs: float | None) -> None:
        p = law(torch.tensor([counts]), fs)
        assert p.shape == (1, len(counts))
        assert p.dtype == torch.float64
        assert (p >= 0).all()
        total = float(p.sum())
        nothing_lacks = law is deficit or (law is to_balance and len(set(counts)) == 1)
        assert total == pytest.approx(1) or (nothing_lacks and total == 0)

    @every_law
    @settings(deadline=None, max_examples=40)
    @given(counts=tables, fs=rates, data=st.data())
    def test_follow_a_permutation_of_the_classes(
        self, law: Law, counts: list[int], fs: float | None, data: st.DataObject
    ) -> None:
        order = torch.tensor(data.draw(st.permutations(range(len(counts)))))
        table = torch.tensor([counts])
        torch.testing.assert_close(law(table[:, order], fs), law(table, fs)[:, order], rtol=1e-12, atol=1e-15)

    @every_law
    @settings(deadline=None, max_examples=30)
    @given(shape=st.tuples(st.integers(1, 5), st.integers(2, 6)), seed=st.integers(0, 2**31), fs=rates)
    def test_replicas_are_independent(
        self, law: Law, shape: tuple[int, int], seed: int, fs: float | None
    ) -> None:
        counts = torch.randint(1, 300, shape, generator=torch.Generator().manual_seed(seed))
        together = law(counts, fs)
        for r in range(shape[0]):
            assert torch.equal(together[r : r + 1], law(counts[r : r + 1], fs))

    @settings(deadline=None, max_examples=40)
    @given(counts=st.lists(st.integers(1, 10**6), min_size=2, max_size=2))
    def test_real_and_inverse_of_two_classes_add_up_to_uniform(self, counts: list[int]) -> None:
        table = torch.tensor([counts])
        torch.testing.assert_close(real(table) + inverse(table), 2 * balanced(table), rtol=1e-12, atol=0)

    @settings(deadline=None, max_examples=40)
    @given(counts=tables)
    def test_inverse_times_real_is_the_same_for_every_class(self, counts: list[int]) -> None:
        both = real(torch.tensor([counts])) * inverse(torch.tensor([counts]))
        torch.testing.assert_close(both, both[:, :1].expand_as(both), rtol=1e-12, atol=0)

    @settings(deadline=None, max_examples=40)
    @given(counts=tables)
    def test_full_rate_balances(self, counts: list[int]) -> None:
        table = torch.tensor([counts])
        torch.testing.assert_close(oversampled(table, 1.0), balanced(table), rtol=1e-12, atol=0)

    @settings(deadline=None, max_examples=40)
    @given(counts=tables, fs=rates)
    def test_to_balance_gives_rare_classes_more_and_the_largest_nothing(
        self, counts: list[int], fs: float | None
    ) -> None:
        p = to_balance(torch.tensor([counts]), fs)[0].tolist()
        assert all(p[k] == 0 for k, n in enumerate(counts) if n == max(counts))
        assert all(p[k] > 0 for k, n in enumerate(counts) if n < max(counts))
        by_size = [chance for _, chance in sorted(zip(counts, p, strict=True))]
        assert by_size == sorted(by_size, reverse=True)

    @settings(deadline=None, max_examples=60)
    @given(counts=tables, low=st.floats(0.001, 1), high=st.floats(0.001, 1))
    def test_smallest_class_grows_with_the_rate(self, counts: list[int], low: float, high: float) -> None:
        low, high = sorted((low, high))
        table, smallest = torch.tensor([counts]), counts.index(min(counts))
        before, after = oversampled(table, low)[0, smallest], oversampled(table, high)[0, smallest]
        assert after >= before - 1e-12

    @settings(deadline=None, max_examples=40)
    @given(counts=tables, part=st.floats(0.001, 0.999))
    def test_a_rate_below_the_natural_one_changes_nothing(self, counts: list[int], part: float) -> None:
        table, fs = torch.tensor([counts]), part * min(counts) / max(counts)
        assert torch.equal(oversampled(table, fs), real(table))
        assert torch.equal(oversampled(table, None), real(table))
        assert (deficit(table, fs) == 0).all()
        assert (deficit(table, None) == 0).all()

    @settings(deadline=None, max_examples=40)
    @given(counts=tables, fs=st.floats(0.001, 1.0))
    def test_ratio_of_smallest_to_largest_is_the_rate(self, counts: list[int], fs: float) -> None:
        p = oversampled(torch.tensor([counts]), fs)
        natural = min(counts) / max(counts)
        assert float(p.min() / p.max()) == pytest.approx(max(fs, natural))

    @settings(deadline=None, max_examples=40)
    @given(counts=tables, fs=st.floats(0.001, 1.0))
    def test_real_rows_and_what_they_lack_make_the_oversampled_law(
        self, counts: list[int], fs: float
    ) -> None:
        # n_k + (t_k - n_k) = t_k
        table = torch.tensor([counts])
        lacking = sum(max(0.0, fs * max(counts) - n) for n in counts)
        total = sum(counts) + lacking
        mixture = (sum(counts) * real(table) + lacking * deficit(table, fs)) / total
        torch.testing.assert_close(mixture, oversampled(table, fs), rtol=1e-9, atol=1e-12)
