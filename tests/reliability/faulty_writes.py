"""Disturb a run at each of its writes: `python -m tests.reliability.faulty_writes FOLDER`.

The run trains in a child process with an audit hook, which Python calls before it opens a file for writing
and before it renames, makes or deletes one. There the hook copies the run's folder, which is what a process
that is killed at this moment leaves behind, and forks once for every fault. The fork goes on with the fault
until it ends. What it leaves behind is copied too, the folder is restored, and the run goes on undisturbed.

Afterwards the same run is started again on everything that was left behind. A JSON object is printed, with an
entry for each point and fault.
"""

import errno
import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.config.validation import check
from adversarial_oversampling.config.variants import variant
from adversarial_oversampling.training.run import train

SHORT = ["replicas=1", "trainer.max_epochs=2", "trainer.checkpoint_seconds=0", "dataset.training.width=8"]
SHORT += ["dataset.training.batch_size=400", "logger=none", "trainer.enable_progress_bar=false"]
RESULT = "result.json"


def limit_files(size: int, action: Any) -> None:
    """Let no file grow beyond a size: as on a full disk, or with death in the middle of the file."""
    signal.signal(signal.SIGXFSZ, action)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


FAULTS: dict[str, Callable[[], None]] = {
    "read-only": lambda: None,  # the hook raises
    "full": partial(limit_files, 0, signal.SIG_IGN),
    "killed in a file": partial(limit_files, 1000, signal.SIG_DFL),
}
"""A fault, and what brings it about in the process of the run."""
KILLED = "killed before"


class Disturbing:
    """An audit hook that disturbs the run in a folder at each of its writes.

    Parameters
    ----------
    folder : Path
        Of the run.
    kept : Path
        Receives a folder for each point and fault.
    skip : sequence of str
        Writes of files and folders of these names are not disturbed.
    """

    def __init__(self, folder: Path, kept: Path, skip: Sequence[str] = ()) -> None:
        self._folder, self._kept, self._skip = folder, kept, {".lock", *skip}
        self._point = 0
        self._busy = False  # the hook's own copies are events too
        self.fault: str | None = None  # of this process, since a fork
        self.name = ""

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        path = written(event, args)
        if self._busy or path is None or not path.startswith(f"{self._folder}/"):
            return
        name = path.removeprefix(f"{self._folder}/")
        if self._skip & set(Path(name).parts):
            return
        if self.fault is None:
            self._busy = True
            self._disturb(event, name)
            self._busy = False
        if self.fault == "read-only":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    def _disturb(self, event: str, path: str) -> None:
        self._point += 1
        point = f"{self._point:02} {event} {path.replace('/', ' ')}"
        before = self._kept / f"{point}: {KILLED}"
        shutil.copytree(self._folder, before)
        for fault, begin in FAULTS.items():
            if fault != "read-only" and event not in ("open", "os.mkdir"):
                continue  # no file grows before the next one is opened
            name = f"{point}: {fault}"
            child = os.fork()
            if child == 0:
                self.fault, self.name = fault, name
                begin()
                return
            os.waitpid(child, 0)
            shutil.copytree(self._folder, self._kept / name)
            restore(self._folder, before)


def written(event: str, args: tuple[Any, ...]) -> str | None:
    """Return the path that an audited event is about to change."""
    match event:
        case "open" if isinstance(args[0], str) and args[2] & (os.O_WRONLY | os.O_RDWR):
            return str(args[0])
        case "os.mkdir" if not os.path.exists(args[0]):
            return str(args[0])
        case "os.rename" | "os.remove" | "os.rmdir" if os.path.exists(args[0]):
            return str(args[0])
    return None


def restore(folder: Path, before: Path) -> None:
    """Give a folder the content of another, except for the lock, which is open."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()
    shutil.copytree(before, folder, dirs_exist_ok=True)


def in_child(function: Callable[[], None], end: Callable[[str], None]) -> None:
    """Call a function in a forked process, and there `end` with its outcome."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        function()
        outcome = "finished"
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    end(outcome)
    os._exit(0)


