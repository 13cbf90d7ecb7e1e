"""Hydra's basic sweeper with an order: Hydra accepts sweepers of the package `hydra_plugins` only."""

from collections.abc import Iterable, Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class LongestFirstSweeper(BasicSweeper):
    """Run every combination of the choices, in the order that the sweep's callback has set.

    Parameters
    ----------
    max_batch_size, params
        As of Hydra's basic sweeper.
    order : sequence of int, optional
        The numbers of the jobs in the order of Hydra's basic sweeper, the first one to run first. None keeps
        that order.
    """

    def __init__(
        self,
        max_batch_size: int | None = None,
        params: dict[str, str] | None = None,
        order: Sequence[int] | None = None,
    ) -> None:
        super().__init__(max_batch_size, params)
        self.order = order

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher; the sweeper itself writes its configuration to a file."""
        from adversarial_oversampling.credentials import masked_config

        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.config = masked_config(config)

    def split_arguments(  # type: ignore[override]
        self, overrides: list[Override], max_batch_size: int | None
    ) -> list[list[list[str]]]:
        """Return the overrides of every job, in batches."""
        (jobs,) = BasicSweeper.split_arguments(overrides, None)
        ordered: Iterable[list[str]] = jobs if self.order is None else (jobs[number] for number in self.order)
        return list(self.split_overrides_to_chunks(list(ordered), max_batch_size))

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose the jobs of a batch, unless this was done to order them."""
        if self.order is None:
            super().validate_batch_is_legal(batch)
