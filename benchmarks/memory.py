"""Measure the peak of memory of training, in a fresh process each; beside it that of the imports alone.

python benchmarks/memory.py
"""

import tempfile
from pathlib import Path

from common import Figure, figure, finish, parser, run_json, write_table


def measure(
    credit_replicas: int = 10, rows: int = 1_000_000, repeats: int = 5, credit: str = "credit"
) -> list[Figure]:
    """Measure the imports, DO on Credit with some replicas, and DO on a generated table with one."""
    with tempfile.TemporaryDirectory() as name:
        generated = write_table(Path(name, "table.csv"), rows)
        runs = {
            "imports": (["--imports"], None),
            f"DO on {credit}, {credit_replicas} replicas": (
                [f"dataset={credit}", "mode=do", f"replicas={credit_replicas}", "trainer.max_epochs=1"],
                700,
            ),
            f"DO on {rows} rows x 10 columns, one replica": (
                [
                    *generated,
                    "dataset.training.batch_size=512",
                    "mode=do",
                    "replicas=1",
                    "trainer.max_epochs=1",
                ],
                1024,
            ),
        }
        peaks: dict[str, list[float]] = {label: [] for label in runs}
        for _ in range(repeats):
            for label, (arguments, _) in runs.items():
                peaks[label].append(run_json("one_run.py", *arguments)["peak_mib"])
    return [figure(label, peaks[label], "MiB", target) for label, (_, target) in runs.items()]


def main() -> None:
    arguments = parser(__doc__).parse_args()
    finish("memory", arguments, lambda: measure(repeats=1 if arguments.quick else 5))


if __name__ == "__main__":
    main()
