"""Commands of the suite in processes of their own, which need not import anything.

A server imports the slow packages once and forks a process for each command. Tests of how a process starts
or of what it imports start Python themselves.
"""

import os
import signal
import sys
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

PACKAGE = "adversarial_oversampling"
PRELOAD = [f"{PACKAGE}.train", f"{PACKAGE}.training.run", f"{PACKAGE}.report.__main__"]
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
    context.set_forkserver_preload(PRELOAD)
    settings = (module, arguments, cwd or Path.cwd(), dict(os.environ), output, errors)
    process: BaseProcess = context.Process(target=_main, args=settings)
    process.start()
    return process


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
