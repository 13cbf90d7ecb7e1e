"""Generators of other packages: one per class, on that class's training rows, with seeds of their own."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from adversarial_oversampling.data import generators
from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.data.generators import (
    CTGANPerClass,
    ForestDiffusionPerClass,
    GeneratorPerClass,
)
from adversarial_oversampling.data.preprocessing import Preprocessing
from adversarial_oversampling.data.sources import load_haberman
from adversarial_oversampling.errors import InputError, NotApplicable

# As little training as is a test.
SHORT: dict[str, Callable[[], GeneratorPerClass]] = {
    "ctgan": lambda: CTGANPerClass(epochs=1),
    "forest_diffusion": lambda: ForestDiffusionPerClass(
        noise_levels=3, copies=2, n_estimators=2, max_depth=3
    ),
}


@pytest.fixture(params=SHORT)
def generator(request: pytest.FixtureRequest) -> GeneratorPerClass:
    pytest.importorskip({"ctgan": "ctgan", "forest_diffusion": "forest_diffusion_mo"}[request.param])
    return SHORT[request.param]()


def test_a_replica_among_others_has_the_rows_of_its_own_seed(generator: GeneratorPerClass) -> None:
    table, options = load_haberman(None), {"resampling": generator, "cache_dir": Path("unused")}
    together = TableDataModule(table, Preprocessing(), seed=5, replicas=2, **options)
    together.setup()
    assert (together.counts[:, 0] == together.counts[:, 1]).all()
    assert not torch.equal(together.rows.x[0, 306:], together.rows.x[1, 306:])
    alone = TableDataModule(table, Preprocessing(), seed=6, **options)
    alone.setup()
    count = alone.rows.x.shape[1]
    assert torch.equal(alone.rows.x[0], together.rows.x[1, :count])
    assert torch.equal(alone.rows.y[0], together.rows.y[1, :count])


def test_a_class_gets_no_rows_of_another_and_no_seed_leaks(
    generator: GeneratorPerClass, capfd: pytest.CaptureFixture[str]
) -> None:
    table = load_haberman(None)
    x, y = table.x.astype(np.float32), table.y
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    new, classes = generator(x, y, seed=3)
    assert classes.tolist() == [1] * (225 - 81)
    assert new.dtype == np.float32
    assert np.isfinite(new).all()
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])
    assert capfd.readouterr().out == ""
    others = np.where((y == 0)[:, None], 9 * x + 100, x)
    np.testing.assert_array_equal(generator(others, y, seed=3)[0], new)


def test_each_class_has_a_seed_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Copies(GeneratorPerClass):
        method, package = "copies", "numpy"

        def _generate(self, rows: np.ndarray, count: int, seed: int) -> np.ndarray:
            seen.append(seed)
            return rows[np.arange(count) % len(rows)]

    y = np.repeat([0, 1, 2], [2, 7, 3])
    x, classes = Copies()(np.arange(12, dtype=np.float32)[:, None], y, seed=1)
    assert x[:, 0].tolist() == [0, 1, 0, 1, 0, 9, 10, 11, 9]
    assert classes.tolist() == [0] * 5 + [2] * 4
    assert len(set(seen)) == 2


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: (_ for _ in ()).throw(ValueError("too\nfew")), "^broken: too few$"),
        (lambda: np.full((5, 1), np.nan, np.float32), "^broken: generated values that are not finite$"),
    ],
)
def test_what_the_library_cannot_do_is_said(made: Callable[[], np.ndarray], reason: str) -> None:
    class Broken(GeneratorPerClass):
        method, package = "broken", "numpy"

        def _generate(self, rows: np.ndarray, count: int, seed: int) -> np.ndarray:
            return made()

    with pytest.raises(NotApplicable, match=reason):
        Broken()(np.zeros((9, 1), np.float32), np.repeat([0, 1], [7, 2]), seed=0)


@pytest.mark.parametrize("kind", [CTGANPerClass, ForestDiffusionPerClass])
def test_a_missing_package_is_named_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, kind: type[GeneratorPerClass]
) -> None:
    monkeypatch.setattr(generators, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=rf'^mode={kind.method}: {kind.package} .*pip install "\.\[peers\]"\.$'
    ):
        kind()


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match=r"mode\.resampling\.epochs=0"):
        CTGANPerClass(epochs=0)
    with pytest.raises(InputError, match=r"mode\.resampling\.noise_levels=1"):
        ForestDiffusionPerClass(noise_levels=1)
