"""Finished runs as data frames: one row per run, and one row per replica."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow

from adversarial_oversampling.config import COMBINATION, OVERSAMPLING_MODES
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.report.paper import dataset_order, mode_order, title
from adversarial_oversampling.results.read import CURVES, RESULT, harness, seeds_of

METRICS = ("acsa", "g_mean", "auroc", "pr_auc", "calibration_error")
"""Modes whose cell in a table is at fs=balanced; the paper does not say at which fs its DO was measured."""
UNDEFINED = "undefined, as a class has no test rows"
PROTOCOLS = ("paper", "holdout", "cv")
"""The departure that `both_fool` and `both_favour` always carry: they are modes of their own here."""
NOT_RUNS = ("previous", ".new")
"""Folders that hold results which another one has replaced, or is about to."""

_Number = int | float | None
_RUN_KEYS: Mapping[str, Any] = {
    "dataset": str,
    "mode": str,
    "gan_type": str | None,
    "fs": str,
    "fs_ratio": _Number,
    "protocol": str,
    "optimistic": bool,
    "epoch_selection": str,
    "variant": list,
    "na": str | None,
    "classes": list,
    "epochs": int,
    "settings_compared": int,
    "mean": dict,
    "std": dict,
    "defined": dict,
    "replicas": list,
    "parameters": dict,
    "seconds": dict,
    "device": str,
    "versions": dict,
    "config_hash": str,
    "config": dict,
}
_REPLICA_KEYS: Mapping[str, Any] = {
    "seed": int,
    "fold": int | None,
    **dict.fromkeys(METRICS, _Number),
    "best_epoch": int | None,
    "selection_acsa": _Number,
    "rows": dict,
    "na": str | None,
}
_CONFIG_KEYS = ("protocol.select_on", "protocol.folds", "protocol.fold", "dataset.split.test_size")
_ABSENT = object()


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    folder : Path
        Where its files lie.
    result : dict
        What its result.json holds.
    """

    folder: Path
    result: dict[str, Any]


def load(paths: Sequence[Path], skip: Sequence[Path] = ()) -> list[Run]:
    """Read finished runs.

    Parameters
    ----------
    paths : sequence of Path
        Folders, searched recursively, or result.json files.
    skip : sequence of Path
        Folders not to search.

    Returns
    -------
    list of Run
        Ordered by protocol, harness (the larger one first), dataset, mode and fs.
        Of runs of the same configuration the newest file counts.

    Raises
    ------
    InputError
        If a path does not exist, or a file is damaged or no result of this suite.
    """
    newest: dict[str, tuple[float, Run]] = {}
    for file in _files(paths, [folder.resolve() for folder in skip]):
        run = Run(file.parent, _read(file))
        age = file.stat().st_mtime
        key = run.result["config_hash"]
        if key not in newest or newest[key][0] < age:
            newest[key] = (age, run)
    return sorted((run for _, run in newest.values()), key=_order)


def _files(paths: Sequence[Path], skip: Sequence[Path]) -> list[Path]:
    """Every result file once, in the order of their paths."""
    found = set()
    for path in paths:
        if path.is_file():
            found.add(path.resolve())
        elif path.is_dir():
            for file in path.rglob(RESULT):
                inside = file.relative_to(path).parts[:-1]
                full = file.resolve()
                if not set(inside) & set(NOT_RUNS) and not any(full.is_relative_to(one) for one in skip):
                    found.add(full)
        else:
            raise InputError(f"{path}: no such file or folder; give folders of runs or {RESULT} files.")
    return sorted(found)


def _read(file: Path) -> dict[str, Any]:
    """Read a result and check that it has every field of the tables and figures, with its type."""
    try:
        result = json.loads(file.read_text())
    except (ValueError, OSError) as error:
        raise InputError(f"{file} is damaged: delete it and run it again, or leave it out.") from error
    wrong = _wrong(result, _RUN_KEYS)
    if not wrong:
        wrong = [
            f"{part}.{key}"
            for part in ("mean", "std", "defined")
            for key in METRICS
            if key not in result[part]
        ]
        wrong += [f"replicas.{key}" for one in result["replicas"] for key in _wrong(one, _REPLICA_KEYS)]
        wrong += [] if result["replicas"] else ["replicas"]
        wrong += [f"config.{key}" for key in _CONFIG_KEYS if _select(result["config"], key) is _ABSENT]
    if wrong:
        raise InputError(
            f"{file} is no result of this version: {', '.join(dict.fromkeys(wrong))} missing or of another "
            "kind. Run it again with rerun=true, or leave it out."
        )
    checked: dict[str, Any] = result
    return checked


def _wrong(record: object, keys: Mapping[str, Any]) -> list[str]:
    """Names of the fields that are missing or of another type."""
    if not isinstance(record, dict):
        return list(keys)
    return [key for key, kind in keys.items() if key not in record or not isinstance(record[key], kind)]


def _select(config: object, key: str) -> Any:
    """Value of a dotted key in nested mappings, or _ABSENT."""
    for part in key.split("."):
        if not isinstance(config, dict) or part not in config:
            return _ABSENT
        config = config[part]
    return config


def _order(run: Run) -> tuple[Any, ...]:
    result = run.result
    protocol = result["protocol"]
    return (
        PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS),
        -result["epochs"],  # the larger measurements first
        -len(result["replicas"]),
        harness(result),
        dataset_order(result["dataset"]),
        mode_order(result["mode"]),
        result["fs_ratio"] or 0.0,
        result["variant"],
        result["config_hash"],
    )


def fixed_split(result: Mapping[str, Any]) -> bool:
    """Whether every replica has the same test rows, because the archive brings them."""
    config = result["config"]
    return config["dataset"]["split"]["test_size"] is None and config["protocol"]["folds"] is None


