"""Checks of a configuration before any work begins."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.config.catalogue import check_descriptions, read_group_file
from adversarial_oversampling.config.compose import config_dir, config_files, default_config
from adversarial_oversampling.config.variants import given_key
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.limits import ANY_NUMBER, LIMITS, PLAYERS

# Sections that have the same keys whatever is chosen; "" is the top.
FIXED_SECTIONS = ("", "paths", "sweep", "players", *(f"players.{player}" for player in PLAYERS))
_ABSENT = object()


def check_overrides(arguments: Sequence[str]) -> None:
    """Refuse arguments for which Hydra would print a stack trace or which it would silently ignore.

    Parameters
    ----------
    arguments : sequence of str
        Of the command line.

    Raises
    ------
    InputError
        For a number as a group's choice, and for a single run with a setting that only sweeps have.
    """
    sweeps = {"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(arguments)
    groups = {folder.name for folder in Path(config_dir()).iterdir() if folder.is_dir()}
    for argument in arguments:
        group, _, choice = argument.partition("=")
        if group in ("launcher", "hparams_search") and choice not in ("basic", "null") and not sweeps:
            raise InputError(f"{argument}: only a sweep has a {group}; add -m.")
        if group == "launcher" and "," in choice:
            raise InputError(f"{argument}: a sweep has a single launcher; choose one of them.")
        numbers = [part for part in choice.split(",") if re.fullmatch(r"[-+.\d][-+.\deE]*", part)]
        if group in groups and numbers:
            is_ratio = group == "fs" and 0 < float(numbers[0]) <= 1
            number = f", or give any number as fs.ratio={numbers[0]}" if is_ratio else ""
            raise InputError(f"{argument}: choose one of {', '.join(config_files(group))}{number}.")


def check(cfg: DictConfig) -> None:
    """Check a composed configuration as far as that is possible without its table.

    Raises
    ------
    InputError
        If a setting is missing, unknown, out of range or at odds with another. The message names its key.
    """
    if missing := sorted(OmegaConf.missing_keys(cfg)):
        raise InputError(f"{', '.join(missing)}: not set; give each a value on the command line.")
    check_keys(cfg)
    for key, limit in LIMITS.items():
        value = OmegaConf.select(cfg, key, default=_ABSENT)
        if value is not _ABSENT:  # a mode without a generator has no weights, vanilla has no penalty
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
            raise InputError(_unknown(prefix, name, names))
        if name == "description":  # checked apart
            continue
        # A node that is null in the files, such as columns with their order, is free.
        below = [file[name] for file in known if isinstance(file.get(name), Mapping)]
        if OmegaConf.is_missing(node, name) or OmegaConf.is_interpolation(node, name):
            continue
        if isinstance(value := node.get(name), DictConfig):
            _check_section(value, below, f"{prefix}{name}.")


def _unknown(prefix: str, name: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {prefix}{nearest[0]}?" if nearest else "."
    return f"{prefix}{name}: there is no such setting{hint}"


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
            raise InputError(_unknown(prefix, name, list(map(str, known))))
    for group in ("dataset", "protocol", "fs", "gan_type", "mode"):
        folders = cfg.paths.config_dirs
        files = config_files(group, folders).values()
        _check_section(cfg[group], [read_group_file(file, group, folders) for file in files], f"{group}.")
    for name, logger in cfg.logger.items():
        if "_target_" not in logger:
            raise InputError(f"logger.{name}: logger={name} is not among the settings of this run; add it.")
