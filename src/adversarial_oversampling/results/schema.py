"""What `result.json` holds: every field with its type, unit and meaning.

The file is written and read through `Result`. A file of another `SCHEMA_VERSION` is refused.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AllowInfNan, BaseModel, ConfigDict, Field

from adversarial_oversampling.config.catalogue import ModeDescription

SCHEMA_VERSION = 2

Finite = Annotated[float, AllowInfNan(False)]
Fraction = Annotated[Finite, Field(ge=0, le=1)]


class Record(BaseModel):
    """A part of a result; immutable, and without other fields than the listed ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _field(description: str, unit: str = "", **settings: Any) -> Any:
    return Field(description=description, json_schema_extra={"unit": unit}, **settings)


class Scores(Record):
    """Metrics on the test rows; null where undefined."""

    acsa: Fraction | None = _field(
        "average class-specific accuracy: the mean of the classes' recalls", "fraction", title="ACSA"
    )
    g_mean: Fraction | None = _field("geometric mean of the recalls", "fraction", title="GM")
    auroc: Finite | None = _field(
        "area under the ROC curve, each class against the rest, mean over classes", "fraction", title="AUROC"
    )
    pr_auc: Finite | None = _field(
        "average precision, mean over all classes but the largest", "fraction", title="PR-AUC"
    )
    calibration_error: Finite | None = _field(
        "expected calibration error of the most probable class, 15 bins",
        "fraction",
        title="calibration error",
    )


METRICS: dict[str, str] = {name: str(field.title) for name, field in Scores.model_fields.items()}
"""Every metric with its label in tables and figures."""


class Counts(Record):
    """For each metric the number of replicas in which it is defined."""

    acsa: int = _field("of ACSA", "replicas", ge=0)
    g_mean: int = _field("of GM", "replicas", ge=0)
    auroc: int = _field("of AUROC", "replicas", ge=0)
    pr_auc: int = _field("of PR-AUC", "replicas", ge=0)
    calibration_error: int = _field("of the calibration error", "replicas", ge=0)


class RowCounts(Record):
    """Rows per class of each part of a split, in the order of `classes`."""

    train: list[int] = _field("training rows, before resampling", "rows per class")
    validation: list[int] = _field("validation rows; all 0 where the protocol has none", "rows per class")
    test: list[int] = _field("test rows", "rows per class")


class ReplicaResult(Scores):
    """One replica: a seed, and a fold of it in cross-validation."""

    seed: int = _field("seed of its split, weights and noise", ge=0)
    fold: int | None = _field("fold whose rows are tested on; null without cross-validation", ge=0)
    na: str | None = _field("why it has no result; null where it has one")
    recall: dict[str, Fraction | None] | None = _field(
        "recall of each class; null for a class without test rows", "fraction"
    )
    confusion: list[list[int]] | None = _field(
        "confusion matrix; rows are true classes, columns predicted ones", "test rows"
    )
    best_epoch: int | None = _field(
        "epoch (the first is 0) whose weights are tested; null for a method without epochs", "epoch"
    )
    selection_acsa: Fraction | None = _field(
        "ACSA on the rows that choose the epoch, at that epoch (or its running mean); of a method without "
        "epochs the ACSA on validation rows, null where the protocol has none",
        "fraction",
    )
    diverged_at: int | None = _field("epoch in which its loss became NaN or infinite", "epoch", ge=0)
    rows: RowCounts = _field("size of its split")
    notes: list[str] = _field("remarks on the replica, such as classes without test rows")


class TableSummary(Record):
    """What the table holds."""

    rows: int = _field("rows of the table", "rows", ge=1)
    columns: dict[str, list[str]] = _field("names of the feature columns of each role")
    classes: dict[str, int] = _field("rows of each class, the largest first", "rows")
    missing_cells: int = _field("missing cells of all feature columns", "cells", ge=0)
    groups: int | None = _field(
        "groups of rows that stay together in a split (`dataset.group`); null if there are none",
        "groups",
        default=None,
        ge=1,
    )
    constant_columns: list[str] = _field("feature columns whose cells are all the same or missing")
    duplicate_rows: int = _field(
        "rows that repeat the features and the class of an earlier row", "rows", ge=0
    )
    rows_in_two_classes: int = _field("rows whose features stand in a row of another class too", "rows", ge=0)
    columns_that_tell_the_class: list[str] | None = _field(
        "feature columns whose value tells the class of every row, as a copy of the label does; null in "
        "results of versions that did not look for them",
        default=None,
    )


