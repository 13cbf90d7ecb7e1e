"""Weights & Biases: one run for each job, which never stops the job.

Whatever W&B raises ends in a warning. A run that cannot be online is kept offline, in the job's folder.
"""

import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import wandb
from pytorch_lightning.loggers import Logger, WandbLogger

from adversarial_oversampling.results.read import (
    PREDICTIONS,
    RESULT,
    WANDB_LOGGED,
    WEIGHTS,
    digest,
    mean,
    mean_selection_acsa,
    write_whole,
)

log = logging.getLogger(__name__)

Table = tuple[list[str | int], list[Iterable[Any]]]


# What is told: pure functions of a result.


def final_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of a finished run under their names, as optimistic where they are.

    Parameters
    ----------
    result : mapping
        What result.json holds.
    """
    prefix = "final_optimistic" if result["optimistic"] else "final"
    told = {
        f"{prefix}/{metric}{suffix}": value
        for suffix, kind in (("", "mean"), ("_std", "std"), ("_replicas", "defined"))
        for metric, value in result[kind].items()
    }
    epochs = [one["best_epoch"] for one in result["replicas"] if one["best_epoch"] is not None]
    chooser = "test_optimistic" if result["optimistic"] else "validation"
    told |= {f"best/{chooser}_acsa": mean_selection_acsa(result), "best/epoch": mean(epochs)}
    told |= {f"seconds/{part}": value for part, value in result["seconds"].items()}
    return {name: float(value) for name, value in told.items() if value is not None}


def facts(result: Mapping[str, Any]) -> dict[str, str | bool]:
    """What a finished run says in words."""
    return {
        "dataset": result["dataset"],
        "mode": result["mode"],
        "protocol": result["protocol"],
        "optimistic": result["optimistic"],
        "epoch_selection": result["epoch_selection"],
        "variant": "; ".join(result["variant"]),
        "na": result["na"] or "",
        "device": result["device"],
        "config_hash": result["config_hash"],
    }


def replica_table(result: Mapping[str, Any]) -> Table:
    """A row per replica: its metrics, the recall of each class, its best epoch, why it has no result."""
    columns: list[str | int] = [
        "seed",
        "fold",
        *result["mean"],
        *(f"recall of {name}" for name in result["classes"]),
    ]
    columns += ["best_epoch", "selection_acsa", "na", "notes"]
    rows: list[Iterable[Any]] = []
    for one in result["replicas"]:
        recall = one["recall"] or {}
        row = [one["seed"], one["fold"], *(one[metric] for metric in result["mean"])]
        row += [recall.get(name) for name in result["classes"]]
        rows.append([*row, one["best_epoch"], one["selection_acsa"], one["na"], "; ".join(one["notes"])])
    return columns, rows


def confusion_table(result: Mapping[str, Any]) -> Table:
    """Every replica's confusion matrix: a row per cell."""
    classes = result["classes"]
    rows: list[Iterable[Any]] = [
        [one["seed"], one["fold"], classes[i], classes[j], count]
        for one in result["replicas"]
        if one["confusion"] is not None
        for i, line in enumerate(one["confusion"])
        for j, count in enumerate(line)
    ]
    return ["seed", "fold", "true", "predicted", "rows"], rows


def summed_confusion(result: Mapping[str, Any]) -> Table:
    """The confusion matrix over all replicas, as W&B's own chart takes it."""
    counts: dict[tuple[str, str], int] = {}
    for _, _, true, predicted, rows in confusion_table(result)[1]:
        counts[true, predicted] = counts.get((true, predicted), 0) + rows
    return ["Actual", "Predicted", "nPredictions"], [[*cell, rows] for cell, rows in counts.items()]


# Runs that begin and end whatever the network does.


def wanted_mode(offline: bool) -> str:
    """W&B's mode of a new run: the environment variable WANDB_MODE goes before the setting."""
    return os.environ.get("WANDB_MODE") or ("offline" if offline else str(wandb.setup().settings.mode))


