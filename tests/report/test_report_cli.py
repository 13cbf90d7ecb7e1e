import json
import re
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from urllib.parse import unquote

import pandas as pd
import pytest

from adversarial_oversampling.report.__main__ import main, with_unique_names
from adversarial_oversampling.report.common import Table
from adversarial_oversampling.report.per_split import COLUMNS, per_split
from adversarial_oversampling.report.runs import UNDEFINED_METRIC, load, replica_frame
from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.results.schema import METRICS, SCHEMA_VERSION
from tests.report.conftest import MY_DO, WriteRun, run_writer, selected_columns


def report(capsys: pytest.CaptureFixture[str], *arguments: Path | str) -> str:
    """Run the command and return its output."""
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def refusal(*arguments: Path | str) -> str:
    """Run the command, which has to fail, and return its error."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert isinstance(stopped.value.code, str)  # Python prints it and exits with 1
    return stopped.value.code


def test_a_report_of_a_single_run_has_a_page_a_document_and_pictures(
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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "runs"]  # no temporary folder


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of several runs, with their report, and a summary in place of an older one."""
    folder = tmp_path_factory.mktemp("compared")
    write_run = run_writer(folder / "runs")
    for mode in ("q", "ro", "do"):
        write_run("haberman", mode)
    write_run("haberman", "do", fs="half")
    write_run("haberman", "do", variant=["players.generator.gumbel=0"])
    write_run("haberman", "lightgbm", acsa=[0.6, 0.7, None])
    (folder / "summary" / "tables").mkdir(parents=True)
    (folder / "summary" / "tables" / "table-2-old.csv").write_text("of another summary")
    main([str(folder / "runs"), "--summary", str(folder / "summary")])
    return folder


def test_a_report_of_several_runs_has_all_sections_and_table_files(compared: Path) -> None:
    folder = compared / "runs" / "report"
    stems = {kind: {path.stem for path in (folder / "tables").glob(f"*.{kind}")} for kind in ("csv", "tex")}
    assert stems["csv"] == stems["tex"] | {"runs"}
    runs = pd.read_csv(folder / "tables" / "runs.csv")
    assert runs["title"].tolist() == ["Q", "RO+Q", "DO", "DO", "DO", "class-weighted LightGBM"]
    assert set(runs["rows_test"]) == {"68/24"}
    assert runs["lost"].fillna("").tolist() == ["", "", "", "", "", UNDEFINED_METRIC]
    assert len(pd.read_csv(folder / "results_per_split.csv")) == 6 * 3
    headings = re.findall(r"^## (.*)$", (folder / "report.md").read_text(), re.MULTILINE)
    assert headings == [
        "Verdict",
        "The paper's claims",
        "Results",
        "Methods side by side",
        "Ablations",
        "Oversampling rates",
        "Statistics",
        "Real and generated rows",
        "Training curves",
        "Every run",
    ]


def test_the_page_answers_first_and_its_links_lead_to_files(compared: Path) -> None:
    folder = compared / "runs" / "report"
    text = (folder / "index.html").read_text()
    sections = re.findall(r'<section id="(\w+)"', text)
    assert sections[:3] == ["verdict", "claims", "results"]
    assert sections[-2:] == ["runs", "about"]
    titles = re.findall(r"<h3>(.*)</h3>", text)
    assert titles[:4] == [
        "The highest ACSA, and DO against Q and RO+Q, holdout protocol, 4 epochs, seeds 0-2",
        "Mean ranks of the paper&#39;s methods by ACSA, holdout protocol, 4 epochs, seeds 0-2",
        "Every method against DO, holdout protocol, 4 epochs, seeds 0-2",
        "Verdicts on the paper&#39;s claims, holdout protocol, 4 epochs, seeds 0-2",
    ]
    links = [link for link in re.findall(r'href="([^"]*)"', text) if not link.startswith(("#", "data:"))]
    assert all((folder / unquote(link)).is_file() for link in links)
    results = {(folder / unquote(link)).resolve() for link in links if link.endswith("result.json")}
    assert results == set((compared / "runs").rglob("result.json"))
    tables = {path.name for path in (folder / "tables").iterdir()}
    linked = {Path(link).name for link in links if link.startswith("tables/")}
    assert linked == {name for name in tables if not name.startswith("runs-")}


