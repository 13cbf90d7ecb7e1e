"""What a run logs to Weights & Biases: on a server on loopback, and in the files of offline runs."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adversarial_oversampling.results.read import read_result, record_of
from adversarial_oversampling.results.schema import METRICS
from adversarial_oversampling.tracking import loggers
from tests.conftest import Compose, Run
from tests.tracking.wandb_runs import (
    DO,
    ONLINE,
    WANDB,
    Server,
    check_files,
    check_server,
    connect,
    expected,
    expected_curves,
    inspected,
    only_folder,
)

pytestmark = pytest.mark.usefixtures("fresh_wandb")


def table(server: Server, run: dict[str, Any], name: str) -> pd.DataFrame:
    """A table as the server has it."""
    (path,) = Path(server.folder).rglob(f"{run['run_id']}/**/media/table/{name}_[0-9]*_*.table.json")
    found = json.loads(path.read_text())
    return pd.DataFrame(found["data"], columns=found["columns"])


def test_online_a_run_says_what_its_result_says(
    run: Run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, server.url)
    result = run(*DO, *ONLINE)
    told = check_server(server, tmp_path / "run")
    assert told["tags"] == [
        "haberman",
        "do",
        "holdout",
        "fs_balanced",
        "wgan_gp",
        "3_epochs",
        "default_settings",
    ]
    assert result.config_hash in told["display_name"]

    replicas = table(server, told, "replicas")
    for row, record in zip(replicas.to_dict("records"), result.replicas, strict=True):
        same = ("seed", "best_epoch", "selection_acsa", *METRICS)
        assert {name: row[name] for name in same} == {name: getattr(record, name) for name in same}
        assert {name: row[f"recall of {name}"] for name in result.classes} == record.recall
    cells = table(server, told, "confusion").groupby(["seed", "true", "predicted"])["rows"].sum()
    summed = table(server, told, "confusion_matrix_table").groupby(["Actual", "Predicted"]).sum()
    for i, true in enumerate(result.classes):
        for j, predicted in enumerate(result.classes):
            counts = [record.confusion[i][j] for record in result.replicas if record.confusion is not None]
            assert [cells[record.seed, true, predicted] for record in result.replicas] == counts
            assert summed.loc[(true, predicted), "nPredictions"] == sum(counts)
    curves = pd.read_parquet(tmp_path / "run" / "curves.parquet").set_index(["seed", "epoch"])
    chart = table(server, told, "acsa_of_each_seed_table").set_index(["lineKey", "step"])["lineVal"]
    assert len(chart) == len(curves)
    for (seed, epoch), acsa in curves["validation/acsa"].items():
        assert chart[f"seed {seed}", epoch] == acsa
    (artifact,) = (
        one
        for one in server.get(f"{told['run_id']}/artifacts")["artifacts"]
        if one["artifact_type"] == "model"
    )
    assert artifact["metadata"]["config_hash"] == result.config_hash
    assert artifact["metadata"]["final/acsa"] == result.mean.acsa
    assert not (tmp_path / "home" / ".local").exists()  # nothing of it in the user's home


def test_offline_and_sent_later_a_run_says_the_same(
    run: Run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(*DO, "mode=q", "protocol=paper")
    folder = only_folder(tmp_path / "run")
    assert folder.name.startswith("offline-run-")
    (told,) = inspected(folder, "--summary")
    assert (told["state"], told["exit_code"]) == ("finished", 0)
    assert {name: told["summary"][name] for name in expected(result)} == expected(result)
    assert told["summary"]["table_digest"] == result.table.digest
    assert min(map(len, expected_curves(tmp_path / "run").values())) == 3
    for name, values in expected_curves(tmp_path / "run").items():
        assert told["summary"][name] == pytest.approx(values[-1]), name
    (begun,) = (record["run"] for record in inspected(folder) if record["type"] == "run")
    assert "wgan_gp" not in begun["tags"]  # no generator, no game

    connect(monkeypatch, server.url)
    subprocess.run([WANDB, "sync", str(folder)], check=True, capture_output=True)
    check_server(server, tmp_path / "run")


def test_offline_files_hold_the_artifact(run: Run, tmp_path: Path) -> None:
    run(*DO)
    folder = only_folder(tmp_path / "run")
    (artifact,) = (
        record["artifact"]
        for record in inspected(folder)
        if record["type"] == "artifact" and record["artifact"]["type"] == "model"
    )
    contents = {one["path"]: Path(one["local_path"]) for one in artifact["manifest"]["contents"]}
    assert contents.keys() == {
        *("model.json", "model.safetensors"),
        *("result.json", "predictions.parquet", "curves.parquet"),
    }
    for name, copy in contents.items():
        assert copy.is_relative_to(folder)  # it goes and stays with the run
        assert copy.read_bytes() == (tmp_path / "run" / name).read_bytes()


def test_a_method_without_epochs_and_one_without_a_result(run: Run, tmp_path: Path) -> None:
    for name, overrides in {
        "peer": ["mode=logistic", "logger.wandb.artifact=false"],
        "na": ["mode=adasyn", "dataset=yeast"],
    }.items():
        result = run("logger=wandb", *overrides, name=name)
        folder = only_folder(tmp_path / name)
        (told,) = inspected(folder, "--summary")
        assert {key for key in told["summary"] if key.startswith("final/")} == expected(result).keys()
        assert told["summary"]["na"] == (result.na or "")
        kinds = {record["artifact"]["type"] for record in inspected(folder) if record["type"] == "artifact"}
        assert kinds == ({"run_table"} if name == "peer" else {"run_table", "result"})


def test_an_id_in_the_environment_is_not_shared_by_runs_without_an_agent(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_RUN_ID", "shared")
    for name in ("one", "two"):
        run("mode=logistic", "replicas=1", "logger=wandb", name=name)
    folders = {folder.name.rpartition("-")[2] for folder in tmp_path.glob("*/wandb/offline-run-*")}
    assert len(folders) == 2
    assert "shared" not in folders


def test_the_command_line_that_wandb_records_has_no_credentials(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "+logger.csv.token=hunter2"])
    run("mode=logistic", "replicas=1", "logger=wandb", "paths.cache_dir='/tmp/x?token=hunter2'")
    content = [file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert not [one for one in content if b"hunter2" in one]
    assert [one for one in content if b"/tmp/x?token=***" in one]


def test_disabled_leaves_no_files(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert run(*DO, *ONLINE).mean.acsa is not None
    assert not (tmp_path / "run" / "wandb").exists()
    assert (tmp_path / "run" / "curves").is_dir()


def test_a_finished_run_without_one_gets_a_wandb_run_and_no_training(run: Run, tmp_path: Path) -> None:
    for name, overrides in {"game": DO, "diverged": [*DO, "mode=q"], "peer": ["mode=logistic"]}.items():
        run(*overrides, "logger=none", name=name)
        trained = (tmp_path / name / "predictions.parquet").stat().st_mtime_ns
        if name == "diverged":
            leave_as_diverged(tmp_path / name)
        result = run(*overrides, "logger=wandb", name=name)
        check_files(tmp_path / name, result)
        assert (tmp_path / name / "predictions.parquet").stat().st_mtime_ns == trained


def leave_as_diverged(run_dir: Path) -> None:
    """Let a run's first replica have diverged in epoch 1."""
    curves = pd.read_parquet(run_dir / "curves.parquet")
    lost = (curves.seed == 0) & (curves.epoch >= 1)
    curves.loc[lost, "classifier/loss"] = math.nan
    curves.to_parquet(run_dir / "curves.parquet", index=False)
    result = read_result(run_dir / "result.json")
    first, *others = result.replicas
    changes = {
        "replicas": [first.model_copy(update={"diverged_at": 1}), *others],
        "files": {**result.files, "curves.parquet": record_of(run_dir / "curves.parquet")},
    }
    (run_dir / "result.json").write_text(result.model_copy(update=changes).to_json())


