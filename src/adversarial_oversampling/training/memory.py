"""The memory that a run needs, and what glibc's malloc does with freed memory."""

import ctypes
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow
import torch
from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.config.identity import has_generator
from adversarial_oversampling.config.resources import available_memory, gpus_per_job, replica_count
from adversarial_oversampling.config.variants import given_key
from adversarial_oversampling.data.preprocessing import encoded_columns
from adversarial_oversampling.data.table import Table
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.limits import PLAYERS
from adversarial_oversampling.shard import WHOLE, Shard

_NUMBER = 4  # bytes
_PER_WEIGHT = 5 * _NUMBER  # value, gradient, two moments of the optimizer, value at the best epoch
_SMALLEST = {
    "replicas": 1,
    "members": 1,
    "protocol.folds": 2,
    "dataset.training.batch_size": 1,
    "generated_rows": 1,
    **{f"players.{player}.width": 1 for player in PLAYERS},
    **{f"players.{player}.layers": 2 for player in PLAYERS},
    "players.generator.latent": 1,
    "players.generator.anchors": 1,
}
"""Settings on which the memory of a run depends, with a value with which it is small."""
_PARTS = {"rows": "rows", "weights": "weights with their optimizers", "batch": "a step"}
_MARGIN = 0.7  # of the available memory is what a message advises to use, as the needs are the least ones


@dataclass(frozen=True)
class Need:
    """Bytes that a run holds at once, at least.

    Attributes
    ----------
    rows : int
        The rows of every replica.
    weights : int
        The networks of every replica, with the gradients, the optimizer's state and the rows that G combines.
    batch : int
        The activations of a step.
    """

    rows: int
    weights: int = 0
    batch: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.rows + self.weights + self.batch


def check_memory(cfg: DictConfig, table: Table, replicas: Shard = WHOLE) -> None:
    """Refuse a run for which there is too little memory, before it allocates any.

    Parameters
    ----------
    cfg : DictConfig
    table : Table
        The rows.
    replicas : Shard
        The replicas of this process.

    Raises
    ------
    InputError
        The message names the setting that weighs most, what is needed and what is available.
    """
    processes, devices = replicas.world_size, int(cfg.trainer.devices)
    on_gpu = "rules" in cfg.mode and gpus_per_job(cfg) > 0 and torch.cuda.is_available()
    _Demand(cfg, table, "memory", processes, rows_only=on_gpu).check(available_memory())
    if on_gpu:
        free, _ = torch.cuda.mem_get_info(replicas.rank if processes > 1 else None)
        shares = devices if replica_count(cfg) >= devices else 1
        _Demand(cfg, table, "GPU memory", shares, rows_only=False).check(free)


