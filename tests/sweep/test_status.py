"""Job statuses."""

from pathlib import Path

import pytest

from adversarial_oversampling.sweep.status import JobStatus, duration, read_statuses


def test_statuses_are_read_once_and_in_order(tmp_path: Path) -> None:
    statuses = [JobStatus(job, [f"seed={job}"], str(tmp_path), "done", 1.5) for job in (10, 2, 3)]
    for status in statuses:
        status.write(tmp_path / "sweep")
    new = read_statuses(tmp_path / "sweep", ended={3})
    assert [status.job for status in new] == [2, 10]
    assert new[1] == statuses[0]


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.4, "3 s"), (98.0, "98 s"), (120.0, "2 min"), (7200.0, "2.0 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
