"""When a checkpoint is saved, what a signal does, and which checkpoint is refused."""

import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer

from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.training.build import build_data, build_game, build_trainer
from adversarial_oversampling.training.checkpoints import VerifiedCheckpointIO
from adversarial_oversampling.training.run import train
from tests.conftest import Compose


class Saved(Callback):
    """Keep the epochs of the checkpoints that are saved, and send a signal in the middle of an epoch."""

    def __init__(
        self, epoch: int | None = None, sent: signal.Signals = signal.SIGTERM, times: int = 1
    ) -> None:
        self.epochs: list[int] = []
        self.signal = (epoch, sent, times)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        epoch, sent, times = self.signal
        if trainer.current_epoch == epoch:
            for _ in range(times):
                os.kill(os.getpid(), sent)
            self.signal = (None, sent, 0)

    def on_save_checkpoint(self, trainer: Trainer, *_: Any) -> None:
        self.epochs.append(trainer.current_epoch)


def fitted(cfg: DictConfig, folder: Path, callback: Saved) -> dict[str, Any]:
    """Train, and return the checkpoint that is left."""
    data = build_data(cfg)
    data.setup()
    try:
        build_trainer(cfg, folder, [], others=[callback]).fit(build_game(cfg, data), datamodule=data)
    finally:
        saved = [VerifiedCheckpointIO().load_checkpoint(file) for file in folder.rglob("*.ckpt")]
    return saved[0]


@pytest.mark.parametrize(("seconds", "epochs"), [(0, [0, 1, 2]), (1000, [2])])
def test_the_last_epoch_is_saved_and_others_if_the_checkpoint_is_old_enough(
    compose_config: Compose, tmp_path: Path, seconds: float, epochs: list[int]
) -> None:
    cfg = compose_config("mode=q", "trainer.max_epochs=3", f"trainer.checkpoint_seconds={seconds}")
    callback = Saved()
    checkpoint = fitted(cfg, tmp_path, callback)
    assert callback.epochs == epochs
    assert checkpoint["epoch"] == 2
    assert len(checkpoint["game"]["history"]["train/acsa"]) == 3


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
@pytest.mark.parametrize("epoch", [0, 2], ids=["first", "last"])
def test_a_signal_ends_the_training_with_a_checkpoint_of_the_epoch_that_it_met(
    compose_config: Compose, tmp_path: Path, sent: signal.Signals, code: int, epoch: int
) -> None:
    cfg = compose_config("mode=q", "trainer.max_epochs=3", "trainer.checkpoint_seconds=1000")
    before = signal.getsignal(sent)
    callback = Saved(epoch, sent)
    with pytest.raises(SystemExit) as stopped:
        fitted(cfg, tmp_path, callback)
    assert stopped.value.code == code
    assert callback.epochs == [epoch]
    assert signal.getsignal(sent) == before
    assert len(list(tmp_path.rglob("*.ckpt"))) == 1


def test_the_same_signal_again_ends_the_training_at_once(compose_config: Compose, tmp_path: Path) -> None:
    cfg = compose_config("mode=q", "trainer.max_epochs=3", "trainer.checkpoint_seconds=1000")
    callback = Saved(1, times=2)
    with pytest.raises(SystemExit) as stopped:
        fitted(cfg, tmp_path, callback)
    assert stopped.value.code == 143
    assert callback.epochs == []


@pytest.mark.parametrize("place", [0.0, 0.02, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("damage", ["bit", "zeros", "cut"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, place: float, damage: str) -> None:
    file = tmp_path / "last.ckpt"
    VerifiedCheckpointIO().save_checkpoint({"weights": list(range(3000))}, file)
    content = bytearray(file.read_bytes())
    start = int(place * len(content))
    match damage:
        case "bit":
            content[start] ^= 1
        case "zeros":
            end = min(len(content), start + 4096)
            content[start:end] = bytes(end - start)
        case "cut":
            del content[start:]
    file.write_bytes(content)
    with pytest.raises(InputError, match="is damaged: delete it"):
        VerifiedCheckpointIO().load_checkpoint(file)


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints" / "last.ckpt"
    VerifiedCheckpointIO().save_checkpoint({"epoch": 1}, file)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # no file of this process may be larger
    try:
        with pytest.raises(InputError, match=f"^{file.parent}: cannot be written: File too large; make room"):
            VerifiedCheckpointIO().save_checkpoint({"weights": torch.zeros(10_000)}, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert VerifiedCheckpointIO().load_checkpoint(file) == {"epoch": 1}
    assert list(file.parent.iterdir()) == [file]


def test_a_checkpoint_of_another_run_or_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    VerifiedCheckpointIO({"configuration": "a", "torch": "2.13"}).save_checkpoint({"epoch": 3}, file)
    assert VerifiedCheckpointIO({"configuration": "a", "torch": "2.13"}).load_checkpoint(file) == {"epoch": 3}
    for run in ({"configuration": "b"}, {"configuration": "a", "torch": "2.14"}):
        with pytest.raises(InputError, match=r"was written with (configuration|torch)"):
            VerifiedCheckpointIO(run).load_checkpoint(file)


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_before_the_first_epoch_has_its_exit_code(
    compose_config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: signal.Signals, code: int
) -> None:
    load = TableDataModule.train_dataloader

    def stopped_while_loading(data: TableDataModule) -> Any:
        signal.raise_signal(sent)
        return load(data)

    monkeypatch.setattr(TableDataModule, "train_dataloader", stopped_while_loading)
    with pytest.raises(SystemExit) as stopped:
        train(compose_config("mode=q", "trainer.max_epochs=3"), tmp_path)
    assert stopped.value.code == code
    assert not (tmp_path / "result.json").exists()