def _keys(run: Run) -> dict[str, Any]:
    """What a run and each of its replicas are known by."""
    result = run.result
    return {
        "dataset": result["dataset"],
        "mode": result["mode"],
        "title": title(result["mode"]),
        "gan_type": result["gan_type"],
        "fs": result["fs"],
        "fs_ratio": _nan(result["fs_ratio"]),
        "protocol": result["protocol"],
        "variant": tuple(result["variant"]),
        "harness": harness(result),
        "config_hash": result["config_hash"],
        "fixed_split": fixed_split(result),
    }


def _nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def run_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run; metrics are fractions, and NaN where there is none."""
    rows = []
    for run in runs:
        result = run.result
        first = result["replicas"][0]["rows"]
        row = {"folder": str(run.folder), **_keys(run)}
        row |= {
            "optimistic": result["optimistic"],
            "epoch_selection": result["epoch_selection"],
            "epochs": result["epochs"],
            "seeds": seeds_of(result),
            "folds": result["config"]["protocol"]["folds"] or 0,
            "replicas": len(result["replicas"]),
            "na": result["na"],
            "lost": tuple(
                dict.fromkeys(one["na"] or UNDEFINED for one in result["replicas"] if one["acsa"] is None)
            ),
            "n": result["defined"]["acsa"],
        }
        for metric in METRICS:
            row[metric] = _nan(result["mean"][metric])
            row[f"{metric}_std"] = _nan(result["std"][metric])
        row |= {
            "optimism": _optimism(run),
            "settings_compared": result["settings_compared"],
            "seconds": float(sum(result["seconds"].values())),
            "parameters": sum(result["parameters"].values()),
            "classes": tuple(result["classes"]),
            **{f"rows_{part}": tuple(first.get(part, ())) for part in ("train", "validation", "test")},
        }
        rows.append(row)
    return _frame(rows)


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """Rows of a frame as named tuples."""
    return list(frame.itertuples())


def is_cell(row: Any) -> bool:
    """Whether a row of either frame is the cell of its mode and dataset in a table of modes."""
    return not departures(row.variant) and (row.mode not in OVERSAMPLING_MODES or row.fs_ratio == 1.0)


def departures(variant: Sequence[str]) -> tuple[str, ...]:
    """What sets a run apart from the cell of its mode, other than fs of DO."""
    return tuple(part for part in variant if part != COMBINATION)


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of either frame that belong into a table of modes.

    Raises
    ------
    InputError
        If two runs claim one cell, such as two tables of one name.
    """
    found = frame[[is_cell(row) for row in rows_of(frame)]]
    runs = found.drop_duplicates("config_hash")
    twice = runs[runs.duplicated(["harness", "dataset", "mode"], keep=False)]
    if len(twice):
        (harness, dataset, mode), same = next(iter(twice.groupby(["harness", "dataset", "mode"])))
        raise InputError(
            f"{mode} on {dataset}: several runs of the {harness} have the hashes "
            f"{', '.join(same['config_hash'])}; leave all but one out, or give each its own dataset.name."
        )
    return found


def _frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Build a data frame in which an absent text is None."""
    frame = pd.DataFrame(rows)
    for name in ("gan_type", "na"):
        frame[name] = pd.Series([row[name] for row in rows], dtype=object)
    return frame


def replica_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per replica; metrics are fractions, and NaN where there is none."""
    rows = []
    for run in runs:
        keys = _keys(run)
        for replica in run.result["replicas"]:
            row = {**keys, "seed": replica["seed"], "fold": _nan(replica["fold"])}
            row |= {metric: _nan(replica[metric]) for metric in METRICS}
            row |= {
                "best_epoch": _nan(replica["best_epoch"]),
                "selection_acsa": _nan(replica["selection_acsa"]),
                "na": replica["na"],
            }
            row |= {
                f"rows_{part}": list(replica["rows"].get(part, []))
                for part in ("train", "validation", "test")
            }
            rows.append(row)
    frame = _frame(rows)
    for name in ("fold", "best_epoch"):
        frame[name] = frame[name].astype("Int64")
    return frame


def _optimism(run: Run) -> float:
    """By how much the choice of the epoch flatters a run: mean over replicas, a fraction; NaN if unknown.

    Where test rows chose the epoch, that is the best epoch's ACSA minus the last epoch's; where
    validation rows did, their ACSA minus that of the test rows.
    """
    result = run.result
    honest: dict[tuple[int, int | None], float] = {}
    if not result["optimistic"]:
        honest = {(one["seed"], one["fold"]): _nan(one["acsa"]) for one in result["replicas"]}
    elif (run.folder / CURVES).is_file():
        honest = _last_epoch(run.folder / CURVES)
    gaps = np.array(
        [
            _nan(one["selection_acsa"]) - honest.get((one["seed"], one["fold"]), float("nan"))
            for one in result["replicas"]
        ]
    )
    known = gaps[~np.isnan(gaps)]
    return float(known.mean()) if len(known) else float("nan")


def _last_epoch(file: Path) -> dict[tuple[int, int | None], float]:
    """ACSA on the test rows at the last epoch of every replica, under the paper's protocol."""
    column = "test_optimistic/acsa"
    try:
        curves = pd.read_parquet(file)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{file} is damaged: run it again with rerun=true, or leave it out.") from error
    if column not in curves:  # peers have no epochs
        return {}
    last = curves.sort_values("epoch").drop_duplicates(["seed", "fold"], keep="last")
    folds = [None if pd.isna(fold) else int(fold) for fold in last["fold"]]
    return dict(
        zip(zip(last["seed"].astype(int), folds, strict=True), last[column].astype(float), strict=True)
    )
