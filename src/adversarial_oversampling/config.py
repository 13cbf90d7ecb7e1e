"""What the configuration means beyond its values: where it lies, its name, its hash, its checks."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pooch
from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.errors import InputError

# All that a result depends on. Where files lie and how a run is shown is left out.
RESULT_KEYS = (
    "dataset",
    "mode",
    "gan_type",
    "fs",
    "protocol",
    "players",
    "generated_rows",
    "schedule",
    "seed",
    "replicas",
    "trainer.max_epochs",
)
LOCATION_KEYS = ("data_dir", "cache_dir", "url")
FS_NAMES = {None: "natural", 0.25: "quarter", 0.5: "half", 0.75: "three_quarters", 1.0: "balanced"}


def config_dir() -> str:
    """Folder of the YAML files: beside the package when it is installed, else in the project."""
    installed = Path(__file__).parent / "conf"
    return str(installed if installed.is_dir() else Path(__file__).parents[2] / "conf")


def fs_name(ratio: float | None) -> str:
    """Name of an oversampling rate: that of a choice of the group `fs`, or the number itself."""
    return FS_NAMES.get(ratio, str(ratio))


def result_config(cfg: DictConfig) -> dict[str, Any]:
    """Resolve the part of the configuration that a result depends on."""
    resolved: dict[str, Any] = {}
    for key in RESULT_KEYS:
        value = OmegaConf.select(cfg, key)
        resolved[key] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    for key in LOCATION_KEYS:
        resolved["dataset"]["source"].pop(key, None)
    return resolved


def config_hash(cfg: DictConfig) -> str:
    """Ten hexadecimal digits that are the same for the same `result_config`."""
    text = json.dumps(result_config(cfg), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def run_name(cfg: DictConfig) -> str:
    """A readable folder name that no other configuration has."""
    parts = [cfg.mode.name, cfg.gan_type.name, f"fs_{cfg.fs.name}", cfg.protocol.name, f"seed{cfg.seed}"]
    return f"{cfg.dataset.name}/{'-'.join(parts)}-{config_hash(cfg)}"


def register_resolvers() -> None:
    """Make `${fs_name:...}`, `${run_name:}` and `${user_cache:}` known to the YAML files."""
    OmegaConf.register_new_resolver("fs_name", fs_name, replace=True)
    OmegaConf.register_new_resolver("run_name", lambda *, _root_: run_name(_root_), replace=True)
    OmegaConf.register_new_resolver(
        "user_cache", lambda: str(pooch.os_cache("adversarial-oversampling")), replace=True
    )


def check_overrides(arguments: Sequence[str]) -> None:
    """Refuse a number as a group's choice, which Hydra answers with a stack trace.

    Raises
    ------
    InputError
        Naming the group and its choices.
    """
    groups = {folder.name: folder for folder in Path(config_dir()).iterdir() if folder.is_dir()}
    for argument in arguments:
        group, _, choice = argument.partition("=")
        if group in groups and re.fullmatch(r"[-+.\d][-+.\deE,]*", choice):
            choices = ", ".join(sorted(file.stem for file in groups[group].glob("*.yaml")))
            number = f", or give any number as fs.ratio={choice}" if group == "fs" else ""
            raise InputError(f"{argument}: choose one of {choices}{number}.")


def check(cfg: DictConfig) -> None:
    """Refuse values that no later step would name as clearly.

    Raises
    ------
    InputError
        Naming the key.
    """
    if missing := sorted(OmegaConf.missing_keys(cfg)):
        raise InputError(f"{', '.join(missing)}: not set; give each a value on the command line.")
    for key, least in {
        "seed": 0,
        "replicas": 1,
        "threads": 1,
        "trainer.max_epochs": 1,
        "trainer.checkpoint_every": 1,
        "dataset.training.batch_size": 1,
        "players.generator.latent": 1,
        "players.generator.width": 1,
        "players.discriminator.width": 1,
        "players.classifier.width": 1,
    }.items():
        value = OmegaConf.select(cfg, key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InputError(f"{key}={value}: give a whole number of at least {least}.")
    for player, depth in {"discriminator": 2, "generator": 2, "classifier": 1}.items():
        layers = cfg.players[player].layers
        if not isinstance(layers, int) or layers < depth:
            raise InputError(f"players.{player}.layers={layers}: give a whole number of at least {depth}.")
