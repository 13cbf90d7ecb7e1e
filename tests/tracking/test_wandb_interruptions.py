"""Servers, clients and runs that stop while a run logs to Weights & Biases."""

import http.server
import logging
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import requests

from adversarial_oversampling.text import slug
from adversarial_oversampling.tracking import loggers
from adversarial_oversampling.tracking import wandb as tracking
from adversarial_oversampling.training import run as training
from tests.conftest import Compose, Run
from tests.tracking.wandb_runs import (
    DO,
    ONLINE,
    WANDB,
    Server,
    at_epoch,
    break_off,
    check_files,
    check_server,
    connect,
    expected,
    expected_curves,
    free_port,
    history,
    id_of,
    inspected,
    only_folder,
    run_id,
)

pytestmark = pytest.mark.usefixtures("fresh_wandb")


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
