"""W&B servers on loopback, and an environment without a key."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb

from tests.tracking.wandb_runs import Server, free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(tmp_path_factory.mktemp("server") / "data", free_port())
    one.start()
    yield one
    one.kill()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """A server for a test that kills it."""
    one = Server(tmp_path / "mortal" / "data", free_port())
    one.folder.parent.mkdir()
    one.start()
    yield one
    one.kill()


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A user without a key, whose W&B has not started yet."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    wandb.teardown()
    yield
    wandb.teardown()
