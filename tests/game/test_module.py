"""The order of play, every player's loss against its equation, and the independence of replicas."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from adversarial_oversampling.curve_names import CURVES, monitor
from adversarial_oversampling.data.datamodule import Batch
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game import losses
from adversarial_oversampling.game.diversity import anchor_entropy
from adversarial_oversampling.game.module import Game, Rules
from adversarial_oversampling.limits import PLAYERS
from adversarial_oversampling.random_streams import DeviceStreams, Purpose
from adversarial_oversampling.training.build import build_data, build_game, build_trainer
from tests.conftest import Compose, Run, saved_weights


class Recorded(Game):
    """A game that records the loss of every step instead of taking it."""

    fixed: Tensor

    def start(self) -> "Recorded":
        self.steps: list[tuple[str, Tensor]] = []
        return self

    def step(self, player: str, parts: Mapping[str, Tensor], gradients: Sequence[Tensor]) -> None:
        self.steps.append((player, parts["loss"]))
        self._losses.add(player, parts)


PLAIN_Q = [
    f"dataset.training.{setting}"
    for setting in (
        "batch_size=64",
        "width=128",
        "learning_rate=0.0003",
        "dropout=0.0",
        "weight_decay=0.0001",
    )
]


def recorded(compose_config: Compose, *overrides: str) -> tuple[Recorded, Any]:
    cfg = compose_config("replicas=2", "recipe=plain", "dataset.training.batch_size=64", *overrides)
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    game.configure_optimizers()
    game.__class__ = Recorded
    assert isinstance(game, Recorded)
    return game.start(), data


def first(data: Any) -> Batch:
    """The first batch of real rows."""
    batch: Batch = next(iter(data.train_dataloader()))[0]
    return batch


def log_q(game: Game, rows: Tensor) -> Tensor:
    return game.classifier(rows).log_softmax(dim=-1)


def own(values: Tensor, k: int) -> Tensor:
    """Column k of the last axis."""
    return values[..., k]


@pytest.mark.parametrize("steps", [1, 3])
def test_order_of_play(compose_config: Compose, steps: int) -> None:
    game, data = recorded(compose_config, "mode=do", f"mode.rules.critic_steps={steps}")
    game.training_step([first(data)], 0)
    assert [player for player, _ in game.steps] == ["discriminator"] * steps + ["generator", "classifier"]


def test_baseline_is_the_classifier_alone(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=q")
    batch = first(data)
    game.training_step([batch], 0)
    ((player, loss),) = game.steps
    expected = -log_q(game, batch.x).gather(-1, batch.y[..., None]).squeeze(-1).mean(dim=-1)
    assert player == "classifier"
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize(
    ("mode", "law", "weight", "fooled"),
    [
        ("ao", "inverse", 1.0, False),
        ("do", "oversampled", 0.1, True),
        ("both_fool", "oversampled", 0.1, True),
        ("both_favour", "inverse", 1.0, False),
    ],
)
def test_classifier_loss_is_eq_5_or_8(
    compose_config: Compose, mode: str, law: str, weight: float, fooled: bool
) -> None:
    game, data = recorded(compose_config, f"mode={mode}")
    batch = first(data)
    game.fixed = game.generate()
    game.classifier_turn(batch, game.fixed)

    n = data.counts.double()
    # fs is balanced in the modes that draw by the oversampled law.
    weights = 1 / n if law == "inverse" else torch.ones_like(n)
    chance = weights / weights.sum(dim=1, keepdim=True)
    expected = -log_q(game, batch.x).gather(-1, batch.y[..., None]).squeeze(-1).mean(dim=-1)
    for k in range(2):
        q = own(log_q(game, game.fixed[:, k]).exp(), k)
        term = -torch.log(1 - q) if fooled else -torch.log(q)
        expected = expected + weight * chance[:, k].float() * term.mean(dim=-1)
    torch.testing.assert_close(game.steps[-1][1], expected)


@pytest.mark.parametrize(
    ("mode", "fools"), [("ao", True), ("do", False), ("both_fool", True), ("both_favour", False)]
)
@pytest.mark.parametrize("gan_type", ["wgan_gp", "vanilla"])
def test_generator_loss_is_eq_3_or_6(compose_config: Compose, mode: str, fools: bool, gan_type: str) -> None:
    game, _ = recorded(
        compose_config, f"mode={mode}", f"gan_type={gan_type}", "mode.rules.generator_weight=0.7"
    )
    rows, weights = game.generator(*game.generator_noise())
    game.generator_turn(rows, weights)
    expected = torch.zeros(2)
    for i in range(2):
        score = game.discriminator(rows[:, i], torch.full(rows.shape[:1] + rows.shape[2:3], i))
        against_d = -score if gan_type == "wgan_gp" else torch.log(1 - torch.sigmoid(score))
        q = own(log_q(game, rows[:, i]).exp(), i)
        against_q = -torch.log(1 - q) if fools else -torch.log(q)
        expected = expected + 0.5 * (against_d + 0.7 * against_q).mean(dim=-1)
    torch.testing.assert_close(game.steps[-1][1], expected.detach())


def test_g_plays_on_the_rows_of_ds_last_turn(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=do", "mode.rules.critic_steps=2")
    of_d, of_g, of_q = [], [], []
    d, g, q = game.discriminator_turn, game.generator_turn, game.classifier_turn
    game.discriminator_turn = lambda batch, rows: (of_d.append(rows), d(batch, rows))[1]  # type: ignore
    game.generator_turn = lambda rows, weights: (of_g.append(rows), g(rows, weights))[1]  # type: ignore
    game.classifier_turn = lambda batch, rows: (of_q.append(rows), q(batch, rows))[1]  # type: ignore
    game.play(first(data))
    assert torch.equal(of_d[1], of_g[0])
    assert of_g[0].requires_grad
    assert not of_d[1].requires_grad
    assert not torch.equal(of_d[0], of_d[1])
    assert not torch.equal(of_q[0], of_g[0])


@pytest.mark.parametrize("gan_type", ["wgan_gp", "vanilla"])
@pytest.mark.parametrize("fs", ["natural", "balanced"])
def test_discriminator_loss_is_eq_4_and_7(compose_config: Compose, gan_type: str, fs: str) -> None:
    game, data = recorded(compose_config, "mode=do", f"gan_type={gan_type}", f"fs={fs}")
    batch = first(data)
    game.fixed = game.generate()
    state = game.noise.state()
    game.discriminator_turn(batch, game.fixed)

    n = data.counts.float()
    law = n / n.sum(dim=1, keepdim=True) if fs == "natural" else torch.full_like(n, 0.5)
    score = game.discriminator(batch.x, batch.y)
    fakes = [game.discriminator(game.fixed[:, k], torch.zeros(2, 32, dtype=torch.long)) for k in range(2)]
    if gan_type == "wgan_gp":
        expected = -score.mean(dim=-1) + sum(law[:, k] * fakes[k].mean(dim=-1) for k in range(2))
        game.noise.restore(state)
        mix = game.noise.uniform(64, 1)
        partner = torch.stack(
            [torch.stack([game.fixed[r, batch.y[r, b], b % 32] for b in range(64)]) for r in range(2)]
        )
        between = (mix * batch.x + (1 - mix) * partner).requires_grad_(True)
        (slope,) = torch.autograd.grad(game.discriminator(between, batch.y).sum(), between)
        expected = expected + 10 * ((slope.pow(2).sum(dim=-1).sqrt() - 1) ** 2).mean(dim=-1)
    else:
        expected = -torch.sigmoid(score).log().mean(dim=-1)
        expected = expected - sum(
            law[:, k] * torch.log(1 - torch.sigmoid(fakes[k])).mean(dim=-1) for k in range(2)
        )
    torch.testing.assert_close(game.steps[-1][1], expected.detach(), rtol=1e-4, atol=1e-5)


def test_class_weights_make_every_class_count_the_same(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=weighted_q", "dataset=yeast")
    batch = first(data)
    game.classifier_turn(batch)
    n = data.counts.double()
    weight = n.sum(dim=1, keepdim=True) / (10 * n)  # N / (C n_k)
    losses_of_rows = -log_q(game, batch.x).gather(-1, batch.y[..., None]).squeeze(-1)
    expected = (weight.gather(1, batch.y).float() * losses_of_rows).mean(dim=-1)
    torch.testing.assert_close(game.steps[-1][1], expected.detach())


@pytest.mark.parametrize("fs", ["natural", "quarter", "balanced"])
def test_class_weights_give_the_balanced_expectation(compose_config: Compose, fs: str) -> None:
    # Rows of class k come with the law's chance and count with its weight: 1 / C in all.
    game, data = recorded(compose_config, "mode=weighted_q", "dataset=yeast", f"fs={fs}")
    n = data.counts.double()
    ratio = {"natural": 0.0, "quarter": 0.25, "balanced": 1.0}[fs]
    aims = torch.maximum(n, ratio * n.max(dim=1, keepdim=True).values)
    chance = aims / aims.sum(dim=1, keepdim=True)
    torch.testing.assert_close(chance * game.class_weights, torch.full_like(n, 0.1), rtol=1e-6, atol=0)
    if fs == "balanced":
        torch.testing.assert_close(game.class_weights, torch.ones(2, 10))


def test_cot_moves_q_twice(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=cot", "dataset=yeast", "dataset.training.dropout=0.5")
    batch = first(data)
    game.training_step([batch], 0)
    assert [player for player, _ in game.steps] == ["classifier", "complement"]
    p = game.classifier(batch.x).softmax(dim=-1)
    expected = torch.zeros(2)
    for r in range(2):
        for row, k in zip(p[r], batch.y[r].tolist(), strict=True):
            wrong = torch.cat([row[:k], row[k + 1 :]]) / (1 - row[k])
            expected[r] += (wrong * wrong.log()).sum() / 9 / batch.y.shape[1]
    torch.testing.assert_close(game.steps[1][1], expected.detach())


def test_cots_second_optimizer_shares_weights_but_no_decay_and_no_momentum(compose_config: Compose) -> None:
    settings = ["dataset.training.weight_decay=1.0", "dataset.training.learning_rate=0.0003"]
    game, _ = recorded(compose_config, "mode=cot", *settings)
    (first, second), schedules = game.configure_optimizers()
    groups = [one.param_groups[0] for one in (first, second)]
    assert all(a is b for a, b in zip(groups[0]["params"], groups[1]["params"], strict=True))
    assert [group["weight_decay"] for group in groups] == [1.0, 0.0]
    assert groups[0]["lr"] == groups[1]["lr"] == 0.0003
    assert first.state is not second.state
    assert [schedule.optimizer for schedule in schedules] == [first, second]


def test_cot_of_two_classes_is_q_bit_for_bit(run: Run, tmp_path: Path) -> None:
    settings = ["dataset.training.dropout=0.5", "dataset.training.weight_decay=1.0"]
    for name, overrides in (
        ("q", ["mode=q"]),
        ("cot", ["mode=cot"]),
        ("q_damped", ["mode=q", *settings]),
        ("cot_damped", ["mode=cot", *settings]),
    ):
        run(*overrides, name=name)
    for suffix in ("", "_damped"):
        q, cot = tmp_path / f"q{suffix}", tmp_path / f"cot{suffix}"
        for seed in (0, 1):
            for alone, twice in zip(output_of(q, seed), output_of(cot, seed), strict=True):
                pd.testing.assert_frame_equal(alone, twice[list(alone)], check_exact=True)
        weights = [saved_weights(f) for f in (q, cot)]
        assert weights[0].keys() == weights[1].keys()
        assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    damped = [output_of(tmp_path / f"q{suffix}", 0)[1] for suffix in ("", "_damped")]
    assert not damped[0].equals(damped[1])


def test_cot_of_ten_classes_is_not_q(run: Run, tmp_path: Path) -> None:
    for mode in ("q", "cot"):
        run(f"mode={mode}", "dataset=yeast", "trainer.max_epochs=1", "replicas=1", name=mode)
    q, cot = (output_of(tmp_path / mode, 0)[1] for mode in ("q", "cot"))
    assert list(q.row) == list(cot.row)
    assert not np.allclose(q.p_CYT, cot.p_CYT, atol=1e-4)


def lacking(data: Any) -> Tensor:
    """What each class lacks to the largest, as shares."""
    short = data.counts.max(dim=1, keepdim=True).values - data.counts
    return (short / short.sum(dim=1, keepdim=True)).float()


def test_gamo_generates_only_what_lacks_to_the_largest(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=gamo", "dataset=yeast")
    law = lacking(data)
    for name in ("generated_law", "generator_law", "discriminator_law"):
        torch.testing.assert_close(getattr(game, name), law)
    assert (law[:, 0] == 0).all()
    assert (law[:, 1:] > 0).all()
    batch = first(data)
    game.fixed = game.generate()
    state = game.noise.state()
    for largest in (0.0, 100.0):  # its generated rows change nothing
        game.fixed[:, 0] = largest
        game.noise.restore(state)
        game.discriminator_turn(batch, game.fixed)
        game.classifier_turn(batch, game.fixed)
    (_, d), (_, q), (_, other_d), (_, other_q) = game.steps
    assert torch.equal(d, other_d)
    assert torch.equal(q, other_q)


def test_gamos_discriminator_sees_the_class_and_noisy_targets(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=gamo", "dataset=yeast")
    batch = first(data)
    assert not torch.equal(
        game.discriminator(batch.x, batch.y), game.discriminator(batch.x, (batch.y + 1) % 10)
    )
    game.fixed = game.generate()
    state = game.noise.state()
    game.discriminator_turn(batch, game.fixed)
    game.noise.restore(state)
    short = 0.1 * game.noise.uniform(*batch.y.shape[1:])
    expected = ((game.discriminator(batch.x, batch.y).sigmoid() - (1 - short)) ** 2).mean(dim=-1)
    short, law = 0.1 * game.noise.uniform(10, game.generated_rows), lacking(data)
    for k in range(10):
        rows = game.fixed[:, k]
        score = game.discriminator(rows, torch.full(rows.shape[:2], k))
        expected = expected + law[:, k] * ((score.sigmoid() - short[:, k]) ** 2).mean(dim=-1)
    torch.testing.assert_close(game.steps[-1][1], expected.detach())


def test_gamos_generator_aims_at_one_and_at_any_other_class(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=gamo", "dataset=yeast", "mode.rules.generator_weight=0.7")
    rows, weights = game.generator(*game.generator_noise())
    state = game.noise.state()
    game.generator_turn(rows, weights)
    assert torch.equal(game.noise.state(), state)  # no noise on the targets
    law, expected = lacking(data), torch.zeros(2)
    for k in range(10):
        score = game.discriminator(rows[:, k], torch.full(rows[:, k].shape[:2], k))
        q = game.classifier(rows[:, k]).softmax(dim=-1)
        others = torch.ones(10)
        others[k] = 0
        against_q = ((q - others) ** 2).mean(dim=-1)
        expected = expected + law[:, k] * ((score.sigmoid() - 1) ** 2 + 0.7 * against_q).mean(dim=-1)
    torch.testing.assert_close(game.steps[-1][1], expected.detach())


def test_gamos_classifier_learns_real_and_generated_rows_by_squares(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=gamo", "dataset=yeast", "mode.rules.generated_weight=0.6")
    batch = first(data)
    game.fixed = game.generate()
    state = game.noise.state()
    game.classifier_turn(batch, game.fixed)
    assert torch.equal(game.noise.state(), state)
    own = torch.nn.functional.one_hot(batch.y, 10)
    expected = ((game.classifier(batch.x).softmax(dim=-1) - own) ** 2).mean(dim=(1, 2))
    law, unit = lacking(data), torch.eye(10)
    for k in range(10):
        q = game.classifier(game.fixed[:, k]).softmax(dim=-1)
        expected = expected + 0.6 * law[:, k] * ((q - unit[k]) ** 2).mean(dim=(1, 2))
    torch.testing.assert_close(game.steps[-1][1], expected.detach())


def test_dropout_is_drawn_anew_for_real_and_generated_rows(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=do", "players.classifier.dropout=0.3")
    batch, generated = first(data), game.generate()
    first_time, second_time = (game.dropout_factors(batch, generated) for _ in range(2))
    widths = game.classifier.dropped_widths
    assert [factor.shape for factor in first_time] == [(2, 64 + 64, width) for width in widths]
    for one, other in zip(first_time, second_time, strict=True):
        assert not torch.equal(one, other)
        assert not torch.equal(one[:, :64], one[:, 64:])


def test_dropout_of_rate_zero_draws_nothing(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=do", "players.classifier.dropout=0")
    state = game.noise.state()
    assert game.dropout_factors(first(data), None) == []
    assert torch.equal(game.noise.state(), state)


def test_no_noise_on_the_targets_where_there_is_none(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=gamo", "gan_type.loss.label_noise=0")
    assert isinstance(game.gan, losses.LeastSquares)
    game.fixed = game.generate()
    state = game.noise.state()
    game.discriminator_turn(first(data), game.fixed)
    assert torch.equal(game.noise.state(), state)


def test_the_tuned_threshold_decides_on_test_rows(run: Run, tmp_path: Path) -> None:
    settings = ["dataset=yeast", "trainer.max_epochs=3", "seed=4"]
    tuned, plain = (run(f"mode={mode}", *settings, name=mode) for mode in ("threshold_q", "q"))
    shift = saved_weights(tmp_path / "threshold_q")["shift"]
    assert (shift != 0).all()
    elsewhere = 0
    for r, record in enumerate(tuned.replicas):
        curves, mine = output_of(tmp_path / "threshold_q", record.seed)
        own, usual = output_of(tmp_path / "q", record.seed)
        # Q itself is the same; only its decision moves, and it can stay where it was.
        assert list(curves["classifier/loss"]) == list(own["classifier/loss"])
        assert (curves["validation/acsa"] >= own["validation/acsa"]).all()
        assert record.selection_acsa >= plain.replicas[r].selection_acsa
        names = np.array(tuned.classes)
        chance = mine[[f"p_{name}" for name in names]].to_numpy().astype(float)
        prior = np.array(record.rows.train) / sum(record.rows.train)
        moved = (np.log(chance) - float(shift[r]) * np.log(prior)).argmax(axis=1)
        assert (mine.predicted == names[moved]).all()
        elsewhere += (mine.predicted != names[chance.argmax(axis=1)]).sum()
        recalls = [(mine.predicted == mine.true)[mine.true == name].mean() for name in names]
        assert record.acsa == pytest.approx(np.mean(recalls))
        assert record.recall == pytest.approx(dict(zip(names, recalls, strict=True)))
        assert list(usual.row) == list(mine.row)
    assert elsewhere > 0


def test_drawing_classes_evenly_is_random_oversampling(run: Run) -> None:
    """On the same splits the two agree within the spread of the splits, and Q without either does not."""
    settings = ["dataset=pima", "trainer.max_epochs=15", "replicas=5", *PLAIN_Q]
    acsa = {
        name: np.array([record.acsa for record in run(*mode, *settings, name=name).replicas])
        for name, mode in {"even": ["mode=q", "fs=balanced"], "ro": ["mode=ro"], "q": ["mode=q"]}.items()
    }
    assert abs((acsa["even"] - acsa["ro"]).mean()) < acsa["ro"].std(ddof=1)
    assert abs((acsa["q"] - acsa["ro"]).mean()) > acsa["ro"].std(ddof=1)
    assert abs((acsa["even"] - acsa["ro"]).mean()) < abs((acsa["even"] - acsa["q"]).mean()) / 2


def test_only_the_player_of_a_turn_changes(compose_config: Compose, tmp_path: Path) -> None:
    cfg = compose_config("mode=do", "trainer.max_epochs=1", "replicas=1")
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    changed: list[tuple[str, set[str]]] = []
    plain_step = game.step

    def step(player: str, parts: Mapping[str, Tensor], gradients: Sequence[Tensor]) -> None:
        before = {name: p.detach().clone() for name, p in game.named_parameters()}
        plain_step(player, parts, gradients)
        moved = {n.split(".")[0] for n, p in game.named_parameters() if not torch.equal(p, before[n])}
        changed.append((player, moved))

    game.step = step  # type: ignore[method-assign]
    build_trainer(cfg, tmp_path, []).fit(game, datamodule=data)
    assert {player for player, _ in changed} == {"discriminator", "generator", "classifier"}
    assert all(moved == {player} for player, moved in changed)


def output_of(folder: Path, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    parts = [pd.read_parquet(folder / f"{name}.parquet") for name in ("curves", "predictions")]
    curves, predictions = (part[part.seed == seed].reset_index(drop=True) for part in parts)
    return curves, predictions


@pytest.mark.parametrize(
    "overrides",
    [
        ["mode=q"],
        ["mode=ao"],
        ["mode=do"],
        ["mode=do", "gan_type=vanilla", "players.classifier.dropout=0.3"],
        ["mode=do", "trainer.random_numbers=device", "players.classifier.dropout=0.3"],
        ["mode=do", "dataset=yeast", "players.classifier.width=33", "players.discriminator.width=21"],
        ["mode=ao", "dataset.preprocessing.n_selected=1"],
        ["mode=adasyn"],  # replicas differ in their numbers of new rows
        ["mode=gamo", "dataset=yeast"],
        ["mode=cot", "dataset=yeast", "players.classifier.dropout=0.3"],
        ["mode=threshold_q"],
        ["mode=weighted_q"],
        ["mode=do", "dataset=yeast", "protocol=cv", "protocol.fold=1", "dataset.training.batch_size=50"],
    ],
    ids=" ".join,
)
def test_a_replica_equals_its_solo_run(run: Run, tmp_path: Path, overrides: list[str]) -> None:
    run(*overrides, "replicas=3", "seed=5", name="together")
    for seed in (5, 7):
        run(*overrides, "replicas=1", f"seed={seed}", name=f"solo{seed}")
        for together, solo in zip(
            output_of(tmp_path / "together", seed), output_of(tmp_path / f"solo{seed}", seed), strict=True
        ):
            pd.testing.assert_frame_equal(together, solo, check_exact=True)


def test_the_curves_of_a_game_have_the_known_names(run: Run, tmp_path: Path) -> None:
    """Figures and dashboard views look them up by these names."""
    logged: set[str] = set()
    for mode in ("do", "cot"):
        run(f"mode={mode}", "trainer.max_epochs=1", name=mode)
        logged |= set(pd.read_parquet(tmp_path / mode / "curves.parquet"))
    scores = {f"{monitor('validation')}/{metric}" for metric in ("acsa", "g_mean", "loss")}
    known = {name for names in CURVES.values() for name in names}
    assert logged == known | scores | {"seed", "fold", "epoch"}
    run("mode=q", "protocol=paper", "trainer.max_epochs=1", name="paper")
    assert f"{monitor('test')}/acsa" in pd.read_parquet(tmp_path / "paper" / "curves.parquet")


def test_replicas_have_splits_and_weights_of_their_own(compose_config: Compose) -> None:
    cfg = compose_config("mode=do", "replicas=2")
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    assert not np.array_equal(data.splits[0].test, data.splits[1].test)
    for p in game.parameters():
        assert not torch.equal(p[0], p[1])


def fitted(compose_config: Compose, tmp_path: Path, poison: int | None) -> tuple[Game, Mapping[str, Tensor]]:
    cfg = compose_config("mode=do", "replicas=3", "trainer.max_epochs=2")
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    if poison is not None:
        with torch.no_grad():
            game.classifier.layers[0].weight[poison] = torch.nan
    build_trainer(cfg, tmp_path, []).fit(game, datamodule=data)
    return game, {name: p.detach() for name, p in game.named_parameters()}


@pytest.mark.parametrize("player", ["discriminator", "generator", "classifier"])
@pytest.mark.parametrize("members", [1, 2])
def test_the_player_with_whom_it_began_is_named(
    compose_config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, player: str, members: int
) -> None:
    step, rounds = Game.step, 0

    def broken(self: Game, turn: str, parts: Mapping[str, Tensor], gradients: Sequence[Tensor]) -> None:
        nonlocal rounds
        rounds += turn == player
        if turn == player and rounds == 8:  # in the second epoch of six rounds
            parts = {**parts, "loss": parts["loss"] * torch.tensor([1.0] * members + [torch.nan] * members)}
        step(self, turn, parts, gradients)
        if turn == player and rounds == 8:  # what such a loss does, so that the other players follow
            with torch.no_grad():
                for p in getattr(self, player).parameters():
                    p[members:] = torch.nan

    monkeypatch.setattr(Game, "step", broken)
    cfg = compose_config("mode=do", "replicas=2", f"members={members}", "trainer.max_epochs=2")
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    build_trainer(cfg, tmp_path, []).fit(game, datamodule=data)
    assert game.best.reason(0) is None
    assert game.best.reason(1) == f"the loss of the {player} became NaN or infinite in epoch 1"


def test_a_nan_loss_masks_one_replica_only(compose_config: Compose, tmp_path: Path) -> None:
    healthy, weights = fitted(compose_config, tmp_path / "a", None)
    ill, poisoned = fitted(compose_config, tmp_path / "b", 1)
    assert healthy.best.diverged_at.tolist() == [-1, -1, -1]
    assert ill.best.diverged_at.tolist() == [-1, 0, -1]
    # G, which learns from Q, is the first with a loss that is NaN.
    assert ill.best.reason(1) == "the loss of the classifier became NaN or infinite in epoch 0"
    assert ill.best.reason(0) is None
    assert ill.best.epoch[1] == -1
    for r in (0, 2):
        assert ill.best.epoch[r] == healthy.best.epoch[r]
        assert all(torch.equal(weights[name][r], poisoned[name][r]) for name in weights)


def test_nan_in_every_replica_stops_the_run(run: Run, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"loss of the classifier .* are players\.classifier\.optimizer\.lr=1e\+30; change"
    ):
        run("mode=q", "players.classifier.optimizer.lr=1e30")
    assert not (tmp_path / "run" / "result.json").exists()


@pytest.mark.parametrize("weight_average", [0.0, 0.8])
def test_the_best_epoch_has_the_best_score_and_of_equal_ones_the_lowest_loss(
    compose_config: Compose, tmp_path: Path, weight_average: float
) -> None:
    cfg = compose_config(
        "mode=do",
        "replicas=3",
        "trainer.max_epochs=8",
        "protocol.running_mean=1",
        f"protocol.weight_average={weight_average}",
    )
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    trainer = build_trainer(cfg, tmp_path, [])
    trainer.fit(game, datamodule=data)
    curve, loss = (torch.stack(game.history[f"validation/{name}"]) for name in ("acsa", "loss"))
    best = curve.max(dim=0).values
    assert ((curve == best).sum(dim=0) > 1).any()  # there are ties
    assert game.best.epoch.tolist() == loss.masked_fill(curve < best, torch.inf).argmin(dim=0).tolist()
    game.load_best()
    trainer.validate(game, datamodule=data, verbose=False)
    assert torch.equal(game.history["validation/acsa"][-1], best)
    assert torch.equal(game.history["validation/loss"][-1], loss.gather(0, game.best.epoch[None])[0])


def test_the_running_mean_chooses_the_end_of_the_best_window(compose_config: Compose, tmp_path: Path) -> None:
    cfg = compose_config("mode=q", "replicas=3", "trainer.max_epochs=8", "protocol.running_mean=3")
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    build_trainer(cfg, tmp_path, []).fit(game, datamodule=data)
    means = torch.stack(game.history["validation/acsa"]).unfold(0, 3, 1).mean(dim=-1)
    torch.testing.assert_close(game.best.score, means.max(dim=0).values)
    for r, epoch in enumerate(game.best.epoch.tolist()):
        assert epoch >= 2
        torch.testing.assert_close(means[epoch - 2, r], means[:, r].max())


def test_averaged_weights_are_a_moving_average(compose_config: Compose) -> None:
    """The first steps count the same; from the fourth on the average decays by 3/4."""
    cfg = compose_config("mode=q", "replicas=2", "protocol.weight_average=0.75")
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    game.configure_optimizers()
    batch, seen = first(data), []
    for _ in range(6):
        game.play(batch)
        seen.append(game.classifier.layers[0].get_parameter("weight").detach().clone())
    expected = torch.stack(seen[:4]).mean(dim=0)
    for weight in seen[4:]:
        expected = 0.75 * expected + 0.25 * weight
    torch.testing.assert_close(game.evaluated.layers[0].get_parameter("weight").detach(), expected)


def test_label_smoothing_by_hand(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=q", "+mode.rules.label_smoothing=0.2", "dataset=yeast")
    batch = first(data)
    game.classifier_turn(batch)
    target = 0.8 * one_hot(batch.y, 10) + 0.02
    torch.testing.assert_close(game.steps[-1][1], -(target * log_q(game, batch.x)).sum(dim=-1).mean(dim=-1))


def test_mixup_by_hand(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=q", "+mode.rules.mixup=true")
    batch, state = first(data), game.noise.state()
    mixed, partners, share = game.mixed(batch)
    assert ((share >= 0.5) & (share <= 1)).all()
    for i in range(batch.y.shape[1]):
        s = share[:, i, None]
        torch.testing.assert_close(mixed.x[:, i], s * batch.x[:, i] + (1 - s) * batch.x[:, i - 1])
        assert torch.equal(partners[:, i], batch.y[:, i - 1])
    game.noise.restore(state)
    game.classifier_turn(batch)
    nll = -log_q(game, mixed.x)
    own_term, other_term = (nll.gather(-1, y[..., None]).squeeze(-1) for y in (batch.y, partners))
    expected = (share * own_term + (1 - share) * other_term).mean(dim=-1)
    torch.testing.assert_close(game.steps[-1][1], expected)


def test_the_diversity_term_spreads_the_anchors(compose_config: Compose) -> None:
    """G's samples use more anchors after some rounds with the term than without it."""
    used = []
    for weight in (0.0, 3.0):
        cfg = compose_config(
            "mode=ao",
            "recipe=plain",
            "replicas=2",
            f"mode.rules.diversity_weight={weight}",
            "players.generator.optimizer.lr=0.01",
        )
        data = build_data(cfg)
        data.setup()
        game = build_game(cfg, data)
        game.configure_optimizers()
        batch = first(data)
        for _ in range(30):
            game.play(batch)
        _, weights = game.generator(*game.generator_noise())
        used.append(anchor_entropy(weights, game.generator.present))
    assert (used[1] > used[0]).all()


