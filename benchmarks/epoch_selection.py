"""Compare ways to choose the epoch, without looking at a test row.

    python benchmarks/epoch_selection.py --output epoch_selection.json

Every replica's validation rows are split in two halves by class. One half chooses the epoch and the other one
gives the ACSA that counts; then they swap, and the two results are averaged. Seeds are those of searches.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev

import torch
from torch import Tensor

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.config.resolvers import register
from adversarial_oversampling.game.losses import balanced_cross_entropy
from adversarial_oversampling.metrics import acsa_of_present, confusion
from adversarial_oversampling.training.build import build_game, build_trainer
from adversarial_oversampling.training.run import prepare_data, prepare_process

DATASETS = ("haberman", "pima", "yeast", "wafer", "secom", "secom_20_columns")
MODES = ("q", "ro", "ao", "do")
AVERAGES = (0.0, 0.8, 0.95, 0.99)
WINDOWS = (1, 3, 5, 10)


def halves(classes: Tensor, seed: int) -> Tensor:
    """Return for each row `[M]` whether it is in the first half; halves differ by at most a row per class."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.zeros(len(classes), dtype=torch.bool)
    for k in range(int(classes.max()) + 1):
        rows = (classes == k).nonzero().flatten()
        order = rows[torch.randperm(len(rows), generator=generator)]
        start = int(torch.randint(2, (), generator=generator))  # a single row may be in either half
        first[order[start::2]] = True
    return first


def scores(logits: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Return ACSA and class-balanced cross-entropy of every epoch `[E, R]` for logits `[E, R, M, C]`."""
    pairs = [
        (
            acsa_of_present(confusion(epoch.argmax(dim=-1), classes, epoch.shape[-1])),
            balanced_cross_entropy(epoch, classes),
        )
        for epoch in logits
    ]
    acsa, loss = zip(*pairs, strict=True)
    return torch.stack(acsa), torch.stack(loss)


def chosen(acsa: Tensor, loss: Tensor, window: int) -> Tensor:
    """Return the epoch `[R]` with the best mean ACSA of `window` epochs; ties go to the lower loss."""
    means = acsa.unfold(0, window, 1).mean(dim=-1).double()
    best = means.max(dim=0).values
    return loss[window - 1 :].masked_fill(means < best - 1e-12, torch.inf).argmin(dim=0) + window - 1


def compare(dataset: str, mode: str, average: float, replicas: int, epochs: int) -> Mapping[str, list[float]]:
    """Train once; return for every rule the ACSA `[R]` on the halves that did not choose."""
    cfg = compose_train(
        [
            f"dataset={dataset}",
            f"mode={mode}",
            "seed=1000",
            f"replicas={replicas}",
            f"trainer.max_epochs={epochs}",
            "protocol.validation_size=0.4",
            f"protocol.weight_average={average}",
            "trainer.enable_progress_bar=false",
        ]
    )
    prepare_process(cfg)
    data = prepare_data(cfg)
    game = build_game(cfg, data)
    logits, labels = [], []
    take = game._take_evaluated

    def record() -> tuple[Tensor, Tensor]:
        taken = take()
        logits.append(taken[0].clone())
        labels.append(taken[1])
        return taken

    game._take_evaluated = record  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        build_trainer(cfg, Path(folder), []).fit(game, datamodule=data)
    classes = labels[0]
    first = torch.stack([halves(row, seed) for row, seed in zip(classes, data.seeds, strict=True)])
    parts = [scores(torch.stack(logits), classes.where(half, -1)) for half in (first, ~first)]
    rules: dict[str, Tensor] = {}
    for (acsa, loss), (other, _) in (parts, parts[::-1]):
        epochs_of = {f"mean of {window}": chosen(acsa, loss, window) for window in WINDOWS}
        epochs_of["first of equal"] = acsa.argmax(dim=0)
        epochs_of["last"] = torch.full_like(acsa.argmax(dim=0), len(acsa) - 1)
        epochs_of["lowest loss"] = loss.argmin(dim=0)
        for name, epoch in epochs_of.items():
            found = other.gather(0, epoch[None])[0] / 2
            rules[name] = rules[name] + found if name in rules else found
    return {f"{name}, average {average}": value.tolist() for name, value in rules.items()}


def main() -> None:
    """Write a JSON file; print the mean ACSA of every rule by dataset, and its gain over the plain rule."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--datasets", nargs="+", default=DATASETS)
    options = parser.parse_args()
    register()
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for dataset in options.datasets:
        for mode in MODES:
            rules = found.setdefault(dataset, {}).setdefault(mode, {})
            for average in AVERAGES:
                rules |= compare(dataset, mode, average, options.replicas, options.epochs)
            print(dataset, mode, flush=True)
        options.output.write_text(json.dumps(found, indent=1))
    names = list(next(iter(next(iter(found.values())).values())))
    plain = "mean of 1, average 0.0"
    for name in names:
        gains = [
            mean(a - b for a, b in zip(rules[name], rules[plain], strict=True))
            for modes in found.values()
            for rules in modes.values()
        ]
        by_dataset = [mean(mean(rules[name]) for rules in modes.values()) for modes in found.values()]
        spread = stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
        print(
            f"{name:32}",
            " ".join(f"{100 * value:6.2f}" for value in by_dataset),
            f"gain {100 * mean(gains):+.2f} ± {100 * spread:.2f}",
        )


if __name__ == "__main__":
    main()
