"""The process that started a sweep: it says how the jobs go, and ends with a table and the exit code."""

import atexit
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.results import read as results
from adversarial_oversampling.sweep import launchers
from adversarial_oversampling.sweep.job import folder_of
from adversarial_oversampling.sweep.overrides import check_choices, count_jobs, is_search, parsed
from adversarial_oversampling.sweep.search import check_search, open_study, show_best, show_search
from adversarial_oversampling.sweep.status import (
    OUTPUT,
    Fate,
    duration,
    read,
    settings,
    show,
    show_failed,
    show_warnings,
)

OFFLINE = "*/*/wandb/offline-run-*"
LATE = 10.0  # seconds that a fate written on another machine may take to be seen here


@contextmanager
def errors_end() -> Iterator[None]:
    """End the process by any error: of one in a callback Hydra would make a warning, and go on."""
    try:
        yield
    except InputError as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        sys.exit(f"Error: paths.output_dir: {error}")
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
        self.config = config
        self.varied = {one.key_or_group for one in parsed(config) if one.is_sweep_override()}
        self.folder = folder_of(config.hydra, config)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.search:
            open_study(config)
        self.fates: dict[int, Fate] = {}
        self.total = count_jobs(config)
        self.started = time.perf_counter()
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
            show_search(self.fates, self.varied)
            show_best(self.config)
        else:
            show(self.fates)
        show_failed(self.fates, self.varied)
        show_warnings(self.fates)
        if missing := self.total - len(self.fates):
            rest = ": the same command goes on with them"
            if self.search or self.config.rerun:
                rest = ""
            print(f"{missing} of {self.total} jobs did not end here{rest}.")
        output = Path(str(self.config.hydra.sweep.dir))
        if "wandb" in self.config.logger and any(output.glob(OFFLINE)):
            print(f"To send what W&B keeps offline: wandb sync {output / OFFLINE}")

    def _follow(self) -> None:
        last = False
        while not last:
            last = self.over.wait(timeout=0.3)
            for fate in read(self.folder, known=self.fates):
                self.fates[fate.job] = fate
                print(self._line(fate), flush=True)

    def _line(self, fate: Fate) -> str:
        failed = sum(one.status == "failed" for one in self.fates.values())
        left = self.total - len(self.fates)
        pace = self._pace()
        togo = f", about {duration(left * pace)} to go" if left and pace is not None else ""
        head = f"[{len(self.fates)}/{self.total}{f', {failed} failed' if failed else ''}{togo}]"
        if fate.status == "failed":
            return (
                f"{head} FAILED {settings(fate, self.varied)}: {fate.reason} ({Path(fate.folder) / OUTPUT})"
            )
        result = fate.result()
        took = "finished before" if fate.status == "kept" else duration(fate.seconds)
        if self.search:  # test rows are nothing to look at while settings are chosen
            score = results.percent(results.mean_selection_acsa(result))
            return f"{head} {settings(fate, self.varied)}: validation ACSA {score}, {took}"
        return f"{head} {results.summary(result)}, {took}"

    def _pace(self) -> float | None:
        """Seconds per job; None before one was played."""
        seconds = [one.seconds for one in self.fates.values() if one.status != "kept"]
        if not seconds:
            return None
        at_once = max(1.0, sum(seconds) / (time.perf_counter() - self.started))
        later = seconds[1:] or seconds  # the first one has started more than itself
        return sum(later) / len(later) / at_once
