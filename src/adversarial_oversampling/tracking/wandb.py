"""Weights & Biases: one W&B run for each job, whose failures never stop the job.

An error of W&B becomes a warning. A W&B run that cannot be online is kept offline, in the job's folder.
"""

import logging
import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import wandb
from pytorch_lightning.loggers import WandbLogger

from adversarial_oversampling.credentials import masked
from adversarial_oversampling.curve_names import monitor
from adversarial_oversampling.results.display import dataset_label
from adversarial_oversampling.results.files import (
    CURVES,
    MODEL,
    PREDICTIONS,
    RESULT,
    WEIGHTS,
    write_atomically,
)
from adversarial_oversampling.results.read import result_digest
from adversarial_oversampling.results.schema import METRICS, Result
from adversarial_oversampling.results.write import read_curves
from adversarial_oversampling.text import one_line, slug
from adversarial_oversampling.tracking.loggers import final_metrics
from adversarial_oversampling.tracking.pending import LOGGED, started_by_sweep_agent

log = logging.getLogger(__name__)

SERVICE = "WANDB_SERVICE"
"""Environment variable by which W&B finds another process's service: in a sweep's job, that of the sweep."""

TableData = tuple[list[str | int], list[Iterable[Any]]]


# What is logged: pure functions of a result.


def facts(result: Result) -> dict[str, str | bool]:
    """Return the facts of a finished run that are not numbers, for W&B's summary."""
    return {
        "dataset": dataset_label(result),
        "table_digest": result.table.digest,
        "mode": result.mode,
        "title": result.mode_description.title,
        "protocol": result.protocol,
        "optimistic": result.optimistic,
        "epoch_selection": result.epoch_selection,
        "variant": "; ".join(result.variant),
        "na": result.na or "",
        "device": result.device,
        "config_hash": result.config_hash,
    }


def replica_table(result: Result) -> TableData:
    """Return a row per replica: metrics, the recall of each class, the best epoch, why it has no result."""
    columns: list[str | int] = ["seed", "fold", *METRICS, *(f"recall of {name}" for name in result.classes)]
    columns += ["best_epoch", "selection_acsa", "na", "notes"]
    rows: list[Iterable[Any]] = []
    for replica in result.replicas:
        recall = replica.recall or {}
        row = [replica.seed, replica.fold, *(getattr(replica, metric) for metric in METRICS)]
        row += [recall.get(name) for name in result.classes]
        row += [replica.best_epoch, replica.selection_acsa, replica.na, "; ".join(replica.notes)]
        rows.append(row)
    return columns, rows


def seed_curves(result: Result, run_dir: Path) -> dict[str, list[float]]:
    """Return each replica's ACSA on the rows that choose the epoch, epoch by epoch; empty without epochs."""
    history, _ = read_curves(run_dir, result)
    epochs = history.get(f"{monitor(result.select_on)}/acsa", [])
    labels = [
        f"seed {replica.seed}" if replica.fold is None else f"seed {replica.seed}, fold {replica.fold}"
        for replica in result.replicas
    ]
    return {label: [float(epoch[r]) for epoch in epochs] for r, label in enumerate(labels) if epochs}


def confusion_table(result: Result) -> TableData:
    """Return every replica's confusion matrix: a row per cell."""
    classes = result.classes
    rows: list[Iterable[Any]] = [
        [replica.seed, replica.fold, classes[i], classes[j], count]
        for replica in result.replicas
        if replica.confusion is not None
        for i, line in enumerate(replica.confusion)
        for j, count in enumerate(line)
    ]
    return ["seed", "fold", "true", "predicted", "rows"], rows


def summed_confusion(result: Result) -> TableData:
    """Return the confusion matrix over all replicas in the form of W&B's own chart."""
    counts: dict[tuple[str, str], int] = {}
    for _, _, true, predicted, rows in confusion_table(result)[1]:
        counts[true, predicted] = counts.get((true, predicted), 0) + rows
    return ["Actual", "Predicted", "nPredictions"], [[*cell, rows] for cell, rows in counts.items()]


# W&B runs, with and without a network.


def wanted_mode(offline: bool) -> str:
    """Return W&B's mode of a new run; the environment variable WANDB_MODE overrides the setting."""
    return os.environ.get("WANDB_MODE") or ("offline" if offline else str(_setup().settings.mode))


def _setup() -> Any:
    """Connect to W&B's service, or start one; return W&B's state in this process."""
    try:
        return wandb.setup()
    except Exception as error:  # of many kinds
        log.debug("Weights & Biases: the service of the sweep is gone: %s", error_text(error))
        leave_service()
        return wandb.setup()


