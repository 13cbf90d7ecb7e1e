"""A table of one's own."""

from pathlib import Path

import pandas as pd
import pytest

from adversarial_oversampling.data.sources import load_haberman


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = load_haberman(None)
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    frame = pd.DataFrame(table.x, columns=list(table.feature_names))
    frame.assign(label=[table.class_names[k] for k in table.y]).to_csv(path, index=False)
    return path
