"""Every loss term by hand, at extreme scores, and by its gradient's sign."""

from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adversarial_oversampling.game.losses import (
    CLASSIFIER_TERMS,
    GanLoss,
    LeastSquares,
    Vanilla,
    Wasserstein,
    balanced_cross_entropy,
    complement_entropy,
    expectation,
    favour,
    favour_squares,
    fool,
    fool_squares,
    gradient_penalty,
    interpolate,
    smoothed,
)

# softmax of these logits is (0.7, 0.2, 0.1)
LOGITS = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log()

logit_rows = st.lists(st.floats(-30, 30), min_size=2, max_size=6)


def close(found: Tensor, wanted: object, tolerance: float = 1e-12) -> None:
    expected = torch.as_tensor(wanted, dtype=found.dtype)
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


class TestClassifierTerms:
    def test_favour_by_hand(self) -> None:
        # CE = -ln Q_k, for k = 0, 1, 2
        close(favour(LOGITS.expand(3, 3), torch.arange(3)), [-log(0.7), -log(0.2), -log(0.1)])

    def test_fool_by_hand(self) -> None:
        # CCE = -ln(1 - Q_k): 1 - 0.7 = 0.3, 1 - 0.2 = 0.8, 1 - 0.1 = 0.9
        close(fool(LOGITS.expand(3, 3), torch.arange(3)), [-log(0.3), -log(0.8), -log(0.9)])

    def test_uniform_logits(self) -> None:
        # Q_k = 1/4: CE = ln 4, CCE = -ln(3/4)
        logits, classes = torch.full((1, 4), 5.0, dtype=torch.float64), torch.tensor([2])
        close(favour(logits, classes), [log(4)])
        close(fool(logits, classes), [log(4 / 3)])

    def test_names(self) -> None:
        assert list(CLASSIFIER_TERMS.items()) == [
            ("favour", favour),
            ("fool", fool),
            ("favour_squares", favour_squares),
            ("fool_squares", fool_squares),
        ]

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_extreme_logits_of_two_classes(self, dtype: torch.dtype) -> None:
        # CCE of class 0 at logits (a, b) is softplus(a - b); with a = 1e4, b = -1e4 that is 20000.
        logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4], [-1e4, -1e4], [1e4, 0.0]], dtype=dtype)
        logits.requires_grad_(True)
        value = fool(logits, torch.zeros(5, dtype=torch.long))
        tolerance = 1e-3 if dtype == torch.float32 else 1e-12  # float32 steps at 1e4 are 0.001
        close(value.detach(), [2e4, 0.0, log(2), log(2), 1e4], tolerance)
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        # d softplus(a - b) / da = sigmoid(a - b) = -d / db
        close(gradient, [[1, -1], [0, 0], [0.5, -0.5], [0.5, -0.5], [1, -1]], tolerance)

    def test_extreme_logits_of_three_classes(self) -> None:
        # all but class 0: logsumexp(0, -1e4) = 0, so CCE = 1e4 - 0
        logits = torch.tensor([[1e4, 0.0, -1e4]], dtype=torch.float64, requires_grad=True)
        value = fool(logits, torch.tensor([0]))
        close(value.detach(), [1e4])
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        close(gradient, [[1.0, -1.0, 0.0]])

    @settings(deadline=None, max_examples=60)
    @given(a=st.floats(-1e4, 1e4), b=st.floats(-1e4, 1e4))
    def test_fool_is_softplus_for_two_classes(self, a: float, b: float) -> None:
        value = fool(torch.tensor([[a, b]], dtype=torch.float64), torch.tensor([0]))
        expected = torch.nn.functional.softplus(torch.tensor([a - b], dtype=torch.float64), threshold=50)
        close(value, expected, 1e-10)

    @settings(deadline=None, max_examples=60)
    @given(a=st.floats(-50, 50), b=st.floats(-50, 50), k=st.integers(0, 1))
    def test_to_fool_one_of_two_is_to_favour_the_other(self, a: float, b: float, k: int) -> None:
        logits = torch.tensor([[a, b]], dtype=torch.float64)
        close(fool(logits, torch.tensor([k])), favour(logits, torch.tensor([1 - k])))

    @settings(deadline=None, max_examples=60)
    @given(row=logit_rows, data=st.data())
    def test_the_two_probabilities_sum_to_one(self, row: list[float], data: st.DataObject) -> None:
        k = data.draw(st.integers(0, len(row) - 1))
        logits, classes = torch.tensor([row], dtype=torch.float64), torch.tensor([k])
        close((-favour(logits, classes)).exp() + (-fool(logits, classes)).exp(), [1.0])
        assert favour(logits, classes) >= 0
        assert fool(logits, classes) >= 0

    @settings(deadline=None, max_examples=40)
    @given(row=logit_rows, shift=st.floats(-100, 100))
    def test_a_shift_of_all_logits_changes_nothing(self, row: list[float], shift: float) -> None:
        logits, classes = torch.tensor([row], dtype=torch.float64), torch.tensor([0])
        for term in (favour, fool):
            close(term(logits + shift, classes), term(logits, classes), 1e-10)

    @pytest.mark.parametrize("term", [favour, fool])
    def test_replica_axis(self, term: object) -> None:
        assert callable(term)
        replicas, classes, rows = 2, 3, 4
        logits = torch.randn(replicas, classes, rows, classes, generator=torch.Generator().manual_seed(0))
        k = torch.arange(classes)[None, :, None].expand(replicas, classes, rows)
        values = term(logits, k)
        assert values.shape == (replicas, classes, rows)
        p = logits.double().softmax(dim=-1)
        for r in range(replicas):
            for c in range(classes):
                for m in range(rows):
                    q = float(p[r, c, m, c])
                    wanted = -log(q) if term is favour else -log(1 - q)
                    assert float(values[r, c, m]) == pytest.approx(wanted, rel=1e-5)

    def test_gradient_of_favour_by_hand(self) -> None:
        # d(-ln Q_0) / d logits = Q - (1, 0, 0): descent raises logit 0 and lowers the others
        logits = LOGITS.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(favour(logits, torch.tensor(0)), logits)
        close(gradient, [-0.3, 0.2, 0.1])

    def test_gradient_of_fool_by_hand(self) -> None:
        # d(-ln(1 - Q_0)): Q_0 = 0.7 for logit 0, Q_j - Q_j / 0.3 for the others:
        # 0.2 - 2/3 = -7/15 and 0.1 - 1/3 = -7/30. Descent lowers logit 0 and raises the others.
        logits = LOGITS.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(fool(logits, torch.tensor(0)), logits)
        close(gradient, [0.7, -7 / 15, -7 / 30])

    @settings(deadline=None, max_examples=40)
    @given(row=st.lists(st.floats(-5, 5), min_size=2, max_size=6), data=st.data())
    def test_signs_of_the_gradients(self, row: list[float], data: st.DataObject) -> None:
        k = data.draw(st.integers(0, len(row) - 1))
        for term, sign in ((favour, -1), (fool, 1)):
            logits = torch.tensor([row], dtype=torch.float64, requires_grad=True)
            (gradient,) = torch.autograd.grad(term(logits, torch.tensor([k])).sum(), logits)
            assert gradient[0, k] * sign > 0
            others = torch.cat([gradient[0, :k], gradient[0, k + 1 :]])
            assert (others * sign < 0).all()


