"""A progress bar over epochs with ACSA and GM."""

import sys
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from tqdm import tqdm

from adversarial_oversampling.game.module import Game
from adversarial_oversampling.training.curves import mean_and_std


class EpochBar(ProgressBar):
    """One bar for the whole run, since an epoch of a small table is too short for a bar of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: tqdm[Any] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin at the epoch at which a resumed run continues."""
        self._bar = tqdm(
            total=trainer.max_epochs,
            initial=trainer.current_epoch,
            unit="epoch",
            dynamic_ncols=True,
            mininterval=0.1 if sys.stderr.isatty() else 10,  # few lines in a log
        )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Advance and show the epoch's mean metrics, in percent."""
        assert self._bar is not None
        assert isinstance(pl_module, Game)
        names = [f"{pl_module.monitor}/{name}" for name in ("acsa", "g_mean")]
        values = {name: pl_module.history[name][-1] for name in names}
        shown = mean_and_std(values, pl_module.best.diverged_at < 0)
        self._bar.set_postfix({name: f"{100 * shown[name]:.1f}%" for name in names}, refresh=False)
        self._bar.update()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the finished bar on the screen."""
        self.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the bar as it stands."""
        self.close()

    def disable(self) -> None:
        """Close the bar; Lightning calls this in all processes but the first."""
        self.close()

    def close(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
