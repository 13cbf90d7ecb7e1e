"""Names of a run's files, and how a file is written."""

import os
from pathlib import Path

RESULT = "result.json"
PREDICTIONS = "predictions.parquet"
CURVES = "curves.parquet"
SAMPLES = "generated.parquet"
MODEL = "model.json"
WEIGHTS = "model.safetensors"


def write_atomically(path: Path, text: str) -> None:
    """Write a file atomically: a reader sees either the old content or all of the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    os.replace(new, path)