class TestSquares:
    def test_favour_by_hand(self) -> None:
        # mean of (Q - one-hot)^2: (0.09 + 0.04 + 0.01) / 3, (0.49 + 0.64 + 0.01) / 3,
        # (0.49 + 0.04 + 0.81) / 3
        found = favour_squares(LOGITS.expand(3, 3), torch.arange(3))
        close(found, [0.14 / 3, 1.14 / 3, 1.34 / 3])

    def test_fool_by_hand(self) -> None:
        # mean of (Q - (1 - one-hot))^2: (0.49 + 0.64 + 0.81) / 3, (0.09 + 0.04 + 0.81) / 3,
        # (0.09 + 0.64 + 0.01) / 3
        found = fool_squares(LOGITS.expand(3, 3), torch.arange(3))
        close(found, [1.94 / 3, 0.94 / 3, 0.74 / 3])

    def test_two_classes_by_hand(self) -> None:
        # Q = (0.8, 0.2): favour (1 - Q_k)^2, fool Q_k^2
        logits = torch.tensor([[0.8, 0.2]], dtype=torch.float64).log().expand(2, 2)
        close(favour_squares(logits, torch.arange(2)), [0.04, 0.64])
        close(fool_squares(logits, torch.arange(2)), [0.64, 0.04])

    def test_gradients_of_two_classes_by_hand(self) -> None:
        # p = 0.8, dp/dlogit_0 = 0.16: d(1 - p)^2 = -2 * 0.2 * 0.16 and dp^2 = 2 * 0.8 * 0.16
        for term, slope in ((favour_squares, -0.064), (fool_squares, 0.256)):
            logits = torch.tensor([0.8, 0.2], dtype=torch.float64).log().requires_grad_(True)
            (gradient,) = torch.autograd.grad(term(logits, torch.tensor(0)), logits)
            close(gradient, [slope, -slope])

    def test_gradients_of_three_classes_by_hand(self) -> None:
        # dL/dlogit_i = 2/3 Q_i (e_i - sum_j e_j Q_j) with e = Q - target.
        # favour 0: e = (-0.3, 0.2, 0.1), e Q = (-0.21, 0.04, 0.01), in all -0.16
        # fool 0: e = (0.7, -0.8, -0.9), e Q = (0.49, -0.16, -0.09), in all 0.24
        for term, wanted in (
            (favour_squares, [-0.21 + 0.112, 0.04 + 0.032, 0.01 + 0.016]),
            (fool_squares, [0.49 - 0.168, -0.16 - 0.048, -0.09 - 0.024]),
        ):
            logits = LOGITS.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(term(logits, torch.tensor(0)), logits)
            close(gradient, [2 / 3 * slope for slope in wanted])

    def test_extreme_logits(self) -> None:
        # Q = (1, 0, 0)
        logits, classes = torch.tensor([[1e4, 0.0, -1e4]]).expand(2, 3), torch.tensor([0, 1])
        close(favour_squares(logits, classes), [0.0, 2 / 3], 1e-6)
        close(fool_squares(logits, classes), [1.0, 1 / 3], 1e-6)

    @settings(deadline=None, max_examples=60)
    @given(row=logit_rows, shift=st.floats(-100, 100), data=st.data())
    def test_bounds(self, row: list[float], shift: float, data: st.DataObject) -> None:
        # To favour is at most 2 / C. To fool is least at 1 / (C - 1) for every other class:
        # ((C - 1) (1 - 1 / (C - 1))^2) / C.
        k, count = torch.tensor([data.draw(st.integers(0, len(row) - 1))]), len(row)
        logits = torch.tensor([row], dtype=torch.float64)
        assert 0 <= float(favour_squares(logits, k)) <= 2 / count + 1e-12
        least = (count - 2) ** 2 / (count * (count - 1))
        assert float(fool_squares(logits, k)) >= least - 1e-12
        even = torch.zeros(1, count, dtype=torch.float64)
        even[0, k] = -1e4
        close(fool_squares(even, k), [least])
        for term in (favour_squares, fool_squares):
            close(term(logits + shift, k), term(logits, k), 1e-10)

    @settings(deadline=None, max_examples=40)
    @given(row=st.lists(st.floats(-5, 5), min_size=2, max_size=6), data=st.data())
    def test_descent_moves_the_own_logit(self, row: list[float], data: st.DataObject) -> None:
        k = data.draw(st.integers(0, len(row) - 1))
        for term, sign in ((favour_squares, -1), (fool_squares, 1)):
            logits = torch.tensor([row], dtype=torch.float64, requires_grad=True)
            (gradient,) = torch.autograd.grad(term(logits, torch.tensor([k])).sum(), logits)
            assert gradient[0, k] * sign > 0

    def test_replica_axis(self) -> None:
        logits = torch.randn(2, 3, 4, 3, generator=torch.Generator().manual_seed(0))
        classes = torch.arange(3)[None, :, None].expand(2, 3, 4)
        for term in (favour_squares, fool_squares, complement_entropy):
            together = term(logits, classes)
            assert together.shape == (2, 3, 4)
            for r in range(2):
                assert torch.equal(term(logits[r : r + 1], classes[r : r + 1])[0], together[r])


