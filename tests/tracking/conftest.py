"""W&B servers on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
