"""The notebooks run from top to bottom in a kernel of their own, and are committed without outputs."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from tests.conftest import Run

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FIGURES = {"first_look": 3, "your_own_sweep": 3}

Execute = Callable[..., list[Any]]


@pytest.fixture
def execute(monkeypatch: pytest.MonkeyPatch) -> Iterator[Execute]:
    """Run a notebook with some of its constants set anew; gives all outputs."""
    with TemporaryDirectory(prefix="nb-") as name:  # a short name, as sockets have their place in it
        folders = {key: Path(name, key) for key in ("work", "tmp", "jupyter")}
        for folder in folders.values():
            folder.mkdir()
        monkeypatch.setenv("TMPDIR", str(folders["tmp"]))
        for variable in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            monkeypatch.setenv(variable, str(folders["jupyter"]))
        # ipykernel looks at it, and captures less where it is set.
        monkeypatch.delenv("PYTEST_CURRENT_TEST")

        def make(stem: str, **constants: str) -> list[Any]:
            notebook = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4)
            for constant, value in constants.items():
                set_constant(notebook, constant, value)
            NotebookClient(
                notebook,
                timeout=300,
                resources={"metadata": {"path": str(folders["work"])}},
                config=Config({"KernelManager": {"transport": "ipc", "ip": f"{name}/kernel"}}),  # no ports
            ).execute()
            left = [path for key in ("work", "tmp") for path in folders[key].rglob("*")]
            assert not left, "the notebook leaves files behind"
            return [output for cell in notebook.cells for output in cell.get("outputs", [])]

        yield make


def set_constant(notebook: Any, constant: str, value: str) -> None:
    """Change the one line that sets it."""
    found = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            line = f"{constant} = {value}"
            cell.source, changed = re.subn(rf"^{constant} = .*$", line, cell.source, flags=re.MULTILINE)
            found += changed
    assert found == 1, f"{constant} is set {found} times"


def check(outputs: list[Any], figures: int) -> str:
    """Nothing went wrong, and there are so many figures; gives the printed text."""
    streams = [output for output in outputs if output.output_type == "stream"]
    assert [stream.text for stream in streams if stream.name == "stderr"] == []
    printed = "".join(stream.text for stream in streams)
    assert not re.search(r"Traceback|Warning|FAILED", printed), printed
    assert sum("image/png" in output.get("data", {}) for output in outputs) == figures
    return printed


def test_first_look(execute: Execute) -> None:
    outputs = execute("first_look", EPOCHS="2", REPLICAS="2")
    check(outputs, FIGURES["first_look"])
    shown = [output.data["text/plain"] for output in outputs if "data" in output]
    assert any("do on haberman" in text for text in shown)


def test_your_own_sweep_makes_one_itself(execute: Execute) -> None:
    outputs = execute("your_own_sweep", EPOCHS="2", REPLICAS="2", DATASETS='"haberman"', MODES='"q,ro"')
    printed = check(outputs, FIGURES["your_own_sweep"])
    assert "2 runs; datasets: haberman; methods: Q, RO+Q\n" in printed


def test_your_own_sweep_reads_a_folder_of_runs(execute: Execute, run: Run, tmp_path: Path) -> None:
    # Two tables, a variant, a method without epochs, and another protocol.
    for name, overrides in {
        "q": ["mode=q"],
        "pima": ["dataset=pima", "mode=q"],
        "half": ["mode=q", "fs=half"],
        "logistic": ["mode=logistic"],
        "paper": ["mode=q", "protocol=paper"],
    }.items():
        run("dataset=haberman", *overrides, name=f"runs/{name}")
    before = sorted((tmp_path / "runs").rglob("*"))
    printed = check(execute("your_own_sweep", RUNS=repr(str(tmp_path / "runs"))), FIGURES["your_own_sweep"])
    assert "holdout protocol, 2 epochs, seeds 0-1\n4 runs; datasets: pima, haberman; " in printed
    assert "methods: Q, Q, fs=half, balanced logistic regression" in printed
    assert sorted((tmp_path / "runs").rglob("*")) == before


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_without_outputs(path: Path) -> None:
    text = path.read_text()
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.metadata == {}
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    assert notebook.metadata.keys() == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    for place in (ROOT, Path.home()):
        assert f"{place}/" not in text


def test_every_notebook_is_run_and_described() -> None:
    assert {path.stem for path in NOTEBOOKS} == FIGURES.keys()
    readme = (ROOT / "notebooks" / "README.md").read_text()
    assert all(path.name in readme for path in NOTEBOOKS)
