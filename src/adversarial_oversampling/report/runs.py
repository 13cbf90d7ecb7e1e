"""Finished runs as data frames: one row per run, and one row per replica."""

import logging
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adversarial_oversampling.config.catalogue import ModeDescription, datasets
from adversarial_oversampling.curve_names import monitor
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.results.display import comparison_setting, dataset_label, told_apart, version
from adversarial_oversampling.results.files import CURVES, RESULT, SAMPLES
from adversarial_oversampling.results.read import check_files, read_result, read_table
from adversarial_oversampling.results.schema import METRICS, ReplicaResult, Result

PARTS = ("train", "validation", "test")
UNDEFINED_METRIC = "undefined, as a class has no test rows"
PROTOCOLS = ("holdout", "cv", "paper")
"""Order of the protocols in a report; others follow."""
NOT_RUNS = ("previous", ".new")
"""Folders in which a run keeps a replaced result and one that is being written."""

NULLABLE = {"fold": "Int64", "best_epoch": "Int64"}
"""Columns of the replica frame that hold whole numbers or nothing."""

log = logging.getLogger(__name__)

ResultFile = tuple[Path, Result]
"""A result.json and its content."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    folder : Path
        Folder of its files.
    result : Result
        Its result.json.
    mode_description : ModeDescription
        Description of its mode. Runs of one mode share it: that of the newest run, with a title that no
        other mode of the report has.
    dataset_title : str
        Name of its dataset in tables and figures, which no other dataset of the report has.
    """

    folder: Path
    result: Result
    mode_description: ModeDescription
    dataset_title: str


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
        Ordered by protocol, comparison setting (the larger one first), dataset, mode and fs.
        If several runs have the same configuration and numbers, the newest file counts.

    Raises
    ------
    InputError
        If a path does not exist, a file is missing, damaged or of another version, or two runs of one
        configuration have different numbers.
    """
    newest: dict[str, tuple[float, ResultFile]] = {}
    for file in _files(paths, [folder.resolve() for folder in skip]):
        result, modified = read_result(file), file.stat().st_mtime
        check_files(file.parent, result, whole=(CURVES, SAMPLES))
        known = newest.setdefault(result.config_hash, (modified, (file, result)))
        _check_equal(known[1], (file, result))
        if known[0] < modified:
            newest[result.config_hash] = (modified, (file, result))
    oldest_first = [file for _, file in sorted(newest.values(), key=lambda entry: entry[0])]
    runs = _described(oldest_first)
    return sorted(runs, key=lambda run: _order({**_keys(run), "replicas": len(run.result.replicas)}))


def _files(paths: Sequence[Path], skip: Sequence[Path]) -> list[Path]:
    """Return every result file once, in the order of their paths."""
    files = set()
    for path in paths:
        if path.is_file():
            files.add(path.resolve())
        elif path.is_dir():
            for file in path.rglob(RESULT):
                folders = file.relative_to(path).parts[:-1]
                full = file.resolve()
                # A hidden folder, such as that of the searches of `make recipes`, is not shown.
                hidden = any(folder in NOT_RUNS or folder.startswith(".") for folder in folders)
                if not hidden and not any(full.is_relative_to(folder) for folder in skip):
                    files.add(full)
        else:
            raise InputError(f"{path}: no such file or folder; give folders of runs or {RESULT} files.")
    return sorted(files)


def _check_equal(one: ResultFile, other: ResultFile) -> None:
    """Raise an InputError if two results of one configuration have different numbers."""
    # Notes may say from which other run the numbers were taken.
    one_numbers, other_numbers = (
        (result.table.digest, [replica.model_copy(update={"notes": []}) for replica in result.replicas])
        for _, result in (one, other)
    )
    if one_numbers != other_numbers:
        raise InputError(
            f"{one[0]} and {other[0]} are different results of one configuration "
            f"({one[1].config_hash}), such as of two versions or devices: leave one of them out."
        )


def _described(results: Sequence[ResultFile]) -> list[Run]:
    """Return runs in which every mode has one description and every dataset one title, those of the last."""
    modes = {result.mode: result.mode_description for _, result in results}
    mode_titles = _distinct({name: (mode.title, f"{mode.title} ({name})") for name, mode in modes.items()})
    labels = {dataset_label(result): result for _, result in results}
    dataset_titles = _distinct(
        {
            label: (result.dataset_title + label.removeprefix(result.dataset), label)
            for label, result in labels.items()
        }
    )
    return [
        Run(
            file.parent,
            result,
            modes[result.mode].model_copy(update={"title": mode_titles[result.mode]}),
            dataset_titles[dataset_label(result)],
        )
        for file, result in results
    ]


def _distinct(titles: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return the first title of each name; the second one, which is unique, where another has the same."""
    chosen = {name: first for name, (first, _) in titles.items()}
    while True:
        uses = Counter(chosen.values())
        repeated = {
            name for name, (_, second) in titles.items() if uses[chosen[name]] > 1 and chosen[name] != second
        }
        if not repeated:
            return chosen
        chosen |= {name: titles[name][1] for name in repeated}


