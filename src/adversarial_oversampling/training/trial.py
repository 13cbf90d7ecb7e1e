"""Build what a configuration names before data are read, so that a faulty setting ends the run at once."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import signature
from itertools import chain
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


def _check_passed_on(key: str, estimator: Any, names: Iterable[str]) -> None:
    """Refuse settings that boosted trees pass on to their library, which ignores what it does not know."""
    kind = type(estimator)
    # The libraries are slow to import, and other estimators need none of them.
    if kind.__name__ in ("LGBMClassifier", "ThresholdLGBMClassifier"):
        from lightgbm import LGBMClassifier
        from lightgbm.basic import _ConfigAliases  # the only list of the names that the library knows

        aliases = _ConfigAliases._get_all_param_aliases().values()
        passed_on = {*LGBMClassifier().get_params(), *chain.from_iterable(aliases)}
    elif kind.__name__ in ("XGBClassifier", "BalancedXGBClassifier"):
        from xgboost import XGBClassifier

        passed_on = set(XGBClassifier().get_params())
    else:  # Python refuses what a signature does not have
        return
    known = passed_on | set(signature(kind).parameters)
    for name in names:
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
            estimator = make(random_state=0)
        settings = (str(name) for name in cfg.mode.estimator if name not in ("_target_", "_partial_"))
        _check_passed_on("mode.estimator", estimator, settings)
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
