"""Find out whether a finished result is still to be logged to Weights & Biases, without importing wandb."""

import os
from pathlib import Path

from omegaconf import DictConfig

from adversarial_oversampling.results.read import result_digest

LOGGED = Path("wandb", "logged")
"""File in a run's folder: the digest of the result whose W&B run, online or offline, is complete."""


def is_pending(run_dir: Path, cfg: DictConfig) -> bool:
    """Return whether a finished result is to be logged to W&B and no complete W&B run of it exists."""
    if "wandb" not in cfg.logger or os.environ.get("WANDB_MODE") == "disabled":
        return False
    logged = run_dir / LOGGED
    return not logged.is_file() or logged.read_text("utf-8") != result_digest(run_dir)


def started_by_sweep_agent() -> bool:
    """Return whether the agent of a W&B sweep has started this run and waits for its metric."""
    return bool(os.environ.get("WANDB_SWEEP_ID"))