@cache
def _dataset_orders() -> dict[str, int]:
    return {name: description.order for name, description in datasets().items()}


def _dataset_order(result: Result) -> float:
    """Return the place of a dataset of the suite; all other tables follow."""
    if dataset_label(result) != result.dataset:
        return float("inf")
    return _dataset_orders().get(result.dataset, float("inf"))


def _order(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    """Return the place of a run in tables, by its columns of the run frame."""
    protocol = row["protocol"]
    return (
        PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS),
        -row["epochs"],  # the larger measurements first
        -row["replicas"],
        row["setting"],
        row["dataset_order"],
        row["dataset"],
        row["order"],
        row["mode"],
        0.0 if pd.isna(row["fs_ratio"]) else row["fs_ratio"],
        row["variant"],
        row["config_hash"],
    )


def in_order(frame: pd.DataFrame, replicas: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the run frame and the replica frame in the order of the tables."""
    rows = frame.to_dict("records")
    frame = frame.iloc[sorted(range(len(rows)), key=lambda i: _order(rows[i]))].reset_index(drop=True)
    places = {name: i for i, name in enumerate(frame["config_hash"])}
    replicas = replicas.sort_values("config_hash", key=lambda hashes: hashes.map(places), kind="stable")
    return frame, replicas.reset_index(drop=True)


def with_unique_labels(frame: pd.DataFrame, replicas: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the run frame and the replica frame with datasets of which no two tables share the label.

    The label and title of own tables of one name, such as two versions of a file, get the start of the
    table's digest ("t (t.csv) #228aeae3"), and a warning is logged.

    Parameters
    ----------
    frame : DataFrame
        The run frame.
    replicas : DataFrame
        The replica frame.

    Returns
    -------
    tuple of DataFrame

    Raises
    ------
    InputError
        If a dataset of the suite has several tables.
    """
    tables = frame.drop_duplicates(["dataset", "table_digest"])
    repeated = tables[tables.duplicated("dataset", keep=False)]
    for name, versions in repeated.groupby("dataset"):
        label = str(name)
        if label in _dataset_orders():
            places = [str(folder) if folder else "the earlier report" for folder in versions["folder"]]
            raise InputError(
                f"{label}: {' and '.join(places)} have results on different tables of this name; leave one "
                "out, or give your own table another dataset.name."
            )
        log.warning(
            "%s: there are results on %d different tables of this name, such as two versions of a file. They "
            "are shown apart, with the start of their digests; give each table its own dataset.name.",
            label,
            len(versions),
        )
    if repeated.empty:
        return frame, replicas

    def labelled(rows: pd.DataFrame) -> pd.DataFrame:
        # Every label has one title.
        names = {name: told_apart(rows[name], rows["table_digest"]) for name in ("dataset", "dataset_title")}
        return rows.assign(**names)

    return in_order(labelled(frame), labelled(replicas))


def without_version(label: str, digest: str) -> str:
    """Return a label of `with_unique_labels` as it was before."""
    return label.removesuffix(version(digest))


def run_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run; metrics are fractions, and NaN where there is none.

    Parameters
    ----------
    runs : sequence of Run

    Returns
    -------
    DataFrame
        Beside the fields of `Result`: `folder` (None for a run of an earlier report); `dataset` (the label,
        unique per table) and `dataset_title`; `published` (the published dataset, with all of its columns);
        `setting` (the comparison setting); `title`, `order`, `origin`, `color` and `linestyle` of the mode;
        `natural_ratio` (smallest to largest class among the training rows of the first replica) and `rate`
        (the same after oversampling); `n` (replicas with a value) and `reasons_without_value` (why the others
        have none); `optimism` (see `_optimism`); `rows_train`, `rows_validation` and `rows_test` (rows per
        class of the first replica).
    """
    rows = []
    for run in runs:
        result = run.result
        rows_per_class = result.replicas[0].rows
        natural_ratio = min(rows_per_class.train) / max(rows_per_class.train)
        row = {"folder": str(run.folder), **_keys(run)}
        row |= {
            "seeds": result.seeds,
            "folds": result.folds or 0,
            "replicas": len(result.replicas),
            "na": result.na,
            "reasons_without_value": tuple(
                dict.fromkeys(
                    replica.na or UNDEFINED_METRIC for replica in result.replicas if replica.acsa is None
                )
            ),
            "n": result.defined.acsa,
            "natural_ratio": natural_ratio,
            "rate": natural_ratio if result.fs_ratio is None else result.fs_ratio,
        }
        for metric in METRICS:
            row[metric] = _number(getattr(result.mean, metric))
            row[f"{metric}_std"] = _number(getattr(result.std, metric))
        row |= {
            "optimism": _optimism(run),
            "settings_compared": result.settings_compared,
            "seconds": float(sum(result.seconds.values())),
            "parameters": sum(result.parameters.values()),
            "classes": tuple(result.classes),
            **{f"rows_{part}": tuple(getattr(rows_per_class, part)) for part in PARTS},
        }
        rows.append(row)
    return with_texts(rows)


def replica_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per replica; metrics are fractions, and NaN where there is none."""
    rows = []
    for run in runs:
        keys = _keys(run)
        for replica in run.result.replicas:
            row = {**keys, "seed": replica.seed, "fold": _number(replica.fold)}
            row |= {metric: _number(getattr(replica, metric)) for metric in METRICS}
            row |= {
                "best_epoch": _number(replica.best_epoch),
                "selection_acsa": _number(replica.selection_acsa),
                "na": replica.na,
            }
            row |= {f"rows_{part}": tuple(getattr(replica.rows, part)) for part in PARTS}
            rows.append(row)
    return with_texts(rows).astype(NULLABLE)


def _keys(run: Run) -> dict[str, Any]:
    """Return the columns that both frames have."""
    result, mode = run.result, run.mode_description
    return {
        "dataset": dataset_label(result),
        "dataset_title": run.dataset_title,
        "dataset_order": _dataset_order(result),
        "published": result.table.published,
        "table_digest": result.table.digest,
        "mode": result.mode,
        "title": mode.title,
        "order": mode.order,
        "origin": mode.origin,
        "color": mode.color,
        "linestyle": mode.linestyle,
        "has_generator": result.gan_type is not None,
        "gan_type": result.gan_type,
        "fs": result.fs,
        "fs_ratio": _number(result.fs_ratio),
        "protocol": result.protocol,
        "select_on": result.select_on,
        "optimistic": result.optimistic,
        "epochs": result.epochs,
        "variant": tuple(result.variant),
        "setting": comparison_setting(result),
        "config_hash": result.config_hash,
        "fixed_split": fixed_split(result),
        "epoch_selection": result.epoch_selection,
    }


def fixed_split(result: Result) -> bool:
    """Return whether every replica has the same test rows, those of the archive."""
    return result.test_size is None and result.folds is None


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def with_texts(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a data frame in which an absent text is None."""
    frame = pd.DataFrame(rows)
    for name in ("gan_type", "published", "na"):
        frame[name] = pd.Series([row[name] for row in rows], dtype=object)
    return frame


def _optimism(run: Run) -> float:
    """Return by how much the choice of the epoch raises ACSA: a mean over replicas, NaN if unknown.

    If test rows choose the epoch, it is the ACSA of the best epoch minus that of the last one. If validation
    rows do, it is ACSA on the validation rows minus ACSA on the test rows.
    """
    result = run.result
    if not result.optimistic:
        unbiased = {_seed_and_fold(replica): replica.acsa for replica in result.replicas}
    elif (run.folder / CURVES).is_file():
        unbiased = _last_epoch(run.folder / CURVES)
    else:
        unbiased = {}
    differences = np.array(
        [
            _number(replica.selection_acsa) - _number(unbiased.get(_seed_and_fold(replica)))
            for replica in result.replicas
        ]
    )
    known = differences[~np.isnan(differences)]
    return float(known.mean()) if len(known) else float("nan")


def _seed_and_fold(replica: ReplicaResult) -> Hashable:
    return (replica.seed, replica.fold)


def _last_epoch(file: Path) -> dict[Hashable, float | None]:
    """Return ACSA on the test rows at the last epoch of every replica, where test rows choose the epoch."""
    column = f"{monitor('test')}/acsa"
    curves = read_table(file)
    if column not in curves:  # a method without epochs
        return {}
    last = curves.sort_values("epoch").drop_duplicates(["seed", "fold"], keep="last")
    return {
        (int(row["seed"]), None if pd.isna(row["fold"]) else int(row["fold"])): float(row[column])
        for row in last.to_dict("records")
    }
