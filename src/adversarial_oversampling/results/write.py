"""Build the result of a run, and write it with the predictions, the curves, a sample of rows and the weights.

Every file is written atomically and result.json last: a folder that holds it holds a finished run.
"""

import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError
from torch import Tensor

from adversarial_oversampling import __version__, metrics
from adversarial_oversampling.config.catalogue import dataset_description, mode_description
from adversarial_oversampling.config.identity import config_hash, has_generator
from adversarial_oversampling.config.resources import processor
from adversarial_oversampling.config.variants import variant
from adversarial_oversampling.credentials import masked
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.data.sources import published_name
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.method_output import MethodOutput, not_applicable
from adversarial_oversampling.results.files import (
    CHECKPOINTS,
    COMPOSED,
    CURVES,
    FILES,
    NEW,
    NO_FILES,
    PREDICTIONS,
    PREVIOUS,
    RESULT,
    SAMPLES,
    write_atomically,
    writing,
)
from adversarial_oversampling.results.model import TrainedModel
from adversarial_oversampling.results.read import read_file, read_table, record_of
from adversarial_oversampling.results.schema import (
    METRICS,
    Counts,
    ReplicaResult,
    Result,
    RowCounts,
    Scores,
    TableRecord,
    TableSummary,
    mean,
    std,
)
from adversarial_oversampling.text import shown

MOST_CURVES = 32
"""At least as many as the columns of curves.parquet."""
VERSIONS = (
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "hydra-core",
    "numpy",
    "scikit-learn",
    "imbalanced-learn",
    "lightgbm",
    "xgboost-cpu",
    "pandas",
)
EPOCH_SELECTION = {
    "test": "best epoch on the test rows (optimistic)",
    "validation": "best epoch on validation rows",
    "train": "last epoch",
}


def build_result(
    cfg: DictConfig,
    output: MethodOutput,
    data: TableDataModule,
    summary: TableSummary,
    seconds: Mapping[str, float],
) -> Result:
    """Put the result of a finished run together; its files are recorded when they are written.

    Parameters
    ----------
    cfg : DictConfig
        The whole configuration.
    output : MethodOutput
        The method's predictions of the test rows.
    data : TableDataModule
        The rows that it was trained and tested on.
    summary : TableSummary
        Of the table.
    seconds : mapping
        Wall time of each part of the run.
    """
    replicas = [replica_result(output, data, r) for r in range(len(data.seeds))]
    defined = {name: [value for r in replicas if (value := getattr(r, name)) is not None] for name in METRICS}
    reasons = {replica.na for replica in replicas}
    has_epochs = any(epoch is not None for epoch in output.best_epoch)
    path = OmegaConf.select(cfg, "dataset.source.path")
    config: Any = masked(OmegaConf.to_container(cfg, resolve=True))
    selected = cfg.dataset.preprocessing.n_selected
    return Result(
        dataset=cfg.dataset.name,
        dataset_title=dataset_description(cfg).title,
        table=TableRecord(
            digest=data.table.digest,
            published=published_name(data.table) if selected is None else None,
            file=None if path is None else Path(path).name,
            summary=summary,
        ),
        mode=cfg.mode.name,
        mode_description=mode_description(cfg),
        gan_type=cfg.gan_type.name if has_generator(cfg) else None,
        fs=cfg.fs.name,
        fs_ratio=cfg.fs.ratio,
        protocol=cfg.protocol.name,
        select_on=cfg.protocol.select_on,
        folds=cfg.protocol.folds,
        fold=cfg.protocol.fold,
        test_size=cfg.dataset.split.test_size,
        optimistic=has_epochs and cfg.protocol.select_on == "test",
        epoch_selection=EPOCH_SELECTION[cfg.protocol.select_on] if has_epochs else "no epochs to choose from",
        variant=variant(cfg),
        na=None if None in reasons else "; ".join(sorted(str(reason) for reason in reasons)),
        settings_compared=cfg.mode.get("settings_compared", cfg.dataset.training.settings_compared),
        classes=list(data.table.class_names),
        epochs=cfg.trainer.max_epochs,
        mean=Scores(**{name: mean(values) for name, values in defined.items()}),
        std=Scores(**{name: std(values) for name, values in defined.items()}),
        defined=Counts(**{name: len(values) for name, values in defined.items()}),
        replicas=replicas,
        parameters=dict(output.parameters),
        device=device_name(output.device),
        threads=torch.get_num_threads(),
        seconds={name: round(value, 3) for name, value in seconds.items()},
        versions=versions(),
        config_hash=config_hash(cfg),
        sweep_id=cfg.sweep.id,
        config=config,
        files={},
    )


