"""Adversarial oversampling of imbalanced tables, after the CIKM 2021 paper.

Data flows one way: configuration, rows, replicas, game, metrics, result. `train` is the entry point.
"""

import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adversarial_oversampling.estimators import AdversarialOversampler, AdversarialOversamplingClassifier

__all__ = ["AdversarialOversampler", "AdversarialOversamplingClassifier", "__version__"]

# Otherwise MKL's products depend on the alignment of a matrix in memory, and a replica among others would
# differ from the solo run in the last bits. The setting costs no time.
os.environ.setdefault("MKL_CBWR", "AUTO")

__version__ = "0.2.0"

_SCRIPTS = tuple(f"adversarial-oversampling{part}" for part in ("", "-report", "-dashboard"))


def _is_command() -> bool:
    """Return whether this process has been started as a command of this package."""
    if sys.argv[:1] == ["-m"]:  # Python imports the package of the module that it is going to run
        after = sys.orig_argv[sys.orig_argv.index("-m") + 1 :] if "-m" in sys.orig_argv else []
        return bool(after) and after[0].partition(".")[0] == __name__
    # Workers of joblib have the `argv` of the process that started them.
    return any(os.path.basename(path) in _SCRIPTS and path in sys.orig_argv for path in sys.argv[:1])


# Ctrl-C while the command is imported ends it without a traceback; then its guard handles Ctrl-C.
if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

_ESTIMATORS = ("AdversarialOversampler", "AdversarialOversamplingClassifier")


def __getattr__(name: str) -> Any:
    """Import the estimators when they are asked for: a command that shows a result needs no torch."""
    if name in _ESTIMATORS:
        return getattr(import_module("adversarial_oversampling.estimators"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_ESTIMATORS]
