"""The guard around every command: whatever is raised becomes one line and an exit code."""

import errno
import logging
import re
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from typing import Any

from adversarial_oversampling import output
from adversarial_oversampling.credentials import masked
from adversarial_oversampling.errors import InputError, ProcessDiedError, Terminated
from adversarial_oversampling.text import no_such_setting, one_line

BUG, INTERRUPTED, TERMINATED = 70, 130, 143
"""Exit codes of a command; that of any other error is 1."""

_NO_MEMORY = "not enough memory; lower replicas, members or dataset.training.batch_size"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)

_active = False
"""Whether this process is within `interruptible`."""

_stop: KeyboardInterrupt | None = None
"""What a signal has raised within it."""


@contextmanager
def guard(goodbye: str = "Stopped.") -> Iterator[None]:
    """End the process with one line after any error; output that cannot be written does not end it.

    Parameters
    ----------
    goodbye : str
        What is printed when a signal stops the command.

    Raises
    ------
    SystemExit
        In place of any error, with the code 1 for one that names what to change, 70 for a bug, 130 after
        Ctrl-C and 143 after SIGTERM. The line names the file with the traceback, which an InputError lacks.
    """
    prepare_process()
    with interruptible():
        try:
            yield
            raise_if_stopped()
        except (KeyboardInterrupt, Exception) as error:
            if stopped := _signal_behind(error):
                print(goodbye, file=sys.stderr)
                sys.exit(TERMINATED if isinstance(stopped, Terminated) else INTERRUPTED)
            line = f"Error: {reason(error)}"
            if explanation(error) is not None:
                sys.exit(line)
            print(line, file=sys.stderr)
            sys.exit(BUG)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, also if it came before; afterwards, signals are handled as before.

    A handler of another program stays. Within this context, or in another thread, nothing changes.
    """
    global _active, _stop
    if _active or threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    _active = True
    try:
        if handlers[signal.SIGINT] in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(signal.SIGINT, stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        yield
    finally:
        _active, _stop = False, None
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in handlers.items():
            if handler is not None:  # None: not Python's own
                signal.signal(number, handler)


def stop(number: int, frame: object) -> None:
    """Raise KeyboardInterrupt, or Terminated for SIGTERM, and remember it: the handler of a signal."""
    global _stop
    _stop = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
    raise _stop


def raise_if_stopped() -> None:
    """Raise again what a signal has raised, if it was lost: OmegaConf may hide it while it cleans up."""
    if _stop is not None:
        raise _stop


def _signal_behind(error: BaseException) -> KeyboardInterrupt | None:
    """Return what a signal has raised if it has led to an error; Hydra and OmegaConf may hide that it has."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, KeyboardInterrupt):
            return cause
    return _stop if any(_raised_by(cause, "hydra", "omegaconf") for cause in causes) else None


def prepare_process() -> None:
    """Let output never end this process, and mask credentials in what it logs."""
    output.keep_going()
    logging.setLogRecordFactory(_masked_record)


def _masked_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record = logging.LogRecord(*args, **kwargs)
    try:
        record.msg, record.args = masked(record.getMessage()), ()
    except (TypeError, ValueError, KeyError):  # arguments that do not fit the text; logging reports it
        record.msg = masked(record.msg)
    return record


def reason(error: BaseException) -> str:
    """Return in one line why a command or a job has failed.

    The traceback of an error that is not an InputError goes to a file, which the line names.
    """
    if isinstance(error, InputError):
        return brief(error)
    return f"{brief(error).rstrip('.')} (traceback: {_write_traceback(error)})"


def brief(error: BaseException) -> str:
    """Return in one line what an error means, or that it is a bug."""
    bug = f"{type(error).__name__}: {one_line(error)}: this is a bug of the suite or of a library; report it"
    return " ".join(masked(explanation(error) or bug).splitlines())


