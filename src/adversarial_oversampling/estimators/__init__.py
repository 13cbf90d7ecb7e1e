"""scikit-learn and imbalanced-learn estimators that play the same game as the suite."""

from adversarial_oversampling.estimators.classifier import AdversarialOversamplingClassifier
from adversarial_oversampling.estimators.oversampler import AdversarialOversampler

__all__ = ["AdversarialOversampler", "AdversarialOversamplingClassifier"]
