"""The benchmarks run on small inputs, and what they write is what docs/benchmarks.md describes."""

import argparse
import json
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import common
import gpu
import growth
import memory
import one_run
import peers
import pytest
import replicas
import run_all
import soak
import startup
import step

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
SHORT = ["dataset=haberman", "trainer.max_epochs=1"]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in this process: starting one takes longer than the runs of these tests."""
    for module in (memory, peers, replicas):
        monkeypatch.setattr(module, "run_json", lambda script, *arguments: one_run.run(arguments))


def names(figures: list[common.Figure]) -> list[str]:
    assert all(0 < one.low <= one.value <= one.high for one in figures)
    return [one.name for one in figures]


def test_a_figure_is_the_median_of_its_repeats() -> None:
    one = common.figure("step", [3.0, 1.0, 2.0], "ms", target=2.0)
    assert (one.value, one.low, one.high, one.met) == (2.0, 1.0, 3.0, True)
    assert common.figure("step", [3.0], target=2.0).met is False
    assert common.figure("step", [3.0]).met is None
    assert common.ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]


def test_measurements_alternate() -> None:
    taken: list[str] = []

    def take(name: str) -> Callable[[], float]:
        return lambda: float(len(taken)) if taken.append(name) is None else 0.0  # type: ignore[func-returns-value]

    values = common.alternate({"a": take("a"), "b": take("b")}, repeats=2)
    assert taken == ["a", "b", "a", "b"]
    assert values == {"a": [1.0, 3.0], "b": [2.0, 4.0]}


def test_a_child_process_is_measured() -> None:
    done = common.run_child("-c", "import sys; sum(range(10**6)); print('out'); sys.exit('wrong')")
    assert (done.code, done.output, done.errors) == (1, "out\n", "wrong\n")
    assert done.cpu_seconds > 0
    assert common.run_json("one_run.py", "--imports")["peak_mib"] > 100


def documented(heading: str) -> set[str]:
    """The names in the first column of the table below a heading of the page."""
    section = PAGE.read_text().partition(f"# {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, flags=re.M))


def test_the_file_has_the_documented_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "part.json"
    figures = [
        common.figure("step", [1.0, 2.0], "ms", target=1.0, note="on the CPU"),
        common.figure("r", [1.0]),
    ]
    common.finish("part", argparse.Namespace(output=file), lambda: figures)
    written = json.loads(file.read_text())
    assert set(written) | set(written["figures"][0]) | set(written["machine"]) == documented("The file")
    assert written["figures"][0]["met"] is False
    assert written["versions"]["torch"]
    first, second = capsys.readouterr().out.splitlines()
    assert first == "step       1.5 ms   1 to 2             at most 1: missed  on the CPU"
    assert second.split() == ["r", "1"]


def test_startup(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = startup.commands
    monkeypatch.setattr(startup, "IMPORTS", ["-c", "pass"])
    monkeypatch.setattr(
        startup, "commands", lambda folder: {"stored result": stored(folder)["stored result"]}
    )
    imports, shown = startup.measure(repeats=1)
    assert names([imports, shown])[1] == "stored result"
    assert shown.note == "slow imports: none"
    assert shown.target == imports.value / 3 + 1


def test_step() -> None:
    figures = step.measure(["dataset=haberman", "replicas=1"], (1.05, 1.3, None), 1, 1, seconds=0.01)
    assert names(figures) == [
        f"haberman replicas=1: {name}"
        for name in (
            "bare step",
            "bare / plain loop",
            "with everything / plain loop",
            "bare / products alone",
        )
    ]
    assert [one.target for one in figures] == [None, 1.05, 1.3, None]


@pytest.mark.usefixtures("in_process")
def test_replicas() -> None:
    together, apart, ratio = replicas.measure([*SHORT, "mode=q"], seeds=2, repeats=1, target=0.5)
    assert names([together, apart, ratio])[2].endswith("ratio")
    assert ratio.value == together.value / apart.value


@pytest.mark.usefixtures("in_process")
def test_memory() -> None:
    figures = memory.measure(credit_replicas=2, rows=300, repeats=1, credit="haberman")
    assert names(figures)[0] == "imports"
    assert [one.target for one in figures] == [None, 700, 1024]


@pytest.mark.parametrize(("name", "values"), [("rows", (1200, 1500)), ("classes", (2, 3))])
def test_growth(name: str, values: tuple[int, ...]) -> None:
    figures = growth.measure(name, values, steps=2, repeats=1)
    assert names(figures) == [
        *(f"{name}={value}" for value in values),
        f"{name}: {values[1]} against {values[0]}",
    ]
    assert (figures[-1].target is None) == (name != "rows")


def test_every_class_of_a_generated_table_has_rows(tmp_path: Path) -> None:
    common.write_table(tmp_path / "t.csv", rows=100, columns=3, classes=4)
    header, *rows = (tmp_path / "t.csv").read_text().splitlines()
    assert header.count(",") == 3
    assert len(rows) == 100
    assert {row.rpartition(",")[2] for row in rows} == {"0", "1", "2", "3"}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.usefixtures("in_process")
def test_classifiers() -> None:
    figures = peers.classifiers(SHORT, modes=("q", "smote_mlp", "lightgbm"), seeds=2, repeats=1)
    assert names(figures) == ["q, per seed", "smote_mlp, per seed", "lightgbm, per seed"]
    assert all(one.note.startswith("ACSA ") for one in figures)


class FakeCTGAN:
    """As much of CTGAN as is used."""

    def __init__(self, **settings: Any) -> None:
        assert settings == {"epochs": 1, "batch_size": 60, "enable_gpu": False}

    def fit(self, rows: Any, discrete: list[int]) -> None:
        assert set(rows[:, discrete[0]]) == {0, 1}

    def sample(self, count: int) -> None:
        assert count == peers.MADE_ROWS


def test_makers_of_rows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    ours = ["DO's generator: fit", "DO's generator: 10000 rows"]
    assert names(peers.makers([*SHORT, "dataset.training.batch_size=64"], repeats=1)) == ours
    assert "CTGAN is not installed" in capsys.readouterr().out
    fake = ModuleType("ctgan")
    fake.CTGAN = FakeCTGAN  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ctgan", fake)
    monkeypatch.setattr(peers, "find_spec", lambda name: SimpleNamespace())
    assert names(peers.makers([*SHORT, "dataset.training.batch_size=64"], repeats=1)) == [
        *ours,
        "CTGAN: fit",
        "CTGAN: 10000 rows",
    ]


def test_replicas_and_processes_on_a_device() -> None:
    figures = gpu.measure(["trainer=cpu"], replicas=(1, 2), processes=(1,), steps=2, repeats=1)
    assert names(figures) == [
        "replicas=1",
        "replicas=2",
        "processes=1",
        "replicas: 2 against 1",
        "replicas=1 against processes=1",
    ]


def test_without_a_gpu_the_exit_code_is_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    with pytest.raises(SystemExit) as end:
        gpu.main()
    assert end.value.code == 2
    assert "torch finds no GPU" in capsys.readouterr().out


def test_the_driver_goes_on_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = {
        "works": "import sys; open(sys.argv[2], 'w').write('{\"part\": \"works\"}')",
        "without_gpu": "import sys; sys.exit(2)",
        "fails": "1 / 0",
    }
    for name, code in scripts.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setattr(run_all, "FOLDER", tmp_path)
    monkeypatch.setattr(run_all, "PARTS", ("fails", "without_gpu", "works"))
    monkeypatch.setattr(sys, "argv", ["run_all.py", "--output", str(tmp_path / "all.json")])
    with pytest.raises(SystemExit, match="Failed: fails"):
        run_all.main()
    assert json.loads((tmp_path / "all.json").read_text()) == {"parts": [{"part": "works"}]}


def test_every_part_is_documented() -> None:
    assert documented("What is measured") == set(run_all.PARTS)


@pytest.mark.parametrize("how", soak.DAMAGES)
def test_the_soak_notices_its_own_damage(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "runs" / "haberman" / "q"
    folder.mkdir(parents=True)
    for name in soak.FILES:
        (folder / name).write_bytes(b"x" * 5000)
    (folder / "result.json").write_text('{"replicas": [1], "mean": 1, "std": 1, "seconds": 3}')
    before = soak.contents(tmp_path)
    assert len(before) == len(soak.FILES)
    soak.damage(folder / "curves.parquet", how, random.Random(0))
    changed = {name for name in before if soak.contents(tmp_path).get(name) != before[name]}
    assert changed == {"runs/haberman/q/curves.parquet"}


def test_the_soak_fails_for_what_is_lost_and_reads_refusals() -> None:
    sound = {"outcome": "refused, then equal", "tracebacks": 0, "hung": 0}
    assert not soak.failed(sound)
    for fault in ({"outcome": "UNEQUAL"}, {"outcome": "LOST"}, {"tracebacks": 1}, {"hung": 1}):
        assert soak.failed(sound | fault)
    lines = "12:00 INFO\nError: a/b/x.ckpt is damaged: delete it.\n[1/2] FAILED mode=q: c/x is damaged\n"
    assert soak.refusals(lines) == [
        "Error: x.ckpt is damaged: delete it.",
        "FAILED mode=q: x is damaged",
    ]
