"""Several processes for one job: their return values, how they end, and that they equal one process."""

import os
import signal
import struct
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.results.schema import METRICS, Result
from adversarial_oversampling.training.processes import ProcessDiedError, call
from adversarial_oversampling.training.run import train
from tests.commands import start, start_in_terminal
from tests.conftest import Compose, Run, saved_weights


def doubled(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


def refuse(word: str) -> None:
    raise InputError(f"{word}: not so.")


def stumble() -> None:
    raise KeyError("a bug")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_sending() -> None:
    sender = sys._getframe(1).f_locals["sender"]
    os.write(sender.fileno(), struct.pack("!i", 100) + b"the first of a hundred bytes")
    die()


def leave() -> None:
    sys.exit(143)


def wait_forever() -> None:
    time.sleep(1000)


def stop_in_time(folder: Path) -> None:
    def stop(*_: object) -> None:
        (folder / "stopped").touch()
        sys.exit(143)

    signal.signal(signal.SIGTERM, stop)
    (folder / "ready").touch()
    time.sleep(1000)


def test_children_may_stop_by_themselves_when_this_process_is_stopped(tmp_path: Path) -> None:
    def interrupt() -> None:
        give_up = time.monotonic() + 60
        while not (tmp_path / "ready").exists() and time.monotonic() < give_up:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        call([partial(stop_in_time, tmp_path), wait_forever])
    thread.join()
    assert (tmp_path / "stopped").exists()


def test_values_come_in_the_order_of_the_calls() -> None:
    values = call([partial(doubled, torch.full((3,), x)) for x in (1.0, 2.0)])
    assert [value.tolist() for value in values] == [[2.0] * 3, [4.0] * 3]


@pytest.mark.parametrize(
    ("last", "error", "message"),
    [
        (partial(refuse, "key=1"), InputError, "key=1: not so."),
        (stumble, ProcessDiedError, "KeyError: 'a bug'"),
        (die, ProcessDiedError, "killed by SIGKILL"),
        (die_while_sending, ProcessDiedError, "killed by SIGKILL"),
        (leave, ProcessDiedError, "exit code 143"),
    ],
)
def test_when_one_fails_nobody_waits_for_the_others(last: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call([wait_forever, last])


def together(run: Run, tmp_path: Path, *overrides: str, count: int = 2) -> list[Result]:
    """The same run in one process and in several."""
    alone = run(*overrides, name="alone")
    # Here a computation has one core: what is asked for is that numbers agree.
    return [
        alone,
        run(*overrides, "trainer=ddp", "trainer.accelerator=cpu", f"trainer.devices={count}", name="several"),
    ]


def frames(tmp_path: Path, name: str) -> list[pd.DataFrame]:
    return [pd.read_parquet(tmp_path / folder / f"{name}.parquet") for folder in ("alone", "several")]


@pytest.mark.parametrize(
    ("mode", "more"),
    [
        ("do", ["mode.rules.critic_steps=2"]),
        ("gamo", []),
        ("cot", ["dataset=yeast"]),
        ("threshold_q", ["generated_rows=3"]),  # which it has not: any number will do
    ],
)
def test_processes_that_share_batches_equal_one(run: Run, tmp_path: Path, mode: str, more: list[str]) -> None:
    settings = [f"mode={mode}", "replicas=1", "dataset.training.dropout=0.2", "trainer.max_epochs=3", *more]
    alone, several = together(run, tmp_path, *settings)
    assert alone.config_hash == several.config_hash
    for mine, theirs in zip(alone.replicas, several.replicas, strict=True):
        assert mine.best_epoch == theirs.best_epoch
        for metric in (*METRICS, "selection_acsa"):
            assert getattr(mine, metric) == pytest.approx(getattr(theirs, metric), abs=1e-4)
    mine, theirs = frames(tmp_path, "predictions")
    assert (mine["row"] == theirs["row"]).all()
    chances = [name for name in mine if name.startswith("p_")]
    np.testing.assert_allclose(mine[chances], theirs[chances], atol=1e-4)
    mine, theirs = frames(tmp_path, "curves")
    assert list(mine) == list(theirs)
    np.testing.assert_allclose(mine.drop(columns="fold"), theirs.drop(columns="fold"), atol=1e-3)


def test_processes_that_share_replicas_equal_one_bit_for_bit(run: Run, tmp_path: Path) -> None:
    settings = ["mode=do", "replicas=1", "protocol=cv", "protocol.folds=3", "dataset.training.dropout=0.2"]
    alone, several = together(run, tmp_path, *settings, "logger=csv")
    assert alone.replicas == several.replicas
    for name in ("predictions", "curves", "generated"):
        pd.testing.assert_frame_equal(*frames(tmp_path, name), check_exact=True)
    logged = [next(tmp_path.glob(f"{name}/curves/*/metrics.csv")) for name in ("alone", "several")]
    mine, theirs = (pd.read_csv(file).filter(regex="^(?!seconds)") for file in logged)
    pd.testing.assert_frame_equal(mine, theirs)
    weights = [saved_weights(tmp_path / name) for name in ("alone", "several")]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name])


