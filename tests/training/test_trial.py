"""What has to succeed at the end of a run is tried at its start."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.limits import LIMITS
from adversarial_oversampling.results.write import check_space, check_storable
from adversarial_oversampling.training.run import train
from adversarial_oversampling.training.trial import try_to_build
from tests.conftest import Compose, Run

NO_DATA = "paths.data_dir=/nowhere"


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (
            ["mode=q", "players.classifier.optimizer._target_=torch.optim.LBFGS"],
            "players.classifier.optimizer",
        ),
        (["mode=q", "+players.classifier.optimizer.betas=[2,0]"], "players.classifier.optimizer"),
        (["mode=do", "players.discriminator.optimizer.betas=[0.5]"], "players.discriminator.optimizer"),
        (["mode=do", "players.generator.optimizer.betas=[0.5,1.5]"], "players.generator.optimizer"),
        (["mode=q", "schedule.T_max=0"], "schedule"),
        (["mode=q", "schedule.T_max=many"], "schedule"),
        (["mode=q", "schedule={_target_:torch.optim.lr_scheduler.StepLR,_partial_:true}"], "schedule"),
        (["mode=q", "+trainer.foo=1"], "trainer"),
        (["mode=q", "trainer.accelerator=foo"], "trainer"),
        (["mode=logistic", "+mode.estimator.width=3"], "mode.estimator"),
        (["mode=gamo", "gan_type=wgan_gp"], "gan_type.loss.label_noise: .* ~gan_type.loss.label_noise or"),
        (["mode=lightgbm", "mode.estimator._target_=lightgbm.Dataset"], "mode.estimator"),
        (["mode=lightgbm", "+mode.estimator.num_leafs=3"], "mode.estimator.num_leafs: .* did you mean"),
        (["mode=threshold_lightgbm", "+mode.estimator.width=3"], "mode.estimator.width: there is no such"),
        (["mode=xgboost", "+mode.estimator.n_estimater=3"], "mode.estimator.n_estimater: .* did you mean"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_what_cannot_be_built_is_refused_before_data_are_read(
    run: Run, tmp_path: Path, overrides: list[str], key: str
) -> None:
    with pytest.raises(InputError, match=rf"^{key}") as caught:
        run(NO_DATA, *overrides)
    assert "\n" not in str(caught.value)
    assert {file.name for file in (tmp_path / "run").iterdir()} == {".lock"}


@pytest.mark.parametrize("way_out", ["~gan_type.loss.label_noise", "recipe=plain"])
def test_a_setting_of_another_loss_is_left_out_as_the_message_says(
    compose_config: Compose, tmp_path: Path, way_out: str
) -> None:
    try_to_build(compose_config("mode=gamo", "gan_type=wgan_gp", way_out), tmp_path)


@pytest.mark.parametrize(
    "setting", ["feature_fraction=0.5", "sub_row=0.9", "importance_type=gain", "max_bin=63"]
)
def test_every_setting_that_lightgbm_knows_is_taken(
    compose_config: Compose, tmp_path: Path, setting: str
) -> None:
    try_to_build(compose_config("mode=lightgbm", f"+mode.estimator.{setting}"), tmp_path)


def test_a_setting_that_belongs_to_no_player_of_the_mode_is_not_built(run: Run) -> None:
    assert run("mode=q", "players.generator.optimizer.betas=[2,0]", "trainer.max_epochs=1", "replicas=1")


@pytest.mark.parametrize(
    "value",
    [float("inf"), float("nan"), b"\xff", "a\udcff", {1, 2}, date(2026, 1, 1), [0.5, [float("-inf")]]],
    ids=["infinite", "NaN", "bytes", "surrogate", "set", "date", "in a list"],
)
def test_a_value_that_json_cannot_hold_is_refused_by_its_key(value: Any) -> None:
    with pytest.raises(InputError, match=r"^mode\.estimator\.C.*result\.json cannot hold this value"):
        check_storable({"seed": 0, "mode": {"estimator": {"C": value}}})
    check_storable({"seed": 0, "mode": {"estimator": {"C": [1.5, "ü", None, True, {2: "x"}]}}})


def test_a_field_that_a_result_cannot_hold_is_refused_before_the_training(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Game, "training_step", lambda *_: pytest.fail("it trains"))
    monkeypatch.delitem(LIMITS, "fs.name")  # as if a limit were forgotten
    with pytest.raises(InputError, match=r"^fs='7': result\.json cannot hold this value"):
        run("mode=q", "fs.name=7")


@pytest.mark.parametrize("name", ["result.json", "predictions.parquet", "model.safetensors"])
def test_a_folder_in_the_place_of_a_file_is_refused_before_the_training(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "run" / name).mkdir(parents=True)
    monkeypatch.setattr(Game, "training_step", lambda *_: pytest.fail("it trains"))
    with pytest.raises(InputError, match=rf"{tmp_path}/run/{name} is a folder: remove it"):
        run("mode=q", "rerun=true")


@pytest.mark.parametrize("name", ["checkpoints", "previous", ".hydra"])
def test_a_file_in_the_place_of_a_folder_is_refused_before_the_training(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).touch()
    monkeypatch.setattr(Game, "training_step", lambda *_: pytest.fail("it trains"))
    with pytest.raises(InputError, match=rf"{tmp_path}/run/{name} is a file: remove it"):
        run("mode=q")


@pytest.mark.parametrize("folder", ["/proc/no/run", "/dev/null/run", "{}/file"])
def test_a_folder_that_cannot_be_written_is_refused(
    compose_config: Compose, tmp_path: Path, folder: str
) -> None:
    (tmp_path / "file").touch()
    folder = folder.format(tmp_path)
    with pytest.raises(InputError, match=rf"^{folder}: cannot be written: .*choose another hydra\.run\.dir"):
        train(compose_config("mode=q", NO_DATA), folder)


def test_a_disk_with_too_little_room_is_refused(tmp_path: Path) -> None:
    check_space(tmp_path, 0)
    with pytest.raises(InputError, match=rf"^{tmp_path}: this run writes about \d+ MB, and the disk has \d+"):
        check_space(tmp_path, shutil.disk_usage(tmp_path).total + 1)


@pytest.mark.parametrize("mode", ["do", "threshold_q"])
def test_a_run_that_fails_while_it_writes_loses_nothing(
    run: Run, compose_config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    settings = (f"mode={mode}", "trainer.max_epochs=2", "replicas=2")
    folder = tmp_path / "run"

    class Obstacle(Callback):
        def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            (folder / "predictions.parquet" / "x").mkdir(parents=True)

    with pytest.raises(InputError, match=rf"^{folder}: cannot be written: Is a directory"):
        train(compose_config(*settings), folder, callbacks=[Obstacle()])
    shutil.rmtree(folder / "predictions.parquet")
    with monkeypatch.context() as watched:
        watched.setattr(Game, "training_step", lambda *_: pytest.fail("it trains again"))
        resumed = run(*settings)
    undisturbed = run(*settings, name="undisturbed")
    assert resumed.replicas == undisturbed.replicas
    for name in ("predictions.parquet", "curves.parquet"):
        assert resumed.files[name] == undisturbed.files[name]
    assert not (folder / "checkpoints").exists()
