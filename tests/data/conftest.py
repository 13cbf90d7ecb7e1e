"""Fixtures for the tests of the data layer."""

import os
from pathlib import Path

import pytest

VARIABLE = "ADVERSARIAL_OVERSAMPLING_DATA_DIR"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the six datasets' original files."""
    if not os.environ.get(VARIABLE):
        pytest.skip(f"{VARIABLE} is unset: the original files of the six datasets are needed")
    return Path(os.environ[VARIABLE])
