"""Commands of the suite in processes of their own, which need not import anything.

A server imports the slow packages once and forks all processes of a test run: those of commands here, and
the children of `training.processes`. Tests of how a process starts or of what it imports start Python
themselves, with `start_in_terminal` if they send signals.
"""

import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen
from tempfile import TemporaryDirectory

PACKAGE = "adversarial_oversampling"
PRELOAD = [f"{PACKAGE}.train", f"{PACKAGE}.training.run", f"{PACKAGE}.report.__main__", "optuna"]
TIMEOUT = 300


def command(module: str, *arguments: str, cwd: Path | None = None) -> CompletedProcess[str]:
    """Run `python -m adversarial_oversampling.MODULE` to its end."""
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = start(module, *arguments, cwd=cwd, output=output, errors=errors)
        process.join(TIMEOUT)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{module} {arguments} has not ended: {errors.read_text()}")
        return CompletedProcess(
            [module, *arguments], process.exitcode, output.read_text(), errors.read_text()
        )


def start(
    module: str, *arguments: str, output: Path, errors: Path | None = None, cwd: Path | None = None
) -> BaseProcess:
    """Start `python -m adversarial_oversampling.MODULE`, whose errors go to its output by default."""
    context = get_context("forkserver")
    settings = (module, arguments, cwd or Path.cwd(), dict(os.environ), output, errors)
    process: BaseProcess = context.Process(target=_main, args=settings)
    process.start()
    return process


def start_in_terminal(arguments: Sequence[str], modules: Path | None = None) -> "Popen[str]":
    """Start a process that gets Ctrl-C as in a terminal, in a group of its own.

    Modules of the folder `modules` come before others of their names.
    """
    environment = dict(os.environ)
    if modules is not None:
        environment["PYTHONPATH"] = f"{modules}:{environment.get('PYTHONPATH', '')}"
    return Popen(
        arguments,
        stdout=PIPE,
        stderr=PIPE,
        text=True,
        env=environment,
        # A shell's background jobs ignore SIGINT, and so would their children.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        start_new_session=True,
    )


def _main(
    module: str,
    arguments: tuple[str, ...],
    cwd: Path,
    environment: dict[str, str],
    output: Path,
    errors: Path | None,
) -> None:
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if errors is not None:
        with errors.open("wb") as file:
            os.dup2(file.fileno(), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server ignores it
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = [module, *arguments]
    name = f"{PACKAGE}.{module}"
    import_module(f"{name}.__main__" if module == "report" else name).main()
