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

# A command of this package, by `python -m` or by its script's name, is imported for a while. Ctrl-C then ends
# it without a traceback; later, its guard handles Ctrl-C.
if (
    sys.argv[:1] == ["-m"] or os.path.basename(sys.argv[0]).startswith("adversarial-oversampling")
) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

__version__ = "0.2.0"

_ESTIMATORS = ("AdversarialOversampler", "AdversarialOversamplingClassifier")


def __getattr__(name: str) -> Any:
    """Import the estimators when they are asked for: a command that shows a result needs no torch."""
    if name in _ESTIMATORS:
        return getattr(import_module("adversarial_oversampling.estimators"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_ESTIMATORS]
