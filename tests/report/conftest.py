"""Run folders as the suite leaves them, made up in a moment: `write_run` and a small `suite` of them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pytest

WriteRun = Callable[..., Path]

FS = {"natural": None, "quarter": 0.25, "half": 0.5, "three_quarters": 0.75, "balanced": 1.0}
PEERS = ("logistic", "balanced_forest", "easy_ensemble", "lightgbm")
RESAMPLERS = ("ro", "smote", "bsmote", "adasyn")
PLAYERS = {"ao": 3, "do": 3, "both_fool": 3, "both_favour": 3, "gamo": 3}
TEST_ROWS = {"secom": (440, 31), "yeast": (40, 30, 5)}
METRICS = ("acsa", "g_mean", "auroc", "pr_auc", "calibration_error")


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _std(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.std(known, ddof=1)) if len(known) > 1 else None


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Write a run's folder and return it.

    `acsa` is the ACSA of each replica (fractions, None for undefined), in order of seeds, then folds; made up
    from the other arguments where it is not given. GM is 0.02 below it.
    """

    def make(
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
        **changes: Any,
    ) -> Path:
        fs = fs or ("balanced" if mode in ("do", "both_fool") else "natural")
        ratio = FS[fs] if fs in FS else float(fs)
        name = f"{mode}-{fs}-{protocol}-{'_'.join(variant)}-{seeds[0]}x{len(seeds)}-{epochs}".replace(
            " ", "_"
        )
        run = tmp_path / "runs" / (folder or f"{dataset}/{name}")
        run.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(crc32(f"{dataset}/{name}".encode()))
        optimistic = protocol == "paper"
        peer = mode in PEERS
        epochs_chosen = not peer and na is None
        test = TEST_ROWS.get(dataset, (68, 24))
        classes = [str(k) for k in range(1, len(test) + 1)]
        places = [(seed, fold) for seed in seeds for fold in (range(folds) if folds else [None])]
        if acsa is None:
            acsa = [float(value) for value in np.clip(rng.normal(0.7, 0.04, len(places)), 0.3, 0.95)]

        replicas, guesses, curves = [], [], []
        for (seed, fold), score in zip(places, acsa, strict=True):
            gone = na is not None or score is None
            values = (
                dict.fromkeys(METRICS)
                if gone
                else dict(zip(METRICS, (score, score - 0.02, score + 0.05, score - 0.1, 0.12), strict=True))
            )
            parts = {"train": [2 * n for n in test], "validation": [n // 2 for n in test], "test": list(test)}
            if optimistic:
                parts["validation"] = [0] * len(test)
            true = np.repeat(np.arange(len(test)), test)
            chance = rng.dirichlet(np.ones(len(test)), len(true)) + 0.5 * np.eye(len(test))[true]
            chance /= chance.sum(axis=1, keepdims=True)
            guess = chance.argmax(axis=1)
            confusion = np.zeros((len(test), len(test)), int)
            np.add.at(confusion, (true, guess), 1)
            recall = confusion.diagonal() / confusion.sum(axis=1)
            replicas.append(
                {
                    "seed": seed,
                    "fold": fold,
                    **values,
                    "recall": None if gone else dict(zip(classes, recall.tolist(), strict=True)),
                    "confusion": None if gone else confusion.tolist(),
                    "best_epoch": None if gone or peer else epochs - 2,
                    "selection_acsa": None if gone or peer else score + (0.0 if optimistic else 0.03),
                    "rows": parts,
                    "na": na,
                    "notes": [],
                }
            )
            if gone:
                continue
            frame = pd.DataFrame(chance, columns=[f"p_{name}" for name in classes])
            frame.insert(0, "predicted", np.array(classes)[guess])
            frame.insert(0, "true", np.array(classes)[true])
            frame.insert(0, "row", np.arange(len(true)))
            frame.insert(0, "fold", pd.Series([fold] * len(true), dtype="Int64"))
            frame.insert(0, "seed", seed)
            guesses.append(frame)
            if not peer:
                curves.append(_curves(seed, fold, float(score), mode, protocol, epochs))

        columns = {"seed": "int64", "fold": "Int64"}
        empty = {
            "row": "int64",
            "true": "str",
            "predicted": "str",
            **{f"p_{name}": "float64" for name in classes},
        }
        (pd.concat(guesses) if guesses else _empty(columns | empty)).to_parquet(
            run / "predictions.parquet", index=False
        )
        (pd.concat(curves) if curves else _empty(columns | {"epoch": "int64"})).to_parquet(
            run / "curves.parquet", index=False
        )
        if na is None and (mode in PLAYERS or mode in RESAMPLERS):
            _generated(classes, rng, resampler=mode in RESAMPLERS).to_parquet(
                run / "generated.parquet", index=False
            )
        folded = {key: [one[key] for one in replicas] for key in METRICS}
        players = {"discriminator": 4481, "generator": 35650, "classifier": 33794}
        result = {
            "dataset": dataset,
            "mode": mode,
            "gan_type": "wgan_gp" if mode in PLAYERS else None,
            "fs": fs,
            "fs_ratio": ratio,
            "protocol": protocol,
            "optimistic": optimistic and epochs_chosen,
            "epoch_selection": "no epochs to choose from"
            if not epochs_chosen
            else "best epoch on the test rows (optimistic)"
            if optimistic
            else "best epoch on validation rows",
            "variant": list(variant),
            "na": na,
            "classes": classes,
            "epochs": epochs,
            "settings_compared": 4,
            "mean": {key: _mean(values) for key, values in folded.items()},
            "std": {key: _std(values) for key, values in folded.items()},
            "defined": {key: sum(value is not None for value in values) for key, values in folded.items()},
            "replicas": replicas,
            "parameters": {} if peer else players if mode in PLAYERS else {"classifier": 33794},
            "device": "cpu",
            "threads": 1,
            "seconds": {"setup": 0.1, "fit": 2.0, "test": 0.01},
            "versions": {"adversarial-oversampling": "0.2.0", "python": "3.11.7"},
            "config_hash": config_hash or f"{crc32(f'{dataset}/{name}/{folds}'.encode()):010x}",
            "config": {
                "seed": seeds[0],
                "replicas": len(seeds),
                "dataset": {"name": dataset, "split": {"test_size": None if dataset == "wafer" else 0.3}},
                "protocol": {
                    "name": protocol,
                    "select_on": "test" if protocol == "paper" else "validation",
                    "folds": folds,
                    "fold": None,
                },
                "mode": {"name": mode},
                "trainer": {"max_epochs": epochs},
            },
        }
        (run / "result.json").write_text(json.dumps(result | changes, indent=2, allow_nan=False))
        return run

    return make


def _curves(seed: int, fold: int | None, acsa: float, mode: str, protocol: str, epochs: int) -> pd.DataFrame:
    """A replica's curves: the best epoch is the last but one, and the last is 0.01 worse."""
    scored = "test_optimistic" if protocol == "paper" else "validation"
    best = acsa if protocol == "paper" else acsa + 0.03
    scores = [best - 0.01] * epochs
    scores[-2] = best
    down = [1.0 / (1 + epoch) for epoch in range(epochs)]
    frame = pd.DataFrame(
        {"seed": seed, "fold": pd.Series([fold] * epochs, dtype="Int64"), "epoch": range(epochs)}
    )
    names = ["classifier/real", "classifier/loss"]
    if mode in PLAYERS:
        names += ["classifier/generated", "generator/loss", "generator/against_discriminator"]
        names += [
            "generator/against_classifier",
            "generator/perplexity",
            "discriminator/loss",
            "discriminator/real",
        ]
        names += ["discriminator/generated", "discriminator/gradient_penalty"]
    if mode == "cot":
        names += ["complement/loss"]
    for name in names:
        frame[name] = down
    frame[f"{scored}/acsa"] = scores
    frame[f"{scored}/g_mean"] = [score - 0.02 for score in scores]
    return frame


def _generated(classes: Sequence[str], rng: np.random.Generator, resampler: bool) -> pd.DataFrame:
    """Real and generated rows of every class, with four features."""
    frames = []
    for k, name in enumerate(classes):
        for kind in ("real", "generated"):
            rows = 20
            frame = pd.DataFrame(rng.normal(k, 1.0, (rows, 4)), columns=[f"x_f{i}" for i in range(4)])
            made = kind == "generated" and not resampler
            frame.insert(0, "anchors_used", rng.uniform(1, 20, rows) if made else np.nan)
            frame.insert(0, "anchor_weight", rng.uniform(0, 1, rows) if made else np.nan)
            frame.insert(0, "anchor", rng.integers(0, 90, rows) if made else -1)
            frame.insert(0, "p_own", rng.uniform(0, 1, rows))
            frame.insert(0, "class", name)
            frame.insert(0, "kind", kind)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _empty(columns: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in columns.items()})


@pytest.fixture
def suite(write_run: WriteRun, tmp_path: Path) -> Path:
    """A folder of runs with one of everything: two protocols, an fs sweep, columns selected, NA, peers."""
    for protocol in ("paper", "holdout"):
        for dataset in ("secom", "haberman", "yeast"):
            for mode in ("q", "ro", "adasyn", "ao", "do", "lightgbm"):
                reason = "ADASYN finds no neighbours" if (dataset, mode) == ("yeast", "adasyn") else None
                write_run(dataset, mode, protocol, na=reason)
    for fs in ("natural", "quarter", "half"):
        write_run("secom", "do", fs=fs)
    write_run("secom", "do", variant=["20 selected columns"])
    return tmp_path / "runs"
