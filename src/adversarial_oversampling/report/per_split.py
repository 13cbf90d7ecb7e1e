"""Results per split: one table that joins with those of other benchmarks."""

import pandas as pd

from adversarial_oversampling.report.render import plain
from adversarial_oversampling.results.schema import METRICS

FILE = "results_per_split.csv"
COLUMNS = (
    "dataset",
    "protocol",
    "mode",
    "seed",
    "fold",
    *METRICS,
    "gan_type",
    "fs",
    "fs_ratio",
    "variant",
    "epochs",
    "setting",
    "select_on",
    "optimistic",
    "epoch_selection",
    "best_epoch",
    "selection_acsa",
    "na",
    "rows_train",
    "rows_validation",
    "rows_test",
    "fixed_split",
    "published",
    "table_digest",
    "config_hash",
)


def per_split(replicas: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run, seed and fold, in the order of the tables.

    Parameters
    ----------
    replicas : DataFrame
        The replica frame.

    Returns
    -------
    DataFrame
        With these columns; an absent value is an empty field in the CSV file:

        dataset
            Name of the dataset; followed by its file in brackets if it is not the published table of that
            name, and by "#" and the start of `table_digest` if there are several tables of that name.
        protocol, mode
            Names.
        seed, fold
            They fix the split; `fold` is empty without cross-validation.
        acsa, g_mean, auroc, pr_auc, calibration_error
            Metrics on the test rows, as fractions; empty if undefined.
        gan_type
            Game between G and D; empty for a mode without a generator.
        fs, fs_ratio
            Name of the oversampling rate and the rate itself, smallest to largest class; the rate is empty
            for the table's own ratio.
        variant
            Settings that are not the default of the mode, dataset and protocol, separated by "; ".
        epochs
            Length of the training.
        setting
            What runs of one table share: protocol, folds, epochs and seeds.
        select_on, optimistic, epoch_selection
            Rows that choose the epoch, whether an epoch was chosen on the test rows, and the choice in words.
        best_epoch, selection_acsa
            The chosen epoch (the first is 0) and its ACSA, a fraction, on the rows that choose it; empty for
            a method without epochs.
        na
            Why there is no result; empty if there is one.
        rows_train, rows_validation, rows_test
            Rows per class of each part, the largest class first, separated by "/"; empty if there are none.
        fixed_split
            Whether every seed has the same test rows, those of the archive.
        published
            The published dataset whose values the table has; empty for any other table.
        table_digest
            SHA-256 of the table's values, classes, fixed test rows and groups.
        config_hash
            Hash of all settings that shape the result. Read it as text.
    """
    return plain(replicas)[list(COLUMNS)]
