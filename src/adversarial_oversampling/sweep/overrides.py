"""The jobs of a multirun, from its overrides."""

import hashlib
import json
import os
import time

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.conf import HydraConf
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from adversarial_oversampling.config.compose import task_overrides
from adversarial_oversampling.config.identity import PLACEMENT
from adversarial_oversampling.text import slug

NAMED = ("dataset", "mode", "protocol")
LONGEST_NAME = 80


def name_sweep(arguments: list[str]) -> None:
    """Add the name and the id of a multirun to its overrides, which reach its jobs on every launcher.

    `sweep.name` is the same when the same sweep is started again; `sweep.id` differs. The name starts with
    the datasets, modes and protocols of the command.
    """
    options = get_args_parser().parse_known_args(arguments[1:])[0]
    if not options.multirun and "hydra.mode=MULTIRUN" not in options.overrides:
        return
    # Insert them next to the other overrides: argparse requires positional arguments to be contiguous.
    place = arguments.index(options.overrides[0], 1) if options.overrides else len(arguments)
    # The name does not depend on where jobs run or how many run at once.
    settings = sorted(override for override in options.overrides if not PLACEMENT.match(override))
    digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8]
    started = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    given = dict(override.partition("=")[::2] for override in settings)
    words = "_".join(slug(given[group].replace(",", "-")) for group in NAMED if group in given) or "sweep"
    arguments[place:place] = [f"sweep.name={words[:LONGEST_NAME]}_{digest}", f"sweep.id={started}"]


def is_search(hydra: DictConfig | HydraConf) -> bool:
    """Return whether a multirun with these settings of Hydra is a search over settings."""
    return "optuna" in hydra.sweeper._target_


def jobs_of(config: DictConfig) -> list[list[str]]:
    """Return the overrides of every job of a multirun that is not a search."""
    return [job for batch in BasicSweeper.split_arguments(parsed(config), None) for job in batch]


def parsed(config: DictConfig) -> list[Override]:
    """Return the overrides of a multirun, with those of its sweeper."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    loader = GlobalHydra.instance().config_loader()
    return OverridesParser.create(loader).parse_overrides([*params, *task_overrides(config.hydra)])
