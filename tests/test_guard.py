"""Every refusal of a command is one line, and its output never ends it."""

import contextlib
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from omegaconf.errors import InterpolationResolutionError

from adversarial_oversampling.config.validation import check_overrides
from adversarial_oversampling.errors import InputError, ProcessDiedError, Terminated
from adversarial_oversampling.guard import (
    BUG,
    INTERRUPTED,
    TERMINATED,
    explanation,
    guard,
    interruptible,
    raise_if_stopped,
    stop,
)
from adversarial_oversampling.results.read import read_result
from tests.commands import start_in_terminal
from tests.conftest import Run

# In one process, which imports nothing slow.
PROGRAM = """
import contextlib, io, json, sys
from adversarial_oversampling.train import main
ended = []
for arguments in json.load(sys.stdin):
    sys.argv = ["train", *arguments]
    code = 0
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as end:
            code = end.code
    ended.append([code, out.getvalue(), err.getvalue()])
json.dump(ended, sys.stdout)
"""
LOG = re.compile(r" \(traceback: (/\S+)\)$")

REFUSED: dict[str, tuple[list[str], str]] = {
    "deleted group": (["~dataset"], "~dataset: a run needs a dataset; choose one of .*haberman"),
    "group set to null": (["mode=null"], "mode=null: a run needs a mode; choose one of .*xgboost"),
    "added group": (["+dataset=pima"], r"\+dataset=pima: .* give dataset=pima\."),
    "unknown choice": (["mode=nosuch"], "mode=nosuch: choose one of adasyn, ao, .*xgboost"),
    "unknown recipe": (["recipe=nosuch"], "recipe=nosuch: choose one of .*haberman/do"),
    "unknown choice of Hydra": (["hydra/job_logging=nosuch"], "hydra/job_logging=nosuch: choose one of "),
    "unknown key": (["sed=1"], "sed: there is no such setting; did you mean seed?"),
    "a table without its dataset": (
        ["dataset.path=my.csv"],
        "dataset.path: there is no such setting; for a table of your own, give dataset=table too",
    ),
    "key without its section": (["max_epochs=3"], r"max_epochs: .*; did you mean trainer\.max_epochs\?"),
    "unknown nested key": (["trainer.max_epoch=3"], "trainer.max_epoch: .* mean trainer.max_epochs?"),
    "unknown key of Hydra": (
        ["hydra.jobs=1"],
        "hydra.jobs: there is no such setting; did you mean hydra.job?",
    ),
    "added key": (["+x=1"], "x: there is no such setting."),
    "deleted key": (["~seed"], "seed: missing; a run needs this setting."),
    "deleted section": (["~dataset.source"], "dataset.source: missing"),
    "deleted player": (["~players.classifier"], "players.classifier: missing"),
    "section set to a value": (["players=foo"], "players=foo: this is a section"),
    "nested section set to a value": (["dataset.training=3"], "dataset.training=3: this is a section"),
    "section set to null": (["mode.rules=null"], "mode.rules=None: this is a section"),
    "logger set to a value": (["logger.csv=3"], "logger.csv: "),
    "schedule set to null": (["schedule=null"], "schedule=None: this is a section"),
    "setting that refers to itself": (["seed=${seed}"], "seed: Recursive interpolation detected"),
    "settings that refer to each other": (["seed=${threads}", "threads=${seed}"], ".*: Recursive interp"),
    "reference to an unknown key": (["seed=${nosuch}"], "seed: Interpolation key 'nosuch' not found"),
    "unset environment variable": (["seed=${oc.env:NOSUCH_VARIABLE}"], "seed: .*NOSUCH_VARIABLE"),
    "unknown resolver": (["seed=${nosuch:1}"], "seed: Unsupported interpolation type nosuch"),
    "empty value": (["seed="], "seed=: give a whole number"),
    "open bracket": (["dataset=[a"], r"dataset=\[a: no viable alternative .*in quotes"),
    "open bracket of a sweep": (["-m", "seed=range(0,3"], r"seed=range\(0,3: no viable alternative"),
    "value without a key": (["=1"], "=1: give the name of a setting"),
    "several values without -m": (["dataset=haberman,pima"], "dataset=haberman,pima: .*put -m before"),
    "value of another type": (["hydra.mode=FOO"], "hydra.mode=FOO: Invalid value 'FOO', expected one of"),
    "no folder of configurations": (["--config-dir", "nosuch"], "--config-dir nosuch: no such folder"),
    "broken YAML": (
        ["--config-dir", "broken", "mode=own"],
        ".*broken/mode/own.yaml cannot be read .*line 2",
    ),
    "YAML without keys": (["--config-dir", "list", "mode=own"], ".*list/mode/own.yaml: give keys and values"),
    "empty YAML": (["--config-dir", "empty", "mode=own"], "mode.name: missing"),
    "no folder of the search path": (
        ["hydra.searchpath=[file:///nosuch]"],
        "hydra.searchpath: /nosuch is no ",
    ),
    "unknown primary configuration": (["--config-name", "nosuch"], "Cannot find primary config 'nosuch'"),
    "pickle of a job": (["--experimental-rerun", "x"], "--experimental-rerun: not supported"),
    "empty folder of a run": (["hydra.run.dir="], "hydra.run.dir: empty; give a folder"),
    "empty output folder": (["paths.output_dir="], "paths.output_dir: empty; give a folder"),
    "output folder set to null": (["paths.output_dir=null"], "paths.output_dir: empty; give a folder"),
    "empty cache": (["paths.cache_dir="], "paths.cache_dir: empty; give a folder"),
    "blank output folder": (["paths.output_dir=' '"], "paths.output_dir: empty; give a folder"),
    "long folder": ([f"hydra.run.dir={'x' * 300}"], "hydra.run.dir='x+...': a path has at most 255 bytes"),
    "home of nobody": (
        ["hydra.run.dir='~nosuchuser/x'"],
        "hydra.run.dir=~nosuchuser/x: there is no such user",
    ),
    "character outside the grammar": (
        ["hydra.run.dir=~nosuchuser/x"],
        ".*: a character is not in Hydra's gr",
    ),
    "folder below a file": (["hydra.run.dir=/dev/null/x"], "/dev/null/x: Not a directory; give another"),
    "folder that nobody can make": (["paths.output_dir=/proc/nosuch"], "/proc/nosuch.*: No such file or dir"),
    "unknown reference of the folder": (["hydra.run.dir=${nope}"], "hydra.run.dir: Interpolation key 'nope'"),
    "empty name of a protocol": (["protocol.name="], "protocol.name='': a folder gets this name"),
    "name of a folder with a slash": (["protocol.name=a/b"], "protocol.name='a/b': a folder gets this name"),
    "sweep without a folder": (["-m", "hydra.sweep.dir="], "hydra.sweep.dir: empty; give a folder"),
    "sweep in an empty folder": (["-m", "paths.output_dir="], "paths.output_dir: empty; give a folder"),
    "sweep over an unknown choice": (
        ["-m", "mode=q,nosuch"],
        "No job was started. mode=nosuch: .*choose one",
    ),
    "sweep over a reference to itself": (["-m", "seed=1,${seed}"], "No job was started. .*Recursive"),
    "sweep over an interval": (["-m", "seed=interval(0,1)"], "BasicSweeper does not support .*INTERVAL"),
    "batch of no jobs": (["-m", "hydra.sweeper.max_batch_size=0"], "hydra.sweeper.max_batch_size=0: give a"),
    "unknown launcher": (["-m", "launcher=nosuch"], "launcher=nosuch: choose one of basic"),
    "text for a launcher's number": (
        ["-m", "launcher=joblib", "hydra.launcher.n_jobs=x"],
        ".*n_jobs=x: Value",
    ),
    "unknown class of a callback": (
        ["hydra.callbacks.sweep._target_=nosuch"],
        "hydra.callbacks.sweep._target_=nosuch: there is no such class",
    ),
}