class TableRecord(Record):
    """The table that was used."""

    digest: str = _field("SHA-256 of its values, classes, fixed test rows and groups", "hexadecimal")
    published: str | None = _field(
        "the published dataset whose values these are; null for any other table, and for selected columns"
    )
    file: str | None = _field("name of the user's file; null for a table of the suite")
    summary: TableSummary | None = _field(
        "what it holds; null in results of versions that did not count it", default=None
    )


class FileRecord(Record):
    """A file of a run as it was written."""

    bytes: int = _field("size", "bytes", ge=0)
    sha256: str = _field("SHA-256 of its content", "hexadecimal")


def content_digest(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the fields of a result but `sha256`.

    Those of a file are digested as they are there: a version that adds a field still reads older results.
    """
    content = {name: value for name, value in fields.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Result(Record):
    """A finished run."""

    schema_version: Literal[2] = _field("version of the schema", default=2)
    dataset: str = _field("name of the dataset")
    dataset_title: str = _field("its name in tables and figures")
    table: TableRecord = _field("the table that was used")
    mode: str = _field("name of the mode")
    mode_description: ModeDescription = _field("how tables and figures show the mode")
    gan_type: str | None = _field("game between G and D; null for a mode without a generator")
    fs: str = _field("name of the oversampling rate")
    fs_ratio: Finite | None = _field(
        "smallest to largest class in Q's batches of real rows, as set by fs; null where fs changes nothing",
        "ratio",
    )
    protocol: str = _field("name of the protocol")
    select_on: Literal["validation", "test", "train"] = _field(
        "rows that choose the epoch; train: none do, and the last epoch counts"
    )
    folds: int | None = _field("folds of cross-validation; null for one split per seed")
    fold: int | None = _field("the only fold that was trained; null for all")
    test_size: Finite | None = _field(
        "part of the rows that is tested on; null for the archive's own test rows", "fraction"
    )
    optimistic: bool = _field("whether an epoch was chosen on the test rows")
    epoch_selection: str = _field("the choice of the epoch in words")
    variant: list[str] = _field(
        "settings other than epochs, replicas and seed that are not the default of this mode, dataset and "
        "protocol, as key=value"
    )
    na: str | None = _field("why no replica has a result; null where one has")
    settings_compared: int = _field("settings that were tried to choose the defaults", "settings", ge=0)
    classes: list[str] = _field("the classes, the largest first")
    epochs: int = _field("length of the training", "epochs", ge=1)
    mean: Scores = _field("mean over replicas of each metric", "fraction")
    std: Scores = _field(
        "standard deviation over replicas (n - 1); null for fewer than two values", "fraction"
    )
    defined: Counts = _field("replicas in which each metric is defined")
    replicas: list[ReplicaResult] = _field("one entry per replica", min_length=1)
    parameters: dict[str, int] = _field("number of trainable parameters of each player, for one replica")
    device: str = _field("where it was trained: the name of the GPU, or cpu and the model of the processor")
    threads: int = _field("torch threads", "threads")
    seconds: dict[str, Finite] = _field(
        "wall time of each part of the run; after an interruption, of the last attempt", "seconds"
    )
    versions: dict[str, str] = _field("versions of Python and of the packages that shape a result")
    config_hash: str = _field("hash of all settings that shape a result", "hexadecimal")
    sweep_id: str | None = _field("the sweep that ran it; null for a single run")
    config: dict[str, Any] = _field("the whole configuration, resolved")
    files: dict[str, FileRecord] = _field(
        "the run's other files by name; a result is shown only if all of them are there and unchanged"
    )
    sha256: str = _field(
        "SHA-256 of all other fields, as JSON with sorted keys, by which damage is found",
        "hexadecimal",
        default="",
    )

    def to_json(self) -> str:
        """Return the text of a result.json, with the digest."""
        digest = content_digest(self.model_dump(mode="json"))
        return self.model_copy(update={"sha256": digest}).model_dump_json(indent=2) + "\n"

    def setting(self, key: str) -> Any:
        """Return a setting of the configuration, such as `dataset.name`; None where there is none."""
        node: Any = self.config
        for name in key.split("."):
            node = node.get(name) if isinstance(node, dict) else None
        return node

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the replicas, each once, in order."""
        return tuple(sorted({replica.seed for replica in self.replicas}))

    @property
    def mean_selection_acsa(self) -> float | None:
        """Mean ACSA on the rows that chose the epoch; None for a method without epochs."""
        return mean([r.selection_acsa for r in self.replicas if r.selection_acsa is not None])


def mean(values: list[float]) -> float | None:
    """Return the mean; None where there is no value."""
    return float(np.mean(values)) if values else None


def std(values: list[float]) -> float | None:
    """Return the standard deviation with n - 1; None for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