def test_without_a_discriminator_only_q_teaches_g(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=ao", "mode.rules.discriminator_weight=0")
    before = [p.clone() for p in game.discriminator.parameters()]
    game.play(first(data))
    assert [player for player, _ in game.steps] == ["generator", "classifier"]
    assert all(torch.equal(p, q) for p, q in zip(before, game.discriminator.parameters(), strict=True))


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"generator_term": "tease"}, "mode.rules.generator_term"),
        ({"classifier_term": None}, "mode.rules.classifier_term"),
        ({"generated_law": "none"}, "mode.rules.generated_law"),
        ({"generator_weight": -1.0}, "mode.rules.generator_weight"),
        ({"generated_weight": float("nan")}, "mode.rules.generated_weight"),
        ({"critic_steps": 0}, "mode.rules.critic_steps"),
        ({"discriminator_weight": -1.0}, "mode.rules.discriminator_weight"),
        ({"label_smoothing": 1.0}, "mode.rules.label_smoothing"),
        ({"mixup": 1}, "mode.rules.mixup"),
        ({"real_term": "like"}, "mode.rules.real_term"),
        ({"generator_law": "none"}, "mode.rules.generator_law"),
        ({"discriminator_law": None}, "mode.rules.discriminator_law"),
    ],
)
def test_rules_refuse_unknown_terms_and_laws(values: dict[str, Any], key: str) -> None:
    proper = {"generator_term": "fool", "classifier_term": "favour", "generated_law": "inverse"}
    with pytest.raises(InputError, match=key):
        Rules(**{**proper, **values})


