"""The order of play, every player's loss against its equation, and the independence of replicas."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game import Game, Rules
from adversarial_oversampling.train import build_data, build_game, build_trainer
from tests.conftest import Compose, Run


class Recorded(Game):
    """A game that remembers who moved, and on which losses, without moving anybody."""

    def start(self) -> "Recorded":
        self.moves: list[tuple[str, Tensor]] = []
        self.fixed: Tensor | None = None
        return self

    def move(self, player: str, loss: Tensor) -> None:
        self.moves.append((player, loss.detach()))

    def generate(self) -> Tensor:
        return self.fixed if self.fixed is not None else super().generate()


def recorded(compose_config: Compose, *overrides: str) -> tuple[Recorded, Any]:
    cfg = compose_config("replicas=2", *overrides)
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    game.__class__ = Recorded
    assert isinstance(game, Recorded)
    return game.start(), data


def log_q(game: Game, rows: Tensor) -> Tensor:
    return game.classifier(rows).log_softmax(dim=-1)


def own(values: Tensor, k: int) -> Tensor:
    """Column k of the last axis."""
    return values[..., k]


@pytest.mark.parametrize("steps", [1, 3])
def test_order_of_play(compose_config: Compose, steps: int) -> None:
    game, data = recorded(compose_config, "mode=do", f"mode.rules.critic_steps={steps}")
    game.training_step(next(iter(data.train_dataloader())), 0)
    assert [player for player, _ in game.moves] == ["discriminator"] * steps + ["generator", "classifier"]


def test_baseline_is_the_classifier_alone(compose_config: Compose) -> None:
    game, data = recorded(compose_config, "mode=q")
    batch = next(iter(data.train_dataloader()))
    game.training_step(batch, 0)
    ((player, loss),) = game.moves
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
    batch = next(iter(data.train_dataloader()))
    game.fixed = game.generate()
    game.classifier_turn(batch)

    n = data.counts.double()
    # fs is balanced in the modes that draw by the oversampled law.
    weights = 1 / n if law == "inverse" else torch.ones_like(n)
    chance = weights / weights.sum(dim=1, keepdim=True)
    expected = -log_q(game, batch.x).gather(-1, batch.y[..., None]).squeeze(-1).mean(dim=-1)
    for k in range(2):
        q = own(log_q(game, game.fixed[:, k]).exp(), k)
        term = -torch.log(1 - q) if fooled else -torch.log(q)
        expected = expected + weight * chance[:, k].float() * term.mean(dim=-1)
    torch.testing.assert_close(game.moves[-1][1], expected)


@pytest.mark.parametrize(
    ("mode", "fools"), [("ao", True), ("do", False), ("both_fool", True), ("both_favour", False)]
)
@pytest.mark.parametrize("gan_type", ["wgan_gp", "vanilla"])
def test_generator_loss_is_eq_3_or_6(compose_config: Compose, mode: str, fools: bool, gan_type: str) -> None:
    game, _ = recorded(
        compose_config, f"mode={mode}", f"gan_type={gan_type}", "mode.rules.generator_weight=0.7"
    )
    state = game.noise.state()
    game.generator_turn()
    game.noise.restore(state)
    rows, _ = game.generator(game.latent())
    expected = torch.zeros(2)
    for i in range(2):
        score = game.discriminator(rows[:, i], torch.full(rows.shape[:1] + rows.shape[2:3], i))
        against_d = -score if gan_type == "wgan_gp" else torch.log(1 - torch.sigmoid(score))
        q = own(log_q(game, rows[:, i]).exp(), i)
        against_q = -torch.log(1 - q) if fools else -torch.log(q)
        expected = expected + 0.5 * (against_d + 0.7 * against_q).mean(dim=-1)
    torch.testing.assert_close(game.moves[-1][1], expected.detach())


@pytest.mark.parametrize("gan_type", ["wgan_gp", "vanilla"])
@pytest.mark.parametrize("fs", ["natural", "balanced"])
def test_discriminator_loss_is_eq_4_and_7(compose_config: Compose, gan_type: str, fs: str) -> None:
    game, data = recorded(compose_config, "mode=do", f"gan_type={gan_type}", f"fs={fs}")
    batch = next(iter(data.train_dataloader()))
    game.fixed = game.generate()
    state = game.noise.state()
    game.discriminator_turn(batch)

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
    torch.testing.assert_close(game.moves[-1][1], expected.detach(), rtol=1e-4, atol=1e-5)


def test_only_the_moving_player_changes(compose_config: Compose, tmp_path: Path) -> None:
    cfg = compose_config("mode=do", "trainer.max_epochs=1", "replicas=1")
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    changed: list[tuple[str, set[str]]] = []
    plain_move = game.move

    def move(player: str, loss: Tensor) -> None:
        before = {name: p.detach().clone() for name, p in game.named_parameters()}
        plain_move(player, loss)
        moved = {n.split(".")[0] for n, p in game.named_parameters() if not torch.equal(p, before[n])}
        changed.append((player, moved))

    game.move = move  # type: ignore[method-assign]
    build_trainer(cfg, tmp_path, []).fit(game, datamodule=data)
    assert {player for player, _ in changed} == {"discriminator", "generator", "classifier"}
    assert all(moved == {player} for player, moved in changed)


def outcome(folder: Path, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
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
        ["mode=do", "dataset=yeast", "players.classifier.width=33", "players.discriminator.width=21"],
        ["mode=ao", "dataset.preprocessing.n_selected=1"],
        ["mode=adasyn"],  # replicas differ in their numbers of new rows
        ["mode=do", "dataset=yeast", "protocol=cv", "protocol.fold=1", "dataset.training.batch_size=50"],
    ],
    ids=" ".join,
)
def test_a_replica_equals_its_solo_run(run: Run, tmp_path: Path, overrides: list[str]) -> None:
    run(*overrides, "trainer.max_epochs=4", "replicas=3", "seed=5", name="together")
    for seed in (5, 7):
        run(*overrides, "trainer.max_epochs=4", "replicas=1", f"seed={seed}", name=f"solo{seed}")
        for together, solo in zip(
            outcome(tmp_path / "together", seed), outcome(tmp_path / f"solo{seed}", seed), strict=True
        ):
            pd.testing.assert_frame_equal(together, solo, check_exact=True)


def test_replicas_have_splits_and_weights_of_their_own(compose_config: Compose) -> None:
    cfg = compose_config("mode=do", "replicas=2")
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    assert not np.array_equal(data.splits[0].test, data.splits[1].test)
    for p in game.parameters():
        assert not torch.equal(p[0], p[1])


def fitted(compose_config: Compose, tmp_path: Path, poison: int | None) -> tuple[Game, Mapping[str, Tensor]]:
    cfg = compose_config("mode=do", "replicas=3", "trainer.max_epochs=3")
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    if poison is not None:
        with torch.no_grad():
            game.classifier.layers[0].weight[poison] = torch.nan
    build_trainer(cfg, tmp_path, []).fit(game, datamodule=data)
    return game, {name: p.detach() for name, p in game.named_parameters()}


def test_a_nan_loss_masks_one_replica_only(compose_config: Compose, tmp_path: Path) -> None:
    healthy, weights = fitted(compose_config, tmp_path / "a", None)
    ill, poisoned = fitted(compose_config, tmp_path / "b", 1)
    assert healthy.diverged_at.tolist() == [-1, -1, -1]
    assert ill.diverged_at.tolist() == [-1, 0, -1]
    assert ill.best_epoch[1] == -1
    for r in (0, 2):
        assert ill.best_epoch[r] == healthy.best_epoch[r]
        assert all(torch.equal(weights[name][r], poisoned[name][r]) for name in weights)


def test_nan_in_every_replica_stops_the_run(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"players\.classifier\.optimizer\.lr"):
        run("mode=q", "players.classifier.optimizer.lr=1e30")
    assert not (tmp_path / "run" / "result.json").exists()


def test_the_best_epoch_is_the_first_with_the_best_score(compose_config: Compose, tmp_path: Path) -> None:
    cfg = compose_config("mode=do", "replicas=3", "trainer.max_epochs=6")
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    trainer = build_trainer(cfg, tmp_path, [])
    trainer.fit(game, datamodule=data)
    curve = torch.stack(game.history["validation/acsa"])
    assert game.best_epoch.tolist() == curve.argmax(dim=0).tolist()
    game.load_best()
    trainer.validate(game, datamodule=data, verbose=False)
    assert torch.equal(game.history["validation/acsa"][-1], curve.max(dim=0).values)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"generator_term": "tease"}, "mode.rules.generator_term"),
        ({"classifier_term": None}, "mode.rules.classifier_term"),
        ({"generated_law": "none"}, "mode.rules.generated_law"),
        ({"generator_weight": -1.0}, "mode.rules.generator_weight"),
        ({"generated_weight": float("nan")}, "mode.rules.generated_weight"),
        ({"critic_steps": 0}, "mode.rules.critic_steps"),
    ],
)
def test_rules_refuse_what_is_no_game(values: dict[str, Any], key: str) -> None:
    proper = {"generator_term": "fool", "classifier_term": "favour", "generated_law": "inverse"}
    with pytest.raises(InputError, match=key):
        Rules(**{**proper, **values})
