"""Write a report of finished runs: the command `python -m adversarial_oversampling.report`."""

import argparse
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pandas as pd

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.guard import guard
from adversarial_oversampling.report import (
    ablations,
    claims,
    earlier,
    figures,
    page,
    per_split,
    proposed,
    record,
    render,
    statistics,
    tables,
    verdict,
)
from adversarial_oversampling.report.common import SECTIONS, Table
from adversarial_oversampling.report.figures import Picture
from adversarial_oversampling.report.runs import load, replica_frame, run_frame, with_unique_labels
from adversarial_oversampling.text import count, one_line, user_path

PAGE, DOCUMENT = "index.html", "report.md"
TABLES, FIGURES = "tables", "figures"
CONTENT = (PAGE, DOCUMENT, record.FILE, per_split.FILE, claims.FILE, ablations.FILE, TABLES, FIGURES)
"""Files and folders of a report."""
SUMMARY_TABLES = (
    "verdict",
    "mean-ranks",
    "claims",
    "table-2",
    "differences_ao_do",
    "peers",
    "fs",
    "ablations",
    "ranks",
)
SUMMARY_PICTURES = ("against", "modes", "ablations", "fs")
SUMMARY = (
    record.FILE,
    per_split.FILE,
    claims.FILE,
    ablations.FILE,
    *(f"{TABLES}/{name}-*.csv" for name in SUMMARY_TABLES),
    *(f"{FIGURES}/{name}-*.{kind}" for name in SUMMARY_PICTURES for kind in ("png", "svg")),
)
"""Files of a report that are small enough for a repository, as patterns; pictures for a light page only."""
SUMMARY_PAGE = "README.md"

N = TypeVar("N", Table, Picture)


@dataclass(frozen=True)
class Report:
    """A report that has been written.

    Attributes
    ----------
    folder : Path
    tables : sequence of Table
    pictures : sequence of Picture
    """

    folder: Path
    tables: Sequence[Table]
    pictures: Sequence[Picture]


def write_report(paths: Sequence[Path], output: Path, also: Path | None = None) -> Report:
    """Write a report of finished runs into a folder, which appears when the report is complete.

    Parameters
    ----------
    paths : sequence of Path
        Folders of runs, or result.json files.
    output : Path
        Folder of the report. An older report there is replaced.
    also : Path, optional
        Folder of an earlier report, or of its summary, whose results are shown beside those of the runs.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If there are no runs, a result cannot be read, the folder holds something other than a report, or the
        earlier report does not fit.
    """
    output = output.resolve()
    if output.exists() and not _is_report(output):
        raise InputError(f"--output {output}: exists and is not a report; choose another folder.")
    when = datetime.now(UTC)
    runs = load(paths, skip=[output])
    if not runs:
        raise InputError(f"no result.json in {', '.join(map(str, paths))}: give folders of finished runs.")
    frame, replicas = run_frame(runs), replica_frame(runs)
    made_of = record.record(runs, paths, output, when)
    if also is not None:
        older = earlier.read(also)
        frame, replicas = earlier.join(frame, replicas, older)
        made_of = record.joined(made_of, older.made_of, frame)
    frame, replicas = with_unique_labels(frame, replicas)
    print(f"{count(len(frame), 'run')}. Tables and statistics ...", flush=True)
    rankings = statistics.rankings(frame)
    assessed, ablated = claims.assessed_settings(replicas), ablations.ablations(replicas)
    all_tables = with_unique_names(
        [
            *verdict.tables(frame, replicas),
            *claims.tables(frame, assessed),
            *tables.table_2(frame),
            *proposed.tables(frame, replicas),
            *tables.peers(frame),
            *tables.fs_sweep(frame),
            *ablations.tables(ablated, frame),
            *statistics.tables(frame, replicas, rankings),
            *tables.long_table(frame),
        ]
    )
    ranks = {
        ranking.setting: ranking.result
        for ranking in rankings
        if ranking.metric == "acsa" and ranking.result is not None
    }
    pictures = with_unique_names(
        figures.pictures(frame, replicas, ranks, ablated, verdict.main_settings(frame))
    )

    with _temporary_folder(output) as temporary:
        new = Path(temporary) / "new"
        (new / TABLES).mkdir(parents=True)
        (new / FIGURES).mkdir()
        write_tables(new / TABLES, all_tables, frame)
        per_split.per_split(replicas).to_csv(new / per_split.FILE, index=False)
        claims.csv_frame(assessed).to_csv(new / claims.FILE, index=False)
        ablations.csv_frame(ablated).to_csv(new / ablations.FILE, index=False)
        (new / record.FILE).write_text(json.dumps(made_of, indent=2) + "\n", "utf-8")
        for i, picture in enumerate(pictures, 1):
            print(f"Picture {i} of {len(pictures)}: {picture.title}", flush=True)
            figures.save(picture, new / FIGURES)
        (new / DOCUMENT).write_text(document(all_tables, pictures), "utf-8")
        page.write(new / PAGE, all_tables, pictures, frame, made_of, output, when)
        if output.exists():
            os.replace(output, Path(temporary) / "old")
        os.replace(new, output)
    return Report(output, all_tables, pictures)


