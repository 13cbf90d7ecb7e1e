"""The commands that predict and generate rows with a finished run."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from adversarial_oversampling import generate, predict
from adversarial_oversampling.config.quoting import quoted
from tests.conftest import Compose, short_run

ROWS = 300
Command = Callable[..., "Done"]


class Done(NamedTuple):
    returncode: int
    stderr: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process: imports take longer than all the rest."""

    def call(name: str, *arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        try:
            {"predict": predict.main, "generate": generate.main}[name]()
        except SystemExit as error:
            return Done(1, f"{error.code}\n")
        return Done(0, capsys.readouterr().err)

    return call


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV file with a column of every role, and missing cells."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, ROWS),
            "income": rng.lognormal(8, 1, ROWS).round(2),
            "city": rng.choice(["Bonn", "Lima", "Oslo", "Rome"], ROWS),
            "member": rng.choice([True, False], ROWS),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, ROWS), "D"),
        }
    )
    score = frame.age + 20 * (frame.city == "Rome") + rng.normal(0, 5, ROWS)
    frame["label"] = np.where(score > 75, "yes", "no")
    frame.loc[rng.random(ROWS) < 0.1, "income"] = np.nan
    frame.loc[rng.random(ROWS) < 0.1, "city"] = None
    path = tmp_path_factory.mktemp("table") / "own.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def runs(compose_config: Compose, table: Path) -> dict[str, Path]:
    """The folders of finished runs on the table, by mode."""
    source = ["dataset=table", f"dataset.path={table}", "dataset.target=label"]
    folders = {mode: table.parent / mode for mode in ("do", "logistic")}
    for mode, folder in folders.items():
        short_run(compose_config, folder, *source, f"mode={mode}")
    return folders


@pytest.mark.parametrize("mode", ["do", "logistic"])
def test_the_test_rows_get_the_probabilities_of_the_run(
    runs: dict[str, Path], command: Command, table: Path, tmp_path: Path, mode: str
) -> None:
    run = runs[mode]
    expected = pd.read_parquet(run / "predictions.parquet")
    expected = expected[expected.seed == 1].reset_index(drop=True)
    new = tmp_path / "new.csv"
    whole = pd.read_csv(table)
    # Neither the order of the columns nor another one matters.
    whole.iloc[expected.row].drop(columns="label")[::-1].assign(more="x").to_csv(new, index=False)
    output = tmp_path / "predictions.parquet"
    done = command("predict", run, new, "--output", output, "--replica", 1)
    assert done.returncode == 0, done.stderr
    found = pd.read_parquet(output)[::-1].reset_index(drop=True)
    columns = ["predicted", "p_no", "p_yes"]
    # The order of the rows is part of the rounding of scikit-learn's products.
    pd.testing.assert_frame_equal(found, expected[columns], check_exact=mode == "do")
    for choice in ("mean", "best"):
        command("predict", run, new, "--output", tmp_path / f"{choice}.csv", "--replica", choice)
        assert list(pd.read_csv(tmp_path / f"{choice}.csv")) == columns


