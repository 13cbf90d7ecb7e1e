"""Measure what a command costs before it trains: CPU seconds of the whole process, and what it imports.

    python benchmarks/startup.py

`--help`, a refused setting and a stored result are compared with importing torch and Lightning, which none of
them needs.
"""

import json
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from common import Figure, alternate, figure, finish, parser, run_child

SLOW = (
    "torch",
    "pytorch_lightning",
    "wandb",
    "matplotlib",
    "pandas",
    "sklearn",
    "scipy",
    "pyarrow",
    "imblearn",
    "optuna",
)
COMMAND = ["-m", "adversarial_oversampling.train"]
IMPORTS = ["-c", "import torch, pytorch_lightning"]
PROBE = f"""
import json, sys
from adversarial_oversampling.train import main
try:
    main()
except SystemExit:
    pass
print(json.dumps([name for name in {SLOW} if name in sys.modules]))
"""


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the arguments of each command; the stored result is in a folder."""
    return {
        "--help": ["--help"],
        "refused setting": ["replicas=0", f"hydra.run.dir={folder / 'refused'}"],
        "stored result": [
            "mode=logistic",
            "trainer.max_epochs=1",
            "replicas=1",
            "logger=none",
            f"hydra.run.dir={folder / 'stored'}",
        ],
    }


def slow_imports(arguments: Sequence[str]) -> list[str]:
    """Return the slow modules that a command has imported when it ends."""
    names: list[str] = json.loads(run_child("-c", PROBE, *arguments).output.splitlines()[-1])
    return names


def cpu_seconds(program: Sequence[str]) -> float:
    """Return the CPU seconds of Python with these arguments, from start to end."""
    return run_child(*program).cpu_seconds


def measure(repeats: int = 5) -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        measured = commands(Path(name))
        if run_child(*COMMAND, *measured["stored result"]).code:
            raise RuntimeError("the run to be shown again failed")
        slow = {label: slow_imports(arguments) for label, arguments in measured.items()}
        programs = {
            "imports": IMPORTS,
            **{label: [*COMMAND, *arguments] for label, arguments in measured.items()},
        }
        seconds = alternate(
            {label: partial(cpu_seconds, program) for label, program in programs.items()}, repeats
        )
    imports = figure("import torch, pytorch_lightning", seconds.pop("imports"), "s")
    target = imports.value / 3 + 1
    return [
        imports,
        *(
            figure(label, values, "s", target, f"slow imports: {', '.join(slow[label]) or 'none'}")
            for label, values in seconds.items()
        ),
    ]


def main() -> None:
    arguments = parser(__doc__).parse_args()
    finish("startup", arguments, lambda: measure(repeats=2 if arguments.quick else 5))


if __name__ == "__main__":
    main()
