"""How varied generated rows are, by hand."""

from math import sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adversarial_oversampling.game import diversity as module
from adversarial_oversampling.game.diversity import (
    Distances,
    anchor_entropy,
    distances,
    distances_within,
    distinct_anchors,
    diversity,
    perplexity,
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class TestPerplexity:
    def test_by_hand(self) -> None:
        # Uniform over 4: 4. One anchor: 1. Half and half: 2.
        # (1/2, 1/4, 1/4): entropy (1/2) ln 2 + (1/2) ln 4 = 1.5 ln 2, so 2^1.5.
        weights = torch.tensor(
            [[0.25, 0.25, 0.25, 0.25], [0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.5, 0.0], [0.5, 0.25, 0.25, 0.0]]
        )
        found = perplexity(weights[None, :, None])
        assert found.shape == (1, 4)
        assert found[0].tolist() == pytest.approx([4, 1, 2, 2**1.5])

    def test_mean_over_samples(self) -> None:
        # a sample that uses one anchor and one that uses both: (1 + 2) / 2
        assert perplexity(torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]])).tolist() == [[1.5]]

    @settings(deadline=None, max_examples=25)
    @given(seed=st.integers(0, 2**31), count=st.integers(1, 20), scale=st.floats(0, 20))
    def test_lies_between_one_and_all(self, seed: int, count: int, scale: float) -> None:
        found = perplexity((scale * drawn(2, 3, 4, count, seed=seed)).softmax(dim=-1))
        assert ((found >= 1 - 1e-4) & (found <= count * (1 + 1e-4))).all()


def test_distinct_anchors_by_hand() -> None:
    # Three samples lean on anchors 0, 0 and 2: 2 of at most 3. Of the second class only two anchors exist.
    first = [[0.9, 0.1, 0.0, 0.0], [0.6, 0.4, 0.0, 0.0], [0.1, 0.2, 0.7, 0.0]]
    second = [[0.9, 0.1, 0.0, 0.0], [0.2, 0.8, 0.0, 0.0], [0.1, 0.9, 0.0, 0.0]]
    present = torch.tensor([[[True] * 4, [True, True, False, False]]])
    found = distinct_anchors(torch.tensor([[first, second]]), present)
    assert found[0].tolist() == pytest.approx([2 / 3, 1.0])


def test_distances_within_by_hand() -> None:
    # (0, 0), (3, 4), (0, 1): distances 5, 1 and sqrt(18). A class with one row has none.
    rows = torch.tensor([[[[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]]])
    present = torch.tensor([[[True, True, True], [True, False, False]]])
    found = distances_within(rows, present)
    assert found.nearest[0, 0].item() == pytest.approx((1 + sqrt(18) + 1) / 3)
    assert found.between[0, 0].item() == pytest.approx((5 + 1 + sqrt(18)) / 3)
    assert found.nearest[0, 1].isnan()
    assert found.between[0, 1].isnan()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), m=st.integers(1, 4), n=st.integers(1, 4), d=st.integers(1, 5))
def test_distances_are_euclidean(seed: int, m: int, n: int, d: int) -> None:
    a, b = drawn(2, 3, m, d, seed=seed), drawn(2, 3, n, d, seed=seed + 1)
    expected = (a.unsqueeze(-2) - b.unsqueeze(-3)).norm(dim=-1)
    torch.testing.assert_close(distances(a, b), expected, atol=2e-3, rtol=1e-3)


def test_copies_of_all_anchors_are_as_varied_as_the_real_rows() -> None:
    anchors, present = drawn(1, 2, 6, 3), torch.ones(1, 2, 6, dtype=torch.bool)
    weights = torch.eye(6).expand(1, 2, 6, 6)
    found = diversity(anchors, weights, anchors, present, distances_within(anchors, present))
    assert found["perplexity"].tolist() == [1]
    assert found["distinct_anchors"].tolist() == [1]
    assert found["distance_to_real"].item() == pytest.approx(0, abs=2e-3)
    assert found["distance_between"].item() == pytest.approx(1, abs=1e-4)


def test_the_distances_are_those_of_the_first_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    anchors, present = drawn(1, 1, 4, 2), torch.ones(1, 1, 4, dtype=torch.bool)
    weights = drawn(1, 1, 9, 4, seed=1).softmax(dim=-1)
    rows, real = weights @ anchors, distances_within(anchors, present)
    first = diversity(rows[:, :, :5], weights, anchors, present, real)
    monkeypatch.setattr(module, "MOST_ROWS", 5)
    found = diversity(rows, weights, anchors, present, real)
    for name, value in first.items():
        torch.testing.assert_close(found[name], value)


def test_a_clump_has_no_distance_between_its_rows() -> None:
    anchors, present = drawn(1, 2, 6, 3), torch.ones(1, 2, 6, dtype=torch.bool)
    weights = torch.full((1, 2, 4, 6), 1 / 6)
    rows = anchors.mean(dim=2, keepdim=True).expand(1, 2, 4, 3)
    found = diversity(rows, weights, anchors, present, distances_within(anchors, present))
    assert found["perplexity"].item() == pytest.approx(6, rel=1e-5)
    assert found["distance_between"].item() == pytest.approx(0, abs=2e-3)


def test_classes_without_a_distance_are_left_out() -> None:
    rows = drawn(1, 2, 3, 2)
    real = Distances(torch.tensor([[torch.nan, 2.0]]), torch.tensor([[torch.nan, 0.0]]))
    found = diversity(
        rows, torch.eye(3).expand(1, 2, 3, 3), rows, torch.ones(1, 2, 3, dtype=torch.bool), real
    )
    assert found["distance_to_real"].item() == pytest.approx(0, abs=1e-2)
    assert found["distance_between"].isnan().all()


def test_anchor_entropy_by_hand() -> None:
    # Class 0: two samples copy different anchors of four: log 2 / log 4. Class 1 has two anchors, used
    # equally, and class 2 has one.
    weights = torch.zeros(1, 3, 2, 4)
    weights[0, 0, 0, 0] = weights[0, 0, 1, 3] = 1
    weights[0, 1, :, :2] = 0.5
    weights[0, 2, :, 0] = 1
    present = torch.tensor([[[True] * 4, [True, True, False, False], [True, False, False, False]]])
    weights.requires_grad_(True)
    found = anchor_entropy(weights, present)
    assert found[0].tolist() == pytest.approx([0.5, 1.0, 1.0])
    (gradient,) = torch.autograd.grad(found.sum(), weights)
    assert gradient.isfinite().all()
