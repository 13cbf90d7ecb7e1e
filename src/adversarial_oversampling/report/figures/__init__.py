"""The pictures of a report, each drawn twice: for a light and for a dark page."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from adversarial_oversampling.report.common import default_runs
from adversarial_oversampling.report.figures.curves import curve_pictures
from adversarial_oversampling.report.figures.fs import fs_pictures
from adversarial_oversampling.report.figures.intervals import ablation_pictures, verdict_pictures
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


def pictures(
    frame: pd.DataFrame,
    replicas: pd.DataFrame,
    ranks: Mapping[str, Any],
    ablated: pd.DataFrame,
    main_settings: Sequence[str],
) -> list[Picture]:
    """Return every picture of a report.

    Parameters
    ----------
    frame : DataFrame
        The run frame.
    replicas : DataFrame
        The replica frame.
    ranks : mapping
        From a comparison setting to autorank's result.
    ablated : DataFrame
        Paired differences of runs with changed settings.
    main_settings : sequence of str
        Comparison settings of which the verdict is given.
    """
    runs = default_runs(frame)
    at_hand = runs[runs["folder"].notna()]
    return [
        *verdict_pictures(frame, replicas, main_settings),
        *mode_pictures(runs, replicas),
        *ablation_pictures(ablated),
        *rank_pictures(ranks),
        *fs_pictures(frame),
        *row_pictures(at_hand),
        *curve_pictures(at_hand, line_styles(frame)),
    ]
