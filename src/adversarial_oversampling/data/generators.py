"""Two-stage methods with a trained generator: one for each class that lacks rows, before Q is trained.

The generators are those of other packages, which the extra `peers` installs. Each is fitted to the training
rows of one class of one replica, after preprocessing.
"""

import contextlib
import io
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adversarial_oversampling import limits
from adversarial_oversampling.errors import InputError, NotApplicable
from adversarial_oversampling.random_streams import global_seed
from adversarial_oversampling.text import one_line


class GeneratorPerClass(ABC):
    """Oversample every class to the size of the largest with a generator of its own.

    Attributes
    ----------
    method : str
        Name of the mode.
    package : str
        The module of the library, of the extra `peers`.
    """

    method: ClassVar[str]
    package: ClassVar[str]

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            limits.check(f"mode.resampling.{name}", value)
        if find_spec(self.package) is None:
            raise InputError(
                f'mode={self.method}: {self.package} is not installed; run: pip install ".[peers]".'
            )

    def __call__(
        self, x: NDArray[np.float32], y: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Generate the rows that the classes lack; see `data.resampling.Resampling`.

        Raises
        ------
        NotApplicable
            If the library refuses the rows of a class, or generates values that are not finite.
        """
        counts = np.bincount(y)
        lacking = counts.max() - counts
        new = [x[:0]]
        for k in np.flatnonzero(lacking):
            state = int(np.random.SeedSequence([seed, int(k)]).generate_state(1)[0] >> np.uint32(1))
            try:
                with global_seed(state):
                    rows = self._generate(x[y == k], int(lacking[k]), state)
            except (ValueError, RuntimeError) as error:
                raise NotApplicable(f"{self.method}: {one_line(error)}") from error
            if not np.isfinite(rows).all():
                raise NotApplicable(f"{self.method}: generated values that are not finite")
            new.append(rows)
        return np.concatenate(new), np.repeat(np.arange(len(counts)), lacking)

    @abstractmethod
    def _generate(self, rows: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
        """Fit a generator to the rows of a class and return `count` new ones."""


@dataclass(frozen=True)
class CTGANPerClass(GeneratorPerClass):
    """CTGAN (Xu et al. 2019), all columns continuous.

    Attributes
    ----------
    epochs : int
        Over the rows of the class.

    Raises
    ------
    InputError
        If a setting is out of range or the package is not installed.
    """

    epochs: int = 300

    method: ClassVar[str] = "ctgan"
    package: ClassVar[str] = "ctgan"

    def _generate(self, rows: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
        from ctgan import CTGAN

        # It draws from the global generators, which are seeded.
        model = CTGAN(epochs=self.epochs, enable_gpu=False)
        model.fit(pd.DataFrame(rows, columns=[f"column {i}" for i in range(rows.shape[1])]))
        return np.asarray(model.sample(count), np.float32)


@dataclass(frozen=True)
class ForestDiffusionPerClass(GeneratorPerClass):
    """Flow matching with boosted trees (Jolicoeur-Martineau et al. 2024), in the form of Cresswell and Kim.

    Attributes
    ----------
    noise_levels : int
        Steps between noise and rows; each has trees of its own.
    copies : int
        Of every row, each with other noise.
    n_estimators, max_depth : int
        Of the trees for one column and noise level.

    Raises
    ------
    InputError
        If a setting is out of range or the package is not installed.
    """

    noise_levels: int = 50
    copies: int = 100
    n_estimators: int = 100
    max_depth: int = 7

    method: ClassVar[str] = "forest_diffusion"
    package: ClassVar[str] = "forest_diffusion_mo"

    def _generate(self, rows: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
        from forest_diffusion_mo import ForestModel

        # The settings of ForestDiffusion; the other package has other defaults.
        trees = {
            "n_estimators": self.n_estimators,
            "max_depth": self.max_depth,
            "learning_rate": 0.3,
            "reg_lambda": 0.0,
            "n_jobs": 1,
        }
        with (
            tempfile.TemporaryDirectory() as folder,
            # It prints, and has a progress bar that no setting turns off.
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            model = ForestModel(
                folder,
                n_t=self.noise_levels,
                diffusion_type="flow",
                multi_output=False,
                xgb_hypers=trees,
                duplicate_K=self.copies,
                n_jobs=1,
                seed=seed,
            )
            model.train(model.preprocess(rows))
            return np.asarray(model.generate(count, n_jobs=1), np.float32)
