"""Names of a run's files, and how a file is written."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.text import one_line

if TYPE_CHECKING:
    import pandas as pd

RESULT = "result.json"
PREDICTIONS = "predictions.parquet"
CURVES = "curves.parquet"
SAMPLES = "generated.parquet"
MODEL = "model.json"
WEIGHTS = "model.safetensors"


def write_atomically(path: Path, text: str) -> None:
    """Write a file atomically: a reader sees either the old content or all of the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, lambda new: new.write_text(text))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside the path, then rename it."""
    new = path.with_name(f".{path.name}.new")
    try:
        write(new)
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def write_frame(frame: "pd.DataFrame", path: Path) -> None:
    """Write a frame atomically, as its file's name says: .parquet, .feather or .csv.

    Raises
    ------
    InputError
        If the name has another ending, or the file cannot be written.
    """
    writers: dict[str, Callable[[Path], object]] = {
        ".parquet": lambda new: frame.to_parquet(new, index=False),
        ".feather": lambda new: frame.to_feather(new),
        ".csv": lambda new: frame.to_csv(new, index=False),
    }
    if path.suffix.lower() not in writers:
        raise InputError(f"{path}: give a file that ends in {', '.join(writers)}.")
    try:
        _replace(path, writers[path.suffix.lower()])
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {one_line(error)}.") from error
