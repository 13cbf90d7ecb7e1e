"""Measure how much faster several processes train one job than one process; print the ratio of seconds.

    python benchmarks/processes.py replicas=8 dataset=yeast
    python benchmarks/processes.py replicas=1 dataset=credit dataset.training.batch_size=8192

Runs in one process and in several alternate, so that both have the same conditions. The seconds are those of
the whole run: set-up, start of the processes, training and testing.
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path
from statistics import median

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.training.run import train


def seconds(overrides: list[str]) -> float:
    """Train a run in a temporary folder and return the seconds that it takes as a whole."""
    cfg = compose_train(["logger=none", "trainer=cpu", "trainer.enable_progress_bar=false", *overrides])
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        train(cfg, Path(folder))
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, such as dataset=pima replicas=4")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    arguments = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    overrides = [f"trainer.max_epochs={arguments.epochs}", *arguments.overrides]
    shared = ["trainer=ddp", f"trainer.devices={arguments.processes}"]

    for devices in [], shared:
        seconds([*overrides, "trainer.max_epochs=1", *devices])  # imports and caches
    ratios = []
    for _ in range(arguments.repeats):
        one, several = seconds(overrides), seconds([*overrides, *shared])
        ratios.append(one / several)
        print(f"one {one:.2f} s, {arguments.processes} {several:.2f} s: {ratios[-1]:.2f} times faster")
    print(f"median ratio: {median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