def _write_traceback(error: BaseException) -> str:
    """Write the traceback to a new file in the temporary folder; return its path, or why there is none."""
    content = masked("".join(traceback.format_exception(error)))
    try:
        number, path = tempfile.mkstemp(prefix="adversarial-oversampling-", suffix=".log", text=True)
        with open(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(content)
    except OSError as problem:
        return f"none, {one_line(problem)}"
    return path


def explanation(error: BaseException) -> str | None:
    """Return in one line what is wrong and what to do, for an error that a user can end; None for a bug.

    Errors of Hydra, OmegaConf, YAML and the operating system are explained, also where they are the cause of
    another error.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    explain: Any
    for kind, explain in (
        (InputError, one_line),
        (ProcessDiedError, lambda died: f"a process of this run has ended: {one_line(died)}"),
        (BrokenExecutor, lambda died: f"a process of the launcher has ended: {_first(str(died))}"),
        (YAMLError, _yaml),
        (HydraException, _hydra),
        (OmegaConfBaseException, _omegaconf),
        (OSError, _system),
        (MemoryError, lambda _: _NO_MEMORY),
        (RecursionError, lambda _: "a setting refers to itself, or a file is nested too deeply; correct it"),
    ):
        for cause in _causes(error):
            if isinstance(cause, kind):
                return str(explain(cause))
    if any(_is_torchs_memory_error(cause) for cause in _causes(error)):
        return _NO_MEMORY
    # Its own code raises an error for arguments that do not fit together.
    refused = f"{one_line(error)}: Hydra refuses the command; see --help"
    return refused if _raised_by(error, "hydra") else None


def _is_torchs_memory_error(error: BaseException) -> bool:
    """Return whether torch is out of memory, without importing it."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, each once; OmegaConf's errors hide theirs, and may name each other."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        hidden = error.__context__ if type(error).__module__.startswith("omegaconf.") else None
        error = error.__cause__ or hidden


def _raised_by(error: BaseException, *packages: str) -> bool:
    """Return whether code of one of these packages has raised an error."""
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(modules) and modules[-1].partition(".")[0] in packages


def _first(text: str) -> str:
    """Return the first paragraph of a message as one line."""
    return " ".join(text.strip().split("\n\n")[0].split())


def _yaml(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"{getattr(error, 'name', 'a YAML file')}: {_first(str(error))}; correct this file"
    return f"{mark.name}, line {mark.line + 1}: {error.problem}; correct this file"


def _hydra(error: Any) -> str:
    from hydra.errors import MissingConfigException, OverrideParseException
    from omegaconf import OmegaConf
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

    text, cause = _first(str(error)), error.__cause__
    if isinstance(error, OverrideParseException):
        text = error.message.partition("\n")[0]
        if text.startswith("LexerNoViableAltException"):
            text = "a character is not in Hydra's grammar"
        return f"{error.override}: {text}; put a value with such characters in quotes: 'KEY=\"VALUE\"'"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        return f"{group}={choice}: choose one of {', '.join(error.options)}"
    if isinstance(cause, ConfigAttributeError | ConfigKeyError):
        parent: Any = cause.parent_node
        settings: Any = OmegaConf.to_container(parent._get_root()) if parent is not None else {}
        settings["hydra"] = settings.pop("hydra", {})  # last: rarely what is meant
        return no_such_setting(str(cause.full_key), parent or (), settings)
    if merged := re.match("Error merging override (.*)", str(error)):
        return f"{merged[1]}: {str(cause).partition(chr(10))[0]}"
    if isinstance(cause, OmegaConfBaseException):
        return _omegaconf(cause)
    if several := re.match(r"Ambiguous value for argument '(.*?)' 1\.", text):
        return f"{several[1]}: several values are a sweep; put -m before all settings, or give one value"
    if key := re.search("full_key: (.*)", str(error)):
        missing = re.match("Error locating target '(.*?)'", text)
        detail = f"_target_={missing[1]}: there is no such class" if missing else text.removesuffix(key[0])
        return f"{key[1]}.{detail}" if missing else f"{key[1]}: {detail}"
    return f"{text.rstrip('.')}; see --help"


def _omegaconf(error: Any) -> str:
    text = _first((error.msg or str(error)).partition("\n")[0])
    return f"{error.full_key}: {text}; give it a value" if error.full_key else text


def _system(error: Any) -> str:
    where = f"{error.filename}: " if error.filename is not None else ""
    text = error.strerror or one_line(error)
    if error.errno in _FULL:
        return f"{where}{text}; free some space, or give another folder with paths.output_dir"
    if error.errno in _NOT_WRITABLE:
        return f"{where}{text}; give another file or folder, or change its permissions"
    return f"{where}{text}; check the path" if where else text
