"""Where real and generated rows lie."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.decomposition import PCA

from adversarial_oversampling.report import paper
from adversarial_oversampling.report.common import file_name, rows_of
from adversarial_oversampling.report.figures.picture import Picture
from adversarial_oversampling.report.figures.theme import Theme
from adversarial_oversampling.results.files import SAMPLES
from adversarial_oversampling.results.read import read_table
from adversarial_oversampling.text import capitalized

REAL, GENERATED = "real", "generated"
MANY_CLASSES = 3  # above this, numbers per class do not fit into a panel's title
FEW_FEATURES = 4  # up to this, pairs of columns are drawn as well
GUIDE = (
    "Real training rows (pale points) and generated rows (crosses) by the first two principal components of "
    "the real rows (the middle 99 % of them). Below, for each class: the middle 90 % of p_own and its mean, "
    "for generated rows (cross) and real rows (dot). p_own is the probability that Q gives to a row's own "
    "class. Anchors are the real rows that a generated row combines; 1 is a copy. All networks are those of "
    "the best epoch. If it is an early one, G still combines many anchors, and its rows lie near the mean of "
    "their class."
)
AS_THE_FIRST = "For the symbols, see the first picture of this section."
CAUTION = (
    "Each method has its own Q, which shapes the generated rows as much as G does: compare the crosses with "
    "the dots of the same panel before drawing a conclusion."
)


@dataclass(frozen=True)
class SampledRows:
    """Real and generated rows of a mode, as its Q sees them.

    Attributes
    ----------
    title : str
        Of the mode.
    frame : DataFrame
        Its generated.parquet.
    """

    title: str
    frame: pd.DataFrame

    @property
    def features(self) -> list[str]:
        """Columns of the table, named `x_...`."""
        return [str(name) for name in self.frame if str(name).startswith("x_")]

    def of_kind(self, kind: str) -> pd.DataFrame:
        """Return the real or the generated rows."""
        return self.frame[self.frame["kind"] == kind]


def describe(rows: SampledRows, classes: Sequence[str]) -> str:
    """Return in one line the mean p_own of generated rows and how many anchors they combine."""
    generated = rows.of_kind(GENERATED)
    own = generated.groupby("class")["p_own"].mean()
    own = own.reindex([name for name in classes if name in own.index]).dropna()
    anchors = generated["anchors_used"].mean()
    if own.empty:
        text = "p_own unknown"
    elif len(own) <= MANY_CLASSES:
        text = "p_own " + ", ".join(f"{name}: {value:.2f}" for name, value in own.items())
    else:
        text = f"p_own {own.min():.2f} to {own.max():.2f}, mean {own.mean():.2f}"
    return text if pd.isna(anchors) else f"{text}; {anchors:.1f} anchors"


def class_styles(classes: Sequence[str], theme: Theme) -> dict[str, tuple[str, str]]:
    """Return color and marker of each class; markers differ where colors repeat."""
    colors = theme.classes
    return {name: (colors[i % len(colors)], "x+1"[i // len(colors) % 3]) for i, name in enumerate(classes)}


def _window(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [0.5, 99.5])
    space = 0.08 * (high - low) or 0.5
    return float(low - space), float(high + space)


def _scatter(
    ax: Axes,
    rows: SampledRows,
    points: Callable[[pd.DataFrame], np.ndarray],
    classes: Sequence[str],
    theme: Theme,
) -> None:
    for name, (color, marker) in class_styles(classes, theme).items():
        for kind in (REAL, GENERATED):
            part = rows.of_kind(kind)
            part = part[part["class"] == name]
            if part.empty:
                continue
            x, y = points(part).T
            if kind == REAL:
                ax.scatter(x, y, s=9, color=color, alpha=0.28, linewidth=0, zorder=2, rasterized=True)
            else:
                ax.scatter(
                    x,
                    y,
                    s=15,
                    color=color,
                    marker=marker,
                    linewidth=0.8,
                    alpha=0.85,
                    zorder=3,
                    rasterized=True,
                )


def _draw_intervals(ax: Axes, rows: SampledRows, classes: Sequence[str], theme: Theme) -> None:
    """Draw the middle 90 % of p_own and its mean, per class: generated rows above, real rows below."""
    for i, (name, (color, _)) in enumerate(class_styles(classes, theme).items()):
        for kind, y, alpha in ((GENERATED, i - 0.16, 0.95), (REAL, i + 0.2, 0.35)):
            part = rows.of_kind(kind)
            own = part.loc[part["class"] == name, "p_own"].dropna()
            if own.empty:
                continue
            low, high = np.percentile(own, [5, 95])
            ax.plot([low, high], [y, y], color=color, alpha=alpha, linewidth=2.5, solid_capstyle="butt")
            marker = "x" if kind == GENERATED else "o"
            ax.plot(own.mean(), y, marker, color=theme.ink, markersize=4.5 if marker == "x" else 3, zorder=4)
    ax.set_ylim(len(classes) - 0.4, -0.6)
    ax.set_yticks(range(len(classes)), [str(name) for name in classes], fontsize=7)
    ax.set_xlim(-0.02, 1.02)
    if len(classes) == 2:  # Q's decision boundary
        ax.axvline(0.5, color=theme.muted, linewidth=0.8, linestyle=":")
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.set_xlabel("p_own", fontsize=8)


def _draw_legend(figure: Figure, classes: Sequence[str], theme: Theme) -> None:
    handles = [
        Line2D([], [], color=color, marker=marker, linestyle="", label=f"class {name}")
        for name, (color, marker) in class_styles(classes, theme).items()
    ]
    kinds = [
        Line2D([], [], color=theme.muted, marker="o", alpha=0.5, linestyle="", markersize=4, label=REAL),
        Line2D([], [], color=theme.muted, marker="x", linestyle="", label=GENERATED),
    ]
    figure.legend(handles=[*kinds, *handles], loc="outside upper left", ncols=7, fontsize=8)


def _draw_components(modes: Sequence[SampledRows], classes: Sequence[str], theme: Theme) -> Figure:
    columns = min(3, len(modes))
    lines = -(-len(modes) // columns)
    strip_height = 0.35 + 0.17 * len(classes)
    real = pd.concat([rows.of_kind(REAL)[rows.features] for rows in modes]).drop_duplicates()
    components = PCA(n_components=2).fit(real.to_numpy())

    def points(part: pd.DataFrame) -> np.ndarray:
        return np.asarray(components.transform(part[modes[0].features].to_numpy()))

    x_window, y_window = (_window(values) for values in points(real).T)
    with mpl.rc_context(theme.rc):
        figure = Figure(figsize=(3.3 * columns, 0.7 + lines * (3.0 + strip_height)), layout="constrained")
        grid = figure.subplots(2 * lines, columns, squeeze=False, height_ratios=[2.6, strip_height] * lines)
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
            _draw_intervals(strip, rows, classes, theme)
        _draw_legend(figure, classes, theme)
    return figure


def _draw_pairs(modes: Sequence[SampledRows], classes: Sequence[str], theme: Theme) -> Figure:
    pairs = list(combinations(modes[0].features, 2))
    real = pd.concat([rows.of_kind(REAL) for rows in modes])
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
        _draw_legend(figure, classes, theme)
    return figure


def row_pictures(runs: pd.DataFrame) -> list[Picture]:
    """Return where real and generated rows lie: a picture per dataset, of the first setting that has them.

    Parameters
    ----------
    runs : DataFrame
        The runs with default settings of the run frame.
    """
    pictures: list[Picture] = []
    for _, group in runs.groupby("dataset", sort=False):
        with_rows = [run for run in rows_of(group) if (Path(run.folder) / SAMPLES).is_file()]
        if not with_rows:
            continue
        setting, dataset = with_rows[0].setting, with_rows[0].dataset_title
        classes = [str(name) for name in with_rows[0].classes]
        shown = sorted(
            (run for run in with_rows if run.setting == setting),
            key=lambda run: (not run.has_generator, run.order, run.mode),
        )
        rows = {run.mode: SampledRows(run.title, read_table(Path(run.folder) / SAMPLES)) for run in shown}
        if len(rows[shown[0].mode].features) < 2:  # a single column has no second component
            continue
        pictures.append(
            Picture(
                file_name(f"rows {dataset}"),
                "rows",
                f"{dataset}: real and generated rows, {setting}",
                f"{capitalized(setting)}, first replica. "
                f"{AS_THE_FIRST if pictures else _guide(set(runs['mode']))}",
                partial(_draw_components, list(rows.values()), classes),
                setting,
            )
        )
        with_generator = [rows[run.mode] for run in shown if run.has_generator]
        if with_generator and len(with_generator[0].features) <= FEW_FEATURES:
            pictures.append(
                Picture(
                    file_name(f"rows {dataset} columns"),
                    "rows",
                    f"{dataset}: real and generated rows, column against column, {setting}",
                    f"The same rows of the {setting}, by pairs of columns as Q sees them, after "
                    "preprocessing. Only methods with a generator.",
                    partial(_draw_pairs, with_generator, classes),
                    setting,
                )
            )
    return pictures


def _guide(modes: Collection[str]) -> str:
    """Return how to read a picture of rows, with the expectation of the paper's methods among the modes."""
    expected = [text for mode, text in paper.GENERATED_ROWS.items() if mode in modes]
    return " ".join([GUIDE, *expected, *([CAUTION] if expected else [])])
