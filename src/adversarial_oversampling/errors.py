"""The one error that a user can mend."""


class InputError(ValueError):
    """A setting, a column or a file that has to change before the run can go on.

    The message is one line that names the config key, the column or the file, and the way out.
    The entry point prints it without a traceback.
    """


class NotApplicable(Exception):  # noqa: N818 (it is a result, "NA", and no error of anybody's)
    """A method cannot work on these rows, for the reason in the message; other methods can."""
