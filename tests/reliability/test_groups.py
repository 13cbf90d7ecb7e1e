"""Whatever is chosen in the groups of the configuration: a run is built, or one line says why not."""

import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf, open_dict

from adversarial_oversampling.config.compose import compose_train, config_dir, config_files
from adversarial_oversampling.config.identity import config_hash
from adversarial_oversampling.config.validation import check
from adversarial_oversampling.data.table import Table, make_table
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game.module import GENERATOR_RULES, Rules
from adversarial_oversampling.training.build import build, build_data, build_game, build_trainer

GROUPS: dict[str, list[str]] = {
    **{name: sorted(config_files(name)) for name in ("dataset", "mode", "gan_type", "fs", "protocol")},
    **{name: sorted(config_files(name)) for name in ("trainer", "logger", "launcher", "ablation")},
}
GROUPS["recipe"] = ["plain", "${dataset}/${mode}"]
GROUPS["ablation"].append("")  # none
SLICES = 2 * len(GROUPS["mode"])


def slices() -> list[tuple[str, ...]]:
    """Draw combinations in which every choice of every group occurs."""
    columns = []
    for group, names in GROUPS.items():
        column = [f"{group}={name}" if name else "seed=1" for name in (names * SLICES)[:SLICES]]
        random.Random(group).shuffle(column)
        columns.append(column)
    return list(zip(*columns, strict=True))


@cache
def table() -> Table:
    """Return a table with enough rows and columns for every choice."""
    x = np.random.default_rng(0).normal(size=(240, 24))
    labels = np.array(["a", "b", "c", "a"] * 60)
    return make_table("t", x, labels, [f"v{i}" for i in range(24)], np.arange(160, 240))


def refusals(cfg: DictConfig) -> list[str]:
    """Return what a line may say if the choices do not go together."""
    reasons = []
    if "estimator" in cfg.mode:
        if cfg.fs.ratio is not None:
            reasons.append(r"fs\.ratio=.* are not oversampled; use fs=natural")
        if cfg.members > 1:
            reasons.append(r"members=10: mode=\w+ has no players to average")
        if "rules" in cfg.mode:  # an ablation of the game
            reasons.append(r"mode\.rules")
    elif cfg.mode.rules.get("generator_term") is None and set(GENERATOR_RULES) & set(cfg.mode.rules):
        reasons.append(r"mode\.rules\.\w+=.*: the mode has no generator")
    elif "generated_law" not in cfg.mode.rules and cfg.mode.rules.get("generator_term") is not None:
        reasons.append(r"mode\.rules\.generated_law=None: choose one of")
    loss = cfg.gan_type.get("loss", {}) if "gan_type" in cfg else {}
    if "label_noise" in loss and loss._target_.endswith("Wasserstein"):
        reasons.append(r"gan_type\.loss.*label_noise")  # of a recipe for another game
    if cfg.trainer.accelerator == "gpu" and not torch.cuda.is_available():
        reasons.append(r"trainer\.accelerator=gpu: torch finds no GPU")
    return reasons


def build_everything(cfg: DictConfig, folder: Path) -> None:
    """Build what a run builds before its first epoch, but for the dataset's table and W&B's logger."""
    check(cfg)
    assert config_hash(cfg)
    loggers = [build("logger.csv", cfg.logger.csv, save_dir=str(folder))] if "csv" in cfg.logger else []
    build_trainer(cfg, folder, loggers)
    if "resampling" in cfg.mode:
        build("mode.resampling", cfg.mode.pop("resampling"))  # without it no rows are generated below
    data = build_data(cfg, table=table())
    data.setup()
    if "estimator" in cfg.mode:
        assert hasattr(build("mode.estimator", cfg.mode.estimator)(), "fit")
        return
    optimizers, schedules = build_game(cfg, data).configure_optimizers()
    assert len(optimizers) == len(schedules) > 0


@pytest.mark.parametrize("overrides", slices(), ids=" ".join)
def test_every_choice_builds_or_is_refused_in_one_line(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    own = ["dataset.path=t.csv", "dataset.target=label"] if "dataset=table" in overrides else []
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("train", overrides=[*overrides, *own], return_hydra_config=True)
    OmegaConf.to_container(cfg.hydra.launcher, resolve=True)
    assert get_class(cfg.hydra.launcher._target_)
    with open_dict(cfg):
        del cfg.hydra
        expected = refusals(cfg)
        if not expected:
            build_everything(cfg, tmp_path)
            return
        with pytest.raises(InputError, match=f"^({'|'.join(expected)})") as caught:
            build_everything(cfg, tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def checked_rules(cfg: DictConfig) -> Rules:
    check(cfg)
    rules: Rules = build("mode.rules", cfg.mode.rules)
    return rules


@pytest.mark.parametrize(
    ("mode", "ablation", "message"),
    [
        ("logistic", "no_generated_rows", r"^mode\.rules: mode=logistic plays no game"),
        ("q", "no_discriminator", r"^mode\.rules\.discriminator_weight=0\.0: the mode has no generator"),
        ("ro", "five_critic_steps", r"^mode\.rules\.critic_steps=5: the mode has no generator"),
    ],
)
def test_an_ablation_that_would_change_nothing_is_refused(mode: str, ablation: str, message: str) -> None:
    cfg = compose_train([f"mode={mode}", f"ablation={ablation}"])
    with pytest.raises(InputError, match=message):
        checked_rules(cfg)