def content(folder: Path) -> dict[str, str]:
    """Return a digest of each file that a finished run consists of."""
    files = sorted(path for path in folder.glob("*") if path.suffix in (".json", ".parquet", ".safetensors"))
    return {path.name: digest(path) for path in files}


def digest(path: Path) -> str:
    """Return a digest of a file; of a result only its numbers count."""
    data = path.read_bytes()
    if path.name == RESULT:
        with suppress(ValueError):
            data = json.dumps(json.loads(data)["replicas"]).encode()
    return sha256(data).hexdigest()


def state(folder: Path) -> str:
    """Return a digest of everything in a folder."""
    paths = sorted(folder.rglob("*"))
    parts = [(str(path.relative_to(folder)), path.read_bytes() if path.is_file() else b"") for path in paths]
    return sha256(repr(parts).encode()).hexdigest()


def disturb(folder: Path, overrides: Sequence[str], older: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Disturb a run at each of its writes, start it again, and yield what came of it.

    An entry has the point and the fault, what the disturbed process said (`said`; "killed" if nothing),
    what it left behind (`looks`: the new result, the old one, an unfinished run, or broken), whether the
    older result was still whole (`old`), and then whether the next start gave the undisturbed files
    (`again`) and the folder `previous` a whole result (`previous`).

    Parameters
    ----------
    folder : Path
        For all runs.
    overrides : sequence of str
        Of the run.
    older : sequence of str
        Overrides of a run whose result lies in the folder before; none if empty.
    """
    cfg, kept, run = compose_train(overrides), folder / "kept", folder / "run"
    check(cfg)  # this and the next keep the defaults that they have composed, for all children
    variant(cfg)
    OmegaConf.resolve(cfg)
    run.mkdir(parents=True)
    kept.mkdir()
    outcomes = folder / "outcomes.jsonl"

    def note(name: str, outcome: str) -> None:
        with outcomes.open("a") as file:
            file.write(json.dumps([name, outcome]) + "\n")

    if older:
        in_child(partial(train, compose_train(older), run), partial(note, "older"))
    old = content(run)
    # Without a result below, checkpoints are the same.
    hook = Disturbing(run, kept, ["checkpoints"] if older else [])

    def disturbed() -> None:
        sys.addaudithook(hook)
        train(cfg, run)

    in_child(disturbed, lambda outcome: note(hook.name, outcome))
    new = content(run)

    @cache
    def again(left: str, name: str) -> tuple[dict[str, str], dict[str, str]]:
        in_child(partial(train, cfg, kept / name), partial(note, f"{name}: again"))
        return content(kept / name), content(kept / name / "previous")

    first: dict[str, str] = {}  # the same state need not be tried twice
    ends = []
    for path in sorted(kept.iterdir()):
        left = state(path)
        first.setdefault(left, path.name)
        shown, previous = content(path), content(path / "previous")
        looks = "new" if shown == new else "old" if shown == old else "unfinished"
        looks = "broken" if RESULT in shown and looks == "unfinished" else looks
        ends.append({"name": path.name, "looks": looks, "old": old in (shown, previous), "state": left})
    said = dict(json.loads(line) for line in outcomes.read_text().splitlines())
    for end in ends:
        after, before = again(end["state"], first[end["state"]])
        point, fault = str(end["name"]).split(": ")
        yield {
            **end,
            "point": point,
            "fault": fault,
            "said": said.get(end["name"], "killed"),
            "again": after == new,
            "previous": not older or before in (old, new),
        }


def main() -> None:
    """Disturb a first run, and one that replaces a result."""
    folder = Path(sys.argv[1])
    first = list(disturb(folder / "first", ["mode=do", *SHORT]))
    again = list(
        disturb(
            folder / "rerun", ["mode=q", *SHORT, "trainer.max_epochs=1", "rerun=true"], ["mode=do", *SHORT]
        )
    )
    print(json.dumps({"first": first, "rerun": again}))


if __name__ == "__main__":
    main()
