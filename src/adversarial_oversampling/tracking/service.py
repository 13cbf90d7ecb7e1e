"""W&B's service, the process that sends what runs log: one for all jobs of a sweep."""

import logging
import os

from omegaconf import DictConfig

from adversarial_oversampling.text import one_line

log = logging.getLogger(__name__)

SHARING = ("BasicLauncher", "JoblibLauncher")
"""Launchers whose jobs run on this machine and end with the sweep."""
PRELOAD = "wandb.apis.public"
"""A slow import of W&B's first request."""


def start_service(config: DictConfig) -> None:
    """Start W&B's service in this process, before it starts jobs that log to W&B.

    The jobs find the service by an environment variable that W&B sets, and it ends with this process, also if
    the process is killed. Jobs on other machines, or that outlive the sweep, each start a service of their
    own, as do jobs that find none.

    Parameters
    ----------
    config : DictConfig
        The configuration of the multirun, Hydra's own settings included.
    """
    if "wandb" not in config.logger or os.environ.get("WANDB_MODE") == "disabled":
        return
    if str(config.hydra.launcher._target_).rpartition(".")[2] not in SHARING:
        return
    import wandb  # slow to import, and not needed otherwise

    try:
        wandb.setup()
    except Exception as error:  # the jobs will report what is wrong with W&B
        log.debug("Weights & Biases has no service for the sweep: %s", one_line(error))
