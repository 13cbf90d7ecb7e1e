"""Weights & Biases, against a server on loopback, and from the files of offline runs."""

import http.server
import json
import logging
import math
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import requests
import wandb
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from adversarial_oversampling.data.datamodule import Batch
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.results.read import read_result, record_of
from adversarial_oversampling.results.schema import METRICS, Result
from adversarial_oversampling.text import slug
from adversarial_oversampling.tracking import loggers
from adversarial_oversampling.tracking import wandb as tracking
from adversarial_oversampling.training import run as training
from adversarial_oversampling.training.run import train
from tests.conftest import Compose, Run
from tests.sweep.sweeps import is_alive, sweep_command, swept, swept_here, until

KEY = "local" + "0" * 40
WANDB = str(Path(sys.executable).parent / "wandb")
DO = ["logger=wandb", "mode=do", "trainer.max_epochs=3"]
ONLINE = ["logger.wandb.offline=false"]
BRIEF = ["replicas=1", "trainer.max_epochs=1"]


@dataclass
class Server:
    """A server that speaks W&B's protocol, on a port of its own."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        arguments = [sys.executable, "-m", "openwandb", "serve", "--host", "127.0.0.1"]
        arguments += ["--port", str(self.port), "--data-dir", str(self.folder)]
        with (self.folder.parent / "server.log").open("ab") as output:
            self.process = subprocess.Popen(arguments, stdout=output, stderr=output)
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            try:
                requests.get(self.url + "/login", timeout=5)
                return
            except requests.ConnectionError:
                time.sleep(0.1)
        raise TimeoutError((self.folder.parent / "server.log").read_text())

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self.url}/api/v2/runs/{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(tmp_path_factory.mktemp("server") / "data", free_port())
    one.start()
    yield one
    one.kill()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """A server for a test that kills it."""
    one = Server(tmp_path / "mortal" / "data", free_port())
    one.folder.parent.mkdir()
    one.start()
    yield one
    one.kill()


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A user without a key, whose W&B has not started yet."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    wandb.teardown()
    yield
    wandb.teardown()


def connect(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)


def only_folder(run_dir: Path) -> Path:
    (folder,) = (run_dir / "wandb").glob("*run-*-*")
    return folder


def id_of(folder: Path) -> str:
    """The run's id; W&B adds a number where two attempts begin in one second."""
    found = re.fullmatch(r"(?:offline-)?run-\d+_\d+-(\w+)(?:-\d+)?", folder.name)
    assert found, folder
    return found[1]


def run_id(run_dir: Path) -> str:
    return id_of(only_folder(run_dir))


def inspected(folder: Path, *options: str) -> list[dict[str, Any]]:
    command = [WANDB, "leet", "inspect", "--json", *options, str(folder)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(told)] if options else [json.loads(line) for line in told.splitlines()]


def history(folder: Path) -> list[dict[str, Any]]:
    """Every row that an offline run holds, in order."""
    rows = []
    for record in inspected(folder):
        if record["type"] == "history":
            items = record["history"]["item"]
            rows.append(items if isinstance(items, dict) else {one["key"]: one["value"] for one in items})
    return rows


def expected(result: Result) -> dict[str, float]:
    """Every final number, straight from result.json."""
    prefix = "final_optimistic" if result.optimistic else "final"
    told = {}
    for metric in METRICS:
        for kind, suffix in (("mean", ""), ("std", "_std"), ("defined", "_replicas")):
            told[f"{prefix}/{metric}{suffix}"] = getattr(getattr(result, kind), metric)
        spread = getattr(result.std, metric)
        if spread is not None:
            told[f"{prefix}/{metric}_sem"] = spread / math.sqrt(getattr(result.defined, metric))
    return {name: value for name, value in told.items() if value is not None}


def expected_curves(run_dir: Path) -> dict[str, list[float]]:
    """Mean and spread over replicas, epoch by epoch, from curves.parquet."""
    by_epoch = pd.read_parquet(run_dir / "curves.parquet").drop(columns=["seed", "fold"]).groupby("epoch")
    told = {name: values.tolist() for name, values in by_epoch.mean().items()}
    return told | {f"{name}_std": values.tolist() for name, values in by_epoch.std().items()}


