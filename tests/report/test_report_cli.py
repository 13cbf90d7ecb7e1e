import re
from pathlib import Path

import pandas as pd
import pytest

from adversarial_oversampling.report.__main__ import main
from tests.report.conftest import WriteRun


def report(capsys: pytest.CaptureFixture[str], *arguments: Path | str) -> str:
    """Run the command and return what it printed."""
    main([str(one) for one in arguments])
    return capsys.readouterr().out


def refusal(*arguments: Path | str) -> str:
    """Run the command, which has to refuse, and return its error."""
    with pytest.raises(SystemExit) as stopped:
        main([str(one) for one in arguments])
    assert isinstance(stopped.value.code, str)  # Python prints it and exits with 1
    return stopped.value.code


def test_a_report_of_a_single_run(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, output = write_run("haberman", "q"), tmp_path / "report"

    printed = report(capsys, run, "--output", output)

    assert printed.splitlines()[-1] == f"The report's page: {output / 'index.html'}"
    assert (output / "index.html").stat().st_size > 1000
    text = (output / "report.md").read_text()
    assert "### Table 2, holdout protocol, 4 epochs, seeds 0-2" in text
    assert "No test over datasets" in text
    pictures = re.findall(r"!\[.*\]\((.*)\)", text)
    assert pictures
    assert all((output / picture).is_file() for picture in pictures)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["report", "runs"]  # nothing half-written


def test_a_report_of_many_runs(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for mode, fs in (("q", None), ("do", None), ("do", "half"), ("lightgbm", None)):
        write_run("haberman", mode, fs=fs)

    report(capsys, tmp_path / "runs", "--output", tmp_path / "report")

    folder = tmp_path / "report" / "tables"
    stems = {kind: {path.stem for path in folder.glob(f"*.{kind}")} for kind in ("csv", "tex")}
    assert stems["csv"] == stems["tex"] | {"runs", "replicas"}
    runs = pd.read_csv(folder / "runs.csv")
    assert runs["title"].tolist() == ["Q", "DO", "DO", "LightGBM, class weights"]
    assert set(runs["rows_test"]) == {"68/24"}
    assert len(pd.read_csv(folder / "replicas.csv")) == 4 * 3
    headings = re.findall(r"^## (.*)$", (tmp_path / "report" / "report.md").read_text(), re.MULTILINE)
    assert headings == [
        "Results",
        "Methods side by side",
        "Oversampling rates",
        "Statistics",
        "Real and generated rows",
        "Training curves",
        "Every run",
    ]


def test_a_second_report_replaces_the_first(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report"
    report(capsys, write_run("haberman", "lightgbm"), "--output", output)
    (output / "old.txt").write_text("from before")

    report(capsys, write_run("pima", "lightgbm"), "--output", output)

    assert not (output / "old.txt").exists()
    assert "pima" in (output / "report.md").read_text()


def test_the_output_among_the_runs_is_no_run(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run("haberman", "lightgbm")
    runs = tmp_path / "runs"
    report(capsys, runs, "--output", runs / "report")

    assert "1 runs" not in (printed := report(capsys, runs, "--output", runs / "report"))
    assert "1 run." in printed


def test_what_lies_at_the_output_is_not_deleted(write_run: WriteRun, tmp_path: Path) -> None:
    run, output = write_run(), tmp_path / "precious"
    output.mkdir()
    (output / "thesis.tex").write_text("years of work")

    assert "something other than a report" in refusal(run, "--output", output)
    assert (output / "thesis.tex").read_text() == "years of work"
    assert "something other than a report" in refusal(run, "--output", output / "thesis.tex")
    assert "cannot be written" in refusal(run, "--output", output / "thesis.tex" / "report")


def test_a_failure_leaves_the_old_report(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, output = write_run("haberman", "lightgbm"), tmp_path / "report"
    report(capsys, run, "--output", output)
    before = (output / "report.md").read_text()

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adversarial_oversampling.report.__main__.page.write", fail)
    with pytest.raises(KeyboardInterrupt):
        main([str(run), "--output", str(output)])

    assert (output / "report.md").read_text() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["report", "runs"]


def test_no_runs_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert refusal(tmp_path / "empty") == (
        f"Error: no result.json in {tmp_path / 'empty'}: give folders of finished runs."
    )


def test_a_damaged_result_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("{")

    assert refusal(tmp_path).startswith(f"Error: {tmp_path / 'result.json'} is damaged")
