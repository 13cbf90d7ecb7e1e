"""Runs with equal numbers: where `fs` changes no class law, the run with natural `fs` is taken over."""

import copy
import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from adversarial_oversampling.config.identity import config_hash, run_name
from adversarial_oversampling.config.resources import gpus_per_job
from adversarial_oversampling.config.variants import variant
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.data.laws import LAWS
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.results import read, write
from adversarial_oversampling.results.files import NO_FILES
from adversarial_oversampling.results.schema import Result
from adversarial_oversampling.training.locks import locked

log = logging.getLogger(__name__)


def changes_nothing(counts: Tensor, fs: float | None) -> bool:
    """Return whether every class law of every replica is the one without oversampling, bit for bit.

    Parameters
    ----------
    counts : Tensor of shape [R, C]
        Training rows per class.
    fs : float, optional
        Ratio of the smallest to the largest class after oversampling.
    """
    return all(torch.equal(law(counts, fs), law(counts, None)) for law in LAWS.values())


def take_over(
    cfg: DictConfig, run_dir: Path, data: TableDataModule, composition: Mapping[str, str] = NO_FILES
) -> Result | None:
    """Take over the result of the same run with natural `fs`, if it must have the same numbers.

    It must if `fs` changes no class law of any replica. Its folder is beside `run_dir`; if another process
    trains there, this one waits for it.

    Parameters
    ----------
    cfg : DictConfig
    run_dir : Path
        Where the result is written, with its own configuration and a note that names the other run.
    data : TableDataModule
        Set up, with all replicas.
    composition : mapping of str to str
        As in `write_run`.

    Returns
    -------
    Result or None
        None if there is no such run, or if it was trained with other versions, threads or devices.
    """
    if cfg.fs.ratio is None or not changes_nothing(data.counts, cfg.fs.ratio):
        return None
    smallest = float((data.counts.amin(dim=1) / data.counts.amax(dim=1)).min())
    log.warning(
        "fs=%s changes nothing here: the smallest class has %.3f of the rows of the largest.",
        cfg.fs.name,
        smallest,
    )
    if run_dir.name != Path(run_name(cfg)).name:
        return None
    natural = copy.deepcopy(cfg)
    natural.fs.ratio = None
    source = run_dir.with_name(Path(run_name(natural)).name)
    if not source.is_dir():
        return None
    with locked(source, wait=True):
        try:
            found = read.finished(source, natural)
        except InputError:  # damaged, or of another version
            return None
        if found is None or found.versions != write.versions() or read.made_elsewhere(found, cfg):
            return None
        if found.device != write.device_name(torch.device("cuda" if gpus_per_job(cfg) else "cpu")):
            return None
        result = write.copy_run(run_dir, source, _renamed(found, cfg, source), composition)
    log.info("The result is that of %s.", source)
    return result


def _renamed(found: Result, cfg: DictConfig, source: Path) -> Result:
    note = f"fs={cfg.fs.name} changes nothing here, so the numbers are those of {source.name}"
    replicas = [one.model_copy(update={"notes": [*one.notes, note]}) for one in found.replicas]
    return found.model_copy(
        update={
            "fs": cfg.fs.name,
            "fs_ratio": cfg.fs.ratio,
            "variant": variant(cfg),
            "replicas": replicas,
            "config_hash": config_hash(cfg),
            "sweep_id": cfg.sweep.id,
            "config": OmegaConf.to_container(cfg, resolve=True),
        }
    )
