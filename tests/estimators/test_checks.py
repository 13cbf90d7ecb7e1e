"""The checks that scikit-learn and imbalanced-learn have for every estimator."""

from collections.abc import Callable
from typing import Any

from imblearn.utils.estimator_checks import parametrize_with_checks as imblearn_checks
from sklearn.utils.estimator_checks import parametrize_with_checks as sklearn_checks

from adversarial_oversampling.estimators import AdversarialOversampler, AdversarialOversamplingClassifier

Check = Callable[[Any], None]
# As few steps as the checks of accuracy allow.
CLASSIFIER = AdversarialOversamplingClassifier(
    max_epochs=15, learning_rate=0.01, anchors=32, epoch_selection=None, random_state=0
)
OVERSAMPLER = AdversarialOversampler(max_epochs=2, anchors=16, epoch_selection=None, random_state=0)


@sklearn_checks([CLASSIFIER, OVERSAMPLER])
def test_of_scikit_learn(estimator: Any, check: Check) -> None:
    check(estimator)


@imblearn_checks([OVERSAMPLER])
def test_of_imbalanced_learn(estimator: Any, check: Check) -> None:
    check(estimator)
