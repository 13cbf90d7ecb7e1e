"""A run's model: predictions for new rows equal those of the run, and files that are refused."""

import json
from itertools import product
from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd
import pytest
import torch

from adversarial_oversampling.data.sources import load_haberman, load_secom, load_yeast
from adversarial_oversampling.data.table import Table
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.results.model import TrainedModel
from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.training.build import build_data
from tests.conftest import NEEDS_ORIGINAL_FILES, Compose, Run, short_run

LOADERS = {"haberman": load_haberman, "secom": load_secom, "yeast": load_yeast}


def loaded(dataset: str, compose_config: Compose) -> Table:
    paths = compose_config().paths
    return LOADERS[dataset](paths.data_dir, paths.cache_dir)


@pytest.mark.parametrize(
    ("dataset", "overrides"),
    [
        ("haberman", ["mode=do"]),
        ("yeast", ["mode=q", "members=2", "protocol.weight_average=0.9"]),
        ("yeast", ["mode=threshold_q", "seed=4"]),
        ("haberman", ["mode=smote", "protocol=cv", "dataset.preprocessing.n_selected=2"]),
        ("haberman", ["mode=gamo", "dataset.preprocessing.scaler=quantile_normal"]),
        pytest.param("secom", ["mode=ao"], marks=NEEDS_ORIGINAL_FILES),  # missing values
    ],
)
def test_predictions_equal_those_of_the_run(
    run: Run, compose_config: Compose, tmp_path: Path, dataset: str, overrides: list[str]
) -> None:
    run(f"dataset={dataset}", *overrides)
    model = TrainedModel.load(tmp_path / "run")
    table = loaded(dataset, compose_config)
    expected = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    for s, (seed, fold) in enumerate(zip(model.seeds, model.record.folds, strict=True)):
        mine = expected[
            (expected.seed == seed) & (expected.fold.isna() if fold is None else expected.fold == fold)
        ]
        x = table.x[mine.row]
        (block,) = model.predict(x, [s])
        probabilities = mine.filter(regex="^p_").to_numpy()
        assert np.array_equal(block.probabilities[0].numpy(), probabilities)
        assert np.array_equal(np.array(model.classes)[block.predicted[0]], mine.predicted)
        # Nor do they depend on the other rows.
        (few,) = model.predict(x[::-7], [s])
        assert np.array_equal(few.probabilities[0].numpy(), probabilities[::-7])


@pytest.fixture(scope="module")
def finished(compose_config: Compose, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of a finished run of Q, and of one of DO."""
    folders = {mode: tmp_path_factory.mktemp("finished") / mode for mode in ("q", "do")}
    for mode, folder in folders.items():
        short_run(compose_config, folder, f"mode={mode}", "seed=7", "replicas=3")
    return folders


def test_the_mean_of_replicas(finished: dict[str, Path], compose_config: Compose) -> None:
    model = TrainedModel.load(finished["do"])
    x = loaded("haberman", compose_config).x
    (each,) = model.predict(x, [0, 1, 2])
    (mean,) = model.predict(x, model.chosen("mean"), mean=True)
    assert torch.allclose(mean.probabilities[0], each.probabilities.double().mean(dim=0))
    assert np.array_equal(mean.predicted[0], mean.probabilities[0].argmax(dim=-1).numpy())


def test_generated_rows_are_the_weighted_sums_of_real_rows(
    run: Run, compose_config: Compose, tmp_path: Path
) -> None:
    run("mode=do", "dataset=yeast")
    cfg = compose_config("mode=do", "dataset=yeast", "replicas=2")
    data = build_data(cfg)
    data.setup()
    model = TrainedModel.load(tmp_path / "run")
    for label in (0, 9):
        made = model.generate(label, 600, seed=3, replica=1)
        assert (made.weights >= 0).all()
        assert np.allclose(made.weights.sum(axis=1), 1, atol=1e-6)
        used = (made.weights > 0).any(axis=0)
        assert (data.table.y[made.anchors[used]] == label).all()
        assert np.isin(made.anchors[used], data.splits[1].train).all()
        rows = data.rows.x[1].numpy()[made.anchors[used]]
        assert np.allclose(made.weights[:, used] @ rows, made.rows, atol=1e-5)
        train = data.table.x[data.splits[1].train]
        assert (made.cells >= train.min(axis=0)).all()
        assert (made.cells <= train.max(axis=0)).all()
        assert np.array_equal(model.generate(label, 5, seed=3, replica=1).rows, made.rows[:5])
        assert not np.array_equal(model.generate(label, 5, seed=4, replica=1).rows, made.rows[:5])


def test_a_choice_of_replicas(finished: dict[str, Path]) -> None:
    result = read_result(finished["do"] / "result.json")
    model = TrainedModel.load(finished["do"])
    scores = [replica.selection_acsa or 0 for replica in result.replicas]
    assert model.chosen("mean") == [0, 1, 2]
    assert model.chosen("best") == [scores.index(max(scores))]
    assert model.chosen("8") == [1]
    with pytest.raises(InputError, match="choose mean, best, or one of the seeds 7, 8, 9"):
        model.chosen("3")


def test_a_mode_without_a_generator_generates_nothing(finished: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="mode=q has no generator"):
        TrainedModel.load(finished["q"]).generate(0, 1, seed=0)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *product(["model.json", "model.safetensors"], ["missing", "empty", "cut"]),
        ("model.json", "another version"),
        ("model.safetensors", "array missing"),
    ],
)
def test_damage_is_told(finished: dict[str, Path], tmp_path: Path, name: str, damage: str) -> None:
    file = copytree(finished["q"], tmp_path / "run") / name
    content = file.read_bytes()
    match damage:
        case "missing":
            file.unlink()
        case "empty":
            file.write_bytes(b"")
        case "cut":
            file.write_bytes(content[:-20])
        case "another version":
            file.write_text(json.dumps(json.loads(content) | {"format_version": 0}))
        case "array missing":
            file.write_bytes(content.replace(b"split0/low", b"split0/lol"))
    with pytest.raises(InputError, match=r"rerun=true"):
        TrainedModel.load(tmp_path / "run")
