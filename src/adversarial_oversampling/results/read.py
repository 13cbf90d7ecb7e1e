"""Read the files of finished runs."""

import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig
from pydantic import ValidationError

from adversarial_oversampling.config.identity import config_hash
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.results.files import RESULT
from adversarial_oversampling.results.schema import SCHEMA_VERSION, Result

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def read_result(path: Path) -> Result:
    """Read a result.json.

    Raises
    ------
    InputError
        If the file is damaged, is of another version, or does not have the fields of a result.
    """
    with parsing(path, "train it again with rerun=true, or leave it out."):
        text = path.read_text("utf-8")
        content: Any = json.loads(text)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema_version={version}: this version of the suite reads {SCHEMA_VERSION}; train it "
            "again with rerun=true, or leave it out."
        )
    try:
        return Result.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path}: {field}: {first['msg'].lower()}; train it again with rerun=true, or leave it out."
        ) from error


def read_table(path: Path) -> "pd.DataFrame":
    """Read a Parquet file of a run.

    Raises
    ------
    InputError
        If it is missing or damaged.
    """
    import pandas as pd  # slow to import, and not needed otherwise

    if not path.is_file():
        raise InputError(f"{path} is missing: train the run again with rerun=true, or leave it out.")
    with parsing(path, "train the run again with rerun=true, or leave it out."):
        return pd.read_parquet(path)


def finished(run_dir: Path, cfg: DictConfig) -> Result | None:
    """Return the result in a folder if the run need not be trained again, and None otherwise.

    With `rerun=true`, only a result of the same sweep is returned, so that a run that several jobs of the
    sweep share is trained once.

    Raises
    ------
    InputError
        If the result is damaged, of another version or of another configuration: it is not overwritten.
    """
    path = run_dir / RESULT
    if not path.is_file():
        return None
    try:
        result = read_result(path)
    except InputError:
        if cfg.rerun:
            return None
        raise
    if cfg.rerun and (cfg.sweep.id is None or cfg.sweep.id != result.sweep_id):
        return None
    if result.config_hash != config_hash(cfg):
        raise InputError(
            f"{path} is the result of another configuration: choose another hydra.run.dir, "
            "or replace it with rerun=true."
        )
    return result


def log_stored(run_dir: Path) -> None:
    """Log that a stored result is shown, and how to train again."""
    log.info("Already finished: showing %s. Train again with rerun=true.", run_dir / RESULT)


def result_digest(run_dir: Path) -> str:
    """Return the SHA-256 of a run's result.json."""
    return hashlib.sha256((run_dir / RESULT).read_bytes()).hexdigest()