def check_server(server: Server, run_dir: Path) -> dict[str, Any]:
    """Compare all that a server has of a run with what lies in its folder; returns what it says of it."""
    result = read_result(run_dir / "result.json")
    told = {
        name: [one["value"] for one in sorted(values, key=lambda one: one["step"])]
        for name, values in server.get(f"{run_id(run_dir)}/metrics")["metrics_by_key"].items()
    }
    final = {name: values for name, values in told.items() if name.startswith("final")}
    assert final == {name: [value] for name, value in expected(result).items()}
    curves = expected_curves(run_dir)
    assert {"classifier/loss", "train/acsa", "train/g_mean"} <= curves.keys()
    assert told.pop("epoch") == list(range(result.epochs))
    for name, values in curves.items():
        assert told.pop(name) == pytest.approx(values), name
    selected = [one.selection_acsa for one in result.replicas]
    best = "best/test_optimistic_acsa" if result.optimistic else "best/validation_acsa"
    assert told[best] == [pytest.approx(sum(selected) / len(selected))]
    assert told.keys() - final.keys() == {best, "best/epoch", "seconds/setup", "seconds/train_and_test"}

    run = server.get(run_id(run_dir))["run"]
    assert run["state"] == "finished"
    config = {name: one["value"] for name, one in run["config"].items() if name != "_wandb"}
    assert config == result.config
    assert {name: run["summary"][name] for name in expected(result)} == expected(result)
    assert (run["summary"]["optimistic"], run["summary"]["na"]) == (result.optimistic, "")
    return dict(run)


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


def silent() -> Iterator[str]:
    """Where connections are taken and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield f"http://127.0.0.1:{one.getsockname()[1]}"


@pytest.mark.parametrize("problem", ["no key", "refused", "silent", "key"])
def test_a_run_that_cannot_be_online_is_kept_offline(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    problem: str,
) -> None:
    listening = silent()
    url = next(listening) if problem == "silent" else f"http://127.0.0.1:{free_port()}"
    connect(monkeypatch, url)
    if problem == "no key":
        monkeypatch.delenv("WANDB_API_KEY")
    if problem == "key":
        monkeypatch.setenv("WANDB_API_KEY", "short")
    monkeypatch.setenv("WANDB_HTTP_TIMEOUT", "2")
    with caplog.at_level(logging.INFO):
        result = run(*DO, *ONLINE, "mode=q", "logger.wandb.init_timeout=2")
    folder = only_folder(tmp_path / "run")
    (warning,) = (one.message for one in caplog.records if one.levelname == "WARNING")
    assert "kept offline" in warning
    assert {"no key": "WANDB_API_KEY", "key": "40+ characters"}.get(problem, url) in warning
    assert f"wandb sync {folder}" in caplog.text
    (told,) = inspected(folder, "--summary")
    assert {name: told["summary"][name] for name in expected(result)} == expected(result)


def at_epoch(monkeypatch: pytest.MonkeyPatch, epoch: int, act: Callable[[], None]) -> None:
    """Act once, in the middle of the training."""
    step, done = Game.training_step, []

    def acting(self: Game, batch: Batch, batch_idx: int) -> None:
        if self.current_epoch == epoch and not done:
            done.append(True)
            act()
        step(self, batch, batch_idx)

    monkeypatch.setattr(Game, "training_step", acting)


def break_off(*_: Any) -> None:
    """End a run in the middle of what it does."""
    raise KeyError("broken off")


def test_a_server_that_dies_in_mid_run_loses_nothing(
    run: Run,
    mortal: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    connect(monkeypatch, mortal.url)

    def kill() -> None:
        mortal.kill()
        monkeypatch.setenv("WANDB_HTTP_TIMEOUT", "2")

    at_epoch(monkeypatch, 1, kill)
    result = run(*DO, *ONLINE, "logger.wandb.finish_timeout=2")
    assert result.mean.acsa > 0
    assert "the run continues" in caplog.text
    folder = only_folder(tmp_path / "run")
    assert folder.name.startswith("offline-run-")
    mortal.start()
    subprocess.run([WANDB, "sync", str(folder)], check=True, capture_output=True)
    check_server(mortal, tmp_path / "run")


def test_a_client_that_dies_in_mid_run_loses_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """W&B's own process, which does its work, is killed."""

    def kill() -> None:
        cores = [one for one in psutil.Process().children(recursive=True) if "wandb-core" in one.name()]
        assert cores
        for core in cores:
            core.kill()

    at_epoch(monkeypatch, 1, kill)
    result = run(*DO)
    assert "the run continues" in caplog.text
    folder = only_folder(tmp_path / "run")
    (told,) = inspected(folder, "--summary")
    assert {name: told["summary"][name] for name in expected(result)} == expected(result)
    assert [row["epoch"] for row in history(folder) if "epoch" in row] == [0, 1, 2]


