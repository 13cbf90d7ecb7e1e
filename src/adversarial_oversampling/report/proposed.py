"""AO and DO against the methods that a reader would use instead."""

import pandas as pd

from adversarial_oversampling.report import paper
from adversarial_oversampling.report.common import (
    NOT_RUN,
    Cell,
    Footnotes,
    Row,
    Table,
    by_setting,
    dataset_titles,
    default_run,
    default_runs,
    file_name,
    measurement,
    mode_titles,
    replicas_by_run,
)
from adversarial_oversampling.report.statistics import (
    INTERVALS,
    difference,
    difference_cell,
    plain,
)

REFERENCES = ("q", "ro", "smote", "threshold_q")
PREFERRED = "preferred peer"


def preferred_peers(runs: pd.DataFrame, replicas: pd.DataFrame) -> dict[str, str]:
    """Return for each dataset the peer with the highest mean ACSA on the rows that choose the epoch.

    Peers without such a number take no part.

    Parameters
    ----------
    runs, replicas : DataFrame
        The rows of both frames of the runs of one setting with default settings.
    """
    peers = replicas[
        replicas["origin"].isin(["peer", "extra"]) & replicas["config_hash"].isin(runs["config_hash"])
    ]
    means = peers.groupby(["dataset", "mode"], sort=False)["selection_acsa"].mean().dropna()
    if means.empty:
        return {}
    return {str(dataset): str(mode) for dataset, mode in means.groupby(level=0).idxmax()}


def tables(frame: pd.DataFrame, replicas: pd.DataFrame) -> list[Table]:
    """Return the paired differences of AO and DO to the references, a table for every setting."""
    made = []
    for setting, runs in by_setting(default_runs(frame)):
        group = replicas[replicas["setting"] == setting]
        if table := _table(setting, runs, default_runs(group)):
            made.append(table)
    return made


def _table(setting: str, runs: pd.DataFrame, replicas: pd.DataFrame) -> Table | None:
    of_run = replicas_by_run(replicas)
    peers = preferred_peers(runs, replicas)
    titles = mode_titles(runs)
    datasets = {
        name: title
        for name, title in dataset_titles(runs).items()
        if any(default_run(name, mode) in of_run for mode in paper.PROPOSED)
    }
    notes = Footnotes()
    rows: list[Row] = []
    groups = []
    data = []
    for mode in paper.PROPOSED:
        groups.append(len(rows))
        for reference in (*REFERENCES, PREFERRED):
            name = PREFERRED if reference == PREFERRED else titles.get(reference)
            line = []
            for dataset in datasets:
                other = peers.get(dataset) if reference == PREFERRED else reference
                if other is None or not {default_run(dataset, mode), default_run(dataset, other)} <= set(
                    of_run
                ):
                    line.append(Cell(NOT_RUN))
                    continue
                marks = (notes.mark(f"Preferred: {titles[other]}."),) if reference == PREFERRED else ()
                found = difference(of_run[default_run(dataset, mode)], of_run[default_run(dataset, other)])
                line.append(difference_cell(found, marks))
                keys = {"setting": setting, "dataset": dataset, "mode": mode, "reference": other}
                data.append({**keys, "preferred": reference == PREFERRED, **(plain(found) if found else {})})
            if name is not None and any(cell.text != NOT_RUN for cell in line):
                rows.append((Cell(f"{titles[mode]} - {name}"), *line))
    if not rows:
        return None
    optimistic = runs["select_on"].iloc[0] == "test"
    choice = (
        "has the highest mean ACSA on the test rows that choose the epoch, an optimistic choice"
        if optimistic
        else "has the highest mean ACSA on the validation rows"
    )
    notes.remarks += [f'"{NOT_RUN}": not run in this setting. NA: a method has no result on this dataset.']
    return Table(
        name=file_name(f"differences_ao_do {setting}"),
        section="results",
        title=f"AO and DO against other methods, {setting}",
        caption=f"{measurement(runs)} Differences in ACSA over replicas of the same seed and split, in "
        "points: mean [95 % interval]. The preferred peer is, on each dataset, the peer that "
        f"{choice}; peers without such a number take no part. {INTERVALS}",
        columns=("difference", *datasets.values()),
        rows=tuple(rows),
        footnotes=notes.all(),
        data=pd.DataFrame(data),
        groups=tuple(start for start in groups if start < len(rows)),
        setting=setting,
    )
