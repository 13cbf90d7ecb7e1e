"""ACSA and GM against the oversampling rate, as in the paper's Figure 2."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adversarial_oversampling.report import paper
from adversarial_oversampling.report.common import (
    MAIN_METRICS,
    by_setting_and_dataset,
    file_name,
    fs_sweeps,
    mode_titles,
)
from adversarial_oversampling.report.figures.picture import Picture
from adversarial_oversampling.report.figures.theme import Theme
from adversarial_oversampling.results.schema import METRICS

MARKERS = (("o", "s"), ("^", "v"), ("D", "P"))
"""Markers of ACSA and GM, for the first, second and third mode of one color."""


def _draw_mode(ax: Axes, points: pd.DataFrame, title: str, repetition: int, theme: Theme) -> None:
    points = points.sort_values("rate")
    color = getattr(theme, points["color"].iloc[0])
    for metric, marker in zip(MAIN_METRICS, MARKERS[repetition % len(MARKERS)], strict=True):
        is_acsa = metric == MAIN_METRICS[0]
        y, spread = 100 * points[metric], 100 * points[f"{metric}_std"].fillna(0)
        ax.plot(
            points["rate"],
            y,
            color=color,
            linestyle="-" if is_acsa else "--",
            marker=marker,
            markersize=4.5,
            markerfacecolor=color if is_acsa else theme.surface,
            label=f"{title}: {METRICS[metric]}",
        )
        ax.fill_between(points["rate"], y - spread, y + spread, color=color, alpha=0.13, linewidth=0)


def _draw_panel(ax: Axes, sweep: pd.DataFrame, modes: Sequence[str], theme: Theme) -> None:
    titles = mode_titles(sweep)
    uses: Counter[str] = Counter()
    for mode in modes:
        points = sweep[sweep["mode"] == mode]
        color = str(points["color"].iloc[0])
        _draw_mode(ax, points, titles[mode], uses[color], theme)
        uses[color] += 1
    if modes:
        columns = 4 if len(modes) <= 2 else min(len(modes), 4)  # a column of two lines per mode
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=columns, fontsize=8)
    else:
        ax.text(0.5, 0.5, "not run", transform=ax.transAxes, ha="center", color=theme.muted)


def _draw(sweep: pd.DataFrame, theme: Theme) -> Figure:
    _, figure_2_mode = paper.FIGURE_2
    modes = list(mode_titles(sweep))
    panels = {
        f"{paper.columns()[figure_2_mode]}, as in the paper's Figure 2": [
            mode for mode in modes if mode == figure_2_mode
        ],
        "Other methods, not in the paper's Figure 2": [mode for mode in modes if mode != figure_2_mode],
    }
    with mpl.rc_context(theme.rc):
        figure = Figure(figsize=(9, 3.7), layout="constrained")
        axes = figure.subplots(1, 2, sharex=True, sharey=True)
        for ax, (title, shown) in zip(axes, panels.items(), strict=True):
            ax.set_title(title)
            ax.axvline(sweep["natural_ratio"].iloc[0], color=theme.muted, linestyle=":", linewidth=1)
            _draw_panel(ax, sweep, shown, theme)
            ax.set_xlim(0, 1.03)
            ax.set_xlabel("fs: smallest to largest class after oversampling")
        axes[0].set_ylabel("%")
    return figure


def fs_pictures(frame: pd.DataFrame) -> list[Picture]:
    """Return ACSA and GM against fs for each setting and dataset, of every mode with two or more rates.

    Parameters
    ----------
    frame : DataFrame
        The run frame.
    """
    pictures = []
    for setting, dataset, sweep in by_setting_and_dataset(fs_sweeps(frame[frame["na"].isna()])):
        ratio = sweep["natural_ratio"].iloc[0]
        pictures.append(
            Picture(
                file_name(f"fs {setting} {dataset}"),
                "fs",
                f"{dataset}: oversampling rates, {setting}",
                f"ACSA and GM against fs, {setting}. The dotted line is natural, the ratio of the training "
                f"rows as they are ({ratio:.3f}): nothing is oversampled. A rate below it changes nothing. "
                "Bands are the standard deviation over replicas.",
                partial(_draw, sweep),
                setting,
            )
        )
    return pictures
