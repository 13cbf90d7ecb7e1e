"""The three players: depth, replicas that equal solo networks, and the generator's promises."""

import copy
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import exp, log
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from adversarial_oversampling.config.compose import config_dir
from adversarial_oversampling.game.diversity import perplexity
from adversarial_oversampling.game.networks import (
    MLP,
    SLOPE,
    Classifier,
    Discriminator,
    Generator,
    ReplicaLinear,
    affine,
    build_players,
    dropout_factors,
    gumbel,
    parameters_per_replica,
    product,
)
from adversarial_oversampling.random_streams import Purpose, Streams

FEATURES, CLASSES = 3, 2


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As in conf/train.yaml: sums are split among threads, so their number is part of the result."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def sizes() -> dict[str, Any]:
    """The sizes of conf/train.yaml, with Q as wide as where no search has chosen."""
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("train", overrides=["recipe=plain", "dataset.training.width=128"])
    players = OmegaConf.to_container(cfg.players, resolve=True)
    assert isinstance(players, dict)
    return {str(name): settings for name, settings in players.items()}


def weights_of(*seeds: int) -> Streams:
    return Streams(seeds, Purpose.WEIGHTS)


def game_of(*seeds: int) -> Streams:
    return Streams(seeds, Purpose.GAME)


def factors(q: Classifier, rows: int, *seeds: int) -> list[Tensor]:
    noise = game_of(*seeds)
    return [dropout_factors(noise.uniform(rows, width), q.dropout) for width in q.dropped_widths]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def some_anchors(replicas: int, classes: int = CLASSES, count: int = 5) -> tuple[Tensor, Tensor]:
    """Anchors of classes with `count`, `count - 1`, ... rows; the rest is masked."""
    anchors = drawn(replicas, classes, count, FEATURES, seed=3)
    mask = torch.arange(count) < count - torch.arange(classes)[:, None]
    mask = mask.expand(replicas, classes, count)
    return anchors * mask[..., None], mask


def build(sizes: dict[str, Any], *seeds: int, anchors: tuple[Tensor, Tensor] | None = None) -> dict[str, Any]:
    return build_players(sizes, weights_of(*seeds), FEATURES, CLASSES, anchors)


def changed(sizes: dict[str, Any], player: str, **settings: Any) -> dict[str, Any]:
    return {**sizes, player: {**sizes[player], **settings}}


def a_generator(*seeds: int, temperature: float = 0.5, classes: int = CLASSES) -> Generator:
    return Generator(*some_anchors(len(seeds), classes), 4, 8, 3, temperature, weights_of(*seeds))


