"""Random streams: one per replica and purpose, the same alone and among others."""

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from torch import Tensor

from adversarial_oversampling.random_streams import STREAMS, DeviceStreams, Purpose, Streams, mixed

Kind = type[Streams]
kinds = pytest.mark.parametrize("kind", STREAMS.values(), ids=STREAMS)
seeds = st.integers(0, 2**40)
folds = st.none() | st.integers(0, 9)


def both(streams: Streams) -> tuple[Tensor, Tensor]:
    return streams.normal(3, 2), streams.uniform(4)


class TestDraws:
    @kinds
    def test_shapes_and_types(self, kind: Kind) -> None:
        streams = kind([0, 1, 2], Purpose.GAME)
        assert len(streams) == 3
        assert streams.normal(4, 5).shape == (3, 4, 5)
        assert streams.normal(4).dtype == torch.float32
        assert streams.uniform(2).shape == (3, 2)
        assert streams.uniform(2).dtype == torch.float32
        assert streams.uniform(2, dtype=torch.float64).dtype == torch.float64

    @kinds
    def test_laws(self, kind: Kind) -> None:
        streams = kind([5, 6], Purpose.GAME)
        normal, uniform = streams.normal(40_000), streams.uniform(40_000)
        # standard errors: 0.005 for both means and 0.0035 for a normal deviation
        torch.testing.assert_close(normal.mean(dim=1), torch.zeros(2), atol=0.025, rtol=0)
        torch.testing.assert_close(normal.std(dim=1), torch.ones(2), atol=0.02, rtol=0)
        torch.testing.assert_close(uniform.mean(dim=1), torch.full((2,), 0.5), atol=0.01, rtol=0)
        assert ((uniform >= 0) & (uniform < 1)).all()
        assert (uniform.amax(dim=1) > 0.999).all()
        assert (uniform.amin(dim=1) < 0.001).all()

    @kinds
    def test_draws_go_on(self, kind: Kind) -> None:
        streams = kind([0], Purpose.GAME)
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

    @kinds
    def test_replicas_of_one_group_differ(self, kind: Kind) -> None:
        draws = kind([0, 1, 2, 3], Purpose.WEIGHTS).normal(8)
        assert len({tuple(row) for row in draws.tolist()}) == 4

    @kinds
    @settings(deadline=None, max_examples=30)
    @given(group=st.lists(st.tuples(seeds, folds), min_size=1, max_size=5), purpose=st.sampled_from(Purpose))
    def test_a_replica_draws_as_it_does_alone(
        self, kind: Kind, group: list[tuple[int, int | None]], purpose: Purpose
    ) -> None:
        together = kind([s for s, _ in group], purpose, [f for _, f in group])
        solos = [kind([s], purpose, [f]) for s, f in group]
        for _ in range(2):
            normal, uniform = both(together)
            for r, solo in enumerate(solos):
                alone = both(solo)
                assert torch.equal(normal[r], alone[0][0])
                assert torch.equal(uniform[r], alone[1][0])

    @kinds
    def test_no_folds_is_a_fold_of_none(self, kind: Kind) -> None:
        plain, named = kind([3, 4], Purpose.GAME), kind([3, 4], Purpose.GAME, [None, None])
        assert torch.equal(plain.normal(5), named.normal(5))

    def test_every_replica_needs_its_fold(self) -> None:
        with pytest.raises(ValueError, match="zip"):
            Streams([0, 1], Purpose.GAME, [0])

    @kinds
    def test_the_global_stream_is_left_alone(self, kind: Kind) -> None:
        torch.manual_seed(0)
        wanted = torch.rand(3)
        torch.manual_seed(0)
        both(kind([0], Purpose.GAME))
        assert torch.equal(torch.rand(3), wanted)


class TestState:
    @kinds
    def test_round_trip(self, kind: Kind) -> None:
        streams = kind([0, 1, 2], Purpose.GAME)
        both(streams)
        state = streams.state()
        assert state.shape[0] == 3
        wanted = both(streams)
        streams.restore(state)
        for a, b in zip(both(streams), wanted, strict=True):
            assert torch.equal(a, b)

    @kinds
    @settings(deadline=None, max_examples=20)
    @given(
        group=st.lists(seeds, min_size=1, max_size=4),
        normals=st.integers(0, 40),
        uniforms=st.integers(0, 40),
    )
    def test_a_fresh_object_goes_on_identically(
        self, kind: Kind, group: list[int], normals: int, uniforms: int
    ) -> None:
        streams = kind(group, Purpose.BATCHES)
        streams.normal(normals)
        streams.uniform(uniforms)
        saved = io.BytesIO()
        torch.save(streams.state(), saved)
        saved.seek(0)
        fresh = kind([0] * len(group), Purpose.WEIGHTS)
        fresh.restore(torch.load(saved, weights_only=True))
        for _ in range(2):
            for a, b in zip(both(fresh), both(streams), strict=True):
                assert torch.equal(a, b)

    @kinds
    def test_a_state_does_not_move_with_the_streams(self, kind: Kind) -> None:
        streams = kind([0], Purpose.GAME)
        state = streams.state()
        before = state.clone()
        both(streams)
        assert torch.equal(state, before)
        assert not torch.equal(streams.state(), before)

    @kinds
    def test_state_of_another_number_of_replicas(self, kind: Kind) -> None:
        state = kind([0, 1], Purpose.GAME).state()
        with pytest.raises(ValueError, match=r"zip|streams"):
            kind([0, 1, 2], Purpose.GAME).restore(state)


class TestDeviceStreams:
    def test_bits_are_those_of_splitmix64(self) -> None:
        # SplitMix64 seeded with 1234567 gives these numbers (the generator's reference values).
        state = torch.tensor([1234567]) + torch.arange(1, 6) * -0x61C8864680B583EB
        unsigned = [value % 2**64 for value in mixed(state).tolist()]
        assert unsigned == [
            6457827717110365317,
            3203168211198807973,
            9817491932198370423,
            4593380528125082431,
            16408922859458223821,
        ]

    def test_normal_numbers_follow_the_law_in_the_tails(self) -> None:
        drawn = DeviceStreams([0, 1], Purpose.GAME).normal(100_000)
        assert kstest(drawn.flatten().numpy(), "norm").pvalue > 1e-4
        assert kstest(DeviceStreams([2], Purpose.GAME).uniform(100_000)[0].numpy(), "uniform").pvalue > 1e-4

    def test_numbers_of_replicas_and_neighbours_are_uncorrelated(self) -> None:
        # Standard error of a correlation: 1 / sqrt(50000) = 0.0045
        drawn = DeviceStreams(range(6), Purpose.GAME).normal(50_000)
        assert (torch.corrcoef(drawn) - torch.eye(6)).abs().max() < 0.025
        assert torch.corrcoef(torch.stack([drawn[0, 1:], drawn[0, :-1]]))[0, 1].abs() < 0.025

    def test_no_number_has_to_leave_the_device(self) -> None:
        # The device "meta" has no numbers: whatever asks for one fails.
        streams = DeviceStreams([0, 1], Purpose.GAME, device="meta")
        assert streams.normal(3, 5).device.type == streams.uniform(4).device.type == "meta"
