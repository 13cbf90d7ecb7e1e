"""Runs for which there is too little memory: refused before anything is allocated, with a size that fits."""

import re
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from adversarial_oversampling.config import resources
from adversarial_oversampling.config.resources import available_memory
from adversarial_oversampling.config.validation import check
from adversarial_oversampling.config.variants import given_key
from adversarial_oversampling.data.table import make_table
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.training import memory
from adversarial_oversampling.training.build import build_data, build_game
from adversarial_oversampling.training.memory import check_memory, needed
from adversarial_oversampling.training.run import prepare_process
from tests.conftest import Compose

TABLE = make_table("t", np.arange(60.0).reshape(20, 3), ["a"] * 12 + ["b"] * 8, ["u", "v", "w"])


@pytest.mark.parametrize(
    "overrides",
    [
        ["replicas=100000000"],
        ["replicas=100000000", "mode=lightgbm"],
        ["replicas=100000000", "protocol=cv", "protocol.folds=5"],
        ["members=100000000"],
        ["dataset.training.batch_size=2000000000"],
        ["generated_rows=1000000000"],
        ["dataset.training.width=1000000"],
        ["players.discriminator.width=1000000"],
        ["players.generator.width=1000000", "mode=ao"],
        ["players.classifier.layers=2000000000", "mode=q"],
        ["players.generator.latent=2000000000"],
    ],
)
def test_too_large_a_size_is_refused_with_one_that_fits(
    compose_config: Compose, overrides: list[str]
) -> None:
    cfg = compose_config(*overrides)
    check(cfg)
    with pytest.raises(InputError) as refused:
        build_data(cfg, table=TABLE)
    message = str(refused.value)
    setting, _, _ = overrides[0].partition("=")
    assert message.startswith(f"{overrides[0]}: at least ")
    assert "\n" not in message
    advised = re.search(r"give at most (\d+)", message)
    assert advised is not None
    OmegaConf.update(cfg, setting, int(advised[1]))
    check(cfg)
    check_memory(cfg, TABLE)


def test_several_sizes_that_are_too_large(compose_config: Compose) -> None:
    cfg = compose_config("dataset.training.width=1000000", "dataset.training.batch_size=1000000000")
    with pytest.raises(InputError, match=r"lower it, and the other sizes too\.$"):
        check_memory(cfg, TABLE)


def test_too_large_a_table(compose_config: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 100)
    with pytest.raises(InputError, match=r"^dataset t: at least .* leave out rows or columns\.$"):
        check_memory(compose_config("mode=lightgbm", "replicas=1"), TABLE)


@pytest.mark.parametrize(
    "overrides",
    [
        ["mode=q"],
        ["mode=q", "players.classifier.layers=1"],
        ["mode=do", "players.generator.anchors=7"],
        ["mode=ao", "players.discriminator.layers=5", "players.generator.latent=3", "members=2"],
        ["mode=gamo", "dataset.preprocessing.n_selected=2", "players.discriminator.conditional=false"],
    ],
)
def test_the_weights_are_counted_as_the_networks_have_them(
    compose_config: Compose, overrides: list[str]
) -> None:
    cfg = compose_config("replicas=2", *overrides)
    data = build_data(cfg, table=TABLE)
    data.setup()
    game = build_game(cfg, data)
    sizes = memory._Demand(cfg, TABLE, "memory", 1, rows_only=False).sizes
    need = needed(cfg, TABLE, sizes)
    assert need.rows == data.rows.x.nbytes
    combined = game.generator.anchors.nbytes if "generator" in game.players else 0
    assert need.weights == sum(p.numel() for p in game.parameters()) * memory._PER_WEIGHT + combined


@pytest.mark.parametrize(
    ("group", "files", "left"),
    [
        ("0::/", {"memory.max": "max", "memory.current": "5", "memory.stat": ""}, []),
        (
            "0::/",
            {"memory.max": "1000", "memory.current": "900", "memory.stat": "anon 1\ninactive_file 50"},
            [150],
        ),
        ("0::/a/b", {"a/memory.max": "70", "a/memory.current": "60", "a/memory.stat": ""}, [10]),
        ("0::/elsewhere/in/the/host", {"memory.max": "9", "memory.current": "2", "memory.stat": ""}, [7]),
        (
            "3:cpu:/x\n4:memory:/x",
            {
                "memory/x/memory.limit_in_bytes": "500",
                "memory/x/memory.usage_in_bytes": "400",
                "memory/x/memory.stat": "total_inactive_file 1",
            },
            [101],
        ),
        ("", {}, []),
    ],
)
def test_the_limits_of_control_groups(
    tmp_path: Path, group: str, files: dict[str, str], left: list[int]
) -> None:
    own = tmp_path / "own"
    own.write_text(group)
    for name, text in files.items():
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert list(resources._left_in_groups(tmp_path / "root", own)) == left


def test_available_memory_is_some() -> None:
    assert 0 < available_memory() < 2**63


def test_more_threads_than_cores_are_refused(compose_config: Compose) -> None:
    with pytest.raises(InputError, match=r"^threads=4096: this machine has \d+ cores?; give at most \d+\.$"):
        prepare_process(compose_config("threads=4096"))


def test_a_setting_is_named_by_the_one_that_was_given(compose_config: Compose) -> None:
    cfg = compose_config("dataset.training.learning_rate=nan")
    assert given_key(cfg, "players.classifier.optimizer.lr") == "dataset.training.learning_rate"
    assert given_key(cfg, "players.generator.optimizer.lr") == "players.generator.optimizer.lr"
    with pytest.raises(InputError, match=r"^dataset\.training\.learning_rate=nan: give a number"):
        check(cfg)