def begin(mode: str, *, init_timeout: float = 20, finish_timeout: float = 60, **settings: Any) -> wandb.Run:
    """Start a W&B run; one that should be online but cannot be is kept offline.

    Parameters
    ----------
    mode : {"online", "offline", "disabled"}
    init_timeout, finish_timeout : float
        Seconds to wait for the server.
    **settings
        For `wandb.init`.
    """
    run_settings = wandb.Settings(
        init_timeout=init_timeout,
        finish_timeout=finish_timeout,
        finish_timeout_raises=True,
        console="off",
        quiet=True,
        reinit="create_new",  # beside a run that the caller may have
    )
    sys.argv[:] = masked(sys.argv)  # W&B records the command line
    if mode != "disabled":
        _setup()
    if mode not in ("offline", "dryrun", "disabled"):
        problem = login_problem()
        if problem is None:
            try:
                return wandb.init(mode=mode, settings=run_settings, **settings)  # type: ignore[arg-type]
            except wandb.errors.UsageError:
                raise  # a wrong setting, which an offline run would have too
            except (wandb.Error, OSError) as error:
                problem = error_text(error)
                leave_service()
        log.warning("Weights & Biases is not reached, and this run is kept offline: %s.", problem)
        mode = "offline"
    return wandb.init(mode=mode, settings=run_settings, **settings)  # type: ignore[arg-type]


def leave_service() -> None:
    """Let the next run have a new service: the present one has failed, or it still has a run of this id."""
    os.environ.pop(SERVICE, None)  # of the sweep, whose other jobs keep it
    wandb.teardown()


def login_problem() -> str | None:
    """Return why there is no user; None if there is one, whom the server may refuse when a run starts."""
    try:
        if wandb.run is not None or wandb.login(prompt=False, verify=False):
            return None
    except (wandb.Error, OSError) as error:
        return error_text(error)
    return "there is no API key: give one to `wandb login`, or set WANDB_API_KEY"


def split_project(project: str, entity: str | None = None) -> dict[str, Any]:
    """Return the arguments `entity` and `project` of `wandb.init`, from PROJECT or ENTITY/PROJECT."""
    prefix, _, name = project.rpartition("/")
    return {"entity": prefix or entity, "project": name}


def end(run: wandb.Run, exit_code: int = 0) -> None:
    """Finish a W&B run and log where it is; what could not be sent stays in its folder."""
    folder = run.settings.sync_dir
    try:
        run.finish(exit_code=exit_code)
    except TimeoutError:
        log.warning(
            "Weights & Biases does not respond. Send the rest later: wandb sync --include-online %s", folder
        )
        return
    if run.offline:
        log.info("Weights & Biases: send this run with: wandb sync %s", folder)
    elif not run.disabled:
        log.info("Weights & Biases: %s", run.url)


def error_text(error: BaseException) -> str:
    """Return an error's type and message in one line, to be followed by a full stop."""
    return f"{type(error).__name__}: {one_line(error).rstrip('.')}"


