"""What a run leaves behind: result.json, the test predictions, the curves and the best weights.

result.json is written last and in one move, so a folder that holds it is a finished run.
"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from torch import Tensor

from adversarial_oversampling import __version__
from adversarial_oversampling.config import config_hash, variants
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game import Game
from adversarial_oversampling.networks import parameters_per_replica

RESULT = "result.json"
PREDICTIONS = "predictions.parquet"
CURVES = "curves.parquet"
WEIGHTS = "best.pt"
VERSIONS = ("torch", "pytorch-lightning", "torchmetrics", "hydra-core", "numpy", "scikit-learn", "pandas")

SELECTION = {
    "test": "best epoch on the test rows (optimistic)",
    "validation": "best epoch on validation rows",
}


def finished(run_dir: Path, cfg: DictConfig) -> dict[str, Any] | None:
    """The result that already lies in a folder, or None.

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
        raise InputError(f"{path} is damaged: delete it, and the run starts anew.") from error
    if found != config_hash(cfg):
        raise InputError(
            f"{path} is the result of another configuration: choose another hydra.run.dir, "
            "or replace it with rerun=true."
        )
    return result


def mean(values: Sequence[float]) -> float | None:
    """Mean; None where there is no value."""
    return float(np.mean(values)) if values else None


def std(values: Sequence[float]) -> float | None:
    """Standard deviation with n - 1; None for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _number(value: Tensor) -> float | None:
    return float(value) if bool(value.isfinite()) else None


def replica_records(game: Game, data: TableDataModule) -> list[dict[str, Any]]:
    """One record per replica: seed, fold, metrics on the test rows, best epoch, and what is undefined."""
    metrics = game.test_metrics
    names = data.table.class_names
    records = []
    for r, (seed, fold) in enumerate(zip(data.seeds, data.folds, strict=True)):
        diverged = int(game.diverged_at[r])
        record: dict[str, Any] = {"seed": seed, "fold": fold, "acsa": None, "g_mean": None}
        notes = []
        if diverged >= 0:
            notes.append(f"the loss became NaN or infinite in epoch {diverged}: no result")
            record |= {"recall": None, "confusion": None, "best_epoch": None, "selection_acsa": None}
        else:
            matrix = metrics["confusion"][r]
            absent = [names[k] for k in (matrix.sum(dim=1) == 0).nonzero().flatten().tolist()]
            if absent:
                notes.append(f"no test rows of class {', '.join(absent)}: ACSA and GM are undefined")
            record |= {
                "acsa": _number(metrics["acsa"][r]),
                "g_mean": _number(metrics["g_mean"][r]),
                "recall": {n: _number(v) for n, v in zip(names, metrics["recall"][r], strict=True)},
                "confusion": matrix.tolist(),
                "best_epoch": int(game.best_epoch[r]),
                "selection_acsa": float(game.best_score[r]),
            }
        split = data.splits[r]
        chosen_on = getattr(split, data.select_on)
        missing = sorted(set(range(data.classes)) - set(data.table.y[chosen_on].tolist()))
        if missing and data.select_on != "test":
            absent = [names[k] for k in missing]
            notes.append(f"the epoch was chosen without class {', '.join(absent)}: no {data.select_on} rows")
        record["rows"] = {
            part: np.bincount(data.table.y[getattr(split, part)], minlength=data.classes).tolist()
            for part in ("train", "validation", "test")
        }
        record["notes"] = notes
        records.append(record)
    return records


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the packages that shape a result."""
    found = {"adversarial-oversampling": __version__, "python": platform.python_version()}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def build(cfg: DictConfig, game: Game, data: TableDataModule, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Put the result of a finished run together.

    Parameters
    ----------
    cfg : DictConfig
        The whole configuration.
    game : Game
        After its test.
    data : TableDataModule
        The rows that it played on.
    seconds : mapping
        Wall time of each part of the run.
    """
    records = replica_records(game, data)
    defined = {
        name: [record[name] for record in records if record[name] is not None] for name in ("acsa", "g_mean")
    }
    return {
        "dataset": cfg.dataset.name,
        "mode": cfg.mode.name,
        "gan_type": cfg.gan_type.name if "generator" in game.players else None,
        "fs": cfg.fs.name,
        "fs_ratio": cfg.fs.ratio,
        "protocol": cfg.protocol.name,
        "optimistic": cfg.protocol.select_on == "test",
        "variant": variants(cfg),
        "epoch_selection": SELECTION[cfg.protocol.select_on],
        "classes": list(data.table.class_names),
        "mean": {name: mean(values) for name, values in defined.items()},
        "std": {name: std(values) for name, values in defined.items()},
        "defined": {name: len(values) for name, values in defined.items()},
        "replicas": records,
        "epochs": cfg.trainer.max_epochs,
        "parameters": {player: parameters_per_replica(getattr(game, player)) for player in game.players},
        "device": _device_name(game.device),
        "threads": torch.get_num_threads(),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "versions": versions(),
        "config_hash": config_hash(cfg),
        "config": OmegaConf.to_container(cfg, resolve=True),
    }


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def predictions(game: Game, data: TableDataModule) -> pd.DataFrame:
    """Test predictions: a row per replica and test row, with the probability of every class.

    A replica without a result has none.
    """
    rows, probabilities = game.test_predictions()
    names = np.array(data.table.class_names)
    frames = []
    for r, (seed, fold) in enumerate(zip(data.seeds, data.folds, strict=True)):
        if game.diverged_at[r] >= 0:
            continue
        real = rows[r] >= 0
        row, chance = rows[r][real].numpy(), probabilities[r][real].numpy()
        frame = pd.DataFrame(chance, columns=[f"p_{name}" for name in names])
        frame.insert(0, "predicted", names[chance.argmax(axis=1)])
        frame.insert(0, "true", names[data.table.y[row]])
        frame.insert(0, "row", row)
        frame.insert(0, "fold", pd.Series([fold] * len(row), dtype="Int64"))
        frame.insert(0, "seed", seed)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def curves(game: Game, data: TableDataModule) -> pd.DataFrame:
    """Every logged curve: a row per replica and epoch."""
    frames = []
    for r, (seed, fold) in enumerate(zip(data.seeds, data.folds, strict=True)):
        frame = pd.DataFrame({name: [float(v[r]) for v in values] for name, values in game.history.items()})
        frame.insert(0, "epoch", range(len(frame)))
        frame.insert(0, "fold", pd.Series([fold] * len(frame), dtype="Int64"))
        frame.insert(0, "seed", seed)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def log_summary(loggers: Sequence[Logger], result: Mapping[str, Any]) -> None:
    """Log the final means and standard deviations, named as optimistic where they are."""
    prefix = "final_optimistic" if result["optimistic"] else "final"
    final = {
        f"{prefix}/{metric}{suffix}": value
        for suffix, kind in (("", "mean"), ("_std", "std"))
        for metric, value in result[kind].items()
        if value is not None
    }
    for logger in loggers:
        logger.log_metrics(final, step=result["epochs"])
        logger.save()


def write(run_dir: Path, result: Mapping[str, Any], game: Game, data: TableDataModule) -> None:
    """Write everything, result.json last; an older result goes into the folder `previous`."""
    new, previous = run_dir / ".new", run_dir / "previous"
    new.mkdir(exist_ok=True)
    predictions(game, data).to_parquet(new / PREDICTIONS, index=False)
    curves(game, data).to_parquet(new / CURVES, index=False)
    torch.save(
        {"weights": game.best_weights, "best_epoch": game.best_epoch, "diverged_at": game.diverged_at},
        new / WEIGHTS,
    )
    (new / RESULT).write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")
    if (run_dir / RESULT).is_file():
        previous.mkdir(exist_ok=True)
        for name in (RESULT, PREDICTIONS, CURVES, WEIGHTS):  # no result.json, no result: it goes first
            if (run_dir / name).is_file():
                os.replace(run_dir / name, previous / name)
    for name in (PREDICTIONS, CURVES, WEIGHTS, RESULT):
        os.replace(new / name, run_dir / name)
    new.rmdir()


def _percent(value: float | None) -> str:
    return "undefined" if value is None else f"{100 * value:.2f}"


def show(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print a result as a table: ACSA and GM in percent, a line per replica and the mean."""
    console = console or Console()
    game = f", {result['gan_type']}" if result["gan_type"] else ""
    label = "  OPTIMISTIC" if result["optimistic"] else ""
    variant = f"\nvariant: {'; '.join(result['variant'])}" if result["variant"] else ""
    trained, asked = result["defined"]["acsa"], len(result["replicas"])
    count = f"{trained} replicas" if trained == asked else f"only {trained} of {asked} replicas"
    table = RichTable(
        title=f"{result['mode']} on {result['dataset']}{game}, fs={result['fs']}{variant}",
        caption=f"protocol {result['protocol']}{label}: {result['epoch_selection']}; "
        f"{result['epochs']} epochs (the first is 0), {count}; mean ± standard deviation",
    )
    folds = any(record["fold"] is not None for record in result["replicas"])
    for name in ["seed"] + ["fold"] * folds + ["best epoch", "ACSA %", "GM %", "lowest recall %"]:
        table.add_column(name, justify="right")
    for record in result["replicas"]:
        lowest = "undefined"
        if record["recall"] is not None:
            known = {name: value for name, value in record["recall"].items() if value is not None}
            name = min(known, key=known.__getitem__)
            lowest = f"{_percent(known[name])} (class {escape(name)})"
        table.add_row(
            str(record["seed"]),
            *([str(record["fold"])] * folds),
            "-" if record["best_epoch"] is None else str(record["best_epoch"]),
            _percent(record["acsa"]),
            _percent(record["g_mean"]),
            lowest,
        )
    table.add_section()
    means = []
    for name in ("acsa", "g_mean"):
        spread = result["std"][name]
        means.append(_percent(result["mean"][name]) + ("" if spread is None else f" ± {_percent(spread)}"))
    table.add_row("mean", *([""] * folds), "", *means, "")
    console.print(table)
    for record in result["replicas"]:
        for note in record["notes"]:
            fold = "" if record["fold"] is None else f", fold {record['fold']}"
            console.print(f"seed {record['seed']}{fold}: {note}", style="yellow", markup=False)
