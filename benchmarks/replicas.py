"""Measure ten seeds as the replicas of one process against ten processes with one seed each.

    python benchmarks/replicas.py
    python benchmarks/replicas.py dataset=pima mode=ao --epochs 100

Every run is a fresh process. Counted are the CPU seconds of its whole run without the imports: reading and
splitting the table, training, evaluating, testing and writing. One process and many alternate.
"""

from collections.abc import Sequence

from common import Figure, alternate, figure, finish, parser, ratios, run_json

CASES = {"haberman": (30, 0.5), "credit": (1, 0.85)}
"""Epochs and target of each dataset that is measured by default."""


def seconds(overrides: Sequence[str]) -> float:
    """Return the CPU seconds of one run in a process of its own."""
    return float(run_json("one_run.py", *overrides)["cpu_seconds"])


def measure(
    overrides: Sequence[str], seeds: int = 10, repeats: int = 3, target: float | None = None
) -> list[Figure]:
    """Compare the two ways of training so many seeds of one setting."""
    seconds([*overrides, f"replicas={seeds}"])  # imputed cells are cached
    taken = alternate(
        {
            "together": lambda: seconds([*overrides, f"replicas={seeds}"]),
            "apart": lambda: sum(
                seconds([*overrides, "replicas=1", f"seed={seed}"]) for seed in range(seeds)
            ),
        },
        repeats,
    )
    label = " ".join(overrides)
    return [
        figure(f"{label}: {seeds} replicas in one process", taken["together"], "s"),
        figure(f"{label}: {seeds} processes", taken["apart"], "s"),
        figure(f"{label}: ratio", ratios(taken["together"], taken["apart"]), target=target),
    ]


def measure_cases(quick: bool) -> list[Figure]:
    """Measure the default datasets; in quick mode only three seeds of Haberman, once and without a target."""
    if quick:
        return measure(["dataset=haberman", "trainer.max_epochs=10"], seeds=3, repeats=1)
    figures = []
    for dataset, (epochs, target) in CASES.items():
        figures += measure([f"dataset={dataset}", f"trainer.max_epochs={epochs}"], target=target)
    return figures


def main() -> None:
    arguments_parser = parser(__doc__)
    arguments_parser.add_argument(
        "overrides", nargs="*", help="Hydra overrides, such as dataset=pima mode=ao"
    )
    arguments_parser.add_argument("--seeds", type=int, default=10)
    arguments_parser.add_argument("--repeats", type=int, default=3)
    arguments_parser.add_argument("--epochs", type=int, default=30)
    arguments = arguments_parser.parse_args()
    overrides = [*arguments.overrides, f"trainer.max_epochs={arguments.epochs}"]

    def take() -> list[Figure]:
        if arguments.overrides:
            return measure(overrides, arguments.seeds, 1 if arguments.quick else arguments.repeats)
        return measure_cases(arguments.quick)

    finish("replicas", arguments, take)


if __name__ == "__main__":
    main()
