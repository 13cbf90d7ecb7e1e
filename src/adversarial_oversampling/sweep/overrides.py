"""Which jobs a multirun will have, as its overrides say."""

import hashlib
import json
import os
import re
import time

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig

from adversarial_oversampling.config import ELSEWHERE
from adversarial_oversampling.errors import InputError


def give_name(arguments: list[str]) -> None:
    """Name a multirun among its overrides, so that its jobs know it wherever they run.

    `sweep.name` is the same when the same sweep is started again; `sweep.id` is this start's own.
    """
    multirun = get_args_parser().parse_known_args(arguments[1:])[0].multirun
    if not multirun and "hydra.mode=MULTIRUN" not in arguments:
        return
    # Beside the other overrides: argparse takes them in one piece.
    places = [i for i, one in enumerate(arguments) if i and "=" in one and not one.startswith("-")]
    place = places[0] if places else len(arguments)
    # Where jobs run, and how many at once, makes no other sweep.
    told = sorted(arguments[i] for i in places if not ELSEWHERE.match(arguments[i]))
    name = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]
    started = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    arguments[place:place] = [f"sweep.name=sweep-{name}", f"sweep.id={started}"]


def is_search(config: DictConfig) -> bool:
    """Whether a multirun is a search over settings."""
    return "optuna" in config.hydra.sweeper._target_


def count_jobs(config: DictConfig) -> int:
    """How many jobs a multirun will have: its trials, or every combination of its choices."""
    if is_search(config):
        return int(config.hydra.sweeper.n_trials)
    return len(jobs_of(config))


def jobs_of(config: DictConfig) -> list[list[str]]:
    """The overrides of every job of a multirun that is no search."""
    return [job for batch in BasicSweeper.split_arguments(parsed(config), None) for job in batch]


def parsed(config: DictConfig) -> list[Override]:
    """The overrides of a multirun, with those of its sweeper."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    loader = GlobalHydra.instance().config_loader()
    return OverridesParser.create(loader).parse_overrides([*params, *config.hydra.overrides.task])


def check_choices(config: DictConfig) -> None:
    """Refuse a setting that one of the choices does not have before any job runs.

    Raises
    ------
    InputError
        Naming the choices and the setting.
    """
    if is_search(config):  # whose settings come later
        return
    loader = GlobalHydra.instance().config_loader()
    seen: set[str] = set()
    checked = False
    for overrides in jobs_of(config):
        choices = [one for one in overrides if one.partition("=")[0] in config.hydra.runtime.choices]
        if checked and seen.issuperset(choices):
            continue
        checked = True
        try:
            loader.load_sweep_config(config, overrides)
        except HydraException as error:
            problem = re.split(r"\nTo append|\nConfig search path", str(error))[0]
            apart = " ".join(one for one in choices if one not in seen)
            raise InputError(f"No job was started. {apart}: {problem}") from error
        seen |= set(choices)
