"""Set up saved views of a Weights & Biases project: `python -m adversarial_oversampling.tracking.dashboard`.

One view for each dataset, with the modes side by side: final numbers as bars, and the curves of each player.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adversarial_oversampling.errors import InputError

if TYPE_CHECKING:
    import wandb_workspaces.workspaces as ws

DATASETS = ("secom", "secom_20_columns", "pima", "haberman", "wafer", "credit", "yeast")
FINAL = {
    "acsa": "ACSA",
    "g_mean": "GM",
    "auroc": "AUROC",
    "pr_auc": "PR-AUC",
    "calibration_error": "calibration error",
}
CURVES = {
    "Q": (
        "classifier/loss",
        "classifier/real",
        "classifier/generated",
        "complement/loss",
        "train/acsa",
        "train/g_mean",
    ),
    "D": (
        "discriminator/loss",
        "discriminator/real",
        "discriminator/generated",
        "discriminator/gradient_penalty",
    ),
    "G": (
        "generator/loss",
        "generator/against_discriminator",
        "generator/against_classifier",
        "generator/perplexity",
    ),
}
# Runs of a mode are one bar or line: their mean, with the standard deviation over them.
BY_MODE: dict[str, Any] = {"groupby": "JobType", "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}


def view(entity: str, project: str, dataset: str, protocol: str, tags: Sequence[str] = ()) -> "ws.Workspace":
    """The view of one dataset in one protocol: those are never mixed.

    Parameters
    ----------
    entity, project : str
    dataset, protocol : str
        Tags that its runs have.
    tags : sequence of str
        More of them, to compare like with like.

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
    chooser = "test_optimistic" if optimistic else "validation"
    # A mode without epochs has nothing to choose on test rows, and is not optimistic.
    kinds = ("final_optimistic", "final") if optimistic else ("final",)
    bars: list[Any] = [
        BarPlot(
            title=f"{title}{', OPTIMISTIC where a mode has epochs' * optimistic}",
            metrics=[f"{kind}/{name}" for kind in kinds],
            **BY_MODE,
        )
        for name, title in FINAL.items()
    ]
    curves = {"Choice of the epoch": (f"{chooser}/acsa", f"{chooser}/g_mean"), **CURVES}
    sections = [ws.Section(name="Final numbers", panels=bars, is_open=True)] + [
        ws.Section(name=name, panels=[LinePlot(title=one, x="epoch", y=[one], **BY_MODE) for one in metrics])
        for name, metrics in curves.items()
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"{dataset}, {protocol}{' (optimistic)' * optimistic}",
        sections=sections,
        runset_settings=ws.RunsetSettings(
            filters=expr.And(*(expr.Tags().isin([tag]) for tag in (dataset, protocol, *tags))),
            groupby=[ws.Metric("JobType")],
        ),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m adversarial_oversampling.tracking.dashboard",
        description="Save a view for each dataset of a Weights & Biases project: mode against mode.",
    )
    parser.add_argument("project", metavar="ENTITY/PROJECT")
    parser.add_argument(
        "--datasets", nargs="+", default=DATASETS, metavar="NAME", help="default: %(default)s"
    )
    parser.add_argument("--protocol", default="holdout", help="holdout, cv or paper; default: %(default)s")
    parser.add_argument(
        "--tags",
        nargs="*",
        default=("own_settings",),
        metavar="TAG",
        help="only runs that have these too; default: own_settings, modes as the suite has them",
    )
    given = parser.parse_args(arguments)
    entity, _, project = given.project.rpartition("/")
    if not entity:
        sys.exit(f"Error: {given.project}: give ENTITY/PROJECT, the entity being your W&B user or team.")
    try:
        for dataset in given.datasets:
            one = view(entity, project, dataset, given.protocol, given.tags)
            one.save()  # type: ignore[no-untyped-call]
            print(one.url)
    except InputError as error:
        sys.exit(f"Error: {error}")
    except Exception as error:  # whatever the network or the server has
        sys.exit(f"Error: Weights & Biases does not save the view: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
