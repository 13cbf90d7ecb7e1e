"""A search's study: opened, continued after an interruption, and shared by several processes."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.sweep.job import status_folder
from adversarial_oversampling.sweep.space import Space
from adversarial_oversampling.text import count, one_line
from adversarial_oversampling.training.study import open_storage

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

LOCK = "worker.lock"
WORKER = "worker"
UNNAMED = 60.0  # seconds for which a trial may lack the name of its process


class SearchStudy:
    """The study of a search, and this process's part in it.

    A process that works on the study holds a lock in the folder of its sweep's statuses, and its trials have
    the place of this lock. The system releases the lock however the process ends. So a trial whose process is
    gone is recognized, and runs again with the same settings.

    Parameters
    ----------
    config : DictConfig
        The configuration of the multirun.
    sampler : BaseSampler, optional
        Proposes the settings.

    Raises
    ------
    InputError
        If the study's database cannot be used.
    """

    def __init__(self, config: DictConfig, sampler: "BaseSampler | None" = None) -> None:
        import optuna  # slow to import, and not needed otherwise

        sweeper = config.hydra.sweeper
        self.name, self.url = str(sweeper.study_name), str(sweeper.storage)
        self.n_trials = int(sweeper.n_trials)
        lock = status_folder(config.hydra, config) / LOCK
        self.worker = f"{gethostname()}:{lock}"
        self.lock = FileLock(lock)
        with self._exclusive():
            self._storage = open_storage(self.url)
            self.study: Study = optuna.create_study(
                study_name=self.name,
                storage=self._storage,
                sampler=sampler,
                direction=sweeper.direction,
                load_if_exists=True,
            )

    def _exclusive(self) -> AbstractContextManager[Any]:
        """Keep other processes from the study for a moment; possible for a SQLite file."""
        file = self.url.removeprefix("sqlite:///")
        return nullcontext() if file == self.url else FileLock(f"{file}.lock")

    def remaining(self) -> int:
        """Return how many trials the study lacks; those that other processes run now are counted as run."""
        waiting = _states().WAITING
        return max(0, self.n_trials - len([one for one in self.trials() if one.state != waiting]))

    def trials(self) -> "list[FrozenTrial]":
        """Return all trials of the study."""
        return self.study.get_trials(deepcopy=False)

    def begin(self, defaults: Mapping[str, Any]) -> str:
        """Free the trials of processes that have ended; return what the study has, and what it lacks.

        The first trial of a new study has the default settings, as far as they lie in the space.
        """
        with self._exclusive():
            self._free()
            earlier = self.trials()
            if not earlier:
                self.study.enqueue_trial(dict(defaults))
        state = _states()
        number = Counter(trial.state for trial in earlier)
        finished = sum(number[one] for one in (state.COMPLETE, state.PRUNED, state.FAIL))
        parts = {
            "failed": number[state.FAIL],
            "pruned": number[state.PRUNED],
            "unfinished": number[state.WAITING],
            "running elsewhere": number[state.RUNNING],
        }
        noted = ", ".join(f"{many} {words}" for words, many in parts.items() if many)
        left = self.remaining()
        more = (
            f"{left} more will be run."
            if left
            else f"none is left to run, as hydra.sweeper.n_trials={self.n_trials}."
        )
        trials = count(finished, "finished trial")
        return f"Study {self.name} has {trials}{f' ({noted})' if noted else ''}; {more}"

    def claim(self, space: Space, at_once: int) -> "list[Trial]":
        """Return up to `at_once` trials for this process to run; none when the study is complete."""
        with self._exclusive():
            self._free()
            claimed = []
            for _ in range(min(at_once, self.remaining())):
                try:
                    trial = self.study.ask(space.varied)
                except ValueError as error:
                    raise InputError(
                        f"hydra.sweeper.study_name={self.name}: this study has another space; give another "
                        f"name. Optuna's error: {one_line(error)}"
                    ) from error
                trial.set_user_attr(WORKER, self.worker)
                claimed.append(trial)
        return claimed

    def tell(self, trial: "Trial", scores: "Sequence[float | str | None]") -> bool:
        """Finish a trial with the scores of its modes; return whether it has not failed."""
        state = _states()
        numbers = [score for score in scores if isinstance(score, float)]
        if len(numbers) == len(scores):
            self.study.tell(trial, sum(numbers) / len(numbers), skip_if_finished=True)
        else:
            ended = state.FAIL if None in scores else state.PRUNED
            self.study.tell(trial, state=ended, skip_if_finished=True)
        return None not in scores

    def _free(self) -> None:
        """Put the trials of processes that have ended back into the queue, with their settings."""
        state = _states()
        study_id = self._storage.get_study_id_from_name(self.name)
        for trial in self.trials():
            if trial.state == state.RUNNING and self._is_abandoned(trial):
                number = self._storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
                self._storage.set_trial_state_values(number, state.WAITING)

    def _is_abandoned(self, trial: "FrozenTrial") -> bool:
        worker = trial.user_attrs.get(WORKER)
        if worker is None:  # its process had no time to write it
            started = trial.datetime_start or datetime.fromtimestamp(0)
            return time.time() - started.timestamp() > UNNAMED
        return worker != self.worker and not is_alive(worker)


def is_alive(worker: str) -> bool:
    """Return whether a process that works on a study still runs, by the place of its lock."""
    host, _, path = worker.partition(":")
    if not Path(path).is_file():
        return host != gethostname()  # the file may lie on a disk of that machine
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _states() -> Any:
    from optuna.trial import TrialState

    return TrialState
