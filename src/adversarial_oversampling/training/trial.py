"""Build what a configuration names before data are read, so that a faulty setting ends the run at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import nn

from adversarial_oversampling.config.identity import has_generator
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.limits import PLAYERS
from adversarial_oversampling.text import one_line
from adversarial_oversampling.training.build import build, build_trainer


@contextmanager
def refused(key: str) -> Iterator[None]:
    """Turn what a class raises about its settings into an InputError that names their key."""
    try:
        yield
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        raise InputError(f"{key}: {one_line(error)}") from error


def try_to_build(cfg: DictConfig, run_dir: Path) -> None:
    """Build an estimator, or a trainer and each player's optimizer and schedule, from a run's settings.

    Raises
    ------
    InputError
        For a value that a class refuses. The message names the key of the class.
    """
    if "estimator" in cfg.mode:
        make = build("mode.estimator", cfg.mode.estimator)
        with refused("mode.estimator"):
            make(random_state=0)
        return
    build_trainer(cfg, run_dir, [])
    complement = build("mode.rules", cfg.mode.rules).complement
    make_schedule = build("schedule", cfg.schedule)
    for player in PLAYERS if has_generator(cfg) else ("classifier",):
        key = f"players.{player}.optimizer"
        make = build(key, cfg.players[player].optimizer)
        weight = nn.Parameter(torch.zeros(1))
        weight.grad = torch.zeros(1)
        with refused(key):
            optimizer = make([weight])
            if complement and player == "classifier":
                make([weight], weight_decay=0.0)
        with refused("schedule"):
            schedule = make_schedule(optimizer)
        if cfg.trainer.accelerator == "cpu":  # some settings work on a GPU only
            with refused(key):
                optimizer.step()
            with refused("schedule"):
                schedule.step()
