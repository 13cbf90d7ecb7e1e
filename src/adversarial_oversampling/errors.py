"""The errors of this package."""


class InputError(ValueError):
    """Raised when a setting, a column or a file has to be changed before a run can continue.

    The message is a single line. It names the config key, the column or the file, and says what to do.
    The entry point prints it without a traceback.
    """


class NotApplicable(Exception):  # noqa: N818 (a result, "NA", rather than an error)
    """A method cannot work on these rows, for the reason in the message; other methods can."""


class TrialPruned(Exception):  # noqa: N818 (an outcome rather than an error)
    """A search has ended one of its trials early, as the message says; the run has no result."""


class ProcessDiedError(Exception):
    """A child process ended without a return value; the message holds its signal, exit code or error."""


class Terminated(KeyboardInterrupt):
    """The signal SIGTERM, which stops a sweep as Ctrl-C does."""
