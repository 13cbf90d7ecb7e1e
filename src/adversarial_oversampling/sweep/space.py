"""The space of a search: what its trials vary, and the modes that share the settings of each trial."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Transformer
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.sweep.overrides import parsed
from adversarial_oversampling.text import one_line

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

# What all trials of a search must share, since their scores are compared.
SHARED = re.compile(r"(dataset|protocol|seed|replicas|(protocol|dataset\.source|dataset\.split)\..*)$")


@dataclass
class Space:
    """What the jobs of a search are made of.

    Attributes
    ----------
    varied : dict of str to BaseDistribution
        The settings that are searched, and from what they are drawn.
    fixed : list of str
        Overrides that all jobs have.
    modes : list of str
        Modes that every trial runs with the same settings; empty if the command names one mode only.
    """

    varied: "dict[str, BaseDistribution]" = field(default_factory=dict)
    fixed: list[str] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)

    def jobs(self, settings: Mapping[str, Any]) -> list[list[str]]:
        """Return the overrides of each job of a trial with some settings: one job for each mode."""
        overrides = [*self.fixed, *(f"{key}={value}" for key, value in settings.items())]
        return [[f"mode={mode}", *overrides] for mode in self.modes] or [overrides]

    def defaults(self, config: DictConfig) -> dict[str, Any]:
        """Return the settings that a run without a search has, those outside the space left out."""
        values = {key: OmegaConf.select(config, key) for key in self.varied}
        return {key: value for key, value in values.items() if _contains(self.varied[key], value)}


def _contains(distribution: "BaseDistribution", value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (TypeError, ValueError):  # not one of the choices, or no number
        return False


def read_space(config: DictConfig) -> Space:
    """Return the space of a search, from its overrides and `hydra.sweeper.params`.

    Raises
    ------
    InputError
        If a setting has no valid space, or must not be searched.
    """
    try:
        given = parsed(config)
    except HydraException as error:
        raise InputError(f"hydra.sweeper.params: {one_line(error)}") from error
    space = Space()
    # An override takes the place of an earlier one of the same setting.
    for item in {item.get_key_element().lstrip("+~"): item for item in given}.values():
        key = item.get_key_element()
        if not item.is_sweep_override():
            space.fixed.append(str(item.input_line))
        elif key == "mode":
            space.modes = [str(mode) for mode in item.sweep_iterator(Transformer.encode)]
        elif SHARED.match(item.key_or_group):
            raise InputError(
                f"{item.input_line}: the trials of a search are compared with each other, so they share "
                f"{item.key_or_group}; give each choice a search of its own."
            )
        else:
            space.varied[key] = distribution(item)
    return space


def distribution(item: Override) -> "BaseDistribution":
    """Return from what a setting is drawn, by its override.

    As everywhere in Hydra, `interval` gives fractions and `int(interval(1, 5))` whole numbers, and
    the end of a range does not belong to it.

    Raises
    ------
    InputError
        If Optuna cannot draw from it.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = item.value()
    try:
        if isinstance(value, IntervalSweep):
            whole = isinstance(value.start, int) and isinstance(value.end, int)
            kind: Any = IntDistribution if whole else FloatDistribution
            return kind(value.start, value.end, log="log" in value.tags)  # type: ignore[no-any-return]
        values: list[Any] = list(item.sweep_iterator(Transformer.encode))
        if isinstance(value, RangeSweep) and not value.shuffle and values:
            kind = IntDistribution if all(isinstance(one, int) for one in values) else FloatDistribution
            return kind(min(values), max(values), step=abs(value.step))  # type: ignore[no-any-return]
        return CategoricalDistribution(values)
    except (TypeError, ValueError) as error:
        raise InputError(f"{item.input_line}: {one_line(error)}") from error
