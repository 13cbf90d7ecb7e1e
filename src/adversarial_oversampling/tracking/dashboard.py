"""Save views of a Weights & Biases project: `python -m adversarial_oversampling.tracking.dashboard`.

One view for each dataset, with the modes side by side: final numbers as bars, and the curves of each player.
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adversarial_oversampling.config.catalogue import suite_datasets
from adversarial_oversampling.config.variants import DEFAULT_SETTINGS_TAG
from adversarial_oversampling.curve_names import CURVES, monitor
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.guard import guard
from adversarial_oversampling.results.schema import METRICS
from adversarial_oversampling.text import capitalized, one_line

if TYPE_CHECKING:
    import wandb_workspaces.workspaces as ws

# Runs of a mode are one bar or line: their mean, with the standard deviation over them.
BY_MODE: dict[str, Any] = {"groupby": "JobType", "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}


def view(entity: str, project: str, dataset: str, protocol: str, tags: Sequence[str] = ()) -> "ws.Workspace":
    """Return the view of one dataset in one protocol; protocols are never mixed.

    Parameters
    ----------
    entity, project : str
    dataset, protocol : str
        Tags that its runs have.
    tags : sequence of str
        Further tags, so that only comparable runs are shown.

    Raises
    ------
    InputError
        If wandb-workspaces is not installed.
    """
    try:
        import wandb_workspaces.expr as expr
        import wandb_workspaces.workspaces as ws
        from wandb_workspaces.reports.v2.interface import BarPlot, LinePlot
    except ImportError as error:
        raise InputError('wandb-workspaces is not installed: pip install ".[dashboard]"') from error
    optimistic = protocol == "paper"
    scores = monitor("test" if optimistic else "validation")
    # A mode without epochs chooses nothing on test rows, so its numbers are not optimistic.
    kinds = ("final_optimistic", "final") if optimistic else ("final",)
    bars: list[Any] = [
        BarPlot(
            title=f"{title}, OPTIMISTIC where a mode has epochs" if optimistic else title,
            metrics=[f"{kind}/{name}" for kind in kinds],
            **BY_MODE,
        )
        for name, title in METRICS.items()
    ]
    curves = {"choice of the epoch": (f"{scores}/acsa", f"{scores}/g_mean"), **CURVES}
    sections = [ws.Section(name="Final numbers", panels=bars, is_open=True)] + [
        ws.Section(
            name=capitalized(name),
            panels=[LinePlot(title=metric, x="epoch", y=[metric], **BY_MODE) for metric in metrics],
        )
        for name, metrics in curves.items()
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"{dataset}, {protocol}{' (optimistic)' if optimistic else ''}",
        sections=sections,
        runset_settings=ws.RunsetSettings(
            filters=expr.And(*(expr.Tags().isin([tag]) for tag in (dataset, protocol, *tags))),
            groupby=[ws.Metric("JobType")],
        ),
    )


@guard()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m adversarial_oversampling.tracking.dashboard",
        description="Save views of a Weights & Biases project that compare the modes, one for each dataset.",
    )
    parser.add_argument("project", metavar="ENTITY/PROJECT", help="W&B user or team, and project")
    parser.add_argument(
        "--datasets",
        nargs="+",
        default=suite_datasets(),
        metavar="NAME",
        help="datasets to make a view of; default: all datasets of the suite",
    )
    parser.add_argument("--protocol", default="holdout", help="holdout, cv or paper; default: %(default)s")
    parser.add_argument(
        "--tags",
        nargs="*",
        default=[DEFAULT_SETTINGS_TAG],
        metavar="TAG",
        help=f"show only runs with all of these tags; default: {DEFAULT_SETTINGS_TAG}",
    )
    options = parser.parse_args(arguments)
    entity, _, project = options.project.rpartition("/")
    if not entity:
        raise InputError(f"{options.project}: give ENTITY/PROJECT, the entity being your W&B user or team.")
    try:
        for dataset in options.datasets:
            workspace = view(entity, project, dataset, options.protocol, options.tags)
            workspace.save()  # type: ignore[no-untyped-call]
            print(workspace.url)
    except InputError:
        raise
    except Exception as error:  # of the network or the server
        problem = f"{type(error).__name__}: {one_line(error)}"
        raise InputError(f"Weights & Biases did not save the view: {problem}") from error


if __name__ == "__main__":
    main()