class TestComplementEntropy:
    def test_by_hand(self) -> None:
        # Shares of the wrong classes are (2, 1) / 3, (7, 1) / 8 and (7, 2) / 9; divided by two of them.
        wanted = [
            (log(3) - 2 / 3 * log(2)) / 2,
            (log(8) - 7 / 8 * log(7)) / 2,
            (log(9) - 7 / 9 * log(7) - 2 / 9 * log(2)) / 2,
        ]
        close(complement_entropy(LOGITS.expand(3, 3), torch.arange(3)), wanted)

    @pytest.mark.parametrize("own", [-1e4, 0.0, 3.0, 1e4])
    def test_even_wrong_classes_are_the_largest_whatever_the_own_one(self, own: float) -> None:
        logits = torch.tensor([[1.0, 1.0, own, 1.0]], dtype=torch.float64)
        close(complement_entropy(logits, torch.tensor([2])), [log(3) / 3])

    def test_gradient_by_hand(self) -> None:
        # dH/dlogit_j = -s_j (ln s_j + H) with s = (2/3, 1/3) and H = ln 3 - 2/3 ln 2: -2/9 ln 2 and 2/9 ln 2,
        # halved. The own logit has none.
        logits = LOGITS.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(complement_entropy(logits, torch.tensor(0)), logits)
        close(gradient, [0.0, -log(2) / 9, log(2) / 9])
        assert gradient[0] == 0

    @settings(deadline=None, max_examples=60)
    @given(
        a=st.floats(-1e4, 1e4, width=32),
        b=st.floats(-1e4, 1e4, width=32),
        k=st.integers(0, 1),
        dtype=st.sampled_from([torch.float32, torch.float64]),
    )
    def test_two_classes_are_exactly_zero(self, a: float, b: float, k: int, dtype: torch.dtype) -> None:
        logits = torch.tensor([[a, b]], dtype=dtype, requires_grad=True)
        value = complement_entropy(logits, torch.tensor([k]))
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        assert value.tolist() == [0.0]
        assert gradient.tolist() == [[0.0, 0.0]]

    def test_extreme_logits_are_finite(self) -> None:
        logits = torch.tensor([[0.0, 1e4, -1e4, 5.0]], requires_grad=True)
        value = complement_entropy(logits, torch.tensor([0]))
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        close(value.detach(), [0.0])
        close(gradient, torch.zeros(1, 4))

    @settings(deadline=None, max_examples=60)
    @given(row=st.lists(st.floats(-30, 30), min_size=3, max_size=6), other=st.floats(-30, 30), data=st.data())
    def test_bounds_and_no_say_of_the_own_logit(
        self, row: list[float], other: float, data: st.DataObject
    ) -> None:
        k, count = data.draw(st.integers(0, len(row) - 1)), len(row)
        logits = torch.tensor([row], dtype=torch.float64)
        value = complement_entropy(logits, torch.tensor([k]))
        assert 0 <= float(value) <= log(count - 1) / (count - 1) + 1e-12
        logits[0, k] = other
        assert torch.equal(complement_entropy(logits, torch.tensor([k])), value)


