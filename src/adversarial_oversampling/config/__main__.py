"""List the modes of some origins, or the datasets: `python -m adversarial_oversampling.config paper peer`."""

import argparse

from adversarial_oversampling.config.catalogue import ORIGINS, modes, suite_datasets
from adversarial_oversampling.guard import guard


@guard()
def main() -> None:
    """Print names separated by commas, as a sweep's override takes them."""
    parser = argparse.ArgumentParser(
        prog="python -m adversarial_oversampling.config",
        description="List modes or datasets, separated by commas.",
    )
    choices = [*ORIGINS, "datasets"]
    parser.add_argument("kinds", nargs="+", choices=choices, metavar="KIND", help="%(choices)s")
    kinds = parser.parse_args().kinds
    names = [name for name, mode in modes().items() if mode.origin in kinds]
    if "datasets" in kinds:
        names += suite_datasets()
    print(",".join(names))


if __name__ == "__main__":
    main()
