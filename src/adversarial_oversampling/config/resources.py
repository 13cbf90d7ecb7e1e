"""What a job needs of a machine, and what a machine has."""

import platform
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig


def gpus_per_job(cfg: DictConfig) -> int:
    """Return how many GPUs a launcher has to give a job: the trainer's devices, if they are GPUs."""
    accelerator = cfg.trainer.accelerator
    if accelerator == "auto":
        import torch  # slow to import, and not needed otherwise

        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    return int(cfg.trainer.devices) if accelerator in ("gpu", "cuda") else 0


def cpus_per_job(cfg: DictConfig) -> int:
    """Return how many cores a launcher has to give a job: one for each thread of each of its processes."""
    return int(cfg.threads * cfg.trainer.devices)


def jobs_at_once(cfg: DictConfig) -> int:
    """Return how many jobs the cores of this machine can run at once."""
    from joblib import cpu_count  # slow to import, and not needed otherwise

    return max(1, int(cpu_count()) // cpus_per_job(cfg))


def replica_count(cfg: DictConfig) -> int:
    """Return the number of replicas: one per seed, and per fold where all folds are trained."""
    folds = cfg.protocol.folds if cfg.protocol.folds is not None and cfg.protocol.fold is None else 1
    return int(cfg.replicas * folds)


def processor() -> str:
    """Return the model of the processor, or its architecture where the system does not tell the model."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8", errors="replace").splitlines() if cpuinfo.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, None) or platform.processor() or platform.machine()


def available_memory() -> int:
    """Return how many bytes this process can still allocate: what the machine and its container have left."""
    import psutil  # not needed otherwise

    return min(int(psutil.virtual_memory().available), *_left_in_groups(), 2**63)


def _left_in_groups(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> Iterator[int]:
    """Yield the bytes left to each control group of this process with a limit, as containers and Slurm set.

    Parameters
    ----------
    root : Path
        Where the groups are.
    own : Path
        The groups of this process, a line for each hierarchy: of version 2, or of version 1.
    """
    for line in own.read_text("utf-8").splitlines() if own.is_file() else []:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        names = ("memory.max", "memory.current", "inactive_file", "active_file")
        base = root
        if controllers:
            names, base = (
                (
                    *("memory.limit_in_bytes", "memory.usage_in_bytes"),
                    *("total_inactive_file", "total_active_file"),
                ),
                root / "memory",
            )
        parts = Path(group).parts[1:]
        for depth in range(len(parts) + 1):
            folder = base.joinpath(*parts[:depth])
            limit, used, statistics = (folder / name for name in (*names[:2], "memory.stat"))
            if limit.is_file() and used.is_file() and (text := limit.read_text("utf-8").strip()) != "max":
                # Cached files count as used, and are given up first.
                cached = dict(entry.split() for entry in statistics.read_text("utf-8").splitlines())
                free = int(text) - int(used.read_text("utf-8"))
                yield free + sum(int(cached.get(name, 0)) for name in names[2:])