@pytest.mark.parametrize("mode", ["do", "gamo", "cot"])
def test_a_round_needs_no_number_from_its_device(compose_config: Compose, mode: str) -> None:
    """The device "meta" has shapes and no numbers: a round that asks for one or mixes devices fails."""
    plain = [f"players.{player}.optimizer.fused=false" for player in PLAYERS]  # fused needs a real device
    settings = [f"mode={mode}", "dataset=yeast", "replicas=2", "trainer.random_numbers=device"]
    cfg = compose_config(*settings, *plain)
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data).to("meta")
    game.noise.device = torch.device("meta")
    game.configure_optimizers()
    rounds = next(iter(data.train_dataloader()))
    game.training_step([Batch(*(part.to("meta") for part in batch)) for batch in rounds[:2]], 0)
    assert {value.device.type for value in game._losses.averages().values()} == {"meta"}


def test_batches_are_drawn_on_the_device_of_the_rows(compose_config: Compose) -> None:
    cfg = compose_config("mode=do", "replicas=2", "trainer.random_numbers=device")
    data = build_data(cfg)
    data.setup()
    meta = torch.device("meta")
    streams = DeviceStreams(data.seeds, Purpose.BATCHES, device=meta)
    drawn = data.draws.to(meta).draw(torch.full((2, 2), 0.5, device=meta), 3, 8, streams)
    assert data.rows.to(meta).take(drawn.flatten(1)).x.device == meta


