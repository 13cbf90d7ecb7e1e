"""The parameters that both estimators have, and the configuration that they stand for."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from adversarial_oversampling.config.compose import config_files, default_config
from adversarial_oversampling.config.validation import check
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.text import one_line

KEYS = {
    "max_epochs": "trainer.max_epochs",
    "batch_size": "dataset.training.batch_size",
    "width": "dataset.training.width",
    "learning_rate": "dataset.training.learning_rate",
    "dropout": "dataset.training.dropout",
    "weight_decay": "dataset.training.weight_decay",
    "scaler": "dataset.preprocessing.scaler",
    "n_neighbors": "dataset.preprocessing.n_neighbors",
    "generator_weight": "mode.rules.generator_weight",
    "generated_weight": "mode.rules.generated_weight",
    "critic_steps": "mode.rules.critic_steps",
    "temperature": "players.generator.temperature",
    "gumbel": "players.generator.gumbel",
    "anchors": "players.generator.anchors",
    "conditional": "players.discriminator.conditional",
}
"""The setting of the suite that each parameter of the same name stands for."""
_PARAMETERS = {key: name for name, key in KEYS.items()} | {
    "seed": "random_state",
    "members": "n_members",
    "fs": "fs",
    "gan_type": "gan_type",
    "mode": "mode",
    "protocol.validation_size": "epoch_selection",
    "trainer.accelerator": "device",
    "trainer.enable_progress_bar": "verbose",
    "dataset.columns": "columns",
}
_SETTINGS = (
    *("players.", "mode.", "gan_type.", "schedule.", "generated_rows"),
    *("dataset.preprocessing.", "dataset.training.", "protocol.running_mean", "protocol.weight_average"),
    *("trainer.matmul_precision", "trainer.random_numbers"),
)
"""Beginnings of the keys that `settings` may have: those that a fit in memory reads."""


class GameParameters(BaseEstimator):
    """Parameters of the game. None stands for the suite's default, which the YAML files hold.

    Parameters
    ----------
    mode : str
        `do`, `ao`, `gamo`, `both_fool` or `both_favour`; the classifier takes any mode that trains Q, such as
        `q` or `smote`.
    fs : str or float, optional
        Rate at which the game oversamples the real rows of its batches: a choice of the config group `fs`,
        such as `"balanced"`, or the ratio of the smallest to the largest class, in (0, 1]. None: what the
        mode sets. How many rows an over-sampler returns is its `sampling_strategy`.
    gan_type : str, optional
        Game between G and D: a choice of the config group `gan_type`. None: what the mode sets.
    max_epochs : int, optional
    batch_size : int, optional
        Real rows of a step.
    width : int, optional
        Units of each hidden layer of Q.
    learning_rate, dropout, weight_decay : float, optional
        Of Q.
    scaler : str, optional
        One of `data.preprocessing.SCALERS`.
    n_neighbors : int, optional
        Rows that a missing number is averaged over.
    generator_weight, generated_weight : float, optional
        Weights of G's term against Q, and of Q's generated rows.
    critic_steps : int, optional
        Steps of D in a round.
    temperature, gumbel : float, optional
        Of G's weights on the anchors.
    anchors : int, optional
        Real rows per class that G may combine.
    conditional : bool, optional
        Whether D sees the class.
    settings : mapping of str to object, optional
        Any other setting of the game, its training or the preprocessing by its config key, such as
        `{"players.generator.latent": 16}`.
    columns : mapping, optional
        Roles of columns where the inferred ones are wrong: `{"categorical": [...], "ordinal": {name: [...]},
        "numeric": [...], "date": [...]}`.
    n_members : int
        Players that are trained side by side and whose probabilities are averaged.
    epoch_selection : float or None
        Part of the training rows that chooses the epoch instead of training, in (0, 1). None: all rows train,
        and the last epoch counts.
    random_state : int, RandomState instance or None
        Every random number comes from it. None draws a new one.
    device : {"cpu", "cuda", "auto"}
        Where the networks are trained.
    verbose : int
        1 shows the progress over epochs.
    """

    def __init__(
        self,
        mode: str = "do",
        *,
        fs: str | float | None = None,
        gan_type: str | None = None,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        width: int | None = None,
        learning_rate: float | None = None,
        dropout: float | None = None,
        weight_decay: float | None = None,
        scaler: str | None = None,
        n_neighbors: int | None = None,
        generator_weight: float | None = None,
        generated_weight: float | None = None,
        critic_steps: int | None = None,
        temperature: float | None = None,
        gumbel: float | None = None,
        anchors: int | None = None,
        conditional: bool | None = None,
        settings: Mapping[str, Any] | None = None,
        columns: Mapping[str, Any] | None = None,
        n_members: int = 1,
        epoch_selection: float | None = 0.2,
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
        verbose: int = 0,
    ) -> None:
        self.mode = mode
        self.fs = fs
        self.gan_type = gan_type
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.width = width
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.scaler = scaler
        self.n_neighbors = n_neighbors
        self.generator_weight = generator_weight
        self.generated_weight = generated_weight
        self.critic_steps = critic_steps
        self.temperature = temperature
        self.gumbel = gumbel
        self.anchors = anchors
        self.conditional = conditional
        self.settings = settings
        self.columns = columns
        self.n_members = n_members
        self.epoch_selection = epoch_selection
        self.random_state = random_state
        self.device = device
        self.verbose = verbose


def configuration(parameters: GameParameters, needs_generator: bool) -> DictConfig:
    """Return the suite's configuration of one fit.

    Raises
    ------
    InputError
        If a parameter is unknown or out of range. The message names its config key.
    """
    modes = config_files("mode")
    if parameters.mode not in modes:
        raise InputError(f"mode={parameters.mode}: choose one of {', '.join(modes)}.")
    choices = ["dataset=table", "logger=none", f"mode={parameters.mode}"]
    if not isinstance(parameters.fs, str | Real | None):
        raise InputError(f"fs={parameters.fs!r}: give a number, or one of {', '.join(config_files('fs'))}.")
    for group in ("fs", "gan_type"):
        choice = getattr(parameters, group)
        if isinstance(choice, str):
            if choice not in config_files(group):
                raise InputError(f"{group}={choice}: choose one of {', '.join(config_files(group))}.")
            choices.append(f"{group}={choice}")
    cfg: DictConfig = default_config(tuple(choices)).copy()
    if "rules" not in cfg.mode or (needs_generator and cfg.mode.rules.get("generator_term") is None):
        what = "generator" if needs_generator else "classifier of its own"
        raise InputError(
            f"mode={parameters.mode}: it has no {what}; choose do, ao, gamo or another such mode."
        )
    seed = int(check_random_state(parameters.random_state).randint(2**31 - 1))
    values: dict[str, Any] = {
        "seed": seed,
        "replicas": 1,
        "members": parameters.n_members,
        "dataset.path": "-",
        "dataset.target": "-",
        "dataset.name": "table",
        "protocol.validation_size": parameters.epoch_selection,
        "protocol.select_on": "train" if parameters.epoch_selection is None else "validation",
        "trainer.accelerator": {"cuda": "gpu"}.get(parameters.device, parameters.device),
        "trainer.enable_progress_bar": bool(parameters.verbose),
    }
    if isinstance(parameters.fs, Real):
        values |= {"fs.ratio": float(parameters.fs), "fs.name": "ratio"}
    given = {key: getattr(parameters, name) for name, key in KEYS.items()}
    values |= {key: value for key, value in given.items() if value is not None}
    for key in parameters.settings or {}:
        _check_is_read(key)
    values |= dict(parameters.settings or {})
    for key, value in values.items():
        try:
            # Searches over arrays and distributions give NumPy's numbers.
            OmegaConf.update(cfg, key, value.item() if isinstance(value, np.generic) else value)
        except (ConfigKeyError, ConfigAttributeError) as error:
            raise InputError(f"{key}: there is no such setting for mode={parameters.mode}.") from error
        except OmegaConfBaseException as error:
            raise InputError(f"{key}={value}: {one_line(error)}") from error
    check(cfg)
    return cfg


def _check_is_read(key: str) -> None:
    """Refuse a key of `settings` that a parameter sets, or that a fit in memory does not read."""
    for owner in (key, key.rpartition(".")[0]):
        if owner in _PARAMETERS:
            raise InputError(f"settings: give the parameter {_PARAMETERS[owner]} instead of {key}.")
    if not key.startswith(_SETTINGS):
        known = ", ".join(f"{start}*" if start.endswith(".") else start for start in _SETTINGS)
        raise InputError(f"settings: {key} has no effect on an estimator; leave it out. It may have {known}.")
