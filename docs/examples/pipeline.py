"""Oversample inside a pipeline of imbalanced-learn, and compare with class weights and a moved threshold."""

import numpy as np
import pandas as pd
from imblearn.pipeline import make_pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, TunedThresholdClassifierCV, cross_validate
from sklearn.preprocessing import StandardScaler

from adversarial_oversampling import AdversarialOversampler, AdversarialOversamplingClassifier
from adversarial_oversampling.data.sources import load_haberman

table = load_haberman(data_dir=None)
X, y = pd.DataFrame(table.x, columns=table.feature_names), table.y
logistic = LogisticRegression()
methods = {
    "DO": AdversarialOversamplingClassifier("do", max_epochs=30, random_state=0),
    "Q alone": AdversarialOversamplingClassifier("q", max_epochs=30, random_state=0),
    # A sampler in a pipeline sees the training rows of each fold only.
    "logistic regression on DO's rows": make_pipeline(
        AdversarialOversampler("do", max_epochs=30, random_state=0), StandardScaler(), logistic
    ),
    "logistic regression, class weights": make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced")
    ),
    "logistic regression, tuned threshold": TunedThresholdClassifierCV(
        make_pipeline(StandardScaler(), logistic), scoring="balanced_accuracy"
    ),
}
folds = RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0)
for name, method in methods.items():
    scores = cross_validate(method, X, y, cv=folds, scoring="balanced_accuracy")["test_score"]
    print(f"{name}: {np.mean(scores):.3f} ± {np.std(scores):.3f}")
