"""Hydra's callback in the process that started a sweep: progress, the final tables and the exit code."""

import atexit
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write

from adversarial_oversampling.config.compose import added_folders, without_hydra
from adversarial_oversampling.config.validation import check, check_choices, check_sections
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.guard import guard, stop
from adversarial_oversampling.limits import FolderPath
from adversarial_oversampling.results.display import summary
from adversarial_oversampling.sweep.job import status_folder
from adversarial_oversampling.sweep.launchers import (
    block_ctrl_c_in_workers,
    check_launcher,
    limit_jobs_at_once,
    log_controllers,
)
from adversarial_oversampling.sweep.overrides import is_search, parsed
from adversarial_oversampling.sweep.plan import Job, plan, plan_search, seconds_to_go
from adversarial_oversampling.sweep.search import check_search, show_best, show_search
from adversarial_oversampling.sweep.space import Space
from adversarial_oversampling.sweep.status import (
    OUTPUT,
    JobStatus,
    duration,
    job_label,
    read_statuses,
    show_comparison,
    show_failed,
    show_warnings,
)
from adversarial_oversampling.sweep.study import SearchStudy
from adversarial_oversampling.text import percent, user_path
from adversarial_oversampling.tracking.service import start_service

OFFLINE = "*/*/wandb/offline-run-*"
STATUS_DELAY = 10.0  # seconds until a status file written on another machine is visible here
QUIET = 30.0  # seconds without a line until one says which jobs run; twice as many until the next one
LONGEST_QUIET = 600.0
SHOWN = 4  # running jobs that such a line names


FOLDER = FolderPath()


class Running(NamedTuple):
    """A job that runs, and since when, by this process's monotonic clock."""

    status: JobStatus
    since: float


