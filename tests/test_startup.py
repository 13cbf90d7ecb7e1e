"""What a command imports before it trains: nothing that is slow."""

import subprocess
import sys
from pathlib import Path

import pytest
from startup import SLOW

PROBE = """
import sys
from adversarial_oversampling.train import main
try:
    main()
except SystemExit as end:
    print("exit", end.code)
print("imported", *(name for name in {slow!r} if name in sys.modules))
"""
QUICK = ["trainer.max_epochs=1", "replicas=1", "logger=none", "mode=logistic"]


def probe(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", PROBE.format(slow=SLOW), *arguments]
    return subprocess.run(program, capture_output=True, text=True, check=True, timeout=200)


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["--help"], "Frequently used keys"),
        (["replicas=0"], "Error: replicas=0: give a whole number of at least 1."),
        (["fs=0.25"], "Error: fs=0.25: choose one of"),
        (["+replica=3"], "Error: replica: there is no such setting; did you mean replicas?"),
    ],
)
def test_help_and_a_refused_setting_import_nothing_slow(
    tmp_path: Path, arguments: list[str], output: str
) -> None:
    done = probe(*arguments, *([] if arguments == ["--help"] else [f"hydra.run.dir={tmp_path}/run"]))
    assert output in done.stdout
    assert done.stdout.rstrip().endswith("imported")


def test_a_stored_result_is_shown_without_a_slow_import(tmp_path: Path) -> None:
    arguments = [*QUICK, f"hydra.run.dir={tmp_path}/run"]
    first, second = (probe(*arguments) for _ in range(2))
    assert "torch" in first.stdout.splitlines()[-1]  # it trains
    assert second.stdout.splitlines()[-1].split() == ["imported"]
    table = first.stdout[first.stdout.index("logistic on haberman") :].splitlines()[:-1]
    assert "\n".join(table) in second.stdout
