"""What a run leaves behind: result.json, the test predictions, the curves and the best weights.

result.json is written last and in one move, so a folder that holds it is a finished run.
"""

import json
import os
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from adversarial_oversampling import __version__, metrics
from adversarial_oversampling.config import config_hash, has_generator, variants
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.method_output import Outcome
from adversarial_oversampling.results.read import CURVES, PREDICTIONS, RESULT, SAMPLES, WEIGHTS, mean, std

FILES = (RESULT, PREDICTIONS, CURVES, SAMPLES, WEIGHTS)
METRICS = ("acsa", "g_mean", "auroc", "pr_auc", "calibration_error")
VERSIONS = (
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "hydra-core",
    "numpy",
    "scikit-learn",
    "imbalanced-learn",
    "lightgbm",
    "pandas",
)

SELECTION = {
    "test": "best epoch on the test rows (optimistic)",
    "validation": "best epoch on validation rows",
}


def _number(value: Tensor) -> float | None:
    return float(value) if bool(value.isfinite()) else None


def replica_records(outcome: Outcome, data: TableDataModule) -> list[dict[str, Any]]:
    """One record per replica: seed, fold, metrics on the test rows, best epoch, and what is undefined."""
    names = data.table.class_names
    records = []
    for r, (seed, fold) in enumerate(zip(data.seeds, data.folds, strict=True)):
        # A replica whose rows could not be resampled played along; what it did is no result.
        na = data.not_applicable[r] or outcome.na[r]
        record: dict[str, Any] = {"seed": seed, "fold": fold, "na": na, **dict.fromkeys(METRICS)}
        record |= dict.fromkeys(("recall", "confusion", "best_epoch", "selection_acsa"))
        diverged_at = dict(enumerate(outcome.diverged_at)).get(r, -1)  # where there are epochs at all
        record["diverged_at"] = None if diverged_at < 0 else diverged_at
        notes = list(data.notes[r])
        if na is not None:
            notes.append(f"no result: {na}")
        else:
            record |= _test_metrics(outcome, data, r)
            absent = [name for name, value in record["recall"].items() if value is None]
            if absent:
                notes.append(f"no test rows of class {', '.join(absent)}: ACSA and GM are undefined")
        split = data.splits[r]
        missing = sorted(
            set(range(data.classes)) - set(data.table.y[getattr(split, data.select_on)].tolist())
        )
        if missing and data.select_on != "test" and record["best_epoch"] is not None:
            absent = [names[k] for k in missing]
            notes.append(f"the epoch was chosen without class {', '.join(absent)}: no {data.select_on} rows")
        record["rows"] = {
            part: np.bincount(data.table.y[getattr(split, part)], minlength=data.classes).tolist()
            for part in ("train", "validation", "test")
        }
        record["notes"] = notes
        records.append(record)
    return records


def _test_metrics(outcome: Outcome, data: TableDataModule, r: int) -> dict[str, Any]:
    tested = outcome.row[r] >= 0
    true = torch.from_numpy(data.table.y)[outcome.row[r][tested]]
    matrix = metrics.confusion(outcome.predicted[r : r + 1, tested], true[None], data.classes)
    recall = metrics.recall(matrix)[0]
    return {
        "acsa": _number(metrics.acsa(matrix)[0]),
        "g_mean": _number(metrics.g_mean(matrix)[0]),
        **metrics.probability_metrics(outcome.probabilities[r, tested], true),
        "recall": {n: _number(v) for n, v in zip(data.table.class_names, recall, strict=True)},
        "confusion": matrix[0].tolist(),
        "best_epoch": outcome.best_epoch[r],
        "selection_acsa": outcome.selection_acsa[r],
    }


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the packages that shape a result."""
    found = {"adversarial-oversampling": __version__, "python": platform.python_version()}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def build(
    cfg: DictConfig, outcome: Outcome, data: TableDataModule, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Put the result of a finished run together.

    Parameters
    ----------
    cfg : DictConfig
        The whole configuration.
    outcome : Outcome
        What the method answered on the test rows.
    data : TableDataModule
        The rows that it saw.
    seconds : mapping
        Wall time of each part of the run.
    """
    records = replica_records(outcome, data)
    defined = {name: [r[name] for r in records if r[name] is not None] for name in METRICS}
    reasons = {record["na"] for record in records}
    epochs = any(epoch is not None for epoch in outcome.best_epoch)
    return {
        "dataset": cfg.dataset.name,
        "mode": cfg.mode.name,
        "gan_type": cfg.gan_type.name if has_generator(cfg) else None,
        "fs": cfg.fs.name,
        "fs_ratio": cfg.fs.ratio,
        "protocol": cfg.protocol.name,
        "optimistic": epochs and cfg.protocol.select_on == "test",
        "variant": variants(cfg),
        "na": None if None in reasons else "; ".join(sorted(reasons)),
        "epoch_selection": SELECTION[cfg.protocol.select_on] if epochs else "no epochs to choose from",
        "settings_compared": cfg.mode.get("settings_compared", cfg.dataset.training.settings_compared),
        "classes": list(data.table.class_names),
        "mean": {name: mean(values) for name, values in defined.items()},
        "std": {name: std(values) for name, values in defined.items()},
        "defined": {name: len(values) for name, values in defined.items()},
        "replicas": records,
        "epochs": cfg.trainer.max_epochs,
        "parameters": dict(outcome.parameters),
        "device": _device_name(outcome.device),
        "threads": torch.get_num_threads(),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "versions": versions(),
        "config_hash": config_hash(cfg),
        "config": OmegaConf.to_container(cfg, resolve=True),
    }


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _labelled(frame: pd.DataFrame, seed: int, fold: int | None) -> pd.DataFrame:
    frame.insert(0, "fold", pd.Series([fold] * len(frame), dtype="Int64"))
    frame.insert(0, "seed", seed)
    return frame