def replica_result(output: MethodOutput, data: TableDataModule, r: int) -> ReplicaResult:
    """Return the result of replica r: its metrics on the test rows, its best epoch, and what is undefined."""
    names = data.table.class_names
    split = data.splits[r]
    # A replica whose rows could not be resampled was trained on its original rows, which is not reported.
    na = data.not_applicable[r] or output.na[r]
    notes = list(data.notes[r])
    tested: dict[str, Any] = dict.fromkeys((*METRICS, "recall", "confusion", "best_epoch", "selection_acsa"))
    if na is not None:
        notes.append(f"no result: {na}")
    else:
        tested = _test_metrics(output, data, r)
        absent = [name for name, value in tested["recall"].items() if value is None]
        if absent:
            notes.append(f"no test rows of class {', '.join(absent)}: ACSA and GM are undefined")
    missing = sorted(set(range(data.classes)) - set(data.table.y[getattr(split, data.select_on)].tolist()))
    if missing and data.select_on != "test" and tested["best_epoch"] is not None:
        absent = [names[k] for k in missing]
        notes.append(f"the epoch was chosen without class {', '.join(absent)}: no {data.select_on} rows")
    diverged_at = dict(enumerate(output.diverged_at)).get(r, -1)  # where there are epochs at all
    counts = {
        part: np.bincount(data.table.y[getattr(split, part)], minlength=data.classes).tolist()
        for part in ("train", "validation", "test")
    }
    return ReplicaResult(
        seed=data.seeds[r],
        fold=data.folds[r],
        na=na,
        **tested,
        diverged_at=None if diverged_at < 0 else diverged_at,
        rows=RowCounts(**counts),
        notes=notes,
    )


def _test_metrics(output: MethodOutput, data: TableDataModule, r: int) -> dict[str, Any]:
    tested = output.row[r] >= 0
    true = torch.from_numpy(data.table.y)[output.row[r][tested]]
    matrix = metrics.confusion(output.predicted[r : r + 1, tested], true[None], data.classes)
    recall = metrics.recall(matrix)[0]
    return {
        "acsa": _number(metrics.acsa(matrix)[0]),
        "g_mean": _number(metrics.g_mean(matrix)[0]),
        **metrics.probability_metrics(output.probabilities[r, tested], true),
        "recall": {n: _number(v) for n, v in zip(data.table.class_names, recall, strict=True)},
        "confusion": matrix[0].tolist(),
        "best_epoch": output.best_epoch[r],
        "selection_acsa": output.selection_acsa[r],
    }


def _number(value: Tensor) -> float | None:
    return float(value) if bool(value.isfinite()) else None


