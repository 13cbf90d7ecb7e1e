"""Train one mode on one dataset: the command `python -m adversarial_oversampling.train`."""

import logging
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, InstantiationException
from hydra.utils import instantiate
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import Logger, WandbLogger

from adversarial_oversampling import results
from adversarial_oversampling.config import (
    check,
    check_overrides,
    config_dir,
    config_hash,
    register_resolvers,
)
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game import PLAYERS, Game
from adversarial_oversampling.networks import build_players
from adversarial_oversampling.progress import EpochBar
from adversarial_oversampling.streams import Purpose, Streams

log = logging.getLogger(__name__)
register_resolvers()


def build(node: Any, **kwargs: Any) -> Any:
    """Instantiate a config node; an InputError comes out as it is, not wrapped by Hydra."""
    try:
        return instantiate(node, **kwargs)
    except InstantiationException as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from None
        raise


def build_data(cfg: DictConfig) -> TableDataModule:
    """Read the table and make its LightningDataModule, not yet set up."""
    return TableDataModule(
        build(cfg.dataset.source),
        build(cfg.dataset.preprocessing),
        seed=cfg.seed,
        replicas=cfg.replicas,
        fold=cfg.protocol.fold,
        n_folds=cfg.protocol.folds,
        test_size=cfg.dataset.split.test_size,
        validation_size=cfg.protocol.validation_size,
        select_on=cfg.protocol.select_on,
        fs=cfg.fs.ratio,
        batch_size=cfg.dataset.training.batch_size,
        cache_dir=cfg.paths.cache_dir,
    )


def build_game(cfg: DictConfig, data: TableDataModule) -> Game:
    """Seat the players of `cfg.mode` at the rows of a data module that is set up."""
    rules = build(cfg.mode.rules)
    anchors = data.anchors(cfg.players.generator.anchors) if rules.generator_term else None
    players = build_players(
        cfg.players,
        Streams(data.seeds, Purpose.WEIGHTS, data.folds),
        features=data.rows.x.shape[-1],
        classes=data.classes,
        anchors=anchors,
    )
    return Game(
        rules=rules,
        gan=build(cfg.gan_type.loss),
        **players,
        counts=data.counts,
        fs=cfg.fs.ratio,
        generated_rows=cfg.generated_rows or max(1, cfg.dataset.training.batch_size // data.classes),
        optimizers={player: build(cfg.players[player].optimizer) for player in PLAYERS},
        schedule=build(cfg.schedule),
        noise=Streams(data.seeds, Purpose.GAME, data.folds),
        monitor="test_optimistic" if cfg.protocol.select_on == "test" else "validation",
    )


def build_trainer(cfg: DictConfig, run_dir: Path, loggers: list[Logger]) -> Trainer:
    """Lightning's trainer, with a checkpoint that an interrupted run goes on from."""
    settings: Any = OmegaConf.to_container(cfg.trainer, resolve=True)
    checkpoint = ModelCheckpoint(
        dirpath=run_dir / "checkpoints",
        filename=config_hash(cfg),
        every_n_epochs=settings.pop("checkpoint_every"),
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    callbacks: list[Callback] = [checkpoint]
    if settings["enable_progress_bar"]:
        callbacks.append(EpochBar())
    try:
        trainer: Trainer = build(
            settings,
            logger=loggers or False,
            callbacks=callbacks,
            default_root_dir=str(run_dir),
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            enable_model_summary=False,
        )
    except InstantiationException as error:
        if isinstance(error.__cause__, MisconfigurationException):
            raise InputError(f"trainer: {error.__cause__}") from error
        raise
    return trainer


def train(cfg: DictConfig, run_dir: Path) -> dict[str, Any]:
    """Train, test and write the result into `run_dir`.

    A finished result of the same configuration is returned as it is; an interrupted run goes on
    from its last checkpoint and ends with the numbers that it would have had.

    Parameters
    ----------
    cfg : DictConfig
        Composed from `conf/train.yaml`.
    run_dir : Path
        Folder of this run.

    Returns
    -------
    dict
        What result.json holds.

    Raises
    ------
    InputError
        For a setting, a file or a table that has to change.
    """
    check(cfg)
    if not cfg.rerun and (result := results.finished(run_dir, cfg)) is not None:
        log.info("Already finished: showing %s. Train again with rerun=true.", run_dir / results.RESULT)
        return result
    run_dir.mkdir(parents=True, exist_ok=True)
    checkpoint = run_dir / "checkpoints" / f"{config_hash(cfg)}.ckpt"
    if cfg.rerun:
        results.set_aside(run_dir)
        checkpoint.unlink(missing_ok=True)
    torch.set_num_threads(cfg.threads)

    marks = [time.perf_counter()]
    data = build_data(cfg)
    data.setup()
    game = build_game(cfg, data)
    marks.append(time.perf_counter())

    loggers = [build(one, save_dir=str(run_dir)) for one in cfg.logger.values()]
    try:
        trainer = build_trainer(cfg, run_dir, loggers)
        for logger in loggers:
            logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))
        resume = str(checkpoint) if checkpoint.is_file() else None
        if resume:
            log.info("Going on from %s.", resume)
        trainer.fit(game, datamodule=data, ckpt_path=resume, weights_only=True if resume else None)
        marks.append(time.perf_counter())
        game.load_best()
        trainer.test(game, datamodule=data, verbose=False)
        marks.append(time.perf_counter())
        durations = (b - a for a, b in pairwise(marks))
        seconds = dict(zip(("setup", "fit", "test"), durations, strict=True))
        result = results.build(cfg, game, data, seconds)
        results.log_summary(loggers, result)
        results.write(run_dir, result, game, data)
    finally:
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.finish()
    checkpoint.unlink(missing_ok=True)
    return result


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="train")
def run(cfg: DictConfig) -> float | None:
    """Train the composed configuration and print its table; returns the mean ACSA."""
    try:
        result = train(cfg, Path(HydraConfig.get().runtime.output_dir))
    except InputError as error:
        raise CompactHydraException(f"Error: {error}") from error
    results.show(result)
    mean: float | None = result["mean"]["acsa"]
    return mean


def main() -> None:
    """Run the command."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # no advertisements
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic products on a GPU
    try:
        check_overrides(sys.argv[1:])
    except InputError as error:
        sys.exit(f"Error: {error}")
    run()


if __name__ == "__main__":
    main()
