"""Measure the suite's methods beside other libraries, on the same rows.

    python benchmarks/peers.py
    python benchmarks/peers.py dataset=yeast --epochs 100

Classifiers: CPU seconds per seed of a whole run without the imports, for ten seeds; ACSA on the test rows is
given for context. q, ro and do train the seeds as replicas of one computation, the others one after another.
Makers of rows: CPU seconds that DO's generator and CTGAN take to fit, and to make 10,000 rows. CTGAN is
optional: pip install -r requirements.txt.
"""

import time
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from bare_steps import fit_game, prepare
from common import Figure, figure, finish, parser, run_json
from omegaconf import DictConfig

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.random_streams import Purpose

OURS = ("q", "ro", "do")
PEERS = ("smote_mlp", "lightgbm", "balanced_forest", "easy_ensemble")
MADE_ROWS = 10_000


def smote_mlp(random_state: int, epochs: int, batch_size: int, learning_rate: float) -> Any:
    """Make scikit-learn's MLPClassifier of Q's size, trained on imbalanced-learn's SMOTE rows."""
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import make_pipeline
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier(
        hidden_layer_sizes=(128, 128, 128),
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=epochs,  # no early stopping
        learning_rate_init=learning_rate,
        random_state=random_state,
    )
    return make_pipeline(SMOTE(random_state=random_state), network)


def classifiers(
    overrides: Sequence[str], modes: Sequence[str] = OURS + PEERS, seeds: int = 10, repeats: int = 3
) -> list[Figure]:
    """Train every mode on the same splits, each in a process of its own; return CPU seconds per seed."""
    seconds: dict[str, list[float]] = {mode: [] for mode in modes}
    notes: dict[str, str] = {}
    for _ in range(repeats):
        for mode in modes:
            numbers = run_json("one_run.py", *overrides, f"mode={mode}", f"replicas={seeds}")
            seconds[mode].append(numbers["cpu_seconds"] / seeds)
            acsa = numbers["acsa"]
            notes[mode] = "no result" if acsa is None else f"ACSA {100 * acsa:.1f} %"
    return [figure(f"{mode}, per seed", seconds[mode], "s", note=notes[mode]) for mode in modes]


def time_generator(cfg: DictConfig, data: TableDataModule) -> tuple[float, float]:
    """Return the CPU seconds in which DO is trained, and in which its generator makes the rows."""
    started = time.process_time()
    generator = fit_game(cfg, data).generator
    fitted = time.process_time()
    with torch.no_grad():
        generator(*generator.noise(data.streams(Purpose.SAMPLES), -(-MADE_ROWS // data.classes)))
    return fitted - started, time.process_time() - fitted


def time_ctgan(cfg: DictConfig, data: TableDataModule) -> tuple[float, float]:
    """Return the CPU seconds in which CTGAN is fitted, and in which it makes the rows."""
    batch_size = max(10, round(cfg.dataset.training.batch_size, -1))  # it asks for a multiple of ten
    train = data.splits[0].train
    rows = np.column_stack([data.rows.x[0].numpy()[train], data.table.y[train]])
    model = import_module("ctgan").CTGAN(
        epochs=cfg.trainer.max_epochs, batch_size=batch_size, enable_gpu=False
    )
    started = time.process_time()
    model.fit(rows, [rows.shape[1] - 1])
    fitted = time.process_time()
    model.sample(MADE_ROWS)
    return fitted - started, time.process_time() - fitted


def makers(overrides: Sequence[str], repeats: int = 3) -> list[Figure]:
    """Fit DO's generator and CTGAN to the training rows of one seed, for the same number of epochs."""
    cfg = compose_train([*overrides, "mode=do", "replicas=1"])
    data = prepare(cfg)
    timers = {"DO's generator": time_generator}
    if find_spec("ctgan") is None:
        print("CTGAN is not installed and is left out: pip install -r requirements.txt", flush=True)
    else:
        timers["CTGAN"] = time_ctgan
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in timers}
    for _ in range(repeats):
        for name, timer in timers.items():
            taken[name].append(timer(cfg, data))
    figures = []
    for name, pairs in taken.items():
        fit, make = zip(*pairs, strict=True)
        figures += [figure(f"{name}: fit", fit, "s"), figure(f"{name}: {MADE_ROWS} rows", make, "s")]
    return figures


def main() -> None:
    arguments_parser = parser(__doc__)
    arguments_parser.add_argument(
        "overrides", nargs="*", default=["dataset=pima"], help="Hydra overrides, such as dataset=yeast"
    )
    arguments_parser.add_argument("--epochs", type=int, default=30)
    arguments = arguments_parser.parse_args()
    epochs = 10 if arguments.quick else arguments.epochs
    overrides = [*arguments.overrides, f"trainer.max_epochs={epochs}"]
    repeats = 1 if arguments.quick else 3
    finish(
        "peers",
        arguments,
        lambda: classifiers(overrides, repeats=repeats) + makers(overrides, repeats),
    )


if __name__ == "__main__":
    main()