class Ended(NamedTuple):
    code: int | str
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        return [*self.stderr.splitlines(), *([self.code] if isinstance(self.code, str) else [])]


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Ended], set[Path]]:
    """How each command of REFUSED has ended, and the files that are then in its folder."""
    here = tmp_path_factory.mktemp("here")
    for folder, text in {"broken": "name: own\n  x: [\n", "list": "- own\n", "empty": ""}.items():
        (here / folder / "mode").mkdir(parents=True)
        (here / folder / "mode" / "own.yaml").write_text(text)
    before = set(here.rglob("*"))
    commands = [arguments for arguments, _ in REFUSED.values()]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=here,
    )
    ended = {name: Ended(*one) for name, one in zip(REFUSED, json.loads(done.stdout), strict=True)}
    return ended, set(here.rglob("*")) - before


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_one_line_that_names_the_key(
    refused: tuple[dict[str, Ended], set[Path]], name: str
) -> None:
    ended = refused[0][name]
    assert isinstance(ended.code, str)  # which the interpreter prints, to exit with 1
    line = ended.lines[-1]
    assert re.match(f"Error: {REFUSED[name][1]}", line), line
    assert not ended.stdout
    if name != "no folder of the search path":  # Hydra's own warning precedes it
        assert len(ended.lines) == 1
    if log := LOG.search(line):
        assert "Traceback" in Path(log[1]).read_text()
        Path(log[1]).unlink()


