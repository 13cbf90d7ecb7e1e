"""Prepare a launcher before it gets a sweep's jobs: whether it can run them, and how many at once."""

import multiprocessing.resource_tracker
import shlex
import shutil
import signal
import socket
import threading
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from adversarial_oversampling.config.resources import jobs_at_once
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.text import one_line


def check_launcher(config: DictConfig) -> None:
    """Refuse a launcher that cannot run the jobs.

    Parameters
    ----------
    config : DictConfig
        The configuration of the multirun, Hydra's own settings included.

    Raises
    ------
    InputError
        If there is no Slurm here, no Ray cluster, or not what a job requests. The message names the launcher.
    """
    launcher = config.hydra.launcher
    if "SlurmLauncher" in launcher._target_ and shutil.which("srun") is None:
        raise InputError(
            "launcher=slurm: there is no srun here: give the command on a login node, "
            "or try launcher=submitit."
        )
    if "RayLauncher" in launcher._target_:
        settings: Any = OmegaConf.to_container(launcher.ray, resolve=True)
        _connect_to_ray(settings)
        if settings["init"]["address"] == "local":  # a cluster may grow
            _check_ray_resources(settings)


def limit_jobs_at_once(config: DictConfig) -> None:
    """Set the sweeper's batch size for a launcher that would start all jobs of a sweep at once.

    Parameters
    ----------
    config : DictConfig
        The configuration of the multirun; `hydra.sweeper.max_batch_size` is set if it is null.
    """
    sweeper = config.hydra.sweeper  # Optuna's has no batch size, but a limit of its own
    if _is_submitit_here(config.hydra.launcher) and sweeper.get("max_batch_size", 0) is None:
        sweeper.max_batch_size = jobs_at_once(config)


def log_controllers(config: DictConfig) -> None:
    """Let the processes of submitit that wait for jobs write to a file: Ctrl-C ends them with a traceback.

    Parameters
    ----------
    config : DictConfig
        The configuration of the multirun; `hydra.launcher.setup` is set for submitit's local executor.
    """
    launcher = config.hydra.launcher
    if not _is_submitit_here(launcher):
        return
    folder = Path(config.hydra.sweep.dir, ".submitit").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with open_dict(launcher):
        # These commands precede the process in its shell. submitit knows a job by the shell's process id, and
        # without a trap, bash would replace itself with the last command.
        launcher.setup = ["trap : EXIT", f"exec 2>>{shlex.quote(str(folder / 'controllers.log'))}"]


def block_ctrl_c_in_workers(config: DictConfig) -> None:
    """Let joblib's workers get Ctrl-C only while they run a job: while they import, it prints a traceback.

    A worker inherits the signals that this thread blocks, and `run_job` unblocks them for the time of a job.

    Parameters
    ----------
    config : DictConfig
        The configuration of the multirun; other launchers need nothing.
    """
    if "JoblibLauncher" not in config.hydra.launcher._target_:
        return
    from joblib.externals.loky.backend import resource_tracker  # slow to import, and not needed otherwise

    # They would otherwise start together with the first worker, and their start unblocks the signal.
    resource_tracker.ensure_running()
    multiprocessing.resource_tracker.ensure_running()
    _take_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@cache
def _take_signals() -> None:
    """Start a thread that takes the signals which this one blocks; Python handles them in the main thread."""
    threading.Thread(target=threading.Event().wait, name="signals", daemon=True).start()


def _is_submitit_here(launcher: DictConfig) -> bool:
    """Return whether a launcher is submitit's local executor."""
    return "LocalLauncher" in launcher._target_


def _connect_to_ray(settings: Any) -> None:
    """Connect this process to Ray, or start Ray here; the launcher then uses the connection."""
    import ray  # slow to import, and not needed otherwise

    address = settings["init"]["address"]
    try:
        if ":" in address:  # Ray itself would try for minutes
            host, port = address.removeprefix("ray://").rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(**settings["init"])
    except Exception as error:  # Ray has many, for a cluster that is absent, older or closed
        problem = f"{type(error).__name__}: {one_line(error)}"
        if address == "local":
            raise InputError(f"launcher=ray: Ray does not start on this machine: {problem}") from error
        raise InputError(
            f"launcher=ray_cluster: no Ray cluster at {address}: start one with `ray start --head`, set "
            "RAY_ADDRESS, set RAY_AUTH_MODE=token if it asks for a token, or take launcher=ray. "
            f"Ray's error: {problem}"
        ) from error


def _check_ray_resources(settings: Any) -> None:
    """Refuse a request that this machine cannot meet; Ray would wait for it for ever."""
    import ray

    resources: Any = ray.cluster_resources()  # type: ignore[no-untyped-call]
    for key, resource in (("num_cpus", "CPU"), ("num_gpus", "GPU")):
        requested, available = settings["remote"].get(key, 0), resources.get(resource, 0)
        if requested > available:
            raise InputError(
                f"launcher=ray: hydra.launcher.ray.remote.{key}={requested} for a job, and this machine has "
                f"{available:g}; it follows trainer.accelerator, trainer.devices and threads."
            )
