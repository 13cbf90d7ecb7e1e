"""Sweeps that survive: every job of a multirun plays in a child process, and its fate is written down.

Whatever the launcher, a job that raises or is killed leaves the others untouched. Fates are files, so
they can be followed from the process that started the sweep, wherever the jobs run.
"""

import atexit
import hashlib
import json
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.conf import HydraConf
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from adversarial_oversampling import launchers, processes, results
from adversarial_oversampling.errors import InputError

FOLDER = ".sweeps"
LATE = 10.0  # seconds that a fate written on another machine may take to be seen here
OUTPUT = "output.log"
BEST = "optimization_results.yaml"  # Optuna's sweeper writes it
# Overrides that say where jobs run and what they tell, and make no other job.
ELSEWHERE = re.compile(r"\+*(launcher=|sweep\.|paths\.|logger|hydra\.)")


@dataclass(frozen=True)
class Fate:
    """What became of one job.

    Attributes
    ----------
    job : int
        Its number in the sweep.
    overrides : list of str
        Its settings as given, less those that say where and how it runs.
    folder : str
        Where its result and its output lie.
    status : {"done", "kept", "failed"}
        Kept: it had finished before this sweep.
    seconds : float
    reason : str or None
        Why it failed.
    """

    job: int
    overrides: list[str]
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
    os.chdir(job.runtime.cwd)  # a cluster's workers have a folder of their own
    run_dir = Path(job.runtime.output_dir)
    started = time.perf_counter()
    status, reason, result = "kept", None, None
    try:
        result = None if cfg.rerun else results.finished(run_dir, cfg)
        if result is None:
            status = "done"
        if result is None or results.owed_to_wandb(run_dir, cfg):
            reason = play_apart(cfg, run_dir)
            result = None if reason else results.finished(run_dir, cfg)
    except InputError as error:
        reason = str(error)
    if result is None:
        status = "failed"
    seconds = time.perf_counter() - started
    overrides = [str(one) for one in job.overrides.task if not ELSEWHERE.match(str(one))]
    fate = Fate(job.job.num, overrides, str(run_dir), status, seconds, reason)
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
    told = sorted(arguments[i] for i in places if not ELSEWHERE.match(arguments[i]))
    name = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]
    started = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    arguments[place:place] = [f"sweep.name=sweep-{name}", f"sweep.id={started}"]


@contextmanager
def errors_end() -> Iterator[None]:
    """End the process by any error: of one in a callback Hydra would make a warning, and go on."""
    try:
        yield
    except InputError as error:
        sys.exit(f"Error: {error}")
    except Exception:
        traceback.print_exc()
        sys.exit(1)


class Watch(Callback):
    """Tells how a sweep goes, and ends it with a table and the exit code.

    A callback of Hydra's; it lives in the process that started the sweep.
    """

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: launchers send a copy to other processes, where there is nothing to follow."""
        return {}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Follow the fates from now on."""
        with errors_end():
            check_search(config)
            check_choices(config)
            launchers.prepare(config)
            self._start(config)

    def _start(self, config: DictConfig) -> None:
        self.search = is_search(config)
        self.varied = {one.key_or_group for one in parsed(config) if one.is_sweep_override()}
        self.folder = folder_of(config.hydra, config)
        self.folder.mkdir(parents=True, exist_ok=True)  # a search opens its study there before any job runs
        self.fates: dict[int, Fate] = {}
        self.total = count_jobs(config)
        self.started = time.perf_counter()
        self.best = Path(str(config.hydra.sweep.dir), BEST)
        self.over = threading.Event()
        self.follower = threading.Thread(target=self._follow, daemon=True)
        self.follower.start()
        atexit.register(self.close)  # if the launcher breaks down, or by Ctrl-C

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Show what became of every job; exit with 1 if one failed or is missing."""
        give_up = time.monotonic() + LATE
        while len(self.fates) < self.total and time.monotonic() < give_up and self.follower.is_alive():
            time.sleep(0.1)
        with errors_end():
            self.close()
        if len(self.fates) < self.total or any(fate.status == "failed" for fate in self.fates.values()):
            sys.exit(1)

    def close(self) -> None:
        """Show what became of every job that has ended, once."""
        if self.over.is_set():
            return
        self.over.set()
        self.follower.join()
        self.fates |= {fate.job: fate for fate in read(self.folder, known=self.fates)}
        if self.search:
            show_search(self.fates, self.varied, self.best)
        else:
            show(self.fates)
        show_failed(self.fates, self.varied)
        if missing := self.total - len(self.fates):
            print(f"{missing} of {self.total} jobs did not end here: the same command goes on with them.")

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
            return (
                f"{head} FAILED {settings(fate, self.varied)}: {fate.reason} ({Path(fate.folder) / OUTPUT})"
            )
        result = json.loads((Path(fate.folder) / results.RESULT).read_text())
        took = "finished before" if fate.status == "kept" else duration(fate.seconds)
        if self.search:  # test rows are nothing to look at while settings are chosen
            score = results.percent(results.mean_selection_acsa(result))
            return f"{head} {settings(fate, self.varied)}: validation ACSA {score}, {took}"
        return f"{head} {results.summary(result)}, {took}"


def settings(fate: Fate, varied: Collection[str]) -> str:
    """What sets a job apart from the others of its sweep."""
    apart = [one for one in fate.overrides if one.partition("=")[0].lstrip("+") in varied]
    return " ".join(apart or fate.overrides)


def is_search(config: DictConfig) -> bool:
    """Whether a multirun is a search over settings."""
    return "optuna" in config.hydra.sweeper._target_


def check_search(config: DictConfig) -> None:
    """Refuse a search by test rows, or over settings that the mode does not have.

    Raises
    ------
    InputError
        Naming the protocol, or the mode and the settings.
    """
    if not is_search(config):
        return
    if config.protocol.select_on == "test":
        raise InputError("protocol=paper: a search must not look at test rows; take holdout or cv.")
    missing = OmegaConf.create({})
    absent = [
        str(key)
        for key in config.hydra.sweeper.get("params") or {}
        if OmegaConf.select(config, str(key), default=missing) is missing
    ]
    if absent:
        raise InputError(
            f"mode={config.mode.name} has no {', '.join(absent)}, over which hparams_search looks: "
            "take hparams_search=q, or a mode with a generator."
        )


def check_choices(config: DictConfig) -> None:
    """Refuse a setting that one of the choices does not have before any job runs.

    Raises
    ------
    InputError
        Naming the choices and the setting.
    """
    if is_search(config):  # whose settings come later
        return
    loader = GlobalHydra.instance().config_loader()
    seen: set[str] = set()
    for overrides in jobs_of(config):
        choices = [one for one in overrides if one.partition("=")[0] in config.hydra.runtime.choices]
        if seen.issuperset(choices) and seen:
            continue
        try:
            loader.load_sweep_config(config, overrides)
        except HydraException as error:
            problem = re.split(r"\nTo append|\nConfig search path", str(error))[0]
            apart = " ".join(one for one in choices if one not in seen)
            raise InputError(f"No job was started. {apart}: {problem}") from error
        seen |= set(choices)


def read(folder: Path, known: Mapping[int, Fate]) -> list[Fate]:
    """The fates in a sweep's folder that are not known yet, in the order of their jobs."""
    files = {int(file.stem): file for file in folder.glob("[0-9]*.json")}
    return [Fate(**json.loads(files[job].read_text())) for job in sorted(files.keys() - known.keys())]


