"""Resolvers: the functions that the YAML files call, such as `${run_name:}`."""

import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pooch
from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.config.catalogue import ORIGINS, modes
from adversarial_oversampling.config.identity import fs_name, run_name, study_name
from adversarial_oversampling.config.resources import cpus_per_job, gpus_per_job, jobs_at_once
from adversarial_oversampling.config.variants import tags
from adversarial_oversampling.text import table_name, user_path


def mode_help() -> str:
    """Return a line of help for every mode of the suite, by origin."""
    described = modes()
    width = max(map(len, described))
    lines = []
    for origin, words in ORIGINS.items():
        lines.append(f"  {words}:")
        lines += [
            textwrap.fill(f"    {name:{width}}  {mode.help}", width=110, subsequent_indent=" " * (width + 6))
            for name, mode in described.items()
            if mode.origin == origin
        ]
    return "\n".join(lines)


def register() -> None:
    """Register the resolvers with OmegaConf."""
    plain: dict[str, Callable[..., Any]] = {
        "fs_name": fs_name,
        "absolute": lambda path, base: str(Path(base, user_path(str(path)))),
        "expanded": lambda path: str(user_path(str(path))),
        "mode_help": mode_help,
        "table_name": table_name,
        "user_cache": lambda: str(pooch.os_cache("adversarial-oversampling")),
    }
    for name, function in plain.items():
        OmegaConf.register_new_resolver(name, function, replace=True)
    for function in (run_name, tags, study_name, cpus_per_job, gpus_per_job, jobs_at_once):
        OmegaConf.register_new_resolver(function.__name__, partial(_with_root, function), replace=True)


def _with_root(function: Callable[[DictConfig], Any], *, _root_: DictConfig) -> Any:
    return function(_root_)
