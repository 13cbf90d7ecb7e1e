"""What all benchmarks share: child processes, alternated repeats, generated tables, figures and their report.

Nothing slow is imported here, so that a process that only starts others stays small.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from adversarial_oversampling.config.resources import processor

FOLDER = Path(__file__).parent
PACKAGES = (
    "adversarial-oversampling",
    "torch",
    "pytorch-lightning",
    "numpy",
    "scikit-learn",
    "imbalanced-learn",
    "lightgbm",
    "ctgan",
)
NO_GPU = 2
"""Exit code of a benchmark that needs a GPU where there is none."""


@dataclass(frozen=True)
class Figure:
    """A measured number.

    Attributes
    ----------
    name : str
        What was measured.
    value : float
        The median over repeats.
    unit : str
        "" for a ratio.
    low, high : float
        The smallest and the largest value over repeats.
    target : float, optional
        The value should be at most this.
    note : str
        Anything to know beside the number.
    """

    name: str
    value: float
    unit: str
    low: float
    high: float
    target: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None if there is none."""
        return None if self.target is None else self.value <= self.target


def figure(
    name: str, values: Sequence[float], unit: str = "", target: float | None = None, note: str = ""
) -> Figure:
    """Summarize the repeats of a measurement."""
    return Figure(name, median(values), unit, min(values), max(values), target, note)


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Divide pairwise: both numbers of a pair come from the same repeat."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def alternate(measurements: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Take the measurements in turn, again and again, so that all of them have the same conditions."""
    values: dict[str, list[float]] = {name: [] for name in measurements}
    for _ in range(repeats):
        for name, take in measurements.items():
            values[name].append(take())
    return values


@dataclass(frozen=True)
class Finished:
    """A child process that has ended: its CPU seconds, its exit code, its standard output and error."""

    cpu_seconds: float
    code: int
    output: str
    errors: str


def run_child(*arguments: str) -> Finished:
    """Run Python with some arguments and return its CPU seconds, those of its own children included."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([sys.executable, *arguments], stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)  # as `wait`, and returns what the child used
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in output, errors:
            file.seek(0)
        return Finished(usage.ru_utime + usage.ru_stime, process.returncode, output.read(), errors.read())


def run_json(script: str, *arguments: str) -> dict[str, Any]:
    """Run a script of this folder in a fresh process and return the JSON of its last line.

    Raises
    ------
    RuntimeError
        If the script fails.
    """
    done = run_child(str(FOLDER / script), *arguments)
    if done.code:
        raise RuntimeError(f"{script} {' '.join(arguments)}: exit code {done.code}\n{done.errors}")
    numbers: dict[str, Any] = json.loads(done.output.splitlines()[-1])
    return numbers


def write_table(file: Path, rows: int, columns: int = 10, classes: int = 2) -> list[str]:
    """Write a generated table as CSV and return the overrides with which the suite reads it.

    Every class is normal around a centre of its own; the first has three times as many rows as each other.
    """
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv

    rng = np.random.default_rng(0)
    shares = np.array([3] + [1] * (classes - 1))
    y = np.repeat(np.arange(classes), np.ceil(rows * shares / shares.sum()).astype(int))[:rows]
    x = (rng.normal(size=(classes, columns))[y] + rng.normal(size=(rows, columns))).round(3)
    csv.write_csv(pa.table({**{f"x{i}": x[:, i] for i in range(columns)}, "class": y}), file)
    return ["dataset=table", f"dataset.path={file}", "dataset.target=class"]


def machine() -> dict[str, Any]:
    """Describe the machine, and how busy it is."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_average": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that matter; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def report(part: str, figures: Sequence[Figure], seconds: float) -> dict[str, Any]:
    """Return what a benchmark writes as JSON."""
    return {
        "part": part,
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "machine": machine(),
        "versions": versions(),
        "figures": [asdict(figure) | {"met": figure.met} for figure in figures],
    }


def table(figures: Sequence[Figure]) -> str:
    """Return figures as lines of text: value, spread over repeats, and target."""
    width = max(len(figure.name) for figure in figures)
    lines = []
    for figure in figures:
        target = "" if figure.target is None else f"at most {figure.target:.3g}: "
        target += {None: "", True: "met", False: "missed"}[figure.met]
        spread = f"{figure.low:.3g} to {figure.high:.3g}" if figure.low < figure.high else ""
        value = f"{figure.value:9.3g} {figure.unit:4}"
        lines.append(
            f"{figure.name:{width}} {value} {spread:18} {'  '.join(filter(None, (target, figure.note)))}"
        )
    return "\n".join(line.rstrip() for line in lines)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the arguments that all benchmarks have."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="smaller and with fewer repeats")
    made.add_argument("--output", type=Path, help="JSON file to write")
    return made


def finish(part: str, arguments: argparse.Namespace, measure: Callable[[], Sequence[Figure]]) -> None:
    """Measure, print the figures and write them to the JSON file if one is given."""
    started = time.perf_counter()
    figures = measure()
    print(table(figures), flush=True)
    if arguments.output is not None:
        write_json(arguments.output, report(part, figures, time.perf_counter() - started))


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write a report, and make its folder if there is none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n")