class TestProduct:
    def test_by_hand(self) -> None:
        # (1 2) (5; 6) = 17 and (3 4) (5; 6) = 39
        a = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
        assert product(a, torch.tensor([[[5.0], [6.0]]])).tolist() == [[[17.0], [39.0]]]
        # (1 2) (5 7; 6 8) = (17 23)
        assert product(a, torch.tensor([[[5.0, 7.0], [6.0, 8.0]]]))[0, 0].tolist() == [17.0, 23.0]
        # an outer product: one inner column
        outer = product(torch.tensor([[[2.0], [3.0]]]), torch.tensor([[[5.0, 7.0]]]))
        assert outer.tolist() == [[[10.0, 14.0], [15.0, 21.0]]]

    @settings(deadline=None, max_examples=40)
    @given(shape=st.tuples(*[st.integers(1, 70)] * 3), replicas=st.integers(1, 5), seed=st.integers(0, 2**31))
    def test_replicas_equal_solo_products_bit_for_bit(
        self, shape: tuple[int, int, int], replicas: int, seed: int
    ) -> None:
        self.check(replicas, *shape, seed=seed)

    @pytest.mark.parametrize(
        "shape",
        [
            (1, 1, 1),
            (1, 64, 64),
            (64, 1, 64),
            (64, 64, 1),
            (1, 64, 1),
            (1, 1, 64),
            (64, 1, 1),
            (1, 2, 2),
            (2, 2, 2),
            (64, 3, 64),
            (64, 64, 2),
            (65, 31, 33),
            (127, 74, 13),
            (7, 590, 64),
            (32, 64, 256),
            (129, 64, 257),
        ],
        ids=str,
    )
    def test_odd_shapes(self, shape: tuple[int, int, int]) -> None:
        self.check(5, *shape, seed=0)

    def check(self, replicas: int, rows: int, inner: int, columns: int, seed: int) -> None:
        a, b = drawn(replicas, rows, inner, seed=seed), drawn(replicas, inner, columns, seed=seed + 1)
        pull = drawn(replicas, rows, columns, seed=seed + 2)
        together = self.forward_and_backward(a, b, pull)
        wanted = torch.einsum("rbn,rno->rbo", a.double(), b.double())
        torch.testing.assert_close(together[0].double(), wanted, rtol=1e-4, atol=1e-4)
        for r in range(replicas):
            alone = self.forward_and_backward(a[r : r + 1], b[r : r + 1], pull[r : r + 1])
            for one, whole in zip(alone, together, strict=True):
                assert torch.equal(one[0], whole[r])

    def forward_and_backward(self, a: Tensor, b: Tensor, pull: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, b = a.clone().requires_grad_(True), b.clone().requires_grad_(True)
        out = product(a, b)
        return out.detach(), *torch.autograd.grad(out, (a, b), pull)


class TestReplicaLinear:
    @pytest.mark.parametrize(("inputs", "outputs"), [(5, 4), (1, 4), (5, 1)])
    def test_equals_torch_linear(self, inputs: int, outputs: int) -> None:
        layer = ReplicaLinear(inputs, outputs, weights_of(0, 1, 2))
        x = drawn(3, 7, inputs)
        found = layer(x)
        assert found.shape == (3, 7, outputs)
        for r in range(3):
            wanted = nn.functional.linear(x[r], layer.weight[r].T, layer.bias[r, 0])
            torch.testing.assert_close(found[r], wanted)

    def test_initial_weights_fill_their_range(self) -> None:
        # uniform within 1 / sqrt(16) = 0.25
        layer = ReplicaLinear(16, 500, weights_of(0, 1))
        for values in (layer.weight.detach(), layer.bias.detach()):
            assert 0.24 < float(values.abs().max()) <= 0.25
            assert abs(float(values.mean())) < 0.02

    def test_a_loss_of_one_replica_moves_no_other(self) -> None:
        layer = ReplicaLinear(4, 3, weights_of(0, 1, 2))
        layer(drawn(3, 6, 4))[1].square().sum().backward()
        for p in layer.parameters():
            assert p.grad is not None
            assert (p.grad[[0, 2]] == 0).all()
            assert (p.grad[1] != 0).any()


class TestDepth:
    def test_affine_maps(self, sizes: dict[str, Any]) -> None:
        # Section 4.2 of the paper: Q has four layers, D and G have three.
        players = build(sizes, 0, 1, anchors=some_anchors(2))
        maps = {
            name: sum(isinstance(module, ReplicaLinear) for module in player.modules())
            for name, player in players.items()
        }
        assert maps == {"classifier": 4, "discriminator": 3, "generator": 2}
        # The generator's third map holds one matrix per class.
        assert players["generator"].weight.shape == (2, CLASSES, 64, 5)
        assert players["generator"].bias.shape == (2, CLASSES, 1, 5)

    def test_nonlinear_between_the_layers(self) -> None:
        # One input 1 and -1, weights 1, biases 0: leaky ReLU keeps 1 and turns -1 into -0.1;
        # with three layers it acts twice: 1 and -0.01.
        for layers, low in ((1, -1.0), (2, -0.1), (3, -0.01)):
            mlp = MLP(1, 1, 1, layers, weights_of(0))
            with torch.no_grad():
                for layer in mlp.layers:
                    layer.weight.fill_(1)
                    layer.bias.fill_(0)
            found = mlp(torch.tensor([[[1.0], [-1.0]]])).flatten().tolist()
            assert found == pytest.approx([1.0, low])

    def test_shapes(self, sizes: dict[str, Any]) -> None:
        players = build(sizes, 0, 1, anchors=some_anchors(2))
        x, y = drawn(2, 6, FEATURES), torch.zeros(2, 6, dtype=torch.long)
        assert players["classifier"](x).shape == (2, 6, CLASSES)
        assert players["discriminator"](x, y).shape == (2, 6)
        rows, weights = players["generator"](drawn(2, CLASSES, 7, 32))
        assert rows.shape == (2, CLASSES, 7, FEATURES)
        assert weights.shape == (2, CLASSES, 7, 5)

    def test_parameters_by_hand(self, sizes: dict[str, Any]) -> None:
        # Q: 3*128+128 + 2*(128*128+128) + 128*2+2 = 512 + 33024 + 258
        # D: 3*64+64 + 64*64+64 + 64+1 = 256 + 4160 + 65
        # G: (32+2)*64+64 + 64*64+64 + 2*(64*5+5) = 2240 + 4160 + 650
        for seeds in ((0,), (0, 1, 2)):
            players = build(sizes, *seeds, anchors=some_anchors(len(seeds)))
            assert {name: parameters_per_replica(player) for name, player in players.items()} == {
                "classifier": 33794,
                "discriminator": 4481,
                "generator": 7050,
            }

    def test_a_conditional_discriminator_has_a_row_of_weights_per_class(self, sizes: dict[str, Any]) -> None:
        conditional = changed(sizes, "discriminator", conditional=True)
        found = build(conditional, 0, anchors=some_anchors(1))["discriminator"]
        assert parameters_per_replica(found) == 4481 + 2 * 64


class TestSeeds:
    def test_weights_equal_those_of_solo_networks(self, sizes: dict[str, Any]) -> None:
        anchors, mask = some_anchors(3)
        together = build(sizes, 4, 5, 9, anchors=(anchors, mask))
        for r, seed in enumerate((4, 5, 9)):
            alone = build(sizes, seed, anchors=(anchors[r : r + 1], mask[r : r + 1]))
            for name, player in alone.items():
                whole = dict(together[name].named_parameters())
                for key, p in player.named_parameters():
                    assert torch.equal(p[0], whole[key][r])

    def test_outputs_equal_those_of_solo_networks(self, sizes: dict[str, Any]) -> None:
        anchors, mask = some_anchors(2)
        together = build(sizes, 4, 5, anchors=(anchors, mask))
        x, z = drawn(2, 9, FEATURES), drawn(2, CLASSES, 6, 32)
        y = torch.zeros(2, 9, dtype=torch.long)
        for r, seed in enumerate((4, 5)):
            part = slice(r, r + 1)
            alone = build(sizes, seed, anchors=(anchors[part], mask[part]))
            assert torch.equal(alone["classifier"](x[part])[0], together["classifier"](x)[r])
            assert torch.equal(
                alone["discriminator"](x[part], y[part])[0], together["discriminator"](x, y)[r]
            )
            assert torch.equal(alone["generator"](z[part])[0][0], together["generator"](z)[0][r])

    def test_replicas_differ(self, sizes: dict[str, Any]) -> None:
        for player in build(sizes, 0, 1, anchors=some_anchors(2)).values():
            for p in player.parameters():
                assert not torch.equal(p[0], p[1])

    def test_a_classifier_alone_starts_like_one_in_the_game(self, sizes: dict[str, Any]) -> None:
        alone, game = build(sizes, 0, 1), build(sizes, 0, 1, anchors=some_anchors(2))
        assert set(alone) == {"classifier"}
        for p, q in zip(alone["classifier"].parameters(), game["classifier"].parameters(), strict=True):
            assert torch.equal(p, q)


class TestGenerator:
    @settings(deadline=None, max_examples=25)
    @given(
        seed=st.integers(0, 2**31),
        temperature=st.floats(0.02, 5),
        classes=st.integers(2, 5),
        rows=st.integers(1, 6),
    )
    def test_rows_are_convex_combinations(
        self, seed: int, temperature: float, classes: int, rows: int
    ) -> None:
        anchors, mask = some_anchors(2, classes)
        generator = Generator(anchors, mask, 4, 8, 3, temperature, weights_of(seed, seed + 1))
        found, weights = generator(10 * drawn(2, classes, rows, 4, seed=seed))
        assert (weights >= 0).all()
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, classes, rows))
        assert (weights[(~mask)[:, :, None].expand_as(weights)] == 0).all()
        torch.testing.assert_close(found, torch.einsum("rkma,rkad->rkmd", weights, anchors))
        for r in range(2):
            for k in range(classes):
                own = anchors[r, k][mask[r, k]]
                assert (found[r, k] >= own.amin(dim=0) - 1e-5).all()
                assert (found[r, k] <= own.amax(dim=0) + 1e-5).all()

    def test_by_hand(self) -> None:
        # All weights 0 but the class layer's bias, at temperature 1/2: logits ln 3 / 2 and 0 become
        # ln 3 and 0, so the weights are 3/4 and 1/4 of the anchors (4, 0) and (0, 8): (3, 2).
        anchors = torch.tensor([[[[4.0, 0.0], [0.0, 8.0], [9.0, 9.0]]]])
        mask = torch.tensor([[[True, True, False]]])
        generator = Generator(anchors, mask, 2, 3, 3, 0.5, weights_of(0))
        with torch.no_grad():
            for p in generator.parameters():
                p.zero_()
            generator.bias[0, 0, 0] = torch.tensor([log(3) / 2, 0.0, 50.0])
        rows, weights = generator(drawn(1, 1, 2, 2))
        for m in range(2):
            assert weights[0, 0, m].tolist() == pytest.approx([0.75, 0.25, 0.0])
            assert rows[0, 0, m].tolist() == pytest.approx([3.0, 2.0])

    def test_a_single_anchor_is_returned(self) -> None:
        # The smallest of five classes has 5 - 4 = 1 anchor.
        generator = a_generator(0, 1, classes=5)
        rows, weights = generator(drawn(2, 5, 3, 4))
        assert (weights[:, 4, :, 0] == 1).all()
        assert torch.equal(rows[:, 4], generator.anchors[:, 4, :1].expand(2, 3, FEATURES))

    def test_a_class_sees_its_own_anchors_only(self) -> None:
        generator, z = a_generator(0, 1, classes=3), drawn(2, 3, 4, 4)
        before = generator(z)[0]
        generator.anchors = generator.anchors.clone()
        generator.anchors[:, 1] += 1
        after = generator(z)[0]
        assert torch.equal(after[:, [0, 2]], before[:, [0, 2]])
        assert (after[:, 1] != before[:, 1]).any(dim=-1).all()

    def test_masked_anchors_have_no_say(self) -> None:
        generator, z = a_generator(0, 1), drawn(2, CLASSES, 4, 4)
        before = generator(z)[0]
        absent = ~some_anchors(2)[1]
        assert absent.any()
        generator.anchors = generator.anchors.masked_fill(absent[..., None], 1e6)
        assert torch.equal(generator(z)[0], before)

    def test_noise_makes_the_rows_differ(self) -> None:
        rows = a_generator(0, 1)(3 * drawn(2, CLASSES, 4, 4))[0]
        assert len(rows.flatten(0, 2).unique(dim=0)) == 2 * CLASSES * 4

    def test_the_class_enters_the_trunk(self) -> None:
        # The same noise, anchors and class layers for both classes: what differs is the class code.
        anchors = drawn(1, 1, 5, FEATURES).expand(1, 2, 5, FEATURES).contiguous()
        generator = Generator(anchors, torch.ones(1, 2, 5, dtype=torch.bool), 4, 8, 3, 0.5, weights_of(0))
        with torch.no_grad():
            generator.weight[:, 1] = generator.weight[:, 0]
            generator.bias[:, 1] = generator.bias[:, 0]
        rows = generator(drawn(1, 1, 3, 4).expand(1, 2, 3, 4))[0]
        assert (rows[:, 0] != rows[:, 1]).any(dim=-1).all()

    def test_gradient_reaches_every_weight(self) -> None:
        generator = a_generator(0, 1)
        generator(drawn(2, CLASSES, 6, 4))[0].square().sum().backward()
        for p in generator.parameters():
            assert p.grad is not None
            assert p.grad.isfinite().all()
            assert (p.grad != 0).any()

    def test_gumbel_noise_selects_by_the_plain_weights(self) -> None:
        """At a low temperature one anchor is chosen, with the probabilities of the plain softmax at 1."""
        anchors = drawn(1, 1, 4, FEATURES)
        plain = Generator(anchors, torch.ones(1, 1, 4, dtype=torch.bool), 2, 8, 3, 1.0, weights_of(0))
        chooses = copy.deepcopy(plain)
        chooses.temperature, chooses.gumbel = 0.01, 1.0
        with torch.no_grad():
            for generator in (plain, chooses):
                generator.bias[0, 0, 0] = torch.tensor([2.0, 1.0, 0.0, -1.0])
        z = drawn(1, 1, 1, 2).expand(1, 1, 20_000, 2)
        _, noise = chooses.noise(game_of(0), 20_000)
        weights = chooses.weights(z, noise)
        assert (weights.max(dim=-1).values > 0.9).float().mean() > 0.95
        often = weights.argmax(dim=-1).flatten().bincount(minlength=4) / 20_000
        torch.testing.assert_close(often, plain.weights(z)[0, 0, 0].detach(), atol=0.015, rtol=0)

    def test_the_scale_of_gumbel_noise_and_the_temperature_by_hand(self) -> None:
        """Weights are softmax((logits + scale * noise) / temperature)."""
        generator = a_generator(0, 1, temperature=0.5)
        z = drawn(2, CLASSES, 3, 4)
        logits = 0.5 * generator.weights(z).log()  # up to a constant that the softmax leaves out
        generator.gumbel = 2.0
        _, noise = generator.noise(game_of(3, 4), 3)
        assert noise is not None
        expected = ((logits + 2.0 * noise) / 0.5).softmax(dim=-1)
        torch.testing.assert_close(generator.weights(z, noise), expected)

    def test_gumbel_noise_by_hand(self) -> None:
        found = gumbel(torch.tensor([0.0, exp(-1.0), exp(-exp(1.0))]))
        assert found[0].isfinite()
        assert found[1:].tolist() == pytest.approx([0.0, -1.0], abs=1e-6)

    def test_noise_of_a_replica_does_not_depend_on_the_others(self) -> None:
        both = a_generator(0, 1)
        both.gumbel = 1.0
        z, noise = both.noise(game_of(3, 4), 5)
        one = a_generator(0)
        one.gumbel = 1.0
        for r, seed in enumerate((3, 4)):
            alone_z, alone = one.noise(game_of(seed), 5)
            assert noise is not None
            assert alone is not None
            assert torch.equal(alone_z[0], z[r])
            assert torch.equal(alone[0], noise[r])

    def test_straight_through_rows_are_anchors_with_the_gradient_of_the_weights(self) -> None:
        soft = a_generator(0, 1, temperature=0.5)
        hard = copy.deepcopy(soft)
        hard.straight_through = True
        z, direction = drawn(2, CLASSES, 4, 4), drawn(2, CLASSES, 4, FEATURES)
        (rows, weights), (_, plain) = hard(z), soft(z)
        assert torch.equal(weights.argmax(dim=-1), plain.argmax(dim=-1))
        assert set(weights.flatten().tolist()) == {0.0, 1.0}
        for r in range(2):
            for k in range(CLASSES):
                chosen = hard.anchors[r, k][weights[r, k].argmax(dim=-1)]
                torch.testing.assert_close(rows[r, k].detach(), chosen)
        (rows * direction).sum().backward()
        (soft(z)[0] * direction).sum().backward()
        torch.testing.assert_close(hard.bias.grad, soft.bias.grad)

    def test_lower_temperature_leans_on_fewer_anchors(self) -> None:
        z = drawn(2, CLASSES, 8, 4)
        found = [perplexity(a_generator(0, 1, temperature=t)(z)[1]) for t in (0.02, 0.1, 0.5, 1.0, 10.0)]
        for sharper, flatter in pairwise(found):
            assert (sharper < flatter).all()

    def test_anchors_are_not_part_of_a_checkpoint(self) -> None:
        assert {key.split(".")[0] for key in a_generator(0).state_dict()} == {"trunk", "weight", "bias"}


