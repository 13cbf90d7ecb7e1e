"""Training curves of every player."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from adversarial_oversampling.curve_names import monitor
from adversarial_oversampling.report.common import MAIN_METRICS, by_setting_and_dataset, file_name, rows_of
from adversarial_oversampling.report.figures.picture import Picture
from adversarial_oversampling.report.figures.theme import Theme
from adversarial_oversampling.results.files import CURVES
from adversarial_oversampling.results.read import read_table
from adversarial_oversampling.results.schema import METRICS
from adversarial_oversampling.text import capitalized

COLUMNS = 4
SCORES = tuple(
    (f"{METRICS[metric]}, %", tuple(f"{monitor(rows)}/{metric}" for rows in ("validation", "test")))
    for metric in MAIN_METRICS
)
# Title and columns of each panel, row by row; a panel without values is left out.
PANELS_WITH_GENERATOR = (
    (
        ("G against D", ("generator/against_discriminator",)),
        ("G against Q", ("generator/against_classifier",)),
        ("G: whole loss", ("generator/loss",)),
        ("Anchors per generated row", ("generator/perplexity",)),
    ),
    (
        ("D on real rows", ("discriminator/real",)),
        ("D on generated rows", ("discriminator/generated",)),
        ("D: gradient penalty", ("discriminator/gradient_penalty",)),
        ("D: whole loss", ("discriminator/loss",)),
    ),
    (
        ("Q on real rows", ("classifier/real",)),
        ("Q on generated rows", ("classifier/generated",)),
        *SCORES,
    ),
)
PANELS_WITHOUT_GENERATOR = (
    (
        ("Q on real rows", ("classifier/real", "classifier/loss")),
        ("Complement step", ("complement/loss",)),
        *SCORES,
    ),
)
LOGARITHMIC = ("generator/perplexity",)


@dataclass(frozen=True)
class ModeCurves:
    """Curves of a mode.

    Attributes
    ----------
    title : str
    style : tuple of str
        Color and line style.
    has_generator : bool
    frame : DataFrame
        Its curves.parquet.
    """

    title: str
    style: tuple[str, str]
    has_generator: bool
    frame: pd.DataFrame


@dataclass(frozen=True)
class Panel:
    """A panel of a picture: the mean curve of each mode, and the column that names it."""

    title: str
    column: str
    lines: Sequence[tuple[ModeCurves, pd.DataFrame]]


def curve(curves: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame | None:
    """Return mean and standard deviation over replicas, per epoch, of the first column that has values."""
    for column in columns:
        if column in curves and curves[column].notna().any():
            values = curves.groupby("epoch")[column].agg(["mean", "std"])
            is_metric = column.rpartition("/")[2] in MAIN_METRICS
            return values.fillna({"std": 0.0}) * (100 if is_metric else 1)
    return None


def _limits(lines: Iterable[pd.DataFrame]) -> tuple[float, float]:
    """Return limits that leave out the most extreme 1 % of the bands, such as those of the first epochs."""
    edges = [edge for line in lines for edge in (line["mean"] - line["std"], line["mean"] + line["std"])]
    low, high = np.percentile(np.concatenate(edges), [1, 99])
    space = 0.06 * (high - low) or 0.05
    return float(low - space), float(high + space)


def _panels(modes: Sequence[ModeCurves]) -> list[list[Panel]]:
    """Return the panels that have values, row by row."""
    rows = []
    for layout, has_generator in ((PANELS_WITH_GENERATOR, True), (PANELS_WITHOUT_GENERATOR, False)):
        shown = [mode for mode in modes if mode.has_generator == has_generator]
        for panels in layout:
            row = []
            for title, columns in panels:
                lines = [(mode, line) for mode in shown if (line := curve(mode.frame, columns)) is not None]
                if lines:
                    row.append(Panel(title, columns[0], lines))
            if row:
                rows.append(row)
    return rows


def _draw_panel(ax: Axes, panel: Panel, theme: Theme) -> None:
    logarithmic = panel.column in LOGARITHMIC
    ax.set_title(panel.title)
    for mode, line in panel.lines:
        style = theme.line(mode.style)
        ax.plot(line.index, line["mean"], linewidth=1.2, **style)
        low, high = line["mean"] - line["std"], line["mean"] + line["std"]
        if logarithmic:
            low = low.clip(lower=1.0)
        ax.fill_between(line.index, low, high, color=style["color"], alpha=0.12, linewidth=0)
    if logarithmic:
        ax.set_yscale("log")
    else:
        ax.set_ylim(*_limits(line for _, line in panel.lines))
    ax.margins(x=0.01)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _draw(modes: Sequence[ModeCurves], theme: Theme) -> Figure:
    rows = _panels(modes)
    with mpl.rc_context(theme.rc):
        figure = Figure(figsize=(10, 0.6 + 1.9 * len(rows)), layout="constrained")
        grid = figure.subplots(len(rows), COLUMNS, squeeze=False)
        for axes, row in zip(grid, rows, strict=True):
            for ax in axes[len(row) :]:
                ax.set_axis_off()
            for ax, panel in zip(axes, row, strict=False):
                _draw_panel(ax, panel, theme)
        for ax in grid[-1]:
            ax.set_xlabel("epoch")
        handles = [
            Line2D([], [], label=mode.title, **theme.line(mode.style))
            for mode in sorted(modes, key=lambda mode: not mode.has_generator)
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=7, fontsize=8)
    return figure


def curve_pictures(runs: pd.DataFrame, styles: Mapping[str, tuple[str, str]]) -> list[Picture]:
    """Return the curves of every player, a picture per setting and dataset.

    Parameters
    ----------
    runs : DataFrame
        The runs with default settings of the run frame.
    styles : mapping
        Color and line style of every mode.
    """
    pictures = []
    for setting, dataset, group in by_setting_and_dataset(runs):
        modes = [
            ModeCurves(run.title, styles[run.mode], run.has_generator, curves)
            for run in rows_of(group)
            if (file := Path(run.folder) / CURVES).is_file() and len(curves := read_table(file))
        ]
        if not modes:
            continue
        scored = "test rows (OPTIMISTIC)" if group["optimistic"].any() else "validation rows"
        pictures.append(
            Picture(
                file_name(f"curves {setting} {dataset}"),
                "curves",
                f"{dataset}: training curves, {setting}",
                f"{capitalized(setting)}. The upper rows show the methods with a generator, the lowest row "
                f"the others. ACSA and GM are those of the {scored} that choose the epoch. Losses of "
                "different games have different scales. The axes leave out the most extreme 1 % of what is "
                "drawn. Bands are the standard deviation over replicas.",
                partial(_draw, modes),
                setting,
            )
        )
    return pictures
