"""What the configuration means beyond its values: where it lies, its name, its hash, its checks."""

import copy
import difflib
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pooch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.errors import InputError

PLAYERS = ("discriminator", "generator", "classifier")

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
    "trainer",
)
LOCATION_KEYS = ("data_dir", "cache_dir", "url", "path")
DISPLAY_KEYS = (
    "_target_",
    "accelerator",
    "checkpoint_every",
    "detect_anomaly",
    "deterministic",
    "devices",
    "enable_progress_bar",
    "profiler",
)
# What every result says in words of its own, and what names the user's table.
TOLD_ELSEWHERE = (
    "fs",
    "seed",
    "replicas",
    "trainer.max_epochs",
    "dataset.name",
    "dataset.source",
    "dataset.preprocessing.n_selected",
)
COMBINATION = "a combination that is not in the paper"
OVERSAMPLING_MODES = ("do", "both_fool")  # to balance, unless fs says otherwise
# Overrides that say where jobs run and what they tell, and make no other job.
ELSEWHERE = re.compile(r"\+*(launcher=|sweep\.|paths\.|logger|hydra\.)")
FS_NAMES = {None: "natural", 0.25: "quarter", 0.5: "half", 0.75: "three_quarters", 1.0: "balanced"}


def config_dir() -> str:
    """Folder of the YAML files: beside the package when it is installed, else in the project."""
    installed = Path(__file__).parents[1] / "conf"
    return str(installed if installed.is_dir() else Path(__file__).parents[3] / "conf")


def fs_name(ratio: float | None) -> str:
    """Name of an oversampling rate: that of a choice of the group `fs`, or the number itself."""
    return FS_NAMES.get(ratio, str(ratio))


def has_generator(cfg: DictConfig) -> bool:
    """Whether G and D play in this mode."""
    return OmegaConf.select(cfg, "mode.rules.generator_term") is not None


def variants(cfg: DictConfig) -> list[str]:
    """What sets a run apart from the paper's cell of its mode and dataset; empty for the cell itself.

    First what is known to matter, in words, then every other setting that is not the suite's default.
    The number of epochs, replicas and the seed are told beside every result and are not listed.
    """
    found = []
    if cfg.mode.name.startswith("both_"):
        found.append(COMBINATION)
    if cfg.mode.name not in OVERSAMPLING_MODES and cfg.fs.ratio is not None:
        found.append(f"fs={cfg.fs.name}, where the paper does not oversample")
    if cfg.dataset.preprocessing.n_selected is not None:
        found.append(f"{cfg.dataset.preprocessing.n_selected} selected columns")
    usual = "least_squares" if cfg.mode.name == "gamo" else "wgan_gp"
    if has_generator(cfg) and cfg.gan_type.name != usual:
        found.append(f"gan_type={cfg.gan_type.name}, where the method has {usual}")
    return found + changed_settings(cfg)


