"""Whole runs: what they leave behind, in every protocol, and how bad input ends."""

import json
import os
import re
import signal
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, recall_score
from torch import Tensor

from adversarial_oversampling.config.catalogue import modes
from adversarial_oversampling.config.identity import config_hash, pin_file
from adversarial_oversampling.data.datamodule import Batch
from adversarial_oversampling.data.sources import load_yeast
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.metrics import AbsentClassWarning
from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.results.schema import METRICS, Counts, Result, Scores
from adversarial_oversampling.training.build import build_data, build_game
from adversarial_oversampling.training.checkpoints import VerifiedCheckpointIO
from adversarial_oversampling.training.run import locked, train
from tests.commands import command, start
from tests.conftest import NEEDS_ORIGINAL_FILES, Compose, Run, saved_weights

MODES = ["q", "ao", "do", "both_fool", "both_favour"]
# Those of the extra `peers` are tested in tests/data/test_generators.py.
EVERY_MODE = [name for name, mode in modes().items() if mode.origin != "extra"]
PEERS = ["logistic", "balanced_forest", "easy_ensemble", "lightgbm", "threshold_lightgbm", "xgboost"]
ROW_MAKERS = [
    *("ao", "do", "both_fool", "both_favour", "gamo"),
    *("ro", "smote", "bsmote", "adasyn"),
]
NO_ADASYN = "adasyn: No samples will be generated with the provided ratio settings."


def loaded(folder: Path) -> Result:
    return read_result(folder / "result.json")


@pytest.mark.parametrize("gan_type", ["wgan_gp", "vanilla"])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_writes_a_result(run: Run, tmp_path: Path, mode: str, gan_type: str) -> None:
    result = run(f"mode={mode}", f"gan_type={gan_type}", "dataset.training.width=128")
    assert loaded(tmp_path / "run") == result
    assert (result.dataset, result.mode, result.protocol) == ("haberman", mode, "holdout")
    assert result.gan_type == (None if mode == "q" else gan_type)
    assert result.fs == ("balanced" if mode in ("do", "both_fool") else "natural")
    assert [(r.seed, r.fold) for r in result.replicas] == [(0, None), (1, None)]
    players = {"classifier"} if mode == "q" else {"classifier", "discriminator", "generator"}
    assert result.parameters.keys() == players
    # Haberman's three features, width 128, two classes: 4 * 128 + 2 * (129 * 128) + 129 * 2 weights.
    assert result.parameters["classifier"] == 512 + 33024 + 258
    assert result.config["trainer"]["max_epochs"] == 2
    assert result.versions["torch"] == torch.__version__
    assert result.optimistic is False


@pytest.mark.parametrize("mode", ["ro", "smote", "bsmote", "adasyn"])
def test_every_resampler_writes_a_result(run: Run, mode: str) -> None:
    result = run(f"mode={mode}", "dataset=pima", "trainer.max_epochs=1")
    assert (result.mode, result.gan_type, result.fs) == (mode, None, "natural")
    assert result.mean.acsa is not None
    assert result.replicas[0].rows.test == [150, 81]  # no copy reaches them


@pytest.mark.parametrize(
    ("mode", "package", "fewer"),
    [
        ("ctgan", "ctgan", ["epochs=1"]),
        ("forest_diffusion", "forest_diffusion_mo", ["noise_levels=3", "copies=2", "n_estimators=2"]),
    ],
)
def test_every_generator_of_another_package_writes_a_result(
    run: Run, tmp_path: Path, mode: str, package: str, fewer: list[str]
) -> None:
    pytest.importorskip(package)
    settings = [f"mode.resampling.{setting}" for setting in fewer]
    result = run(f"mode={mode}", *settings, "replicas=1", "trainer.max_epochs=1")
    assert (result.mode, result.na) == (mode, None)
    assert result.mean.acsa is not None
    rows = pd.read_parquet(tmp_path / "run" / "generated.parquet")
    assert set(rows["kind"]) == {"real", "generated"}


