"""The report as a Weights & Biases run of its own."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import wandb

from adversarial_oversampling.report import per_split
from adversarial_oversampling.report.common import Table
from adversarial_oversampling.report.figures import LIGHT, Picture, files
from adversarial_oversampling.tracking.wandb import begin, end, split_project, staging, wanted_mode


def log_report(folder: Path, tables: Sequence[Table], pictures: Sequence[Picture], project: str) -> None:
    """Log a written report's tables, pictures and page as one run, offline if it cannot be online.

    W&B's own files lie beside the folder of the report, since the next report replaces that folder.

    Parameters
    ----------
    folder : Path
    tables : sequence of Table
    pictures : sequence of Picture
    project : str
        PROJECT or ENTITY/PROJECT.
    """
    run = begin(
        wanted_mode(offline=False),
        **split_project(project),
        job_type="report",
        name="report",
        dir=str(folder.parent),
    )
    exit_code = 1
    try:
        with staging(run.settings.sync_dir):
            run.log(contents(folder, tables, pictures))
        exit_code = 0
    finally:
        end(run, exit_code=exit_code)


def contents(folder: Path, tables: Sequence[Table], pictures: Sequence[Picture]) -> dict[str, Any]:
    """Return what is logged, by name: plain numbers and captions of the tables, pictures, the page."""
    csv_files = {f"tables/{file.stem}": file for file in sorted((folder / "tables").glob("*.csv"))}
    csv_files[Path(per_split.FILE).stem] = folder / per_split.FILE
    logged: dict[str, Any] = {
        name: wandb.Table(dataframe=pd.read_csv(file), allow_mixed_types=True)
        for name, file in csv_files.items()
    }
    captions: list[Iterable[str]] = [
        [table.name, table.title, table.caption, "\n".join(" ".join(note) for note in table.footnotes)]
        for table in tables
    ]
    logged["captions"] = wandb.Table(columns=["table", "title", "caption", "notes"], data=captions)
    for picture in pictures:
        png, _ = files(picture, LIGHT)
        caption = f"{picture.title}. {picture.caption}"
        logged[f"pictures/{picture.name}"] = wandb.Image(str(folder / "figures" / png), caption=caption)
    logged["page"] = wandb.Html((folder / "index.html").read_text("utf-8"), inject=False)
    return logged
