"""Make a report of finished runs: the command `python -m adversarial_oversampling.report`."""

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.report import figures, page, statistics, tables
from adversarial_oversampling.report.runs import load, replica_frame, run_frame
from adversarial_oversampling.report.tables import Table

PAGE, DOCUMENT = "index.html", "report.md"
HEADINGS = {
    "results": "Results",
    "modes": "Methods side by side",
    "fs": "Oversampling rates",
    "statistics": "Statistics",
    "rows": "Real and generated rows",
    "curves": "Training curves",
    "runs": "Every run",
}


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
    pictures: Sequence[figures.Picture]


def make(paths: Sequence[Path], output: Path) -> Report:
    """Write the report of some runs into a folder, which appears when everything is there.

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
        raise InputError(
            f"--output {output}: something other than a report lies there; choose another folder."
        )
    runs = load(paths, skip=[output])
    if not runs:
        raise InputError(f"no result.json in {', '.join(map(str, paths))}: give folders of finished runs.")
    print(f"{len(runs)} run{'' if len(runs) == 1 else 's'}. Tables and statistics ...", flush=True)
    frame, replicas = run_frame(runs), replica_frame(runs)
    ranked = statistics.rankings(frame)
    made = [
        *tables.table_2(frame),
        *tables.peers(frame),
        *tables.selected_columns(frame),
        *tables.fs_sweep(frame),
        *statistics.tables(frame, replicas, ranked),
        *tables.long_table(frame),
    ]
    ranks = {one.harness: one.result for one in ranked if one.metric == "acsa" and one.result is not None}
    pictures = figures.pictures(runs, frame, ranks)

    with _beside(output) as name:
        new = Path(name) / "new"
        (new / "tables").mkdir(parents=True)
        (new / "figures").mkdir()
        write_tables(new / "tables", made, frame, replicas)
        for i, picture in enumerate(pictures, 1):
            print(f"Picture {i} of {len(pictures)}: {picture.title}", flush=True)
            figures.save(picture, new / "figures")
        (new / DOCUMENT).write_text(document(made, pictures))
        page.write(new / PAGE, made, pictures, frame, runs)
        if output.exists():
            os.replace(output, Path(name) / "old")
        os.replace(new, output)
    return Report(output, made, pictures)


def _beside(output: Path) -> "tempfile.TemporaryDirectory[str]":
    """A temporary folder on the same disk, from which the report moves to its place in one step."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent)
    except OSError as error:
        raise InputError(
            f"--output {output}: cannot be written ({error.strerror}); choose another."
        ) from error


def _is_report(folder: Path) -> bool:
    return folder.is_dir() and ((folder / DOCUMENT).is_file() or not any(folder.iterdir()))


def write_tables(folder: Path, made: Sequence[Table], frame: pd.DataFrame, replicas: pd.DataFrame) -> None:
    """Write every table as CSV and LaTeX, and both data frames as CSV."""
    for table in made:
        (folder / f"{table.name}.csv").write_text(tables.csv(table))
        (folder / f"{table.name}.tex").write_text(tables.latex(table))
    tables.flat(frame).to_csv(folder / "runs.csv", index=False)
    tables.flat(replicas).to_csv(folder / "replicas.csv", index=False)


def document(made: Sequence[Table], pictures: Sequence[figures.Picture]) -> str:
    """All tables and pictures as one Markdown document."""
    parts = ["# Report\n"]
    for section, heading in HEADINGS.items():
        blocks = [tables.markdown(table) for table in made if table.section == section]
        blocks += [_shown(picture) for picture in pictures if picture.section == section]
        if blocks:
            parts += [f"## {heading}\n", *blocks]
    return "\n".join(parts)


def _shown(picture: figures.Picture) -> str:
    png, _ = figures.files(picture, figures.LIGHT)
    return f"### {picture.title}\n\n![{picture.title}](figures/{png})\n\n{picture.caption}\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m adversarial_oversampling.report",
        description="Tables, figures and statistics of finished runs, and one page that holds them all.",
    )
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUNS", help="folders of runs, or their result.json"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("multirun/report"), metavar="FOLDER", help="default: %(default)s"
    )
    parser.add_argument(
        "--wandb", metavar="PROJECT", help="also log it to Weights & Biases; PROJECT or ENTITY/PROJECT"
    )
    given = parser.parse_args(arguments)
    try:
        written = make(given.runs, given.output)
    except InputError as error:
        sys.exit(f"Error: {error}")
    print(f"The report's page: {written.folder / PAGE}")
    if given.wandb:
        log_to_wandb(written, given.wandb)


def log_to_wandb(written: Report, project: str) -> None:
    """Log a report that has been written; exit with 1 if Weights & Biases fails."""
    from adversarial_oversampling.report.tracking import log_report  # slow to import

    logging.basicConfig(format="%(message)s")
    logging.getLogger("adversarial_oversampling").setLevel(logging.INFO)
    try:
        log_report(written.folder, written.tables, written.pictures, project)
    except Exception as error:
        sys.exit(f"Error: the report is written, but Weights & Biases fails: {error}")


if __name__ == "__main__":
    main()