def test_a_summary_is_a_page_with_its_pictures_and_numbers(compared: Path) -> None:
    folder = compared / "summary"
    text = (folder / "README.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[:3] == ["Verdict", "The paper's claims", "Results"]
    pictures = re.findall(r"!\[.*\]\((.*)\)", text)
    assert pictures
    assert all((folder / picture).is_file() for picture in pictures)
    frame = pd.read_csv(folder / "results_per_split.csv")
    assert set(frame["mode"]) == {"q", "ro", "do", "lightgbm"}
    assert not (folder / "tables" / "table-2-old.csv").exists()
    assert not list(folder.rglob("*.tex"))
    assert json.loads((folder / "report.json").read_text())["runs"] == 6
    files = {path.name for path in folder.iterdir()}
    assert files >= {"README.md", "claims.csv", "ablations.csv", "report.json", "tables", "figures"}


@pytest.fixture(scope="module")
def finished_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small report; tests change copies of it."""
    folder = tmp_path_factory.mktemp("small")
    main([str(run_writer(folder)("haberman", "lightgbm")), "--output", str(folder / "report")])
    return folder / "report"


def test_a_report_with_other_files_in_its_folder_is_not_replaced(
    write_run: WriteRun, tmp_path: Path, finished_report: Path
) -> None:
    run, output = write_run("haberman", "lightgbm"), tmp_path / "report"
    copytree(finished_report, output)
    (output / "notes.txt").write_text("of a reader")

    assert "exists and is not a report" in refusal(run, "--output", output)
    assert (output / "notes.txt").is_file()


def test_a_folder_with_a_document_named_report_is_not_a_report(write_run: WriteRun, tmp_path: Path) -> None:
    output = tmp_path / "report"
    output.mkdir()
    (output / "report.md").write_text("of a student")

    assert "exists and is not a report" in refusal(write_run(), "--output", output)


def test_a_second_report_replaces_the_first(
    write_run: WriteRun, tmp_path: Path, finished_report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = copytree(finished_report, tmp_path / "report")
    (output / "tables" / "old.csv").write_text("of the first report")

    report(capsys, write_run("pima", "lightgbm"), "--output", output)

    assert not (output / "tables" / "old.csv").exists()
    assert "Pima" in (output / "report.md").read_text()


def test_an_output_inside_the_folder_of_runs_is_not_searched_for_runs(
    write_run: WriteRun, tmp_path: Path, finished_report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run("haberman", "lightgbm")
    runs = tmp_path / "runs"
    copytree(finished_report, runs / "report")

    assert "1 runs" not in (printed := report(capsys, runs, "--output", runs / "report"))
    assert "1 run." in printed


def test_an_output_that_is_not_a_report_is_not_deleted(write_run: WriteRun, tmp_path: Path) -> None:
    run, output = write_run(), tmp_path / "precious"
    output.mkdir()
    (output / "thesis.tex").write_text("years of work")

    assert "exists and is not a report" in refusal(run, "--output", output)
    assert (output / "thesis.tex").read_text() == "years of work"
    assert "exists and is not a report" in refusal(run, "--output", output / "thesis.tex")
    assert "cannot be written" in refusal(run, "--output", output / "thesis.tex" / "report")


def test_an_interrupted_report_leaves_the_old_report(
    write_run: WriteRun, tmp_path: Path, finished_report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, output = write_run("haberman", "lightgbm"), tmp_path / "report"
    copytree(finished_report, output)
    before = (output / "report.md").read_text()

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adversarial_oversampling.report.__main__.page.write", fail)
    with pytest.raises(SystemExit, match="130"):
        main([str(run), "--output", str(output)])

    assert (output / "report.md").read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "runs"]


def test_a_folder_without_runs_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert refusal(tmp_path / "empty") == (
        f"Error: no result.json in {tmp_path / 'empty'}: give folders of finished runs."
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is damaged"),
        ("\xff", "is damaged"),
        ("[]", "schema_version=None"),
        ('{"dataset": "iris"}', "schema_version=None"),
    ],
)
def test_a_file_that_is_no_result_is_an_error_of_one_line(tmp_path: Path, content: str, problem: str) -> None:
    file = tmp_path / "result.json"
    file.write_text(content, encoding="latin-1")

    message = refusal(tmp_path)

    assert message.startswith(f"Error: {file}")
    assert problem in message
    assert "\n" not in message


@pytest.mark.parametrize("version", [1, 3, None, "2"])
def test_a_result_of_another_version_is_an_error_of_one_line(
    write_run: WriteRun, tmp_path: Path, version: object
) -> None:
    write_run("pima", "q")
    file = write_run("pima", "do") / "result.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema_version": version}))

    message = refusal(tmp_path / "runs", "--output", tmp_path / "report")

    assert message.startswith(
        f"Error: {file}: schema_version={version}: this version of the suite reads {SCHEMA_VERSION};"
    )
    assert "\n" not in message
    assert not (tmp_path / "report").exists()


def test_a_result_without_a_field_is_an_error_of_one_line(write_run: WriteRun) -> None:
    file = write_run("pima", "q") / "result.json"
    content = json.loads(file.read_text())
    del content["replicas"][0]["selection_acsa"]
    file.write_text(json.dumps(content))

    message = refusal(file)

    assert message.startswith(f"Error: {file}: replicas.0.selection_acsa: ")
    assert "\n" not in message


# ---------------------------------------------------------------------------- results per split


def test_results_per_split_are_those_of_the_runs(write_run: WriteRun, tmp_path: Path) -> None:
    folders = [
        write_run("haberman", "q", "cv", folds=2, seeds=[3, 4], acsa=[0.1 + 0.2, 0.6, 0.7, None]),
        write_run("haberman", "do", fs="half", variant=[selected_columns(2)]),
        write_run("yeast", "adasyn", "paper", na="no neighbors"),
        write_run("yeast", "lightgbm", "paper"),
        write_run("yeast", "my_do", file="yeast.csv", description=MY_DO),
    ]
    results = {read_result(folder / "result.json").config_hash: folder for folder in folders}

    runs = load([tmp_path / "runs"])

    file = tmp_path / "results_per_split.csv"
    per_split(replica_frame(runs)).to_csv(file, index=False)
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    assert list(table) == list(COLUMNS)
    assert len(table) == 4 + 4 * 3
    assert not table.duplicated(["dataset", "protocol", "mode", "seed", "fold", "variant"]).any()
    names = {"yeast (yeast.csv)": "yeast", "haberman": "haberman", "yeast": "yeast"}
    for row in table.to_dict("records"):
        result = read_result(results[row["config_hash"]] / "result.json")
        places = [(str(r.seed), "" if r.fold is None else str(r.fold)) for r in result.replicas]
        replica = result.replicas[places.index((row["seed"], row["fold"]))]
        assert result.dataset == names[row["dataset"]]
        expected = {
            **result.model_dump(
                include={
                    "protocol",
                    "mode",
                    "gan_type",
                    "fs",
                    "fs_ratio",
                    "epochs",
                    "select_on",
                    "optimistic",
                }
            ),
            **replica.model_dump(include={*METRICS, "best_epoch", "selection_acsa", "na"}),
            "variant": "; ".join(result.variant),
            "published": result.table.published,
            "table_digest": result.table.digest,
        }
        for column, value in expected.items():
            assert row[column] == ("" if value is None else str(value)), column
        for part in ("train", "validation", "test"):
            rows = getattr(replica.rows, part)
            assert row[f"rows_{part}"] == ("/".join(map(str, rows)) if any(rows) else ""), part


# ---------------------------------------------------------------------------- a mode and a table of one's own


def test_a_report_has_a_users_mode_and_table_under_their_titles(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for mode in ("q", "do", "my_do"):
        write_run("yeast", mode, file="yeast.csv", description=MY_DO if mode == "my_do" else None)

    report(capsys, tmp_path / "runs", "--output", tmp_path / "report")

    text = (tmp_path / "report" / "report.md").read_text()
    assert "| dataset | metric | Q | DO | My DO |" in text
    assert "| yeast (yeast.csv) | ACSA | ours |" in text
    assert "62.81" not in text  # the paper's DO on Yeast
    html = (tmp_path / "report" / "index.html").read_text()
    assert "<option>My DO</option>" in html
    assert "<option>yeast (yeast.csv)</option>" in html


def test_repeated_file_names_get_a_number() -> None:
    table = Table(
        name="a",
        section="results",
        title="",
        caption="",
        columns=(),
        rows=(),
        footnotes=(),
        data=pd.DataFrame(),
    )
    tables = [replace(table, name=name) for name in ("a", "b", "a", "a-2", "a")]

    assert [table.name for table in with_unique_names(tables)] == ["a", "b", "a-2", "a-2-2", "a-3"]


def test_without_output_the_report_lies_beside_its_runs_and_replaces_no_other(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run("haberman", "lightgbm")
    runs = tmp_path / "runs"
    printed = report(capsys, runs)
    assert printed.splitlines()[-1] == f"The report's page: {runs / 'report' / 'index.html'}"
    report(capsys, runs)  # of the same runs
    (run,) = (runs / "haberman").iterdir()
    assert "holds the report of other runs" not in report(capsys, run)  # in its own folder
    assert (run / "report" / "index.html").is_file()
    assert "holds the report of other runs" in refusal(runs, run)
