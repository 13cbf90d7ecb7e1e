"""The report as a Weights & Biases run of its own."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import wandb

from adversarial_oversampling.report.figures import LIGHT, Picture, files
from adversarial_oversampling.report.tables import Table
from adversarial_oversampling.tracking.wandb import begin, end, project_of, staging, wanted_mode


def log_report(folder: Path, tables: Sequence[Table], pictures: Sequence[Picture], project: str) -> None:
    """Log a written report's tables, pictures and page as one run, offline if it cannot be online.

    What W&B keeps of it lies beside the folder, since the next report replaces that.

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
        **project_of(project),
        job_type="report",
        name="report",
        dir=str(folder.parent),
    )
    failed = 1
    try:
        with staging(run.settings.sync_dir):
            run.log(contents(folder, tables, pictures))
        failed = 0
    finally:
        end(run, exit_code=failed)


def contents(folder: Path, tables: Sequence[Table], pictures: Sequence[Picture]) -> dict[str, Any]:
    """What is logged, by name: plain numbers of every table, what the tables say, pictures, the page."""
    told: dict[str, Any] = {
        f"tables/{file.stem}": wandb.Table(dataframe=pd.read_csv(file), allow_mixed_types=True)
        for file in sorted((folder / "tables").glob("*.csv"))
    }
    captions: list[Iterable[str]] = [
        [table.name, table.title, table.caption, "\n".join(" ".join(note) for note in table.footnotes)]
        for table in tables
    ]
    told["captions"] = wandb.Table(columns=["table", "title", "caption", "notes"], data=captions)
    for picture in pictures:
        png, _ = files(picture, LIGHT)
        caption = f"{picture.title}. {picture.caption}"
        told[f"pictures/{picture.name}"] = wandb.Image(str(folder / "figures" / png), caption=caption)
    told["page"] = wandb.Html((folder / "index.html").read_text(), inject=False)
    return told
