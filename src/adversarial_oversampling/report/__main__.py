"""Write a report of finished runs: the command `python -m adversarial_oversampling.report`."""

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pandas as pd

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.report import figures, page, per_split, render, statistics, tables
from adversarial_oversampling.report.common import SECTIONS, Table
from adversarial_oversampling.report.figures import Picture
from adversarial_oversampling.report.runs import load, replica_frame, run_frame
from adversarial_oversampling.text import count

PAGE, DOCUMENT = "index.html", "report.md"

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


def write_report(paths: Sequence[Path], output: Path) -> Report:
    """Write a report of finished runs into a folder, which appears when the report is complete.

    Parameters
    ----------
    paths : sequence of Path
        Folders of runs, or result.json files.
    output : Path
        Folder of the report. An older report there is replaced.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If there are no runs, a result cannot be read, or the folder holds something other than a report.
    """
    output = output.resolve()
    if output.exists() and not _is_report(output):
        raise InputError(f"--output {output}: exists and is not a report; choose another folder.")
    runs = load(paths, skip=[output])
    if not runs:
        raise InputError(f"no result.json in {', '.join(map(str, paths))}: give folders of finished runs.")
    print(f"{count(len(runs), 'run')}. Tables and statistics ...", flush=True)
    frame, replicas = run_frame(runs), replica_frame(runs)
    rankings = statistics.rankings(frame)
    all_tables = with_unique_names(
        [
            *tables.table_2(frame),
            *tables.peers(frame),
            *tables.selected_columns(frame),
            *tables.fs_sweep(frame),
            *statistics.tables(frame, replicas, rankings),
            *tables.long_table(frame),
        ]
    )
    ranks = {
        ranking.setting: ranking.result
        for ranking in rankings
        if ranking.metric == "acsa" and ranking.result is not None
    }
    pictures = with_unique_names(figures.pictures(frame, replicas, ranks))

    with _temporary_folder(output) as temporary:
        new = Path(temporary) / "new"
        (new / "tables").mkdir(parents=True)
        (new / "figures").mkdir()
        write_tables(new / "tables", all_tables, frame)
        per_split.per_split(replicas).to_csv(new / per_split.FILE, index=False)
        for i, picture in enumerate(pictures, 1):
            print(f"Picture {i} of {len(pictures)}: {picture.title}", flush=True)
            figures.save(picture, new / "figures")
        (new / DOCUMENT).write_text(document(all_tables, pictures))
        page.write(new / PAGE, all_tables, pictures, frame, runs)
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
    return folder.is_dir() and ((folder / DOCUMENT).is_file() or not any(folder.iterdir()))


def write_tables(folder: Path, all_tables: Sequence[Table], frame: pd.DataFrame) -> None:
    """Write every table as CSV and LaTeX, and the run frame as CSV."""
    for table in all_tables:
        (folder / f"{table.name}.csv").write_text(render.csv(table))
        (folder / f"{table.name}.tex").write_text(render.latex(table))
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m adversarial_oversampling.report",
        description="Write tables, figures and statistics of finished runs, and one page with all of them.",
    )
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUNS", help="folders of runs, or their result.json"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="folder of the report; default: RUNS/report for a single folder, else multirun/report",
    )
    parser.add_argument(
        "--wandb",
        metavar="PROJECT",
        help="also log the report to this Weights & Biases project, PROJECT or ENTITY/PROJECT",
    )
    options = parser.parse_args(arguments)
    single = options.runs[0] if len(options.runs) == 1 and options.runs[0].is_dir() else Path("multirun")
    try:
        report = write_report(options.runs, options.output or single / "report")
    except InputError as error:
        sys.exit(f"Error: {error}")
    print(f"The report's page: {report.folder / PAGE}")
    if options.wandb:
        log_to_wandb(report, options.wandb)


def log_to_wandb(report: Report, project: str) -> None:
    """Log a report that has been written; exit with 1 if Weights & Biases fails."""
    from adversarial_oversampling.report.tracking import log_report  # slow to import

    logging.basicConfig(format="%(message)s")
    logging.getLogger("adversarial_oversampling").setLevel(logging.INFO)
    try:
        log_report(report.folder, report.tables, report.pictures, project)
    except Exception as error:
        sys.exit(f"Error: the report is written, but Weights & Biases fails: {error}")


if __name__ == "__main__":
    main()