def test_a_refused_command_leaves_nothing(refused: tuple[dict[str, Ended], set[Path]]) -> None:
    assert not refused[1]


def raised(error: BaseException, cause: BaseException | None = None) -> Callable[[], None]:
    def fail() -> None:
        raise error from cause

    return fail


def guarded(function: Callable[[], None]) -> tuple[Any, str]:
    """The exit code of a guarded function, and the line that is printed."""
    with contextlib.redirect_stderr(io.StringIO()) as stderr, pytest.raises(SystemExit) as end, guard():
        function()
    code = end.value.code
    return (1, code) if isinstance(code, str) else (code, stderr.getvalue().rstrip("\n"))


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("key=1: not so."), 1, "key=1: not so."),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device; free some space"),
        (OSError(errno.EACCES, "Permission denied", "x/y"), 1, "x/y: Permission denied; give another file"),
        (
            OSError(errno.EROFS, "Read-only file system", "x"),
            1,
            "x: Read-only file system; give another file",
        ),
        (OSError(errno.ENOENT, "No such file", "x"), 1, "x: No such file; check the path"),
        (MemoryError(), 1, "not enough memory; lower replicas"),
        (RecursionError("maximum depth"), 1, "a setting refers to itself"),
        (ProcessDiedError("killed by SIGKILL"), 1, "a process of this run has ended: killed by SIGKILL"),
        (KeyError("x"), BUG, "KeyError: 'x': this is a bug"),
        (AssertionError(), BUG, "AssertionError: AssertionError: this is a bug"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_is_one_line_and_a_bug_says_that_it_is_one(error: Exception, code: int, line: str) -> None:
    ended, shown = guarded(raised(error))
    assert ended == code
    assert shown.startswith(f"Error: {line}")
    assert "\n" not in shown
    log = LOG.search(shown)
    assert (log is None) == isinstance(error, InputError)
    if log:
        assert "in fail" in Path(log[1]).read_text()
        Path(log[1]).unlink()


def test_the_cause_of_an_error_counts() -> None:
    error = raised(
        ValueError("Unable to configure handler"), OSError(errno.EACCES, "Permission denied", "x.log")
    )
    code, line = guarded(error)
    assert code == 1
    assert line.startswith("Error: x.log: Permission denied")
    code, line = guarded(raised(RuntimeError("wrapped"), InputError("key: no.")))
    assert code == 1
    assert line.startswith("Error: key: no (traceback: ")


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), INTERRUPTED), (Terminated(), TERMINATED)])
def test_a_signal_says_goodbye(error: BaseException, code: int) -> None:
    assert guarded(raised(error)) == (code, "Stopped.")