def test_groups_are_tested_whole_and_new_rows_need_none(
    compose_config: Compose, command: Command, table: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(table)
    household = np.random.default_rng(0).permutation(ROWS) // 3
    frame.assign(household=household).to_csv(tmp_path / "grouped.csv", index=False)
    source = ["dataset=table", f"dataset.path={tmp_path}/grouped.csv", "dataset.target=label"]
    result = short_run(compose_config, tmp_path / "run", *source, "dataset.group=household")
    assert result.table.summary is not None
    assert result.table.summary.groups == ROWS // 3
    assert "household" not in result.table.summary.columns["integer"]
    expected = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    for _, tested in expected.groupby("seed"):
        assert 70 <= len(tested) <= 110
        assert set(np.bincount(household[tested.row])) == {0, 3}
    first = expected[expected.seed == 0]
    frame.iloc[first.row].drop(columns="label").to_csv(tmp_path / "new.csv", index=False)
    output = tmp_path / "predictions.parquet"
    done = command("predict", tmp_path / "run", tmp_path / "new.csv", "--output", output, "--replica", 0)
    assert done.returncode == 0, done.stderr
    found = pd.read_parquet(output)
    pd.testing.assert_frame_equal(found, first[list(found)].reset_index(drop=True))


def test_no_file_of_a_command_replaces_another(
    runs: dict[str, Path], command: Command, table: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.csv"
    new.write_bytes(table.read_bytes())
    (tmp_path / "same.csv").symlink_to(new)
    rows = ["generate", runs["do"], "--class", "yes", "--rows", 2, "--output"]
    predictions = runs["logistic"] / "predictions.parquet"
    files = {path: path.read_bytes() for path in table.parent.rglob("*") if path.is_file()}
    for arguments, named in (
        (["predict", runs["do"], new, "--output", new], new),
        (["predict", runs["do"], new, "--output", tmp_path / "same.csv"], tmp_path / "same.csv"),
        ([*rows, tmp_path / "a.csv", "--provenance", tmp_path / "a.csv"], tmp_path / "a.csv"),
        ([*rows, tmp_path / "a.xlsx"], tmp_path / "a.xlsx"),
        (["predict", runs["do"], new, "--output", table], table),
        ([*rows, table], table),
        ([*rows, tmp_path / "a.csv", "--provenance", table], table),
        (["predict", runs["logistic"], new, "--output", predictions], predictions),
        ([*rows, runs["do"] / "new.csv"], runs["do"] / "new.csv"),
    ):
        done = command(*arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(f"Error: {named}: ")
        assert done.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in table.parent.rglob("*") if path.is_file()} == files
    assert new.read_bytes() == table.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv", "same.csv"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="age"), "there is no column 'age'"),
        (
            lambda frame: frame.assign(city="Kiev"),
            "('Bonn', 'Lima', 'Oslo', 'Rome'); leave the cell empty or the row out, or train on rows that",
        ),
        (
            lambda frame: frame.assign(age="old"),
            "column 'age' has 'old', which is not a number; write a number with a decimal point, or leave",
        ),
        (
            lambda frame: frame.assign(since="soon"),
            "column 'since' has 'soon', which is not a date; write dates as 2024-01-31 or 2024-01-31T12:00.",
        ),
        (lambda frame: frame.assign(income=np.inf), "infinite"),
    ],
)
def test_a_file_that_does_not_fit(
    runs: dict[str, Path], command: Command, table: Path, tmp_path: Path, change: object, message: str
) -> None:
    assert callable(change)
    new = tmp_path / "new.csv"
    change(pd.read_csv(table)).to_csv(new, index=False)
    done = command("predict", runs["do"], new, "--output", tmp_path / "out.csv")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert "dataset." not in done.stderr  # the command has no settings
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("note", ["", "sep=;\n"])
def test_a_file_with_another_separator(
    runs: dict[str, Path], command: Command, table: Path, tmp_path: Path, note: str
) -> None:
    new = tmp_path / "new.csv"
    new.write_text(note + pd.read_csv(table).to_csv(index=False, sep=";"))
    done = command("predict", runs["do"], new, "--output", tmp_path / "out.csv")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "write the file with the separator of the run's table, ','." in done.stderr
    assert "dataset." not in done.stderr  # the command has no settings


