"""Sweeps that survive: every job of a multirun plays in a child process, and its fate is written down.

Whatever the launcher, a job that raises or is killed leaves the others untouched. Fates are files, so
they can be followed from the process that started the sweep, wherever the jobs run.
"""

import hashlib
import json
import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.conf import HydraConf
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from adversarial_oversampling import processes, results
from adversarial_oversampling.errors import InputError

FOLDER = ".sweeps"
OUTPUT = "output.log"


@dataclass(frozen=True)
class Fate:
    """What became of one job.

    Attributes
    ----------
    job : int
        Its number in the sweep.
    overrides : str
        What sets it apart.
    folder : str
        Where its result and its output lie.
    status : {"done", "kept", "failed"}
        Kept: it had finished before this sweep.
    seconds : float
    reason : str or None
        Why it failed.
    """

    job: int
    overrides: str
    folder: str
    status: str
    seconds: float
    reason: str | None = None

    def write(self, folder: Path) -> None:
        """Leave the fate in the sweep's folder, in one move."""
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f".{self.job}.new"
        new.write_text(json.dumps(asdict(self)))
        os.replace(new, folder / f"{self.job}.json")


def play_apart(cfg: DictConfig, run_dir: Path) -> str | None:
    """Play one job in a child process, which dies with this one; returns the reason if it failed."""
    try:
        processes.call([partial(_play, cfg, run_dir)])
    except (InputError, processes.ProcessDiedError) as failed:
        return str(failed)
    return None


def _play(cfg: DictConfig, run_dir: Path) -> None:
    from adversarial_oversampling.play import train

    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / OUTPUT).open("a") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    try:
        train(cfg, run_dir, wait=True)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise


def play_job(cfg: DictConfig, job: HydraConf) -> dict[str, Any] | None:
    """Play one job of a sweep and write its fate down; returns its result, or None if it failed."""
    if "joblib" in job.launcher._target_ and (parent := parent_process()) and parent.pid:
        processes.leave_with(parent.pid)  # joblib's workers outlive a sweep that is killed
    run_dir = Path(job.runtime.output_dir)
    started = time.perf_counter()
    status, reason, result = "kept", None, None
    try:
        result = None if cfg.rerun else results.finished(run_dir, cfg)
        if result is None:
            status, reason = "done", play_apart(cfg, run_dir)
            result = None if reason else results.finished(run_dir, cfg)
    except InputError as error:
        reason = str(error)
    if result is None:
        status = "failed"
    seconds = time.perf_counter() - started
    fate = Fate(job.job.num, job.job.override_dirname, str(run_dir), status, seconds, reason)
    fate.write(folder_of(job, cfg))
    return result


def folder_of(job: HydraConf, cfg: DictConfig) -> Path:
    """Where the fates of a sweep's jobs lie."""
    return Path(str(job.sweep.dir), FOLDER, str(cfg.sweep.id))


def give_name(arguments: list[str]) -> None:
    """Name a multirun among its overrides, so that its jobs know it wherever they run.

    `sweep.name` is the same when the same sweep is started again; `sweep.id` is this start's own.
    """
    multirun = get_args_parser().parse_known_args(arguments[1:])[0].multirun
    if not multirun and "hydra.mode=MULTIRUN" not in arguments:
        return
    # Beside the other overrides: argparse takes them in one piece.
    places = [i for i, one in enumerate(arguments) if i and "=" in one and not one.startswith("-")]
    place = places[0] if places else len(arguments)
    # Where jobs run, and how many at once, makes no other sweep.
    told = sorted(
        arguments[i] for i in places if not re.match(r"launcher=|paths\.|logger|\+?hydra\.", arguments[i])
    )
    name = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]
    started = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    arguments[place:place] = [f"sweep.name=sweep-{name}", f"sweep.id={started}"]


