"""A W&B server on loopback, and comparisons of what a run logs with the files in its folder."""

import json
import math
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from adversarial_oversampling.data.datamodule import Batch
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.results.schema import METRICS, Result

KEY = "local" + "0" * 40
WANDB = str(Path(sys.executable).parent / "wandb")
DO = ["logger=wandb", "mode=do", "trainer.max_epochs=3"]
ONLINE = ["logger.wandb.offline=false"]


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
    """What `wandb leet inspect --json` says of a run's folder, without the imports of the command."""
    from wandb.util import get_core_path  # slow to import, and every worker imports all tests

    (file,) = folder.glob("run-*.wandb")
    command = [get_core_path(), "leet", "inspect", "--no-observability", "--json", *options]
    command += ["--run-file", str(file), str(folder.parent)]
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
