"""How much faster are several processes than one? Prints the ratio of seconds of whole runs.

    python benchmarks/processes.py replicas=8 dataset=yeast
    python benchmarks/processes.py replicas=1 dataset=credit dataset.training.batch_size=8192

One process and several take turns, so both meet the same machine. Starting the processes counts.
"""

import argparse
import logging
from statistics import median

from replicas import seconds


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

    seconds([*overrides, "trainer.max_epochs=1", *shared])  # imports and caches
    ratios = []
    for _ in range(arguments.repeats):
        one, several = seconds(overrides), seconds([*overrides, *shared])
        ratios.append(one / several)
        print(f"one {one:.2f} s, {arguments.processes} {several:.2f} s: {ratios[-1]:.2f} times faster")
    print(f"median ratio: {median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
