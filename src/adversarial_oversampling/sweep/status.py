"""What became of the jobs of a sweep: files that can be followed wherever jobs run, and tables."""

import json
import sys
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adversarial_oversampling.results import read as results

OUTPUT = "output.log"


@dataclass(frozen=True)
class Fate:
    """What became of one job.

    Attributes
    ----------
    job : int
        Its number in the sweep.
    overrides : list of str
        Its settings as given, less those that say where and how it runs.
    folder : str
        Where its result and its output lie.
    status : {"done", "kept", "failed"}
        Kept: it had finished before this sweep.
    seconds : float
    reason : str or None
        Why it failed.
    warnings : list of str
        What it has warned of.
    """

    job: int
    overrides: list[str]
    folder: str
    status: str
    seconds: float
    reason: str | None = None
    warnings: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Leave the fate in the sweep's folder."""
        results.write_whole(folder / f"{self.job}.json", json.dumps(asdict(self)))

    def result(self) -> dict[str, Any]:
        """What a job that did not fail has left."""
        found: dict[str, Any] = json.loads((Path(self.folder) / results.RESULT).read_text())
        return found


def read(folder: Path, known: Mapping[int, Fate]) -> list[Fate]:
    """The fates in a sweep's folder that are not known yet, in the order of their jobs."""
    files = {int(file.stem): file for file in folder.glob("[0-9]*.json")}
    return [Fate(**json.loads(files[job].read_text())) for job in sorted(files.keys() - known.keys())]


def settings(fate: Fate, varied: Collection[str]) -> str:
    """What sets a job apart from the others of its sweep."""
    apart = [one for one in fate.overrides if one.partition("=")[0].lstrip("+") in varied]
    return " ".join(apart or fate.overrides)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 99:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def terminal() -> Console:
    """Where tables go; a file takes wide lines."""
    return Console(width=None if sys.stdout.isatty() else 140)


def show(fates: Mapping[int, Fate]) -> None:
    """Print the comparison of all jobs."""
    table = Table(title="The sweep", caption="mean ± standard deviation over replicas, in percent")
    for name in ("dataset", "measured by", "what"):
        table.add_column(name, overflow="fold")
    for name in ("ACSA", "GM"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = []
    # A run that is several jobs' is one row: settings that mean nothing to a mode make no other run of it.
    for fate in {fate.folder: fate for _, fate in sorted(fates.items())}.values():
        if fate.status != "failed":
            result = fate.result()
            scores = ["NA"] * 2
            if result["na"] is None:
                scores = [results.spread(result, name) for name in ("acsa", "g_mean")]
            rows.append(
                [results.table_name(result), results.harness(result), results.played(result), *scores]
            )
    for row in sorted(rows, key=lambda row: row[:2]):
        table.add_row(*map(escape, row))
    if rows:
        terminal().print(table)


def show_failed(fates: Mapping[int, Fate], varied: Collection[str]) -> None:
    """Print the jobs that failed, with their reasons and where their output lies."""
    failed = [fate for fate in fates.values() if fate.status == "failed"]
    if failed:
        print(f"{len(failed)} of {len(fates)} jobs failed")
    for fate in failed:
        print(f"  {settings(fate, varied)}: {fate.reason}\n    {Path(fate.folder) / OUTPUT}")


def show_warnings(fates: Mapping[int, Fate]) -> None:
    """Print what jobs have warned of, each thing once."""
    counts = Counter(warning for fate in fates.values() for warning in fate.warnings)
    for warning, jobs in counts.items():
        print(f"Warning of {jobs} of {len(fates)} jobs: {warning}")