@pytest.mark.parametrize("dataset", ["haberman", "yeast"])
@pytest.mark.parametrize("mode", EVERY_MODE)
def test_every_mode_has_a_result_or_says_why_not(run: Run, tmp_path: Path, mode: str, dataset: str) -> None:
    fewer = ["mode.estimator.n_estimators=3"] if mode in PEERS and mode != "logistic" else []
    result = run(f"mode={mode}", f"dataset={dataset}", *fewer, "replicas=1", "trainer.max_epochs=1")
    assert loaded(tmp_path / "run") == result
    assert (result.mode, result.dataset, len(result.replicas)) == (mode, dataset, 1)
    (record,) = result.replicas
    if (mode, dataset) == ("adasyn", "yeast"):
        assert result.na == record.na == NO_ADASYN
        return
    assert result.na is None
    assert record.notes == []
    scores = {name: getattr(record, name) for name in METRICS}
    assert 0 <= scores["g_mean"] <= scores["acsa"] < 1
    assert all(0 < scores[name] < 1 for name in METRICS if name != "g_mean")
    assert result.mean == Scores(**scores)
    predictions = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    names = np.array(result.classes)
    chances = predictions[[f"p_{name}" for name in names]].to_numpy()
    assert len(predictions) == sum(record.rows.test)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5)
    recalls = recall_score(predictions.true, predictions.predicted, labels=names, average=None)
    assert record.acsa == pytest.approx(np.mean(recalls))
    if mode not in ("threshold_q", "threshold_lightgbm"):
        assert (names[chances.argmax(axis=1)] == predictions.predicted).all()
    assert (record.best_epoch is None) == (mode in PEERS)
    assert (tmp_path / "run" / "generated.parquet").exists() == (mode in ROW_MAKERS)


def test_a_method_that_cannot_work_leaves_a_result_that_says_so(run: Run, tmp_path: Path) -> None:
    result = run("mode=adasyn", "dataset=yeast")
    folder = tmp_path / "run"
    nothing = Scores(**dict.fromkeys(METRICS))
    assert loaded(folder) == result
    assert result.na == NO_ADASYN
    assert result.mean == result.std == nothing
    assert result.defined == Counts(**dict.fromkeys(METRICS, 0))
    for record in result.replicas:
        assert record.na == NO_ADASYN
        assert record.notes == [f"no result: {NO_ADASYN}"]
        assert all(getattr(record, name) is None for name in METRICS)
        assert (record.recall, record.confusion, record.best_epoch) == (None, None, None)
        assert sum(record.rows.test) == 742
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert len(predictions) == 0
    assert list(predictions)[:5] == ["seed", "fold", "row", "true", "predicted"]
    assert len(pd.read_parquet(folder / "curves.parquet")) == 0
    assert not (folder / "model.safetensors").exists()
    written = (folder / "result.json").stat().st_mtime_ns
    assert run("mode=adasyn", "dataset=yeast", "paths.data_dir=/nowhere") == result  # nothing is read again
    assert (folder / "result.json").stat().st_mtime_ns == written