def compose_train(overrides: Sequence[str]) -> DictConfig:
    """Compose the configuration of `train` anew, also inside an application of Hydra's."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().hydra = None
    try:
        with initialize_config_dir(config_dir(), version_base="1.3"):
            return compose("train", overrides=list(overrides))
    finally:
        GlobalHydra.instance().hydra = outer  # Hydra has put another instance there


@cache
def default_config(*choices: str) -> DictConfig:
    """All settings as the suite has them, for some choices of groups; a copy may be changed."""
    return compose_train(choices)


def changed_settings(cfg: DictConfig) -> list[str]:
    """Settings that are not the default of this dataset, mode, game and protocol, as `key=value`."""
    choices = {group: cfg[group].name for group in ("dataset", "mode", "gan_type", "protocol")}
    known = {group: {f.stem for f in Path(config_dir(), group).glob("*.yaml")} for group in choices}
    if choices["dataset"] not in known["dataset"]:
        choices["dataset"] = "csv"  # whose name is the user's
    strange = [f"{group}={name}" for group, name in choices.items() if name not in known[group]]
    if strange:
        return [f"{choice}, which is not the suite's" for choice in strange]
    default = copy.deepcopy(default_config(*(f"{group}={name}" for group, name in choices.items())))
    for key in TOLD_ELSEWHERE:
        OmegaConf.update(default, key, OmegaConf.select(cfg, key), merge=False)
    ours, usual = (_flat(result_config(one)) for one in (cfg, default))
    different = [key for key in sorted(ours.keys() | usual.keys()) if ours.get(key) != usual.get(key)]
    # A setting that only follows another is told by that one.
    return [f"{key}={_shown(ours.get(key))}" for key in different if not _follows(cfg, key)]


def _follows(cfg: DictConfig, key: str) -> bool:
    above, _, last = key.rpartition(".")
    node = OmegaConf.select(cfg, above)
    return isinstance(node, DictConfig) and last in node and OmegaConf.is_interpolation(node, last)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def result_config(cfg: DictConfig) -> dict[str, Any]:
    """Resolve the part of the configuration that a result depends on."""
    resolved: dict[str, Any] = {}
    for key in RESULT_KEYS:
        value = OmegaConf.select(cfg, key)
        resolved[key] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    source, path = resolved["dataset"]["source"], None
    if isinstance(source.get("path"), str):
        path = Path(source["path"]).expanduser()
    for key in LOCATION_KEYS:
        source.pop(key, None)
    if path is not None:
        # The published tables cannot change; a file of the user's can, and then it is another table.
        source["file"] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else str(path)
    for key in DISPLAY_KEYS:
        resolved["trainer"].pop(key, None)
    resolved["mode"].get("estimator", {}).pop("n_jobs", None)
    resolved["mode"].pop("settings_compared", None)
    resolved["dataset"]["training"].pop("settings_compared", None)
    if isinstance(resolved["fs"]["ratio"], int):
        resolved["fs"]["ratio"] = float(resolved["fs"]["ratio"])
    if not has_generator(cfg):  # the same result whatever the game
        del resolved["gan_type"], resolved["generated_rows"]
        del resolved["players"]["discriminator"], resolved["players"]["generator"]
    return resolved


def config_hash(cfg: DictConfig) -> str:
    """Ten hexadecimal digits that are the same for the same `result_config`."""
    text = json.dumps(result_config(cfg), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def run_name(cfg: DictConfig) -> str:
    """A readable folder name that no other configuration has."""
    parts = [cfg.mode.name, f"fs_{cfg.fs.name}", cfg.protocol.name, f"seed{cfg.seed}", config_hash(cfg)]
    if has_generator(cfg):
        parts.insert(1, cfg.gan_type.name)
    return f"{cfg.dataset.name}/{'-'.join(parts)}"


def tags(cfg: DictConfig) -> list[str]:
    """What a dashboard may filter runs by."""
    game = [cfg.gan_type.name] if has_generator(cfg) else []
    columns = cfg.dataset.preprocessing.n_selected
    dataset = cfg.dataset.name if columns is None else f"{cfg.dataset.name}_{columns}_columns"
    epochs = f"{cfg.trainer.max_epochs}_epochs"
    own = ["own_settings"] if has_own_settings(cfg) else []
    found = [dataset, cfg.mode.name, cfg.protocol.name, f"fs_{cfg.fs.name}", *game, epochs, *own]
    return [tag[:64] for tag in found]  # W&B takes no longer ones


def has_own_settings(cfg: DictConfig) -> bool:
    """Whether mode and dataset are played as the suite has them, whatever the seed and the epochs."""
    selected = f"{cfg.dataset.preprocessing.n_selected} selected columns"  # which is another dataset
    balances = cfg.mode.name not in OVERSAMPLING_MODES or cfg.fs.ratio == 1.0
    return balances and not set(variants(cfg)) - {COMBINATION, selected}


def study_name(cfg: DictConfig) -> str:
    """A name that searches share only if they look over the same settings, with all others equal."""
    given = [one for one in cfg.hydra.overrides.task if not ELSEWHERE.match(one)]
    space = OmegaConf.to_container(cfg.hydra.sweeper.params, resolve=True) if cfg.hydra.sweeper.params else {}
    text = json.dumps([result_config(cfg), space, sorted(given)], sort_keys=True)
    name = f"{cfg.dataset.name}-{cfg.mode.name}-{cfg.protocol.name}"
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def gpus_per_job(cfg: DictConfig) -> int:
    """How many GPUs a launcher has to give a job: as many as the trainer has devices, if they are GPUs."""
    accelerator = cfg.trainer.accelerator
    if accelerator == "auto":
        import torch  # slow to import, and not needed otherwise

        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    return int(cfg.trainer.devices) if accelerator in ("gpu", "cuda") else 0


def cpus_per_job(cfg: DictConfig) -> int:
    """How many cores a launcher has to give a job: one for each thread of each of its processes."""
    return int(cfg.threads * cfg.trainer.devices)


def jobs_at_once(cfg: DictConfig) -> int:
    """How many jobs the cores of this machine are enough for."""
    from joblib import cpu_count  # slow to import, and not needed otherwise

    return max(1, int(cpu_count()) // cpus_per_job(cfg))


def register_resolvers() -> None:
    """Make `${run_name:}` and the other resolvers of ours known to the YAML files."""
    OmegaConf.register_new_resolver("fs_name", fs_name, replace=True)
    OmegaConf.register_new_resolver("absolute", lambda path, base: str(Path(base, path)), replace=True)
    for meaning in (run_name, tags, study_name, cpus_per_job, gpus_per_job, jobs_at_once):
        OmegaConf.register_new_resolver(meaning.__name__, partial(_of_all, meaning), replace=True)
    OmegaConf.register_new_resolver(
        "user_cache", lambda: str(pooch.os_cache("adversarial-oversampling")), replace=True
    )


def _of_all(meaning: Callable[[DictConfig], Any], *, _root_: DictConfig) -> Any:
    return meaning(_root_)


register_resolvers()


def check_overrides(arguments: Sequence[str]) -> None:
    """Refuse what Hydra answers with a stack trace, or with silence.

    Raises
    ------
    InputError
        For a number as a group's choice, and for what only a sweep has in a single run.
    """
    sweeps = {"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(arguments)
    groups = {folder.name: folder for folder in Path(config_dir()).iterdir() if folder.is_dir()}
    for argument in arguments:
        group, _, choice = argument.partition("=")
        if group in ("launcher", "hparams_search") and choice not in ("basic", "null") and not sweeps:
            raise InputError(f"{argument}: only a sweep has one; add -m.")
        if group == "launcher" and "," in choice:
            raise InputError(f"{argument}: all jobs of a sweep have one launcher; choose one of them.")
        numbers = [one for one in choice.split(",") if re.fullmatch(r"[-+.\d][-+.\deE]*", one)]
        if group in groups and numbers:
            choices = ", ".join(sorted(file.stem for file in groups[group].glob("*.yaml")))
            number = f", or give any number as fs.ratio={numbers[0]}" if group == "fs" else ""
            raise InputError(f"{argument}: choose one of {choices}{number}.")


@dataclass(frozen=True)
class Number:
    """What a numeric setting may be: a kind and an interval, whose ends belong to it."""

    kind: type[int] | type[float]
    low: float
    high: float = math.inf
    optional: bool = False

    def check(self, key: str, value: object) -> None:
        """Raise an InputError that names the key if the value is something else."""
        if value is None and self.optional:
            return
        whole = isinstance(value, int) and not isinstance(value, bool)
        proper = whole or (self.kind is float and isinstance(value, float))
        if not proper or not self.low <= value <= self.high:  # type: ignore[operator]
            name = "whole number" if self.kind is int else "number"
            span = (
                f"from {self.low:g} to {self.high:g}" if self.high < math.inf else f"of at least {self.low:g}"
            )
            null = ", or null" if self.optional else ""
            raise InputError(f"{key}={value}: give a {name} {span}{null}.")


# Sections that have the same keys whatever is chosen; "" is the top.
FIXED_SECTIONS = ("", "paths", "sweep", "players", *(f"players.{player}" for player in PLAYERS))


def check_keys(cfg: DictConfig) -> None:
    """Refuse a setting that nothing would read, such as a misspelt one after a plus.

    Raises
    ------
    InputError
        Naming the key, and a known one that is like it.
    """
    default = default_config()
    for section in FIXED_SECTIONS:
        ours, known = (OmegaConf.select(one, section) if section else one for one in (cfg, default))
        for name in sorted(map(str, ours.keys() - known.keys())):
            alike = difflib.get_close_matches(name, map(str, known), n=1)
            hint = f"; did you mean {section}{'.' if section else ''}{alike[0]}?" if alike else "."
            raise InputError(f"{section}{'.' if section else ''}{name}: there is no such setting{hint}")
    for name, logger in cfg.logger.items():
        if "_target_" not in logger:
            raise InputError(f"logger.{name}: this run has no such logger; take logger={name}.")


TINY = 1e-9  # an open end of an interval
ABSENT = object()

# What the modules check themselves, with the table at hand, is only typed here.
NUMBERS = {
    "seed": Number(int, 0, 2**62),
    "replicas": Number(int, 1),
    "threads": Number(int, 1),
    "generated_rows": Number(int, 1, optional=True),
    "fs.ratio": Number(float, TINY, 1, optional=True),
    "protocol.folds": Number(int, 2, optional=True),
    "protocol.fold": Number(int, 0, optional=True),
    "protocol.validation_size": Number(float, 0, 1 - TINY, optional=True),
    "dataset.split.test_size": Number(float, TINY, 1 - TINY, optional=True),
    "dataset.preprocessing.imputer_neighbors": Number(int, 1),
    "dataset.preprocessing.n_selected": Number(int, 1, optional=True),
    "dataset.training.batch_size": Number(int, 1),
    "trainer.max_epochs": Number(int, 1),
    "trainer.checkpoint_every": Number(int, 1),
    "trainer.devices": Number(int, 1),
    "gan_type.loss.gradient_penalty": Number(float, 0),
    "dataset.training.settings_compared": Number(int, 0),
    "mode.settings_compared": Number(int, 0),
    "gan_type.loss.label_noise": Number(float, 0, 1),
    "mode.resampling.neighbours": Number(int, 1),
    "mode.rules.generator_weight": Number(float, 0),
    "mode.rules.generated_weight": Number(float, 0),
    "mode.rules.critic_steps": Number(int, 1),
    "players.classifier.layers": Number(int, 1),
    "players.classifier.dropout": Number(float, 0, 1 - TINY),
    "players.discriminator.layers": Number(int, 2),
    "players.generator.layers": Number(int, 2),
    "players.generator.latent": Number(int, 1),
    "players.generator.anchors": Number(int, 1),
    "players.generator.temperature": Number(float, 1e-3),
    **{f"players.{player}.width": Number(int, 1) for player in PLAYERS},
    **{f"players.{player}.optimizer.lr": Number(float, 0, 1e30) for player in PLAYERS},
    **{f"players.{player}.optimizer.weight_decay": Number(float, 0, 1e30) for player in PLAYERS},
}
SWITCHES = (
    "rerun",
    "players.discriminator.conditional",
    "mode.rules.class_weights",
    "mode.rules.complement",
    "mode.rules.tuned_threshold",
)


def check(cfg: DictConfig) -> None:
    """Refuse values that no later step would name as clearly.

    Raises
    ------
    InputError
        Naming the key.
    """
    if missing := sorted(OmegaConf.missing_keys(cfg)):
        raise InputError(f"{', '.join(missing)}: not set; give each a value on the command line.")
    check_keys(cfg)
    for key, number in NUMBERS.items():
        value = OmegaConf.select(cfg, key, default=ABSENT)
        if value is not ABSENT:  # a mode without a generator has no weights, vanilla has no penalty
            number.check(key, value)
    for key in SWITCHES:
        value = OmegaConf.select(cfg, key, default=False)
        if not isinstance(value, bool):
            raise InputError(f"{key}={value}: give true or false.")
    if "estimator" in cfg.mode and cfg.fs.ratio is not None:
        raise InputError(
            f"fs.ratio={cfg.fs.ratio}: mode={cfg.mode.name} balances by itself; take fs=natural."
        )
    if (cfg.protocol.name == "cv") != (cfg.protocol.folds is not None):
        raise InputError(
            f"protocol.folds={cfg.protocol.folds}: protocol=cv needs a number of folds, and no other has any."
        )
    if cfg.trainer.get("check_val_every_n_epoch", 1) != 1:
        raise InputError("trainer.check_val_every_n_epoch: every epoch may be the best; leave it out.")