class TestVanilla:
    def test_by_hand(self) -> None:
        # D = sigmoid(score): 1/2 at 0 and 3/4 at ln 3, so 1 - D is 1/2 and 1/4
        scores, loss = torch.tensor([0.0, log(3)], dtype=torch.float64), Vanilla()
        close(loss.discriminator_real(scores), [log(2), log(4 / 3)])
        close(loss.discriminator_generated(scores), [log(2), log(4)])
        close(loss.generator(scores), [-log(2), -log(4)])

    def test_extreme_scores(self) -> None:
        # -log D falls from 1e4 to 0 as the score goes from -1e4 to 1e4; -log(1 - D) rises
        scores, loss = torch.tensor([-1e4, 1e4]), Vanilla()
        close(loss.discriminator_real(scores), [1e4, 0.0])
        close(loss.discriminator_generated(scores), [0.0, 1e4])
        close(loss.generator(scores), [0.0, -1e4])

    def test_extreme_gradients(self) -> None:
        # d(-log sigmoid(s)) / ds = sigmoid(s) - 1; d(-log(1 - sigmoid(s))) / ds = sigmoid(s)
        loss = Vanilla()
        wanted = [
            (loss.discriminator_real, [-1.0, 0.0]),
            (loss.discriminator_generated, [0.0, 1.0]),
            (loss.generator, [0.0, -1.0]),
        ]
        for term, slopes in wanted:
            scores = torch.tensor([-1e4, 1e4], requires_grad=True)
            (gradient,) = torch.autograd.grad(term(scores).sum(), scores)
            close(gradient, slopes)

    def test_has_no_penalty(self) -> None:
        assert Vanilla().gradient_penalty == 0

    def test_noisy_targets_by_hand(self) -> None:
        # D(x) = 3/4 and the targets 0.9 and 0.1: -(0.9 log 3/4 + 0.1 log 1/4), -(0.1 log 3/4 + 0.9 log 1/4).
        score, loss = torch.tensor(log(3), dtype=torch.float64), Vanilla(label_noise=0.1)
        real = -(0.9 * log(3 / 4) + 0.1 * log(1 / 4))
        generated = -(0.1 * log(3 / 4) + 0.9 * log(1 / 4))
        assert loss.discriminator_real(score, 0.1).item() == pytest.approx(real)
        assert loss.discriminator_generated(score, 0.1).item() == pytest.approx(generated)


