"""A report of some runs and of an earlier report's results: as if all runs were at hand."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from compare_numbers import compare_with_summary

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.report import earlier, per_split, record
from adversarial_oversampling.report.__main__ import main
from adversarial_oversampling.report.runs import load, replica_frame, run_frame
from tests.report.conftest import MY_DO, WriteRun, selected_columns

Frames = tuple[pd.DataFrame, pd.DataFrame]
NOT_KEPT = {"folder", "settings_compared", "parameters", "seconds", "classes", "optimism", "rows_validation"}


def frames(*folders: Path) -> Frames:
    runs = load(folders)
    return run_frame(runs), replica_frame(runs)


def keep(folder: Path, *runs: Path) -> Path:
    """Write what a later report reads of a report of some runs."""
    folder.mkdir()
    _, replicas = frames(*runs)
    per_split.per_split(replicas).to_csv(folder / per_split.FILE, index=False)
    made_of = record.record(load(runs), runs, folder, datetime.now(UTC))
    (folder / record.FILE).write_text(json.dumps(made_of))
    return folder


def join(new: Sequence[Path], summary: Path) -> Frames:
    return earlier.join(*frames(*new), earlier.read(summary))


def assert_equal(found: Frames, expected: Frames) -> None:
    for one, other in zip(found, expected, strict=True):
        assert list(one) == list(other)
        same = [name for name in one if name not in NOT_KEPT]
        pd.testing.assert_frame_equal(one[same], other[same], check_exact=False, rtol=1e-14)


def test_the_frames_are_those_of_all_runs(write_run: WriteRun, tmp_path: Path) -> None:
    old = [
        write_run("haberman", "q", "cv", folds=2, seeds=[3, 4], acsa=[0.1 + 0.2, 0.6, 0.7, None]),
        write_run("yeast", "adasyn", "paper", na="no neighbors"),
        write_run("yeast", "lightgbm", "paper"),
        write_run("wafer", "do"),
        write_run("mine", "ao"),
    ]
    new = [write_run("haberman", "do"), write_run("secom", "do", fs="half", variant=[selected_columns(2)])]
    summary, expected = keep(tmp_path / "summary", *old), frames(*old, *new)

    found = join(new, summary)

    assert_equal(found, expected)
    pd.testing.assert_frame_equal(
        per_split.per_split(found[1]).astype(str), per_split.per_split(expected[1]).astype(str)
    )
    holdout = expected[0]["protocol"] == "holdout"
    difference = found[0]["optimism"] - expected[0]["optimism"]
    assert difference[holdout].abs().max() < 1e-15
    known = found[0]["folder"].notna()
    assert set(found[0]["folder"][known]) == set(map(str, new))


def test_a_run_that_the_report_has_too_stands_once(write_run: WriteRun, tmp_path: Path) -> None:
    old, new = write_run("haberman", "q"), write_run("haberman", "do")
    summary = keep(tmp_path / "summary", old)

    assert_equal(join([old, new], summary), frames(old, new))
    assert_equal(join([old], summary), frames(old))


def test_the_command_shows_the_results_of_an_earlier_report(write_run: WriteRun, tmp_path: Path) -> None:
    summary = keep(tmp_path / "summary", write_run("haberman", "lightgbm", versions={"torch": "2.8"}))
    new = write_run("haberman", "xgboost", versions={"torch": "2.9"})
    output = tmp_path / "report"

    main([str(new), "--earlier", str(summary), "--output", str(output), "--summary", str(summary)])

    assert (output / "index.html").read_text().count("in an earlier report") == 1
    made_of = record.read(summary)
    assert made_of is not None
    assert (made_of["runs"], made_of["versions"]) == (2, {"torch": "2.9, 2.8"})
    assert {row["mode"] for row in earlier.read(summary).rows} == {"lightgbm", "xgboost"}


def test_results_that_do_not_fit_are_refused(write_run: WriteRun, tmp_path: Path) -> None:
    old, own = write_run("haberman", "q", acsa=[0.6, 0.7, 0.8]), write_run("mine", "my_do", description=MY_DO)
    summary, of_own = keep(tmp_path / "summary", old), keep(tmp_path / "own", own)
    new = write_run("haberman", "do")

    with pytest.raises(InputError, match="mode=my_do is not a mode of the suite"):
        join([new], of_own)
    write_run("haberman", "q", acsa=[0.6, 0.7, 0.9], config_hash=load([old])[0].result.config_hash)
    with pytest.raises(InputError, match="different results of one configuration"):
        join([old], summary)


@pytest.mark.parametrize("kept", [["old"], ["new"], ["old", "new"]])
def test_the_versions_of_a_table_have_their_labels(
    write_run: WriteRun, tmp_path: Path, kept: list[str]
) -> None:
    old = write_run("mine", "q", folder="old")
    table = load([old])[0].result.table.model_copy(update={"digest": "0" * 64})
    runs = {"old": old, "new": write_run("mine", "q", folder="new", config_hash="n" * 10, table=table)}
    one = write_run("mine", "do", folder="one")
    summary = keep(tmp_path / "earlier", *(runs[name] for name in kept))
    others = [str(run) for name, run in runs.items() if name not in kept]
    output = tmp_path / "report"

    main([str(one), "--earlier", str(summary), *others, "--output", str(output)])

    found = pd.read_csv(output / per_split.FILE).drop_duplicates("config_hash")
    assert len(found) == 3
    assert list(found["dataset"]) == [f"mine (mine.csv) #{digest[:8]}" for digest in found["table_digest"]]
    assert found["table_digest"].nunique() == 2
    assert (output / "tables" / "runs.csv").is_file()


def test_a_damaged_earlier_report_is_refused(write_run: WriteRun, tmp_path: Path) -> None:
    summary = keep(tmp_path / "summary", write_run())
    file = summary / per_split.FILE
    rows = pd.read_csv(file, dtype=str, keep_default_na=False)

    rows.drop(columns="setting").to_csv(file, index=False)
    with pytest.raises(InputError, match="no column setting"):
        earlier.read(summary)
    for column, value in (("acsa", "high"), ("seed", ""), ("optimistic", "maybe"), ("rows_test", "1/x")):
        rows.assign(**{column: value}).to_csv(file, index=False)
        with pytest.raises(InputError, match=f"{file} is damaged"):
            earlier.read(summary)
    file.unlink()
    with pytest.raises(InputError, match=f"{file} is missing"):
        earlier.read(summary)
    for content in ("{}", '{"made_by": "adversarial_oversampling.report"}'):
        (summary / record.FILE).write_text(content)
        with pytest.raises(InputError, match="holds no report"):
            earlier.read(summary)


def test_the_committed_results_can_be_extended() -> None:
    kept = earlier.read(Path(__file__).parents[2] / "docs" / "results")

    assert len({row["config_hash"] for row in kept.rows}) == kept.made_of["runs"]


def test_runs_are_compared_with_a_summary_seed_by_seed(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = [0.6, 0.7, None]
    old = write_run("haberman", "q", acsa=scores)
    summary = keep(tmp_path / "summary", old)
    assert compare_with_summary(summary, old) == 0
    assert "haberman, q, holdout, natural, seeds [0, 1, 2]: 3 of 3 equal" in capsys.readouterr().out

    of_old = load([old])[0].result.config_hash
    scores[1] = 0.7 + 2**-53
    other = write_run("haberman", "q", acsa=scores, config_hash=of_old, folder="again/other")
    assert compare_with_summary(summary, other) == 1
    assert "2 of 3 equal\n1 of 1 runs differ." in capsys.readouterr().out
    assert compare_with_summary(summary, write_run("pima", "q")) == 1
    assert capsys.readouterr().out == f"Not in {summary / 'results_per_split.csv'}: 1 run.\n"
