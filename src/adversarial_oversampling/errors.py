"""The errors of this package."""


class InputError(ValueError):
    """A setting, a column or a file that has to change before a run can continue.

    The message is one line that names the config key, the column or the file, and the way out.
    The entry point prints it without a traceback.
    """


class NotApplicable(Exception):  # noqa: N818 (a result, "NA", rather than an error)
    """A method cannot work on these rows, for the reason in the message; other methods can."""