def test_a_setting_that_wandb_refuses_is_reported(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch, server.url)
    assert run(*DO, *ONLINE, "mode=q", "logger.wandb.project='a:b'").mean.acsa > 0
    (warning,) = (one.message for one in caplog.records if one.levelname == "WARNING")
    assert "cannot start, so nothing is logged there: UsageError" in warning


def test_the_project_may_be_given_with_its_entity_or_by_the_environment(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    run(*DO, "mode=q", name="environment")
    run(*DO, "mode=q", "logger.wandb.project=me/ours", name="setting")
    begun = {
        name: next(one["run"] for one in inspected(only_folder(tmp_path / name)) if one["type"] == "run")
        for name in ("environment", "setting")
    }
    assert begun["environment"]["project"] == "mine"
    assert (begun["setting"]["entity"], begun["setting"]["project"]) == ("me", "ours")


def test_an_undefined_number_is_not_logged(run: Run) -> None:
    result = run("mode=q", "replicas=1")
    told = loggers.final_metrics(result)
    assert result.std.acsa is None
    assert "final/acsa_std" not in told
    assert all(math.isfinite(value) for value in told.values())


def test_tags_name_dataset_mode_and_settings(compose_config: Compose) -> None:
    tags = compose_config("logger=wandb", "mode=smote", "dataset=pima", "protocol=cv").logger.wandb.tags
    assert list(tags) == ["pima", "smote", "cv", "fs_natural", "100_epochs", "default_settings"]
    tags = compose_config("logger=wandb", "mode=q", "dataset=secom_20_columns").logger.wandb.tags
    assert tags[0] == "secom_20_columns"
    assert "default_settings" in tags
    for other in ("fs=quarter", "mode=q fs=balanced", "gan_type=vanilla", "players.classifier.width=96"):
        assert "default_settings" not in compose_config("logger=wandb", *other.split()).logger.wandb.tags
    assert "default_settings" in compose_config("logger=wandb", "mode=both_fool", "seed=7").logger.wandb.tags
    long = compose_config("logger=wandb", "dataset=table", f"dataset.name={80 * 'x'}", "dataset.path=t")
    assert max(map(len, long.logger.wandb.tags)) == 64  # W&B takes no longer ones
