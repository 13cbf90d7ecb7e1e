"""The pictures of a report, each drawn twice: for a light and for a dark page.

A `Picture` says what it shows and how it is drawn; `save` writes it as PNG and SVG.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow
from autorank import plot_stats
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image
from sklearn.decomposition import PCA

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.report.paper import mode_order
from adversarial_oversampling.report.runs import Run, cells, departures, rows_of
from adversarial_oversampling.report.tables import slug
from adversarial_oversampling.results.read import CURVES, SAMPLES

DPI = 150
METRICS = {"acsa": "ACSA", "g_mean": "GM"}
MANY_CLASSES = 3  # above this, numbers per class do not fit into a panel's title
FEW_FEATURES = 4  # up to this, pairs of columns are drawn as well


@dataclass(frozen=True)
class Theme:
    """Colours of a page and of the pictures on it.

    Parameters
    ----------
    name : str
        "light" or "dark".
    ink, muted, grid, surface : str
        Text, secondary text, grid lines, background.
    blue, orange, red, green, purple, sky : str
        After Okabe and Ito, safe for colour-blind readers; lighter on the dark page.
    """

    name: str
    ink: str
    muted: str
    grid: str
    surface: str
    blue: str
    orange: str
    red: str
    green: str
    purple: str
    sky: str

    @property
    def rc(self) -> Any:
        """Matplotlib's settings for this theme."""
        return {
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "text.color": self.ink,
            "axes.edgecolor": self.muted,
            "axes.labelcolor": self.ink,
            "axes.facecolor": self.surface,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 9,
            "axes.titlelocation": "left",
            "figure.facecolor": self.surface,
            "savefig.facecolor": self.surface,
            "grid.color": self.grid,
            "grid.linewidth": 0.6,
            "legend.frameon": False,
            "xtick.color": self.muted,
            "ytick.color": self.muted,
            "xtick.labelcolor": self.ink,
            "ytick.labelcolor": self.ink,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "lines.linewidth": 1.5,
            "svg.hashsalt": "report",  # the same picture gives the same file
            "svg.fonttype": "path",
        }

    @property
    def classes(self) -> list[str]:
        """Colours of classes, the largest class first."""
        return [self.blue, self.red, self.green, self.orange, self.purple, self.sky, self.muted]


LIGHT = Theme(
    name="light",
    ink="#1c2024",
    muted="#5b6470",
    grid="#dfe3e8",
    surface="#ffffff",
    blue="#0072b2",
    orange="#c98500",
    red="#d55e00",
    green="#00805c",
    purple="#b0568c",
    sky="#358fc6",
)
DARK = Theme(
    name="dark",
    ink="#e8eaed",
    muted="#a3abb5",
    grid="#363c44",
    surface="#16191d",
    blue="#5cb3f0",
    orange="#f2c14e",
    red="#ff8f5c",
    green="#4fd1a5",
    purple="#e79fca",
    sky="#b6dcf7",
)
THEMES = (LIGHT, DARK)

# Colour (a field of Theme) and dashes of each mode: the same in every picture.
STYLES = {
    "do": ("blue", "-"),
    "ao": ("red", "-"),
    "gamo": ("orange", "-"),
    "both_fool": ("green", "--"),
    "both_favour": ("purple", "--"),
    "q": ("ink", "-"),
    "ro": ("muted", "--"),
    "cot": ("purple", "-."),
    "smote": ("sky", "-"),
    "bsmote": ("sky", "--"),
    "adasyn": ("sky", ":"),
    "weighted_q": ("green", "-"),
    "threshold_q": ("green", ":"),
}
GROUPS = {
    "the paper's AO and DO": ("red", ("ao", "do")),
    "other methods of the paper's table": (
        "blue",
        ("q", "ro", "cot", "smote", "bsmote", "adasyn", "gamo"),
    ),
    "not in the paper": ("green", ()),
}
RESAMPLERS = ("ro", "smote", "bsmote", "adasyn")
GAMES = ("ao", "do", "both_fool", "both_favour", "gamo")


