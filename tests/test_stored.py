"""A command that is refused or shows a stored result changes nothing in the run's folder."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import pytest
import yaml

from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.train import main
from adversarial_oversampling.training import processes
from adversarial_oversampling.training.run import PRELOAD
from tests.results.test_read import state

QUICK = ("mode=logistic", "replicas=1", "trainer.max_epochs=1", "logger=none")
REFUSED = {
    "a value out of range": ["replicas=0"],
    "an unknown key": ["+replicass=3"],
    "another configuration": ["seed=5"],
    "data that are missing": ["rerun=true", "paths.data_dir=/nowhere"],
    "a setting that its class refuses": ["rerun=true", "+mode.estimator.foo=1"],
    "a setting that a result cannot hold": ["rerun=true", "mode.estimator.C=inf"],
    "a method that does not oversample": ["rerun=true", "fs=half"],
}


def outcomes(folder: Path, commands: list[tuple[str, ...]]) -> list[tuple[object, str, bool]]:
    """Return the exit code and the output of commands, and whether each left the folder as it was."""
    results = []
    for overrides in commands:
        before = state(folder)
        sys.argv = ["train", *overrides, f"hydra.run.dir={folder}"]
        output, code = io.StringIO(), None
        with redirect_stdout(output), redirect_stderr(output):
            try:
                main()
            except SystemExit as end:
                code = end.code
        results.append((code, output.getvalue(), state(folder) == before))
    return results


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[object, str, bool]]]:
    folder = tmp_path_factory.mktemp("stored") / "run"
    commands: dict[str, tuple[str, ...]] = {
        "trained": QUICK,
        "shown": QUICK,
        "shown with other threads": (*QUICK, "threads=2"),
        "shown with fewer": (*QUICK[:3],),
        **{name: (*QUICK, *overrides) for name, overrides in REFUSED.items()},
        "trained again": (*QUICK, "rerun=true"),
    }
    (ended,) = processes.call([partial(outcomes, folder, list(commands.values()))], PRELOAD)
    return folder, dict(zip(commands, ended, strict=True))


def test_a_shown_result_changes_nothing(told: tuple[Path, dict[str, tuple[object, str, bool]]]) -> None:
    for name in ("shown", "shown with other threads", "shown with fewer"):
        code, output, unchanged = told[1][name]
        assert code is None
        assert unchanged
        assert "Already finished: showing" in output
        assert ("made with threads=1 (not 2)" in output) == (name == "shown with other threads")


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_run_changes_nothing(
    told: tuple[Path, dict[str, tuple[object, str, bool]]], name: str
) -> None:
    code, _, unchanged = told[1][name]
    assert str(code).startswith("Error: ") or code == 1
    assert unchanged


def test_a_run_that_trains_writes_its_log_and_how_it_was_composed(
    told: tuple[Path, dict[str, tuple[object, str, bool]]],
) -> None:
    folder = told[0]
    assert [told[1][name][2] for name in ("trained", "trained again")] == [False, False]
    for place, overrides in ((folder, [*QUICK, "rerun=true"]), (folder / "previous", [*QUICK])):
        assert yaml.safe_load((place / ".hydra" / "overrides.yaml").read_text()) == overrides
        composed = yaml.safe_load((place / ".hydra" / "config.yaml").read_text())
        assert composed["rerun"] == read_result(place / "result.json").config["rerun"]
        assert "run" in yaml.safe_load((place / ".hydra" / "hydra.yaml").read_text())["hydra"]
    assert (folder / "train.log").read_text().count("[INFO] - Finished:") == 2
