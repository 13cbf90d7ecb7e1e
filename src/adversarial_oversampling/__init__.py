"""Adversarial oversampling of imbalanced tables, after the CIKM 2021 paper.

Data flows one way: configuration, rows, replicas, game, metrics, result. `train` is the entry point.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adversarial_oversampling.estimators import AdversarialOversampler, AdversarialOversamplingClassifier

__all__ = ["AdversarialOversampler", "AdversarialOversamplingClassifier", "__version__"]

# Otherwise MKL's products depend on the alignment of a matrix in memory, and a replica among others would
# differ from the solo run in the last bits. The setting costs no time.
os.environ.setdefault("MKL_CBWR", "AUTO")

__version__ = "0.2.0"

_ESTIMATORS = ("AdversarialOversampler", "AdversarialOversamplingClassifier")


def __getattr__(name: str) -> Any:
    """Import the estimators when they are asked for: a command that shows a result needs no torch."""
    if name in _ESTIMATORS:
        return getattr(import_module("adversarial_oversampling.estimators"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_ESTIMATORS]
