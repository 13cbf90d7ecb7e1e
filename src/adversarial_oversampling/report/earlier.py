"""Results of an earlier report whose runs are not at hand, from its `results_per_split.csv`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from adversarial_oversampling.config.catalogue import datasets, modes
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.report import per_split, record
from adversarial_oversampling.report.runs import (
    NULLABLE,
    PARTS,
    UNDEFINED_METRIC,
    in_order,
    with_texts,
    without_version,
)
from adversarial_oversampling.results.schema import METRICS

MODE_COLUMNS = ("title", "order", "origin", "color", "linestyle")
"""Columns of the frames that describe a mode."""


@dataclass(frozen=True)
class Earlier:
    """What an earlier report keeps of its runs.

    Attributes
    ----------
    file : Path
        Its results per split.
    rows : list of dict
        A row per run, seed and fold, with the types of the replica frame.
    made_of : mapping
        Its report.json.
    """

    file: Path
    rows: list[dict[str, Any]]
    made_of: Mapping[str, Any]


def read(folder: Path) -> Earlier:
    """Read the results of an earlier report, or of its summary.

    Raises
    ------
    InputError
        If the folder has no report, or a file of it is missing, damaged or of another version.
    """
    made_of = record.read(folder)
    if made_of is None or not made_of.keys() >= record.KEPT:
        raise InputError(f"--earlier {folder}: holds no report; give a folder with {record.FILE}.")
    file = folder / per_split.FILE
    if not file.is_file():
        raise InputError(f"--earlier: {file} is missing: write the report again, or leave out --earlier.")
    with parsing(file, "write the report again, or leave out --earlier."):
        texts = pd.read_csv(file, dtype=str, keep_default_na=False)
    absent = [name for name in per_split.COLUMNS if name not in texts]
    if absent:
        raise InputError(
            f"--earlier: {file} has no column {absent[0]}: it is not a table of this version of the suite."
        )
    with parsing(file, "write the report again, or leave out --earlier."):
        return Earlier(file, [_row(row) for row in texts.to_dict("records")], made_of)


def _row(text: Mapping[Any, str]) -> dict[str, Any]:
    """Return a row of the file with the types of the replica frame."""
    numbers = ("fold", *METRICS, "fs_ratio", "best_epoch", "selection_acsa")
    counts = {
        f"rows_{part}": tuple(map(int, filter(None, text[f"rows_{part}"].split("/")))) for part in PARTS
    }
    return {
        **{name: text[name] or None for name in per_split.COLUMNS},
        **{name: float(text[name] or "nan") for name in numbers},
        **{name: int(text[name]) for name in ("seed", "epochs")},
        **{name: {"True": True, "False": False}[text[name]] for name in ("optimistic", "fixed_split")},
        "variant": tuple(filter(None, text["variant"].split("; "))),
        **counts,
    }


def join(frame: pd.DataFrame, replicas: pd.DataFrame, earlier: Earlier) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the results of an earlier report to those of runs.

    Curves, times and numbers of parameters are not kept by a report: they are absent.

    Parameters
    ----------
    frame : DataFrame
        The run frame.
    replicas : DataFrame
        The replica frame.
    earlier : Earlier

    Returns
    -------
    tuple of DataFrame
        Both frames in the order of the tables. A run that the report has too stands there once.

    Raises
    ------
    InputError
        If both have different numbers of one configuration, or a mode of the earlier report is unknown.
    """
    described: dict[Any, dict[Any, Any]] = {
        name: mode.model_dump(include=set(MODE_COLUMNS)) for name, mode in modes().items()
    }
    described |= frame.drop_duplicates("mode").set_index("mode")[list(MODE_COLUMNS)].to_dict("index")
    titles = {name: dataset.title for name, dataset in datasets().items()}
    titles |= dict(zip(frame["dataset"], frame["dataset_title"], strict=True))
    orders = {name: float(dataset.order) for name, dataset in datasets().items()}
    rows = []
    for row in earlier.rows:
        if row["mode"] not in described:
            raise InputError(
                f"{earlier.file}: mode={row['mode']} is not a mode of the suite or of the runs; give the "
                "report its runs."
            )
        dataset = without_version(row["dataset"], row["table_digest"])
        rows.append(
            {
                **row,
                **described[row["mode"]],
                "dataset": dataset,
                "dataset_title": titles.get(dataset, dataset),
                "dataset_order": orders.get(dataset, float("inf")),
                "has_generator": row["gan_type"] is not None,
            }
        )
    kept = with_texts(rows)
    _check_numbers(replicas, kept, earlier.file)
    new = kept[~kept["config_hash"].isin(set(frame["config_hash"]))]
    if new.empty:
        return frame, replicas
    runs = with_texts([_run(group) for _, group in new.groupby("config_hash", sort=False)])
    return in_order(
        pd.concat([frame, runs[[name for name in frame if name in runs]]], ignore_index=True),
        pd.concat([replicas, new[list(replicas)].astype(NULLABLE)], ignore_index=True),
    )


def _run(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the row of the run frame for the splits of one run."""
    first: dict[Any, Any] = rows.iloc[0].to_dict()
    without_value = rows.loc[rows["acsa"].isna(), "na"].fillna(UNDEFINED_METRIC)
    natural_ratio = min(first["rows_train"]) / max(first["rows_train"])
    optimism = float("nan") if first["optimistic"] else (rows["selection_acsa"] - rows["acsa"]).mean()
    return {
        **first,
        "folder": None,
        "seeds": tuple(sorted(set(rows["seed"]))),
        "folds": rows["fold"].nunique(),
        "replicas": len(rows),
        "na": first["na"] if rows["na"].notna().all() else None,
        "reasons_without_value": tuple(dict.fromkeys(without_value)),
        "n": int(rows["acsa"].notna().sum()),
        "natural_ratio": natural_ratio,
        "rate": natural_ratio if pd.isna(first["fs_ratio"]) else first["fs_ratio"],
        **{metric: rows[metric].mean() for metric in METRICS},
        **{f"{metric}_std": rows[metric].std() for metric in METRICS},
        "optimism": optimism,
        "classes": (),
    }


def _check_numbers(replicas: pd.DataFrame, kept: pd.DataFrame, file: Path) -> None:
    """Raise an InputError if a run and the earlier report have different numbers of one configuration."""
    places, numbers = ["config_hash", "seed", "fold"], list(METRICS)
    both = kept[kept["config_hash"].isin(set(replicas["config_hash"]))]
    of_runs = replicas[replicas["config_hash"].isin(set(both["config_hash"]))]
    one, other = (
        table[[*places, *numbers]].astype(dict.fromkeys(["fold", *numbers], float)).sort_values(places)
        for table in (of_runs, both)
    )
    for name, own in one.groupby("config_hash"):
        if not own.reset_index(drop=True).equals(other[other["config_hash"] == name].reset_index(drop=True)):
            raise InputError(
                f"{file} and the runs have different results of one configuration ({name}), such as of two "
                "versions or devices: leave one of them out."
            )
