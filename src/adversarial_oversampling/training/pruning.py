"""Report a trial's epochs to its search, and stop when the search's pruner gives the trial up."""

import logging

from hydra.utils import instantiate
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback

from adversarial_oversampling.errors import TrialPruned
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.text import one_line
from adversarial_oversampling.training.study import TrialAddress, open_storage

log = logging.getLogger(__name__)


class Pruning(Callback):
    """Report the best validation ACSA so far after every epoch, and end a trial that falls behind.

    The value is the mean over the replicas that have not diverged: what the trial would score now.

    Parameters
    ----------
    trial : TrialAddress

    Raises
    ------
    InputError
        If the study's database cannot be used.
    TrialPruned
        In the epoch in which the pruner ends the trial; not in the last one.
    """

    def __init__(self, trial: TrialAddress) -> None:
        import optuna  # not needed without a search

        self._storage = open_storage(trial.storage)
        self._study = optuna.load_study(
            study_name=trial.study, storage=self._storage, pruner=instantiate(trial.pruner)
        )
        study_id = self._storage.get_study_id_from_name(trial.study)
        self._id = self._storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
        self._trial = self._storage.get_trial(self._id)
        self._reporting = True

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the epoch that has been scored."""
        assert isinstance(pl_module, Game)
        # The score is infinite until the running mean has enough epochs.
        trained = (pl_module.best.diverged_at < 0) & pl_module.best.score.isfinite()
        if not self._reporting or not bool(trained.any()):
            return
        done = trainer.current_epoch + 1
        score = float(pl_module.best.score[trained].mean())
        if self._is_behind(done, score) and done < (trainer.max_epochs or 0):
            raise TrialPruned(f"pruned after {done} of {trainer.max_epochs} epochs")

    def _is_behind(self, epochs: int, score: float) -> bool:
        from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError

        try:
            self._storage.set_trial_intermediate_value(self._id, epochs, score)
            self._trial.intermediate_values[epochs] = score  # cheaper than to read it back
            return self._study.pruner.prune(self._study, self._trial)
        except (StorageInternalError, UpdateFinishedTrialError) as error:
            # The run is worth finishing without its search.
            log.warning("The trial is no longer reported to its search: %s", one_line(error))
            self._reporting = False
            return False