def predictions(outcome: Outcome, data: TableDataModule) -> pd.DataFrame:
    """Test predictions: a row per replica and test row, with the probability of every class.

    A replica without a result has none.
    """
    names = np.array(data.table.class_names)
    frames = []
    for r, (seed, fold) in enumerate(zip(data.seeds, data.folds, strict=True)):
        tested = (outcome.row[r] >= 0) & (data.not_applicable[r] is None and outcome.na[r] is None)
        row = outcome.row[r][tested].numpy()
        frame = pd.DataFrame(
            outcome.probabilities[r][tested].numpy(), columns=[f"p_{name}" for name in names]
        )
        frame.insert(0, "predicted", names[outcome.predicted[r][tested].numpy()])
        frame.insert(0, "true", names[data.table.y[row]])
        frame.insert(0, "row", row)
        frames.append(_labelled(frame, seed, fold))
    return pd.concat(frames, ignore_index=True)


def curves(outcome: Outcome, data: TableDataModule) -> pd.DataFrame:
    """Every logged curve: a row per replica and epoch."""
    frames = []
    for r, (seed, fold) in enumerate(zip(data.seeds, data.folds, strict=True)):
        values = {name: [float(v[r]) for v in curve] for name, curve in outcome.history.items()}
        frame = pd.DataFrame(values)
        frame.insert(0, "epoch", range(len(frame)))
        frames.append(_labelled(frame, seed, fold))
    return pd.concat(frames, ignore_index=True)


def read_curves(run_dir: Path, result: Mapping[str, Any]) -> tuple[dict[str, list[Tensor]], Tensor]:
    """Curves of a finished run, `[R]` for each epoch, and when each replica diverged, `[R]`; -1 is never.

    Raises
    ------
    InputError
        If the file is missing.
    """
    if not (run_dir / CURVES).is_file():
        raise InputError(f"{run_dir / CURVES} is missing: rerun=true makes it anew.")
    frame = pd.read_parquet(run_dir / CURVES)
    epochs = [replicas for _, replicas in frame.groupby("epoch", sort=True)]
    names = frame.columns.drop(["seed", "fold", "epoch"])
    history = {name: [torch.tensor(one[name].to_numpy()) for one in epochs] for name in names}
    diverged_at = [one.get("diverged_at") for one in result["replicas"]]
    return history, torch.tensor([-1 if epoch is None else epoch for epoch in diverged_at])


def write(
    run_dir: Path,
    result: Mapping[str, Any],
    outcome: Outcome,
    data: TableDataModule,
    samples: pd.DataFrame | None = None,
) -> None:
    """Write everything, result.json last; an older result goes into the folder `previous`."""
    new, previous = run_dir / ".new", run_dir / "previous"
    if new.is_dir():  # of a run that was killed here
        shutil.rmtree(new)
    new.mkdir()
    predictions(outcome, data).to_parquet(new / PREDICTIONS, index=False)
    curves(outcome, data).to_parquet(new / CURVES, index=False)
    if samples is not None:
        samples.to_parquet(new / SAMPLES, index=False)
    if outcome.weights is not None:
        torch.save(
            {"weights": outcome.weights, "best_epoch": torch.tensor(outcome.best_epoch)}, new / WEIGHTS
        )
    (new / RESULT).write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")
    if (run_dir / RESULT).is_file():
        if previous.is_dir():
            shutil.rmtree(previous)
        previous.mkdir()
        for name in FILES:  # no result.json, no result: it goes first
            if (run_dir / name).is_file():
                os.replace(run_dir / name, previous / name)
    for name in reversed(FILES):
        if (new / name).is_file():
            os.replace(new / name, run_dir / name)
    new.rmdir()
