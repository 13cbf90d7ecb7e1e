"""Read the files of finished runs."""

import hashlib
import json
import logging
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError

from adversarial_oversampling.config.identity import PLACE_KEYS, config_hash
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.results.files import RESULT
from adversarial_oversampling.results.schema import SCHEMA_VERSION, FileRecord, Result, content_digest
from adversarial_oversampling.text import capitalized, user_path

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

_WAY_OUT = "train the run again with rerun=true, or leave its folder out of a report."


def read_result(path: Path) -> Result:
    """Read a result.json.

    Raises
    ------
    InputError
        If the file is damaged, is of another version, or does not have the fields of a result.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: give the folder of a finished run.")
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
        result = Result.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path}: {field}: {first['msg'].lower()}; train it again with rerun=true, or leave it out."
        ) from error
    if result.sha256 != content_digest(content):
        raise _unusable(path, "damaged")
    return result.model_copy(update={"sha256": ""})


def record_of(file: Path) -> FileRecord:
    """Return the size and the digest of a file."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        return FileRecord(bytes=content.tell(), sha256=digest)


def check_files(run_dir: Path, result: Result, whole: Collection[str] | None = None) -> None:
    """Check that the files of a result are there and unchanged: first all sizes, then the digests.

    Parameters
    ----------
    run_dir : Path
    result : Result
    whole : collection of str, optional
        The files whose digests are compared; without it those of all files.

    Raises
    ------
    InputError
        If a file is missing or damaged. The message names it.
    """
    for name, record in result.files.items():
        file = run_dir / name
        if not file.is_file():
            raise _unusable(file, "missing")
        if file.stat().st_size != record.bytes:
            raise _unusable(file, "damaged")
    for name, record in result.files.items():
        if (whole is None or name in whole) and record_of(run_dir / name) != record:
            raise _unusable(run_dir / name, "damaged")


def check_output_of_run(run_dir: Path, result: Result, output: Path) -> None:
    """Refuse to write over the table or a file of the run that a command reads.

    Raises
    ------
    InputError
        If the output is the table that the run was trained on, or lies in the folder of the run.
    """
    table = result.config["dataset"].get("path")
    if table is not None and output.resolve() == user_path(str(table)).resolve():
        raise InputError(f"{output}: the run was trained on this table; give a new file.")
    if output.resolve().is_relative_to(run_dir.resolve()):
        raise InputError(
            f"{output}: the folder of the run holds the run's own files alone; give a file elsewhere."
        )


def read_file(run_dir: Path, result: Result, name: str) -> bytes:
    """Read a file of a result.

    Raises
    ------
    InputError
        If it is missing or damaged.
    """
    file = run_dir / name
    if not file.is_file():
        raise _unusable(file, "missing")
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != result.files[name].sha256:
        raise _unusable(file, "damaged")
    return content


def _unusable(file: Path, state: str) -> InputError:
    return InputError(f"{file} is {state}: {_WAY_OUT}")


def read_table(path: Path) -> "pd.DataFrame":
    """Read a Parquet file of a run.

    Raises
    ------
    InputError
        If it is missing or damaged.
    """
    import pandas as pd  # slow to import, and not needed otherwise

    if not path.is_file():
        raise _unusable(path, "missing")
    with parsing(path, _WAY_OUT):
        return pd.read_parquet(path)


def finished(run_dir: Path, cfg: DictConfig) -> Result | None:
    """Return the result in a folder if the run need not be trained again, and None otherwise.

    With `rerun=true`, only a whole result of the same sweep is returned, so that a run that several jobs of
    the sweep share is trained once.

    Raises
    ------
    InputError
        If the result or a file of it is missing or damaged, or the result is of another version or of
        another configuration: it is not overwritten.
    """
    path = run_dir / RESULT
    if not path.exists():
        return None
    try:
        result = read_result(path)
        if cfg.rerun and (cfg.sweep.id is None or cfg.sweep.id != result.sweep_id):
            return None
        if result.config_hash != config_hash(cfg):
            raise InputError(
                f"{path} is the result of another configuration: choose another hydra.run.dir, "
                "or replace it with rerun=true."
            )
        check_files(run_dir, result)
    except InputError:
        if cfg.rerun:
            return None
        raise
    return result


def made_elsewhere(result: Result, cfg: DictConfig) -> str | None:
    """Return what a stored result was made with, where that differs from the settings of the command."""
    pairs = {key: (result.setting(key), OmegaConf.select(cfg, key)) for key in PLACE_KEYS}
    different = [f"{key}={made} (not {asked})" for key, (made, asked) in pairs.items() if made != asked]
    return f"the stored result was made with {', '.join(different)}" if different else None


def log_stored(run_dir: Path, result: Result, cfg: DictConfig) -> None:
    """Log that a stored result is shown, where it was made in another way, and how to train again."""
    elsewhere = made_elsewhere(result, cfg)
    note = "" if elsewhere is None else f" {capitalized(elsewhere)}."
    log.info("Already finished: showing %s.%s Train again with rerun=true.", run_dir / RESULT, note)


def result_digest(run_dir: Path) -> str:
    """Return the SHA-256 of a run's result.json."""
    return hashlib.sha256((run_dir / RESULT).read_bytes()).hexdigest()
