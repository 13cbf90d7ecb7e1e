"""Sweeps as a command line starts them."""

import subprocess
import sys
from pathlib import Path

QUICK = ["replicas=1", "trainer.max_epochs=1", "logger=none"]


def command(folder: Path, *overrides: str) -> list[str]:
    sweep = [sys.executable, "-m", "adversarial_oversampling.train", "-m", f"paths.output_dir={folder}"]
    return [*sweep, *overrides]


def swept(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, *overrides), capture_output=True, text=True, check=False, timeout=300
    )
