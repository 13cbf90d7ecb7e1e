"""Allowed values of each setting: ranges and options, and the error message for any other value.

`LIMITS` maps the key of every setting whose limits do not depend on the table to these limits.
`config.validation` checks a whole configuration against it. Classes that can be constructed without a
configuration call `check` in their constructor.
"""

import math
import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, TypeGuard

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.text import is_file_name, user_path

PLAYERS = ("discriminator", "generator", "classifier")
"""Networks of the section `players`, in the order of play."""


class Limit(Protocol):
    """What a setting may be."""

    def check(self, key: str, value: object) -> None:
        """Raise an InputError that names the key if the value is not allowed."""


LARGEST: dict[type[int] | type[float], float] = {int: 2**31 - 1, float: 3e38}
"""Of a setting without an upper end: what libraries hold in 32 bits."""


@dataclass(frozen=True)
class Number:
    """A finite number in an interval.

    Attributes
    ----------
    kind : type
        int or float; a whole number passes as a float.
    minimum, maximum : float or None
        Ends that belong to the interval.
    above, below : float or None
        Ends that do not.
    optional : bool
        Whether null is allowed.
    """

    kind: type[int] | type[float]
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    optional: bool = False

    def check(self, key: str, value: object) -> None:
        """Raise an InputError that names the key if the value is not allowed."""
        if value is None and self.optional:
            return
        if not self._contains(value):
            bounds = {
                "of at least": self.minimum,
                "above": self.above,
                "of at most": self.maximum,
                "below": self.below,
            }
            if (
                (self.maximum, self.below) == (None, None)
                and self._is_number(value)
                and value > self._largest
            ):
                bounds["of at most"] = self._largest
            interval = " and ".join(f"{words} {end}" for words, end in bounds.items() if end is not None)
            noun = "whole number" if self.kind is int else "number"
            null = ", or null" if self.optional else ""
            raise InputError(f"{key}={_text(value)}: give a {noun} {interval}{null}.")

    @property
    def _largest(self) -> float:
        ends = (self.maximum, self.below)
        return min((end for end in ends if end is not None), default=LARGEST[self.kind])

    def _is_number(self, value: object) -> TypeGuard[int | float]:
        return isinstance(value, int | self.kind) and not isinstance(value, bool)

    def _contains(self, value: object) -> bool:
        return (
            self._is_number(value)
            and (isinstance(value, int) or math.isfinite(value))
            and (self.minimum is None or value >= self.minimum)
            and value <= self._largest
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


def _text(value: object) -> str:
    """Return a value as a text; of a whole number that fills lines, its length."""
    if isinstance(value, int) and value.bit_length() > 100:
        return f"a whole number of {value.bit_length()} bits"
    return str(value)


@dataclass(frozen=True)
class Choice:
    """One of several names."""

    options: Collection[str]

    def check(self, key: str, value: object) -> None:
        """Raise an InputError that names the key if the value is not allowed."""
        if value not in self.options:
            raise InputError(f"{key}={value}: choose one of {', '.join(self.options)}.")


@dataclass(frozen=True)
class Switch:
    """True or false."""

    def check(self, key: str, value: object) -> None:
        """Raise an InputError that names the key if the value is not allowed."""
        if not isinstance(value, bool):
            raise InputError(f"{key}={value}: give true or false.")


@dataclass(frozen=True)
class Text:
    """A text that is not empty.

    Attributes
    ----------
    what : str
        What to give, in an error message.
    optional : bool
        Whether null is allowed.
    """

    what: str
    optional: bool = False

    def check(self, key: str, value: object) -> None:
        """Raise an InputError that names the key if the value is not allowed."""
        if value is None and self.optional:
            return
        if value is None or not str(value).strip():
            raise InputError(f"{key}: not set; give {self.what}.")


@dataclass(frozen=True)
class FileName:
    """A text that can be the name of a folder."""

    def check(self, key: str, value: object) -> None:
        """Raise an InputError that names the key if the value is not allowed."""
        if not isinstance(value, str):
            raise InputError(f"{key}={value}: give a text; put a number in quotes.")
        if not is_file_name(value):
            text = value if len(value) <= 40 else f"{value[:37]}..."
            raise InputError(
                f"{key}={text!r}: a folder gets this name; give at most 100 letters, digits, blanks and "
                "other signs than / and \\, with a letter or a digit first."
            )


@dataclass(frozen=True)
class FolderPath:
    """The path of a folder, which need not exist.

    Attributes
    ----------
    optional : bool
        Whether null and an empty text are allowed.
    """

    optional: bool = False

    def check(self, key: str, value: object) -> None:
        """Raise an InputError that names the key if the value is not allowed."""
        text = "" if value is None else str(user_path(str(value)))
        if value in (None, "") and self.optional:
            return
        if not str(value or "").strip():
            raise InputError(f"{key}: empty; give a folder, or leave the setting out.")
        if "\0" in text or len(text) > 3000 or any(len(os.fsencode(part)) > 255 for part in text.split("/")):
            shown = text if len(text) <= 60 else f"{text[:57]}..."
            raise InputError(
                f"{key}={shown!r}: a path has at most 255 bytes between slashes; give a shorter one."
            )
        if text.startswith("~"):
            raise InputError(
                f"{key}={text}: there is no such user's home; write ./{text} for a folder of this name."
            )


ANY_NUMBER = {kind: Number(kind, minimum=-largest) for kind, largest in LARGEST.items()}
"""Of the settings of other libraries, which have limits of their own."""
_RATE = Number(float, minimum=0, maximum=1e30)

LIMITS: dict[str, Limit] = {
    "seed": Number(int, minimum=0, maximum=2**62),
    "replicas": Number(int, minimum=1),
    "members": Number(int, minimum=1),
    "threads": Number(int, minimum=1, maximum=4096),
    "rerun": Switch(),
    "generated_rows": Number(int, minimum=1, optional=True),
    "fs.name": FileName(),
    "gan_type.name": FileName(),
    "protocol.name": FileName(),
    "fs.ratio": Number(float, above=0, maximum=1, optional=True),
    "protocol.select_on": Choice(("validation", "test", "train")),
    "protocol.folds": Number(int, minimum=2, optional=True),
    "protocol.fold": Number(int, minimum=0, optional=True),
    "protocol.validation_size": Number(float, minimum=0, below=1, optional=True),
    "paths.data_dir": FolderPath(optional=True),
    "paths.cache_dir": FolderPath(),
    "paths.output_dir": FolderPath(),
    "dataset.name": FileName(),
    "dataset.path": Text("the path of a CSV, Parquet or Feather file"),
    "dataset.target": Text("the name of the column with the class labels"),
    "dataset.group": Text("the name of the column that tells which rows belong together, or null", True),
    "dataset.split.test_size": Number(float, above=0, below=1, optional=True),
    "dataset.preprocessing.n_neighbors": Number(int, minimum=1),
    "dataset.preprocessing.n_selected": Number(int, minimum=1, optional=True),
    "dataset.preprocessing.max_donors": Number(int, minimum=1, optional=True),
    "dataset.training.batch_size": Number(int, minimum=1),
    "dataset.training.width": Number(int, minimum=1),
    "dataset.training.settings_compared": Number(int, minimum=0),
    "protocol.running_mean": Number(int, minimum=1),
    "protocol.weight_average": Number(float, minimum=0, below=1),
    "trainer.max_epochs": Number(int, minimum=1),
    "trainer.checkpoint_seconds": Number(float, minimum=0),
    "trainer.devices": Number(int, minimum=1, maximum=4096),
    "trainer.matmul_precision": Choice(("highest", "high", "medium")),
    "trainer.random_numbers": Choice(("cpu", "device")),
    "gan_type.loss.gradient_penalty": Number(float, minimum=0),
    "gan_type.loss.label_noise": Number(float, minimum=0, maximum=1),
    "mode.settings_compared": Number(int, minimum=0),
    "mode.estimator.n_estimators": Number(int, minimum=1),
    "mode.resampling.n_neighbors": Number(int, minimum=1),
    "mode.resampling.epochs": Number(int, minimum=1),
    "mode.resampling.noise_levels": Number(int, minimum=2),
    "mode.resampling.copies": Number(int, minimum=1),
    "mode.resampling.n_estimators": Number(int, minimum=1),
    "mode.resampling.max_depth": Number(int, minimum=1),
    "mode.rules.class_weights": Switch(),
    "mode.rules.complement": Switch(),
    "mode.rules.tuned_threshold": Switch(),
    "mode.rules.generator_weight": Number(float, minimum=0),
    "mode.rules.generated_weight": Number(float, minimum=0),
    "mode.rules.discriminator_weight": Number(float, minimum=0),
    "mode.rules.diversity_weight": Number(float, minimum=0),
    "mode.rules.critic_steps": Number(int, minimum=1),
    "mode.rules.label_smoothing": Number(float, minimum=0, below=1),
    "mode.rules.mixup": Switch(),
    "players.classifier.layers": Number(int, minimum=1),
    "players.classifier.dropout": Number(float, minimum=0, below=1),
    "players.discriminator.layers": Number(int, minimum=2),
    "players.discriminator.conditional": Switch(),
    "players.generator.layers": Number(int, minimum=2),
    "players.generator.latent": Number(int, minimum=1),
    "players.generator.anchors": Number(int, minimum=1),
    "players.generator.temperature": Number(float, minimum=1e-3),
    "players.generator.gumbel": Number(float, minimum=0),
    "players.generator.straight_through": Switch(),
    **{f"players.{player}.width": Number(int, minimum=1) for player in PLAYERS},
    **{f"players.{player}.optimizer.lr": _RATE for player in PLAYERS},
    **{f"players.{player}.optimizer.weight_decay": _RATE for player in PLAYERS},
}


def check(key: str, value: object) -> None:
    """Raise an error if a value is outside the limits of a setting.

    Parameters
    ----------
    key : str
        A key of `LIMITS`.
    value : object
        The value to check.

    Raises
    ------
    InputError
        If the value is not allowed. The message names the key, the value and the allowed values.
    """
    LIMITS[key].check(key, value)
