"""The report as a Weights & Biases run, read back from the files of an offline run."""

import json
from pathlib import Path

import pandas as pd
import pytest

from adversarial_oversampling.report.__main__ import main
from tests.report.conftest import WriteRun
from tests.tracking.wandb_runs import inspected

pytestmark = pytest.mark.usefixtures("fresh_wandb")


def test_a_report_is_logged_as_one_run_with_tables_pictures_and_page(
    write_run: WriteRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mode in ("q", "lightgbm"):
        write_run("haberman", mode)
    monkeypatch.setenv("WANDB_MODE", "offline")
    output = tmp_path / "out" / "report"
    main([str(tmp_path / "runs"), "--output", str(output), "--wandb", "me/comparison"])

    (folder,) = (output.parent / "wandb").glob(
        "offline-run-*"
    )  # not in the report, which the next one replaces
    records = inspected(folder)
    started = next(record["run"] for record in records if record["type"] == "run")
    assert (started["entity"], started["project"], started["job_type"]) == ("me", "comparison", "report")
    (row,) = (record["history"]["item"] for record in records if record["type"] == "history")
    media = folder / "files"
    written = {file.stem for file in (output / "tables").glob("*.csv")}
    pictures = {file.stem for file in (output / "figures").glob("*.png") if not file.stem.endswith("-dark")}
    assert written
    assert pictures
    paths = {name.removesuffix(".path"): media / path for name, path in row.items() if name.endswith(".path")}
    logged = {f"tables/{name}" for name in written} | {f"pictures/{name}" for name in pictures}
    assert paths.keys() == logged | {"captions", "page", "results_per_split"}
    for name in written:
        data = json.loads(paths[f"tables/{name}"].read_text())
        frame = pd.read_csv(output / "tables" / f"{name}.csv")
        assert data["columns"] == list(frame)
        assert len(data["data"]) == len(frame)
    splits = json.loads(paths["results_per_split"].read_text())
    assert len(splits["data"]) == 2 * 3
    runs = json.loads(paths["tables/runs"].read_text())
    acsa = [line[runs["columns"].index("acsa")] for line in runs["data"]]
    assert acsa == pd.read_csv(output / "tables" / "runs.csv")["acsa"].tolist()
    captions = json.loads(paths["captions"].read_text())["data"]
    assert {line[0] for line in captions} == written - {"runs"}
    assert all(line[2] for line in captions)
    for name in pictures:
        assert paths[f"pictures/{name}"].read_bytes() == (output / "figures" / f"{name}.png").read_bytes()
    assert paths["page"].read_text() == (output / "index.html").read_text()


def test_a_failure_of_wandb_is_an_error_after_the_report_is_written(
    write_run: WriteRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "nonsense")
    output = tmp_path / "report"
    with pytest.raises(SystemExit, match="the report is written, but Weights & Biases fails"):
        main([str(write_run("haberman", "lightgbm")), "--output", str(output), "--wandb", "comparison"])
    assert (output / "index.html").is_file()
