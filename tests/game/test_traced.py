"""Traced functions run the operations of their first call, with the same bits."""

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from adversarial_oversampling.data.datamodule import Batch
from adversarial_oversampling.game import traced
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.game.traced import Traced
from adversarial_oversampling.training.build import build_data, build_game
from tests.conftest import Compose


def rows(seed: int, count: int = 4) -> Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))


class Counted:
    """A loss with its gradient, and the number of times that it has run in Python."""

    def __init__(self) -> None:
        self.weight, self.runs = nn.Parameter(rows(0, 3)), 0

    def __call__(self, x: Tensor, y: Tensor | None = None) -> tuple[dict[str, Tensor], list[Tensor]]:
        self.runs += 1
        hidden = torch.nn.functional.leaky_relu(x @ self.weight, 0.1, inplace=True)
        loss = (hidden if y is None else hidden - y).square().mean()
        return {"loss": loss}, list(torch.autograd.grad(loss, [self.weight]))


def assert_equal(found: tuple[dict[str, Tensor], list[Tensor]], x: Tensor, weight: Tensor) -> None:
    expected = Counted()
    expected.weight.data = weight.detach()
    parts, gradients = expected(x)
    assert torch.equal(found[0]["loss"], parts["loss"])
    assert torch.equal(found[1][0], gradients[0])
    assert not found[0]["loss"].requires_grad


def test_later_calls_equal_the_function_and_see_weights_that_have_changed() -> None:
    function = Counted()
    turn = Traced(function)
    for seed in range(4):
        assert_equal(turn(rows(seed), None), rows(seed), function.weight)
        with torch.no_grad():
            function.weight -= 0.1
    assert function.runs == 1


def test_other_shapes_are_traced_by_themselves() -> None:
    function = Counted()
    turn = Traced(function)
    for count in (4, 7, 4, 7):
        assert_equal(turn(rows(1, count)), rows(1, count), function.weight)
    assert function.runs == 2


def test_an_anomaly_is_looked_for_in_the_function_itself() -> None:
    function = Counted()
    turn = Traced(function)
    with torch.autograd.set_detect_anomaly(True):
        for _ in range(2):
            assert_equal(turn(rows(1)), rows(1), function.weight)
    assert function.runs == 2


