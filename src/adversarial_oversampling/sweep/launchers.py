"""Checks and limits of a launcher before it gets a sweep's jobs."""

import shutil
import socket
from typing import Any

from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.config.resources import jobs_at_once
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.text import one_line


def prepare(config: DictConfig) -> None:
    """Refuse a launcher that cannot run the jobs, and bound one that would start all of them at once.

    Parameters
    ----------
    config : DictConfig
        Of the multirun, with Hydra's own; a bound is added to its sweeper.

    Raises
    ------
    InputError
        Naming the launcher and the way out.
    """
    launcher = config.hydra.launcher
    if "SlurmLauncher" in launcher._target_ and shutil.which("srun") is None:
        raise InputError(
            "launcher=slurm: there is no srun here: give the command on a login node, "
            "or try launcher=submitit."
        )
    if "RayLauncher" in launcher._target_:
        _connect_to_ray(launcher.ray)
    # Optuna's sweeper has a bound of its own.
    sweeper = config.hydra.sweeper
    if "LocalLauncher" in launcher._target_ and sweeper.get("max_batch_size", 0) is None:
        sweeper.max_batch_size = jobs_at_once(config)


def _connect_to_ray(settings: DictConfig) -> None:
    import ray  # slow to import, and not needed otherwise

    resolved: Any = OmegaConf.to_container(settings, resolve=True)
    address = resolved["init"]["address"]
    try:
        if ":" in address:  # Ray itself would try for minutes
            host, port = address.removeprefix("ray://").rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=10).close()
        # The launcher then uses this connection.
        ray.init(**resolved["init"])
    except Exception as error:  # Ray has many, for a cluster that is absent, older or closed
        problem = f"{type(error).__name__}: {one_line(error)}"
        raise InputError(
            f"launcher=ray_cluster: no Ray cluster at {address}: start one with `ray start --head`, set "
            "RAY_ADDRESS, set RAY_AUTH_MODE=token if it asks for a token, or take launcher=ray. "
            f"Ray's error: {problem}"
        ) from error
    if address != "local":  # a cluster may grow
        return
    resources: Any = ray.cluster_resources()  # type: ignore[no-untyped-call]
    for key, resource in (("num_cpus", "CPU"), ("num_gpus", "GPU")):
        requested, available = resolved["remote"].get(key, 0), resources.get(resource, 0)
        if requested > available:  # Ray would wait for ever
            raise InputError(
                f"launcher=ray: hydra.launcher.ray.remote.{key}={requested} for a job, and this machine has "
                f"{available:g}; it follows trainer.accelerator, trainer.devices and threads."
            )
