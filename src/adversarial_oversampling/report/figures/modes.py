"""ACSA of every method, with each replica as a dot."""

from functools import partial

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adversarial_oversampling.report import paper
from adversarial_oversampling.report.common import (
    NA,
    by_setting,
    dataset_titles,
    file_name,
    mode_titles,
    rows_of,
)
from adversarial_oversampling.report.figures.picture import Picture
from adversarial_oversampling.report.figures.theme import Theme
from adversarial_oversampling.text import capitalized

PROPOSED, COMPARED, OTHERS = (
    "proposed in the paper",
    "other methods compared in the paper",
    "not in the paper",
)
COLORS = {PROPOSED: "red", COMPARED: "blue", OTHERS: "green"}


def group_of(mode: str) -> str:
    """Return the group of a mode: proposed in the paper, compared in it, or neither."""
    if mode in paper.PROPOSED:
        return PROPOSED
    return COMPARED if mode in paper.columns() else OTHERS


def _draw_dataset(
    ax: Axes, runs: pd.DataFrame, replicas: pd.DataFrame, place: dict[str, int], theme: Theme
) -> None:
    for run in rows_of(runs):
        y = place[run.mode]
        if run.na is not None:
            ax.text(0.02, y, NA, transform=ax.get_yaxis_transform(), va="center", color=theme.muted)
            continue
        color = getattr(theme, COLORS[group_of(run.mode)])
        values = 100 * replicas.loc[replicas["config_hash"] == run.config_hash, "acsa"].to_numpy()
        ax.plot(values, [y] * len(values), "o", color=color, markersize=4.5, alpha=0.75, markeredgewidth=0)
        ax.plot(100 * run.acsa, y, "|", color=theme.ink, markersize=11, markeredgewidth=2)


def _draw(runs: pd.DataFrame, replicas: pd.DataFrame, theme: Theme) -> Figure:
    titles, datasets = mode_titles(runs), dataset_titles(runs)
    place = {mode: i for i, mode in enumerate(titles)}
    columns = min(3, len(datasets))
    lines = -(-len(datasets) // columns)
    with mpl.rc_context(theme.rc):
        figure = Figure(
            figsize=(2.2 + 2.5 * columns, 0.7 + lines * (0.6 + 0.23 * len(titles))), layout="constrained"
        )
        grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
        for ax in grid.flat[len(datasets) :]:
            ax.set_axis_off()
        for ax, (dataset, title) in zip(grid.flat, datasets.items(), strict=False):
            ax.set_title(title, weight="bold")
            _draw_dataset(ax, runs[runs["dataset"] == dataset], replicas, place, theme)
            ax.set_yticks(list(place.values()), list(titles.values()))
            ax.set_ylim(len(titles) - 0.4, -0.6)
            ax.tick_params(axis="y", length=0)
            ax.margins(x=0.08)
            ax.set_xlabel("ACSA, %")
        present = {group_of(mode) for mode in titles}
        handles = [
            Line2D([], [], marker="o", linestyle="", color=getattr(theme, color), label=group)
            for group, color in COLORS.items()
            if group in present
        ]
        mean = Line2D([], [], marker="|", linestyle="", color=theme.ink, markeredgewidth=2, label="mean")
        figure.legend(handles=[*handles, mean], loc="outside upper left", ncols=4, fontsize=8)
    return figure


def mode_pictures(runs: pd.DataFrame, replicas: pd.DataFrame) -> list[Picture]:
    """Return ACSA of every mode with its single replicas, a picture per setting.

    Parameters
    ----------
    runs : DataFrame
        The runs with default settings of the run frame.
    replicas : DataFrame
        The replica frame.
    """
    return [
        Picture(
            file_name(f"modes {setting}"),
            "modes",
            f"ACSA of every method, {setting}",
            f"{capitalized(setting)}. Each dot is a replica (a seed, or a fold of a seed), the bar is their "
            "mean. The axes differ between datasets and do not begin at 0. NA: the method has no result on "
            "this dataset.",
            partial(_draw, group, replicas),
            setting,
        )
        for setting, group in by_setting(runs)
    ]
