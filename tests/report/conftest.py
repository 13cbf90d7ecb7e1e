"""Run folders with made-up numbers, written through the schema: `write_run`, and a small `suite` of runs."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pytest

from adversarial_oversampling.config.catalogue import ModeDescription, datasets, modes
from adversarial_oversampling.curve_names import CURVES, monitor
from adversarial_oversampling.report import paper
from adversarial_oversampling.results.read import read_result, record_of
from adversarial_oversampling.results.schema import (
    METRICS,
    SCHEMA_VERSION,
    Counts,
    ReplicaResult,
    Result,
    RowCounts,
    Scores,
    TableRecord,
    mean,
    std,
)

WriteRun = Callable[..., Path]

FS = {"natural": None, "quarter": 0.25, "half": 0.5, "three_quarters": 0.75, "balanced": 1.0}
WITHOUT_EPOCHS = ("logistic", "balanced_forest", "easy_ensemble", "lightgbm", "threshold_lightgbm", "xgboost")
RESAMPLERS = ("ro", "smote", "bsmote", "adasyn", "ctgan", "forest_diffusion")
WITH_GENERATOR = ("ao", "do", "both_fool", "both_favour", "gamo", "my_do")
OVERSAMPLING = ("do", "both_fool", "my_do")
"""Modes whose default is fs=balanced."""
TEST_ROWS = {"secom": (440, 31), "yeast": (40, 30, 5)}
PARAMETERS = {"discriminator": 4481, "generator": 35650, "classifier": 33794}
MODES = modes()
DATASETS = datasets()
MY_DO = ModeDescription(
    title="My DO", order=95, origin="peer", help="a mode of one's own", color="blue", linestyle="solid"
)
"""Description of a mode that the suite does not have: placed after DO, with the line style of DO."""


def selected_columns(number: int) -> str:
    """Return the entry of a variant for selected columns."""
    return f"dataset.preprocessing.n_selected={number}"


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Write a run's folder below `tmp_path / "runs"` and return it: see `run_writer`."""
    return run_writer(tmp_path / "runs")