def begin(mode: str, *, init_timeout: float = 20, finish_timeout: float = 60, **settings: Any) -> wandb.Run:
    """Begin a run; one that should be online but cannot be is kept offline.

    Parameters
    ----------
    mode : {"online", "offline", "disabled"}
    init_timeout, finish_timeout : float
        Seconds to wait for the server.
    **settings
        For `wandb.init`.
    """
    limits = wandb.Settings(
        init_timeout=init_timeout,
        finish_timeout=finish_timeout,
        finish_timeout_raises=True,
        console="off",
        quiet=True,
        reinit="create_new",  # beside a run that the caller may have
    )
    if mode not in ("offline", "dryrun", "disabled"):
        problem = unknown_user()
        if problem is None:
            try:
                return wandb.init(mode=mode, settings=limits, **settings)  # type: ignore[arg-type]
            except wandb.errors.UsageError:
                raise  # a setting that no network would mend
            except (wandb.Error, OSError) as error:
                problem = one_line(error)
                wandb.teardown()  # its service holds on to the run's id
        log.warning("Weights & Biases is not reached, and this run is kept offline: %s.", problem)
        mode = "offline"
    return wandb.init(mode=mode, settings=limits, **settings)  # type: ignore[arg-type]


def unknown_user() -> str | None:
    """Why the server does not let this user in; None if it does."""
    try:
        if wandb.run is not None or wandb.login(prompt=False):
            return None
    except (wandb.Error, OSError) as error:
        return one_line(error)
    return "there is no API key: give one to `wandb login`, or set WANDB_API_KEY"


def project_of(given: str, entity: str | None = None) -> dict[str, Any]:
    """Entity and project, of PROJECT or ENTITY/PROJECT."""
    before, _, project = given.rpartition("/")
    return {"entity": before or entity, "project": project}


def end(run: wandb.Run, exit_code: int = 0) -> None:
    """End a run, and say where it is; what could not be sent stays in its folder."""
    folder = run.settings.sync_dir
    try:
        run.finish(exit_code=exit_code)
    except TimeoutError:
        log.warning(
            "Weights & Biases does not answer. Send the rest later: wandb sync --include-online %s", folder
        )
        return
    if run.offline:
        log.info("Weights & Biases: send this run with: wandb sync %s", folder)
    elif not run.disabled:
        log.info("Weights & Biases: %s", run.url)


def one_line(error: BaseException) -> str:
    """An error as a line."""
    return f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}"


def slug(text: str) -> str:
    """Text as the name of a file or an artifact."""
    return re.sub(r"[^\w.-]+", "-", text)[:120]


