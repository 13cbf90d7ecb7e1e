"""The examples run as they are, and the API reference is that of the docstrings."""

import importlib.util
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"


def test_every_example_is_in_the_gallery() -> None:
    gallery = (EXAMPLES / "README.md").read_text()
    for file in EXAMPLES.iterdir():
        if file.suffix in (".py", ".sh"):
            assert f"]({file.name})" in gallery


@pytest.mark.parametrize("name", sorted(file.name for file in EXAMPLES.glob("*.py")))
def test_a_script_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    printed = capsys.readouterr().out
    assert printed
    if name == "pipeline.py":
        gallery = (EXAMPLES / "README.md").read_text()
        assert all(line.split(":")[0] in gallery for line in printed.splitlines())


def test_the_commands_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.integers(18, 80, 300), "city": rng.choice(["Bonn", "Oslo"], 300)})
    frame["left"] = np.where(frame.age + rng.normal(0, 9, 300) > 72, "yes", "no")
    frame[:200].to_csv(tmp_path / "customers.csv", index=False)
    frame[200:].drop(columns="left").to_csv(tmp_path / "new_customers.csv", index=False)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["sh", EXAMPLES / "own_table.sh"], cwd=tmp_path, env=os.environ | {"PATH": path}, check=True
    )
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == 100
    assert set(pd.read_csv(tmp_path / "more_rows.csv").left) == {"yes"}


def test_the_api_reference_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("api", ROOT / "docs" / "api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "api.md").read_text() == module.page(), "run python docs/api.py"
