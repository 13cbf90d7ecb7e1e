"""How precisely a game is computed: while it trains, and only then."""

import pytest
import torch

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.training.arithmetic import training_arithmetic
from tests.conftest import Run


def arithmetic() -> tuple[bool, str]:
    """Return whether this thread takes denormals for 0, and the precision of its matrix products."""
    return bool(torch.tensor(1e-39) * 1 == 0), torch.get_float32_matmul_precision()


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
@pytest.mark.parametrize("flushed", [False, True])
def test_what_was_set_before_is_restored(precision: str, flushed: bool) -> None:
    def stopped() -> None:
        with training_arithmetic(precision):
            assert arithmetic() == (True, precision)
            raise KeyboardInterrupt

    before = arithmetic()
    try:
        torch.set_flush_denormal(flushed)
        with pytest.raises(KeyboardInterrupt):
            stopped()
        assert arithmetic() == (flushed, before[1])
    finally:
        torch.set_flush_denormal(before[0])


def test_only_training_is_less_precise(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, set[tuple[bool, str]]] = {}
    for step in ("training_step", "test_step"):
        original = getattr(Game, step)

        def noted(*arguments: object, _step: str = step, _original: object = original) -> object:
            seen.setdefault(_step, set()).add(arithmetic())
            return _original(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(Game, step, noted)
    result = run("mode=do", "trainer.matmul_precision=medium")
    assert seen == {"training_step": {(True, "medium")}, "test_step": {(False, "highest")}}
    assert result.variant == ["trainer.matmul_precision=medium"]


def test_a_precision_that_torch_lacks_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="matmul_precision=low: choose one of highest, high, medium"):
        run("trainer.matmul_precision=low")
