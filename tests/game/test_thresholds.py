"""The moved decision: by hand, as a threshold, and the shift that is tuned."""

from math import log

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import recall_score
from torch import Tensor

from adversarial_oversampling.game.thresholds import SHIFTS, decide, tuned_shift


def logs(*rows: list[float]) -> Tensor:
    """Logarithms, with a replica axis."""
    return torch.tensor([rows], dtype=torch.float64).log()


def shift(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


class TestDecide:
    @pytest.mark.parametrize(
        ("moved", "wanted"),
        # 0.8 / 0.9^s against 0.2 / 0.1^s: even where 9^s = 4, at s = 0.6309
        [(-1.0, 0), (0.0, 0), (0.63, 0), (0.632, 1), (1.0, 1), (3.0, 1)],
    )
    def test_two_classes_by_hand(self, moved: float, wanted: int) -> None:
        assert decide(logs([0.8, 0.2]), shift(moved), logs([0.9, 0.1])[0]).tolist() == [[wanted]]

    @pytest.mark.parametrize(
        ("moved", "wanted"),
        # p / prior^s: (0.5, 0.3, 0.2); (0.645, 0.548, 0.632); (0.679, 0.618, 0.796); (0.833, 1, 2)
        [(0.0, 0), (0.5, 0), (0.6, 2), (1.0, 2)],
    )
    def test_three_classes_by_hand(self, moved: float, wanted: int) -> None:
        prior = logs([0.6, 0.3, 0.1])[0]
        assert decide(logs([0.5, 0.3, 0.2]), shift(moved), prior).tolist() == [[wanted]]

    def test_a_negative_shift_favours_the_frequent_class(self) -> None:
        prior = logs([0.9, 0.1])[0]
        assert decide(logs([0.4, 0.6]), shift(0.0), prior).tolist() == [[1]]
        assert decide(logs([0.4, 0.6]), shift(-1.0), prior).tolist() == [[0]]

    def test_every_replica_has_its_own_shift_and_prior(self) -> None:
        logits = logs([0.8, 0.2], [0.99, 0.01]).expand(3, 2, 2)
        prior = torch.cat([logs([0.9, 0.1])[0], logs([0.9, 0.1])[0], logs([0.5, 0.5])[0]])
        found = decide(logits, torch.tensor([0.0, 1.0, 1.0]), prior)
        assert found.tolist() == [[0, 0], [1, 0], [0, 0]]
        assert found.dtype == torch.int64

    def test_no_shift_is_the_largest_logit(self) -> None:
        logits = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(0))
        prior = torch.tensor([[0.7, 0.1, 0.1, 0.1]]).log().expand(2, 4)
        assert torch.equal(decide(logits, torch.zeros(2), prior), logits.argmax(dim=-1))

    @settings(deadline=None, max_examples=80)
    @given(threshold=st.floats(0.01, 0.99), p=st.floats(0.01, 0.99), share=st.floats(0.51, 0.99))
    def test_every_threshold_of_two_classes_is_some_shift(
        self, threshold: float, p: float, share: float
    ) -> None:
        # log(p / (1 - p)) > log(t / (1 - t)) = s log(prior_1 / prior_0)
        assume(abs(p - threshold) > 1e-6)
        prior = logs([share, 1 - share])[0]
        s = log(threshold / (1 - threshold)) / log((1 - share) / share)
        assert decide(logs([1 - p, p]), shift(s), prior).tolist() == [[int(p > threshold)]]