@dataclass(frozen=True)
class _Demand:
    """What a run demands of one kind of memory.

    Attributes
    ----------
    cfg : DictConfig
    table : Table
    memory : str
        What the memory is called.
    processes : int
        Processes that share the replicas, each with such a memory.
    rows_only : bool
        Whether only rows are held there.
    """

    cfg: DictConfig
    table: Table
    memory: str
    processes: int
    rows_only: bool

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The settings on which the memory depends, without those that are null."""
        selected = {key: OmegaConf.select(self.cfg, key) for key in _SMALLEST}
        return {key: int(value) for key, value in selected.items() if value is not None}

    @cached_property
    def given(self) -> dict[str, str]:
        """The setting that each of them takes its value from."""
        return {key: given_key(self.cfg, key) for key in self.sizes}

    def need(self, setting: str = "", value: int = 0) -> Need:
        """Return what is needed, with another value of a setting."""
        sizes = {key: value if self.given[key] == setting else size for key, size in self.sizes.items()}
        need = needed(self.cfg, self.table, sizes, self.processes)
        return Need(need.rows) if self.rows_only else need

    def check(self, free: int) -> None:
        """Raise an InputError if more is needed than there is."""
        need = self.need()
        if need.total <= free:
            return
        smallest = {self.given[key]: _SMALLEST[key] for key in self.sizes}
        heaviest = min(smallest, key=lambda setting: self.need(setting, smallest[setting]).total)
        size = next(size for key, size in self.sizes.items() if self.given[key] == heaviest)
        parts = ", ".join(f"{_gib(value)} for {_PARTS[name]}" for name, value in vars(need).items() if value)
        if self.need(heaviest, smallest[heaviest]).total == need.total:
            start, way_out = f"dataset {self.table.name}", "leave out rows or columns"
        else:
            limit = _MARGIN * free
            largest = _largest(
                lambda value: self.need(heaviest, value).total <= limit, smallest[heaviest], size
            )
            start = f"{heaviest}={size}"
            way_out = f"give at most {largest}" if largest else "lower it, and the other sizes too"
            if largest and heaviest == "replicas":
                way_out += ", and later seeds in runs of their own"
        raise InputError(
            f"{start}: at least {_gib(need.total)} GiB of {self.memory} are needed ({parts}), and "
            f"{_gib(free)} are available; {way_out}."
        )


def needed(cfg: DictConfig, table: Table, sizes: Mapping[str, int], processes: int = 1) -> Need:
    """Return the bytes that a process of a run holds at once, at least.

    Parameters
    ----------
    cfg : DictConfig
    table : Table
    sizes : mapping of str to int
        Values of the settings `_SMALLEST` that are not null.
    processes : int
        Processes that share the replicas.
    """
    folds = sizes.get("protocol.folds", 1) if cfg.protocol.fold is None else 1
    splits = -(-sizes["replicas"] * folds // processes)
    count, classes = len(table.y), len(table.class_names)
    features = cfg.dataset.preprocessing.n_selected or len(encoded_columns(table.columns))
    rows = splits * count * features * _NUMBER
    if "estimator" in cfg.mode:
        return Need(rows)
    replicas, batch = splits * sizes["members"], sizes["dataset.training.batch_size"]
    weights, anchors, generated, numbers = 0, 0, 0, 0
    if has_generator(cfg):
        anchors = min(sizes["players.generator.anchors"], int(np.bincount(table.y).max()))
        generated = classes * sizes.get("generated_rows", max(1, batch // classes))
        latent, layers, width = (sizes[f"players.generator.{key}"] for key in ("latent", "layers", "width"))
        weights += _weights(latent + classes, width, width, layers - 1) + classes * (width + 1) * anchors
        numbers += generated * (latent + layers * width + 2 * anchors)
        layers, width = (sizes[f"players.discriminator.{key}"] for key in ("layers", "width"))
        seen = features + classes * bool(cfg.players.discriminator.conditional)
        weights += _weights(seen, width, 1, layers)
        numbers += (batch + generated) * layers * width
    layers, width = (sizes[f"players.classifier.{key}"] for key in ("layers", "width"))
    weights += _weights(features, width, classes, layers)
    numbers += (batch + generated) * (features + layers * width)
    held = weights * _PER_WEIGHT + classes * anchors * features * _NUMBER
    shares = cfg.trainer.devices if replica_count(cfg) < cfg.trainer.devices else 1  # of a batch
    return Need(rows, replicas * held, replicas * numbers * _NUMBER // shares)


def _weights(inputs: int, width: int, outputs: int, layers: int) -> int:
    """Return the number of weights of a multi-layer perceptron (`game.networks.MLP`)."""
    if layers == 1:
        return (inputs + 1) * outputs
    return (inputs + 1) * width + (layers - 2) * (width + 1) * width + (width + 1) * outputs


def _largest(fits: Callable[[int], bool], low: int, above: int) -> int:
    """Return the largest whole number from `low` that fits, below one that does not; 0 if none does."""
    if not fits(low):
        return 0
    while above - low > 1:
        middle = (low + above) // 2
        low, above = (middle, above) if fits(middle) else (low, middle)
    return low


def _gib(number: int) -> str:
    return f"{number / 2**30:.1f}"


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def release_freed_memory() -> None:
    """Return freed memory to the system, such as that of reading a table."""
    pyarrow.default_memory_pool().release_unused()
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


def keep_freed_memory() -> None:
    """Keep freed memory, up to 64 MiB, instead of returning it to the system.

    Every training step frees the same tensors and allocates them again, and the system clears every page of
    memory that it hands out: up to a tenth of the time of a step.
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_TRIM_THRESHOLD, 2**26)
        _libc.mallopt(_M_MMAP_THRESHOLD, 2**25)


_libc: Any = ctypes.CDLL(None) if os.name == "posix" else None