def test_what_could_not_be_sent_at_the_end_can_be_sent_later(
    mortal: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch, mortal.url)
    one = tracking.begin("online", init_timeout=20, finish_timeout=2, project="p", dir=str(tmp_path))
    assert not one.offline
    one.log({"acsa": 0.75})
    mortal.kill()
    tracking.end(one)
    (warning,) = (one.message for one in caplog.records if one.levelname == "WARNING")
    command = warning.partition("later: ")[2].split()
    assert command[:2] == ["wandb", "sync"]
    mortal.start()
    subprocess.run([WANDB, *command[1:]], check=True, capture_output=True)
    assert [row["value"] for row in mortal.get(f"{one.id}/metrics")["metrics_by_key"]["acsa"]] == [0.75]


def test_a_run_that_broke_off_goes_on_as_the_same_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [*DO, "trainer.max_epochs=4", "trainer.checkpoint_seconds=0"]
    at_epoch(monkeypatch, 2, break_off)
    with pytest.raises(KeyError, match="broken off"):
        run(*settings)
    monkeypatch.undo()
    first = run_id(tmp_path / "run")
    assert inspected(only_folder(tmp_path / "run"), "--summary")[0]["exit_code"] == 1

    result = run(*settings)
    assert run_id(tmp_path / "run") == first
    folder = only_folder(tmp_path / "run")
    rows = [row for row in history(folder) if "epoch" in row]
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    for name, values in expected_curves(tmp_path / "run").items():
        assert [row[name] for row in rows] == pytest.approx(values), name
    (told,) = inspected(folder, "--summary")
    assert {name: told["summary"][name] for name in expected(result)} == expected(result)
    curves = pd.read_csv(sorted((tmp_path / "run" / "curves").glob("*/metrics.csv"))[-1])
    assert curves.epoch.dropna().tolist() == [0, 1, 2, 3]

    run(*settings, "rerun=true")  # another run, beside the first
    ids = {id_of(folder) for folder in (tmp_path / "run" / "wandb").glob("offline-run-*")}
    assert len(ids) == 2
    assert first in ids


