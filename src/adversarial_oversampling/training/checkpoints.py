"""The checkpoint that an interrupted run resumes from."""

import hashlib
import io
import logging
import os
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning_fabric.plugins.io.checkpoint_io import CheckpointIO
from omegaconf import DictConfig
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from adversarial_oversampling import __version__
from adversarial_oversampling.atomic import replacing
from adversarial_oversampling.config.identity import config_hash
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.guard import raise_if_stopped
from adversarial_oversampling.results.files import CHECKPOINTS, writing
from adversarial_oversampling.shard import WHOLE, Shard

log = logging.getLogger(__name__)

_MAGIC = b"adversarial-oversampling checkpoint 1\n"


class VerifiedCheckpointIO(CheckpointIO):
    """Write a checkpoint atomically with a digest of its content and with the run that it belongs to.

    A run that is killed while it saves keeps the previous one: Lightning writes to the system's temporary
    folder first, which may be on another disk, from where the file is copied.

    Parameters
    ----------
    run : mapping of str to str
        What the checkpoint belongs to, and the versions that wrote it; one of others is refused.
    """

    def __init__(self, run: Mapping[str, str] | None = None) -> None:
        self._run = dict(run or {})

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Save beside the path, then rename."""
        buffer = io.BytesIO()
        torch.save({"run": self._run, "checkpoint": checkpoint}, buffer)
        content = buffer.getbuffer()
        folder = Path(path).parent
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # A process that outlives the one that started it may still save while the next run does.
            with replacing(Path(path)) as new, new.open("wb") as file:
                file.write(_MAGIC + hashlib.sha256(content).digest())
                file.write(content)

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return a checkpoint of this run.

        Raises
        ------
        InputError
            If the file is damaged, or belongs to another run or to other versions. The message names it.
        """
        way_out = "delete it or give rerun=true, and the run starts from the beginning."
        with parsing(path, way_out, "cannot be read"):
            content = Path(path).read_bytes()
        start = len(_MAGIC) + hashlib.sha256().digest_size
        magic, digest, content = content[: len(_MAGIC)], content[len(_MAGIC) : start], content[start:]
        if magic != _MAGIC or hashlib.sha256(content).digest() != digest:
            raise InputError(f"{path} is damaged: {way_out}")
        with parsing(path, way_out):
            # Tensors and numbers only: nothing of the file is run.
            stored: Any = torch.load(io.BytesIO(content), map_location=map_location, weights_only=True)
            run, checkpoint = dict(stored["run"]), dict(stored["checkpoint"])
        for name, value in self._run.items():
            if run.get(name) != value:
                raise InputError(f"{path} was written with {name} {run.get(name)}, not {value}: {way_out}")
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


def written_by(cfg: DictConfig) -> dict[str, str]:
    """Return what a checkpoint of a run has to be written with."""
    return {
        "configuration": config_hash(cfg),
        "torch": str(torch.__version__),
        "adversarial-oversampling": __version__,
    }


class EpochCheckpoint(Checkpoint):
    """Save a checkpoint after the last epoch, after one in which a signal arrives, and every some seconds.

    SIGTERM and SIGINT stop the training at the end of the epoch that they meet; the same signal again stops
    it at once.

    Parameters
    ----------
    path : Path
        The file; each checkpoint replaces the one before.
    seconds : float
        At least so long between two checkpoints; 0 saves every epoch.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._saved = time.monotonic()
        self._signal = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals from Lightning, which stops in the middle of an epoch and takes them back."""
        raise_if_stopped()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                if signal.getsignal(number) is not signal.SIG_IGN:  # as in a shell's background
                    signal.signal(number, self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if number == self._signal:
            raise SystemExit(128 + number)
        self._signal = number
        with suppress(OSError):  # a closed stderr; `print` is not safe in a handler
            os.write(2, b"Stopping after this epoch; the same signal again stops at once.\n")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save if it is time to, in all processes of the run.

        Raises
        ------
        SystemExit
            With 128 plus the number of the signal that one of the processes has received.
        """
        any_process = partial(trainer.strategy.reduce_boolean_decision, all=False)
        stopped = any_process(self._signal != 0)
        due = (
            trainer.current_epoch + 1 == trainer.max_epochs or time.monotonic() - self._saved >= self._seconds
        )
        # A run that ends early would train another epoch from there.
        if (stopped or any_process(due)) and not trainer.should_stop:
            trainer.save_checkpoint(self._path)
            self._saved = time.monotonic()
        if stopped:
            log.error("Stopped after epoch %d. The same command resumes from there.", trainer.current_epoch)
            raise SystemExit(128 + (self._signal or signal.SIGTERM))


def checkpoint_path(cfg: DictConfig, run_dir: Path, replicas: Shard = WHOLE) -> Path:
    """Return the checkpoint of a run, or of a process that trains some of its replicas."""
    shard = f"-{replicas.rank + 1}-of-{replicas.world_size}" if replicas.world_size > 1 else ""
    return run_dir / CHECKPOINTS / f"{config_hash(cfg)}{shard}.ckpt"


def delete_checkpoints(cfg: DictConfig, run_dir: Path) -> None:
    """Delete a run's checkpoints, whatever the number of processes that wrote them."""
    folder = run_dir / CHECKPOINTS
    for file in folder.glob(f"{config_hash(cfg)}*.ckpt*"):
        file.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def discard_unusable(cfg: DictConfig, run_dir: Path) -> None:
    """Delete the checkpoints of a run from which it cannot resume."""
    for file in (run_dir / CHECKPOINTS).glob(f"{config_hash(cfg)}*.ckpt"):
        try:
            VerifiedCheckpointIO(written_by(cfg)).load_checkpoint(file)
        except InputError as error:
            log.info("Training starts from the first epoch: %s.", str(error).partition(": ")[0])
            file.unlink()