@contextmanager
def staging(folder: str) -> Iterator[None]:
    """Let W&B copy the files of an artifact into a folder, and not into the user's home."""
    before = os.environ.get("WANDB_DATA_DIR")
    os.environ["WANDB_DATA_DIR"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["WANDB_DATA_DIR"]
        else:
            os.environ["WANDB_DATA_DIR"] = before


class Tracker(WandbLogger):
    """Lightning's WandbLogger, made harmless, and fit for runs that are interrupted and go on.

    An attempt that did not finish leaves its run's id in the folder `wandb`. The next one takes the id,
    is told every epoch from the first on, and so replaces what was there. A run whose connection is lost
    is written again when it ends, offline and whole.

    Parameters
    ----------
    save_dir : str
        Folder of the run; everything lies in `wandb` below it.
    name : str
        Of the run, and of its artifact.
    project, entity : str
        The project may be given as ENTITY/PROJECT.
    offline : bool
        Keep the run in its folder. The environment variable WANDB_MODE goes before.
    artifact : bool
        Whether to log the weights, the result and the predictions as an artifact.
    **settings
        For `begin`.
    """

    def __init__(
        self,
        *,
        save_dir: str,
        name: str,
        project: str,
        entity: str | None = None,
        offline: bool = True,
        artifact: bool = True,
        **settings: Any,
    ) -> None:
        self._folder = Path(save_dir) / "wandb"
        self._id_file = self._folder / f"{slug(name)}.id"
        self._settings = {**settings, "name": name, "dir": save_dir}
        if not awaited():  # else the agent of a W&B sweep has said both
            self._settings |= {**project_of(project, entity), "id": self._run_id()}
        self._artifact = artifact
        self._result = ""
        self._told: list[tuple[dict[str, float], int | None]] = []
        self._configuration: Any = {}
        self._lost = False
        try:
            run = begin(wanted_mode(offline), **self._settings)
        except Exception as error:
            log.warning("Weights & Biases cannot start, and logs nothing: %s.", one_line(error))
            run = wandb.init(mode="disabled")
        super().__init__(name=name, save_dir=save_dir, project=project, experiment=run, id=run.id)
        with self._harmless():
            if not run.disabled:
                write_whole(self._id_file, run.id)

    def _run_id(self) -> str:
        if given := os.environ.get("WANDB_RUN_ID"):
            return given
        left = self._id_file.read_text() if self._id_file.is_file() else ""
        return left or secrets.token_hex(4)

    @contextmanager
    def _harmless(self, level: int = logging.WARNING) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._lost = True
            log.log(level, "Weights & Biases fails, and the run goes on without: %s.", one_line(error))

    def log_hyperparams(self, params: Any) -> None:
        """Log the configuration; what a W&B sweep has set keeps its place, with the whole beside it."""
        self._configuration = params
        if not self._lost:
            with self._harmless():
                taken = set(self.experiment.config.keys()) if awaited() else ()
                params = {f"resolved.{key}" if key in taken else key: one for key, one in params.items()}
                super().log_hyperparams(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers; the step is the epoch."""
        self._told.append((dict(metrics), step))
        if not self._lost:
            with self._harmless():
                self.experiment.log(dict(metrics), step=step)

    def log_result(self, result: Mapping[str, Any], run_dir: Path) -> None:
        """Log what a finished run leaves: facts, tables, confusion matrices and, if wanted, its files."""
        if not self._lost:
            with self._harmless():
                self._log_result(result, run_dir)
        if self._lost:
            with self._harmless():
                self._begin_again()
                self._log_result(result, run_dir)

    def _begin_again(self) -> None:
        for stop in (lambda: self.experiment.finish(exit_code=1), wandb.teardown):
            with self._harmless(logging.DEBUG):  # that it fails has been told
                stop()
        self._experiment = begin("offline", **self._settings)
        self._lost = False
        self.log_hyperparams(self._configuration)
        for metrics, step in self._told:
            self._experiment.log(metrics, step=step)

    def _log_result(self, result: Mapping[str, Any], run_dir: Path) -> None:
        run, self._result = self.experiment, digest(run_dir)
        with staging(run.settings.sync_dir):
            run.summary.update(facts(result))
            tables = {"replicas": replica_table(result), "confusion": confusion_table(result)}
            told: dict[str, Any] = {
                name: wandb.Table(columns=columns, data=rows, allow_mixed_types=True)
                for name, (columns, rows) in tables.items()
            }
            columns, rows = summed_confusion(result)
            if rows:
                told["confusion_matrix"] = wandb.plot_table(
                    "wandb/confusion_matrix/v1",
                    wandb.Table(columns=columns, data=rows),
                    {str(column): column for column in columns},
                    {"title": "Confusion matrix, all replicas"},
                )
            run.log(told, step=result["epochs"])
            if self._artifact and not run.disabled:
                run.log_artifact(artifact_of(result, run_dir, str(run.name)))

    def finish(self, exit_code: int) -> None:
        """End the run. One that succeeded has everything of the attempts before it."""
        with self._harmless():
            run = self.experiment
            end(run, exit_code)
            if run.disabled or exit_code or self._lost:
                return
            write_whole(self._folder / WANDB_LOGGED.name, self._result)
            self._id_file.unlink()
            for folder in self._folder.glob(f"*run-*-{run.id}*"):
                if folder != Path(run.settings.sync_dir):
                    shutil.rmtree(folder)


def artifact_of(result: Mapping[str, Any], run_dir: Path, name: str) -> wandb.Artifact:
    """A finished run's weights, result and predictions."""
    files = [run_dir / file for file in (WEIGHTS, RESULT, PREDICTIONS)]
    artifact = wandb.Artifact(
        slug(name),
        type="model" if files[0].is_file() else "result",
        metadata={**facts(result), **final_metrics(result)},
    )
    for file in files:
        if file.is_file():
            artifact.add_file(str(file))
    return artifact


# What the play calls.


def log_result(loggers: Sequence[Logger], result: Mapping[str, Any], run_dir: Path) -> None:
    """Log a result that has been written: its numbers to all loggers, all of it to Weights & Biases."""
    for logger in loggers:
        logger.log_metrics(final_metrics(result), step=result["epochs"])
        logger.save()
        if isinstance(logger, Tracker):
            logger.log_result(result, run_dir)


@contextmanager
def finishing(loggers: Sequence[Logger]) -> Iterator[None]:
    """End the Weights & Biases run, as failed if training did."""
    failed = 1
    try:
        yield
        failed = 0
    finally:
        for logger in loggers:
            if isinstance(logger, Tracker):
                logger.finish(exit_code=failed)


def awaited() -> bool:
    """Whether the agent of a W&B sweep waits for this run's number."""
    return bool(os.environ.get("WANDB_SWEEP_ID"))
