"""What a report was made of: runs, settings, versions, devices and commands, as `report.json`."""

import json
import math
import os
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.report.runs import Run
from adversarial_oversampling.results.display import comparison_setting
from adversarial_oversampling.results.files import OVERRIDES

FILE = "report.json"
MADE_BY = "adversarial_oversampling.report"
KEPT = {"versions", "devices", "threads", "commands"}
"""What a later report takes over (`joined`)."""
NOT_IN_COMMANDS = ("sweep.", "paths.", "hydra.", "hydra/", "launcher", "trainer.enable_progress_bar", "rerun")
"""Overrides that shape no result, or that hold only on one machine."""


def record(runs: Sequence[Run], paths: Sequence[Path], folder: Path, when: datetime) -> dict[str, Any]:
    """Return what a report was made of.

    Parameters
    ----------
    runs : sequence of Run
    paths : sequence of Path
        The arguments of the command.
    folder : Path
        Folder of the report.
    when : datetime

    Returns
    -------
    dict
        made_by; written (the time); runs_from (the arguments, seen from the folder); runs (their number);
        settings (runs of each comparison setting); versions, devices and threads of the runs; commands that
        repeat them.
    """
    return {
        "made_by": MADE_BY,
        "written": when.isoformat(timespec="seconds"),
        "runs_from": runs_from(paths, folder),
        "runs": len(runs),
        "settings": dict(Counter(comparison_setting(run.result) for run in runs)),
        "versions": versions(run.result.versions for run in runs),
        "devices": list(dict.fromkeys(run.result.device for run in runs)),
        "threads": sorted({run.result.threads for run in runs}),
        "commands": commands(run.folder for run in runs),
    }


def joined(made_of: Mapping[str, Any], earlier: Mapping[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """Return what a report was made of that also shows the results of an earlier one.

    Parameters
    ----------
    made_of, earlier : mapping
        The records of both.
    frame : DataFrame
        The run frame of all results.
    """
    return {
        **made_of,
        "runs": len(frame),
        "settings": dict(Counter(frame["setting"])),
        "versions": versions([made_of["versions"], earlier["versions"]]),
        "devices": list(dict.fromkeys([*made_of["devices"], *earlier["devices"]])),
        "threads": sorted({*made_of["threads"], *earlier["threads"]}),
        "commands": list(dict.fromkeys([*earlier["commands"], *made_of["commands"]])),
    }


def runs_from(paths: Sequence[Path], folder: Path) -> list[str]:
    """Return the arguments of the command as paths that start at the folder of the report."""
    return sorted({os.path.relpath(path.resolve(), folder.resolve()) for path in paths})


def read(folder: Path) -> dict[str, Any] | None:
    """Return the record of the report in a folder; None if it holds no report."""
    content = None
    with suppress(InputError), parsing(folder / FILE, "another report is written."):
        content = json.loads((folder / FILE).read_text("utf-8"))
    return content if isinstance(content, dict) and content.get("made_by") == MADE_BY else None


def versions(used: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the versions of packages that runs or reports used; several where they differ."""
    union: dict[str, dict[str, None]] = {}
    for one in used:
        for name, texts in one.items():
            union.setdefault(name, {}).update(dict.fromkeys(texts.split(", ")))
    return {name: ", ".join(all_versions) for name, all_versions in union.items()}


def commands(folders: Iterable[Path]) -> list[str]:
    """Return commands that repeat runs, from the overrides that they keep in their folders.

    The jobs of a sweep are one command if they are all combinations of the values that occur.
    """
    sweeps: dict[str, list[dict[str, str]]] = {}
    for folder in folders:
        if not (folder / OVERRIDES).is_file():
            continue
        with parsing(folder / OVERRIDES, "train the run again with rerun=true, or delete this file."):
            given = list(map(str, yaml.safe_load((folder / OVERRIDES).read_text("utf-8"))))
        pairs = [text.partition("=")[::2] for text in given]
        name = dict(pairs).get("sweep.name", str(folder))
        sweeps.setdefault(name, []).append(
            {key: value for key, value in pairs if not key.startswith(NOT_IN_COMMANDS)}
        )
    return list(dict.fromkeys(line for jobs in sweeps.values() for line in _commands(jobs)))


def _commands(jobs: Sequence[Mapping[str, str]]) -> list[str]:
    values: dict[str, dict[str, None]] = {}
    for job in jobs:
        for key, value in job.items():
            values.setdefault(key, {})[value] = None
    combinations = math.prod(map(len, values.values()))
    distinct = {tuple(sorted(job.items())) for job in jobs}
    if len(jobs) > 1 and len(distinct) == combinations and all(job.keys() == values.keys() for job in jobs):
        return [_command({key: ",".join(chosen) for key, chosen in values.items()}, sweep=True)]
    return [_command(job) for job in jobs]


def _command(overrides: Mapping[str, str], sweep: bool = False) -> str:
    words = ["-m"] * sweep + [f"{key}={value}" if value else key for key, value in overrides.items()]
    return f"python -m adversarial_oversampling.train {shlex.join(words)}"
