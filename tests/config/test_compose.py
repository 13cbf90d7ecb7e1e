"""Composed configurations."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from adversarial_oversampling.config.compose import compose_train, config_dir, config_files
from adversarial_oversampling.config.validation import check
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("mode", "fs"),
    [
        ("q", "natural"),
        ("ao", "natural"),
        ("both_favour", "natural"),
        ("do", "balanced"),
        ("both_fool", "balanced"),
    ],
)
def test_a_mode_brings_its_own_fs_and_the_command_line_wins(
    compose_config: Compose, mode: str, fs: str
) -> None:
    assert compose_config(f"mode={mode}").fs.name == fs
    assert compose_config(f"mode={mode}", "fs=quarter").fs.name == "quarter"


def test_composing_anew_leaves_an_outer_application_alone() -> None:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        outer = GlobalHydra.instance().hydra
        assert compose_train(["mode=q"]).mode.name == "q"
        assert GlobalHydra.instance().hydra is outer
        assert compose("train", overrides=["mode=ao"]).mode.name == "ao"
    assert not GlobalHydra.instance().is_initialized()


def test_gamos_settings(compose_config: Compose) -> None:
    cfg = compose_config("mode=gamo")
    check(cfg)
    assert cfg.gan_type.name == "least_squares"
    assert cfg.gan_type.loss.label_noise == 0.1
    assert cfg.players.discriminator.conditional is True
    for player in ("classifier", "discriminator", "generator"):
        optimizer = cfg.players[player].optimizer
        assert (optimizer.lr, list(optimizer.betas), optimizer.weight_decay) == (0.0002, [0.5, 0.999], 0.0)
    assert compose_config("mode=gamo", "gan_type=vanilla").gan_type.name == "vanilla"
    assert compose_config("mode=do").players.discriminator.conditional is False


@pytest.mark.parametrize("experiment", ["secom_20_columns", "paper"])
def test_experiments_compose(compose_config: Compose, experiment: str) -> None:
    check(compose_config(f"experiment={experiment}"))


def test_a_folder_of_ones_own_adds_choices_and_replaces_none(tmp_path: Path) -> None:
    (tmp_path / "mode").mkdir()
    for name in ("mine", "do"):
        (tmp_path / "mode" / f"{name}.yaml").write_text("name: mine\nrules: {}\n")
    files = config_files("mode", [str(tmp_path)])
    assert files["mine"] == tmp_path / "mode" / "mine.yaml"
    assert files["do"] == Path(config_dir(), "mode", "do.yaml")
    assert compose_train(["mode=mine"], [str(tmp_path)]).mode.name == "mine"
    assert compose_train(["mode=do"], [str(tmp_path)]).mode.name == "do"
