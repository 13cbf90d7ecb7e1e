"""The pictures of a report, each drawn twice: for a light and for a dark page."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from adversarial_oversampling.report.common import default_runs
from adversarial_oversampling.report.figures.curves import curve_pictures
from adversarial_oversampling.report.figures.fs import fs_pictures
from adversarial_oversampling.report.figures.modes import mode_pictures
from adversarial_oversampling.report.figures.picture import DPI, Picture, files, save
from adversarial_oversampling.report.figures.ranks import rank_pictures
from adversarial_oversampling.report.figures.rows import row_pictures
from adversarial_oversampling.report.figures.theme import DARK, LIGHT, THEMES, Theme, line_styles

__all__ = [
    "DARK",
    "DPI",
    "LIGHT",
    "THEMES",
    "Picture",
    "Theme",
    "files",
    "line_styles",
    "pictures",
    "save",
]


def pictures(frame: pd.DataFrame, replicas: pd.DataFrame, ranks: Mapping[str, Any]) -> list[Picture]:
    """Return every picture of a report.

    Parameters
    ----------
    frame : DataFrame
        The run frame.
    replicas : DataFrame
        The replica frame.
    ranks : mapping
        From a comparison setting to autorank's result.
    """
    runs = default_runs(frame)
    return [
        *mode_pictures(runs, replicas),
        *rank_pictures(ranks),
        *fs_pictures(frame),
        *row_pictures(runs),
        *curve_pictures(runs, line_styles(frame)),
    ]
