"""The errors of this package."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from adversarial_oversampling.text import one_line


class InputError(ValueError):
    """Raised when a setting, a column or a file has to be changed before a run can continue.

    The message is a single line. It names the config key, the column or the file, and says what to do.
    The entry point prints it without a traceback.
    """


class NotApplicable(Exception):  # noqa: N818 (a result, "NA", rather than an error)
    """A method cannot work on these rows, for the reason in the message; other methods can."""


class TrialPruned(Exception):  # noqa: N818 (an outcome rather than an error)
    """A search has ended one of its trials early, as the message says; the run has no result."""


@contextmanager
def parsing(file: object, way_out: str, fault: str = "is damaged") -> Iterator[None]:
    """Turn whatever a parser raises on bytes from elsewhere into an InputError that names the file.

    Parameters
    ----------
    file : object
        What is parsed, such as a path.
    way_out : str
        What to do, the end of the message.
    fault : str
        What is wrong with it.

    Raises
    ------
    InputError
        If the body raises. An InputError of the body is raised as it is.
    """
    try:
        yield
    except InputError:
        raise
    # No parser documents what it raises on damaged bytes: struct.error, RecursionError and MemoryError too.
    except Exception as error:
        reason = textwrap.shorten(one_line(error), 200, placeholder=" ...")
        raise InputError(f"{file} {fault} ({reason}): {way_out}") from error


class ProcessDiedError(Exception):
    """A child process ended without a return value; the message holds its signal, exit code or error."""


class Terminated(KeyboardInterrupt):
    """The signal SIGTERM, which stops a sweep as Ctrl-C does."""
