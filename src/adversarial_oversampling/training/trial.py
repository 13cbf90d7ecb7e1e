"""Build what a configuration names before data are read, so that a faulty setting ends the run at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_class
from omegaconf import DictConfig
from torch import nn

from adversarial_oversampling.config.identity import has_generator
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.limits import PLAYERS
from adversarial_oversampling.text import no_such_setting, one_line
from adversarial_oversampling.training.build import build, build_trainer


@contextmanager
def refused(key: str) -> Iterator[None]:
    """Turn what a class raises about its settings into an InputError that names their key."""
    try:
        yield
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        raise InputError(f"{key}: {one_line(error)}") from error


def _check_passed_on(key: str, make: partial[Any]) -> None:
    """Refuse settings that boosted trees pass on to their library, which ignores what it does not know."""
    # Slow to import, and most modes need none of them.
    from lightgbm import LGBMClassifier
    from lightgbm.basic import _ConfigAliases  # the only list of the names that the library knows
    from xgboost import XGBClassifier

    from adversarial_oversampling.training.balanced_xgboost import BalancedXGBClassifier
    from adversarial_oversampling.training.threshold_lightgbm import ThresholdLGBMClassifier

    kind = make.func
    known = set(signature(kind).parameters)
    if kind in (LGBMClassifier, ThresholdLGBMClassifier):
        known |= set(LGBMClassifier().get_params())
        known |= {alias for names in _ConfigAliases._get_all_param_aliases().values() for alias in names}
    elif kind in (XGBClassifier, BalancedXGBClassifier):
        known |= set(XGBClassifier().get_params())
    else:  # Python refuses what a signature does not have
        return
    for name in make.keywords:
        if name not in known:
            raise InputError(no_such_setting(f"{key}.{name}", known))


def _build_gan_loss(gan_type: DictConfig) -> None:
    """Build the loss of the game between G and D; a recipe may bring a setting that only another loss has."""
    try:
        build("gan_type.loss", gan_type.loss)
    except InputError as error:
        known = signature(get_class(gan_type.loss._target_)).parameters
        for name in gan_type.loss:
            if name != "_target_" and name not in known:
                raise InputError(
                    f"gan_type.loss.{name}: gan_type={gan_type.name} has no such setting; leave it out with "
                    f"~gan_type.loss.{name} or, if the recipe of this dataset and mode sets it, recipe=plain."
                ) from error
        raise


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
        _check_passed_on("mode.estimator", make)
        return
    if has_generator(cfg):
        _build_gan_loss(cfg.gan_type)
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
