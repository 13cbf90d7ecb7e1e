"""What a report was made of, and the commands that repeat its runs."""

from datetime import UTC, datetime
from pathlib import Path

import yaml

from adversarial_oversampling.report import record
from adversarial_oversampling.report.runs import load
from tests.report.conftest import WriteRun

TRAIN = "python -m adversarial_oversampling.train"


def keep_overrides(run: Path, *overrides: str) -> Path:
    (run / ".hydra").mkdir(parents=True)
    (run / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
    return run


def test_the_jobs_of_a_whole_sweep_are_one_command(tmp_path: Path) -> None:
    jobs = [
        keep_overrides(
            tmp_path / f"{dataset}-{mode}",
            *(
                "sweep.name=a",
                "paths.output_dir=/somewhere",
                f"dataset={dataset}",
                f"mode={mode}",
                "replicas=10",
            ),
        )
        for dataset in ("pima", "yeast")
        for mode in ("q", "do")
    ]

    assert record.commands(jobs) == [f"{TRAIN} -m dataset=pima,yeast mode=q,do replicas=10"]


def test_the_jobs_of_a_part_of_a_sweep_are_commands_of_their_own(tmp_path: Path) -> None:
    jobs = [
        keep_overrides(tmp_path / "a", "sweep.name=a", "dataset=pima", "mode=q"),
        keep_overrides(tmp_path / "b", "sweep.name=a", "dataset=yeast", "mode=do"),
        keep_overrides(tmp_path / "c", "mode=ro", "launcher=joblib", "rerun=true"),
        tmp_path / "without overrides",
    ]

    assert record.commands(jobs) == [
        f"{TRAIN} dataset=pima mode=q",
        f"{TRAIN} dataset=yeast mode=do",
        f"{TRAIN} mode=ro",
    ]


def test_versions_that_differ_are_all_listed(write_run: WriteRun, tmp_path: Path) -> None:
    write_run(mode="q", versions={"torch": "2.8", "numpy": "2.0"})
    write_run(mode="do", versions={"torch": "2.9", "numpy": "2.0"})

    assert record.versions(run.result.versions for run in load([tmp_path])) == {
        "torch": "2.8, 2.9",
        "numpy": "2.0",
    }


def test_the_record_has_runs_settings_and_devices(write_run: WriteRun, tmp_path: Path) -> None:
    for mode in ("q", "do"):
        write_run(mode=mode)
    runs = tmp_path / "runs"
    when = datetime(2021, 11, 1, tzinfo=UTC)

    made_of = record.record(load([runs]), [runs], runs / "report", when)

    assert made_of["runs_from"] == [".."]
    assert made_of["settings"] == {"holdout protocol, 4 epochs, seeds 0-2": 2}
    assert (made_of["devices"], made_of["threads"]) == (["cpu"], [1])


def test_a_folder_with_another_report_json_holds_no_report(tmp_path: Path) -> None:
    for content in ("{", "[]", '{"made_by": "others"}'):
        (tmp_path / record.FILE).write_text(content)
        assert record.read(tmp_path) is None
