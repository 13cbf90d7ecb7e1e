"""Fit and predict with the classifier on a long table and on a wide one: CPU seconds and peak memory.

python benchmarks/large_tables.py long
python benchmarks/large_tables.py wide
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd

from adversarial_oversampling import AdversarialOversamplingClassifier

EPOCHS = 3


def long_table(rows: int = 1_000_000) -> tuple[pd.DataFrame, np.ndarray]:
    """Return 20 columns of every role, with missing cells in one of them."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"number{i}": rng.normal(size=rows) for i in range(12)})
    for i in range(4):
        names = np.array([f"kind {k}" for k in range(5)])
        frame[f"category{i}"] = pd.Categorical(rng.choice(names, rows))
    for i in range(2):
        frame[f"flag{i}"] = rng.random(rows) < 0.3
    frame["count"] = rng.integers(0, 50, rows)
    frame["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 2000, rows), "D")
    y = (frame.number0 + (frame.category0 == "kind 1") + rng.normal(size=rows) > 2.6).to_numpy()
    frame.loc[rng.random(rows) < 0.01, "number1"] = np.nan
    return frame, y


def wide_table(rows: int = 500, columns: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of many numbers, of which ten matter."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns))
    return x, x[:, :10].sum(axis=1) + rng.normal(size=rows) > 4.5


def peak_memory() -> float:
    """Return the largest memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure one of the two tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("table", choices=["long", "wide"])
    table = parser.parse_args().table
    classifier = AdversarialOversamplingClassifier(
        "do", max_epochs=EPOCHS, batch_size=1024 if table == "long" else 64, random_state=0
    )
    x, y = long_table() if table == "long" else wide_table()
    print(
        f"{len(x)} rows, {x.shape[1]} columns, {y.mean():.1%} in the small class; "
        f"{peak_memory():.0f} MiB with it"
    )
    start = time.process_time()
    classifier.fit(x, y)
    fitted = time.process_time()
    print(f"fit, {EPOCHS} epochs: {fitted - start:.1f} s; peak {peak_memory():.0f} MiB")
    classifier.predict(x)
    print(f"predict: {time.process_time() - fitted:.1f} s; peak {peak_memory():.0f} MiB")


if __name__ == "__main__":
    main()
