"""Call functions in child processes that end together."""

import logging
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from typing import Any

from adversarial_oversampling.errors import InputError, ProcessDiedError
from adversarial_oversampling.guard import brief, prepare_process

GRACE = 10.0
"""Seconds that a child process has to stop in after the process that started it was stopped."""


def call(functions: Sequence[Callable[[], Any]], preload: Sequence[str] = ()) -> list[Any]:
    """Call each function in a child process, all at once, and return their values.

    The children end with this process. When one fails, the others are killed. When this process is stopped,
    they have `GRACE` seconds to stop too.

    Parameters
    ----------
    functions : sequence of callable
    preload : sequence of str
        Modules to import once for all children.

    Raises
    ------
    InputError
        The first one that a function raises.
    ProcessDiedError
        If a function raises anything else, whose traceback is a note of the error, or a process is killed.
    """
    start_server(preload)
    context = get_context("forkserver")
    children: dict[Any, BaseProcess] = {}
    values: dict[Any, Any] = {}
    ready = None  # the receiver that is being read; if reading fails, its process need not be killed
    try:
        for function in functions:
            receiver, sender = context.Pipe(duplex=False)
            child: BaseProcess = context.Process(target=_run, args=(function, sender))
            _start(child)
            children[receiver] = child
            sender.close()
        while len(values) < len(children):
            for ready in wait(children.keys() - values.keys()):
                values[ready] = _receive(ready, children[ready])
            ready = None
    except BaseException as error:
        running = [child for receiver, child in children.items() if receiver is not ready]
        try:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                _stop(running)
        finally:
            for child in running:
                child.kill()
        raise
    finally:
        for child in children.values():
            child.join()
    return [values[receiver] for receiver in children]


def _stop(children: Sequence[BaseProcess]) -> None:
    """Let children stop by themselves, such as after a checkpoint."""
    for child in children:
        child.terminate()
    give_up = time.monotonic() + GRACE
    for child in children:
        child.join(max(0.0, give_up - time.monotonic()))


def start_server(preload: Sequence[str]) -> None:
    """Start the server that forks the children, if none runs; Ctrl-C while it imports prints no traceback.

    Parameters
    ----------
    preload : sequence of str
        Modules that the server imports once for all children.
    """
    get_context("forkserver").set_forkserver_preload(list(preload))
    if threading.current_thread() is not threading.main_thread():
        ensure_running()  # only the main thread may set a signal's handler
        return
    handler = signal.getsignal(signal.SIGINT) or signal.SIG_DFL
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which the server inherits
    try:
        ensure_running()
    finally:
        signal.signal(signal.SIGINT, handler)


def _start(child: BaseProcess) -> None:
    try:
        child.start()
    except (EOFError, OSError) as error:
        raise ProcessDiedError(
            f"no process could be started: {type(error).__name__} {error}".strip()
        ) from error


def _receive(receiver: Any, child: BaseProcess) -> Any:
    try:
        value, error = pickle.loads(receiver.recv_bytes())
    except (EOFError, OSError):  # the process ended before it had sent its value, or while it did
        child.join()
        code = child.exitcode or 0
        reason = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        raise ProcessDiedError(reason) from None
    if error is not None:
        raise error
    return value


def _run(function: Callable[[], Any], sender: Connection) -> None:
    parent = parent_process()
    if parent is not None and not parent.is_alive():  # it ended while the server was still importing
        os._exit(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server ignores it
    threading.Thread(target=_die_with_parent, daemon=True).start()
    prepare_process()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    value: Any = None
    error: InputError | ProcessDiedError | None = None
    try:
        value = function()
    except InputError as input_error:
        error = input_error
    except Exception as unexpected:
        error = ProcessDiedError(brief(unexpected))
        error.add_note(traceback.format_exc())
    # As bytes: torch would pass tensors through a server in this process, which is about to end.
    sender.send_bytes(pickle.dumps((value, error)))


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)


@cache
def exit_with_parent(parent_pid: int) -> None:
    """Exit, and so end the children, within a second of the end of the process that started this one.

    For a joblib worker, which would otherwise continue after its sweep was killed.

    Parameters
    ----------
    parent_pid : int
        Process id of the process that started this one.
    """

    def follow() -> None:
        while os.getppid() == parent_pid:  # an orphan gets another parent
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