class TestDropout:
    def test_keeps_and_rescales(self) -> None:
        # Kept where the stream's number is at least the rate, and divided by 1 - 0.25.
        drawn = torch.tensor([0.0, 0.24, 0.25, 0.99])
        torch.testing.assert_close(dropout_factors(drawn, 0.25), torch.tensor([0, 0, 1, 1]) / 0.75)

    def test_multiplies_every_hidden_layer(self) -> None:
        q, x = Classifier(FEATURES, 4, CLASSES, 3, weights_of(0), 0.5), drawn(1, 2, FEATURES)
        given = [torch.tensor([2.0, 0, 2, 0]).expand(1, 2, 4), torch.tensor([0.0, 2, 2, 2]).expand(1, 2, 4)]
        first, second, last = q.layers
        hidden = leaky_relu(first(x), SLOPE) * given[0]
        hidden = leaky_relu(second(hidden), SLOPE) * given[1]
        torch.testing.assert_close(q(x, given), last(hidden))

    def test_share_and_mean(self) -> None:
        # Standard error of the share: sqrt(0.3 * 0.7 / 40000) = 0.0023
        found = dropout_factors(game_of(0, 1).uniform(200, 200), 0.3)
        for one in found:
            assert float((one == 0).float().mean()) == pytest.approx(0.3, abs=0.012)
            assert float(one.mean()) == pytest.approx(1, abs=0.02)

    def test_only_with_random_numbers(self) -> None:
        q, x = Classifier(FEATURES, 16, CLASSES, 4, weights_of(0, 1), 0.5), drawn(2, 6, FEATURES)
        plain = q(x)
        assert torch.equal(q(x), plain)
        assert torch.equal(q.train()(x), plain)
        assert torch.equal(q.eval()(x), plain)
        assert not torch.equal(q(x, factors(q, 6, 0, 1)), plain)

    def test_rate_zero_drops_no_layer(self) -> None:
        assert Classifier(FEATURES, 16, CLASSES, 4, weights_of(0), 0.0).dropped_widths == []

    def test_replicas_equal_solo_networks(self) -> None:
        x = drawn(3, 6, FEATURES)

        def dropped(*seeds: int) -> Tensor:
            q = Classifier(FEATURES, 16, CLASSES, 4, weights_of(*seeds), 0.4)
            out: Tensor = q(x[list(seeds)], factors(q, 6, *seeds))
            return out

        together = dropped(0, 1, 2)
        for r in range(3):
            assert torch.equal(dropped(r)[0], together[r])

    def test_outputs_are_never_dropped(self) -> None:
        # One layer has no hidden units.
        assert Classifier(FEATURES, 16, CLASSES, 1, weights_of(0), 0.9).dropped_widths == []