def device_name(device: torch.device) -> str:
    """Return the name of a GPU, or "cpu" and the model of the processor: each rounds in its own way."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{device.type} ({processor()})"


def versions() -> dict[str, str]:
    """Return the versions of this package, of Python and of the packages that shape a result."""
    installed = {"adversarial-oversampling": __version__, "python": platform.python_version()}
    for name in VERSIONS:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            installed[name] = "unknown"
    return installed


def _labelled(frame: pd.DataFrame, seed: int, fold: int | None) -> pd.DataFrame:
    frame.insert(0, "fold", pd.Series([fold] * len(frame), dtype="Int64"))
    frame.insert(0, "seed", seed)
    return frame


def predictions(output: MethodOutput, data: TableDataModule) -> Iterator[pd.DataFrame]:
    """Yield for each replica a row per test row, with the probability of every class.

    A replica without a result has no rows.
    """
    names = np.array(data.table.class_names)
    for r, (seed, fold) in enumerate(zip(data.seeds, data.folds, strict=True)):
        tested = (output.row[r] >= 0) & (data.not_applicable[r] is None and output.na[r] is None)
        row = output.row[r][tested].numpy()
        frame = pd.DataFrame(output.probabilities[r][tested].numpy(), columns=[f"p_{name}" for name in names])
        frame.insert(0, "predicted", names[output.predicted[r][tested].numpy()])
        frame.insert(0, "true", names[data.table.y[row]])
        frame.insert(0, "row", row)
        yield _labelled(frame, seed, fold)


def _write_parquet(path: Path, frames: Iterator[pd.DataFrame]) -> None:
    """Write frames with the same columns one after the other, so that one at a time is in memory."""
    first = pa.Table.from_pandas(next(frames), preserve_index=False)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for frame in frames:
            writer.write_table(pa.Table.from_pandas(frame, first.schema, preserve_index=False))


def curves(output: MethodOutput, data: TableDataModule) -> pd.DataFrame:
    """Return every curve: a row per replica and epoch."""
    frames = []
    for r, (seed, fold) in enumerate(zip(data.seeds, data.folds, strict=True)):
        values = {name: [float(v[r]) for v in curve] for name, curve in output.history.items()}
        frame = pd.DataFrame(values)
        frame.insert(0, "epoch", range(len(frame)))
        frames.append(_labelled(frame, seed, fold))
    return pd.concat(frames, ignore_index=True)


def read_curves(run_dir: Path, result: Result) -> tuple[dict[str, list[Tensor]], Tensor]:
    """Read the curves of a finished run.

    Returns
    -------
    history : dict of str to list of Tensor [R]
        One entry per epoch.
    diverged_at : Tensor of shape [R]
        -1 for never.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    frame = read_table(run_dir / CURVES)
    epochs = [replicas for _, replicas in frame.groupby("epoch", sort=True)]
    names = frame.columns.drop(["seed", "fold", "epoch"])
    history = {name: [torch.tensor(epoch[name].to_numpy()) for epoch in epochs] for name in names}
    diverged_at = [replica.diverged_at for replica in result.replicas]
    return history, torch.tensor([-1 if epoch is None else epoch for epoch in diverged_at])


def check_storable(config: Any, key: str = "") -> None:
    """Raise an InputError for a setting that result.json cannot hold, such as an infinite number."""
    if isinstance(config, dict | list):
        parts = config.items() if isinstance(config, dict) else enumerate(config)
        for name, value in parts:
            check_storable(value, f"{key}.{name}".lstrip("."))
        return
    try:
        json.dumps(config, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{key}={shown(str(config))}: {RESULT} cannot hold this value; give a text, a finite number, "
            "true, false or null."
        ) from error


def rehearse(run_dir: Path, cfg: DictConfig, data: TableDataModule, summary: TableSummary) -> None:
    """Try before the training what has to succeed after it: to build a result and to write it.

    Raises
    ------
    InputError
        For a setting that a result cannot hold, and for a folder or a disk that cannot take the files.
    """
    untrained = not_applicable(["not trained"] * len(data.seeds), data.classes)
    try:
        result = build_result(cfg, untrained, data, summary, {})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{field}={shown(str(first['input']))}: {RESULT} cannot hold this value: {first['msg'].lower()}; "
            "change the setting."
        ) from error
    for name in (*FILES, *COMPOSED):
        if (run_dir / name).is_dir():
            raise InputError(f"{run_dir / name} is a folder: remove it, or choose another hydra.run.dir.")
    for name in (PREVIOUS, CHECKPOINTS, ".hydra"):
        if (run_dir / name).is_file():
            raise InputError(f"{run_dir / name} is a file: remove it, or choose another hydra.run.dir.")
    check_space(run_dir, expected_bytes(data, cfg.trainer.max_epochs))
    with writing(run_dir):
        new = _new_folder(run_dir)
        (new / RESULT).write_text(result.to_json(), encoding="utf-8")
        shutil.rmtree(new)


