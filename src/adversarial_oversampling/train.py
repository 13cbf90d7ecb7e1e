"""Train one mode on one dataset: the command `python -m adversarial_oversampling.train`."""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from adversarial_oversampling.config import check_overrides, config_dir
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.results import read as results
from adversarial_oversampling.sweep.job import play_job
from adversarial_oversampling.sweep.overrides import give_name


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="train")
def run(cfg: DictConfig) -> float | None:
    """Train the composed configuration, alone or as a job of a sweep.

    Returns the mean ACSA on the rows that chose the epoch: what a search over settings may look at.
    """
    job = HydraConfig.get()
    if job.mode == RunMode.MULTIRUN:
        played = play_job(cfg, job)
        return None if played is None else results.mean_selection_acsa(played)
    from adversarial_oversampling.training.run import (
        train,  # slow to import, and not needed for a sweep or for help
    )

    try:
        result = train(cfg, Path(job.runtime.output_dir))
    except InputError as error:
        sys.exit(f"Error: {error}")
    results.show(result)
    return results.mean_selection_acsa(result)


def main() -> None:
    """Run the command."""
    try:
        check_overrides(sys.argv[1:])
    except InputError as error:
        sys.exit(f"Error: {error}")
    give_name(sys.argv)
    try:
        run()
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from where it was.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    # Not this module's `main`: launchers send `run` to other processes, which find it by its module's name.
    from adversarial_oversampling.train import main as command

    command()