def test_a_date_beyond_nanoseconds(
    runs: dict[str, Path], command: Command, table: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.csv"
    pd.read_csv(table).assign(since="9999-12-31").to_csv(new, index=False)
    done = command("predict", runs["do"], new, "--output", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(tmp_path / "out.csv")) == ROWS


def test_a_parquet_file_of_a_frame(compose_config: Compose, command: Command, tmp_path: Path) -> None:
    """An index is left out in training and prediction; large numbers and far dates are generated again."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"flux": 10 ** rng.uniform(19, 22, 80), "label": ["no"] * 60 + ["yes"] * 20})
    frame["until"] = pd.Series(["9999-12-31", "2024-01-01T12:30", "2024-06-01"] * 27)[:80].astype("M8[us]")
    frame.sample(frac=1, random_state=0).to_parquet(tmp_path / "own.parquet")
    source = ["dataset=table", f"dataset.path={tmp_path}/own.parquet", "dataset.target=label"]
    short_run(compose_config, tmp_path / "run", *source, "mode=do")
    assert "The index of a data frame, '__index_level_0__'" in (tmp_path / "run" / "train.log").read_text()
    frame[["until", "flux"]].to_parquet(tmp_path / "new.parquet")
    done = command("predict", tmp_path / "run", tmp_path / "new.parquet", "--output", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    arguments = ["--class", "yes", "--rows", 30, "--output", tmp_path / "rows.parquet"]
    done = command("generate", tmp_path / "run", *arguments)
    assert done.returncode == 0, done.stderr
    made = pd.read_parquet(tmp_path / "rows.parquet")
    for name in ("flux", "until"):
        assert made[name].between(frame[name].min(), frame[name].max()).all()


def test_generated_rows_can_be_read_as_the_table_was(
    compose_config: Compose, command: Command, table: Path, tmp_path: Path
) -> None:
    pd.read_csv(table).to_csv(tmp_path / "own.csv", sep=";", decimal=",", index=False)
    source = ["dataset=table", f"dataset.path={tmp_path}/own.csv", "dataset.target=label"]
    source += ["dataset.separator=;", "dataset.decimal=,"]
    run, rows, output = tmp_path / "run", tmp_path / "rows.csv", tmp_path / "out.parquet"
    short_run(compose_config, run, *quoted(source), "mode=do")
    assert command("generate", run, "--class", "yes", "--rows", 9, "--output", rows).returncode == 0
    done = command("predict", run, rows, "--output", output)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(output)) == 9


def test_generated_rows_are_rows_of_the_table(
    runs: dict[str, Path], command: Command, table: Path, tmp_path: Path
) -> None:
    output = tmp_path / "rows.csv"
    done = command("generate", runs["do"], "--class", "yes", "--rows", 50, "--output", output)
    assert done.returncode == 0, done.stderr
    new, whole = pd.read_csv(output), pd.read_csv(table)
    assert list(new) == list(whole)
    assert set(new.label) == {"yes"}
    assert new.age.dtype == np.int64
    assert set(new.city) <= set(whole.city.dropna())
    assert set(new.member) <= {True, False}
    for name in ("age", "income", "since"):
        assert new[name].between(whole[name].min(), whole[name].max()).all()
    assert (new.since.str.len() == len("2020-01-01")).all()
    provenance = pd.read_parquet(tmp_path / "rows.csv.provenance.parquet")
    assert list(provenance) == ["generated", "real", "weight"]
    assert set(whole.label[provenance.real]) == {"yes"}
    assert np.allclose(provenance.groupby("generated").weight.sum(), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--class", "maybe", "--rows", "1"], "--class maybe"),
        (["--class", "yes", "--rows", "0"], "--rows=0"),
        (["--class", "yes", "--rows", "1", "--replica", "9"], "--replica 9"),
        (["--class", "yes", "--rows", "1", "--replica", "mean"], "--replica mean"),
    ],
)
def test_what_cannot_be_generated(
    runs: dict[str, Path], command: Command, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = command("generate", runs["do"], *arguments, "--output", tmp_path / "rows.csv")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert message in done.stderr
    assert not (tmp_path / "rows.csv").exists()


def test_a_file_of_another_kind_is_not_written(
    runs: dict[str, Path], command: Command, table: Path, tmp_path: Path
) -> None:
    done = command("predict", runs["do"], table, "--output", tmp_path / "out.xlsx")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "give a file that ends in .parquet, .feather, .csv" in done.stderr


def test_the_commands_say_how_they_are_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for main in (predict.main, generate.main):
        monkeypatch.setattr(sys, "argv", ["command", "--help"])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0
        assert "folder of a finished run" in capsys.readouterr().out
