"""Hydra's callback in the process that started a sweep: progress, the final tables and the exit code."""

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
from adversarial_oversampling.results.display import summary
from adversarial_oversampling.sweep.job import status_folder
from adversarial_oversampling.sweep.launchers import check_launcher, limit_jobs_at_once
from adversarial_oversampling.sweep.overrides import check_choices, count_jobs, is_search, parsed
from adversarial_oversampling.sweep.search import check_search, open_study, show_best, show_search
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
from adversarial_oversampling.text import percent

OFFLINE = "*/*/wandb/offline-run-*"
STATUS_DELAY = 10.0  # seconds until a status file written on another machine is visible here


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the process on any error; Hydra would turn a callback's error into a warning and continue."""
    try:
        yield
    except InputError as error:
        sys.exit(f"Error: {error}")
    except Exception:
        traceback.print_exc()
        sys.exit(1)


class SweepCallback(Callback):
    """Check a sweep before its first job, print how each job ended, and exit with 1 if a job failed."""

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: launchers send a copy to other processes, which follow no jobs."""
        return {}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the sweep and start to follow its jobs."""
        with exit_on_error():
            check_search(config)
            check_choices(config)
            check_launcher(config)
            limit_jobs_at_once(config)
            self._start(config)

    def _start(self, config: DictConfig) -> None:
        self.search = is_search(config)
        self.config = config
        self.varied = {item.key_or_group for item in parsed(config) if item.is_sweep_override()}
        self.folder = status_folder(config.hydra, config)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"paths.output_dir: {error}; choose another folder.") from error
        if self.search:
            open_study(config)
        self.statuses: dict[int, JobStatus] = {}
        self.total = count_jobs(config)
        self.started = time.perf_counter()
        self.over = threading.Event()
        self.follower = threading.Thread(target=self._follow, daemon=True)
        self.follower.start()
        atexit.register(self.close)  # after a crash of the launcher, or Ctrl-C

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the final tables; exit with 1 if a job failed or is missing."""
        deadline = time.monotonic() + STATUS_DELAY
        while len(self.statuses) < self.total and time.monotonic() < deadline and self.follower.is_alive():
            time.sleep(0.1)
        with exit_on_error():
            self.close()
        if len(self.statuses) < self.total or any(s.status == "failed" for s in self.statuses.values()):
            sys.exit(1)

    def close(self) -> None:
        """Print the final tables of all jobs that have ended, once."""
        if self.over.is_set():
            return
        self.over.set()
        self.follower.join()
        self.statuses |= {status.job: status for status in read_statuses(self.folder, known=self.statuses)}
        if self.search:
            show_search(self.statuses, self.varied)
            show_best(self.config)
        else:
            show_comparison(self.statuses)
        show_failed(self.statuses, self.varied)
        show_warnings(self.statuses)
        if missing := self.total - len(self.statuses):
            rest = ": the same command resumes them"
            if self.search or self.config.rerun:
                rest = ""
            print(f"{missing} of {self.total} jobs did not end{rest}.")
        output = Path(str(self.config.hydra.sweep.dir))
        if "wandb" in self.config.logger and any(output.glob(OFFLINE)):
            print(f"To send the offline runs to Weights & Biases: wandb sync {output / OFFLINE}")

    def _follow(self) -> None:
        last = False
        while not last:
            last = self.over.wait(timeout=0.3)
            for status in read_statuses(self.folder, known=self.statuses):
                self.statuses[status.job] = status
                print(self._line(status), flush=True)

    def _line(self, status: JobStatus) -> str:
        failed = sum(other.status == "failed" for other in self.statuses.values())
        left = self.total - len(self.statuses)
        pace = self._seconds_per_job()
        remaining = f", about {duration(left * pace)} to go" if left and pace is not None else ""
        head = f"[{len(self.statuses)}/{self.total}{f', {failed} failed' if failed else ''}{remaining}]"
        if status.status == "failed":
            output = Path(status.folder) / OUTPUT
            return f"{head} FAILED {job_label(status, self.varied)}: {status.reason} ({output})"
        result = status.result()
        time_text = "finished before" if status.status == "skipped" else duration(status.seconds)
        if self.search:  # settings are chosen without the test rows, so their metrics are not shown
            score = percent(result.mean_selection_acsa)
            return f"{head} {job_label(status, self.varied)}: validation ACSA {score}, {time_text}"
        return f"{head} {summary(result)}, {time_text}"

    def _seconds_per_job(self) -> float | None:
        """Return the seconds per job of this sweep; None before one was run."""
        seconds = [status.seconds for status in self.statuses.values() if status.status != "skipped"]
        if not seconds:
            return None
        at_once = max(1.0, sum(seconds) / (time.perf_counter() - self.started))
        later = seconds[1:] or seconds  # the first one includes the start of the launcher
        return sum(later) / len(later) / at_once
