"""Measure 1, 10, 100 and 1000 replicas on one GPU, against processes that share it.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --device cpu --replicas 1 10 --processes 1 2

Seconds of a bare step of DO, with the work of the GPU waited for. The processes train one seed each and are
timed while all of them run; the slowest counts. Every process needs memory for CUDA itself, so fewer
processes than replicas fit. Exits with 2 if torch finds no GPU.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from bare_steps import prepare, run_steps
from common import NO_GPU, Figure, alternate, figure, finish, parser, ratios

from adversarial_oversampling.config.compose import compose_train

TARGETS = {100: 2.0, 1000: 8.0}
"""What a step of so many replicas may cost, as a ratio to a step of one."""
READY = "ready"


def measure(
    overrides: Sequence[str],
    replicas: Sequence[int] = (1, 10, 100, 1000),
    processes: Sequence[int] = (1, 10),
    steps: int = 200,
    repeats: int = 5,
) -> list[Figure]:
    """Measure replicas against the fewest replicas, and against the same number of processes."""
    timers: dict[str, Callable[[], float]] = {}
    for count in replicas:
        cfg = compose_train([*overrides, "mode=do", f"replicas={count}"])
        timers[f"replicas={count}"] = partial(run_steps, cfg, steps, prepare(cfg), time.perf_counter)
    for count in processes:
        timers[f"processes={count}"] = partial(slowest_process, overrides, count, steps)
    seconds = alternate(timers, repeats)
    figures = [figure(name, [1000 * s for s in values], "ms") for name, values in seconds.items()]
    for count in replicas[1:]:
        against_first = ratios(seconds[f"replicas={count}"], seconds[f"replicas={replicas[0]}"])
        target = TARGETS.get(count) if replicas[0] == 1 else None
        figures.append(figure(f"replicas: {count} against {replicas[0]}", against_first, target=target))
    for count in sorted(set(replicas) & set(processes)):
        ratio = ratios(seconds[f"replicas={count}"], seconds[f"processes={count}"])
        figures.append(figure(f"replicas={count} against processes={count}", ratio))
    return figures


def slowest_process(overrides: Sequence[str], count: int, steps: int) -> float:
    """Take the steps in several processes at once and return the seconds of a step of the slowest."""
    children = [
        subprocess.Popen(
            [sys.executable, __file__, "--child", str(seed), "--steps", str(steps), *overrides],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for seed in range(count)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            while (line := child.stdout.readline()) != f"{READY}\n":
                if not line:
                    raise RuntimeError(f"a process of {count} ended early; is there enough memory?")
        for child in children:
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
        return max(float(child.communicate()[0].splitlines()[-1]) for child in children)
    finally:
        for child in children:
            child.kill()
            child.wait()


def take_steps(overrides: Sequence[str], seed: int, steps: int) -> None:
    """Warm up, wait for a line of input, and print the seconds of a step."""
    cfg = compose_train([*overrides, "mode=do", "replicas=1", f"seed={seed}"])
    data = prepare(cfg)
    run_steps(cfg, 2, data)
    print(READY, flush=True)
    sys.stdin.readline()
    print(run_steps(cfg, steps, data, time.perf_counter))


def main() -> None:
    arguments_parser = parser(__doc__)
    arguments_parser.add_argument("overrides", nargs="*", help="Hydra overrides, such as dataset=pima")
    arguments_parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    arguments_parser.add_argument("--replicas", type=int, nargs="+", default=[1, 10, 100, 1000])
    arguments_parser.add_argument("--processes", type=int, nargs="*", default=[1, 10])
    arguments_parser.add_argument("--steps", type=int, default=200)
    arguments_parser.add_argument("--repeats", type=int, default=5)
    arguments_parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = arguments_parser.parse_args()
    overrides = arguments.overrides
    if arguments.child is not None:
        take_steps(overrides, arguments.child, arguments.steps)
        return
    if arguments.device == "gpu" and not torch.cuda.is_available():
        print("torch finds no GPU; --device cpu runs the same measurements on the CPU.")
        sys.exit(NO_GPU)
    overrides = [f"trainer={arguments.device}", *overrides]
    steps, repeats = (50, 2) if arguments.quick else (arguments.steps, arguments.repeats)
    finish(
        "gpu",
        arguments,
        lambda: measure(overrides, arguments.replicas, arguments.processes, steps, repeats),
    )


if __name__ == "__main__":
    main()
