"""Small searches, and the studies that they leave."""

from pathlib import Path

import optuna
from optuna.trial import TrialState

RANDOM = "hydra.sweeper.sampler._target_=optuna.samplers.RandomSampler"
Q = ["hparams_search=q", "dataset=haberman", "mode=q"]


def sampler_seed(number: int) -> str:
    return f"hydra.sweeper.sampler.seed={number}"


def n_trials(number: int) -> str:
    return f"hydra.sweeper.n_trials={number}"


def only_study(folder: Path, file: str = "optuna.db") -> optuna.Study:
    storage = f"sqlite:///{folder}/{file}"
    (one,) = optuna.get_all_study_summaries(storage)
    return optuna.load_study(study_name=one.study_name, storage=storage)


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.trials]
