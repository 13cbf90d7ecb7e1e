"""Composed configurations."""

import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from adversarial_oversampling import train
from adversarial_oversampling.config.compose import compose_train, config_dir, config_files
from adversarial_oversampling.config.identity import result_config
from adversarial_oversampling.config.validation import check
from adversarial_oversampling.game.losses import Vanilla
from adversarial_oversampling.training.build import build
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


def test_no_folder_is_named_after_the_sign_of_the_users_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    with initialize_config_dir(config_dir(), version_base="1.3"):
        overrides = ["hydra.runtime.cwd=/here", "paths.output_dir='~/x'", "hparams_search=optuna"]
        hydra = compose("train", overrides=overrides, return_hydra_config=True).hydra
    assert hydra.run.dir.startswith("/home/me/x/haberman/")
    assert hydra.sweep.dir == "/home/me/x"
    assert hydra.sweeper.storage == "sqlite:////home/me/x/optuna.db"


def test_composing_anew_leaves_an_outer_application_alone() -> None:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        outer = GlobalHydra.instance().hydra
        assert compose_train(["mode=q"]).mode.name == "q"
        assert GlobalHydra.instance().hydra is outer
        assert compose("train", overrides=["mode=ao"]).mode.name == "ao"
    assert not GlobalHydra.instance().is_initialized()


def test_gamos_settings(compose_config: Compose) -> None:
    cfg = compose_config("mode=gamo", "recipe=plain")
    check(cfg)
    assert cfg.gan_type.name == "least_squares"
    assert cfg.gan_type.loss.label_noise == 0.1
    assert cfg.players.discriminator.conditional is True
    for player in ("classifier", "discriminator", "generator"):
        optimizer = cfg.players[player].optimizer
        assert (optimizer.lr, list(optimizer.betas), optimizer.weight_decay) == (0.0002, [0.5, 0.999], 0.0)
    assert compose_config("mode=gamo", "gan_type=vanilla").gan_type.name == "vanilla"
    assert compose_config("mode=do", "recipe=plain").players.discriminator.conditional is False


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


@pytest.mark.parametrize("way", ["--config-dir={}", "hydra.searchpath=[file://{}]"])
@pytest.mark.parametrize("name", ["mode/do.yaml", "recipe/haberman/do.yaml", "dataset/haberman.yaml"])
def test_a_file_with_the_name_of_one_of_the_suites_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, name: str
) -> None:
    """Hydra would read the suite's."""
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text("name: mine\n" if name.startswith("recipe") else Path(config_dir(), name).read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train", "mode=do", way.format(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        train.main()
    assert (
        ended.value.code == f"Error: {file}: the suite's {name} would be used; give your file another name."
    )


@pytest.mark.parametrize(
    ("mode", "ablation"),
    [
        (mode, ablation)
        for mode, names in {
            "do": set(config_files("ablation")) - {"cross_entropy", "oversampled_real_rows"},
            "ao": {"oversampled_real_rows", "weight_0_3", "no_discriminator"},
            "ro": {"label_smoothing", "mixup", "ten_members"},
            "gamo": {"cross_entropy"},
        }.items()
        for ablation in sorted(names)
    ],
)
def test_every_ablation_is_a_variant_of_its_mode(compose_config: Compose, mode: str, ablation: str) -> None:
    cfg = compose_config(f"mode={mode}", f"ablation={ablation}", "recipe=plain")
    base = compose_config(f"mode={mode}", "recipe=plain")
    check(cfg)
    removed = {"unconditional_discriminator", "no_noise"}  # the plain text has neither
    assert (result_config(cfg) == result_config(base)) == (ablation in removed)


@pytest.mark.parametrize("dataset", ["secom", "pima", "haberman", "yeast"])
def test_gamo_can_have_cross_entropy_with_any_recipe(compose_config: Compose, dataset: str) -> None:
    cfg = compose_config(f"dataset={dataset}", "mode=gamo", "ablation=cross_entropy")
    check(cfg)
    assert isinstance(build("gan_type.loss", cfg.gan_type.loss), Vanilla)


def test_the_plain_text_of_the_paper_has_no_noise(compose_config: Compose) -> None:
    for dataset in ("haberman", "secom"):
        generator = compose_config(f"dataset={dataset}", "mode=ao", "recipe=plain").players.generator
        assert (generator.gumbel, generator.temperature) == (0.0, 0.5)
