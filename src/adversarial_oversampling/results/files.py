"""Names of a run's files, and how a file is written."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.conf import HydraConf
from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.atomic import replacing
from adversarial_oversampling.config.compose import task_overrides
from adversarial_oversampling.credentials import masked, masked_config
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
FILES = (RESULT, PREDICTIONS, CURVES, SAMPLES, MODEL, WEIGHTS)
"""Files of a finished run, result.json first."""
OVERRIDES = ".hydra/overrides.yaml"
COMPOSED = (".hydra/config.yaml", ".hydra/hydra.yaml", OVERRIDES)
"""Files that say how the configuration of a finished run was composed."""
NO_FILES: Mapping[str, str] = {}
LOG = "train.log"
CHECKPOINTS = "checkpoints"
PREVIOUS, NEW = "previous", ".new"
"""Folders of a replaced result, and of one that is being written."""


def composition(cfg: DictConfig, hydra: HydraConf) -> dict[str, str]:
    """Return the files, by name, that say how Hydra has composed a configuration, without credentials."""
    parts = (
        masked_config(cfg),
        masked_config(OmegaConf.create({"hydra": hydra})),
        masked(task_overrides(hydra)),
    )
    return dict(zip(COMPOSED, map(OmegaConf.to_yaml, parts), strict=True))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into an InputError that names a path and the way out."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror or one_line(error)}; make room or change its "
            "permissions, or choose another hydra.run.dir or paths.output_dir."
        ) from error


FRAME_ENDINGS = (".parquet", ".feather", ".csv")


def write_atomically(path: Path, text: str) -> None:
    """Write a file atomically: a reader sees either the old content or all of the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")


def check_output(path: Path, *others: Path) -> None:
    """Refuse a file that `write_frame` cannot write, or that is another file of the same command.

    Raises
    ------
    InputError
        The message names the file.
    """
    if path.suffix.lower() not in FRAME_ENDINGS:
        raise InputError(f"{path}: give a file that ends in {', '.join(FRAME_ENDINGS)}.")
    if path.resolve() in [other.resolve() for other in others]:
        raise InputError(f"{path}: another file of this command has this name; give a new one.")


def write_frame(frame: "pd.DataFrame", path: Path, separator: str = ",", decimal: str = ".") -> None:
    """Write a frame atomically, as its file's name says: .parquet, .feather or .csv.

    Parameters
    ----------
    frame : DataFrame
    path : Path
    separator, decimal : str
        Of a CSV file.

    Raises
    ------
    InputError
        If the name has another ending, or the file cannot be written.
    """
    writers: dict[str, Callable[[Path], object]] = {
        ".parquet": lambda new: frame.to_parquet(new, index=False),
        ".feather": lambda new: frame.to_feather(new),
        ".csv": lambda new: frame.to_csv(new, index=False, sep=separator, decimal=decimal),
    }
    check_output(path)
    try:
        with replacing(path) as new:
            writers[path.suffix.lower()](new)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {one_line(error)}.") from error
