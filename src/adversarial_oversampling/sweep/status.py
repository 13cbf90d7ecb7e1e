"""The status of each job of a sweep: files that can be read wherever jobs run, and tables of them."""

import json
import sys
from collections import Counter
from collections.abc import Collection, Container, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console

from adversarial_oversampling.credentials import masked
from adversarial_oversampling.errors import parsing
from adversarial_oversampling.results.display import comparison
from adversarial_oversampling.results.files import RESULT, write_atomically
from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.results.schema import Result
from adversarial_oversampling.text import count

OUTPUT = "output.log"


@dataclass(frozen=True)
class JobStatus:
    """That a job runs, or how it ended.

    Attributes
    ----------
    job : int
        Its number in the sweep.
    overrides : list of str
        Its settings as given, without those that say where and how it runs.
    folder : str
        Folder of its result and its output.
    status : {"running", "done", "skipped", "pruned", "failed"}
        Skipped: it had finished before this sweep. Pruned: a search has ended it early.
    seconds : float
        What it took, without the start of its process; 0 while it runs.
    reason : str or None
        Why it failed, or when it was pruned.
    warnings : list of str
        Warnings that it logged.
    """

    job: int
    overrides: list[str]
    folder: str
    status: str
    seconds: float = 0.0
    reason: str | None = None
    warnings: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write the status into the sweep's folder."""
        write_atomically(folder / f"{self.job}.json", json.dumps(masked(asdict(self))))

    def result(self) -> Result:
        """Return the result of a job that was done or skipped."""
        return read_result(Path(self.folder) / RESULT)


def read_statuses(folder: Path, ended: Container[int] = ()) -> list[JobStatus]:
    """Return the statuses in a sweep's folder in the order of their jobs, without those of `ended`."""
    files = {int(file.stem): file for file in folder.glob("*.json") if file.stem.isdecimal()}
    statuses = []
    for job in sorted(files):
        if job not in ended:
            with parsing(files[job], "delete it and start the sweep again."):
                statuses.append(JobStatus(**json.loads(files[job].read_text("utf-8"))))
    return statuses


def job_label(status: JobStatus, varied: Collection[str]) -> str:
    """Return the settings that distinguish a job from the others of its sweep."""
    settings = [item for item in status.overrides if item.partition("=")[0].lstrip("+") in varied]
    return " ".join(settings or status.overrides)


def duration(seconds: float) -> str:
    """Return seconds as a short text: "12 s", "3 min" or "1.5 h"."""
    if seconds < 99:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def terminal() -> Console:
    """Return the console for tables, wide where the output is a file."""
    return Console(width=None if sys.stdout.isatty() else 140)


def show_comparison(statuses: Mapping[int, JobStatus]) -> None:
    """Print the results of all jobs as one table."""
    # Jobs that differ only in settings that their mode does not use have one folder, and so one row.
    runs = {status.folder: status for status in statuses.values() if status.status != "failed"}
    if runs:
        terminal().print(comparison([status.result() for status in runs.values()]))


def show_failed(statuses: Mapping[int, JobStatus], varied: Collection[str]) -> None:
    """Print the jobs that failed, with their reasons and the files of their output."""
    failed = [status for status in statuses.values() if status.status == "failed"]
    if failed:
        print(f"{len(failed)} of {count(len(statuses), 'job')} failed")
    for status in failed:
        print(f"  {job_label(status, varied)}: {status.reason}\n    {Path(status.folder) / OUTPUT}")


def show_warnings(statuses: Mapping[int, JobStatus]) -> None:
    """Print each warning that jobs have logged once, with the number of jobs."""
    jobs = Counter(warning for status in statuses.values() for warning in dict.fromkeys(status.warnings))
    for warning, number in jobs.items():
        print(f"Warning in {number} of {len(statuses)} jobs: {warning}")