class TestGradient:
    @pytest.mark.parametrize("conditional", [False, True])
    @pytest.mark.parametrize("layers", [2, 3, 4])
    def test_equals_automatic_differentiation(self, conditional: bool, layers: int) -> None:
        d = Discriminator(FEATURES, 3, 16, layers, conditional, weights_of(0, 1)).double()
        x, y = drawn(2, 7, FEATURES).double().requires_grad_(), torch.arange(7).expand(2, 7) % 3
        (wanted,) = torch.autograd.grad(d(x, y).sum(), x, create_graph=True)
        found = d.gradient(x, y)
        torch.testing.assert_close(found, wanted)
        # and so does what the penalty differentiates: the gradient with respect to the weights
        weights = [p for name, p in d.named_parameters() if name.endswith("weight")]
        for one, other in zip(
            torch.autograd.grad(found.square().sum(), weights),
            torch.autograd.grad(wanted.square().sum(), weights),
            strict=True,
        ):
            torch.testing.assert_close(one, other)

    def test_by_hand(self) -> None:
        # Weights 2 and 3, biases 0: the gradient is 6 where x > 0 and 0.1 * 6 where x < 0.
        mlp = MLP(1, 1, 1, 2, weights_of(0))
        with torch.no_grad():
            for layer, weight in zip(mlp.layers, (2.0, 3.0), strict=True):
                layer.weight.fill_(weight)
                layer.bias.zero_()
        found = mlp.gradient(torch.tensor([[[1.0], [-1.0]]])).flatten().tolist()
        assert found == pytest.approx([6.0, 0.6])


