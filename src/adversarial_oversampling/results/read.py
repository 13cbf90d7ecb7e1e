"""Finished runs: where a result lies, and what it says in a line or a table."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from adversarial_oversampling.config import config_hash
from adversarial_oversampling.errors import InputError

RESULT = "result.json"
PREDICTIONS = "predictions.parquet"
CURVES = "curves.parquet"
SAMPLES = "generated.parquet"
WEIGHTS = "best.pt"
WANDB_LOGGED = Path("wandb", "logged")  # the digest of the result of which W&B, or its folder, has everything


def finished(run_dir: Path, cfg: DictConfig) -> dict[str, Any] | None:
    """The result that already lies in a folder and is to stay, or None.

    With `rerun=true` only a result of the same sweep stays: a run that is two of its jobs is trained once.

    Raises
    ------
    InputError
        If another configuration's result lies there: it is not overwritten.
    """
    path = run_dir / RESULT
    if not path.is_file():
        return None
    try:
        result: dict[str, Any] = json.loads(path.read_text())
        found = result["config_hash"]
    except (ValueError, KeyError) as error:
        if cfg.rerun:
            return None
        raise InputError(f"{path} is damaged: delete it, and the run starts anew.") from error
    if cfg.rerun and (cfg.sweep.id is None or cfg.sweep.id != result["config"].get("sweep", {}).get("id")):
        return None
    if found != config_hash(cfg):
        raise InputError(
            f"{path} is the result of another configuration: choose another hydra.run.dir, "
            "or replace it with rerun=true."
        )
    return result


def owed_to_wandb(run_dir: Path, cfg: DictConfig) -> bool:
    """Whether no W&B run has all of a finished result: none was begun, or it broke off."""
    if "wandb" not in cfg.logger or os.environ.get("WANDB_MODE") == "disabled":
        return False
    logged = run_dir / WANDB_LOGGED
    return not logged.is_file() or logged.read_text() != digest(run_dir)


def digest(run_dir: Path) -> str:
    """What no other result has."""
    return hashlib.sha256((run_dir / RESULT).read_bytes()).hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a file in one move: others see all of it, or what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    os.replace(new, path)


def mean(values: Sequence[float]) -> float | None:
    """Mean; None where there is no value."""
    return float(np.mean(values)) if values else None


def std(values: Sequence[float]) -> float | None:
    """Standard deviation with n - 1; None for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def mean_selection_acsa(result: Mapping[str, Any]) -> float | None:
    """Mean ACSA on the rows that chose the epoch; None for a method without epochs."""
    return mean([r["selection_acsa"] for r in result["replicas"] if r["selection_acsa"] is not None])


def percent(value: float | None) -> str:
    """A fraction in percent."""
    return "undefined" if value is None else f"{100 * value:.2f}"


def spread(result: Mapping[str, Any], name: str) -> str:
    """A metric's mean ± standard deviation in percent."""
    deviation = result["std"][name]
    return percent(result["mean"][name]) + ("" if deviation is None else f" ± {percent(deviation)}")


def table_name(result: Mapping[str, Any]) -> str:
    """The dataset's name, with its file where it is the user's own."""
    path = result["config"]["dataset"]["source"].get("path")
    return f"{result['dataset']} ({Path(path).name})" if path else str(result["dataset"])


def played(result: Mapping[str, Any]) -> str:
    """What was played: mode, game, oversampling rate and what is not as in the paper."""
    parts = [result["mode"], result["gan_type"], f"fs={result['fs']}"]
    variant = f" ({'; '.join(result['variant'])})" if result["variant"] else ""
    return " ".join(filter(None, parts)) + variant


def seeds_text(seeds: Sequence[int]) -> str:
    """Seeds in few words: "seed 3", "seeds 0-4" or "seeds 0, 2, 5"."""
    first, last = seeds[0], seeds[-1]
    if first == last:
        return f"seed {first}"
    if list(seeds) == list(range(first, last + 1)):
        return f"seeds {first}-{last}"
    return f"seeds {', '.join(map(str, seeds))}"


def harness(result: Mapping[str, Any]) -> str:
    """What runs must share to stand in one table: protocol, folds, epochs and seeds."""
    protocol = result["config"]["protocol"]
    folds, fold = protocol["folds"], protocol["fold"]
    label = " (OPTIMISTIC)" if protocol["select_on"] == "test" else ""  # also beside peers without epochs
    parts = [f"{result['protocol']} protocol{label}"]
    if folds is not None:
        parts.append(f"{folds} folds" if fold is None else f"fold {fold} of {folds}")
    parts.append(f"{result['epochs']} epochs")
    parts.append(seeds_text(seeds_of(result)))
    return ", ".join(parts)


def seeds_of(result: Mapping[str, Any]) -> tuple[int, ...]:
    """The seeds of its replicas, each once, in order."""
    return tuple(sorted({replica["seed"] for replica in result["replicas"]}))


def summary(result: Mapping[str, Any]) -> str:
    """One line: what was played, and ACSA and GM or why there is none."""
    title = f"{result['dataset']} {result['protocol']} {played(result)}, {seeds_text(seeds_of(result))}"
    if result["na"] is not None:
        return f"{title}: NA ({result['na']})"
    label = "  OPTIMISTIC" if result["optimistic"] else ""
    return f"{title}: ACSA {spread(result, 'acsa')}, GM {spread(result, 'g_mean')}{label}"


def show(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print a result as a table: ACSA and GM in percent, a line per replica and the mean."""
    console = console or Console()
    game = f", {result['gan_type']}" if result["gan_type"] else ""
    label = "  OPTIMISTIC" if result["optimistic"] else ""
    variant = f"\nvariant: {'; '.join(result['variant'])}" if result["variant"] else ""
    chosen = any(record["best_epoch"] is not None for record in result["replicas"])
    epochs = f"{result['epochs']} epochs (the first is 0), " if chosen else ""
    trained, asked = result["defined"]["acsa"], len(result["replicas"])
    count = f"{trained} replicas" if trained == asked else f"only {trained} of {asked} replicas"
    table = RichTable(
        title=f"{result['mode']} on {result['dataset']}{game}, fs={result['fs']}{variant}",
        caption=f"protocol {result['protocol']}{label}: {result['epoch_selection']}; "
        f"{epochs}{count}; mean ± standard deviation",
    )
    folds = any(record["fold"] is not None for record in result["replicas"])
    for name in ["seed"] + ["fold"] * folds + ["best epoch", "ACSA %", "GM %", "lowest recall %"]:
        table.add_column(name, justify="right")
    for record in result["replicas"]:
        lowest = "-"
        if record["recall"] is not None:
            known = {name: value for name, value in record["recall"].items() if value is not None}
            name = min(known, key=known.__getitem__)
            lowest = f"{percent(known[name])} (class {escape(name)})"
        scores = (
            ["NA", "NA"] if record["na"] is not None else map(percent, (record["acsa"], record["g_mean"]))
        )
        table.add_row(
            str(record["seed"]),
            *([str(record["fold"])] * folds),
            "-" if record["best_epoch"] is None else str(record["best_epoch"]),
            *scores,
            lowest,
        )
    table.add_section()
    means = ["NA", "NA"] if result["na"] is not None else [spread(result, "acsa"), spread(result, "g_mean")]
    table.add_row("mean", *([""] * folds), "", *means, "")
    console.print(table)
    for record in result["replicas"]:
        for note in record["notes"]:
            fold = "" if record["fold"] is None else f", fold {record['fold']}"
            console.print(f"seed {record['seed']}{fold}: {note}", style="yellow", markup=False)
