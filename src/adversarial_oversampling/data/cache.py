"""Files that are kept between runs, in the folder `paths.cache_dir`."""

from collections.abc import Callable
from pathlib import Path
from typing import IO

from adversarial_oversampling.atomic import replacing
from adversarial_oversampling.errors import InputError


def keep(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file into the cache: a second process finds no file or a complete one.

    Parameters
    ----------
    path : Path
    write : callable
        Writes the content into an open file.

    Raises
    ------
    InputError
        If the cache cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as new, new.open("wb") as file:
            write(file)
    except OSError as error:
        raise InputError(
            f"paths.cache_dir: cannot write {path.parent} ({error}); name a folder to write in."
        ) from error
