"""Train one run in this process, in a temporary folder, and print what it took as a line of JSON.

    python benchmarks/one_run.py dataset=haberman mode=do replicas=10

The other benchmarks start it as a fresh process. It prints `cpu_seconds` without the imports, `peak_mib`, and
`acsa`, the mean on the test rows. With --imports it trains nothing, and `peak_mib` is that of the imports.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.training.run import train

QUIET = ["logger=none", "trainer.enable_progress_bar=false"]
OWN_MODES = Path(__file__).parent / "conf"


def peak_mib() -> float:
    """Return the most memory that this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, getrusage counts the parent's memory at the time of the fork too
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def measure(overrides: Sequence[str]) -> dict[str, Any]:
    """Train a run and return its CPU seconds, the peak of memory and the mean ACSA."""
    started = time.process_time()
    cfg = compose_train([*QUIET, *overrides], [str(OWN_MODES)])
    cfg.paths.config_dirs = [str(OWN_MODES)]
    with tempfile.TemporaryDirectory() as folder:
        result = train(cfg, Path(folder))
    return {
        "cpu_seconds": time.process_time() - started,
        "peak_mib": peak_mib(),
        "acsa": result.mean.acsa,
    }


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Do what the command line asks for and return the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", help="Hydra overrides")
    parser.add_argument("--imports", action="store_true", help="train nothing")
    parsed = parser.parse_args(arguments)
    if parsed.imports:
        return {"cpu_seconds": 0.0, "peak_mib": peak_mib(), "acsa": None}
    return measure(parsed.overrides)


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1:])))
