"""The jobs of a multirun, from its overrides."""

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

from adversarial_oversampling.config.identity import PLACEMENT
from adversarial_oversampling.errors import InputError


def name_sweep(arguments: list[str]) -> None:
    """Add the name and the id of a multirun to its overrides, which reach its jobs on every launcher.

    `sweep.name` is the same when the same sweep is started again; `sweep.id` differs.
    """
    options = get_args_parser().parse_known_args(arguments[1:])[0]
    if not options.multirun and "hydra.mode=MULTIRUN" not in options.overrides:
        return
    # Insert them next to the other overrides: argparse requires positional arguments to be contiguous.
    place = arguments.index(options.overrides[0], 1) if options.overrides else len(arguments)
    # The name does not depend on where jobs run or how many run at once.
    settings = sorted(override for override in options.overrides if not PLACEMENT.match(override))
    name = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8]
    started = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    arguments[place:place] = [f"sweep.name=sweep-{name}", f"sweep.id={started}"]


def is_search(config: DictConfig) -> bool:
    """Return whether a multirun is a search over settings."""
    return "optuna" in config.hydra.sweeper._target_


def count_jobs(config: DictConfig) -> int:
    """Return the number of jobs of a multirun: its trials, or every combination of its choices."""
    if is_search(config):
        return int(config.hydra.sweeper.n_trials)
    return len(jobs_of(config))


def jobs_of(config: DictConfig) -> list[list[str]]:
    """Return the overrides of every job of a multirun that is not a search."""
    return [job for batch in BasicSweeper.split_arguments(parsed(config), None) for job in batch]


def parsed(config: DictConfig) -> list[Override]:
    """Return the overrides of a multirun, with those of its sweeper."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    loader = GlobalHydra.instance().config_loader()
    return OverridesParser.create(loader).parse_overrides([*params, *config.hydra.overrides.task])


def check_choices(config: DictConfig) -> None:
    """Refuse, before any job runs, a setting that one of the choices does not have.

    Raises
    ------
    InputError
        If a choice does not have a setting. The message names both.
    """
    if is_search(config):  # its settings are drawn later
        return
    loader = GlobalHydra.instance().config_loader()
    seen: set[str] = set()
    checked = False
    for overrides in jobs_of(config):
        choices = [item for item in overrides if item.partition("=")[0] in config.hydra.runtime.choices]
        if checked and seen.issuperset(choices):
            continue
        checked = True
        try:
            loader.load_sweep_config(config, overrides)
        except HydraException as error:
            problem = re.split(r"\nTo append|\nConfig search path", str(error))[0]
            new_choices = " ".join(item for item in choices if item not in seen)
            raise InputError(f"No job was started. {new_choices}: {problem}") from error
        seen |= set(choices)