@pytest.mark.parametrize(
    ("module", "imported"),
    [("train", "hydra"), ("report", "pandas"), ("predict", "pandas"), ("script", "hydra")],
)
def test_ctrl_c_while_a_command_is_imported_prints_nothing(
    tmp_path: Path, module: str, imported: str
) -> None:
    (tmp_path / f"{imported}.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(10)\n")
    start = [sys.executable, "-m", f"adversarial_oversampling.{module}"]
    if module == "script":
        start = [str(Path(sys.executable).with_name("adversarial-oversampling"))]
    process = start_in_terminal(start, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == -signal.SIGINT  # a shell shows 130


def interrupted(clean_up: Callable[[], None]) -> Callable[[], None]:
    """A function that gets Ctrl-C in a library, whose own clean-up then does something else."""
    library: dict[str, Any] = {"__name__": "omegaconf.base", "os": os, "signal": signal, "clean_up": clean_up}
    source = """
def interrupted():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        clean_up()
        None.flags
"""
    exec(source, library)
    return library["interrupted"]  # type: ignore[no-any-return]


def test_ctrl_c_that_a_library_loses_ends_the_command() -> None:
    def lost() -> None:
        with contextlib.suppress(AttributeError):
            interrupted(lambda: None)()

    def explained() -> None:
        try:
            interrupted(lambda: None)()
        except AttributeError as error:
            raise InputError("lr: there is no such setting.") from error

    assert guarded(lost) == (INTERRUPTED, "Stopped.")
    assert guarded(interrupted(lambda: None)) == (INTERRUPTED, "Stopped.")
    assert guarded(explained) == (INTERRUPTED, "Stopped.")
    # As Python's own __set_name__ does while it makes a class.
    assert guarded(raised(RuntimeError("wrapped"), KeyboardInterrupt())) == (INTERRUPTED, "Stopped.")


def test_ctrl_c_that_is_lost_before_a_run_ends_it_before_it_trains(tmp_path: Path) -> None:
    program = (
        "import contextlib, os, signal\n"
        "from adversarial_oversampling import train\n"
        "def lost(cfg):\n"
        "    with contextlib.suppress(KeyboardInterrupt):\n        os.kill(os.getpid(), signal.SIGINT)\n"
        "train.check = lost\n"
        "train.main()\n"
    )
    settings = ["mode=q", "replicas=1", "trainer.max_epochs=1", "logger=none"]
    process = start_in_terminal([sys.executable, "-c", program, *settings, f"paths.output_dir={tmp_path}"])
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (INTERRUPTED, "Stopped. The same command resumes.\n")
    assert not list(tmp_path.glob("**/result.json"))


def test_what_fails_after_ctrl_c_is_told() -> None:
    assert guarded(interrupted(raised(InputError("key: no.")))) == (1, "Error: key: no.")
    code, line = guarded(interrupted(raised(KeyError("x"))))
    assert code == BUG
    assert line.startswith("Error: KeyError")


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN], ids=["default", "ignored"])
def test_signals_are_handled_as_before_a_command(handler: Any) -> None:
    """Also after a signal, and where the command has blocked Ctrl-C for the processes that it starts."""
    before = signal.signal(signal.SIGINT, handler)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    terminate = signal.getsignal(signal.SIGTERM)

    def sweep() -> None:
        signal.signal(signal.SIGTERM, stop)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        with guard():
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        assert guarded(sweep) == (TERMINATED, "Stopped.")
        assert signal.getsignal(signal.SIGINT) == handler
        assert signal.getsignal(signal.SIGTERM) == terminate
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == blocked
        raise_if_stopped()
        with guard():
            pass
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_that_was_blocked_stops_where_it_is_unblocked() -> None:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    reached = False
    try:
        # Not to a thread that does not block it.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interruptible():
            reached = True
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    assert not reached


@pytest.mark.parametrize(
    "program",
    ["import {name}", "import sys; sys.argv = []; import {name}", "-m"],
    ids=["program", "embedded", "package of a user"],
)
def test_the_library_leaves_signals_alone(tmp_path: Path, program: str) -> None:
    name = "adversarial_oversampling"
    shown = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    arguments = ["-c", f"{program.format(name=name)}\n{shown}"]
    if program == "-m":
        (tmp_path / "users").mkdir()
        (tmp_path / "users" / "__init__.py").write_text(f"import {name}\n")
        (tmp_path / "users" / "tool.py").write_text(shown)
        arguments = ["-m", "users.tool"]
    process = start_in_terminal([sys.executable, *arguments], tmp_path)
    assert process.communicate(timeout=60)[0] == "True\n"


