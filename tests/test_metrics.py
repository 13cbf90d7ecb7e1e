"""Recalls, ACSA and GM by hand, against other libraries, and over batches."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    recall_score,
    roc_auc_score,
)
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from adversarial_oversampling.metrics import (
    ACSA,
    AbsentClassWarning,
    Confusion,
    GMean,
    Recall,
    acsa,
    acsa_of_present,
    confusion,
    g_mean,
    imbalance_metrics,
    probability_metrics,
    recall,
)

# recalls: 2/3 and 1/2
TWO = torch.tensor([[[2, 1], [1, 1]]])
# recalls: 4/4, 2/4 and 1/4
THREE = torch.tensor([[[4, 0, 0], [1, 2, 1], [2, 1, 1]]])
# the second class is never right
MISSED = torch.tensor([[[3, 1, 0], [2, 0, 2], [0, 0, 5]]])
# replica 1 has no row of class 2
ABSENT = torch.tensor([[[1, 1, 0], [0, 2, 0], [0, 0, 1]], [[3, 1, 0], [1, 0, 1], [0, 0, 0]]])


def answers(seed: int, replicas: int, classes: int, rows: int, padding: int = 0) -> tuple[Tensor, Tensor]:
    """Predictions and targets with every class present in every replica, then shuffled."""
    rng = np.random.default_rng(seed)
    target = np.stack(
        [
            rng.permutation(
                np.concatenate(
                    [np.arange(classes), rng.integers(0, classes, rows - classes), np.full(padding, -1)]
                )
            )
            for _ in range(replicas)
        ]
    )
    predicted = np.where(
        rng.random(target.shape) < 0.5, target.clip(0), rng.integers(0, classes, target.shape)
    )
    return torch.from_numpy(predicted), torch.from_numpy(target)


class TestConfusion:
    def test_by_hand(self) -> None:
        # rows: true class; columns: predicted class
        target = torch.tensor([[0, 0, 0, 1, 1], [1, 1, 1, 1, 0]])
        predicted = torch.tensor([[0, 0, 1, 1, 0], [1, 0, 1, 1, 1]])
        found = confusion(predicted, target, 2)
        assert found.tolist() == [[[2, 1], [1, 1]], [[0, 1], [1, 3]]]
        assert found.dtype == torch.int64

    def test_padding_does_not_count(self) -> None:
        target = torch.tensor([[0, -1, 1, -1, -1]])
        predicted = torch.tensor([[1, 0, 1, 1, 0]])
        assert confusion(predicted, target, 2).tolist() == [[[0, 1], [0, 1]]]

    def test_nothing_but_padding(self) -> None:
        target = torch.full((2, 3), -1)
        assert confusion(torch.zeros(2, 3, dtype=torch.long), target, 3).sum() == 0

    def test_no_rows(self) -> None:
        empty = torch.zeros(2, 0, dtype=torch.long)
        assert confusion(empty, empty, 3).tolist() == torch.zeros(2, 3, 3).tolist()

    @settings(deadline=None, max_examples=30)
    @given(
        seed=st.integers(0, 2**31),
        replicas=st.integers(1, 4),
        classes=st.integers(2, 5),
        padding=st.integers(0, 6),
    )
    def test_equals_scikit_learn(self, seed: int, replicas: int, classes: int, padding: int) -> None:
        predicted, target = answers(seed, replicas, classes, 20, padding)
        found = confusion(predicted, target, classes)
        for r in range(replicas):
            real = target[r] >= 0
            wanted = confusion_matrix(target[r][real], predicted[r][real], labels=range(classes))
            assert found[r].tolist() == wanted.tolist()


class TestByHand:
    def test_recall(self) -> None:
        assert recall(TWO)[0].tolist() == pytest.approx([2 / 3, 1 / 2])
        assert recall(THREE)[0].tolist() == [1.0, 0.5, 0.25]
        assert recall(MISSED)[0].tolist() == [0.75, 0.0, 1.0]

    def test_acsa(self) -> None:
        # (2/3 + 1/2) / 2, (1 + 1/2 + 1/4) / 3, (3/4 + 0 + 1) / 3: all three are 7/12
        for matrix in (TWO, THREE, MISSED):
            assert acsa(matrix).tolist() == pytest.approx([7 / 12])

    def test_g_mean(self) -> None:
        assert g_mean(TWO).tolist() == pytest.approx([(1 / 3) ** 0.5])  # 2/3 * 1/2 = 1/3
        assert g_mean(THREE).tolist() == pytest.approx([0.5])  # 1 * 1/2 * 1/4 = 1/8
        assert g_mean(MISSED).tolist() == [0.0]

    def test_nothing_missed_and_everything_missed(self) -> None:
        right, wrong = torch.tensor([[[3, 0], [0, 2]]]), torch.tensor([[[0, 3], [2, 0]]])
        assert (acsa(right).tolist(), g_mean(right).tolist()) == ([1.0], [1.0])
        assert (acsa(wrong).tolist(), g_mean(wrong).tolist()) == ([0.0], [0.0])

    def test_absent_class(self) -> None:
        # recalls (1/2, 1, 1) and (3/4, 0, none): ACSA 5/6 and undefined
        found = recall(ABSENT)
        assert found[0].tolist() == [0.5, 1.0, 1.0]
        assert found[1, :2].tolist() == [0.75, 0.0]
        assert found[1, 2].isnan()
        assert float(acsa(ABSENT)[0]) == pytest.approx(5 / 6)
        assert float(g_mean(ABSENT)[0]) == pytest.approx(0.5 ** (1 / 3))
        assert acsa(ABSENT)[1].isnan()
        assert g_mean(ABSENT)[1].isnan()

    def test_acsa_of_present(self) -> None:
        # the absent class is left out of replica 1: (3/4 + 0) / 2
        assert acsa_of_present(ABSENT).tolist() == pytest.approx([5 / 6, 0.375])
        assert acsa_of_present(torch.zeros(1, 2, 2)).isnan().all()

    @settings(deadline=None, max_examples=40)
    @given(seed=st.integers(0, 2**31), classes=st.integers(2, 6), scale=st.integers(1, 9), data=st.data())
    def test_properties(self, seed: int, classes: int, scale: int, data: st.DataObject) -> None:
        predicted, target = answers(seed, 2, classes, 25)
        matrix = confusion(predicted, target, classes)
        # GM <= ACSA, both in [0, 1]
        assert ((g_mean(matrix) >= 0) & (g_mean(matrix) <= acsa(matrix) + 1e-12)).all()
        assert (acsa(matrix) <= 1).all()
        torch.testing.assert_close(acsa_of_present(matrix), acsa(matrix))
        # more rows of one class, answered alike, change no recall
        heavier = matrix.clone()
        heavier[:, 0] *= scale
        torch.testing.assert_close(recall(heavier), recall(matrix))
        # the names of the classes do not matter
        order = data.draw(st.permutations(range(classes)))
        renamed = matrix[:, order][:, :, order]
        torch.testing.assert_close(acsa(renamed), acsa(matrix))
        torch.testing.assert_close(g_mean(renamed), g_mean(matrix))


def minority(*chances: float) -> Tensor:
    """Probabilities of two classes from those of class 1."""
    p = torch.tensor(chances)
    return torch.stack([1 - p, p], dim=1)


class TestProbabilityMetrics:
    def test_two_classes_by_hand(self) -> None:
        # Of the four pairs (0.35, 0.82) against (0.1, 0.42) three are in order.
        # From the top: 0.82 is right (1/1), 0.42 is not, 0.35 is (2/3); half of the positives each.
        # Confidences 0.9, 0.58, 0.65 and 0.82 lie in bins of their own; all but the third are right.
        found = probability_metrics(minority(0.1, 0.42, 0.35, 0.82), torch.tensor([0, 0, 1, 1]))
        assert found == {
            "auroc": pytest.approx(0.75),
            "pr_auc": pytest.approx((1 + 2 / 3) / 2),
            "calibration_error": pytest.approx((0.1 + 0.42 + 0.65 + 0.18) / 4),
        }

    def test_rows_of_one_bin_are_taken_together(self) -> None:
        # 0.61 and 0.65 lie between 9/15 and 10/15: one of two is right, 0.63 was said. 0.99 is right.
        found = probability_metrics(minority(0.61, 0.35, 0.99), torch.tensor([1, 1, 1]))
        assert found["calibration_error"] == pytest.approx((2 * 0.13 + 0.01) / 3)

    def test_three_classes_by_hand(self) -> None:
        # Pairs in order: class 0 has 0.5 against 0.2 and 0.6, one of two; class 1 has 0.5 against 0.3 and
        # 0.1, two of two; class 2 has 0.3 against 0.2 and 0.3, one and a half of two.
        # Precision where class 1 is found is 1, and 1/2 for class 2, which is level with another row.
        p = torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
        found = probability_metrics(p, torch.tensor([0, 1, 2]))
        assert found["auroc"] == pytest.approx((0.5 + 1 + 0.75) / 3)
        assert found["pr_auc"] == pytest.approx((1 + 0.5) / 2)

    @settings(deadline=None, max_examples=30)
    @given(seed=st.integers(0, 2**31), classes=st.integers(2, 5))
    def test_equals_scikit_learn_and_counted_pairs(self, seed: int, classes: int) -> None:
        _, target = answers(seed, 1, classes, 25)
        y = target[0]
        logits = torch.randn(25, classes, generator=torch.Generator().manual_seed(seed))
        p = (logits + 2 * torch.nn.functional.one_hot(y, classes)).softmax(dim=-1)
        found = probability_metrics(p, y)
        chance = p.double().numpy()
        chance /= chance.sum(axis=1, keepdims=True)
        if classes == 2:
            assert found["auroc"] == pytest.approx(roc_auc_score(y, chance[:, 1]))
        else:
            assert found["auroc"] == pytest.approx(roc_auc_score(y, chance, multi_class="ovr"), abs=1e-6)
        pairs = []
        for k in range(classes):
            own, rest = p[y == k, k][:, None], p[y != k, k][None]
            pairs.append(float(((own > rest).double() + 0.5 * (own == rest).double()).mean()))
        assert found["auroc"] == pytest.approx(np.mean(pairs))
        wanted = [average_precision_score((y == k).numpy(), p[:, k].numpy()) for k in range(1, classes)]
        assert found["pr_auc"] == pytest.approx(np.mean(wanted))
        assert 0 <= float(found["calibration_error"] or 0) <= 1

    def test_an_absent_class_leaves_the_areas_undefined(self) -> None:
        p = torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]])
        found = probability_metrics(p, torch.tensor([0, 1]))
        assert found == {"auroc": None, "pr_auc": None, "calibration_error": pytest.approx(0.3)}


class TestMetricClasses:
    @settings(deadline=None, max_examples=15)
    @given(
        seed=st.integers(0, 2**31),
        replicas=st.integers(2, 3),
        classes=st.integers(2, 4),
        cut=st.integers(0, 30),
    )
    def test_batches_add_up_and_equal_other_libraries(
        self, seed: int, replicas: int, classes: int, cut: int
    ) -> None:
        predicted, target = answers(seed, replicas, classes, 24, padding=6)
        in_batches, at_once = imbalance_metrics(replicas, classes), imbalance_metrics(replicas, classes)
        at_once.update(predicted, target)
        in_batches.update(predicted[:, :cut], target[:, :cut])
        in_batches.update(predicted[:, cut:], target[:, cut:])
        found = in_batches.compute()
        for name, value in at_once.compute().items():
            assert torch.equal(found[name], value)
        for r in range(replicas):
            real = target[r] >= 0
            true, said = target[r][real].numpy(), predicted[r][real].numpy()
            assert found["recall"][r].tolist() == pytest.approx(
                recall_score(true, said, average=None).tolist()
            )
            assert float(found["acsa"][r]) == pytest.approx(balanced_accuracy_score(true, said))
            wanted = geometric_mean_score(true, said, average="multiclass")
            assert float(found["g_mean"][r]) == pytest.approx(wanted)
            assert found["confusion"][r].tolist() == confusion_matrix(true, said).tolist()

    @pytest.mark.parametrize(
        ("metric", "wanted"),
        [
            (Confusion, [[[1, 1], [0, 1]], [[2, 0], [1, 0]]]),
            (Recall, [[0.5, 1.0], [1.0, 0.0]]),
            (ACSA, [0.75, 0.5]),
            (GMean, [0.5**0.5, 0.0]),
        ],
    )
    def test_each_by_hand_and_alone(self, metric: type[Confusion], wanted: list[Any]) -> None:
        one = metric(2, 2)
        one.update(torch.tensor([[0, 1], [0, 0]]), torch.tensor([[0, 0], [0, 1]]))
        one.update(torch.tensor([[1, 1], [0, 1]]), torch.tensor([[1, -1], [0, -1]]))
        torch.testing.assert_close(
            one.compute().double(), torch.tensor(wanted, dtype=torch.float64), rtol=1e-12, atol=0
        )

    def test_shapes(self) -> None:
        metrics = imbalance_metrics(4, 3)
        metrics.update(*answers(0, 4, 3, 10))
        shapes = {name: tuple(value.shape) for name, value in metrics.compute().items()}
        assert shapes == {"acsa": (4,), "g_mean": (4,), "recall": (4, 3), "confusion": (4, 3, 3)}

    def test_each_batch_is_counted_once(self) -> None:
        class Scatters(TorchDispatchMode):
            seen = 0

            def __torch_dispatch__(
                self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
            ) -> Any:
                self.seen += func is torch.ops.aten.scatter_add_.default
                return func(*args, **(kwargs or {}))

        metrics = imbalance_metrics(2, 3)
        with Scatters() as scatters:
            metrics.update(*answers(0, 2, 3, 10))
            assert scatters.seen == 1
            metrics.update(*answers(1, 2, 3, 10))
            found = metrics.compute()
        assert scatters.seen == 2
        assert found["confusion"].sum(dim=(1, 2)).tolist() == [20, 20]

    def test_reset(self) -> None:
        metrics, fresh = imbalance_metrics(2, 3), imbalance_metrics(2, 3)
        metrics.update(*answers(0, 2, 3, 10))
        first = metrics.compute()["confusion"]
        metrics.reset()
        for batch in (answers(1, 2, 3, 12), answers(2, 2, 3, 12)):
            metrics.update(*batch)
            fresh.update(*batch)
        found, wanted = metrics.compute(), fresh.compute()
        for name in wanted:
            assert torch.equal(found[name], wanted[name])
        assert int(first.sum()) == 20

    def test_replicas_do_not_mix(self) -> None:
        predicted, target = answers(3, 3, 4, 30, padding=2)
        together = imbalance_metrics(3, 4)
        together.update(predicted, target)
        found = together.compute()
        for r in range(3):
            alone = imbalance_metrics(1, 4)
            alone.update(predicted[r : r + 1], target[r : r + 1])
            for name, value in alone.compute().items():
                assert torch.equal(value.reshape(found[name][r].shape), found[name][r])


class TestAbsentClass:
    @pytest.mark.parametrize("metric", [ACSA, GMean])
    def test_warns_by_name_and_is_nan(self, metric: type[Confusion]) -> None:
        one = metric(2, 3)
        one.update(torch.tensor([[0, 1, 2], [0, 1, 1]]), torch.tensor([[0, 1, 2], [0, 1, -1]]))
        with pytest.warns(AbsentClassWarning, match="class 2 of replica 1:") as caught:
            found = one.compute()
        assert len(caught) == 1
        assert "replica 0" not in str(caught[0].message)
        assert float(found[0]) == 1
        assert found[1].isnan()

    def test_recall_alone_is_nan_without_a_warning(self) -> None:
        one = Recall(1, 3)
        one.update(torch.tensor([[0, 1]]), torch.tensor([[0, 0]]))
        found = one.compute()
        assert float(found[0, 0]) == 0.5
        assert found[0, 1:].isnan().all()

    def test_a_predicted_class_without_rows_is_absent(self) -> None:
        one = ACSA(1, 2)
        one.update(torch.tensor([[1, 0]]), torch.tensor([[0, 0]]))
        with pytest.warns(AbsentClassWarning, match="class 1 of replica 0"):
            assert one.compute().isnan().all()

    def test_many_absent_classes_are_counted(self) -> None:
        # 4 replicas of 3 classes, with rows of class 0 only: 8 are absent, 5 are named
        one = GMean(4, 3)
        one.update(torch.zeros(4, 2, dtype=torch.long), torch.zeros(4, 2, dtype=torch.long))
        with pytest.warns(AbsentClassWarning, match="and 3 more") as caught:
            one.compute()
        assert str(caught[0].message).count("class ") == 5

    def test_no_warning_when_all_are_present(self, recwarn: pytest.WarningsRecorder) -> None:
        metrics = imbalance_metrics(2, 3)
        metrics.update(*answers(0, 2, 3, 10))
        metrics.compute()
        assert not [w for w in recwarn if issubclass(w.category, AbsentClassWarning)]
