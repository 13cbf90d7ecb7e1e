"""Kill a sweep at random moments, resume it, and compare it with an undisturbed one: numbers and seconds.

    python benchmarks/killed_sweep.py launcher=joblib

Exits with 1 if a number differs, a job is lost, or a job was trained to its end twice.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

JOBS = ["dataset=haberman,pima", "mode=q,ao,do,smote,gamo,weighted_q", "seed=0,100", "replicas=3"]
SETTINGS = ["trainer.checkpoint_seconds=0", "logger=none"]


def command(folder: Path, overrides: list[str]) -> list[str]:
    start = [sys.executable, "-m", "adversarial_oversampling.train", "-m", f"paths.output_dir={folder}"]
    return [*start, *JOBS, *SETTINGS, *overrides]


def numbers(folder: Path) -> dict[str, Any]:
    """Return the numbers of a sweep's results by job folder."""
    by_folder = {}
    for file in folder.glob("*/*/result.json"):
        result = json.loads(file.read_text())
        by_folder[str(file.parent.relative_to(folder))] = [result["replicas"], result["mean"], result["std"]]
    return by_folder


def finish(folder: Path, overrides: list[str]) -> float:
    """Run a sweep to its end and return its seconds."""
    started = time.perf_counter()
    process = subprocess.run(command(folder, overrides), stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode:
        sys.exit(process.stdout)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, such as launcher=joblib")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0, help="seed of the random moments")
    arguments = parser.parse_args()
    overrides = [f"trainer.max_epochs={arguments.epochs}", *arguments.overrides]
    moment = random.Random(arguments.seed)

    with tempfile.TemporaryDirectory() as name:
        straight, killed = Path(name, "straight"), Path(name, "killed")
        undisturbed = finish(straight, overrides)
        print(f"undisturbed: {len(numbers(straight))} jobs in {undisturbed:.0f} s", flush=True)
        disturbed = 0.0
        for _ in range(arguments.kills):
            process = subprocess.Popen(command(killed, overrides), stdout=subprocess.DEVNULL)
            seconds = moment.uniform(0.1, 1) * undisturbed / arguments.kills
            time.sleep(seconds)
            process.kill()
            process.wait()
            disturbed += seconds
            print(f"killed after {seconds:.0f} s: {len(numbers(killed))} jobs finished so far", flush=True)
        disturbed += finish(killed, overrides)
        same = numbers(killed) == numbers(straight)
        logs = [file.read_text() for file in killed.glob("*/*/output.log")]
        # A job that is killed after its result was written logs no "Finished", and is skipped afterwards.
        twice = sum(log.count("Finished:") > 1 for log in logs)
        resumed = sum("Resuming from" in log for log in logs)
        print(f"{len(numbers(killed))} jobs, numbers {'equal' if same else 'DIFFERENT'}")
        print(f"trained to the end twice: {twice} of {len(logs)}; from a checkpoint: {resumed}")
        print(f"time of the killed sweep / time of the undisturbed one: {disturbed / undisturbed:.2f}")
        sys.exit(not same or twice > 0 or len(logs) != len(numbers(straight)))


if __name__ == "__main__":
    main()
