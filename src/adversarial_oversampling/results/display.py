"""Results as a person reads them: in a line, and as a table in the terminal."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from adversarial_oversampling.config.catalogue import is_of_suite
from adversarial_oversampling.results.schema import Result
from adversarial_oversampling.text import count, percent

OPTIMISTIC = "OPTIMISTIC"


def scores_text(result: Result) -> list[str]:
    """Return ACSA and GM as mean ± standard deviation in percent, or "NA" where there is no result."""
    if result.na is not None:
        return ["NA", "NA"]
    return [percent(getattr(result.mean, name), getattr(result.std, name)) for name in ("acsa", "g_mean")]


def dataset_label(result: Result) -> str:
    """Return the dataset's name; with its file where the table is not the published one of that name."""
    # What has selected columns is not recorded as published.
    selected = result.setting("dataset.preprocessing.n_selected") is not None
    of_suite = selected and is_of_suite(result.dataset, result.setting("dataset.source"))
    if of_suite or result.table.published == result.dataset:
        return result.dataset
    return f"{result.dataset} ({result.table.file or 'own table'})"


def dataset_labels(results: Sequence[Result]) -> list[str]:
    """Return the label of each result's dataset, with its version where several tables have one label."""
    return told_apart(map(dataset_label, results), (result.table.digest for result in results))


def told_apart(labels: Iterable[str], digests: Iterable[str]) -> list[str]:
    """Return the labels of tables, with the table's version where several tables have one label."""
    tables = list(zip(labels, digests, strict=True))
    uses = Counter(label for label, _ in set(tables))
    return [label + version(digest) if uses[label] > 1 else label for label, digest in tables]


def version(digest: str) -> str:
    """Return what is appended to a label to tell tables of one name apart."""
    return f" #{digest[:8]}"


def method_label(result: Result) -> str:
    """Return mode, game and oversampling rate, and the settings that are not the defaults."""
    parts = [result.mode, result.gan_type, f"fs={result.fs}"]
    settings = [setting for setting in result.variant if not setting.startswith(("fs=", "gan_type="))]
    variant = f" ({'; '.join(settings)})" if settings else ""
    return " ".join(part for part in parts if part) + variant


def seeds_text(seeds: Sequence[int]) -> str:
    """Return seeds in few words: "seed 3", "seeds 0-4" or "seeds 0, 2, 5"."""
    first, last = seeds[0], seeds[-1]
    if first == last:
        return f"seed {first}"
    if list(seeds) == list(range(first, last + 1)):
        return f"seeds {first}-{last}"
    return f"seeds {', '.join(map(str, seeds))}"


def comparison_setting(result: Result) -> str:
    """Return what runs must share to be compared in one table: protocol, folds, epochs and seeds."""
    label = f" ({OPTIMISTIC})" if result.select_on == "test" else ""  # also beside peers without epochs
    parts = [f"{result.protocol} protocol{label}"]
    if result.folds is not None:
        parts.append(
            f"{result.folds} folds" if result.fold is None else f"fold {result.fold} of {result.folds}"
        )
    parts.append(count(result.epochs, "epoch"))
    parts.append(seeds_text(result.seeds))
    return ", ".join(parts)


def comparison(results: Iterable[Result]) -> RichTable:
    """Return a table of results, grouped by dataset and setting and sorted by mean ACSA, the highest marked.

    Results without an ACSA are the last of their group. A group of one result has no mark.
    """
    table = RichTable(
        title="Results of the sweep",
        caption="mean ± standard deviation over replicas, in percent\n"
        "*: highest mean ACSA of the dataset and setting; a description, not a test",
    )
    for name in ("dataset", "setting", "method"):
        table.add_column(name, overflow="fold")
    for name in ("ACSA", "GM"):
        table.add_column(name, justify="right", no_wrap=True)
    groups: dict[tuple[str, str], list[Result]] = {}
    results = list(results)
    for label, result in zip(dataset_labels(results), results, strict=True):
        groups.setdefault((label, comparison_setting(result)), []).append(result)
    for labels, group in sorted(groups.items()):
        table.add_section()
        scores = [result.mean.acsa for result in group if result.mean.acsa is not None]
        highest = max(scores) if len(group) > 1 and scores else None
        for result in sorted(group, key=_by_acsa):
            best = highest is not None and result.mean.acsa == highest
            method = f"{method_label(result)} *" if best else method_label(result)
            row = [*labels, method, *scores_text(result)]
            table.add_row(*map(escape, row), style="bold" if best else None)
    return table


def _by_acsa(result: Result) -> tuple[float, str]:
    """Return the place of a result in its group: by mean ACSA, the highest first, then by method."""
    score = -math.inf if result.mean.acsa is None else result.mean.acsa
    return (-score, method_label(result))


def summary(result: Result) -> str:
    """Return one line: the run, and its ACSA and GM or why there are none."""
    title = f"{dataset_label(result)} {result.protocol} {method_label(result)}, {seeds_text(result.seeds)}"
    if result.na is not None:
        return f"{title}: NA ({result.na})"
    label = f"  {OPTIMISTIC}" if result.optimistic else ""
    acsa, g_mean = scores_text(result)
    return f"{title}: ACSA {acsa}, GM {g_mean}{label}"


def show(result: Result, console: Console | None = None) -> None:
    """Print a result as a table: ACSA and GM in percent, a line per replica, and the mean."""
    console = console or Console()
    game = f", {result.gan_type}" if result.gan_type else ""
    label = f"  {OPTIMISTIC}" if result.optimistic else ""
    variant = f"\nvariant: {'; '.join(result.variant)}" if result.variant else ""
    has_epochs = any(replica.best_epoch is not None for replica in result.replicas)
    epochs = f"{count(result.epochs, 'epoch')} (the first is 0), " if has_epochs else ""
    trained, asked = result.defined.acsa, len(result.replicas)
    replicas = count(trained, "replica") if trained == asked else f"only {trained} of {asked} replicas"
    table = RichTable(
        title=f"{result.mode} on {dataset_label(result)}{game}, fs={result.fs}{variant}",
        caption=f"protocol {result.protocol}{label}: {result.epoch_selection}; "
        f"{epochs}{replicas}; mean ± standard deviation",
    )
    has_folds = any(replica.fold is not None for replica in result.replicas)
    for name in ["seed"] + ["fold"] * has_folds + ["best epoch", "ACSA %", "GM %", "lowest recall %"]:
        table.add_column(name, justify="right")
    for replica in result.replicas:
        lowest = "-"
        if replica.recall is not None:
            known = {name: value for name, value in replica.recall.items() if value is not None}
            name = min(known, key=known.__getitem__)
            lowest = f"{percent(known[name])} (class {escape(name)})"
        scores = ["NA", "NA"] if replica.na is not None else map(percent, (replica.acsa, replica.g_mean))
        table.add_row(
            str(replica.seed),
            *([str(replica.fold)] * has_folds),
            "-" if replica.best_epoch is None else str(replica.best_epoch),
            *scores,
            lowest,
        )
    table.add_section()
    table.add_row("mean", *([""] * has_folds), "", *scores_text(result), "")
    console.print(table)
    for replica in result.replicas:
        for note in replica.notes:
            fold = "" if replica.fold is None else f", fold {replica.fold}"
            console.print(f"seed {replica.seed}{fold}: {note}", style="yellow", markup=False)
