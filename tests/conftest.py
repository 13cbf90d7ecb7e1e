"""Shared by all tests: a composed configuration, a short run, and the original data files."""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import cache
from pathlib import Path

import psutil
import pytest
import safetensors.torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import Tensor
from xdist import is_xdist_controller

from adversarial_oversampling.config.compose import config_dir
from adversarial_oversampling.results.schema import Result
from adversarial_oversampling.training.processes import start_server
from adversarial_oversampling.training.run import train
from tests.commands import PRELOAD

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a shell's background
    signal.signal(signal.SIGINT, signal.default_int_handler)

NEEDS_ORIGINAL_FILES = pytest.mark.skipif(
    not os.environ.get("ADVERSARIAL_OVERSAMPLING_DATA_DIR"),
    reason="ADVERSARIAL_OVERSAMPLING_DATA_DIR is unset: the original files of the six datasets are needed",
)
"""SECOM, Wafer and Credit are too large for the package, and tests download nothing."""
Compose = Callable[..., DictConfig]
Run = Callable[..., Result]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let one server fork all processes of the tests; it is started before one with other modules."""
    if not is_xdist_controller(session):
        start_server(PRELOAD)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """End the processes that a failed test leaves below its own: they would slow all others down."""
    here = psutil.Process()
    before = set(here.children(recursive=True))
    try:
        yield
    except BaseException:
        for process in set(here.children(recursive=True)) - before:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        raise


@pytest.fixture
def fresh_wandb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A user without a key, whose W&B has not started yet."""
    import wandb  # slow, and few tests need it

    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    wandb.teardown()
    yield
    wandb.teardown()


@cache
def composed(overrides: tuple[str, ...]) -> DictConfig:
    """Compose the configuration once; copying it is much faster."""
    with initialize_config_dir(config_dir(), version_base="1.3"):
        return compose("train", overrides=list(overrides))


@pytest.fixture(scope="session")
def compose_config(tmp_path_factory: pytest.TempPathFactory) -> Compose:
    """Compose the configuration with overrides, without progress bar and curves."""
    folder = tmp_path_factory.getbasetemp() / "cache"

    def make(*overrides: str) -> DictConfig:
        quiet = ("logger=none", "trainer=cpu", "trainer.enable_progress_bar=false")
        return deepcopy(composed((*quiet, f"paths.cache_dir={folder}", *overrides)))

    return make


@pytest.fixture
def run(compose_config: Compose, tmp_path: Path) -> Run:
    """Train a short run in this process; its folder is `tmp_path / name`."""

    def make(*overrides: str, name: str = "run") -> Result:
        return short_run(compose_config, tmp_path / name, *overrides)

    return make


def short_run(compose_config: Compose, folder: Path, *overrides: str) -> Result:
    """Train a short run in this process."""
    return train(compose_config("trainer.max_epochs=2", "replicas=2", *overrides), folder)


def saved_weights(folder: Path) -> dict[str, Tensor]:
    """Return the weights that a run has saved."""
    arrays = safetensors.torch.load_file(folder / "model.safetensors")
    return {name.removeprefix("weights/"): v for name, v in arrays.items() if name.startswith("weights/")}