def expected_bytes(data: TableDataModule, epochs: int) -> int:
    """Return about how large the files of a run will be, without weights."""
    tested = sum(len(split.test) for split in data.splits)
    cells = tested * (data.classes + 5) + len(data.splits) * epochs * MOST_CURVES + data.table.x.size
    return 8 * cells


def check_space(run_dir: Path, needed: int) -> None:
    """Raise an InputError if the disk of a folder has less room than a run needs, in bytes."""
    free = shutil.disk_usage(run_dir).free
    if free < needed:
        raise InputError(
            f"{run_dir}: this run writes about {needed / 1e6:.0f} MB, and the disk has {free / 1e6:.0f} MB "
            "left; make room, or choose another hydra.run.dir or paths.output_dir."
        )


def write_run(
    run_dir: Path,
    cfg: DictConfig,
    result: Result,
    output: MethodOutput,
    data: TableDataModule,
    samples: pd.DataFrame | None = None,
    composition: Mapping[str, str] = NO_FILES,
) -> Result:
    """Write all files of a run, result.json last; an older result goes into the folder `previous`.

    Parameters
    ----------
    run_dir, cfg, output, data
        Of the run.
    result : Result
        As `build_result` returns it.
    samples : DataFrame, optional
        Generated rows.
    composition : mapping of str to str
        Files that say how the configuration was composed, by name.

    Returns
    -------
    Result
        With the records of the files.
    """
    with writing(run_dir):
        new = _new_folder(run_dir)
        _write_parquet(new / PREDICTIONS, predictions(output, data))
        curves(output, data).to_parquet(new / CURVES, index=False)
        if samples is not None:
            samples.to_parquet(new / SAMPLES, index=False)
        if output.weights is not None:
            TrainedModel.of(cfg, data, output.weights, output.best_epoch, output.selection_acsa).save(new)
        return _move_into_place(new, result, composition)


def copy_run(
    run_dir: Path, source: Path, result: Result, composition: Mapping[str, str] = NO_FILES
) -> Result:
    """Write all files of a run as copies of another run's, but with a result of its own.

    Raises
    ------
    InputError
        If a file of the other run is missing or damaged.
    """
    with writing(run_dir):
        new = _new_folder(run_dir)
        for name in result.files:
            (new / name).write_bytes(read_file(source, result, name))
        return _move_into_place(new, result, composition)


def _new_folder(run_dir: Path, name: str = NEW) -> Path:
    new = run_dir / name
    if new.is_dir():  # of a run that was killed here
        shutil.rmtree(new)
    new.mkdir()
    return new


def _move_into_place(new: Path, result: Result, composition: Mapping[str, str]) -> Result:
    run_dir = new.parent
    files = {name: record_of(new / name) for name in FILES if (new / name).is_file()}
    result = result.model_copy(update={"files": files})
    for name, text in {**composition, RESULT: result.to_json()}.items():
        write_atomically(new / name, text)
    _move_to_previous(run_dir)
    for name in reversed((*FILES, *COMPOSED)):
        if (new / name).is_file():
            (run_dir / name).parent.mkdir(exist_ok=True)
            os.replace(new / name, run_dir / name)
    shutil.rmtree(new)
    return result


def _link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _move_to_previous(run_dir: Path) -> None:
    """Move an older result into the folder `previous`; at any moment it is whole in one of the two places."""
    if (run_dir / RESULT).is_file():
        kept = _new_folder(run_dir, f".{PREVIOUS}")
        for name in (*FILES, *COMPOSED):
            if (run_dir / name).is_file():
                (kept / name).parent.mkdir(exist_ok=True)
                _link_or_copy(run_dir / name, kept / name)
        if (run_dir / PREVIOUS).is_dir():
            shutil.rmtree(run_dir / PREVIOUS)
        os.replace(kept, run_dir / PREVIOUS)
    for name in (*FILES, *COMPOSED):  # result.json first: a folder without it holds no finished run
        (run_dir / name).unlink(missing_ok=True)
