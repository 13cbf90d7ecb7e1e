"""Ways for a job to die, as a dataset's source: `dataset.source._target_=tests.deaths.killed`."""

import os
import signal
from typing import Any


def raising(**_: Any) -> None:
    """Raise what nobody expects."""
    raise RuntimeError("the source fell over")


def killed(**_: Any) -> None:
    """End as a process does that the system runs out of memory for."""
    os.kill(os.getpid(), signal.SIGKILL)
