"""Compare a training step of DO with a plain loop of the same maths, and with its matrix products alone.

    python benchmarks/step.py
    python benchmarks/step.py dataset=haberman replicas=10

For each table: CPU time of the bare step (the three turns) and of an epoch with everything (Lightning,
evaluation, best weights, curves, CSV logger) divided by its steps, relative to a round of `plain_loop.py`;
and the bare step relative to its floating-point operations at the rate of a large matrix product. What is
compared is measured in turn in one process on one thread, which takes denormals for 0 as training does: bare
steps in many short blocks, since the speed of a machine changes from second to second, and epochs in a few
longer ones.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from bare_steps import prepare
from common import Figure, alternate, figure, finish, parser, ratios
from plain_loop import plain_loop
from pytorch_lightning.loggers import CSVLogger
from torch.utils.flop_counter import FlopCounterMode

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.data.datamodule import Batch, TableDataModule
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.training.arithmetic import training_arithmetic
from adversarial_oversampling.training.build import build_game, build_trainer

# Table, replicas, at most so many times the plain loop bare, with everything, and the products alone.
SIZES: Sequence[tuple[str, int, float, float, float | None]] = (
    ("haberman", 1, 1.05, 1.3, None),
    ("haberman", 10, 1.05, 1.3, 2.5),
    ("yeast", 10, 1.05, 1.15, 2.5),
    ("secom", 10, 1.05, 1.15, None),
    ("credit", 10, 1.05, 1.15, 1.7),
)
SECONDS = 0.1  # of a block of bare steps, about
LONGER = 30  # times as many steps are trained with everything: what a fit does once has a small share then


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def product_seconds() -> float:
    """Return the CPU seconds of a floating-point operation in a large product of matrices."""
    size = 1024
    a, b, out = (torch.rand(size, size) for _ in range(3))
    return min(cpu_seconds(lambda: torch.mm(a, b, out=out)) for _ in range(5)) / (2 * size**3)


def rounds_of(data: TableDataModule, count: int) -> list[Batch]:
    """Draw the batches of some rounds."""
    rounds: list[Batch] = []
    while len(rounds) < count:
        for block in data.train_dataloader():
            rounds += block
    return rounds[:count]


def measure(
    overrides: Sequence[str],
    targets: Sequence[float | None],
    blocks: int,
    repeats: int,
    seconds: float = SECONDS,
) -> list[Figure]:
    """Measure DO with some overrides.

    Parameters
    ----------
    overrides : sequence of str
        With `dataset` and `replicas`.
    targets : sequence of three float or None
        For the bare step and the step with everything relative to the plain loop, and for the bare step
        relative to its products.
    blocks : int
        Of bare steps.
    repeats : int
        Of the epochs.
    seconds : float
        Of a block, about.
    """
    cfg = compose_train(["mode=do", "~recipe", "trainer.enable_progress_bar=false", *overrides])
    data = prepare(cfg)
    game, play = build_game(cfg, data), plain_loop(cfg, data)
    game.configure_optimizers()
    warm_up = rounds_of(data, 3)
    game.training_step(warm_up, 0)  # traces the turns, for which they run twice
    with FlopCounterMode(display=False) as counter:
        game.training_step(warm_up[:1], 0)
    operations = counter.get_total_flops()
    count = max(3, int(3 * seconds / cpu_seconds(lambda: [play() for _ in range(3)])))
    epochs = max(1, round(LONGER * count / data.steps_per_epoch))

    def bare() -> float:
        return cpu_seconds(lambda: game.training_step(rounds_of(data, count), 0)) / count

    def plain(count: int = count) -> float:
        torch.use_deterministic_algorithms(False)  # Lightning has set it
        return cpu_seconds(lambda: [play() for _ in range(count)]) / count

    def everything() -> float:
        return epoch_seconds(build_game(cfg, data), data, overrides, epochs) / data.steps_per_epoch

    with training_arithmetic(cfg.trainer.matmul_precision):
        steps = alternate(
            {"bare": bare, "plain": plain, "products": lambda: product_seconds() * operations}, blocks
        )
        whole = alternate({"everything": everything, "plain": lambda: plain(LONGER * count)}, repeats)
    label = " ".join(item.partition("=")[2] if "dataset=" in item else item for item in overrides)
    milliseconds = [1e3 * value for value in steps["bare"]]
    return [
        figure(f"{label}: bare step", milliseconds, "ms"),
        figure(f"{label}: bare / plain loop", ratios(steps["bare"], steps["plain"]), target=targets[0]),
        figure(
            f"{label}: with everything / plain loop",
            ratios(whole["everything"], whole["plain"]),
            target=targets[1],
            note=f"{data.steps_per_epoch} steps an epoch",
        ),
        figure(
            f"{label}: bare / products alone", ratios(steps["bare"], steps["products"]), target=targets[2]
        ),
    ]


def epoch_seconds(game: Game, data: TableDataModule, overrides: Sequence[str], epochs: int) -> float:
    """Train for some epochs with all that a run has, and return the CPU seconds of one."""
    cfg = compose_train(
        [
            "mode=do",
            "~recipe",
            "trainer.enable_progress_bar=false",
            *overrides,
            f"trainer.max_epochs={epochs}",
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(cfg, Path(folder), [CSVLogger(folder, name="", version="")])
        return cpu_seconds(lambda: trainer.fit(game, datamodule=data)) / epochs


def main() -> None:
    arguments_parser = parser(__doc__)
    arguments_parser.add_argument("overrides", nargs="*", help="Hydra overrides, such as dataset=pima")
    arguments = arguments_parser.parse_args()
    blocks, repeats = (10, 3) if arguments.quick else (50, 7)

    def figures() -> list[Figure]:
        if arguments.overrides:
            return measure(arguments.overrides, (None, None, None), blocks, repeats)
        sizes = SIZES[1:3] if arguments.quick else SIZES
        return [
            one
            for dataset, replicas, *targets in sizes
            for one in measure([f"dataset={dataset}", f"replicas={replicas}"], targets, blocks, repeats)
        ]

    finish("step", arguments, figures)


if __name__ == "__main__":
    main()