class TestWasserstein:
    def test_by_hand(self) -> None:
        # s(u) = u without the constant: -D, D and -D
        scores, loss = torch.tensor([2.0, -3.5]), Wasserstein()
        close(loss.discriminator_real(scores), [-2.0, 3.5])
        close(loss.discriminator_generated(scores), [2.0, -3.5])
        close(loss.generator(scores), [-2.0, 3.5])

    def test_penalty_weight(self) -> None:
        assert Wasserstein().gradient_penalty == 10
        assert Wasserstein(gradient_penalty=3.0).gradient_penalty == 3


class TestLeastSquares:
    # D = sigmoid(score): 1/2 at 0 and 3/4 at ln 3
    scores = torch.tensor([0.0, log(3)], dtype=torch.float64)

    def test_by_hand(self) -> None:
        loss = LeastSquares()
        close(loss.discriminator_real(self.scores), [1 / 4, 1 / 16])
        close(loss.discriminator_generated(self.scores), [1 / 4, 9 / 16])
        close(loss.generator(self.scores), [1 / 4, 1 / 16])

    def test_label_noise_by_hand(self) -> None:
        # A tenth: targets 0.9 and 0.1
        loss = LeastSquares()
        close(loss.discriminator_real(self.scores, 0.1), [0.16, 0.0225])
        close(loss.discriminator_generated(self.scores, 0.1), [0.16, 0.4225])
        # One for each score: 1 - 0.5 = 1/2 and 1 - 0.25 = 3/4 are what D says
        each = torch.tensor([0.5, 0.25], dtype=torch.float64)
        close(loss.discriminator_real(self.scores, each), [0.0, 0.0])
        close(loss.discriminator_generated(self.scores, each), [0.0, 0.25])

    @pytest.mark.parametrize(
        ("noise", "real", "generated"),
        # 2 (D - target) D (1 - D), with D (1 - D) = 1/4 and 3/16
        [
            (0.0, [-0.25, -3 / 32], [0.25, 9 / 32]),
            (0.1, [-0.2, -0.05625], [0.2, 0.24375]),
            (0.5, [0.0, 3 / 32], [0.0, 3 / 32]),  # beyond its target D is drawn back
        ],
    )
    def test_gradients_by_hand(self, noise: float, real: list[float], generated: list[float]) -> None:
        loss = LeastSquares()
        for term, wanted in ((loss.discriminator_real, real), (loss.discriminator_generated, generated)):
            scores = self.scores.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(term(scores, noise).sum(), scores)
            close(gradient, wanted)
        scores = self.scores.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss.generator(scores).sum(), scores)
        close(gradient, [-0.25, -3 / 32])

    def test_label_noise_and_no_penalty(self) -> None:
        assert (LeastSquares().label_noise, LeastSquares().gradient_penalty) == (0.1, 0.0)
        assert LeastSquares(label_noise=0.0).label_noise == 0


