"""Measure how much faster a replica trains among others than alone; print the ratio of seconds per replica.

    python benchmarks/replicas.py dataset=haberman mode=do

Solo and batched runs alternate in one process on one thread, so that both have the same conditions.
"""

import argparse
import logging
import tempfile
from pathlib import Path
from statistics import median

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.training.run import train


def seconds(overrides: list[str]) -> float:
    """Train a run in a temporary folder and return its seconds of training and testing, without set-up."""
    quiet = ["logger=none", "trainer=cpu", "trainer.enable_progress_bar=false"]
    cfg = compose_train([*quiet, *overrides])
    with tempfile.TemporaryDirectory() as folder:
        result = train(cfg, Path(folder))
    return result.seconds["train_and_test"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, such as dataset=pima mode=ao")
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    overrides = [f"trainer.max_epochs={arguments.epochs}", *arguments.overrides]

    seconds([*overrides, "replicas=1"])  # imports and caches
    ratios = []
    for _ in range(arguments.repeats):
        alone = seconds([*overrides, "replicas=1"])
        together = seconds([*overrides, f"replicas={arguments.replicas}"]) / arguments.replicas
        ratios.append(alone / together)
        print(
            f"alone {alone:.2f} s, among {arguments.replicas} {together:.2f} s: {ratios[-1]:.2f} times faster"
        )
    print(f"median ratio per replica: {median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