def count_jobs(config: DictConfig) -> int:
    """How many jobs a multirun will have: its trials, or every combination of its choices."""
    if trials := config.hydra.sweeper.get("n_trials"):
        return int(trials)
    return len(jobs_of(config))


def jobs_of(config: DictConfig) -> list[list[str]]:
    """The overrides of every job of a multirun that is no search."""
    return [job for batch in BasicSweeper.split_arguments(parsed(config), None) for job in batch]


def parsed(config: DictConfig) -> list[Override]:
    """The overrides of a multirun, with those of its sweeper."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    loader = GlobalHydra.instance().config_loader()
    return OverridesParser.create(loader).parse_overrides([*params, *config.hydra.overrides.task])


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 99:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def show(fates: Mapping[int, Fate], console: Console | None = None) -> None:
    """Print the comparison of all jobs."""
    console = console or Console(width=None if sys.stdout.isatty() else 140)
    table = RichTable(title="The sweep", caption="mean ± standard deviation over replicas, in percent")
    for name in ("dataset", "measured by", "what"):
        table.add_column(name, overflow="fold")
    for name in ("ACSA", "GM"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = []
    # A run that is several jobs' is one row: settings that mean nothing to a mode make no other run of it.
    for fate in {fate.folder: fate for _, fate in sorted(fates.items())}.values():
        if fate.status != "failed":
            result = json.loads((Path(fate.folder) / results.RESULT).read_text())
            scores = ["NA"] * 2
            if result["na"] is None:
                scores = [results.spread(result, name) for name in ("acsa", "g_mean")]
            rows.append([result["dataset"], results.harness(result), results.played(result), *scores])
    for row in sorted(rows, key=lambda row: row[:2]):
        table.add_row(*map(escape, row))
    if rows:
        console.print(table)


def show_search(
    fates: Mapping[int, Fate], varied: Collection[str], best: Path, console: Console | None = None
) -> None:
    """Print the trials of a search by validation ACSA, and the best settings of its whole study."""
    console = console or Console(width=None if sys.stdout.isatty() else 140)
    table = RichTable(title="The search", caption="mean ACSA on validation rows over replicas, in percent")
    table.add_column("settings", overflow="fold")
    table.add_column("validation ACSA", justify="right", no_wrap=True)
    rows = []
    for fate in fates.values():
        if fate.status != "failed":
            result = json.loads((Path(fate.folder) / results.RESULT).read_text())
            rows.append((results.mean_selection_acsa(result), settings(fate, varied)))
    for score, told in sorted(rows, key=lambda row: -1.0 if row[0] is None else row[0], reverse=True):
        table.add_row(escape(told), results.percent(score))
    if rows:
        console.print(table)
    if rows and best.is_file():
        found = OmegaConf.load(best)
        chosen = " ".join(f"{key}={value}" for key, value in found.best_params.items())
        title = f"Best of the study, validation ACSA {results.percent(found.best_value)}:"
        console.print(title, style="bold", markup=False)
        console.print(chosen, soft_wrap=True, markup=False, highlight=False)


def show_failed(fates: Mapping[int, Fate], varied: Collection[str]) -> None:
    """Print the jobs that failed, with their reasons and where their output lies."""
    failed = [fate for fate in fates.values() if fate.status == "failed"]
    if failed:
        print(f"{len(failed)} of {len(fates)} jobs failed")
    for fate in failed:
        print(f"  {settings(fate, varied)}: {fate.reason}\n    {Path(fate.folder) / OUTPUT}")
