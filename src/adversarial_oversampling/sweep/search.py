"""Check a search over settings before its first trial, and show what it has found."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from statistics import mean
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf
from rich.markup import escape
from rich.table import Table

from adversarial_oversampling.config.compose import config_files, without_hydra
from adversarial_oversampling.config.identity import has_generator
from adversarial_oversampling.config.validation import check
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.limits import Number
from adversarial_oversampling.sweep.plan import composed
from adversarial_oversampling.sweep.space import Space, read_space
from adversarial_oversampling.sweep.status import JobStatus, job_label, terminal
from adversarial_oversampling.text import count, percent

if TYPE_CHECKING:
    from optuna import Study

# Settings of the networks, which a mode from a library does not have.
NETWORKS = re.compile(r"(players|schedule|dataset\.training|generated_rows|gan_type|members|trainer)(\.|$)")
AT_LEAST_ONE = Number(int, minimum=1)


def check_search(config: DictConfig) -> Space:
    """Refuse a search by test rows, or over settings that a mode does not have; return its space.

    Raises
    ------
    InputError
        If it would use test rows, vary settings that the mode does not have, or compare unlike trials.
    """
    if find_spec("optuna") is None:
        raise InputError('hparams_search: a search needs Optuna: pip install "optuna>=4,<5".')
    for key in ("n_trials", "n_jobs"):
        AT_LEAST_ONE.check(f"hydra.sweeper.{key}", config.hydra.sweeper[key])
    if config.hydra.sweeper.storage is None:
        raise InputError(
            "hydra.sweeper.storage=null: a study is stored; give sqlite:///FILE or the URL of a database."
        )
    space = read_space(config)
    for overrides in space.jobs({}):
        _check_mode(composed(config, overrides, set(space.fixed)), space)
    return space


def _check_mode(cfg: DictConfig, space: Space) -> None:
    """Refuse a search with a mode's configuration."""
    check(without_hydra(cfg))
    if cfg.protocol.select_on != "validation":
        raise InputError(
            f"protocol.select_on={cfg.protocol.select_on} (protocol={cfg.protocol.name}): a search compares "
            "settings on validation rows; give protocol=holdout or cv."
        )
    missing = OmegaConf.create({})
    absent = [
        key
        for key in space.varied
        if not key.startswith("+") and OmegaConf.select(cfg, key, default=missing) is missing
    ]
    if "estimator" in cfg.mode:
        absent += [key for key in space.varied if NETWORKS.match(key)]
    if absent:
        fitting = "game" if has_generator(cfg) else "q"
        if cfg.mode.name in config_files("hparams_search"):
            fitting = cfg.mode.name
        raise InputError(
            f"mode={cfg.mode.name} has no {', '.join(absent)}, which the search varies: "
            f"take hparams_search={fitting}, or another mode."
        )


def show_search(statuses: Mapping[int, JobStatus], varied: Collection[str], modes: Collection[str]) -> None:
    """Print the trials of a search by validation ACSA.

    Parameters
    ----------
    statuses : mapping of int to JobStatus
        Of the jobs that have ended; a trial's jobs have consecutive numbers.
    varied : collection of str
        The settings that distinguish the trials.
    modes : collection of str
        Modes that every trial runs; empty for a single one.
    """
    table = Table(
        title="Trials of the search", caption="mean ACSA on validation rows over replicas, in percent"
    )
    table.add_column("settings", overflow="fold")
    for name in [*modes, "mean"] if modes else ["validation ACSA"]:
        table.add_column(name, justify="right", no_wrap=True)
    each = max(1, len(modes))
    trials: dict[int, list[JobStatus]] = defaultdict(list)
    for job in sorted(statuses):
        trials[job // each].append(statuses[job])
    rows = []
    for jobs in trials.values():
        ended = [status.status for status in jobs]
        if len(jobs) < each or "failed" in ended:
            continue
        label = escape(job_label(jobs[0], set(varied) - {"mode"}))
        if "pruned" in ended:
            rows.append((-1.0, [label, "pruned"]))
            continue
        scores = [status.result().mean_selection_acsa or 0.0 for status in jobs]
        shown = [*scores, mean(scores)] if modes else scores
        rows.append((mean(scores), [label, *map(percent, shown)]))
    for _, row in sorted(rows, key=lambda row: row[0], reverse=True):
        table.add_row(*row)
    if rows:
        terminal().print(table)


def show_best(study: "Study", modes: Collection[str]) -> None:
    """Print the best settings of a search's whole study, trials of earlier starts included."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    complete = sum(trial.state == TrialState.COMPLETE for trial in trials)
    if complete:
        score = f"mean validation ACSA of {', '.join(modes)}" if modes else "validation ACSA"
        trials_text = count(complete, "trial")
        print(f"Best of {trials_text} of {study.study_name}, {score} {percent(study.best_value)}:")
        print(" ".join(f"{key}={value}" for key, value in study.best_params.items()))
    elif trials:
        print(f"No trial of {study.study_name} has a validation ACSA yet, so there are no best settings.")
