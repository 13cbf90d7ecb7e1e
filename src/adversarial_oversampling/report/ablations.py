"""Ablations: runs with changed settings, each compared with the run of its mode with default settings."""

from typing import Any

import pandas as pd

from adversarial_oversampling.report.common import (
    NOT_RUN,
    Cell,
    Row,
    Table,
    by_setting,
    dataset_titles,
    default_runs,
    file_name,
    replicas_by_run,
    rows_of,
)
from adversarial_oversampling.report.statistics import (
    DIFFERENCE_COLUMNS,
    INTERVALS,
    difference,
    interval_text,
    plain,
)
from adversarial_oversampling.text import capitalized

FILE = "ablations.csv"
DISPLAY_COLUMNS = ("dataset_title", "dataset_order", "title", "order", "color")
COLUMNS = (
    "setting",
    "dataset",
    "mode",
    "variant",
    "config_hash",
    *DISPLAY_COLUMNS,
    *DIFFERENCE_COLUMNS,
)


def ablations(replicas: pd.DataFrame) -> pd.DataFrame:
    """Return the paired difference in ACSA of every run with a variant to its mode's default settings.

    The two runs share dataset, protocol, folds, epochs and seeds.

    Parameters
    ----------
    replicas : DataFrame
        The replica frame.

    Returns
    -------
    DataFrame
        setting, dataset, dataset_title, dataset_order, mode, title, order, color and variant; difference
        (variant minus default), low and high (the 95 % interval) as fractions; effect, n, test_to_train and
        fixed_split as in `statistics.paired`; config_hash of the run with the variant.
    """
    rows = []
    for setting, group in by_setting(replicas):
        runs = replicas_by_run(group)
        for (dataset, mode, variant), run in runs.items():
            base = runs.get((dataset, mode, frozenset()))
            if not variant or base is None or (found := difference(run, base)) is None:
                continue
            first = rows_of(run)[0]
            rows.append(
                {
                    "setting": setting,
                    "dataset": dataset,
                    "mode": mode,
                    "variant": "; ".join(first.variant),
                    "config_hash": first.config_hash,
                    **{key: getattr(first, key) for key in DISPLAY_COLUMNS},
                    **plain(found),
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def tables(differences: pd.DataFrame, frame: pd.DataFrame) -> list[Table]:
    """Return a table of ablations for every setting that has some.

    Parameters
    ----------
    differences : DataFrame
        What `ablations` returns.
    frame : DataFrame
        The run frame.
    """
    made = []
    for setting, group in by_setting(differences):
        runs = default_runs(frame[frame["setting"] == setting])
        base = {(run.dataset, run.mode): run for run in rows_of(runs)}
        datasets = dataset_titles(group)
        rows: list[Row] = []
        groups = []
        for _, of_mode in group.sort_values(["order", "mode"], kind="stable").groupby("mode", sort=False):
            groups.append(len(rows))
            for variant, cells in of_mode.groupby("variant", sort=False):
                found = {row.dataset: row for row in rows_of(cells)}
                head = Cell(cells["title"].iloc[0] if len(rows) == groups[-1] else "")
                line = [_cell(found.get(dataset)) for dataset in datasets]
                rows.append((head, Cell(str(variant)), *line))
        n = " or ".join(map(str, sorted(set(group["n"]))))
        compared = rows_of(group.drop_duplicates(["dataset", "mode"]))
        means = "; ".join(
            f"{row.title} on {row.dataset_title} {100 * base[row.dataset, row.mode].acsa:.2f}"
            for row in compared
        )
        made.append(
            Table(
                name=file_name(f"ablations {setting}"),
                section="ablations",
                title=f"Changed settings against the default settings, {setting}",
                caption=f"{capitalized(setting)}. ACSA with the changed settings minus that of the same "
                "method with default settings, over replicas of the same seed and split (n = "
                f"{n}), in points: mean [95 % interval]. {INTERVALS}",
                columns=("method", "changed settings", *datasets.values()),
                rows=tuple(rows),
                footnotes=(
                    ("", f"Mean ACSA with default settings, in percent: {means}."),
                    ("", f'"{NOT_RUN}": not run in this setting, or without a result.'),
                ),
                data=csv_frame(group),
                groups=tuple(groups),
                setting=setting,
            )
        )
    return made


def csv_frame(differences: pd.DataFrame) -> pd.DataFrame:
    """Return the differences as they are written to a file, without the columns that tables need."""
    return differences.drop(columns=list(DISPLAY_COLUMNS))


def _cell(row: Any) -> Cell:
    if row is None:
        return Cell(NOT_RUN)
    return Cell(interval_text(row.difference, row.low, row.high), bold=row.low > 0 or row.high < 0)
