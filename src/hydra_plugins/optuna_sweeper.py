"""Searches over settings with Optuna: Hydra accepts sweepers of the package `hydra_plugins` only."""

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptunaSweeper(Sweeper):
    """Run trials until the study has as many as it should have.

    `conf/hydra/sweeper/optuna.yaml` describes the settings. Where the study lies, how many trials it has and
    what they vary is read from the configuration.

    Parameters
    ----------
    sampler : optuna.samplers.BaseSampler
        Proposes the settings.
    pruner : optuna.pruners.BasePruner or None
        Ends trials early. The jobs make their own; here only whether there is one counts.
    n_jobs : int
        Trials at once.
    max_failure_rate : float
        Stop when a larger part of the trials that ran at once has failed.
    settings
        The others.
    """

    def __init__(
        self, sampler: Any, pruner: Any, n_jobs: int, max_failure_rate: float, **settings: Any
    ) -> None:
        self.sampler, self.pruner = sampler, pruner
        self.n_jobs, self.max_failure_rate = n_jobs, max_failure_rate

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher."""
        self.config: DictConfig = config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the trials that the study lacks, and keep the number of their jobs in `hydra.sweeper.jobs`."""
        # Hydra imports every plugin whenever it starts.
        from adversarial_oversampling.sweep.space import read_space
        from adversarial_oversampling.sweep.study import SearchStudy

        space = read_space(self.config)
        search = SearchStudy(self.config, self.sampler)
        each = len(space.jobs({}))
        ran = 0
        with search.lock:
            while trials := search.claim(space, self.n_jobs):
                jobs = [
                    [*job, *self.address(search.name, trial.number, each)]
                    for trial in trials
                    for job in space.jobs(trial.params)
                ]
                self.config.hydra.sweeper.jobs = ran + len(jobs) + each * search.remaining()
                returned = self.launcher.launch(jobs, initial_job_idx=ran)
                ran += len(jobs)
                scores = [job.return_value for job in returned]
                failed = sum(
                    not search.tell(trial, scores[each * number : each * (number + 1)])
                    for number, trial in enumerate(trials)
                )
                if failed / len(trials) > self.max_failure_rate:
                    print(f"hydra.sweeper.max_failure_rate={self.max_failure_rate}: the search ends here.")
                    break
        self.config.hydra.sweeper.jobs = ran

    def address(self, study: str, trial: int, modes: int) -> list[str]:
        """Return the overrides by which a job reports its epochs; none if no trial is ended early."""
        if self.pruner is None or modes > 1:  # the epochs of one mode do not tell the mean over several
            return []
        name = study.replace("\\", "\\\\").replace("'", "\\'")
        return [f"sweep.study='{name}'", f"sweep.trial={trial}"]
