"""Paired differences with their intervals, a panel per dataset."""

import textwrap
from collections.abc import Mapping, Sequence
from functools import partial

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adversarial_oversampling.report import paper
from adversarial_oversampling.report.common import (
    by_setting,
    dataset_titles,
    default_runs,
    file_name,
    mode_titles,
    rows_of,
)
from adversarial_oversampling.report.figures.modes import COLORS, group_of
from adversarial_oversampling.report.figures.picture import Picture
from adversarial_oversampling.report.figures.theme import Theme
from adversarial_oversampling.report.statistics import paired
from adversarial_oversampling.text import capitalized

LABEL_WIDTH = 34  # letters; longer labels are broken
HOW_TO_READ = "The dot is the mean and the line the 95 % interval; a line that crosses 0 shows no difference."


def _draw_panel(ax: Axes, differences: pd.DataFrame, place: Mapping[str, int], theme: Theme) -> None:
    ax.axvline(0, color=theme.muted, linewidth=1)
    for row in rows_of(differences):
        y, color = place[row.label], getattr(theme, row.color)
        if not pd.isna(row.low):
            ax.plot([100 * row.low, 100 * row.high], [y, y], color=color, linewidth=1.8)
        ax.plot(100 * row.difference, y, "o", color=color, markersize=4.5)


def _draw(
    differences: pd.DataFrame, labels: Sequence[str], xlabel: str, legend: Mapping[str, str], theme: Theme
) -> Figure:
    datasets = dataset_titles(differences)
    place = {label: i for i, label in enumerate(labels)}
    wrapped = [textwrap.fill(label, LABEL_WIDTH) for label in labels]
    text_lines = max(1 + text.count("\n") for text in wrapped)
    height = len(labels) * max(0.23, 0.15 * text_lines)
    columns = min(3, len(datasets))
    lines = -(-len(datasets) // columns)
    with mpl.rc_context(theme.rc):
        figure = Figure(figsize=(2.4 + 2.5 * columns, 0.7 + lines * (0.6 + height)), layout="constrained")
        grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
        for ax in grid.flat[len(datasets) :]:
            ax.set_axis_off()
        for ax, (dataset, title) in zip(grid.flat, datasets.items(), strict=False):
            ax.set_title(title, weight="bold")
            _draw_panel(ax, differences[differences["dataset"] == dataset], place, theme)
            ax.set_yticks(list(place.values()), wrapped)
            ax.set_ylim(len(labels) - 0.4, -0.6)
            ax.tick_params(axis="y", length=0)
            ax.margins(x=0.08)
            ax.set_xlabel(xlabel)
        if legend:
            handles = [
                Line2D([], [], marker="o", color=getattr(theme, color), markersize=4.5, label=text)
                for text, color in legend.items()
            ]
            figure.legend(handles=handles, loc="outside upper left", ncols=4, fontsize=8)
    return figure


def verdict_pictures(frame: pd.DataFrame, replicas: pd.DataFrame, settings: Sequence[str]) -> list[Picture]:
    """Return every mode's difference from DO, a picture for each of these settings.

    Parameters
    ----------
    frame : DataFrame
        The run frame.
    replicas : DataFrame
        The replica frame.
    settings : sequence of str
        Comparison settings.
    """
    reference = paper.REFERENCES[1]
    title = paper.columns()[reference]
    runs = default_runs(frame)
    pictures = []
    for setting in settings:
        group = runs[runs["setting"] == setting]
        differences = paired(replicas[replicas["setting"] == setting], "acsa", reference)
        if differences.empty:
            continue
        groups = [group_of(mode) for mode in differences["mode"]]
        places = group.drop_duplicates("dataset")[["dataset", "dataset_title", "dataset_order"]]
        shown = differences.assign(label=differences["title"], color=[COLORS[name] for name in groups]).merge(
            places, on="dataset"
        )
        labels = [name for mode, name in mode_titles(group).items() if mode in set(shown["mode"])]
        legend = {name: color for name, color in COLORS.items() if name in groups}
        n = " or ".join(map(str, sorted(set(shown["n"]))))
        pictures.append(
            Picture(
                file_name(f"against {reference} {setting}"),
                "verdict",
                f"Every method against {title}, {setting}",
                f"{capitalized(setting)}. ACSA minus that of {title}, over replicas of the same seed and "
                f"split (n = {n}); left of 0, {title} is better. {HOW_TO_READ} The axes differ.",
                partial(_draw, shown, labels, f"ACSA - ACSA of {title}, points", legend),
                setting,
            )
        )
    return pictures


def ablation_pictures(differences: pd.DataFrame) -> list[Picture]:
    """Return the difference of every changed setting to the default settings, a picture per setting.

    Parameters
    ----------
    differences : DataFrame
        What `ablations.ablations` returns.
    """
    pictures = []
    for setting, group in by_setting(differences):
        shown = group.sort_values(["order", "mode"], kind="stable")
        shown = shown.assign(label=shown["title"] + ": " + shown["variant"])
        n = " or ".join(map(str, sorted(set(shown["n"]))))
        pictures.append(
            Picture(
                file_name(f"ablations {setting}"),
                "ablations",
                f"Changed settings against the default settings, {setting}",
                f"{capitalized(setting)}. ACSA minus that of the same method with default settings, over "
                f"replicas of the same seed and split (n = {n}); right of 0, the change is better. "
                f"{HOW_TO_READ} The axes differ.",
                partial(
                    _draw,
                    shown,
                    list(dict.fromkeys(shown["label"])),
                    "ACSA - ACSA of the default, points",
                    {},
                ),
                setting,
            )
        )
    return pictures
