"""What identifies a configuration: the hash of all that shapes a result, and the names made from it."""

import hashlib
import json
import re
import sysconfig
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.text import is_file_name, slug, user_path

# All that a result depends on. Where files lie and how a run is shown or placed is left out.
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
    "members",
    "trainer",
)
LOCATION_KEYS = ("data_dir", "cache_dir", "url", "path")
DISPLAY_KEYS = (
    "_target_",
    "accelerator",
    "checkpoint_seconds",
    "detect_anomaly",
    "deterministic",
    "devices",
    "enable_progress_bar",
    "profiler",
)
LATER_SETTINGS: dict[str, tuple[Any, ...]] = {
    "trainer.matmul_precision": ("highest",),
    "dataset.group": (None,),
    "dataset.source.group": (None,),
    "dataset.columns.keep_na": ([], None),
    "dataset.source.columns.keep_na": ([], None),
}
"""Settings that older results lack, and the values with which their hash is the same as without them."""
PLACE_KEYS = ("threads", "trainer.accelerator", "trainer.devices", "trainer.deterministic")
"""Settings that are no part of the hash but may change the last digits of a result."""
PLACEMENT = re.compile(r"\+*(launcher=|sweep\.|paths\.|logger|hydra\.)")
"""Overrides that set where jobs run and what they log. Jobs that differ only in these are the same job."""
FS_NAMES = {None: "natural", 0.25: "quarter", 0.5: "half", 0.75: "three_quarters", 1.0: "balanced"}
_OURS = "adversarial_oversampling."


def fs_name(ratio: float | None) -> str:
    """Return the name of an oversampling rate: that of a choice of the group `fs`, or the number itself."""
    return FS_NAMES.get(ratio, str(ratio))


def has_generator(cfg: DictConfig) -> bool:
    """Return whether the mode has a G and a D."""
    return OmegaConf.select(cfg, "mode.rules.generator_term") is not None


def result_config(cfg: DictConfig) -> dict[str, Any]:
    """Return the part of the configuration that a result depends on, resolved.

    A class of this package is identified by its name without the module, so that moving it changes no hash.
    """
    resolved: dict[str, Any] = {}
    for key in RESULT_KEYS:
        value = OmegaConf.select(cfg, key)
        resolved[key] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    source, path = resolved["dataset"]["source"], None
    if isinstance(source.get("path"), str):
        path = user_path(source["path"])
    for key in LOCATION_KEYS:
        source.pop(key, None)
        resolved["dataset"].pop(key, None)
    pinned = source.pop("sha256", None)
    if path is not None:
        # The published tables cannot change; a file of the user's can, and then it is another table.
        source["file"] = pinned or file_digest(path) or str(path)
    for key in DISPLAY_KEYS:
        resolved["trainer"].pop(key, None)
    for key, as_absent in LATER_SETTINGS.items():
        *sections, name = key.split(".")
        section: Any = resolved
        for part in sections:
            section = (section or {}).get(part)
        if section and name in section and section[name] in as_absent:
            del section[name]
    resolved["mode"].get("estimator", {}).pop("n_jobs", None)
    for described in (resolved["mode"], resolved["dataset"]):
        described.pop("description", None)
    resolved["mode"].pop("settings_compared", None)
    resolved["dataset"]["training"].pop("settings_compared", None)
    if isinstance(resolved["fs"]["ratio"], int):
        resolved["fs"]["ratio"] = float(resolved["fs"]["ratio"])
    if not has_generator(cfg):  # the settings of G and D have no effect
        del resolved["gan_type"], resolved["generated_rows"]
        del resolved["players"]["discriminator"], resolved["players"]["generator"]
    classes_by_name: dict[str, Any] = _classes_by_name(resolved)
    return classes_by_name


def file_digest(path: Path) -> str | None:
    """Return the SHA-256 of a file, or None if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def pin_file(cfg: DictConfig) -> None:
    """Fix the content of the user's file in a configuration.

    A file that is edited while its run trains then changes neither the run's hash nor its result, and one
    that is edited before it has been read is refused.
    """
    source = cfg.dataset.source
    if "sha256" in source and source.sha256 is None and source.get("path"):
        source.sha256 = file_digest(user_path(str(source.path)))


def _classes_by_name(node: Any) -> Any:
    """Return a node with each `_target_` replaced by `class`.

    Classes of this package lose their module. Those in a file of the user's come with its digest
    (`code_sha256`): like a table, it can change.
    """
    if isinstance(node, list):
        return [_classes_by_name(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {
        key: _classes_by_name(value)
        for key, value in node.items()
        if not key.startswith("_") or key == "_args_"
    }
    if "_target_" in node:
        target = str(node["_target_"])
        plain["class"] = target.rpartition(".")[2] if target.startswith(_OURS) else target
        if code := own_code(target):
            plain["code_sha256"] = code
    return plain


@cache
def own_code(target: str) -> str | None:
    """Return the SHA-256 of the file of a class or function, or None if it is an installed package's.

    Nothing is imported. The digest is that of the first call in this process: later edits do not reach a
    module that has been imported.

    Parameters
    ----------
    target : str
        Its full name.
    """
    package, *names = target.split(".")
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # such as __main__ in a notebook
        return None
    while spec is not None and spec.submodule_search_locations and names:
        below = PathFinder.find_spec(names.pop(0), list(spec.submodule_search_locations))
        if below is None:
            break
        spec = below
    if spec is None or spec.origin is None or not spec.has_location or package == _OURS[:-1]:
        return None
    file = Path(spec.origin)
    is_installed = {"site-packages", "dist-packages"} & set(file.parts)
    return None if is_installed or file.is_relative_to(sysconfig.get_path("stdlib")) else file_digest(file)


def config_hash(cfg: DictConfig) -> str:
    """Return ten hexadecimal digits that are the same for the same `result_config`."""
    text = json.dumps(result_config(cfg), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def run_name(cfg: DictConfig) -> str:
    """Return a readable folder name that no other configuration has."""
    parts = [cfg.mode.name, f"fs_{cfg.fs.name}", cfg.protocol.name, f"seed{cfg.seed}", config_hash(cfg)]
    if has_generator(cfg):
        parts.insert(1, cfg.gan_type.name)
    return f"{_folder(cfg)}/{'-'.join(parts)}"


def _folder(cfg: DictConfig) -> str:
    """Return the dataset's name as that of a folder: Hydra makes it before a name such as ../x is refused."""
    name = str(cfg.dataset.name)
    return name if is_file_name(name) else slug(name).strip(".-") or "table"


def study_name(cfg: DictConfig) -> str:
    """Return a name that searches share only if they search the same settings, with all others equal."""
    overrides = [override for override in cfg.hydra.overrides.task if not PLACEMENT.match(override)]
    space = OmegaConf.to_container(cfg.hydra.sweeper.params, resolve=True) if cfg.hydra.sweeper.params else {}
    text = json.dumps([result_config(cfg), space, sorted(overrides)], sort_keys=True)
    # Every trial may run several modes, which are not in the configuration that a sweep starts with.
    given = [override.removeprefix("mode=") for override in overrides if override.startswith("mode=")]
    modes = re.findall(r"\w+", given[-1].removeprefix("choice")) if given else [cfg.mode.name]
    name = f"{_folder(cfg)}-{'+'.join(modes)}-{cfg.protocol.name}"
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
