"""Samples of generated rows: where they lie, what they name, and that looking changes nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.results.samples import ROWS, sample
from adversarial_oversampling.training.run import build_data, build_game, train
from tests.conftest import Compose, Run

ABOUT = ["kind", "class", "p_own", "anchor", "anchor_weight", "anchors_used"]


def seated(compose_config: Compose, *overrides: str) -> tuple[Game, TableDataModule]:
    """Players that have not played yet."""
    cfg = compose_config("replicas=2", *overrides)
    data = build_data(cfg)
    data.setup()
    return build_game(cfg, data), data


def taken(game: Game, data: TableDataModule) -> pd.DataFrame:
    frame = sample(game, data)
    assert frame is not None
    return frame


def features(frame: pd.DataFrame) -> np.ndarray:
    return frame[[name for name in frame if name.startswith("x_")]].to_numpy()


@pytest.mark.parametrize("mode", ["do", "gamo"])
def test_generated_rows_lie_among_the_anchors_of_their_class(
    compose_config: Compose, tmp_path: Path, mode: str
) -> None:
    cfg = compose_config("dataset=yeast", f"mode={mode}", "trainer.max_epochs=1", "replicas=1", "seed=4")
    train(cfg, tmp_path)
    frame = pd.read_parquet(tmp_path / "generated.parquet")
    data = build_data(cfg)
    data.setup()
    x, y, rows = data.rows.x[0].numpy(), data.table.y, data.splits[0].train
    assert list(frame) == ABOUT + [f"x_{name}" for name in data.table.feature_names]
    for k, name in enumerate(data.table.class_names):
        own = rows[y[rows] == k]
        made = frame[(frame.kind == "generated") & (frame["class"] == name)]
        assert len(made) == ROWS
        assert (features(made) >= x[own].min(axis=0) - 1e-5).all()
        assert (features(made) <= x[own].max(axis=0) + 1e-5).all()
        assert np.isin(made.anchor, own).all()
        # The largest of n weights is at least 1 / n, and at least what even weights would be.
        assert made.anchors_used.between(1 - 1e-5, len(own) + 1e-3).all()
        assert (made.anchor_weight >= 1 / made.anchors_used - 1e-5).all()
        assert (made.anchor_weight <= 1).all()


def test_a_copy_of_its_only_anchor(compose_config: Compose) -> None:
    game, data = seated(compose_config, "mode=ao", "dataset=yeast", "players.generator.anchors=1")
    made = taken(game, data).query("kind == 'generated'")
    np.testing.assert_allclose(features(made), data.rows.x[0].numpy()[made.anchor], atol=1e-6)
    np.testing.assert_allclose(made[["anchor_weight", "anchors_used"]], 1, atol=1e-6)


@pytest.mark.parametrize("mode", ["do", "smote"])
def test_real_rows_are_training_rows_with_what_q_says(compose_config: Compose, mode: str) -> None:
    game, data = seated(compose_config, f"mode={mode}", "dataset=yeast", "players.classifier.dropout=0.5")
    frame = taken(game, data)
    rows = data.splits[0].train
    real = frame[frame.kind == "real"]
    assert (real.anchor == -1).all()
    assert real[["anchor_weight", "anchors_used"]].isna().all(axis=None)
    for k, name in enumerate(data.table.class_names):
        own = data.rows.x[0].numpy()[rows[data.table.y[rows] == k]]
        mine = features(real[real["class"] == name])
        assert len(mine) == min(ROWS, len(own))
        assert {tuple(row) for row in mine} <= {tuple(row) for row in own}
    with torch.no_grad():
        x = torch.tensor(features(frame), dtype=torch.float32).expand(2, -1, -1)
        chance = game.classifier(x)[0].softmax(dim=-1).numpy()
    own = frame["class"].map(data.table.class_names.index)
    np.testing.assert_allclose(frame.p_own, chance[np.arange(len(frame)), own], rtol=1e-4)


@pytest.mark.parametrize("mode", ["ro", "smote"])
def test_rows_of_a_resampler_are_its_new_ones(compose_config: Compose, mode: str) -> None:
    game, data = seated(compose_config, f"mode={mode}", "dataset=pima")
    made = taken(game, data).query("kind == 'generated'")
    new = data.rows.x[0, len(data.table.y) :].numpy()
    assert set(made["class"]) == {data.table.class_names[1]}  # the largest class has none
    assert len(made) == min(ROWS, len(new))
    assert {tuple(row) for row in features(made)} <= {tuple(row) for row in new}
    assert (made.anchor == -1).all()


def test_the_sample_uses_its_own_stream(compose_config: Compose) -> None:
    game, data = seated(compose_config, "mode=do")
    noise, batches = game.noise.state(), data.state_dict()["batches"]
    weights = {name: value.clone() for name, value in game.state_dict().items()}
    torch.manual_seed(0)
    everybodys = torch.get_rng_state()
    first, again = taken(game, data), taken(game, data)
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert torch.equal(game.noise.state(), noise)
    assert torch.equal(data.state_dict()["batches"], batches)
    assert torch.equal(torch.get_rng_state(), everybodys)
    assert all(torch.equal(value, weights[name]) for name, value in game.state_dict().items())


def test_a_run_without_samples_has_the_same_numbers(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again = (run("mode=do", name=name) for name in ("first", "again"))
    files = [tmp_path / name / "generated.parquet" for name in ("first", "again")]
    assert first.replicas == again.replicas
    assert files[0].read_bytes() == files[1].read_bytes()
    monkeypatch.setattr("adversarial_oversampling.training.run.sample", lambda game, data: None)
    assert run("mode=do", name="blind").replicas == first.replicas
    assert not (tmp_path / "blind" / "generated.parquet").exists()


def test_selected_columns_have_no_names(compose_config: Compose) -> None:
    frame = taken(*seated(compose_config, "mode=do", "dataset.preprocessing.n_selected=2"))
    assert list(frame)[len(ABOUT) :] == ["x_selected_0", "x_selected_1"]


@pytest.mark.parametrize("mode", ["q", "cot", "weighted_q", "threshold_q", "logistic"])
def test_modes_that_make_no_rows_leave_none(run: Run, tmp_path: Path, mode: str) -> None:
    run(f"mode={mode}", "trainer.max_epochs=1", "replicas=1")
    assert (tmp_path / "run" / "result.json").is_file()
    assert not (tmp_path / "run" / "generated.parquet").exists()


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("mode", ["ro", "smote"])
def test_a_class_without_new_rows_has_no_sample(compose_config: Compose, mode: str, members: int) -> None:
    frame = taken(*seated(compose_config, f"mode={mode}", f"members={members}"))

    made = frame[frame["kind"] == "generated"]
    assert set(made["class"]) == {"2"}  # of Haberman, the small one
    assert made["p_own"].between(0, 1).all()
    assert set(frame.loc[frame["kind"] == "real", "class"]) == {"1", "2"}