@pytest.mark.parametrize("replicas", [1, 2])
def test_several_processes_resume_after_a_kill(run: Run, tmp_path: Path, replicas: int) -> None:
    settings = ["mode=do", f"replicas={replicas}", "trainer=ddp", "trainer.max_epochs=60"]
    settings += ["trainer.accelerator=cpu", "trainer.checkpoint_seconds=0", "logger=none"]
    run(*settings, name="whole")
    killed = tmp_path / "killed"
    process = start("train", *settings, f"hydra.run.dir={killed}", output=tmp_path / "output")
    give_up = time.monotonic() + 120
    while len(list(killed.glob("checkpoints/*.ckpt"))) < replicas and time.monotonic() < give_up:
        time.sleep(0.05)
    process.kill()
    process.join()
    assert len(list(killed.glob("checkpoints/*.ckpt"))) == replicas
    assert not (killed / "result.json").exists()
    run(*settings, name="killed")
    for name in ("curves", "predictions"):
        parts = [pd.read_parquet(tmp_path / folder / f"{name}.parquet") for folder in ("whole", "killed")]
        pd.testing.assert_frame_equal(*parts, check_exact=True)
    assert not list(killed.glob("checkpoints/*.ckpt"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset.training.batch_size=33"], "dataset.training.batch_size=33"),
        (["generated_rows=3"], "generated_rows=3"),
        (["players.classifier.optimizer.lr=1e20"], "In every replica the loss of the classifier"),
        (["players.classifier.optimizer.lr=1e20", "replicas=2"], "In every replica the loss of the class"),
    ],
)
def test_bad_input_in_several_processes(
    compose_config: Compose, tmp_path: Path, overrides: list[str], message: str
) -> None:
    settings = ["mode=do", "replicas=1", "trainer=ddp", "trainer.accelerator=cpu", "trainer.max_epochs=2"]
    with pytest.raises(InputError, match=message):
        train(compose_config(*settings, *overrides), tmp_path / "run")
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_peer_without_a_game_needs_one_process(run: Run, tmp_path: Path) -> None:
    alone, several = together(run, tmp_path, "mode=logistic")
    assert alone.replicas == several.replicas


def test_ctrl_c_while_the_first_process_starts_prints_no_traceback_of_the_server(tmp_path: Path) -> None:
    """The server that forks the processes imports for seconds, and gets the terminal's signal too."""
    (tmp_path / "slow_module.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(4)\n")
    program = (
        "from adversarial_oversampling.training.processes import call\n"
        "try:\n    call([print], ['slow_module'])\n"
        "except KeyboardInterrupt:\n    print('stopped', flush=True)\n"
    )
    process = start_in_terminal([sys.executable, "-c", program], tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert output == "stopped\n"
    assert "Traceback" not in errors
