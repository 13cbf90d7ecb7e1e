"""How a run differs from the default settings of its mode, dataset and protocol."""

import copy
import re
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.config.catalogue import is_of_suite
from adversarial_oversampling.config.compose import config_files, default_config
from adversarial_oversampling.config.identity import has_generator, result_config

DEFAULT_SETTINGS_TAG = "default_settings"

# Stated beside every result, or (`fs`) handled apart.
_STATED_ELSEWHERE = (
    "fs",
    "seed",
    "replicas",
    "trainer.max_epochs",
    "trainer.random_numbers",
    "dataset.name",
    "dataset.source",
    "dataset.path",
    "dataset.target",
    "dataset.group",
    "dataset.separator",
    "dataset.decimal",
    "dataset.columns",
)
_ABSENT = object()


def variant(cfg: DictConfig) -> list[str]:
    """Return every setting that is not the default of the run's mode, dataset and protocol, as `key=value`.

    The number of epochs, the replicas and the seed are not listed, since every result states them, nor is the
    device that draws random numbers. The report's tables of modes contain only runs with an empty list.
    """
    folders = tuple(cfg.paths.config_dirs)
    choices = {group: str(cfg[group].name) for group in ("dataset", "mode", "protocol")}
    for group in ("mode", "protocol"):
        if choices[group] not in config_files(group, folders):
            return [f"{group}={choices[group]}"]
    if choices["dataset"] not in config_files("dataset", folders):
        choices["dataset"] = "table"
    usual = _defaults(choices, folders)
    if usual.dataset.source._target_ != cfg.dataset.source._target_:
        choices["dataset"] = "table"  # a user's file may have any name, also that of a published table
        usual = _defaults(choices, folders)
    listed = []
    if cfg.fs.name != usual.fs.name:
        listed.append(f"fs={cfg.fs.name}")
    if has_generator(cfg) and cfg.gan_type.name != usual.gan_type.name:
        listed.append(f"gan_type={cfg.gan_type.name}")
        if cfg.gan_type.name not in config_files("gan_type", folders):
            return listed
        usual = _defaults({**choices, "gan_type": cfg.gan_type.name}, folders)
    return listed + _differences(cfg, usual)


def _defaults(choices: Mapping[str, str], folders: tuple[str, ...]) -> DictConfig:
    return default_config(tuple(f"{group}={name}" for group, name in choices.items()), folders)


def _differences(cfg: DictConfig, usual: DictConfig) -> list[str]:
    usual = copy.deepcopy(usual)
    for key in _STATED_ELSEWHERE:
        if (value := OmegaConf.select(cfg, key, default=_ABSENT)) is not _ABSENT:
            OmegaConf.update(usual, key, value, merge=False, force_add=True)
    ours, defaults = _flat(result_config(cfg)), _flat(result_config(usual))
    different = [key for key in sorted(ours.keys() | defaults.keys()) if ours.get(key) != defaults.get(key)]
    # A setting that only follows another one is stated by that one, and code by its class.
    return [
        f"{key}={_value_text(ours.get(key))}"
        for key in different
        if not _is_interpolation(cfg, key) and not key.endswith(".code_sha256")
    ]


def _is_interpolation(cfg: DictConfig, key: str) -> bool:
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent)
    return isinstance(node, DictConfig) and name in node and OmegaConf.is_interpolation(node, name)


def given_key(cfg: DictConfig, key: str) -> str:
    """Return the setting that a key takes its value from, as `${...}` says; the key if it has its own."""
    while True:
        parent, _, name = key.rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
        raw = OmegaConf.to_container(node, resolve=False)
        source = re.fullmatch(r"\$\{([\w.]+)\}", str(raw.get(name))) if isinstance(raw, dict) else None
        if source is None:
            return key
        key = source[1]


def _value_text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def tags(cfg: DictConfig) -> list[str]:
    """Return the tags that a dashboard filters runs by."""
    game = [cfg.gan_type.name] if has_generator(cfg) else []
    dataset = str(cfg.dataset.name)
    if dataset in config_files("dataset") and not is_of_suite(dataset, cfg.dataset.source):
        dataset += " (own table)"  # no view of the suite's table shows it
    names = [
        dataset,
        cfg.mode.name,
        cfg.protocol.name,
        f"fs_{cfg.fs.name}",
        *game,
        f"{cfg.trainer.max_epochs}_epochs",
        *([] if variant(cfg) else [DEFAULT_SETTINGS_TAG]),
    ]
    return [name[:64] for name in names]  # W&B allows no longer ones