def run_writer(runs: Path) -> WriteRun:
    """Return a function that writes a run's folder and returns it.

    `acsa` is the ACSA of each replica (fractions, None for undefined), in order of seeds, then folds; it is
    derived from the other arguments by default. GM is 0.02 below it. `variant` lists settings beside fs,
    which is added where it is not the mode's default. A dataset of the paper has the published table unless
    `file` is given; any other dataset is a CSV file.
    """

    def write(
        dataset: str = "haberman",
        mode: str = "do",
        protocol: str = "holdout",
        fs: str | None = None,
        variant: Sequence[str] = (),
        seeds: Sequence[int] = (0, 1, 2),
        folds: int | None = None,
        na: str | None = None,
        acsa: Sequence[float | None] | None = None,
        epochs: int = 4,
        folder: str | None = None,
        config_hash: str | None = None,
        file: str | None = None,
        description: ModeDescription | None = None,
        **changes: Any,
    ) -> Path:
        usual_fs = "balanced" if mode in OVERSAMPLING else "natural"
        fs = fs or usual_fs
        settings = [*([f"fs={fs}"] if fs != usual_fs else []), *variant]
        selected = [int(entry.split("=")[1]) for entry in variant if "n_selected" in entry]
        if dataset not in paper.DATASETS:
            file = file or f"{dataset}.csv"
        name = f"{mode}-{fs}-{protocol}-{'_'.join(variant)}-{seeds[0]}x{len(seeds)}-{epochs}"
        name = f"{dataset}/{name}-{file or ''}".replace(" ", "_")
        run = runs / (folder or name)
        run.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(crc32(name.encode()))
        test = TEST_ROWS.get(dataset, (68, 24))
        classes = [str(k) for k in range(1, len(test) + 1)]
        places = [(seed, fold) for seed in seeds for fold in (range(folds) if folds else [None])]
        if acsa is None:
            acsa = [float(value) for value in np.clip(rng.normal(0.7, 0.04, len(places)), 0.3, 0.95)]
        has_epochs = mode not in WITHOUT_EPOCHS and na is None
        replicas = [
            _replica(seed, fold, score, na, classes, test, has_epochs, protocol == "paper", epochs, rng)
            for (seed, fold), score in zip(places, acsa, strict=True)
        ]
        curves = [_curves(replica, mode, protocol, epochs) for replica in replicas if replica.best_epoch]
        if curves:
            pd.concat(curves).to_parquet(run / "curves.parquet", index=False)
        elif mode not in WITHOUT_EPOCHS:
            _no_curves().to_parquet(run / "curves.parquet", index=False)
        if na is None and (mode in WITH_GENERATOR or mode in RESAMPLERS):
            _generated(classes, rng, mode in WITH_GENERATOR).to_parquet(
                run / "generated.parquet", index=False
            )
        values = {metric: [getattr(r, metric) for r in replicas] for metric in METRICS}
        known = {metric: [v for v in column if v is not None] for metric, column in values.items()}
        fields: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "dataset": dataset,
            "dataset_title": DATASETS[dataset].title if dataset in DATASETS and not file else dataset,
            "table": TableRecord(
                digest=hashlib.sha256(f"{dataset}/{file}".encode()).hexdigest(),
                published=None if file or selected else dataset,
                file=file,
            ),
            "mode": mode,
            "mode_description": description or MODES.get(mode) or _description(mode),
            "gan_type": "wgan_gp" if mode in WITH_GENERATOR else None,
            "fs": fs,
            "fs_ratio": FS[fs] if fs in FS else float(fs),
            "protocol": protocol,
            "select_on": "test" if protocol == "paper" else "validation",
            "folds": folds,
            "fold": None,
            "test_size": None if dataset == "wafer" else 0.3,
            "optimistic": has_epochs and protocol == "paper",
            "epoch_selection": "no epochs to choose from"
            if not has_epochs
            else "best epoch on the test rows (optimistic)"
            if protocol == "paper"
            else "best epoch on validation rows",
            "variant": settings,
            "na": na,
            "settings_compared": 4,
            "classes": classes,
            "epochs": epochs,
            "mean": Scores(**{metric: mean(column) for metric, column in known.items()}),
            "std": Scores(**{metric: std(column) for metric, column in known.items()}),
            "defined": Counts(**{metric: len(column) for metric, column in known.items()}),
            "replicas": replicas,
            "parameters": {}
            if mode in WITHOUT_EPOCHS
            else PARAMETERS
            if mode in WITH_GENERATOR
            else {"classifier": PARAMETERS["classifier"]},
            "device": "cpu",
            "threads": 1,
            "seconds": {"setup": 0.1, "fit": 2.0, "test": 0.01},
            "versions": {"adversarial-oversampling": "0.2.0", "python": "3.11.7"},
            "config_hash": config_hash or f"{crc32(f'{name}/{folds}'.encode()):010x}",
            "sweep_id": None,
            "config": {
                "dataset": {
                    "preprocessing": {"n_selected": selected[0] if selected else None},
                    "source": {"path": file}
                    if file
                    else {"_target_": f"adversarial_oversampling.data.sources.load_{dataset}"},
                }
            },
            "files": {file.name: record_of(file) for file in sorted(run.glob("*.parquet"))},
        }
        result = Result(**(fields | changes))
        (run / "result.json").write_text(result.to_json())
        return run

    return write


def record_files(run: Path) -> None:
    """Record the files of a run again, as if it had written them."""
    result = read_result(run / "result.json")
    files = {name: record_of(run / name) for name in result.files}
    (run / "result.json").write_text(result.model_copy(update={"files": files}).to_json())


def _description(mode: str) -> ModeDescription:
    """Return a description of a mode that the suite does not have."""
    return MY_DO.model_copy(update={"title": mode, "order": 1000, "color": "muted", "linestyle": "dashdot"})


