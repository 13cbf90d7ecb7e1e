"""Run the benchmarks one after another, each in a process of its own, and write one JSON file.

    python benchmarks/run_all.py --quick
    python benchmarks/run_all.py startup memory --output figures.json

A benchmark that needs a GPU is left out where there is none. The exit code is 1 if a benchmark fails; a
target that is missed is no failure.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import FOLDER, NO_GPU, parser, write_json

PARTS = ("startup", "step", "replicas", "memory", "growth", "peers", "gpu")


def run_part(part: str, file: Path, quick: bool) -> tuple[int, dict[str, Any] | None]:
    """Run a benchmark, which prints its figures; return its exit code and what it wrote, if it did."""
    command = [sys.executable, str(FOLDER / f"{part}.py"), "--output", str(file)]
    code = subprocess.run([*command, *(["--quick"] if quick else [])], check=False).returncode
    return code, json.loads(file.read_text()) if code == 0 else None


def main() -> None:
    arguments_parser = parser(__doc__)
    arguments_parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all by default")
    arguments = arguments_parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        arguments_parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    reports, failed = [], []
    with tempfile.TemporaryDirectory() as folder:
        for part in arguments.parts or PARTS:
            print(f"\n{part}", flush=True)
            code, written = run_part(part, Path(folder, f"{part}.json"), arguments.quick)
            if written is not None:
                reports.append(written)
            elif code != NO_GPU:
                failed.append(part)
    if arguments.output is not None:
        write_json(arguments.output, {"parts": reports})
        print(f"\nWritten to {arguments.output}")
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
