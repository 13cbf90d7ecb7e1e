"""Work in child processes that die together."""

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
from multiprocessing.process import BaseProcess
from typing import Any

from adversarial_oversampling.errors import InputError


class ProcessDiedError(Exception):
    """A child process ended without an answer; the message says how."""


def call(functions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Call each function in a child process, all at once; returns their answers.

    The children die with this process, and with each other: an answer is not worth waiting for when
    another is missing.

    Raises
    ------
    InputError
        The first one that a function raised.
    ProcessDiedError
        If a function raised something else, which its process has printed, or a process was killed.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(
        ["adversarial_oversampling.training.run"]
    )  # imported once, not in every child
    children: dict[Any, BaseProcess] = {}
    answers: dict[Any, Any] = {}
    heard = None  # who has failed ends by itself
    try:
        for function in functions:
            receiver, sender = context.Pipe(duplex=False)
            child: BaseProcess = context.Process(target=_answer, args=(function, sender))
            _start(child)
            children[receiver] = child
            sender.close()
        while len(answers) < len(children):
            for heard in wait(children.keys() - answers.keys()):
                answers[heard] = _receive(heard, children[heard])
            heard = None
    except BaseException:
        for receiver, child in children.items():
            if receiver is not heard:
                child.kill()
        raise
    finally:
        for child in children.values():
            child.join()
    return [answers[receiver] for receiver in children]


def _start(child: BaseProcess) -> None:
    try:
        child.start()
    except (EOFError, OSError) as error:
        raise ProcessDiedError(
            f"no process could be started: {type(error).__name__} {error}".strip()
        ) from error


def _receive(receiver: Any, child: BaseProcess) -> Any:
    try:
        answer, error = pickle.loads(receiver.recv_bytes())
    except (EOFError, OSError):  # it ended without a word, or in the middle of one
        child.join()
        code = child.exitcode or 0
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        raise ProcessDiedError(how) from None
    if isinstance(error, InputError):
        raise error
    if error is not None:
        raise ProcessDiedError(error)
    return answer


def _answer(function: Callable[[], Any], sender: Connection) -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    answer: Any = None
    error: InputError | str | None = None
    try:
        answer = function()
    except InputError as refused:
        error = refused
    except Exception as unexpected:
        traceback.print_exc()
        error = f"{type(unexpected).__name__}: {' '.join(str(unexpected).split())}"
    # Plain bytes: torch would hand over tensors through a server in this process, which is about to end.
    sender.send_bytes(pickle.dumps((answer, error)))


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@cache
def leave_with(process: int) -> None:
    """End this process, and so its children, within a second of the end of the one that started it.

    For a worker of joblib's, which would play on when nobody waits for its answers any more.

    Parameters
    ----------
    process : int
        The number of the process that started this one.
    """

    def follow() -> None:
        while os.getppid() == process:  # another one adopts an orphan
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