def test_a_replica_beside_one_that_cannot_be_resampled_equals_its_solo_run(run: Run, tmp_path: Path) -> None:
    """Of five rows one fold trains on two and the other on one, which has no neighbour."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(65, 3)), columns=["u", "v", "w"])
    frame.assign(label=["a"] * 60 + ["b"] * 5).to_csv(tmp_path / "few.csv", index=False)
    source = ["dataset=table", f"dataset.path={tmp_path}/few.csv", "dataset.target=label"]
    settings = [
        *source,
        "mode=smote",
        "protocol=cv",
        "protocol.folds=2",
        "replicas=1",
        "trainer.max_epochs=3",
    ]
    together = run(*settings, name="together")
    solo = [run(*settings, f"protocol.fold={fold}", name=f"fold{fold}") for fold in (0, 1)]
    assert [one.replicas[0] for one in solo] == together.replicas
    reasons = [record.na for record in together.replicas]
    assert reasons.count(None) == 1
    kept = reasons.index(None)
    assert reasons[1 - kept] == "smote: a class has a single training row and so no neighbor"
    assert together.na is None
    assert together.defined.acsa == 1
    assert solo[1 - kept].na == reasons[1 - kept]
    for name in ("predictions", "curves"):
        beside, alone = (
            pd.read_parquet(tmp_path / f / f"{name}.parquet") for f in ("together", f"fold{kept}")
        )
        if name == "predictions":
            assert set(beside.fold) == {kept}
        beside = beside[beside.fold == kept].reset_index(drop=True)
        pd.testing.assert_frame_equal(beside, alone, check_exact=True)
    weights = [saved_weights(tmp_path / f) for f in ("together", f"fold{kept}")]
    assert all(torch.equal(value[kept], weights[1][name][0]) for name, value in weights[0].items())


@pytest.mark.parametrize("dataset", ["haberman", "yeast"])
def test_the_result_can_be_recomputed_from_the_predictions(run: Run, tmp_path: Path, dataset: str) -> None:
    result = run(f"dataset={dataset}", "trainer.max_epochs=3")
    assert result.na is None
    predictions = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    names = result.classes
    for record in result.replicas:
        mine = predictions[predictions.seed == record.seed]
        assert mine.row.is_unique
        chances = mine[[f"p_{name}" for name in names]].to_numpy()
        np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5)
        assert (np.array(names)[chances.argmax(axis=1)] == mine.predicted).all()
        recalls = recall_score(mine.true, mine.predicted, labels=names, average=None, zero_division=np.nan)
        assert list(record.recall.values()) == pytest.approx(list(recalls))
        assert record.acsa == pytest.approx(balanced_accuracy_score(mine.true, mine.predicted))
        assert record.g_mean == pytest.approx(np.prod(recalls) ** (1 / len(names)))
        assert record.confusion == confusion_matrix(mine.true, mine.predicted, labels=names).tolist()
    for name in ("acsa", "g_mean"):
        values = [getattr(record, name) for record in result.replicas]
        assert getattr(result.mean, name) == pytest.approx(np.mean(values))
        assert getattr(result.std, name) == pytest.approx(np.std(values, ddof=1))


def test_holdout_chooses_on_validation_rows(run: Run, tmp_path: Path) -> None:
    result = run("mode=q", "trainer.max_epochs=5", "protocol.running_mean=1")
    curves = pd.read_parquet(tmp_path / "run" / "curves.parquet")
    for record in result.replicas:
        curve = curves[curves.seed == record.seed].set_index("epoch")["validation/acsa"]
        assert curve[record.best_epoch] == curve.max()
        assert record.selection_acsa == pytest.approx(curve.max())
        assert record.rows.test == [68, 24]
        assert np.add(record.rows.train, record.rows.validation).tolist() == [157, 57]


def test_the_papers_protocol_reports_the_best_test_epoch_and_says_so(run: Run, tmp_path: Path) -> None:
    result = run("protocol=paper", "trainer.max_epochs=5")
    curves = pd.read_parquet(tmp_path / "run" / "curves.parquet")
    assert result.optimistic is True
    assert "optimistic" in result.epoch_selection
    assert not [name for name in curves if name.startswith("validation")]
    for record in result.replicas:
        curve = curves[curves.seed == record.seed].set_index("epoch")["test_optimistic/acsa"]
        assert record.acsa == pytest.approx(curve.max())
        assert curve[record.best_epoch] == curve.max()
        assert record.rows.validation == [0, 0]


def test_cross_validation_tests_every_row_once_per_seed(run: Run, tmp_path: Path) -> None:
    result = run("protocol=cv", "protocol.folds=3", "mode=q", "trainer.max_epochs=1")
    assert [(r.seed, r.fold) for r in result.replicas] == [(s, f) for s in (0, 1) for f in range(3)]
    predictions = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    for _, mine in predictions.groupby("seed"):
        assert sorted(mine.row) == list(range(306))


@pytest.mark.parametrize("protocol", ["paper", "holdout", "cv"])
@pytest.mark.parametrize("mode", ["ao", "do"])
def test_the_rarest_yeast_class_works_in_every_protocol(run: Run, protocol: str, mode: str) -> None:
    result = run(
        "dataset=yeast", f"mode={mode}", f"protocol={protocol}", "replicas=1", "trainer.max_epochs=1"
    )
    for record in result.replicas:
        assert record.acsa is not None
        assert min(record.rows.train) >= 1
        assert min(record.rows.test) >= 1


def test_a_class_with_one_training_row(run: Run, tmp_path: Path) -> None:
    """Two rows in all: one trains, one is tested on, none is left to choose the epoch."""
    table = load_yeast(None)
    kept = np.concatenate([np.flatnonzero(table.y < 3)[:300], np.flatnonzero(table.y == 9)[:2]])
    frame = pd.DataFrame(table.x[kept]).assign(label=np.array(table.class_names)[table.y[kept]])
    frame.to_csv(tmp_path / "tiny.csv", index=False)
    source = [f"dataset.path={tmp_path}/tiny.csv", "dataset.target=label"]
    with pytest.warns(AbsentClassWarning, match="class 3 of replica 0"):
        result = run("dataset=table", *source, "mode=do")
    for record in result.replicas:
        assert record.rows.train[-1] == 1
        assert record.acsa is not None
        assert "chosen without class ERL" in record.notes[0]


def test_the_same_seed_gives_the_same_bits(run: Run, tmp_path: Path) -> None:
    first, second = (run("mode=do", "dataset=pima", name=name) for name in ("a", "b"))
    assert first.replicas == second.replicas
    for name in ("curves", "predictions"):
        parts = [pd.read_parquet(tmp_path / folder / f"{name}.parquet") for folder in ("a", "b")]
        pd.testing.assert_frame_equal(*parts, check_exact=True)


def test_the_best_weights_are_kept(run: Run, tmp_path: Path) -> None:
    result = run("mode=do", "dataset.training.width=128")
    kept = saved_weights(tmp_path / "run")
    model = json.loads((tmp_path / "run" / "model.json").read_text())
    assert model["best_epoch"] == [record.best_epoch for record in result.replicas]
    assert kept["classifier.layers.3.weight"].shape == (2, 128, 2)
    assert {name.split(".")[0] for name in kept} == {
        "classifier",
        "discriminator",
        "generator",
        "shift",
    }
    assert kept["shift"].tolist() == [0, 0]


def test_a_finished_result_is_shown_and_never_lost(run: Run, tmp_path: Path) -> None:
    first = run("mode=q")
    written = (tmp_path / "run" / "result.json").stat().st_mtime_ns
    assert run("mode=q") == first
    with pytest.raises(InputError, match=r"another configuration.*hydra\.run\.dir"):
        run("mode=q", "seed=4")
    assert (tmp_path / "run" / "result.json").stat().st_mtime_ns == written
    assert run("mode=q", "seed=4", "rerun=true").replicas[0].seed == 4
    assert loaded(tmp_path / "run" / "previous") == first


def test_where_files_lie_does_not_change_the_configuration(run: Run, tmp_path: Path) -> None:
    first = run("mode=q", f"paths.cache_dir={tmp_path}/one", "threads=1")
    assert run("mode=q", f"paths.cache_dir={tmp_path}/two", "threads=2") == first


def test_a_diverged_replica_has_no_result_and_the_others_do(run: Run, tmp_path: Path) -> None:
    """One row has large numbers: plain gradient descent diverges in a replica that trains on it."""
    table = load_yeast(None)
    frame = pd.DataFrame(table.x).assign(label=np.where(table.y == 0, "a", "b"))
    frame.iloc[7, 0] = 1e20
    frame.to_csv(tmp_path / "odd.csv", index=False)
    source = [f"dataset.path={tmp_path}/odd.csv", "dataset.target=label"]
    settings = ["dataset.preprocessing.scaler=none", "replicas=8", "trainer.max_epochs=6"]
    descent = "players.classifier.optimizer._target_=torch.optim.SGD"
    result = run("dataset=table", *source, "mode=q", *settings, descent)
    lost = [record for record in result.replicas if record.acsa is None]
    assert 0 < len(lost) < 8
    assert all("NaN or infinite in epoch" in record.notes[0] for record in lost)
    assert result.defined.acsa == 8 - len(lost)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["replicas=0"], "replicas"),
        (["replicas=1.5"], "replicas"),
        (["replicas=1000000000"], "replicas"),
        (["seed=-1"], "seed"),
        (["trainer.max_epochs=0"], r"trainer\.max_epochs"),
        (["fs.ratio=1.5"], r"fs\.ratio"),
        (["fs.ratio=0"], r"fs\.ratio"),
        (["dataset.split.test_size=1.2"], r"dataset\.split\.test_size"),
        (["dataset.split.test_size=null"], r"dataset\.split\.test_size"),
        (["protocol.validation_size=1"], r"protocol\.validation_size"),
        (["protocol.validation_size=0"], r"protocol\.validation_size"),
        (["protocol.select_on=all"], r"protocol\.select_on"),
        (["protocol.fold=0"], r"protocol\.fold=0: there are folds only with protocol=cv"),
        (["protocol=cv", "protocol.folds=0"], r"protocol\.folds"),
        (["protocol=cv", "protocol.folds=82"], r"protocol\.folds"),
        (["protocol=cv", "protocol.fold=5"], r"protocol\.fold"),
        (["dataset.training.batch_size=0"], r"dataset\.training\.batch_size"),
        (["dataset.preprocessing.scaler=rank"], r"dataset\.preprocessing\.scaler"),
        (["dataset.preprocessing.n_selected=4"], r"dataset\.preprocessing\.n_selected"),
        (["players.classifier.dropout=1"], r"players\.classifier\.dropout"),
        (["players.generator.temperature=0"], r"players\.generator\.temperature"),
        (["players.generator.anchors=0"], r"players\.generator\.anchors"),
        (["players.discriminator.layers=1"], r"players\.discriminator\.layers"),
        (["mode.rules.generated_law=poisson"], r"mode\.rules\.generated_law"),
        (["paths.data_dir=/nowhere"], r"paths\.data_dir"),
        (["dataset=table"], r"dataset\.path: not set; give the path"),
        (["dataset=table", "dataset.path=t.csv"], r"dataset\.target: not set; give the name"),
        (["protocol=cv", "protocol.folds=null"], r"protocol\.folds"),
        (["protocol=paper", "protocol.folds=3"], r"protocol\.folds"),
        (["fs.ratio=abc"], r"fs\.ratio"),
        (["fs.ratio=true"], r"fs\.ratio"),
        (["rerun=abc"], "rerun"),
        (["generated_rows=0"], "generated_rows"),
        (["dataset.training.learning_rate=-1"], r"dataset\.training\.learning_rate=-1"),
        (["dataset.training.weight_decay=abc"], r"dataset\.training\.weight_decay=abc"),
        (["dataset.preprocessing.n_selected=abc"], r"dataset\.preprocessing\.n_selected"),
        (["gan_type.loss.gradient_penalty=-1"], r"gan_type\.loss\.gradient_penalty"),
        (["mode.rules.critic_steps=1.5"], r"mode\.rules\.critic_steps"),
        (["players.discriminator.conditional=abc"], r"players\.discriminator\.conditional"),
        (["trainer.accelerator=gpu"], "trainer"),
        (["trainer.accelerator=foo"], "trainer"),
        (["+trainer.foo=1"], "trainer"),
        (["trainer.devices=0"], r"trainer\.devices"),
        (["+trainer.check_val_every_n_epoch=2"], r"trainer\.check_val_every_n_epoch"),
        (["dataset.split.test_size=0.999"], r"dataset\.split\.test_size"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_names_its_key_and_leaves_nothing(
    run: Run, tmp_path: Path, overrides: list[str], key: str
) -> None:
    with pytest.raises(InputError, match=key) as caught:
        run(*overrides)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_replica_without_a_result_has_no_predictions(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights break in the very last step, which no loss shows."""
    whole = Game.classifier_turn

    def broken(self: Game, batch: Batch, generated: Tensor | None = None) -> Tensor:
        logits = whole(self, batch, generated)
        if self.current_epoch == 1:
            with torch.no_grad():
                self.classifier.layers[0].weight[0] = torch.nan
        return logits

    monkeypatch.setattr(Game, "classifier_turn", broken)
    result = run("mode=q", "dataset.training.batch_size=400")
    assert [record.acsa is None for record in result.replicas] == [True, False]
    assert "in epoch 1" in result.replicas[0].notes[0]
    assert set(pd.read_parquet(tmp_path / "run" / "predictions.parquet").seed) == {1}
    assert [record.na for record in result.replicas] == [
        "the loss of the classifier became NaN or infinite in epoch 1",
        None,
    ]
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_damaged_files_are_named(run: Run, compose_config: Compose, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    cfg = compose_config("trainer.max_epochs=2", "replicas=2", "mode=q")
    checkpoint = folder / "checkpoints" / f"{config_hash(cfg)}.ckpt"
    checkpoint.write_bytes(b"half of a checkp")
    with pytest.raises(InputError, match=f"{checkpoint.name} is damaged: delete it"):
        run("mode=q")
    checkpoint.unlink()
    (folder / "result.json").write_text('{"config_ha')
    with pytest.raises(InputError, match=r"result\.json is damaged \(.*\): train it again with rerun=true"):
        run("mode=q")


def test_a_checkpoint_is_whole_or_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens while the next one is written."""

    def half(self: Path, target: Path) -> None:
        raise KeyError("killed")

    path = tmp_path / "checkpoints" / "last.ckpt"
    checkpoints = VerifiedCheckpointIO()
    checkpoints.save_checkpoint({"epoch": 1}, path)
    monkeypatch.setattr(os, "replace", half)
    with pytest.raises(KeyError, match="killed"):
        checkpoints.save_checkpoint({"epoch": 2}, path)
    assert checkpoints.load_checkpoint(path) == {"epoch": 1}


def test_a_finished_run_has_no_checkpoint(run: Run, tmp_path: Path) -> None:
    run("mode=q", name="one")
    left = tmp_path / "one" / "checkpoints"
    left.mkdir(exist_ok=True)
    name = f"{loaded(tmp_path / 'one').config_hash}.ckpt"
    for file in (left / name, left / f"{name}.new"):
        file.touch()  # of a run that was killed between its result and its end
    run("mode=q", name="one")
    assert not left.exists()


def test_one_process_per_folder(run: Run, tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match=r"hydra\.run\.dir=.*another process"):
        run("mode=q", name=".")
    assert run("mode=q", name=".").mean.acsa is not None


def test_a_failed_rerun_leaves_the_old_result(run: Run, tmp_path: Path) -> None:
    first = run("mode=q")
    with pytest.raises(InputError, match=r"paths\.data_dir"):
        run("mode=q", "rerun=true", "paths.data_dir=/nowhere")
    assert loaded(tmp_path / "run") == first


def wait_for_a_checkpoint(folder: Path) -> Path:
    give_up = time.monotonic() + 120
    while not (found := list(folder.glob("checkpoints/*.ckpt"))) and time.monotonic() < give_up:
        time.sleep(0.02)
    (checkpoint,) = found
    return checkpoint


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_says_so(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    settings = ["mode=q", "trainer.max_epochs=5000", "trainer.checkpoint_seconds=0"]
    process = start("train", *settings, f"hydra.run.dir={tmp_path}", output=tmp_path / "said")
    wait_for_a_checkpoint(tmp_path)
    assert process.pid is not None
    os.kill(process.pid, sent)
    process.join(60)
    assert process.exitcode == code
    output = (tmp_path / "said").read_text()
    assert re.search(r"Stopped after epoch \d+\. The same command resumes from there\.", output)
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("x,label\n" + "1,a\n" * 9 + "2,b\n", "class 'b' has a single row"),
        ("x,label\n" + "1,a\n" * 9 + "1,b\n" * 3, "every feature column is constant"),
        ("x,label\n" + "1,a\n2,a\n1,b\n2,b\n", "only 4 different splits"),
    ],
)
def test_a_table_that_cannot_serve(run: Run, tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "table.csv").write_text(rows)
    source = [f"dataset.path={tmp_path}/table.csv", "dataset.target=label"]
    with pytest.raises(InputError, match=message):
        run("dataset=table", *source, "dataset.split.test_size=0.5", "replicas=20")


@pytest.mark.parametrize(
    ("overrides", "lines"),
    [
        (["fs.ratio=2"], ["Error: fs.ratio=2: "]),
        (["fs=0.25"], ["Error: fs=0.25: choose one of balanced, half", "fs.ratio=0.25"]),
        (["mode=gan"], ["Error: mode=gan: choose one of adasyn", "both_favour"]),
    ],
)
def test_an_error_on_the_command_line_is_short(
    tmp_path: Path, overrides: list[str], lines: list[str]
) -> None:
    ended = command("train", f"hydra.run.dir={tmp_path}/run", *overrides)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert all(line in ended.stderr for line in lines)
    assert not (tmp_path / "run" / "result.json").exists()


@pytest.fixture
def own_table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 2)), columns=["u", "1e3"])
    frame.assign(**{"2024_01": ["a", "a", "b"] * 20}).to_csv(tmp_path / "own.csv", index=False)
    return tmp_path / "own.csv"


def test_columns_are_found_as_typed(own_table: Path, tmp_path: Path) -> None:
    quick = ["trainer.max_epochs=1", "replicas=1", "logger=none", f"paths.output_dir={tmp_path}/runs"]
    table = ["dataset=table", f"dataset.path={own_table}", "dataset.target=2024_01", "mode=logistic"]
    drops = "dataset.columns.drop=[],[1e3]"
    ended = command("train", "-m", *table, "dataset.name=2024", drops, *quick)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    results = [read_result(path) for path in (tmp_path / "runs").glob("2024/*/result.json")]
    summaries = [result.table.summary for result in results]
    assert sorted(summary.columns["numeric"] for summary in summaries if summary) == [["u"], ["u", "1e3"]]
    assert {result.dataset for result in results} == {"2024"}


@pytest.mark.parametrize("name", ["../../x", "..", "x" * 300, "", "a\tb", "/x"])
def test_a_dataset_name_that_is_none_is_refused(own_table: Path, tmp_path: Path, name: str) -> None:
    table = ["dataset=table", f"dataset.path={own_table}", "dataset.target=2024_01", "mode=logistic"]
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    ended = command("train", *table, f"dataset.name={name}", cwd=folder)
    assert ended.returncode == 1
    assert re.fullmatch(r"Error: dataset\.name='.*\n", ended.stderr)
    assert {path.name for path in tmp_path.iterdir()} == {"own.csv", "a"}
    assert not list(folder.iterdir())
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"b"}


def test_help_explains_the_groups() -> None:
    text = command("train", "--help").stdout
    groups = ["dataset", "mode", "gan_type", "fs", "protocol", "trainer", "logger", "experiment", "debug"]
    for group in groups:
        assert re.search(rf"^ *{group}  +\S", text, flags=re.MULTILINE), group
    assert "haberman" in text
    assert "paths.data_dir" in text


def test_a_sweep_on_the_command_line_continues_after_a_method_that_cannot_work(tmp_path: Path) -> None:
    sweep = ["-m", "dataset=yeast,haberman", "mode=adasyn,do", "trainer.max_epochs=1", "replicas=1"]
    ended = command("train", *sweep, f"paths.output_dir={tmp_path}")
    assert ended.returncode == 0, ended.stderr
    files = list(tmp_path.glob("*/*/result.json"))
    results = {(result.dataset, result.mode): result for result in map(read_result, files)}
    assert results.keys() == set(product(["yeast", "haberman"], ["adasyn", "do"]))
    assert results.pop(("yeast", "adasyn")).na == NO_ADASYN
    assert f"NA ({NO_ADASYN})" in ended.stdout
    assert all(result.mean.acsa is not None for result in results.values())
    outputs = [path.read_text() for path in tmp_path.glob("*/*/output.log")]
    assert len(outputs) == 4
    assert sum("epoch" in output for output in outputs) == 3  # the bar
    assert ended.stdout.count(": ACSA ") == 3
    assert all((file.parent / "curves.parquet").is_file() for file in files)
    assert len(list(tmp_path.glob("*/*/curves/version_0/metrics.csv"))) == 4


@pytest.mark.parametrize("debug", ["fast", "one_epoch", "anomaly"])
def test_debug_presets(tmp_path: Path, debug: str) -> None:
    ended = command("train", f"debug={debug}", f"hydra.run.dir={tmp_path}/run", "mode=ao")
    assert ended.returncode == 0, ended.stderr
    assert loaded(tmp_path / "run").epochs <= 5


@pytest.mark.parametrize("mode", ["do", "q"])
def test_a_killed_run_resumes_to_the_same_numbers(tmp_path: Path, mode: str) -> None:
    settings = [f"mode={mode}", "replicas=3", "trainer.max_epochs=40", "players.classifier.dropout=0.2"]
    whole = command("train", *settings, f"hydra.run.dir={tmp_path}/whole")
    assert whole.returncode == 0, whole.stderr

    killed = tmp_path / "killed"
    settings += ["trainer.checkpoint_seconds=0"]
    process = start("train", *settings, f"hydra.run.dir={killed}", output=tmp_path / "said")
    checkpoint = wait_for_a_checkpoint(killed)
    process.kill()
    process.join()
    saved = VerifiedCheckpointIO().load_checkpoint(checkpoint)
    assert 0 < saved["epoch"] + 1 < 40
    assert saved["game"]["noise"].shape[0] == 3
    assert saved["TableDataModule"]["batches"].shape[0] == 3
    assert saved["game"]["best"]["weights"].keys() <= saved["state_dict"].keys()
    assert not (killed / "result.json").exists()

    resumed = command("train", *settings, f"hydra.run.dir={killed}")
    assert resumed.returncode == 0, resumed.stderr
    assert loaded(killed).replicas == loaded(tmp_path / "whole").replicas
    for name in ("curves", "predictions"):
        parts = [pd.read_parquet(tmp_path / folder / f"{name}.parquet") for folder in ("whole", "killed")]
        pd.testing.assert_frame_equal(*parts, check_exact=True)
    assert not list(killed.glob("checkpoints/*.ckpt"))


@pytest.mark.parametrize(
    "overrides",
    [["mode=threshold_q"], ["mode=cot", "dataset=yeast"], ["mode=gamo"], ["mode=adasyn"]],
    ids=" ".join,
)
def test_an_interrupted_run_resumes_to_the_same_numbers(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str]
) -> None:
    settings = [*overrides, "trainer.max_epochs=4", "trainer.checkpoint_seconds=0"]
    settings += ["dataset.training.dropout=0.2"]
    whole = run(*settings, name="whole")
    step = Game.training_step

    def breaking(self: Game, batch: Batch, batch_idx: int) -> None:
        if self.current_epoch == 2:
            raise KeyError("broken off")
        step(self, batch, batch_idx)

    monkeypatch.setattr(Game, "training_step", breaking)
    with pytest.raises(KeyError, match="broken off"):
        run(*settings, name="broken")
    monkeypatch.undo()
    assert len(list((tmp_path / "broken" / "checkpoints").glob("*.ckpt"))) == 1
    assert run(*settings, name="broken").replicas == whole.replicas
    for name in ("curves", "predictions"):
        parts = [pd.read_parquet(tmp_path / folder / f"{name}.parquet") for folder in ("whole", "broken")]
        pd.testing.assert_frame_equal(*parts, check_exact=True)


def test_the_previous_result_holds_no_file_of_an_older_one(run: Run, tmp_path: Path) -> None:
    run("mode=do")
    run("mode=logistic", "rerun=true")
    previous = tmp_path / "run" / "previous"
    assert loaded(previous).mode == "do"
    assert (previous / "generated.parquet").is_file()
    assert not (tmp_path / "run" / "generated.parquet").exists()
    run("mode=q", "rerun=true")
    assert loaded(previous).mode == "logistic"
    assert not (previous / "generated.parquet").exists()
    assert not (previous / "model.safetensors").exists()


@NEEDS_ORIGINAL_FILES
@pytest.mark.parametrize("dataset", ["secom", "pima", "haberman", "wafer", "credit", "yeast"])
def test_q_ao_and_do_on_the_original_files(run: Run, dataset: str) -> None:
    for mode in ("q", "ao", "do"):
        result = run(f"dataset={dataset}", f"mode={mode}", "trainer.max_epochs=1", "replicas=1", name=mode)
        assert result.mean.acsa is not None
        assert 0 < result.mean.acsa < 1


def test_a_file_that_is_edited_while_its_run_trains_leaves_the_result_under_its_old_hash(
    compose_config: Compose, tmp_path: Path
) -> None:
    table = load_yeast(None)
    frame = pd.DataFrame(table.x).assign(label=np.where(table.y < 2, "a", "b"))
    path = tmp_path / "own.csv"
    frame.to_csv(path, index=False)
    settings = ["dataset=table", f"dataset.path={path}", "dataset.target=label", "mode=q", "replicas=1"]
    before = config_hash(compose_config(*settings, "trainer.max_epochs=2"))

    class Edit(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            frame.iloc[:-1].to_csv(path, index=False)

    result = train(compose_config(*settings, "trainer.max_epochs=2"), tmp_path / "run", callbacks=[Edit()])
    assert result.config_hash == before
    assert result.table.summary is not None
    assert result.table.summary.rows == len(frame)
    # The edited file is another table.
    with pytest.raises(InputError, match="result of another configuration"):
        train(compose_config(*settings, "trainer.max_epochs=2"), tmp_path / "run")


def test_a_file_that_is_edited_before_it_is_read_is_refused(
    compose_config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.csv"
    path.write_text("v,label\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(40)))
    cfg = compose_config("dataset=table", f"dataset.path={path}", "dataset.target=label", "mode=q")
    pin_file(cfg)
    path.write_text(path.read_text().replace("39,", "40,"))
    with pytest.raises(InputError, match=r"own\.csv: it has changed since the run began"):
        train(cfg, tmp_path / "run")


def test_a_replica_whose_test_row_has_no_probability_has_no_result(compose_config: Compose) -> None:
    cfg = compose_config("mode=q", "replicas=2")
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    probabilities = torch.full((2, 3, 2), 0.5)
    probabilities[1, 2] = torch.nan
    game._tested = torch.zeros(2, 3).long(), torch.zeros(2, 3).long(), probabilities
    first, second = game.output().na
    assert first is None
    assert second == "a test row has a probability that is NaN: its values are too large"
