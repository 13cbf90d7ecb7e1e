"""Train a classifier and an over-sampler on an imbalanced table, in a few lines."""

from sklearn.datasets import make_classification
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

from adversarial_oversampling import AdversarialOversampler, AdversarialOversamplingClassifier

X, y = make_classification(1000, 8, n_informative=5, weights=[0.9], random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
classifier = AdversarialOversamplingClassifier(mode="do", max_epochs=50, random_state=0).fit(X_train, y_train)
print("balanced accuracy of DO:", balanced_accuracy_score(y_test, classifier.predict(X_test)))
X_more, y_more = AdversarialOversampler(mode="do", max_epochs=50, random_state=0).fit_resample(
    X_train, y_train
)
print("rows before and after oversampling:", len(X_train), len(X_more))