class SweepCallback(Callback):
    """Check a run or a sweep before it starts, print how each job ended, and exit with 1 if a job failed.

    Hydra would turn an error into a warning and continue, so every method has a guard that ends the process.
    """

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: launchers send a copy to other processes, which follow no jobs."""
        return {}

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check a single run before Hydra makes its folder."""
        with guard():
            HydraConfig.instance().set_config(config)  # for settings that refer to Hydra's
            check_choices(config.hydra)
            cfg = without_hydra(config)
            check_sections(cfg)
            cfg.paths.config_dirs = added_folders(config.hydra)
            check(cfg)
            folder = config.hydra.run.dir
            FOLDER.check("hydra.run.dir", folder)
            with read_write(config.hydra):
                config.hydra.run.dir = str(user_path(str(folder)))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the sweep and start to follow its jobs."""
        with guard():
            check_sections(without_hydra(config))
            FOLDER.check("paths.output_dir", config.paths.output_dir)
            FOLDER.check("hydra.sweep.dir", config.hydra.sweep.dir)
            self.space: Space | None = None  # of a search; its jobs are counted while it runs
            self.jobs: list[Job] = []
            if is_search(config.hydra):
                self.space = check_search(config)
            else:
                self.jobs = plan(config)
            check_launcher(config)
            limit_jobs_at_once(config)
            log_controllers(config)
            start_service(config)
            self._start(config)
            block_ctrl_c_in_workers(config)

    def _start(self, config: DictConfig) -> None:
        self.config = config
        self.varied = {item.key_or_group for item in parsed(config) if item.is_sweep_override()}
        self.folder = status_folder(config.hydra, config)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"paths.output_dir: {error}; choose another folder.") from error
        if self.space is not None:
            self.study = SearchStudy(config)
            print(self.study.begin(self.space.defaults(config)), flush=True)
            config.hydra.sweeper.jobs = len(self.space.jobs({})) * self.study.remaining()
        self._count_jobs()
        self.statuses: dict[int, JobStatus] = {}  # of the jobs that have ended
        self.running: dict[int, Running] = {}
        self.at_once = 1
        self.over = threading.Event()
        self.error: InputError | None = None  # that has ended the follower
        self.follower = threading.Thread(target=self._follow, daemon=True)
        self.follower.start()
        atexit.register(self.close)  # after a crash of the launcher, or a signal
        signal.signal(signal.SIGTERM, stop)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the final tables; exit with 1 if a job failed or is missing."""
        self._count_jobs()
        deadline = time.monotonic() + STATUS_DELAY
        while len(self.statuses) < self.total and time.monotonic() < deadline and self.follower.is_alive():
            time.sleep(0.1)
        with guard():
            self.close()
        if len(self.statuses) < self.total or any(s.status == "failed" for s in self.statuses.values()):
            sys.exit(1)

    def close(self) -> None:
        """Print the final tables of all jobs that have ended, once."""
        if self.over.is_set():
            return
        self.over.set()
        self.follower.join()  # reads the last statuses
        if self.error is not None:
            raise self.error
        if self.space is not None:
            show_search(self.statuses, self.varied, self.space.modes)
            show_best(self.study.study, self.space.modes)
        else:
            show_comparison(self.statuses)
        show_failed(self.statuses, self.varied)
        show_warnings(self.statuses)
        if missing := self.total - len(self.statuses):
            rest = "" if self.config.rerun else ": the same command resumes them"
            print(f"{missing} of {self.total} jobs did not end{rest}.")
        output = Path(str(self.config.hydra.sweep.dir))
        if "wandb" in self.config.logger and any(output.glob(OFFLINE)):
            print(f"To send the offline runs to Weights & Biases: wandb sync {output / OFFLINE}")

    def _follow(self) -> None:
        last, quiet = False, QUIET
        spoken = time.monotonic()
        while not last:
            last = self.over.wait(timeout=0.3)
            try:
                for line in self._news():
                    print(line, flush=True)
                    spoken, quiet = time.monotonic(), QUIET
            except InputError as error:  # a damaged status
                self.error = error
                return
            if not last and self.running and time.monotonic() - spoken >= quiet:
                print(self._waiting_line(), flush=True)
                spoken, quiet = time.monotonic(), min(2 * quiet, LONGEST_QUIET)

    def _count_jobs(self) -> None:
        """Set the number of jobs; that of a search is smaller when other processes run some of its trials."""
        if self.space is not None:
            self.jobs = plan_search(self.config.hydra.sweeper.jobs, len(self.space.jobs({})))
        self.total = len(self.jobs)

    def _news(self) -> Iterator[str]:
        """Read what the jobs have written; return a line for each that has ended."""
        self._count_jobs()
        for status in read_statuses(self.folder, ended=self.statuses):
            if status.status == "running":
                self.running.setdefault(status.job, Running(status, time.monotonic()))
                self.at_once = max(self.at_once, len(self.running))
            else:
                self.running.pop(status.job, None)
                self.statuses[status.job] = status
                yield self._line(status)

    def _head(self) -> str:
        parts = [f"{len(self.statuses)}/{self.total}"]
        for ended in ("failed", "pruned"):
            if number := sum(status.status == ended for status in self.statuses.values()):
                parts.append(f"{number} {ended}")
        if seconds := self._seconds_to_go():
            parts.append(f"about {duration(seconds)} to go")
        return f"[{', '.join(parts)}]"

    def _seconds_to_go(self) -> float | None:
        now = time.monotonic()
        jobs = dict(enumerate(self.jobs))  # another sweeper may run more
        running = [(jobs.pop(job), now - one.since) for job, one in self.running.items() if job in jobs]
        ended = [(jobs.pop(job), status) for job, status in self.statuses.items() if job in jobs]
        trained = [(job, status.seconds) for job, status in ended if status.status == "done"]
        return seconds_to_go(trained, running, list(jobs.values()), self.at_once)

    def _line(self, status: JobStatus) -> str:
        head = self._head()
        if status.status == "failed":
            output = Path(status.folder) / OUTPUT
            return f"{head} FAILED {job_label(status, self.varied)}: {status.reason} ({output})"
        if status.status == "pruned":
            return f"{head} {job_label(status, self.varied)}: {status.reason}, {duration(status.seconds)}"
        result = status.result()
        time_text = "finished before" if status.status == "skipped" else duration(status.seconds)
        if self.space is not None:  # settings are chosen without the test rows
            score = percent(result.mean_selection_acsa)
            return f"{head} {job_label(status, self.varied)}: validation ACSA {score}, {time_text}"
        return f"{head} {summary(result)}, {time_text}"

    def _waiting_line(self) -> str:
        now = time.monotonic()
        texts = [
            f"{job_label(one.status, self.varied)} for {duration(now - one.since)}"
            for one in sorted(self.running.values(), key=lambda one: one.since)
        ]
        others = f" and {len(texts) - SHOWN} others" if len(texts) > SHOWN else ""
        return f"{self._head()} running: {', '.join(texts[:SHOWN])}{others}"