@dataclass(frozen=True)
class Picture:
    """What a picture shows and how it is drawn.

    Parameters
    ----------
    name : str
        Stem of its files.
    section : str
        "fs", "modes", "statistics", "curves" or "rows".
    title : str
        One line.
    caption : str
        What is to be seen, in plain words.
    draw : callable
        Draws it in a theme.
    """

    name: str
    section: str
    title: str
    caption: str
    draw: Callable[[Theme], Figure]


def read(file: Path) -> pd.DataFrame:
    """Read a run's table.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        return pd.read_parquet(file)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{file} is damaged: run it again with rerun=true, or leave it out.") from error


def sentence(text: str) -> str:
    """Text with a capital letter in front."""
    return text[:1].upper() + text[1:]


def percent(value: float | None) -> float:
    """Fraction as a percentage; NaN where there is none."""
    return float("nan") if value is None else 100 * value


def own_ratio(result: Mapping[str, Any]) -> float:
    """Smallest to largest class among the training rows of the first replica."""
    rows = result["replicas"][0]["rows"]["train"]
    return float(min(rows) / max(rows))


def _by_harness(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(harness), group) for harness, group in frame.groupby("harness", sort=False)]


def _by_dataset(frame: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    return [
        (harness, str(dataset), group)
        for harness, part in _by_harness(frame)
        for dataset, group in part.groupby("dataset", sort=False)
    ]


def _style(mode: str, theme: Theme) -> dict[str, Any]:
    colour, dashes = STYLES.get(mode, ("muted", "-."))
    return {"color": getattr(theme, colour), "linestyle": dashes}


def _note(text: str) -> str:
    return f"{text} Bands are the standard deviation over replicas."


# ---------------------------------------------------------------------------- sampling rates (figure 2)


def fs_sweep(runs: Mapping[str, Run], frame: pd.DataFrame) -> pd.DataFrame:
    """The runs that differ from their mode's cell in nothing but fs, with the rate as a number `x`."""
    swept = frame[
        frame["mode"].isin(["do", "ao", "q"])
        & frame["na"].isna()
        & frame["variant"].map(lambda parts: all(part.startswith("fs=") for part in departures(parts)))
    ]
    x = [
        own_ratio(runs[row.folder].result) if pd.isna(row.fs_ratio) else float(row.fs_ratio)
        for row in rows_of(swept)
    ]
    return swept.assign(x=x)


def _draw_fs(sweep: pd.DataFrame, ratio: float, theme: Theme) -> Figure:
    with mpl.rc_context(theme.rc):
        figure = Figure(figsize=(9, 3.7), layout="constrained")
        panels = {
            "DO, as in the paper's figure 2": ("do",),
            "Variants of ours: Q and AO with the same rates": ("q", "ao"),
        }
        axes = figure.subplots(1, 2, sharex=True, sharey=True)
        for ax, (title, modes) in zip(axes, panels.items(), strict=True):
            ax.set_title(title)
            ax.axvline(ratio, color=theme.muted, linestyle=":", linewidth=1)
            for mode in modes:
                points = sweep[sweep["mode"] == mode].sort_values("x")
                colour = _style(mode, theme)["color"]
                for metric, label in METRICS.items():
                    solid = metric == "acsa"
                    y, spread = 100 * points[metric], 100 * points[f"{metric}_std"].fillna(0)
                    ax.plot(
                        points["x"],
                        y,
                        color=colour,
                        linestyle="-" if solid else "--",
                        marker="o" if solid else "s",
                        markersize=4.5,
                        markerfacecolor=colour if solid else theme.surface,
                        label=f"{mode.upper()}: {label}",
                    )
                    ax.fill_between(
                        points["x"], y - spread, y + spread, color=colour, alpha=0.13, linewidth=0
                    )
            if not sweep["mode"].isin(modes).any():
                ax.text(0.5, 0.5, "not run", transform=ax.transAxes, ha="center", color=theme.muted)
            else:
                ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=4, fontsize=8)
            ax.set_xlim(0, 1.03)
            ax.set_xlabel("fs: smallest to largest class after oversampling")
        axes[0].set_ylabel("%")
    return figure


