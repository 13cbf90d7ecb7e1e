"""A picture of a report and its files: PNG and SVG, for a light and for a dark page."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from adversarial_oversampling.report.figures.theme import LIGHT, THEMES, Theme

DPI = 150
COLORS = 256
"""Colors of a PNG file: enough for a drawing, and the file is three times smaller."""


@dataclass(frozen=True)
class Picture:
    """A picture that is still to be drawn.

    Parameters
    ----------
    name : str
        Name of its files, without theme and extension.
    section : str
        One of `common.SECTIONS`.
    title : str
        One line.
    caption : str
        What it shows.
    draw : callable
        Draws it in a theme.
    setting : str
        Its comparison setting.
    """

    name: str
    section: str
    title: str
    caption: str
    draw: Callable[[Theme], Figure]
    setting: str = ""


def files(picture: Picture, theme: Theme) -> tuple[str, str]:
    """Return the names of a picture's PNG and SVG file in a theme."""
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
            image = Image.fromarray(np.asarray(canvas.buffer_rgba()))
            figure.set_layout_engine("none")  # the layout is computed once for both files
            canvas = FigureCanvasSVG(figure)
            canvas.print_svg(folder / svg, metadata={"Date": None})
        reduced = image.convert("RGB").quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        reduced.save(folder / png, optimize=True)