class TestAffine:
    @settings(deadline=None, max_examples=40)
    @given(shape=st.tuples(*[st.integers(1, 70)] * 3), replicas=st.integers(1, 5), seed=st.integers(0, 2**31))
    def test_replicas_equal_solo_maps_bit_for_bit(
        self, shape: tuple[int, int, int], replicas: int, seed: int
    ) -> None:
        rows, inner, columns = shape
        whole = (
            drawn(replicas, rows, inner, seed=seed),
            drawn(replicas, inner, columns, seed=seed + 1),
            drawn(replicas, 1, columns, seed=seed + 2),
        )
        pull = drawn(replicas, rows, columns, seed=seed + 3)
        together = self.forward_and_backward(whole, pull)
        x, weight, bias = (part.double() for part in whole)
        torch.testing.assert_close(together[0].double(), 2 * (x @ weight + bias), rtol=1e-4, atol=1e-4)
        for r in range(replicas):
            alone = self.forward_and_backward([part[r : r + 1] for part in whole], pull[r : r + 1])
            assert all(torch.equal(one[0], all_[r]) for one, all_ in zip(alone, together, strict=True))

    def forward_and_backward(self, parts: Sequence[Tensor], pull: Tensor) -> tuple[Tensor, ...]:
        leaves = [part.clone().requires_grad_() for part in parts]
        out = affine(*leaves, 2.0)
        return out.detach(), *torch.autograd.grad(out, leaves, pull)


class TestDiscriminator:
    def scores(self, conditional: bool) -> tuple[Tensor, Tensor]:
        d = Discriminator(FEATURES, 3, 16, 3, conditional, weights_of(0, 1))
        x = drawn(2, 5, FEATURES)
        return d(x, torch.zeros(2, 5, dtype=torch.long)), d(x, torch.full((2, 5), 2))

    def test_conditional_depends_on_the_class(self) -> None:
        zero, two = self.scores(conditional=True)
        assert (zero != two).all()

    def test_unconditional_does_not(self) -> None:
        zero, two = self.scores(conditional=False)
        assert torch.equal(zero, two)

    def test_rows_do_not_influence_each_other(self) -> None:
        d, x = Discriminator(FEATURES, 3, 16, 3, True, weights_of(0)), drawn(1, 5, FEATURES)
        y = torch.tensor([[0, 1, 2, 0, 1]])
        before = d(x, y)
        x[0, 0] += 5
        after = d(x, y)
        assert torch.equal(after[0, 1:], before[0, 1:])
        assert after[0, 0] != before[0, 0]