class TestMembers:
    """Several players of each seed, whose probabilities are averaged."""

    def trained(self, compose_config: Compose, tmp_path: Path, *overrides: str) -> tuple[Game, Any, Any]:
        cfg = compose_config("trainer.max_epochs=2", "replicas=2", *overrides)
        data = build_data(cfg)
        data.setup()
        game = build_game(cfg, data)
        trainer = build_trainer(cfg, tmp_path, [])
        trainer.fit(game, datamodule=data)
        return game, data, trainer

    @pytest.mark.parametrize("mode", ["do", "ro"])
    def test_the_first_member_trains_as_it_does_alone(
        self, compose_config: Compose, tmp_path: Path, mode: str
    ) -> None:
        several, *_ = self.trained(compose_config, tmp_path / "a", f"mode={mode}", "members=3")
        alone, *_ = self.trained(compose_config, tmp_path / "b", f"mode={mode}")
        for (name, p), q in zip(alone.named_parameters(), several.parameters(), strict=True):
            assert torch.equal(p, q[::3]), name
            assert not torch.equal(q[0], q[1])

    def test_probabilities_are_averaged(self, compose_config: Compose, tmp_path: Path) -> None:
        game, data, trainer = self.trained(compose_config, tmp_path, "mode=do", "members=3")
        game.load_best()
        trainer.test(game, datamodule=data, verbose=False)
        output = game.output()
        x = data.rows.take(output.row).x
        of_members = game.classifier(x.repeat_interleave(3, dim=0)).softmax(dim=-1)
        expected = of_members.reshape(2, 3, *of_members.shape[1:]).mean(dim=1)
        torch.testing.assert_close(output.probabilities, expected.detach())
        assert torch.equal(output.predicted, output.probabilities.argmax(dim=-1))
        assert len(output.best_epoch) == 2
        assert all(curve.shape == (2,) for values in output.history.values() for curve in values)
        one = build_game(compose_config("mode=do"), data).classifier
        assert output.parameters["classifier"] == 3 * sum(p[0].numel() for p in one.parameters())

    def test_a_seed_diverges_with_its_member(self, compose_config: Compose, tmp_path: Path) -> None:
        game, data, trainer = self.trained(compose_config, tmp_path, "mode=q", "members=2")
        with torch.no_grad():
            game.classifier.layers[0].get_parameter("weight")[3] = torch.nan
        trainer.validate(game, datamodule=data, verbose=False)
        assert (game.best.diverged_at >= 0).tolist() == [False, True]

    def test_a_library_peer_has_no_members(self, run: Run) -> None:
        with pytest.raises(InputError, match=r"^members=2: mode=logistic has no players"):
            run("mode=logistic", "members=2")