def _replica(
    seed: int,
    fold: int | None,
    acsa: float | None,
    na: str | None,
    classes: Sequence[str],
    test: Sequence[int],
    has_epochs: bool,
    optimistic: bool,
    epochs: int,
    rng: np.random.Generator,
) -> ReplicaResult:
    """Return a replica: its epoch is the last but one, and its ACSA on validation rows is 0.03 higher."""
    scores: dict[str, float | None] = dict.fromkeys(METRICS)
    if na is None and acsa is not None:
        values = (acsa, acsa - 0.02, acsa + 0.05, acsa - 0.1, 0.12)
        scores = dict(zip(METRICS, values, strict=True))
    defined = scores["acsa"] is not None
    correct = [int(rng.integers(0, rows + 1)) for rows in test]
    confusion = [[rows // len(test)] * len(test) for rows in test]
    return ReplicaResult(
        **scores,
        seed=seed,
        fold=fold,
        na=na,
        recall={name: n / rows for name, n, rows in zip(classes, correct, test, strict=True)}
        if defined
        else None,
        confusion=confusion if defined else None,
        best_epoch=epochs - 2 if defined and has_epochs else None,
        selection_acsa=acsa + (0.0 if optimistic else 0.03) if defined and has_epochs and acsa else None,
        diverged_at=None,
        rows=RowCounts(
            train=[2 * n for n in test],
            validation=[0 if optimistic else n // 2 for n in test],
            test=list(test),
        ),
        notes=[],
    )


def _curves(replica: ReplicaResult, mode: str, protocol: str, epochs: int) -> pd.DataFrame:
    """Return a replica's curves: the best epoch is the last but one, and the last is 0.01 worse."""
    assert replica.selection_acsa is not None
    scored = monitor("test" if protocol == "paper" else "validation")
    scores = [replica.selection_acsa - 0.01] * epochs
    scores[-2] = replica.selection_acsa
    frame = pd.DataFrame(
        {
            "seed": replica.seed,
            "fold": pd.Series([replica.fold] * epochs, dtype="Int64"),
            "epoch": range(epochs),
        }
    )
    names = ["classifier/real", "classifier/loss"]
    if mode in WITH_GENERATOR:
        names += ["classifier/generated", *CURVES["generator"], *CURVES["discriminator"]]
    if mode == "cot":
        names += ["complement/loss"]
    offset = (MODES[mode].order if mode in MODES else 95) / 500  # so that no two modes have one curve
    for name in names:
        frame[name] = [offset + 1.0 / (1 + epoch) for epoch in range(epochs)]
    frame[f"{scored}/acsa"] = scores
    frame[f"{scored}/g_mean"] = [score - 0.02 for score in scores]
    return frame


def _no_curves() -> pd.DataFrame:
    columns = {"seed": "int64", "fold": "Int64", "epoch": "int64"}
    return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in columns.items()})


def _generated(classes: Sequence[str], rng: np.random.Generator, has_generator: bool) -> pd.DataFrame:
    """Return real and generated rows of every class, with four features."""
    frames = []
    for k, name in enumerate(classes):
        for kind in ("real", "generated"):
            rows = 20
            frame = pd.DataFrame(rng.normal(k, 1.0, (rows, 4)), columns=[f"x_f{i}" for i in range(4)])
            has_anchors = kind == "generated" and has_generator
            frame.insert(0, "anchors_used", rng.uniform(1, 20, rows) if has_anchors else np.nan)
            frame.insert(0, "anchor_weight", rng.uniform(0, 1, rows) if has_anchors else np.nan)
            frame.insert(0, "anchor", rng.integers(0, 90, rows) if has_anchors else -1)
            frame.insert(0, "p_own", rng.uniform(0, 1, rows))
            frame.insert(0, "class", name)
            frame.insert(0, "kind", kind)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def suite(write_run: WriteRun, tmp_path: Path) -> Path:
    """Write runs of every kind: two protocols, an fs sweep, selected columns, NA, peers, an own table."""
    for protocol in ("paper", "holdout"):
        for dataset in ("secom", "haberman", "yeast"):
            for mode in ("q", "ro", "adasyn", "ao", "do", "lightgbm"):
                reason = "ADASYN finds no neighbors" if (dataset, mode) == ("yeast", "adasyn") else None
                write_run(dataset, mode, protocol, na=reason)
    for fs in ("natural", "quarter", "half"):
        write_run("secom", "do", fs=fs)
    write_run("secom", "do", variant=[selected_columns(20)])
    write_run("mine", "my_do", description=MY_DO)
    return tmp_path / "runs"
