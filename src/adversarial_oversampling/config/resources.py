"""What a job needs of a machine."""

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
