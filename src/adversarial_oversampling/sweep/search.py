"""Searches over settings with Optuna, on the rows that choose the epoch."""

import re
from collections.abc import Collection, Mapping
from contextlib import nullcontext

from filelock import FileLock
from omegaconf import DictConfig, OmegaConf
from rich.markup import escape
from rich.table import Table

from adversarial_oversampling.config.validation import check
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.sweep.overrides import is_search, parsed
from adversarial_oversampling.sweep.status import JobStatus, job_label, terminal
from adversarial_oversampling.text import percent

# What all trials of a search must share, since their scores are compared.
SHARED = re.compile(r"(dataset|mode|protocol|seed|replicas|(protocol|dataset\.source|dataset\.split)\..*)$")


def check_search(config: DictConfig) -> None:
    """Refuse a search by test rows, or over settings that the mode does not have.

    Raises
    ------
    InputError
        If it would use test rows, vary settings that the mode does not have, or compare unlike trials.
    """
    if not is_search(config):
        return
    check(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
    if config.protocol.select_on == "test":
        raise InputError("protocol=paper: a search must not use test rows; give protocol=holdout or cv.")
    if "estimator" in config.mode:
        raise InputError(f"mode={config.mode.name} has no epochs to choose, and so no validation ACSA.")
    for item in parsed(config):
        if item.is_sweep_override() and SHARED.match(item.key_or_group):
            raise InputError(
                f"{item.input_line}: the trials of a search are compared with each other, so they share "
                f"{item.key_or_group}; give each choice a search of its own."
            )
    missing = OmegaConf.create({})
    absent = [
        str(key)
        for key in config.hydra.sweeper.get("params") or {}
        if OmegaConf.select(config, str(key), default=missing) is missing
    ]
    if absent:
        raise InputError(
            f"mode={config.mode.name} has no {', '.join(absent)}, which hparams_search varies: "
            "take hparams_search=q, or a mode with a generator."
        )


def open_study(config: DictConfig) -> None:
    """Create a search's study if there is none; for a SQLite file one process at a time."""
    import optuna  # slow to import, and not needed otherwise

    sweeper = config.hydra.sweeper
    if sweeper.storage is None:
        return
    file = str(sweeper.storage).removeprefix("sqlite:///")
    with nullcontext() if file == sweeper.storage else FileLock(f"{file}.lock"):
        optuna.create_study(
            study_name=sweeper.study_name,
            storage=sweeper.storage,
            direction=sweeper.direction,
            load_if_exists=True,
        )


def show_search(statuses: Mapping[int, JobStatus], varied: Collection[str]) -> None:
    """Print the trials of a search by validation ACSA."""
    table = Table(
        title="Trials of the search", caption="mean ACSA on validation rows over replicas, in percent"
    )
    table.add_column("settings", overflow="fold")
    table.add_column("validation ACSA", justify="right", no_wrap=True)
    rows = []
    for status in statuses.values():
        if status.status != "failed":
            rows.append((status.result().mean_selection_acsa, job_label(status, varied)))
    for score, label in sorted(rows, key=lambda row: -1.0 if row[0] is None else row[0], reverse=True):
        table.add_row(escape(label), percent(score))
    if rows:
        terminal().print(table)


def show_best(config: DictConfig) -> None:
    """Print the best settings of a search's whole study, trials of earlier starts included."""
    import optuna  # slow to import, and not needed otherwise

    if config.hydra.sweeper.storage is None:
        return
    try:
        study = optuna.load_study(config.hydra.sweeper.study_name, config.hydra.sweeper.storage)
    except KeyError:  # no trial was started
        return
    ended = sum(trial.state == optuna.trial.TrialState.COMPLETE for trial in study.trials)
    if ended:
        score = percent(study.best_value)
        print(f"Best of {ended} trials of {study.study_name}, validation ACSA {score}:")
        print(" ".join(f"{key}={value}" for key, value in study.best_params.items()))