def test_large_tensors_are_not_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traced, "LARGE", 10)
    function = Counted()
    turn = Traced(function)
    for _ in range(2):
        assert_equal(turn(rows(1)), rows(1), function.weight)
    assert function.runs == 2


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x * x.max().item(),
        lambda x: x[x > 0].sum(),
        lambda x: x * (x > 0).nonzero().shape[0],
    ],
    ids=["branch", "item", "mask", "nonzero"],
)
def test_later_calls_cannot_depend_on_numbers_of_the_first(function: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(TypeError, match="every call would take these numbers from the first one"):
        Traced(function)(rows(1))


def test_whole_numbers_may_index() -> None:
    turn = Traced(lambda x, index: x[index])
    for index in (torch.tensor([0, 2]), torch.tensor([3, 1])):
        assert torch.equal(turn(rows(1), index), rows(1)[index])


def test_what_torchscript_cannot_run_runs_as_it_is() -> None:
    def function(x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        # Without weights, two of the three gradients of its backward pass are None.
        return torch.autograd.grad(torch.nn.functional.layer_norm(x, [3]).square().sum(), x)[0]

    turn = Traced(function)
    for seed in range(3):
        assert torch.equal(turn(rows(seed)), function(rows(seed)))
    assert list(turn._programs.values()) == [None]


def test_tensors_that_die_while_a_function_is_traced_are_not_mistaken() -> None:
    def function(x: Tensor) -> Tensor:
        for k in range(20):
            temporary = (x + k) * 2
            del temporary
            x = x + torch.tensor(float(k))  # may have the address of a tensor that has died
        return x

    turn = Traced(function)
    for seed in range(3):
        assert torch.equal(turn(rows(seed)), function(rows(seed)))


def test_only_functions_on_the_cpu_are_traced() -> None:
    runs = []
    turn = Traced(lambda x: (runs.append(x.device.type), x + 1)[1])  # type: ignore[func-returns-value]
    for _ in range(2):
        assert turn(rows(1).to("meta")).device.type == "meta"
    assert runs == ["meta", "meta"]


def test_no_program_outlives_its_function() -> None:
    before = len(torch.jit._state._python_cu.get_functions())  # type: ignore[attr-defined]
    turn = Traced(Counted())
    for _ in range(2):
        turn(rows(1))
    assert all(turn._programs.values())
    assert len(torch.jit._state._python_cu.get_functions()) == before  # type: ignore[attr-defined]


def test_a_program_holds_no_tensor_of_its_first_call() -> None:
    held: list[weakref.ref[Tensor]] = []

    def function(x: Tensor) -> Tensor:
        inner = x * 2
        held.append(weakref.ref(inner))
        return inner + 1

    turn = Traced(function)
    x = rows(1)
    held.append(weakref.ref(x))
    assert torch.equal(turn(x), 2 * rows(1) + 1)
    del x
    gc.collect()
    assert [reference() for reference in held] == [None, None]


def ready(compose_config: Compose, *overrides: str) -> tuple[Game, list[Batch]]:
    """A game that can play, and the batches of an epoch."""
    cfg = compose_config("dataset=yeast", "replicas=2", *overrides)
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    game.configure_optimizers()
    return game, [batch for block in data.train_dataloader() for batch in block]


def played(compose_config: Compose, rounds: int, *overrides: str) -> Game:
    game, batches = ready(compose_config, *overrides)
    game.training_step(batches[:rounds], 0)
    return game


@pytest.mark.parametrize(
    "overrides",
    [
        ["mode=q"],
        ["mode=cot"],
        ["mode=weighted_q", "protocol.weight_average=0.9"],
        ["mode=q", "+mode.rules.mixup=true", "+mode.rules.label_smoothing=0.1"],
        ["mode=ao"],
        ["mode=do", "players.classifier.dropout=0.3"],
        ["mode=do", "gan_type=vanilla", "mode.rules.critic_steps=2"],
        ["mode=do", "players.generator.straight_through=true", "mode.rules.diversity_weight=0.5"],
        ["mode=do", "mode.rules.discriminator_weight=0", "players.generator.gumbel=0"],
        ["mode=gamo", "members=2"],
        ["mode=both_fool", "players.discriminator.conditional=true"],
    ],
    ids=" ".join,
)
def test_a_game_is_the_same_without_tracing(
    compose_config: Compose, monkeypatch: pytest.MonkeyPatch, overrides: list[str]
) -> None:
    game = played(compose_config, 5, *overrides)
    programs = [program for turn in game._traced.values() for program in turn._programs.values()]
    assert programs
    assert all(programs)
    monkeypatch.setattr(traced, "LARGE", 0)
    plain = played(compose_config, 5, *overrides)
    for (name, p), q in zip(game.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.equal(p, q), name
    for loss, value in game._losses.averages().items():
        assert torch.equal(value, plain._losses.averages()[loss]), loss
    assert torch.equal(game.train_confusion, plain.train_confusion)


def test_weights_that_are_loaded_and_optimizers_that_are_made_anew_are_seen(
    compose_config: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for large in (traced.LARGE, 0):
        monkeypatch.setattr(traced, "LARGE", large)
        game, batches = ready(compose_config, "mode=do")
        start = {name: value.clone() for name, value in game.state_dict().items()}
        game.training_step(batches[:3], 0)
        game.load_state_dict(start)
        game.training_step(batches[3:5], 0)
        game.configure_optimizers()
        game.training_step(batches[5:7], 0)
        found.append(game.state_dict())
    for name, value in found[0].items():
        assert torch.equal(value, found[1][name]), name
