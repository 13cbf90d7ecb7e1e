"""Checks of a configuration before any work begins."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from adversarial_oversampling.config.catalogue import check_descriptions, read_group_file
from adversarial_oversampling.config.compose import (
    added_folders,
    config_dir,
    config_files,
    default_config,
    task_overrides,
)
from adversarial_oversampling.config.variants import given_key
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.guard import explanation
from adversarial_oversampling.limits import ANY_NUMBER, LIMITS, PLAYERS
from adversarial_oversampling.text import no_such_setting

# Sections that have the same keys whatever is chosen; "" is the top.
FIXED_SECTIONS = ("", "paths", "sweep", "players", *(f"players.{player}" for player in PLAYERS))
GROUPS = ("dataset", "protocol", "fs", "gan_type", "mode", "trainer")
"""Groups whose sections have the keys that all of their files have, and those that some have."""
OPTIONAL_GROUPS = ("recipe", "hparams_search", "ablation", "experiment", "debug")
_ABSENT = object()
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.I)


def _group_names() -> set[str]:
    return {folder.name for folder in Path(config_dir()).iterdir() if folder.is_dir()}


def check_overrides(arguments: Sequence[str]) -> None:
    """Refuse arguments for which Hydra would print a stack trace or which it would silently ignore.

    Parameters
    ----------
    arguments : sequence of str
        Of the command line.

    Raises
    ------
    InputError
        For an argument that sets nothing, a group without a choice or with a number for one, and a single run
        with a setting that only sweeps have.
    """
    sweeps = {"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(arguments)
    groups = _group_names()
    for argument in arguments:
        key, _, choice = argument.partition("=")
        group = key.lstrip("~+")
        if argument.startswith("="):
            raise InputError(f"{argument}: give the name of a setting before the equals sign.")
        if group in groups - {*OPTIONAL_GROUPS} and (key != group or choice == "null"):
            if key.startswith("+"):
                raise InputError(f"{argument}: a choice replaces another one; give {group}={choice}.")
            names = ", ".join(config_files(group))
            raise InputError(f"{argument}: a run needs a {group}; choose one of {names}.")
        if group in ("launcher", "hparams_search") and choice not in ("basic", "null") and not sweeps:
            raise InputError(f"{argument}: only a sweep has a {group}; add -m.")
        if group == "launcher" and "," in choice:
            raise InputError(f"{argument}: a sweep has a single launcher; choose one of them.")
        numbers = [part for part in choice.split(",") if _NUMBER.fullmatch(part)]
        if group in groups and numbers:
            is_ratio = group == "fs" and 0 < float(numbers[0]) <= 1
            number = f", or give any number as fs.ratio={numbers[0]}" if is_ratio else ""
            raise InputError(f"{argument}: choose one of {', '.join(config_files(group))}{number}.")


def check_options(arguments: Sequence[str]) -> None:
    """Refuse unknown options, a folder of configurations that is none or has a broken file, and pickled jobs.

    Parameters
    ----------
    arguments : sequence of str
        Of the command line.

    Raises
    ------
    InputError
        The message names the option, the folder or the file.
    """
    options, unknown = get_args_parser().parse_known_intermixed_args(list(arguments))
    if unknown:
        setting = _without_dashes(unknown[0], arguments)
        raise InputError(f"{unknown[0]}: no such option; settings have no dashes: {setting}.")
    if options.experimental_rerun is not None:
        raise InputError("--experimental-rerun: not supported; the command of a run resumes it.")
    folder = options.config_dir
    if folder is None:
        return
    if not Path(folder).is_dir():
        raise InputError(
            f"--config-dir {folder}: no such folder; give one with the folders of groups, such as mode/."
        )
    for group in sorted(_group_names()):
        for file in sorted(Path(folder, group).glob("**/*.yaml")):
            read_group_file(file, file.parent.relative_to(folder).as_posix(), [folder])


def _without_dashes(option: str, arguments: Sequence[str]) -> str:
    """Return the setting that an unknown option stands for; its value may be the argument after it."""
    name, _, value = option.lstrip("-").partition("=")
    following = next((after for before, after in pairwise(arguments) if before == option), "")
    if not value and not following.startswith("-") and "=" not in following:
        value = following
    return f"{name}={value or 'VALUE'}"


def check_choices(hydra: DictConfig) -> None:
    """Refuse a recipe that does not exist; Hydra leaves it out, since not every dataset and mode have one.

    Parameters
    ----------
    hydra : DictConfig
        Hydra's own settings, after composing.

    Raises
    ------
    InputError
        If the command names a recipe for which there is no file.
    """
    choice = hydra.runtime.choices.get("recipe")
    if choice is None or not any(item.startswith("recipe=") for item in task_overrides(hydra)):
        return
    folders = (config_dir(), *added_folders(hydra))
    if not any(Path(folder, "recipe", f"{choice}.yaml").is_file() for folder in folders):
        known = {
            str(file.relative_to(Path(folder, "recipe")).with_suffix(""))
            for folder in folders
            for file in Path(folder, "recipe").glob("**/*.yaml")
        }
        raise InputError(f"recipe={choice}: choose one of {', '.join(sorted(known))}.")


def check_sections(cfg: DictConfig) -> None:
    """Refuse a configuration that lacks a section, or a setting that every choice of a group has.

    Raises
    ------
    InputError
        The message names the key.
    """
    default = default_config()
    for section in FIXED_SECTIONS:
        _check_present(cfg, section, OmegaConf.select(default, section) if section else default)
    for group in GROUPS:
        files = [read_group_file(file, group, ()) for file in config_files(group).values()]
        _check_present(cfg, group, set.intersection(*map(set, files)) - {"defaults", "description"})
    _check_present(cfg, "logger", ())
    _check_present(cfg, "schedule", ("_target_",))


def _check_present(cfg: DictConfig, section: str, names: Iterable[object]) -> None:
    node = OmegaConf.select(cfg, section, throw_on_resolution_failure=False) if section else cfg
    if not isinstance(node, DictConfig):
        raise InputError(
            f"{section}={node}: this is a section with settings; set those, as in {section}.KEY=VALUE."
        )
    for name in map(str, names):
        if name not in node:
            raise InputError(f"{section}{'.' * bool(section)}{name}: missing; a run needs this setting.")


def _check_values(node: DictConfig | ListConfig) -> None:
    for key in list(node) if isinstance(node, DictConfig) else range(len(node)):
        if OmegaConf.is_missing(node, key):
            continue
        try:
            value = node[key]
        except (OmegaConfBaseException, RecursionError) as error:
            name, problem = str(node._get_full_key(key)), explanation(error) or ""
            raise InputError(problem if problem.startswith(name) else f"{name}: {problem}") from error
        if isinstance(value, DictConfig | ListConfig) and not OmegaConf.is_interpolation(node, key):
            _check_values(value)


def check(cfg: DictConfig) -> None:
    """Check a composed configuration as far as that is possible without its table.

    Raises
    ------
    InputError
        If a setting is missing, unknown, out of range or at odds with another. The message names its key.
    """
    check_sections(cfg)
    check_keys(cfg)
    _check_values(cfg)
    if missing := sorted(OmegaConf.missing_keys(cfg)):
        raise InputError(f"{', '.join(missing)}: not set; give each a value on the command line.")
    for key, limit in LIMITS.items():
        value = OmegaConf.select(cfg, key, default=_ABSENT)
        if value is not _ABSENT:  # a mode without a generator has no weights, vanilla has no penalty
            try:
                limit.check(key, value)
            except InputError:
                limit.check(given_key(cfg, key), value)
    for name, value in cfg.mode.get("estimator", {}).items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            ANY_NUMBER[type(value)].check(f"mode.estimator.{name}", value)
    check_descriptions(cfg)
    if "estimator" in cfg.mode and cfg.fs.ratio is not None:
        raise InputError(
            f"fs.ratio={cfg.fs.ratio}: the rows of mode={cfg.mode.name} are not oversampled; use fs=natural."
        )
    if "estimator" in cfg.mode and cfg.members > 1:
        raise InputError(f"members={cfg.members}: mode={cfg.mode.name} has no players to average; give 1.")
    if "estimator" in cfg.mode and "rules" in cfg.mode:
        raise InputError(
            f"mode.rules: mode={cfg.mode.name} plays no game; leave the setting or ablation out."
        )
    if (cfg.protocol.name == "cv") != (cfg.protocol.folds is not None):
        raise InputError(
            f"protocol.folds={cfg.protocol.folds}: give a number for protocol=cv, null for other protocols."
        )
    if cfg.trainer.get("check_val_every_n_epoch", 1) != 1:
        raise InputError("trainer.check_val_every_n_epoch: every epoch has to be validated; leave it out.")


def _check_section(node: DictConfig, known: Sequence[Mapping[str, Any]], prefix: str) -> None:
    """Refuse a key of a section that none of its files has.

    What is beside a `_target_` goes to a class, which refuses what it does not know.
    """
    if "_target_" in node or not known:
        return
    names = {str(name) for file in known for name in file}
    for name in map(str, node):
        if name not in names:
            raise InputError(no_such_setting(f"{prefix}{name}", names, _everything(node)))
        if name == "description":  # checked apart
            continue
        # A node that is null in the files, such as columns with their order, is free.
        below = [file[name] for file in known if isinstance(file.get(name), Mapping)]
        if OmegaConf.is_missing(node, name) or OmegaConf.is_interpolation(node, name):
            continue
        value = node.get(name)
        if isinstance(value, DictConfig):
            _check_section(value, below, f"{prefix}{name}.")
        elif below and len(below) == sum(name in file for file in known):
            raise InputError(f"{prefix}{name}={value}: this is a section with settings; set those.")


def _everything(node: DictConfig) -> Any:
    """Return the whole configuration that a section belongs to as nested dicts, unresolved."""
    return OmegaConf.to_container(node._get_root())


def check_keys(cfg: DictConfig) -> None:
    """Refuse a setting that nothing would read, such as a misspelt one after a plus.

    Raises
    ------
    InputError
        If a key is unknown. The message names it and the nearest known one.
    """
    default = default_config()
    for section in FIXED_SECTIONS:
        composed, known = (OmegaConf.select(node, section) if section else node for node in (cfg, default))
        prefix = f"{section}." if section else ""
        for name in sorted(map(str, composed.keys() - known.keys())):
            raise InputError(no_such_setting(f"{prefix}{name}", known, _everything(cfg)))
    for group in ("dataset", "protocol", "fs", "gan_type", "mode"):
        folders = cfg.paths.config_dirs
        files = config_files(group, folders).values()
        _check_section(cfg[group], [read_group_file(file, group, folders) for file in files], f"{group}.")
    for name, logger in cfg.logger.items():
        if not isinstance(logger, DictConfig) or "_target_" not in logger:
            raise InputError(f"logger.{name}: logger={name} is not among the settings of this run; add it.")
