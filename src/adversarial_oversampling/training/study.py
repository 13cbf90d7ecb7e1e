"""The storage of a search's study, which the search and its jobs open each for themselves."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adversarial_oversampling.errors import parsing

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

BUSY = 60.0  # seconds for which a process waits while another one writes into the same SQLite file


@dataclass(frozen=True)
class TrialAddress:
    """Where a job finds the trial that it belongs to.

    Attributes
    ----------
    storage : str
        URL of the study's database.
    study : str
        Name of the study.
    number : int
        Number of the trial.
    pruner : mapping
        Configuration of the pruner.
    """

    storage: str
    study: str
    number: int
    pruner: Any


def open_storage(url: str) -> "RDBStorage":
    """Connect to the database of a study; its tables are made if there are none.

    Raises
    ------
    InputError
        If there is no such database, or it cannot be used.
    """
    import optuna  # slow to import, and not needed otherwise

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = {"connect_args": {"timeout": BUSY}} if url.startswith("sqlite") else None
    with parsing(f"hydra.sweeper.storage={url}", "give the URL of another database.", "cannot be used"):
        return optuna.storages.RDBStorage(url, engine_kwargs=settings)
