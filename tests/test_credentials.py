"""Credentials do not reach what is written."""

import logging
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from adversarial_oversampling.credentials import MASK, masked, masked_config
from adversarial_oversampling.guard import brief, prepare_process
from adversarial_oversampling.sweep.status import JobStatus, read_statuses
from tests.conftest import Compose, Run

SECRETS = {
    "https://user:hunter2@host/x.zip": f"https://{MASK}@host/x.zip",
    "postgresql+psycopg2://me:hun@ter2@db/optuna": f"postgresql+psycopg2://{MASK}@db/optuna",
    "https://host/x?token=hunter2&rows=3": f"https://host/x?token={MASK}&rows=3",
    "https://host/x?a=1&X-Amz-Signature=hunter2": f"https://host/x?a=1&X-Amz-Signature={MASK}",
    "https://host/x?key=hunter2": f"https://host/x?key={MASK}",
    "+logger.wandb.api_key=hunter2": f"+logger.wandb.api_key={MASK}",
    "logger.wandb.api_key='hunter2 b'": f"logger.wandb.api_key={MASK}",
    "not reached: https://a:hunter2@b, password=hunter2": f"not reached: https://{MASK}@b, password={MASK}",
}
HARMLESS = [
    "https://host/x.zip?rows=3&keys=4",
    "sqlite:////tmp/a@b/optuna.db",
    "dataset.target=password",
    "dataset.columns.drop=[token,secret]",
    "players.generator.width=64",
    "me@host.org",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_text_loses_its_credentials(text: str) -> None:
    assert masked(text) == SECRETS[text]


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_stay(text: str) -> None:
    assert masked(text) == text


def test_a_configuration_loses_its_credentials() -> None:
    config = {
        "wandb": {"api_key": 1234, "entity": "me", "password": None},
        "storage": "mysql://me:hunter2@db/x",
        "items": [{"access-token": "hunter2"}, ("https://a:hunter2@b",)],
    }
    assert masked(config) == {
        "wandb": {"api_key": MASK, "entity": "me", "password": None},
        "storage": f"mysql://{MASK}@db/x",
        "items": [{"access-token": MASK}, (f"https://{MASK}@b",)],
    }
    written = masked_config(OmegaConf.create({"a": "${b}", "b": "https://a:hunter2@b", "c": "???"}))
    assert OmegaConf.to_yaml(written) == f"a: ${{b}}\nb: https://{MASK}@b\nc: ???\n"


def test_no_setting_of_the_suite_is_masked(compose_config: Compose) -> None:
    for mode in ("do", "gamo", "lightgbm"):
        settings = OmegaConf.to_container(compose_config(f"mode={mode}", "logger=wandb"), resolve=True)
        assert masked(settings) == settings


def test_messages_logs_and_statuses_are_masked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", True)
    factory = logging.getLogRecordFactory()
    try:
        prepare_process()
        logging.getLogger("library").warning("cannot reach %s", "https://a:hunter2@b")
    finally:
        logging.setLogRecordFactory(factory)
    assert caplog.messages == [f"cannot reach https://{MASK}@b"]
    assert brief(OSError("cannot reach https://a:hunter2@b")) == f"cannot reach https://{MASK}@b"
    status = JobStatus(0, ["x.api_key=hunter2"], str(tmp_path), "failed", reason="https://a:hunter2@b")
    status.write(tmp_path)
    assert "hunter2" not in (tmp_path / "0.json").read_text()
    assert read_statuses(tmp_path)[0].reason == f"https://{MASK}@b"


def test_no_file_of_a_run_has_the_credentials(run: Run, tmp_path: Path) -> None:
    result = run("mode=logistic", "replicas=1", "logger=csv", "paths.cache_dir='/tmp/x?token=hunter2'")
    assert result.config["paths"]["cache_dir"] == f"/tmp/x?token={MASK}"
    files = [file for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert {"result.json", "hparams.yaml"} <= {file.name for file in files}
    assert not [file for file in files if b"hunter2" in file.read_bytes()]


def test_columns_and_folders_are_no_credentials() -> None:
    columns = {"ordinal": {"token": ["low", "high"]}, "path": "/data/auth=ldap/run"}
    assert masked(columns) == columns


def test_a_long_text_takes_no_long_time() -> None:
    text = "a." * 100_000  # would take days with a pattern that starts again at every dot
    assert masked(text) == text
