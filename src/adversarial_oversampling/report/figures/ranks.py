"""Critical-difference diagrams."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import matplotlib as mpl
from autorank import plot_stats
from matplotlib.figure import Figure

from adversarial_oversampling.report.common import file_name
from adversarial_oversampling.report.figures.picture import Picture
from adversarial_oversampling.report.figures.theme import Theme
from adversarial_oversampling.text import capitalized


def _draw(ranks: Any, theme: Theme) -> Figure:
    width = 6.0  # the width of the axes that plot_stats assumes
    space = 1.5  # on both sides, for long names
    height = 1.4 + 0.1 * len(ranks.rankdf)
    with mpl.rc_context({**theme.rc, "axes.grid": False}):
        total = width + 2 * space
        figure = Figure(figsize=(total, height))
        ax = figure.add_axes((space / total, 0.0, width / total, 1.0))
        plot_stats(ranks, allow_insignificant=True, ax=ax)
        ax.lines[0].remove()  # a white diagonal that only sets the limits
        for line in ax.lines:
            line.set_color(theme.ink)
    return figure


def rank_pictures(ranks: Mapping[str, Any]) -> list[Picture]:
    """Return a critical-difference diagram per setting.

    Parameters
    ----------
    ranks : mapping
        From a setting to autorank's result; only those with Nemenyi's post-hoc test are drawn.
    """
    pictures = []
    for setting, result in ranks.items():
        if result.posthoc != "nemenyi":
            continue
        verdict = (
            "Friedman's test finds a difference between methods"
            if result.pvalue < result.alpha
            else "Friedman's test finds no difference between methods, so the order may well be chance"
        )
        pictures.append(
            Picture(
                file_name(f"ranks {setting}"),
                "statistics",
                f"Mean ranks by ACSA, {setting}",
                f"{capitalized(setting)}. Mean ranks by ACSA over {result.num_samples} datasets, rank 1 is "
                f"best. {verdict} (p = {result.pvalue:.3g}, level {result.alpha:g}). Methods joined by a "
                f"bar are closer than the critical difference CD = {result.cd:.2f} of Nemenyi's test and "
                "cannot be told apart.",
                partial(_draw, result),
                setting,
            )
        )
    return pictures