def fs_pictures(runs: Mapping[str, Run], frame: pd.DataFrame) -> list[Picture]:
    """Figure 2 for each harness and dataset where at least one mode was run at two rates."""
    pictures = []
    for harness, dataset, sweep in _by_dataset(fs_sweep(runs, frame)):
        if sweep.groupby("mode")["x"].nunique().max() < 2:
            continue
        ratio = own_ratio(runs[sweep["folder"].iloc[0]].result)
        caption = _note(
            f"ACSA and GM against fs, {harness}. The dotted line is the ratio of the training rows as they "
            f"are ({ratio:.3f}): natural, nothing is oversampled. A rate left of it changes nothing."
        )
        title = f"{dataset}: sampling rates, {harness}"
        name = slug(f"fs {harness} {dataset}")
        pictures.append(Picture(name, "fs", title, caption, partial(_draw_fs, sweep, ratio)))
    return pictures


# ---------------------------------------------------------------------------- modes side by side


def _group(mode: str) -> str:
    for group, (_, modes) in GROUPS.items():
        if mode in modes:
            return group
    return "not in the paper"


def _draw_modes(runs: Mapping[str, Run], group: pd.DataFrame, theme: Theme) -> Figure:
    titles = dict(zip(group["mode"], group["title"], strict=True))
    place = {mode: i for i, mode in enumerate(sorted(titles, key=mode_order))}
    datasets = list(dict.fromkeys(group["dataset"]))
    columns = min(3, len(datasets))
    lines = -(-len(datasets) // columns)
    with mpl.rc_context(theme.rc):
        figure = Figure(
            figsize=(2.2 + 2.5 * columns, 0.7 + lines * (0.6 + 0.23 * len(titles))), layout="constrained"
        )
        grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
        for ax in grid.flat[len(datasets) :]:
            ax.set_axis_off()
        for ax, dataset in zip(grid.flat, datasets, strict=False):
            ax.set_title(dataset, weight="bold")
            for cell in rows_of(group[group["dataset"] == dataset]):
                y = place[cell.mode]
                colour = getattr(theme, GROUPS[_group(cell.mode)][0])
                if cell.na is not None:
                    ax.text(0.02, y, "NA", transform=ax.get_yaxis_transform(), va="center", color=theme.muted)
                    continue
                seeds = [percent(r["acsa"]) for r in runs[cell.folder].result["replicas"]]
                ax.plot(
                    seeds, [y] * len(seeds), "o", color=colour, markersize=4.5, alpha=0.75, markeredgewidth=0
                )
                ax.plot(100 * cell.acsa, y, "|", color=theme.ink, markersize=11, markeredgewidth=2)
            ax.set_yticks(list(place.values()), [titles[mode] for mode in place])
            ax.set_ylim(len(titles) - 0.4, -0.6)
            ax.tick_params(axis="y", length=0)
            ax.margins(x=0.08)
            ax.set_xlabel("ACSA, %")
        present = {_group(mode) for mode in titles}
        handles = [
            Line2D([], [], marker="o", linestyle="", color=getattr(theme, colour), label=group)
            for group, (colour, _) in GROUPS.items()
            if group in present
        ]
        mean = Line2D([], [], marker="|", linestyle="", color=theme.ink, markeredgewidth=2, label="mean")
        figure.legend(handles=[*handles, mean], loc="outside upper left", ncols=4, fontsize=8)
    return figure


def mode_pictures(runs: Mapping[str, Run], found: pd.DataFrame) -> list[Picture]:
    """ACSA of every mode with its single replicas, a picture per harness."""
    pictures = []
    for harness, group in _by_harness(found):
        caption = (
            f"{sentence(harness)}. Each dot is a replica (a seed, or a fold of one), the bar is their mean. "
            "The axes differ between datasets and do not begin at 0. NA: the method gives nothing on this "
            "dataset."
        )
        name = slug(f"modes {harness}")
        pictures.append(
            Picture(
                name, "modes", f"ACSA of every method, {harness}", caption, partial(_draw_modes, runs, group)
            )
        )
    return pictures


# ---------------------------------------------------------------------------- critical differences


def _draw_ranks(ranks: Any, theme: Theme) -> Figure:
    width = 6.0  # what plot_stats assumes of the axes that it is given
    space = 1.5  # on both sides, for long names
    height = 1.4 + 0.1 * len(ranks.rankdf)
    with mpl.rc_context({**theme.rc, "axes.grid": False}):
        whole = width + 2 * space
        figure = Figure(figsize=(whole, height))
        ax = figure.add_axes((space / whole, 0.0, width / whole, 1.0))
        plot_stats(ranks, allow_insignificant=True, ax=ax)
        ax.lines[0].remove()  # a white diagonal that only sets the limits
        for line in ax.lines:
            line.set_color(theme.ink)
    return figure


def rank_pictures(ranks: Mapping[str, Any]) -> list[Picture]:
    """A critical-difference diagram per harness.

    Parameters
    ----------
    ranks : mapping
        Of a harness, to autorank's result; only those with Nemenyi's post-hoc test are drawn.
    """
    pictures = []
    for harness, result in ranks.items():
        if result.posthoc != "nemenyi":
            continue
        verdict = (
            "Friedman's test finds a difference between modes"
            if result.pvalue < result.alpha
            else "Friedman's test finds no difference between modes, so the order may well be chance"
        )
        caption = (
            f"{sentence(harness)}. Mean ranks by ACSA over {result.num_samples} datasets, rank 1 is best. "
            f"{verdict} (p = {result.pvalue:.3g}, level {result.alpha:g}). Methods joined by a bar are "
            f"closer than the critical difference CD = {result.cd:.2f} of Nemenyi's test and cannot be told "
            "apart."
        )
        name = slug(f"ranks {harness}")
        pictures.append(
            Picture(
                name, "statistics", f"Mean ranks by ACSA, {harness}", caption, partial(_draw_ranks, result)
            )
        )
    return pictures


# ---------------------------------------------------------------------------- training curves

# Title and columns of each panel, row by row; a panel without values is left out.
# The first three rows show the modes with a generator, the last one the others.
PANELS = (
    (
        ("G against D", ("generator/against_discriminator",)),
        ("G against Q", ("generator/against_classifier",)),
        ("G: what it minimises", ("generator/loss",)),
        ("Anchors per generated row", ("generator/perplexity",)),
    ),
    (
        ("D on real rows", ("discriminator/real",)),
        ("D on generated rows", ("discriminator/generated",)),
        ("D: gradient penalty", ("discriminator/gradient_penalty",)),
        ("D: what it minimises", ("discriminator/loss",)),
    ),
    (
        ("Q on real rows", ("classifier/real",)),
        ("Q on generated rows", ("classifier/generated",)),
        ("ACSA, %", ("validation/acsa", "test_optimistic/acsa")),
        ("GM, %", ("validation/g_mean", "test_optimistic/g_mean")),
    ),
    (
        ("Q on real rows", ("classifier/real", "classifier/loss")),
        ("Complement step of COT", ("complement/loss",)),
        ("ACSA, %", ("validation/acsa", "test_optimistic/acsa")),
        ("GM, %", ("validation/g_mean", "test_optimistic/g_mean")),
    ),
)
LOGARITHMIC = ("generator/perplexity",)


def curve(curves: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame | None:
    """Mean and standard deviation over replicas, per epoch, of the first column that has values."""
    for column in columns:
        if column in curves and curves[column].notna().any():
            values = curves.groupby("epoch")[column].agg(["mean", "std"])
            return values.fillna({"std": 0.0}) * (100 if "/acsa" in column or "/g_mean" in column else 1)
    return None


def _limits(lines: Iterable[pd.DataFrame]) -> tuple[float, float]:
    """Where all but the wildest hundredth of the bands lies: first epochs would squeeze the rest."""
    parts = [edge for line in lines for edge in (line["mean"] - line["std"], line["mean"] + line["std"])]
    low, high = np.percentile(np.concatenate(parts), [1, 99])
    space = 0.06 * (high - low) or 0.05
    return float(low - space), float(high + space)


def _draw_curves(curves: Mapping[str, pd.DataFrame], titles: Mapping[str, str], theme: Theme) -> Figure:
    plays = {mode: curve(data, ("generator/loss",)) is not None for mode, data in curves.items()}
    rows = []
    for i, panels in enumerate(PANELS):
        modes = [mode for mode in curves if plays[mode] == (i < 3)]
        row = []
        for title, columns in panels:
            lines = {mode: line for mode in modes if (line := curve(curves[mode], columns)) is not None}
            if lines:
                row.append((title, columns[0], lines))
        if row:
            rows.append(row)
    with mpl.rc_context(theme.rc):
        figure = Figure(figsize=(10, 0.6 + 1.9 * len(rows)), layout="constrained")
        grid = figure.subplots(len(rows), 4, squeeze=False)
        for line_of_axes, row in zip(grid, rows, strict=True):
            for ax in line_of_axes[len(row) :]:
                ax.set_axis_off()
            for ax, (title, column, lines) in zip(line_of_axes, row, strict=False):
                ax.set_title(title)
                for mode, line in lines.items():
                    style = _style(mode, theme)
                    ax.plot(line.index, line["mean"], linewidth=1.2, **style)
                    low, high = line["mean"] - line["std"], line["mean"] + line["std"]
                    if column in LOGARITHMIC:
                        low = low.clip(lower=1.0)
                    ax.fill_between(line.index, low, high, color=style["color"], alpha=0.12, linewidth=0)
                if column in LOGARITHMIC:
                    ax.set_yscale("log")
                else:
                    ax.set_ylim(*_limits(lines.values()))
                ax.margins(x=0.01)
                ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        for ax in grid[-1]:
            ax.set_xlabel("epoch")
        handles = [
            Line2D([], [], label=titles[mode], **_style(mode, theme))
            for mode in sorted(curves, key=lambda m: not plays[m])
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=7, fontsize=8)
    return figure


def curve_pictures(runs: Mapping[str, Run], found: pd.DataFrame) -> list[Picture]:
    """The curves of every player, a picture per harness and dataset."""
    pictures = []
    for harness, dataset, group in _by_dataset(found):
        curves = {}
        for cell in rows_of(group):
            path = runs[cell.folder].folder / CURVES
            if path.is_file() and len(data := read(path)):
                curves[cell.mode] = data
        if not curves:
            continue
        titles = dict(zip(group["mode"], group["title"], strict=True))
        rows = "test rows (OPTIMISTIC)" if group["optimistic"].any() else "validation rows"
        caption = _note(
            f"{sentence(harness)}. The upper rows show the modes with a generator, the lowest the others. "
            f"ACSA and GM are those of the {rows} that choose the epoch. Losses of different games have "
            "different scales; the axes leave out the wildest hundredth of what is drawn."
        )
        name = slug(f"curves {harness} {dataset}")
        title = f"{dataset}: training curves, {harness}"
        pictures.append(Picture(name, "curves", title, caption, partial(_draw_curves, curves, titles)))
    return pictures


# ---------------------------------------------------------------------------- where generated rows lie


@dataclass(frozen=True)
class Rows:
    """Real and generated rows of one mode, as its Q sees them."""

    title: str
    frame: pd.DataFrame

    @property
    def features(self) -> list[str]:
        """Columns of the table, named `x_...`."""
        return [str(name) for name in self.frame if str(name).startswith("x_")]

    def part(self, kind: str) -> pd.DataFrame:
        """The real or the generated rows."""
        return self.frame[self.frame["kind"] == kind]


def describe(rows: Rows, classes: Sequence[str]) -> str:
    """How sure Q is of generated rows and how many anchors they lean on, in one line."""
    generated = rows.part("generated")
    own = generated.groupby("class")["p_own"].mean()
    own = own.reindex([name for name in classes if name in own.index]).dropna()
    anchors = generated["anchors_used"].mean()
    if own.empty:
        words = "p_own unknown"
    elif len(own) <= MANY_CLASSES:
        words = "p_own " + ", ".join(f"{name}: {value:.2f}" for name, value in own.items())
    else:
        words = f"p_own {own.min():.2f} to {own.max():.2f}, mean {own.mean():.2f}"
    return words if pd.isna(anchors) else f"{words}; {anchors:.1f} anchors"


def _class_styles(classes: Sequence[str], theme: Theme) -> dict[str, tuple[str, str]]:
    """Colour and marker of each class; markers tell classes apart where colours repeat."""
    colours = theme.classes
    return {name: (colours[i % len(colours)], "x+1"[i // len(colours) % 3]) for i, name in enumerate(classes)}


def _window(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [0.5, 99.5])
    space = 0.08 * (high - low) or 0.5
    return float(low - space), float(high + space)


def _scatter(
    ax: Axes, rows: Rows, points: Callable[[pd.DataFrame], np.ndarray], classes: Sequence[str], theme: Theme
) -> None:
    for name, (colour, marker) in _class_styles(classes, theme).items():
        for kind in ("real", "generated"):
            part = rows.part(kind)
            part = part[part["class"] == name]
            if part.empty:
                continue
            x, y = points(part).T
            if kind == "real":
                ax.scatter(x, y, s=9, color=colour, alpha=0.28, linewidth=0, zorder=2, rasterized=True)
            else:
                ax.scatter(
                    x,
                    y,
                    s=15,
                    color=colour,
                    marker=marker,
                    linewidth=0.8,
                    alpha=0.85,
                    zorder=3,
                    rasterized=True,
                )


def _intervals(ax: Axes, rows: Rows, classes: Sequence[str], theme: Theme) -> None:
    """The middle 90 % of p_own and its mean, per class: generated rows above, real rows below."""
    for i, (name, (colour, _)) in enumerate(_class_styles(classes, theme).items()):
        for kind, y, width, alpha in (("generated", i - 0.16, 2.5, 0.95), ("real", i + 0.2, 2.5, 0.35)):
            part = rows.part(kind)
            own = part.loc[part["class"] == name, "p_own"].dropna()
            if own.empty:
                continue
            low, high = np.percentile(own, [5, 95])
            ax.plot([low, high], [y, y], color=colour, alpha=alpha, linewidth=width, solid_capstyle="butt")
            marker = "x" if kind == "generated" else "o"
            ax.plot(own.mean(), y, marker, color=theme.ink, markersize=4.5 if marker == "x" else 3, zorder=4)
    ax.set_ylim(len(classes) - 0.4, -0.6)
    ax.set_yticks(range(len(classes)), [str(name) for name in classes], fontsize=7)
    ax.set_xlim(-0.02, 1.02)
    if len(classes) == 2:  # where Q changes its mind
        ax.axvline(0.5, color=theme.muted, linewidth=0.8, linestyle=":")
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.set_xlabel("p_own", fontsize=8)


def _legend(figure: Figure, classes: Sequence[str], theme: Theme) -> None:
    styles = _class_styles(classes, theme)
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=f"class {name}")
        for name, (colour, marker) in styles.items()
    ]
    kinds = [
        Line2D([], [], color=theme.muted, marker="o", alpha=0.5, linestyle="", markersize=4, label="real"),
        Line2D([], [], color=theme.muted, marker="x", linestyle="", label="generated"),
    ]
    figure.legend(handles=[*kinds, *handles], loc="outside upper left", ncols=7, fontsize=8)


def _draw_rows(modes: Sequence[Rows], classes: Sequence[str], theme: Theme) -> Figure:
    columns = min(3, len(modes))
    lines = -(-len(modes) // columns)
    below = 0.35 + 0.17 * len(classes)
    real = pd.concat([rows.part("real")[rows.features] for rows in modes]).drop_duplicates()
    axes_of = PCA(n_components=2).fit(real.to_numpy())

    def points(part: pd.DataFrame) -> np.ndarray:
        return np.asarray(axes_of.transform(part[modes[0].features].to_numpy()))

    x_window, y_window = (_window(values) for values in points(real).T)
    with mpl.rc_context(theme.rc):
        figure = Figure(figsize=(3.3 * columns, 0.7 + lines * (3.0 + below)), layout="constrained")
        grid = figure.subplots(2 * lines, columns, squeeze=False, height_ratios=[2.6, below] * lines)
        for i in range(lines * columns):
            line, column = divmod(i, columns)
            ax, strip = grid[2 * line, column], grid[2 * line + 1, column]
            if i >= len(modes):
                ax.set_axis_off()
                strip.set_axis_off()
                continue
            rows = modes[i]
            _scatter(ax, rows, points, classes, theme)
            ax.set_title(describe(rows, classes), fontsize=8.5)
            ax.annotate(
                rows.title,
                (0, 1),
                (0, 17),
                xycoords="axes fraction",
                textcoords="offset points",
                weight="bold",
            )
            ax.set(xlim=x_window, ylim=y_window, xticks=[], yticks=[])
            _intervals(strip, rows, classes, theme)
        _legend(figure, classes, theme)
    return figure


def _draw_pairs(modes: Sequence[Rows], classes: Sequence[str], theme: Theme) -> Figure:
    pairs = list(combinations(modes[0].features, 2))
    real = pd.concat([rows.part("real") for rows in modes])
    with mpl.rc_context(theme.rc):
        figure = Figure(figsize=(2.9 * len(pairs), 0.6 + 2.5 * len(modes)), layout="constrained")
        grid = figure.subplots(len(modes), len(pairs), squeeze=False)
        for axes, rows in zip(grid, modes, strict=True):
            for ax, (first, second) in zip(axes, pairs, strict=True):

                def points(part: pd.DataFrame, pair: tuple[str, str] = (first, second)) -> np.ndarray:
                    return part[list(pair)].to_numpy()

                _scatter(ax, rows, points, classes, theme)
                ax.set_xlim(*_window(real[first].to_numpy()))
                ax.set_ylim(*_window(real[second].to_numpy()))
                ax.set_xlabel(first.removeprefix("x_"), fontsize=8)
                ax.set_ylabel(second.removeprefix("x_"), fontsize=8)
            axes[0].set_title(f"{rows.title}: {describe(rows, classes)}", fontsize=8.5)
        _legend(figure, classes, theme)
    return figure


ROWS_GUIDE = (
    "Real training rows (pale points) and generated rows (crosses) by the first two principal components of "
    "the real rows (the middle 99 % of them). "
    "Below, for each class: the "
    "middle 90 % of p_own and its mean, for generated rows (cross) and real rows (dot). p_own is the "
    "probability that Q gives to a row's own class; anchors are the real rows that a generated row leans on, "
    "1 is a copy. All networks are those of the best epoch; at an early one, G still leans on many anchors "
    "and makes little but the mean of a class. What to look for: in AO, G makes rows that Q gets wrong and Q "
    "then learns them, which shows as crosses near or across the boundary and a low p_own, as far as Q has "
    "not yet learned them. In DO, G makes rows that Q is sure of while Q is told to doubt them, which shows "
    "as crosses inside their own class. Both players pull at the same rows, and each mode has its own Q: "
    "compare the crosses with the dots of the same panel before believing either story."
)


def row_pictures(runs: Mapping[str, Run], found: pd.DataFrame) -> list[Picture]:
    """Where real and generated rows lie: a picture per dataset, of the first harness that has them."""
    pictures: list[Picture] = []
    for dataset, group in found.groupby("dataset", sort=False):
        with_rows = [row for row in rows_of(group) if (Path(row.folder) / SAMPLES).is_file()]
        if not with_rows:
            continue
        harness = with_rows[0].harness
        names = [str(name) for name in runs[with_rows[0].folder].result["classes"]]
        # AO and DO side by side, and the games before the resamplers
        order = [*GAMES, *(row.mode for row in with_rows)]
        modes = {
            row.mode: Rows(row.title, read(Path(row.folder) / SAMPLES))
            for row in sorted(with_rows, key=lambda row: order.index(row.mode))
            if row.harness == harness
        }
        guide = "Read it as the one above." if pictures else ROWS_GUIDE
        pictures.append(
            Picture(
                slug(f"rows {dataset}"),
                "rows",
                f"{dataset}: real and generated rows, {harness}",
                f"{sentence(harness)}, first replica. {guide}",
                partial(_draw_rows, list(modes.values()), names),
            )
        )
        games = [rows for mode, rows in modes.items() if mode not in RESAMPLERS]
        if games and 2 <= len(games[0].features) <= FEW_FEATURES:
            pictures.append(
                Picture(
                    slug(f"rows {dataset} columns"),
                    "rows",
                    f"{dataset}: real and generated rows, column against column, {harness}",
                    f"The same rows of {harness}, by pairs of columns as Q sees them, after preprocessing. "
                    "Only modes with a generator.",
                    partial(_draw_pairs, games, names),
                )
            )
    return pictures


# ---------------------------------------------------------------------------- all of them


def pictures(runs: Sequence[Run], frame: pd.DataFrame, ranks: Mapping[str, Any]) -> list[Picture]:
    """Every picture of a report.

    Parameters
    ----------
    runs : sequence of Run
        As loaded.
    frame : pandas.DataFrame
        Their run frame.
    ranks : mapping
        Of a harness, to autorank's result.
    """
    by_folder = {str(run.folder): run for run in runs}
    found = cells(frame)
    return [
        *mode_pictures(by_folder, found),
        *rank_pictures(ranks),
        *fs_pictures(by_folder, frame),
        *row_pictures(by_folder, found),
        *curve_pictures(by_folder, found),
    ]


def files(picture: Picture, theme: Theme) -> tuple[str, str]:
    """Names of a picture's PNG and SVG file in a theme."""
    stem = picture.name if theme is LIGHT else f"{picture.name}-{theme.name}"
    return f"{stem}.png", f"{stem}.svg"


def save(picture: Picture, folder: Path) -> None:
    """Write a picture as PNG and SVG, each for a light and for a dark page."""
    for theme in THEMES:
        png, svg = files(picture, theme)
        with mpl.rc_context(theme.rc):
            figure = picture.draw(theme)
            figure.set_dpi(DPI)
            canvas: Any = FigureCanvasAgg(figure)
            canvas.draw()
            drawn = Image.fromarray(np.asarray(canvas.buffer_rgba()))
            figure.set_layout_engine("none")  # the layout is found: not again for the second file
            canvas = FigureCanvasSVG(figure)
            canvas.print_svg(folder / svg, metadata={"Date": None})
        # 256 colours are enough for a drawing, and the file is three times smaller.
        few = drawn.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(folder / png, optimize=True)