def test_a_run_that_broke_off_after_its_result_is_completed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(loggers, "log_result", break_off)
        with pytest.raises(KeyError, match="broken off"):
            run(*DO)
    first = run_id(tmp_path / "run")
    trained = (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns
    for _ in range(2):  # the second time there is nothing left to do
        result = run(*DO)
        assert run_id(tmp_path / "run") == first
        check_files(tmp_path / "run", result)
    assert (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns == trained


def test_a_run_interrupted_after_its_last_epoch_logs_every_epoch(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [*DO, "trainer.checkpoint_seconds=0"]
    with monkeypatch.context() as broken:
        broken.setattr(training.write, "write_run", break_off)
        with pytest.raises(KeyError, match="broken off"):
            run(*settings)
    first = run_id(tmp_path / "run")
    result = run(*settings)
    assert run_id(tmp_path / "run") == first
    check_files(tmp_path / "run", result)
    curves = pd.read_csv(sorted((tmp_path / "run" / "curves").glob("*/metrics.csv"))[-1])
    assert curves.epoch.dropna().tolist() == [0, 1, 2]


def test_an_empty_id_is_none(run: Run, tmp_path: Path, compose_config: Compose) -> None:
    """As a full disk may leave it."""
    cfg = compose_config(*DO, "replicas=2")
    left = tmp_path / "run" / "wandb" / f"{slug(cfg.logger.wandb.name)}.id"
    left.parent.mkdir(parents=True)
    left.touch()
    check_files(tmp_path / "run", run(*DO))
    assert not left.exists()


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


def check_files(run_dir: Path, result: Result) -> None:
    """Compare all that an offline run holds with what lies in its folder."""
    folder = only_folder(run_dir)
    (told,) = inspected(folder, "--summary")
    assert (told["state"], told["exit_code"]) == ("finished", 0)
    assert {name: told["summary"][name] for name in expected(result)} == expected(result)
    rows = [row for row in history(folder) if "epoch" in row]
    curves = pd.read_parquet(run_dir / "curves.parquet")
    for one in result.replicas:
        if one.diverged_at is not None:
            curves = curves[(curves.seed != one.seed) | (curves.epoch < one.diverged_at)]
    assert [row["epoch"] for row in rows] == sorted(set(curves.epoch))
    means = curves.drop(columns=["seed", "fold"]).groupby("epoch").mean()
    for row in rows:
        for name, value in means.loc[row["epoch"]].items():
            assert row[name] == pytest.approx(value), name


def test_an_interrupted_rerun_is_no_second_run_of_the_old_result(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [*DO, "mode=q", "trainer.checkpoint_seconds=0"]
    result = run(*settings)
    with monkeypatch.context() as broken:
        at_epoch(broken, 2, break_off)
        with pytest.raises(KeyError, match="broken off"):
            run(*settings, "rerun=true")
    folders = sorted((tmp_path / "run" / "wandb").glob("offline-run-*"))
    assert run(*settings) == result  # the old result is shown, and W&B has it
    assert sorted((tmp_path / "run" / "wandb").glob("offline-run-*")) == folders

    steps = []
    at_epoch(monkeypatch, 2, lambda: steps.append("the last epoch"))
    again = run(*settings, "rerun=true")  # goes on with its checkpoint and its W&B run
    assert steps
    assert again.replicas == result.replicas
    told = [id_of(one) for one in (tmp_path / "run" / "wandb").glob("offline-run-*")]
    assert sorted(told) == sorted({id_of(folder) for folder in folders})


@pytest.fixture
def shut(server: Server) -> Iterator[str]:
    """A server that knows its users, and lets no run begin."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if b"upsertBucket" in body:
                self.send_error(503)
                return
            answer = requests.post(
                server.url + self.path,
                data=body,
                headers={key: self.headers[key] for key in ("Authorization", "Content-Type")},
                timeout=30,
            )
            self.send_response(answer.status_code)
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{one.server_address[1]}"
        one.shutdown()


def test_a_server_that_lets_no_run_begin_leaves_it_offline(
    run: Run, shut: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch, shut)
    result = run(*DO, *ONLINE, "mode=q", "logger.wandb.init_timeout=3")
    (warning,) = (one.message for one in caplog.records if one.levelname == "WARNING")
    assert "kept offline" in warning
    check_files(tmp_path / "run", result)


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


def test_a_warning_of_a_job_is_told_at_the_end_of_the_sweep(tmp_path: Path) -> None:
    ended = swept(tmp_path / "runs", "mode=q,ro", *BRIEF, "logger=wandb", *ONLINE)
    assert ended.returncode == 0
    assert "Warning in 2 of 2 jobs: Weights & Biases is not reached" in ended.stdout
    assert f"wandb sync {tmp_path}/runs/*/*/wandb/offline-run-*" in ended.stdout


def test_the_jobs_of_a_sweep_are_a_group(tmp_path: Path) -> None:
    ended = swept(tmp_path / "runs", "mode=q,do", *BRIEF, "logger=wandb")
    assert ended.returncode == 0
    assert "wandb:" not in ended.stdout + ended.stderr  # it is in the jobs' own output
    folders = sorted((tmp_path / "runs").glob("haberman/*/wandb/offline-run-*"))
    begun = [next(one["run"] for one in inspected(folder) if one["type"] == "run") for folder in folders]
    assert [one["job_type"] for one in begun] == ["DO", "Q"]  # the titles
    assert len({one["run_group"] for one in begun}) == 1
    assert begun[0]["run_group"].startswith("q-do_")


def sweep(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    """Start a sweep of Q that logs offline."""
    settings = ["mode=q", "replicas=1", "logger=wandb", "trainer.checkpoint_seconds=0", *overrides]
    return subprocess.Popen(
        sweep_command(folder, *settings), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def services_below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    below = psutil.Process(process.pid).children(recursive=True)
    return [one for one in below if "wandb-core" in one.name()]


def test_the_jobs_of_a_sweep_share_a_service_that_ends_with_the_sweep(tmp_path: Path) -> None:
    settings = ["seed=1,2", "trainer.max_epochs=100000", "launcher=joblib", "hydra.launcher.n_jobs=2"]
    process = sweep(tmp_path, *settings)
    until(lambda: len(list(tmp_path.glob("haberman/*/wandb/offline-run-*/run-*.wandb"))) == 2)
    until(lambda: len(list(tmp_path.glob("haberman/*/checkpoints/*.ckpt"))) == 2)
    (service,) = services_below(process)
    assert service.ppid() == process.pid

    first, second = sorted(tmp_path.glob("haberman/*/output.log"))
    trains = {
        file.path: one
        for one in psutil.Process(process.pid).children(recursive=True)
        for file in one.open_files()
        if file.path.endswith("output.log")
    }
    trains[str(first)].kill()
    assert process.stdout is not None
    failed = next(line for line in iter(process.stdout.readline, "") if "FAILED" in line)
    assert "1 failed] FAILED seed=1: killed by SIGKILL" in failed
    assert service.is_running()
    assert trains[str(second)].is_running()

    process.kill()
    process.wait()
    until(lambda: not any(is_alive(one) for one in (service, *trains.values())))


def test_a_run_that_was_killed_goes_on_in_the_same_sweep(tmp_path: Path) -> None:
    process = sweep(tmp_path, "gan_type=wgan_gp,vanilla", "trainer.max_epochs=75")  # one run, two jobs
    until(lambda: bool(list(tmp_path.glob("haberman/*/checkpoints/*.ckpt"))))
    for one in psutil.Process(process.pid).children(recursive=True):
        if any(file.path.endswith("output.log") for file in one.open_files()):
            one.kill()
    output, _ = process.communicate(timeout=300)
    assert "[1/2, 1 failed" in output
    (file,) = tmp_path.glob("haberman/*/result.json")
    check_files(file.parent, read_result(file))


def test_a_sweep_whose_service_is_killed_logs_every_job(tmp_path: Path) -> None:
    process = sweep(tmp_path, "seed=1,2", "trainer.max_epochs=75")
    until(lambda: bool(list(tmp_path.glob("haberman/*/checkpoints/*.ckpt"))))
    (service,) = services_below(process)
    service.kill()
    process.communicate(timeout=300)
    assert process.returncode == 0
    results = list(tmp_path.glob("haberman/*/result.json"))
    assert len(results) == 2
    for file in results:
        check_files(file.parent, read_result(file))


def test_a_finished_sweep_is_logged_without_training(tmp_path: Path) -> None:
    settings = ["mode=q,logistic", "replicas=2", "trainer.max_epochs=2"]
    assert swept_here(tmp_path, *settings, "logger=none").returncode == 0
    for _ in range(2):
        ended = swept(tmp_path, *settings, "logger=wandb")
        assert ended.returncode == 0
        assert ended.stdout.count("finished before") == 2
        for file in tmp_path.glob("haberman/*/result.json"):
            check_files(file.parent, read_result(file))
    assert len(list(tmp_path.glob("haberman/*/wandb/offline-run-*"))) == 2


def test_the_agent_of_a_wandb_sweep_drives_the_command(
    compose_config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example's command as an agent puts it together, for one set of values, twice."""
    sweep = yaml.safe_load((Path(__file__).parents[2] / "docs" / "wandb_sweep.yaml").read_text())
    assert sweep["metric"]["name"] == "best/validation_acsa"
    chosen = {
        name: one["values"][-1] if "values" in one else one["min"]
        for name, one in sweep["parameters"].items()
    }
    values = {name: {"value": value} for name, value in chosen.items()}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"wandb_version": 1, **values}))
    macros = create_sweep_command_args({"args": values}) | {"env": ["/usr/bin/env"]}
    command = []
    for part in create_sweep_command(sweep["command"]):
        command += macros[part[2:-1]] if part.startswith("${") else [part]
    assert command[:2] == ["/usr/bin/env", "python"]
    command[1] = sys.executable
    command += ["replicas=2", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}/run"]
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep123")
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(tmp_path / "config.yaml"))
    for attempt in ("agent001", "agent002"):
        monkeypatch.setenv("WANDB_RUN_ID", attempt)
        if attempt == "agent001":
            subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        else:  # finds a finished run
            train(compose_config(*command[4:-1]), tmp_path / "run")
        (folder,) = (tmp_path / "run" / "wandb").glob(f"offline-run-*-{attempt}")
        result = read_result(tmp_path / "run" / "result.json")
        (told,) = inspected(folder, "--summary")
        selected = [one.selection_acsa for one in result.replicas]
        assert told["summary"]["best/validation_acsa"] == pytest.approx(sum(selected) / 2)
        assert {name: told["summary"][name] for name in expected(result)} == expected(result)
        assert told["config"]["gan_type"] == "vanilla"
        assert told["config"]["resolved.gan_type"] == result.config["gan_type"]
        assert result.config["gan_type"]["name"] == "vanilla"
        begun = next(one["run"] for one in inspected(folder) if one["type"] == "run")
        assert begun["sweep_id"] == "sweep123"


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