@contextmanager
def staging(folder: str) -> Iterator[None]:
    """Make W&B copy the files of an artifact into a folder instead of the user's home."""
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
    """A WandbLogger whose errors never stop the run, and that continues the W&B run of a resumed run.

    An interrupted attempt leaves the id of its W&B run in the folder `wandb`. The next attempt uses the id,
    logs every epoch from the first on, and so replaces what was there. When the connection is lost, the
    whole run is written again at the end, offline.

    Parameters
    ----------
    save_dir : str
        Folder of the run; W&B's files are in `wandb` below it.
    name : str
        Name of the W&B run and of its artifact.
    project, entity : str
        W&B project and its owner. The project may be given as ENTITY/PROJECT.
    offline : bool
        Keep the run in its folder. The environment variable WANDB_MODE overrides this.
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
        if self._id_file.is_file():  # the sweep's service may still have the run of the interrupted attempt
            os.environ.pop(SERVICE, None)
        if not started_by_sweep_agent():  # the agent of a W&B sweep has set both
            self._settings |= {**split_project(project, entity), "id": self._run_id()}
        self._artifact = artifact
        self._result = ""
        self._logged: list[tuple[dict[str, float], int | None]] = []
        self._configuration: Any = {}
        self._failed = False
        try:
            run = begin(wanted_mode(offline), **self._settings)
        except Exception as error:
            log.warning("Weights & Biases cannot start, so nothing is logged there: %s.", error_text(error))
            run = wandb.init(mode="disabled")
        super().__init__(name=name, save_dir=save_dir, project=project, experiment=run, id=run.id)
        with self._log_errors():
            if not run.disabled:
                write_atomically(self._id_file, run.id)

    def _run_id(self) -> str:
        """Return the id of the W&B run: that of an interrupted attempt, or a new one.

        WANDB_RUN_ID counts only where the agent of a W&B sweep has set it: all runs would share it.
        """
        previous_id = self._id_file.read_text("utf-8") if self._id_file.is_file() else ""
        return previous_id or secrets.token_hex(4)

    @contextmanager
    def _log_errors(self, level: int = logging.WARNING) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._failed = True
            log.log(level, "Weights & Biases fails, and the run continues without it: %s.", error_text(error))

    def log_hyperparams(self, params: Any) -> None:
        """Log the configuration; keys that a W&B sweep has set stay, with the resolved ones beside them."""
        self._configuration = params
        if not self._failed:
            with self._log_errors():
                taken = set(self.experiment.config.keys()) if started_by_sweep_agent() else ()
                params = {f"resolved.{key}" if key in taken else key: value for key, value in params.items()}
                super().log_hyperparams(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers; the step is the epoch."""
        self._logged.append((dict(metrics), step))
        if not self._failed:
            with self._log_errors():
                self.experiment.log(dict(metrics), step=step)

    def log_result(self, result: Result, run_dir: Path) -> None:
        """Log a finished run: facts, tables, confusion matrices and, if configured, its files."""
        if not self._failed:
            with self._log_errors():
                self._log_result(result, run_dir)
        if self._failed:
            with self._log_errors():
                self._begin_again()
                self._log_result(result, run_dir)

    def _begin_again(self) -> None:
        for stop in (lambda: self.experiment.finish(exit_code=1), leave_service):
            with self._log_errors(logging.DEBUG):  # the failure has been logged
                stop()
        self._experiment = begin("offline", **self._settings)
        self._failed = False
        self.log_hyperparams(self._configuration)
        for metrics, step in self._logged:
            self._experiment.log(metrics, step=step)

    def _log_result(self, result: Result, run_dir: Path) -> None:
        run, self._result = self.experiment, result_digest(run_dir)
        with staging(run.settings.sync_dir):
            run.summary.update(facts(result))
            tables = {"replicas": replica_table(result), "confusion": confusion_table(result)}
            logged: dict[str, Any] = {
                name: wandb.Table(columns=columns, data=rows, allow_mixed_types=True)
                for name, (columns, rows) in tables.items()
            }
            columns, rows = summed_confusion(result)
            if rows:
                logged["confusion_matrix"] = wandb.plot_table(
                    "wandb/confusion_matrix/v1",
                    wandb.Table(columns=columns, data=rows),
                    {str(column): column for column in columns},
                    {"title": "Confusion matrix, all replicas"},
                )
            if curves := seed_curves(result, run_dir):
                logged["acsa_of_each_seed"] = wandb.plot.line_series(
                    xs=list(range(max(map(len, curves.values())))),
                    ys=list(curves.values()),
                    keys=list(curves),
                    title=f"{monitor(result.select_on)}/acsa of each seed",
                    xname="epoch",
                )
            run.log(logged, step=result.epochs)
            if self._artifact and not run.disabled:
                run.log_artifact(artifact_of(result, run_dir, str(run.name)))

    def finish(self, exit_code: int) -> None:
        """Finish the W&B run. After a success the files of earlier attempts are deleted."""
        with self._log_errors():
            run = self.experiment
            end(run, exit_code)
            if run.disabled or exit_code or self._failed:
                return
            write_atomically(self._folder / LOGGED.name, self._result)
            self._id_file.unlink()
            for folder in self._folder.glob(f"*run-*-{run.id}*"):
                if folder != Path(run.settings.sync_dir):
                    shutil.rmtree(folder)


def artifact_of(result: Result, run_dir: Path, name: str) -> wandb.Artifact:
    """Return an artifact with a finished run's weights, result and predictions."""
    files = [run_dir / file for file in (WEIGHTS, MODEL, RESULT, PREDICTIONS, CURVES)]
    artifact = wandb.Artifact(
        slug(name),
        type="model" if files[0].is_file() else "result",
        metadata={**facts(result), **final_metrics(result)},
    )
    for file in files:
        if file.is_file():
            artifact.add_file(str(file))
    return artifact
