"""Every write of a run fails once; the next start gives the undisturbed files, and nothing is lost."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.faulty_writes import FAULTS, KILLED

ROOT = Path(__file__).parents[2]
End = dict[str, Any]


@pytest.fixture(scope="module")
def all_ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[End]]:
    """How each disturbance of a first run, and of one that replaces a result, has ended."""
    folder = tmp_path_factory.mktemp("faulty")
    arguments = [sys.executable, "-m", "tests.reliability.faulty_writes", str(folder)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ends: dict[str, list[End]] = json.loads(done.stdout.splitlines()[-1])
    return ends


@pytest.fixture(params=["first", "rerun"])
def ends(request: pytest.FixtureRequest, all_ends: dict[str, list[End]]) -> list[End]:
    """Those of one of the two runs."""
    return all_ends[request.param]


def named(ends: list[End]) -> list[str]:
    return [f"{end['point']}, {end['fault']}: {end['said']}" for end in ends]


def test_each_fault_has_happened_at_several_writes(ends: list[End]) -> None:
    for fault in (KILLED, *FAULTS):
        met = [end for end in ends if end["fault"] == fault and end["said"] != "finished"]
        assert len(met) >= 3, fault


@pytest.mark.parametrize("fault", [KILLED, *FAULTS])
def test_the_same_command_gives_the_undisturbed_files(ends: list[End], fault: str) -> None:
    assert named([end for end in ends if end["fault"] == fault and not end["again"]]) == []


def test_nothing_half_written_looks_finished(ends: list[End]) -> None:
    assert named([end for end in ends if end["looks"] == "broken"]) == []


def test_an_older_result_is_whole_until_the_new_one_is(all_ends: dict[str, list[End]]) -> None:
    ends = all_ends["rerun"]
    assert named([end for end in ends if not end["old"] and end["looks"] != "new"]) == []
    assert named([end for end in ends if not end["previous"]]) == []


def test_an_error_is_that_of_the_operating_system_or_one_line(ends: list[End]) -> None:
    """The guard of the commands turns the first into the second."""
    for end in ends:
        kind, _, text = end["said"].partition(": ")
        assert kind in ("finished", "killed", "OSError", "InputError"), end
        assert len(text.splitlines()) <= 1, end