def test_without_a_temporary_folder_there_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nosuch")
    code, line = guarded(raised(KeyError("x")))
    assert code == BUG
    assert "(traceback: none, [Errno 2] No such file or directory: " in line


PRINTS = """
import sys
from adversarial_oversampling.guard import guard
with guard():
    for _ in range(20000):
        print("0.5 ± 0.1")
        print("0.5 ± 0.1", file=sys.stderr)
    sys.stdout.flush()
    open(sys.argv[1], "w").write("done")
"""


@pytest.mark.parametrize(
    ("redirections", "locale"),
    [
        (">&- 2>&-", "C.UTF-8"),
        ("> /dev/full 2> /dev/full", "C.UTF-8"),
        ("2>&1 | head -1 > /dev/null", "C.UTF-8"),
        ("0<&- > /dev/null 2>&-", "C.UTF-8"),
        ("> /dev/null 2> /dev/null", "ascii"),
    ],
)
def test_output_never_ends_a_command(tmp_path: Path, redirections: str, locale: str) -> None:
    environment = {
        **os.environ,
        **({"PYTHONIOENCODING": "ascii"} if locale == "ascii" else {"LC_ALL": locale}),
    }
    script = f'set -o pipefail; "$0" -c "$1" "$2" {redirections}'
    arguments = ["bash", "-c", script, sys.executable, PRINTS, str(tmp_path / "file")]
    assert subprocess.run(arguments, check=False, env=environment, timeout=60).returncode == 0
    assert (tmp_path / "file").read_text() == "done"


def test_a_terminal_without_a_character_gets_an_escape() -> None:
    program = "from adversarial_oversampling.guard import guard\nwith guard(): print('0.5 ± 0.1')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True)
    assert shown == "0.5 \\xb1 0.1\n"


def test_a_run_whose_output_is_lost_has_its_result(tmp_path: Path) -> None:
    settings = ["mode=q", "replicas=1", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}/run"]
    script = '"$0" -m adversarial_oversampling.train "$@" > /dev/full 2>&-'
    done = subprocess.run(["bash", "-c", script, sys.executable, *settings], check=False, timeout=120)
    assert done.returncode == 0
    assert read_result(tmp_path / "run" / "result.json").mean.acsa is not None


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8"),
        torch.OutOfMemoryError("CUDA out of memory"),
    ],
)
def test_torch_without_memory_is_no_bug(error: Exception) -> None:
    assert explanation(error) == "not enough memory; lower replicas, members or dataset.training.batch_size"


def test_errors_that_name_each_other_are_explained() -> None:
    first, second = InterpolationResolutionError("a setting"), InterpolationResolutionError("another")
    first.__context__, second.__context__ = second, first
    assert explanation(first) == "a setting"
    bug, cause = RuntimeError("broken"), RuntimeError("behind it")
    bug.__cause__, cause.__cause__ = cause, bug
    assert explanation(bug) is None


def test_a_log_call_with_wrong_arguments_does_not_end_a_command(capfd: pytest.CaptureFixture[str]) -> None:
    code = "from adversarial_oversampling.guard import prepare_process as p; import logging; p()"
    code += "; logging.warning('50% done %d', 'a'); logging.warning('token=%s', 'abc')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr.endswith("WARNING:root:token=***\n")


@pytest.mark.parametrize("choice", ["1-2", "0.5.1", "1e"])
def test_a_choice_that_begins_like_a_number_is_no_number(choice: str) -> None:
    check_overrides([f"fs={choice}"])  # Hydra lists the choices


def test_the_home_of_nobody_is_an_error_of_a_table(run: Run) -> None:
    with pytest.raises(InputError, match=r"~nosuchuser/x\.csv"):
        run("dataset=table", "dataset.path='~nosuchuser/x.csv'", "dataset.target=y")