class Watch(Callback):
    """Tells how a sweep goes, and ends it with a table and the exit code.

    A callback of Hydra's; it lives in the process that started the sweep.
    """

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: launchers send a copy to other processes, where there is nothing to follow."""
        return {}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Follow the fates from now on."""
        if "optuna" in config.hydra.sweeper._target_ and config.protocol.select_on == "test":
            sys.exit("Error: protocol=paper: a search must not look at test rows; take holdout or cv.")
        self.folder = folder_of(config.hydra, config)
        self.folder.mkdir(parents=True, exist_ok=True)  # a search opens its study there before any job runs
        self.fates: dict[int, Fate] = {}
        self.total = count_jobs(config)
        self.started = time.perf_counter()
        self.over = threading.Event()
        self.follower = threading.Thread(target=self._follow, daemon=True)
        self.follower.start()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Show what became of every job; exit with 1 if one failed."""
        self.over.set()
        self.follower.join()
        show(self.fates)
        if any(fate.status == "failed" for fate in self.fates.values()):
            sys.exit(1)

    def _follow(self) -> None:
        last = False
        while not last:
            last = self.over.wait(timeout=0.3)
            for fate in read(self.folder, known=self.fates):
                self.fates[fate.job] = fate
                print(self._line(fate), flush=True)

    def _line(self, fate: Fate) -> str:
        played = sum(one.status != "kept" for one in self.fates.values())
        failed = sum(one.status == "failed" for one in self.fates.values())
        left = self.total - len(self.fates)
        pace = (time.perf_counter() - self.started) / max(played, 1)
        togo = f", about {duration(left * pace)} to go" if left and played else ""
        head = f"[{len(self.fates)}/{self.total}{f', {failed} failed' if failed else ''}{togo}]"
        if fate.status == "failed":
            return f"{head} FAILED {fate.overrides}: {fate.reason} ({Path(fate.folder) / OUTPUT})"
        result = json.loads((Path(fate.folder) / results.RESULT).read_text())
        took = "finished before" if fate.status == "kept" else duration(fate.seconds)
        return f"{head} {results.summary(result)}, {took}"


def read(folder: Path, known: Mapping[int, Fate]) -> list[Fate]:
    """The fates in a sweep's folder that are not known yet, in the order of their jobs."""
    files = {int(file.stem): file for file in folder.glob("[0-9]*.json")}
    return [Fate(**json.loads(files[job].read_text())) for job in sorted(files.keys() - known.keys())]


def count_jobs(config: DictConfig) -> int:
    """How many jobs a multirun will have: its trials, or every combination of its choices."""
    if trials := config.hydra.sweeper.get("n_trials"):
        return int(trials)
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task])
    return sum(len(batch) for batch in BasicSweeper.split_arguments(overrides, None))


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 99:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def show(fates: Mapping[int, Fate], console: Console | None = None) -> None:
    """Print the comparison of all jobs, and the failed ones with their reasons."""
    console = console or Console(width=None if sys.stdout.isatty() else 140)
    table = RichTable(title="The sweep", caption="mean ± standard deviation over replicas, in percent")
    for name in ("dataset", "protocol", "what"):
        table.add_column(name, overflow="fold")
    for name in ("ACSA", "GM"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = []
    for fate in fates.values():
        if fate.status != "failed":
            result = json.loads((Path(fate.folder) / results.RESULT).read_text())
            scores = ["NA"] * 2
            if result["na"] is None:
                scores = [results.spread(result, name) for name in ("acsa", "g_mean")]
            protocol = result["protocol"] + (" OPTIMISTIC" if result["optimistic"] else "")
            rows.append([result["dataset"], protocol, results.played(result), *scores])
    for row in sorted(rows, key=lambda row: row[:2]):
        table.add_row(*map(escape, row))
    console.print(table)
    failed = [fate for fate in fates.values() if fate.status == "failed"]
    if failed:
        table = RichTable(title=f"{len(failed)} of {len(fates)} jobs failed", title_style="red")
        for name in ("job", "why", "output"):
            table.add_column(name, overflow="fold")
        for fate in failed:
            table.add_row(*map(escape, (fate.overrides, str(fate.reason), str(Path(fate.folder) / OUTPUT))))
        console.print(table)
