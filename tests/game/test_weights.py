"""Weights as optimizers get them: the player's own, in whole vector registers."""

import pytest
import torch
from torch import Tensor

from adversarial_oversampling.game.networks import Discriminator
from adversarial_oversampling.game.weights import ALIGNED, LARGE, Weights
from adversarial_oversampling.random_streams import Purpose, Streams

FEATURES = 3


def set_gradients(weights: Weights, loss: Tensor) -> None:
    for tensor, gradient in zip(weights.tensors, weights.gradients([loss]), strict=True):
        tensor.grad = gradient


def a_discriminator(*seeds: int, width: int = 16) -> Discriminator:
    return Discriminator(FEATURES, 3, width, 3, False, Streams(seeds, Purpose.WEIGHTS))


def rows(replicas: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(replicas, 5, FEATURES, generator=torch.Generator().manual_seed(0))
    return x, torch.zeros(replicas, 5, dtype=torch.long)


@pytest.mark.parametrize(("replicas", "width"), [(2, 16), (2, 256), (2, 5)])
def test_an_optimizer_moves_the_parameters(replicas: int, width: int) -> None:
    # 2 * 256 * 256 numbers stay a tensor of their own; smaller ones are packed.
    moved, plain = (a_discriminator(*range(replicas), width=width) for _ in range(2))
    weights = Weights(moved)
    assert len(weights.tensors) == 1 + (replicas * width**2 >= LARGE)
    set_gradients(weights, moved(*rows(replicas)).square().sum())
    torch.optim.SGD(weights.tensors, lr=0.5).step()
    plain(*rows(replicas)).square().sum().backward()
    for p, q in zip(moved.parameters(), plain.parameters(), strict=True):
        assert q.grad is not None
        torch.testing.assert_close(p, q - 0.5 * q.grad)


@pytest.mark.parametrize("replicas", [1, 3, 30])
def test_every_tensor_fills_whole_registers(replicas: int) -> None:
    player = a_discriminator(*range(replicas), width=50)
    numbers = sum(p.numel() for p in player.parameters())
    tensors = Weights(player).tensors
    assert all(tensor.numel() % ALIGNED == 0 for tensor in tensors)
    assert 0 <= sum(tensor.numel() for tensor in tensors) - numbers < ALIGNED


@pytest.mark.parametrize("width", [16, 33, 128])
def test_replicas_equal_solo_players_after_steps_of_the_fused_kernel(width: int) -> None:
    x, y = rows(5)
    players = [a_discriminator(*range(5), width=width), *(a_discriminator(r, width=width) for r in range(5))]
    for part, player in zip([slice(None), *(slice(r, r + 1) for r in range(5))], players, strict=True):
        weights = Weights(player)
        optimizer = torch.optim.AdamW(weights.tensors, lr=0.01, fused=True)
        for _ in range(3):
            set_gradients(weights, player(x[part], y[part]).square().sum())
            optimizer.step()
    for r, alone in enumerate(players[1:]):
        for p, q in zip(alone.parameters(), players[0].parameters(), strict=True):
            assert torch.equal(p[0], q[r])


def test_no_other_player_gets_a_gradient() -> None:
    first, second = a_discriminator(0), a_discriminator(1)
    weights = Weights(first)
    set_gradients(weights, (first(*rows(1)) * second(*rows(1))).sum())
    assert all(tensor.grad is not None for tensor in weights.tensors)
    assert all(p.grad is None for p in second.parameters())