def with_unique_names(items: Sequence[N]) -> list[N]:
    """Return tables or pictures of which no two have one file name: repeated names get a number."""
    used: set[str] = set()
    renamed = []
    for item in items:
        name, number = item.name, 2
        while name in used:
            name, number = f"{item.name}-{number}", number + 1
        used.add(name)
        renamed.append(replace(item, name=name))
    return renamed


def _temporary_folder(output: Path) -> "tempfile.TemporaryDirectory[str]":
    """Return a temporary folder on the disk of the output, so that the report is moved in one step."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent)
    except OSError as error:
        raise InputError(
            f"--output {output}: cannot be written ({error.strerror}); choose another folder."
        ) from error


def _is_report(folder: Path) -> bool:
    """Return whether a folder is empty, or holds a report and nothing else."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    return not names or (names <= set(CONTENT) and record.read(folder) is not None)


def default_output(paths: Sequence[Path]) -> Path:
    """Return the folder `report` in the first folder of runs.

    Raises
    ------
    InputError
        If it holds the report of other runs.
    """
    first = paths[0]
    output = (first if first.is_dir() else first.parent) / "report"
    made_of = record.read(output)
    if made_of is not None and made_of.get("runs_from") != record.runs_from(paths, output):
        raise InputError(f"{output}: holds the report of other runs; give a folder with --output.")
    return output


def write_summary(made: Report, folder: Path) -> None:
    """Copy the small files of a report into a folder for a repository, in place of those of an older one.

    A page in Markdown, which shows these tables and pictures, is written too.
    """
    report = made.folder
    all_tables = [table for table in made.tables if table.name.startswith(SUMMARY_TABLES)]
    pictures = [picture for picture in made.pictures if picture.name.startswith(SUMMARY_PICTURES)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SUMMARY_PAGE).write_text(document(all_tables, pictures), "utf-8")
        for pattern in SUMMARY:
            for old in folder.glob(pattern):
                old.unlink()
            for file in report.glob(pattern):
                if not file.stem.endswith(f"-{figures.DARK.name}"):
                    copy = folder / file.relative_to(report)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, copy)
    except OSError as error:
        raise InputError(f"--summary {folder}: cannot be written ({error.strerror}).") from error


def write_tables(folder: Path, all_tables: Sequence[Table], frame: pd.DataFrame) -> None:
    """Write every table as CSV and LaTeX, and the run frame as CSV."""
    for table in all_tables:
        (folder / f"{table.name}.csv").write_text(render.csv(table), "utf-8")
        (folder / f"{table.name}.tex").write_text(render.latex(table), "utf-8")
    render.plain(frame).to_csv(folder / "runs.csv", index=False)


def document(all_tables: Sequence[Table], pictures: Sequence[Picture]) -> str:
    """Return all tables and pictures as one Markdown document."""
    parts = ["# Report\n"]
    for section, heading in SECTIONS.items():
        blocks = [render.markdown(table) for table in all_tables if table.section == section]
        blocks += [_picture_block(picture) for picture in pictures if picture.section == section]
        if blocks:
            parts += [f"## {heading}\n", *blocks]
    return "\n".join(parts)


def _picture_block(picture: Picture) -> str:
    png, _ = figures.files(picture, figures.LIGHT)
    return f"### {picture.title}\n\n![{picture.title}](figures/{png})\n\n{picture.caption}\n"


@guard()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m adversarial_oversampling.report",
        description="Write tables, figures and statistics of finished runs, and one page with all of them.",
    )
    parser.add_argument(
        "runs", nargs="+", type=user_path, metavar="RUNS", help="folders of runs, or their result.json"
    )
    parser.add_argument(
        "--output",
        type=user_path,
        metavar="FOLDER",
        help="folder of the report; default: the folder report in the first of RUNS",
    )
    parser.add_argument(
        "--summary",
        type=user_path,
        metavar="FOLDER",
        help="also copy the small files of the report (numbers as CSV, pictures) to this folder",
    )
    parser.add_argument(
        "--earlier",
        type=user_path,
        metavar="FOLDER",
        help="also show the results of the report, or of its summary, in this folder",
    )
    parser.add_argument(
        "--wandb",
        metavar="PROJECT",
        help="also log the report to this Weights & Biases project, PROJECT or ENTITY/PROJECT",
    )
    options = parser.parse_intermixed_args(arguments)  # runs on both sides of an option
    report = write_report(options.runs, options.output or default_output(options.runs), options.earlier)
    if options.summary:
        write_summary(report, options.summary)
    print(f"The report's page: {report.folder / PAGE}")
    if options.wandb:
        log_to_wandb(report, options.wandb)


def log_to_wandb(report: Report, project: str) -> None:
    """Log a report that has been written; raise an InputError if Weights & Biases fails."""
    from adversarial_oversampling.report.tracking import log_report  # slow to import

    logging.basicConfig(format="%(message)s")
    logging.getLogger("adversarial_oversampling").setLevel(logging.INFO)
    try:
        log_report(report.folder, report.tables, report.pictures, project)
    except Exception as error:
        raise InputError(f"the report is written, but Weights & Biases fails: {one_line(error)}") from error


if __name__ == "__main__":
    main()
