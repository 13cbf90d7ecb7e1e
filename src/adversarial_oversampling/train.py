"""Train one mode on one dataset: the command `python -m adversarial_oversampling.train`."""

import os
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from adversarial_oversampling.config.compose import added_folders, config_dir
from adversarial_oversampling.config.quoting import quoted, settings_last
from adversarial_oversampling.config.validation import check, check_options, check_overrides
from adversarial_oversampling.guard import guard, raise_if_stopped
from adversarial_oversampling.results.display import show
from adversarial_oversampling.results.files import CHECKPOINTS, composition
from adversarial_oversampling.results.read import finished, log_stored
from adversarial_oversampling.results.schema import Result
from adversarial_oversampling.sweep.job import run_job
from adversarial_oversampling.sweep.overrides import name_sweep

GOODBYE = "Stopped. The same command resumes."


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="train")
def run(cfg: DictConfig) -> float | str | None:
    """Train the composed configuration, alone or as a job of a sweep.

    Return the mean ACSA on the rows that chose the epoch, which is what a search over settings maximizes, or
    "pruned" for a trial that a search has ended early.
    """
    hydra_config = HydraConfig.get()
    cfg.paths.config_dirs = added_folders(hydra_config)
    if hydra_config.mode == RunMode.MULTIRUN:
        return run_job(cfg, hydra_config)
    run_dir = Path(hydra_config.runtime.output_dir)
    with guard(GOODBYE):  # within Hydra, which would print a line of its own
        result = stored_result(cfg, run_dir)
        if result is None:
            # Slow to import, and not needed for a sweep, --help, a refused setting or a stored result.
            from adversarial_oversampling.training.run import train

            raise_if_stopped()
            result = train(cfg, run_dir, composition=composition(cfg, hydra_config))
        show(result)
    return result.mean_selection_acsa


def stored_result(cfg: DictConfig, run_dir: Path) -> Result | None:
    """Return the stored result of a checked configuration if nothing is left to train, log or delete."""
    check(cfg)
    result = finished(run_dir, cfg)
    if result is None or "wandb" in cfg.logger or (run_dir / CHECKPOINTS).exists():
        return None
    log_stored(run_dir, result, cfg)
    return result


def main() -> None:
    """Run the command."""
    with guard(GOODBYE):
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises its errors instead of printing them
        sys.argv[1:] = quoted(sys.argv[1:])
        check_options(sys.argv[1:])
        sys.argv[1:] = settings_last(sys.argv[1:])
        check_overrides(sys.argv[1:])
        name_sweep(sys.argv)
        run()


if __name__ == "__main__":
    # Not this module's `main`: launchers send `run` to other processes, which import it by its module's name.
    from adversarial_oversampling.train import main as command

    command()