def test_a_critic_has_no_targets_to_fall_short_of() -> None:
    loss: GanLoss = Wasserstein()
    scores = torch.linspace(-3, 3, 7)
    assert loss.label_noise == 0
    assert torch.equal(loss.discriminator_real(scores, 0.3), loss.discriminator_real(scores))
    assert torch.equal(loss.discriminator_generated(scores, 0.3), loss.discriminator_generated(scores))


@pytest.mark.parametrize("loss", [Vanilla(), Wasserstein()])
def test_minimax(loss: GanLoss) -> None:
    # G minimises what D maximises on generated rows.
    scores = torch.linspace(-20, 20, 41, dtype=torch.float64)
    assert torch.equal(loss.generator(scores), -loss.discriminator_generated(scores))


@pytest.mark.parametrize("loss", [Vanilla(), Wasserstein(), LeastSquares()])
class TestEveryGanLoss:
    def test_directions(self, loss: GanLoss) -> None:
        # D wants real rows up and generated rows down; G wants generated rows up.
        scores = torch.linspace(-5, 5, 11, dtype=torch.float64)
        assert (loss.discriminator_real(scores).diff() < 0).all()
        assert (loss.discriminator_generated(scores).diff() > 0).all()
        assert (loss.generator(scores).diff() < 0).all()

    def test_a_replica_among_others_equals_that_replica_alone(self, loss: GanLoss) -> None:
        # 60 scores a replica, as of ten classes with six rows: no multiple of a vector register.
        scores = 2 * torch.randn(20, 3, 10, 6, generator=torch.Generator().manual_seed(0))
        for term in (loss.discriminator_real, loss.discriminator_generated, loss.generator):
            for one in scores:
                for r in range(3):
                    together, alone = (
                        one.clone().requires_grad_(True),
                        one[r : r + 1].clone().requires_grad_(True),
                    )
                    values, own = term(together), term(alone)
                    (slopes,) = torch.autograd.grad(values.sum(), together)
                    (own_slopes,) = torch.autograd.grad(own.sum(), alone)
                    assert torch.equal(values[r], own[0])
                    assert torch.equal(slopes[r], own_slopes[0])

    def test_one_value_per_row(self, loss: GanLoss) -> None:
        scores = torch.zeros(2, 3, 4)
        for term in (loss.discriminator_real, loss.discriminator_generated, loss.generator):
            assert term(scores).shape == (2, 3, 4)


class TestExpectation:
    def test_by_hand(self) -> None:
        # class means are (2, 15) and (0, 8):
        # 0.75 * 2 + 0.25 * 15 = 5.25 and 0.5 * 0 + 0.5 * 8 = 4
        values = torch.tensor([[[1.0, 3.0], [10.0, 20.0]], [[-1.0, 1.0], [8.0, 8.0]]])
        law = torch.tensor([[0.75, 0.25], [0.5, 0.5]])
        assert expectation(values, law).tolist() == [5.25, 4.0]

    def test_a_class_of_probability_zero_has_no_say(self) -> None:
        values = torch.tensor([[[1.0, 3.0], [1e9, -7.0]]])
        assert expectation(values, torch.tensor([[1.0, 0.0]])).tolist() == [2.0]

    @settings(deadline=None, max_examples=40)
    @given(
        weights=st.lists(st.floats(0.01, 1), min_size=1, max_size=6),
        rows=st.integers(1, 4),
        seed=st.integers(0, 2**31),
    )
    def test_is_the_weighted_sum_of_class_means(self, weights: list[float], rows: int, seed: int) -> None:
        law = torch.tensor([weights], dtype=torch.float64)
        law = law / law.sum()
        values = torch.randn(
            1, len(weights), rows, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
        )
        wanted = sum(float(p) * float(v.sum()) / rows for p, v in zip(law[0], values[0], strict=True))
        assert float(expectation(values, law)[0]) == pytest.approx(wanted, abs=1e-12)
        close(expectation(torch.full_like(values, 3.0), law), [3.0])


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(7))


