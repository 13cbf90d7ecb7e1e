"""The checkpoint that an interrupted run resumes from."""

import os
import time
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from omegaconf import DictConfig
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from adversarial_oversampling.config.identity import config_hash
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.shard import WHOLE, Shard


class AtomicCheckpointIO(TorchCheckpointIO):
    """Replace a checkpoint atomically: a run that is killed while it saves keeps the previous one.

    Lightning writes to the system's temporary folder first. If that is on another disk, the file is then
    copied, which is not atomic.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Save beside the path, then rename."""
        new = Path(f"{path}.new")
        super().save_checkpoint(checkpoint, new, storage_options)
        os.replace(new, path)


class EpochCheckpoint(Checkpoint):
    """Save a checkpoint at the end of an epoch, if the last one is some seconds old.

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

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save if it is time to, in all processes of the run."""
        due = time.monotonic() - self._saved >= self._seconds
        if trainer.strategy.reduce_boolean_decision(due, all=False):
            trainer.save_checkpoint(self._path)
            self._saved = time.monotonic()


def checkpoint_path(cfg: DictConfig, run_dir: Path, replicas: Shard = WHOLE) -> Path:
    """Return the checkpoint of a run, or of a process that trains some of its replicas."""
    shard = f"-{replicas.rank + 1}-of-{replicas.world_size}" if replicas.world_size > 1 else ""
    return run_dir / "checkpoints" / f"{config_hash(cfg)}{shard}.ckpt"


def check_readable(checkpoint: Path) -> None:
    """Refuse a checkpoint that cannot be loaded.

    Raises
    ------
    InputError
        If the file is damaged. The message names it.
    """
    try:
        torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (EOFError, IndexError, KeyError, RuntimeError, UnpicklingError) as error:
        raise InputError(
            f"{checkpoint} is damaged: delete it, and the run starts from the beginning."
        ) from error


def delete_checkpoints(cfg: DictConfig, run_dir: Path) -> None:
    """Delete a run's checkpoints, whatever the number of processes that wrote them."""
    folder = run_dir / "checkpoints"
    for file in folder.glob(f"{config_hash(cfg)}*.ckpt*"):
        file.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
