"""Compare the numbers of finished runs before and after a change, bit for bit.

    python benchmarks/compare_numbers.py FOLDER_BEFORE FOLDER_AFTER
    python benchmarks/compare_numbers.py docs/results multirun

Runs are paired by dataset, mode, protocol, gan_type, fs, seeds and folds. For each pair, the values, columns
and types of predictions.parquet and curves.parquet are compared. Results of any schema version are accepted.
Each difference is printed as a line; the exit code is 1 if there is any.

FOLDER_BEFORE may be the summary of a report, such as docs/results, which has the metrics and the best epoch
of every seed. Then a line for every run of FOLDER_AFTER says in how many seeds they are equal.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adversarial_oversampling.report.per_split import FILE as SUMMARY
from adversarial_oversampling.results.schema import METRICS
from adversarial_oversampling.text import count

FILES = ("predictions.parquet", "curves.parquet")
NUMBERS = (*METRICS, "best_epoch", "selection_acsa")
KEYS = ("dataset", "mode", "protocol", "gan_type", "fs")
Run = tuple[Any, ...]


def find_runs(folder: Path) -> dict[Run, Path]:
    """Return the folder of every finished run in a folder; exit if two runs cannot be told apart."""
    runs: dict[Run, Path] = {}
    for run, place, _ in finished(folder):
        if run in runs:
            sys.exit(f"Error: {runs[run]} and {place} are both runs of {label(run)}; keep one of them.")
        runs[run] = place
    return runs


def finished(folder: Path) -> list[tuple[Run, Path, dict[str, Any]]]:
    """Return every finished run in a folder with its own folder and its result; exit if there is none.

    Results that a later training replaced, in folders named `previous`, and hidden folders are left out.
    """
    runs = []
    for file in sorted(folder.rglob("result.json")):
        parts = file.relative_to(folder).parts
        if "previous" in parts or any(part.startswith(".") for part in parts):
            continue
        try:
            result = _read_json(file)
            splits = tuple((replica["seed"], replica["fold"]) for replica in result["replicas"])
            runs.append(((*(result[key] for key in KEYS), splits), file.parent, result))
        except (OSError, ValueError, KeyError, TypeError) as error:
            sys.exit(f"Error: {file}: not a result of this suite ({type(error).__name__}: {error}).")
    if not runs:
        sys.exit(f"Error: {folder} has no result.json; give a folder of finished runs.")
    return runs


def label(run: Run) -> str:
    """Return a run's identity as text."""
    *values, splits = run
    seeds = sorted({seed for seed, _ in splits})
    return ", ".join([*(str(value) for value in values if value is not None), f"seeds {seeds}"])


def run_differences(before: Path, after: Path) -> Iterator[str]:
    """Yield a line for each difference between the Parquet files of two runs."""
    for name in FILES:
        old, new = before / name, after / name
        if old.exists() != new.exists():
            yield f"{name}: only {'before' if old.exists() else 'after'}"
        elif old.exists():
            for line in table_differences(pq.read_table(old), pq.read_table(new)):
                yield f"{name}: {line}"


def table_differences(before: pa.Table, after: pa.Table) -> Iterator[str]:
    """Yield a line for each difference between two tables."""
    for column in before.column_names:
        if column not in after.column_names:
            yield f"{column}: only before"
    for column in after.column_names:
        if column not in before.column_names:
            yield f"{column}: only after"
    if before.num_rows != after.num_rows:
        yield f"{before.num_rows} rows before, {after.num_rows} after"
        return
    for column in before.column_names:
        if column in after.column_names:
            yield from _column_differences(column, before[column], after[column])


def _column_differences(name: str, before: pa.ChunkedArray, after: pa.ChunkedArray) -> Iterator[str]:
    if before.type != after.type:
        yield f"{name}: type {before.type} before, {after.type} after"
        return
    differs = np.asarray(before.is_null()) != np.asarray(after.is_null())
    if pa.types.is_floating(before.type):
        differs |= _bits(before) != _bits(after)
    else:
        pairs = zip(before.to_pylist(), after.to_pylist(), strict=True)
        differs |= np.array([old != new for old, new in pairs], dtype=bool)
    if differs.any():
        row = int(np.argmax(differs))
        yield (
            f"{name}: {int(differs.sum())} of {len(differs)} values differ; "
            f"row {row} has {before[row]} before, {after[row]} after"
        )


def _bits(column: pa.ChunkedArray) -> np.ndarray:
    """Return the bits of floating-point numbers as integers: -0.0 differs from 0.0, and NaN equals NaN."""
    values = np.ascontiguousarray(column.fill_null(0).to_numpy())
    return values.view(f"u{values.itemsize}")


def _read_json(file: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(file.read_text())
    return result


def _acsa(folder: Path) -> str:
    value = _read_json(folder / "result.json")["mean"]["acsa"]
    return "none" if value is None else f"{100 * value:.2f} %"


def compare_with_summary(summary: Path, folder: Path) -> int:
    """Print in how many seeds each run has the numbers of a summary; return the exit code."""
    with (summary / SUMMARY).open(newline="") as file:
        known = {_split(row): _numbers(row) for row in csv.DictReader(file)}
    differing, compared, others = 0, 0, 0
    for run, _, result in finished(folder):
        pairs = [
            (known.get(_split({**replica, "config_hash": result["config_hash"]})), _numbers(replica))
            for replica in result["replicas"]
        ]
        if all(before is None for before, _ in pairs):
            others += 1
            continue
        compared += 1
        equal = sum(before == after for before, after in pairs)
        differing += equal < len(pairs)
        name = "; ".join([label(run), *result["variant"]])
        print(f"{name}: {equal} of {len(pairs)} equal")
    if others:
        print(f"Not in {summary / SUMMARY}: {count(others, 'run')}.")
    return _conclude(differing, compared) if compared else 1


def _split(row: Mapping[str, Any]) -> tuple[str, int, int | None]:
    """Return the configuration, the seed and the fold of a row of a summary, or of a replica."""
    fold = None if row["fold"] in ("", None) else int(row["fold"])
    return row["config_hash"], int(row["seed"]), fold


def _numbers(row: Mapping[str, Any]) -> list[float | None]:
    """Return the numbers of a row of a summary, or of a replica; None for an absent one."""
    return [None if row[name] in ("", None) else float(row[name]) for name in NUMBERS]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("before", type=Path, help="folder of runs of the code before the change")
    parser.add_argument("after", type=Path, help="folder of the same runs after it")
    arguments = parser.parse_args()
    if (arguments.before / SUMMARY).is_file():
        return compare_with_summary(arguments.before, arguments.after)
    before, after = find_runs(arguments.before), find_runs(arguments.after)
    differing = 0
    for run in dict.fromkeys([*before, *after]):
        if run not in after or run not in before:
            lines = [f"only {'before' if run in before else 'after'}"]
        else:
            lines = list(run_differences(before[run], after[run]))
            if lines:
                lines.append(f"mean ACSA {_acsa(before[run])} before, {_acsa(after[run])} after")
        differing += bool(lines)
        for line in lines:
            print(f"{label(run)}: {line}")
    return _conclude(differing, len(before | after))


def _conclude(differing: int, runs: int) -> int:
    """Print how many runs differ, and return the exit code."""
    print(f"{differing} of {runs} runs differ." if differing else f"{runs} runs, all equal bit for bit.")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