class TestInterpolate:
    def test_mix_is_the_share_of_the_real_row(self) -> None:
        # Between (3, 4) and (0, 2): a quarter of the real row gives (0.75, 2.5).
        real, generated = torch.tensor([[[3.0, 4.0]]]), torch.tensor([[[0.0, 2.0]]])
        for share, wanted in ((1.0, [3.0, 4.0]), (0.0, [0.0, 2.0]), (0.5, [1.5, 3.0]), (0.25, [0.75, 2.5])):
            assert interpolate(real, generated, torch.full((1, 1, 1), share)).tolist() == [[wanted]]

    def test_every_row_has_its_own_mix(self) -> None:
        real, generated = torch.tensor([[[3.0], [9.0]]]), torch.tensor([[[7.0], [2.0]]])
        mix = torch.tensor([[[1.0], [0.0]]])
        assert interpolate(real, generated, mix).tolist() == [[[3.0], [2.0]]]


class TestGradientPenalty:
    def test_by_hand(self) -> None:
        # Norms 5 and 1: (16 + 0) / 2 = 8. Norms 0.5 and 2: (0.25 + 1) / 2 = 0.625.
        gradient = torch.tensor([[[3.0, 4.0], [0.6, 0.8]], [[0.3, -0.4], [0.0, 2.0]]], dtype=torch.float64)
        penalty = gradient_penalty(gradient)
        assert penalty.shape == (2,)
        close(penalty, [8.0, 0.625])

    def test_gradient_reaches_the_weights(self) -> None:
        # A linear score w.x has the gradient w everywhere.
        # d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w|: for w = (3, 4) 2 * 4 * (0.6, 0.8) = (4.8, 6.4),
        # for w = (0.3, -0.4) 2 * (-0.5) * (0.6, -0.8) = (-0.6, 0.8)
        w = torch.tensor([[3.0, 4.0], [0.3, -0.4]], dtype=torch.float64, requires_grad=True)
        gradient_penalty(w[:, None].expand(2, 5, 2)).sum().backward()
        assert w.grad is not None
        close(w.grad, [[4.8, 6.4], [-0.6, 0.8]])

    def test_flat_score_has_a_finite_gradient(self) -> None:
        # |w| = 0: the penalty is (0 - 1)^2 = 1
        w = torch.zeros(1, 2, requires_grad=True)
        penalty = gradient_penalty(w[:, None].expand(1, 3, 2))
        penalty.sum().backward()
        assert penalty.tolist() == [1.0]
        assert w.grad is not None
        assert w.grad.isfinite().all()


def test_balanced_cross_entropy_by_hand() -> None:
    # Class 0 has rows with 1/2 and 1/4, class 1 a row with 1/8; padding and the absent class 2 do not count.
    logits = torch.tensor(
        [[[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.5, 0.125, 0.375], [1.0, 1.0, 1.0]]]
    ).log()
    found = balanced_cross_entropy(logits, torch.tensor([[0, 0, 1, -1]]))
    assert found.tolist() == pytest.approx([((log(2) + log(4)) / 2 + log(8)) / 2])


def test_smoothed_by_hand() -> None:
    logits, classes = torch.tensor([[[0.5, 0.25, 0.25]]]).log(), torch.tensor([[0]])
    assert smoothed(favour, 0.0) is favour
    found = smoothed(favour, 0.3)(logits, classes)
    assert found.item() == pytest.approx(0.7 * log(2) + 0.3 * (log(2) + 2 * log(4)) / 3)
