"""Colors of the report's page and of its pictures."""

from dataclasses import dataclass
from typing import Any, get_args

import pandas as pd

from adversarial_oversampling.config.catalogue import LineStyle


@dataclass(frozen=True)
class Theme:
    """Colors of a page and of the pictures on it.

    Parameters
    ----------
    name : str
        "light" or "dark".
    ink, muted, grid, surface : str
        Text, secondary text, grid lines, background.
    blue, orange, red, green, purple, sky : str
        After Okabe and Ito, safe for color-blind readers; lighter on the dark page.
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
        """Colors of classes, the largest class first."""
        return [self.blue, self.red, self.green, self.orange, self.purple, self.sky, self.muted]

    def line(self, style: tuple[str, str]) -> dict[str, Any]:
        """Return matplotlib's arguments for a line of a mode's color and line style."""
        color, linestyle = style
        return {"color": getattr(self, color), "linestyle": linestyle}


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


def line_styles(frame: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Return color and line style of every mode, as in its description.

    A mode with the style of an earlier one gets another line style of its color, if one is left.

    Parameters
    ----------
    frame : DataFrame
        The run frame.
    """
    modes = frame.drop_duplicates("mode").sort_values(["order", "mode"])
    described = list(zip(modes["color"], modes["linestyle"], strict=True))
    styles: dict[str, tuple[str, str]] = {}
    for mode, style in zip(modes["mode"], described, strict=True):
        if style in styles.values():
            taken = {*described, *styles.values()}
            others = ((style[0], linestyle) for linestyle in get_args(LineStyle))
            style = next((other for other in others if other not in taken), style)
        styles[mode] = style
    return styles