class TestTunedShift:
    # Prior 4 to 1: class 1 is said where logit_1 - logit_0 > -s ln 4, with ln 4 = 1.3863.
    prior = torch.tensor([[0.8, 0.2]]).log()

    def test_grid(self) -> None:
        assert len(SHIFTS) == 81
        assert SHIFTS[[0, 20, 40, -1]].tolist() == pytest.approx([-1, 0, 1, 3], abs=1e-7)
        assert SHIFTS.diff().tolist() == pytest.approx([0.05] * 80, rel=1e-5)

    def test_two_classes_by_hand(self) -> None:
        # The row of class 1 (-1) is right for s > 0.7213, that of class 0 (-2) for s < 1.4427: both for the
        # fourteen shifts 0.75, 0.8, ..., 1.4, of which 1.05 is the seventh.
        logits = torch.tensor([[[0.0, -1.0], [0.0, -2.0]]])
        found = tuned_shift(logits, torch.tensor([[1, 0]]), self.prior)
        assert found.tolist() == pytest.approx([1.05])
        assert found[0] in SHIFTS

    def test_an_odd_number_of_ties_gives_the_middle(self) -> None:
        # -1.9 is right for s < 1.3706: thirteen shifts, 0.75 to 1.35
        logits = torch.tensor([[[0.0, -1.0], [0.0, -1.9]]])
        assert tuned_shift(logits, torch.tensor([[1, 0]]), self.prior).tolist() == pytest.approx([1.05])
        logits = torch.tensor([[[0.0, -1.0], [0.0, -1.1]]])  # s < 0.7935: 0.75 alone
        assert tuned_shift(logits, torch.tensor([[1, 0]]), self.prior).tolist() == pytest.approx([0.75])

    def test_where_nothing_differs_the_middle_of_all(self) -> None:
        # Even classes: no shift moves a decision.
        prior = torch.tensor([[0.5, 0.5]]).log()
        logits = torch.tensor([[[0.0, -1.0], [3.0, -2.0]]])
        assert tuned_shift(logits, torch.tensor([[1, 0]]), prior).tolist() == [1.0]

    def test_recalls_count_and_not_rows(self) -> None:
        # Nine rows of class 0 at -1, one of class 1 at -1.2: accuracy is best where all are class 0, mean
        # recall is 1/2 there and everywhere else. A second row of class 1 at 0 is right for s > 0: from 0.05
        # to 0.7 the mean recall is 3/4; then class 0 is lost. The seventh of fourteen shifts is 0.35.
        logits = torch.tensor([[[0.0, -1.0]] * 9 + [[0.0, -1.2], [0.0, 0.0]]])
        classes = torch.tensor([[0] * 9 + [1, 1]])
        assert tuned_shift(logits, classes, self.prior).tolist() == pytest.approx([0.35])

    def test_padding_and_other_replicas_do_not_count(self) -> None:
        rows = torch.tensor([[[0.0, -1.0], [0.0, -2.0], [0.0, -9.0]], [[0.0, 0.5], [0.0, 0.1], [0.0, 9.0]]])
        # Second replica: 0.5 is right for s > -0.3607, 0.1 for s < -0.0721: -0.35 to -0.1, six, -0.25 third.
        classes = torch.tensor([[1, 0, -1], [1, 0, -1]])
        found = tuned_shift(rows, classes, self.prior.expand(2, 2))
        assert found.tolist() == pytest.approx([1.05, -0.25])

    def test_a_replica_without_numbers_leaves_the_others_alone(self) -> None:
        rows = torch.tensor([[[torch.nan, torch.nan], [torch.nan, 0.0]], [[0.0, -1.0], [0.0, -2.0]]])
        found = tuned_shift(rows, torch.tensor([[1, 0], [1, 0]]), self.prior.expand(2, 2))
        assert found[0] in SHIFTS
        assert float(found[1]) == pytest.approx(1.05)

    def test_a_class_without_rows_is_ignored(self) -> None:
        # Both rows are right at 0 and until class 1 takes them; nobody is of class 1.
        prior = torch.tensor([[0.6, 0.1, 0.3]]).log()
        logits = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 0.0, 0.5]]])
        found = tuned_shift(logits, torch.tensor([[0, 2]]), prior)
        assert decide(logits, found, prior).tolist() == [[0, 2]]

    @settings(deadline=None, max_examples=8)
    @given(seed=st.integers(0, 2**31), classes=st.integers(2, 4))
    def test_the_middle_of_the_best_shifts_is_chosen(self, seed: int, classes: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(1, 20, classes, generator=generator)
        y = torch.cat([torch.arange(classes), torch.zeros(20 - classes, dtype=torch.long)])[None]
        prior = torch.bincount(y[0]).float()[None].log() - log(20)
        scores = []
        for s in SHIFTS:
            said = (logits[0] - s * prior).argmax(dim=-1)
            scores.append(float(np.mean(recall_score(y[0], said, average=None))))
        best = [i for i, score in enumerate(scores) if score > max(scores) - 1e-9]
        assert float(tuned_shift(logits, y, prior)) == float(SHIFTS[best[(len(best) - 1) // 2]])
