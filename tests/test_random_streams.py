"""Random streams: one per replica and purpose, the same alone and among others."""

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adversarial_oversampling.random_streams import Purpose, Streams

seeds = st.integers(0, 2**40)
folds = st.none() | st.integers(0, 9)


def both(streams: Streams) -> tuple[Tensor, Tensor]:
    return streams.normal(3, 2), streams.uniform(4)


class TestDraws:
    def test_shapes_and_types(self) -> None:
        streams = Streams([0, 1, 2], Purpose.GAME)
        assert len(streams) == 3
        assert streams.normal(4, 5).shape == (3, 4, 5)
        assert streams.normal(4).dtype == torch.float32
        assert streams.uniform(2).shape == (3, 2)
        assert streams.uniform(2).dtype == torch.float32
        assert streams.uniform(2, dtype=torch.float64).dtype == torch.float64

    def test_laws(self) -> None:
        streams = Streams([5, 6], Purpose.GAME)
        normal, uniform = streams.normal(40_000), streams.uniform(40_000)
        # standard errors: 0.005 for both means and 0.0035 for a normal deviation
        torch.testing.assert_close(normal.mean(dim=1), torch.zeros(2), atol=0.025, rtol=0)
        torch.testing.assert_close(normal.std(dim=1), torch.ones(2), atol=0.02, rtol=0)
        torch.testing.assert_close(uniform.mean(dim=1), torch.full((2,), 0.5), atol=0.01, rtol=0)
        assert ((uniform >= 0) & (uniform < 1)).all()
        assert (uniform.amax(dim=1) > 0.999).all()
        assert (uniform.amin(dim=1) < 0.001).all()

    def test_draws_go_on(self) -> None:
        streams = Streams([0], Purpose.GAME)
        assert not torch.equal(streams.normal(5), streams.normal(5))

    def test_device(self) -> None:
        streams = Streams([0, 1], Purpose.GAME, device="meta")
        assert streams.normal(3).device.type == "meta"
        assert streams.uniform(3).device.type == "meta"
        # The numbers come from the same streams wherever they go.
        elsewhere = Streams([0, 1], Purpose.GAME)
        both_before = elsewhere.normal(3), elsewhere.uniform(3)
        streams.device = "cpu"
        assert torch.equal(streams.normal(3), elsewhere.normal(3))
        assert both_before[0].shape == both_before[1].shape == (2, 3)


class TestSeeding:
    @settings(deadline=None, max_examples=30)
    @given(seed=seeds, purpose=st.sampled_from(Purpose), fold=folds)
    def test_same_seed_same_draws(self, seed: int, purpose: Purpose, fold: int | None) -> None:
        one, other = Streams([seed], purpose, [fold]), Streams([seed], purpose, [fold])
        for _ in range(2):
            for a, b in zip(both(one), both(other), strict=True):
                assert torch.equal(a, b)

    def test_purposes_seeds_and_folds_differ(self) -> None:
        draws = [
            Streams([seed], purpose, [fold]).uniform(4, dtype=torch.float64)
            for seed in (0, 1, 2, 101, 102)
            for purpose in Purpose
            for fold in (None, 0, 1, 2, 101)
        ]
        firsts = {tuple(draw.flatten().tolist()) for draw in draws}
        assert len(firsts) == 5 * len(Purpose) * 5

    def test_purposes_and_seeds_differ_without_folds(self) -> None:
        draws = {
            tuple(Streams([seed], purpose).normal(3).flatten().tolist())
            for seed in range(6)
            for purpose in Purpose
        }
        assert len(draws) == 6 * len(Purpose)

    def test_replicas_of_one_group_differ(self) -> None:
        draws = Streams([0, 1, 2, 3], Purpose.WEIGHTS).normal(8)
        assert len({tuple(row) for row in draws.tolist()}) == 4

    @settings(deadline=None, max_examples=30)
    @given(group=st.lists(st.tuples(seeds, folds), min_size=1, max_size=5), purpose=st.sampled_from(Purpose))
    def test_a_replica_draws_as_it_does_alone(
        self, group: list[tuple[int, int | None]], purpose: Purpose
    ) -> None:
        together = Streams([s for s, _ in group], purpose, [f for _, f in group])
        solos = [Streams([s], purpose, [f]) for s, f in group]
        for _ in range(2):
            normal, uniform = both(together)
            for r, solo in enumerate(solos):
                alone = both(solo)
                assert torch.equal(normal[r], alone[0][0])
                assert torch.equal(uniform[r], alone[1][0])

    def test_no_folds_is_a_fold_of_none(self) -> None:
        plain, named = Streams([3, 4], Purpose.GAME), Streams([3, 4], Purpose.GAME, [None, None])
        assert torch.equal(plain.normal(5), named.normal(5))

    def test_every_replica_needs_its_fold(self) -> None:
        with pytest.raises(ValueError, match="zip"):
            Streams([0, 1], Purpose.GAME, [0])

    def test_the_global_stream_is_left_alone(self) -> None:
        torch.manual_seed(0)
        wanted = torch.rand(3)
        torch.manual_seed(0)
        both(Streams([0], Purpose.GAME))
        assert torch.equal(torch.rand(3), wanted)


class TestState:
    def test_round_trip(self) -> None:
        streams = Streams([0, 1, 2], Purpose.GAME)
        both(streams)
        state = streams.state()
        assert state.dtype == torch.uint8
        assert state.shape[0] == 3
        wanted = both(streams)
        streams.restore(state)
        for a, b in zip(both(streams), wanted, strict=True):
            assert torch.equal(a, b)

    @settings(deadline=None, max_examples=20)
    @given(
        group=st.lists(seeds, min_size=1, max_size=4),
        normals=st.integers(0, 40),
        uniforms=st.integers(0, 40),
    )
    def test_a_fresh_object_goes_on_identically(self, group: list[int], normals: int, uniforms: int) -> None:
        streams = Streams(group, Purpose.BATCHES)
        streams.normal(normals)
        streams.uniform(uniforms)
        saved = io.BytesIO()
        torch.save(streams.state(), saved)
        saved.seek(0)
        fresh = Streams([0] * len(group), Purpose.WEIGHTS)
        fresh.restore(torch.load(saved, weights_only=True))
        for _ in range(2):
            for a, b in zip(both(fresh), both(streams), strict=True):
                assert torch.equal(a, b)

    def test_a_state_does_not_move_with_the_streams(self) -> None:
        streams = Streams([0], Purpose.GAME)
        state = streams.state()
        before = state.clone()
        both(streams)
        assert torch.equal(state, before)
        assert not torch.equal(streams.state(), before)

    def test_state_of_another_number_of_replicas(self) -> None:
        state = Streams([0, 1], Purpose.GAME).state()
        with pytest.raises(ValueError, match="zip"):
            Streams([0, 1, 2], Purpose.GAME).restore(state)
