"""The lock that keeps a second process from training in a run's folder."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.results.files import writing

log = logging.getLogger(__name__)


@contextmanager
def locked(run_dir: Path, wait: bool = False) -> Iterator[None]:
    """Keep other processes out of a run's folder; the lock ends with the process that holds it.

    Raises
    ------
    InputError
        If another process trains in the folder, unless `wait`.
    """
    with writing(run_dir):
        (run_dir / ".lock").touch()
    lock = FileLock(run_dir / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        if not wait:
            raise InputError(
                f"hydra.run.dir={run_dir}: another process trains there; wait, or choose another folder."
            ) from error
        log.info("Another process trains in %s: waiting for it.", run_dir)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
