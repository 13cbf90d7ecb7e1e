"""Shards of a whole, and outputs of methods that are joined again."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adversarial_oversampling.method_output import MethodOutput, join
from adversarial_oversampling.random_streams import Purpose, Streams
from adversarial_oversampling.shard import Shard, shards


@given(n=st.integers(0, 30), of=st.integers(1, 7))
def test_shards_make_up_the_whole_in_order(n: int, of: int) -> None:
    whole = torch.arange(2 * n).reshape(2, n)
    assert torch.equal(torch.cat([shard.take(whole, dim=1) for shard in shards(of)], dim=1), whole)
    assert [one for shard in shards(of) for one in shard.take_items(list(range(n)))] == list(range(n))
    sizes = [len(shard.take_items(range(n))) for shard in shards(of)]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("shape", [(6, 3), (4, 6, 5)])
def test_processes_draw_the_numbers_of_one(shape: tuple[int, ...]) -> None:
    part = (*shape[:-2], shape[-2] // 3, shape[-1])
    alone = Streams([5, 6], Purpose.GAME)
    together = [Streams([5, 6], Purpose.GAME, rows=shard) for shard in shards(3)]
    for draw in ("normal", "uniform"):
        whole = getattr(alone, draw)(*shape)
        assert torch.equal(torch.cat([getattr(one, draw)(*part) for one in together], dim=-2), whole)
    for one in together:
        assert torch.equal(one.state(), alone.state())


def outcome(replicas: int, rows: int, epochs: int, diverged: int = -1) -> MethodOutput:
    return MethodOutput(
        row=torch.arange(rows).expand(replicas, rows),
        predicted=torch.ones(replicas, rows, dtype=torch.long),
        probabilities=torch.full((replicas, rows, 2), 0.5),
        na=["gone" if diverged >= 0 else None] * replicas,
        best_epoch=[epochs - 1] * replicas,
        selection_acsa=[0.5] * replicas,
        diverged_at=[diverged] * replicas,
        history={"q/loss": [torch.full((replicas,), float(e)) for e in range(epochs)]},
        parameters={"classifier": 7},
        weights={"w": torch.full((replicas, 3), float(replicas))},
    )


def test_joined_outcomes_keep_their_replicas_in_order() -> None:
    joined = join([outcome(2, rows=3, epochs=4), outcome(1, rows=2, epochs=2, diverged=1)])
    assert joined.row.tolist() == [[0, 1, 2], [0, 1, 2], [0, 1, -1]]
    assert joined.probabilities.shape == (3, 3, 2)
    assert joined.na == [None, None, "gone"]
    assert joined.diverged_at == [-1, -1, 1]
    assert joined.best_epoch == [3, 3, 1]
    curve = torch.stack(list(joined.history["q/loss"]))
    assert curve.shape == (4, 3)
    assert curve[:, 0].tolist() == [0, 1, 2, 3]
    assert curve[:2, 2].tolist() == [0, 1]
    assert curve[2:, 2].isnan().all()
    assert joined.weights is not None
    assert joined.weights["w"][:, 0].tolist() == [2, 2, 1]
    assert joined.parameters == {"classifier": 7}


def test_one_process_has_everything() -> None:
    whole = torch.arange(6).reshape(2, 3)
    assert torch.equal(Shard().take(whole, dim=0), whole)
