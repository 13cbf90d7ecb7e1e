"""Measure how the cost of a bare training step grows with the table and the settings, on generated tables.

    python benchmarks/growth.py

One quantity varies at a time. Every value is measured once per repeat, so that the ratios to the first value
compare like with like. Every class has more rows than the cap on anchors, so a step should not depend on the
number of rows.
"""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bare_steps import prepare, run_steps
from common import Figure, alternate, figure, finish, parser, ratios, write_table

from adversarial_oversampling.config.compose import compose_train

BASE = {"rows": 20_000, "columns": 10, "classes": 2, "anchors": 256, "replicas": 1}
SERIES = {
    "rows": (2_000, 20_000, 200_000, 1_000_000),
    "columns": (10, 40, 160, 640),
    "classes": (2, 5, 10, 20),
    "anchors": (64, 256, 1024),
    "replicas": (1, 3, 10, 30),
}
ROWS_TARGET = 1.1
"""What more rows may do to a step, as a ratio."""


def stepper(folder: Path, changed: dict[str, int], steps: int) -> Callable[[], float]:
    """Write the table of `BASE` with some values changed; return a function that times a step of DO on it."""
    values = BASE | changed
    file = folder / "-".join(str(values[name]) for name in ("rows", "columns", "classes"))
    overrides = write_table(file.with_suffix(".csv"), values["rows"], values["columns"], values["classes"])
    cfg = compose_train(
        [
            *overrides,
            "mode=do",
            f"players.generator.anchors={values['anchors']}",
            f"replicas={values['replicas']}",
        ]
    )
    return partial(run_steps, cfg, steps, prepare(cfg))


def measure(name: str, values: Sequence[int], steps: int = 100, repeats: int = 5) -> list[Figure]:
    """Measure a step for every value of one quantity, and the ratios to the first value."""
    with tempfile.TemporaryDirectory() as folder:
        steppers = {str(value): stepper(Path(folder), {name: value}, steps) for value in values}
        seconds = alternate(steppers, repeats)
    first = seconds[str(values[0])]
    figures = [figure(f"{name}={value}", [1000 * s for s in seconds[str(value)]], "ms") for value in values]
    for value in values[1:]:
        target = ROWS_TARGET if name == "rows" else None
        figures.append(
            figure(f"{name}: {value} against {values[0]}", ratios(seconds[str(value)], first), target=target)
        )
    return figures


def main() -> None:
    arguments_parser = parser(__doc__)
    arguments_parser.add_argument("series", nargs="*", help=f"some of {', '.join(SERIES)}; all by default")
    arguments = arguments_parser.parse_args()
    if unknown := set(arguments.series) - SERIES.keys():
        arguments_parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(SERIES)}")

    def take() -> list[Figure]:
        figures = []
        for name in arguments.series or SERIES:
            values = SERIES[name]
            if arguments.quick:
                figures += measure(name, (values[0], values[-2]), steps=20, repeats=2)
            else:
                figures += measure(name, values)
        return figures

    finish("growth", arguments, take)


if __name__ == "__main__":
    main()
