"""Dataset sources that fail: `dataset.source._target_=tests.failing_sources.killed`."""

import os
import signal
from typing import Any


def raising(**_: Any) -> None:
    """Raise an unexpected error."""
    raise RuntimeError("the source failed")


def killed(**_: Any) -> None:
    """End the process with SIGKILL, as the system does when it runs out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
