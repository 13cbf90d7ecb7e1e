"""Names, hashes and checks of configurations."""

import re
from pathlib import Path

import pytest

from adversarial_oversampling.config import check, check_overrides, config_hash, fs_name, run_name, variants
from adversarial_oversampling.errors import InputError
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("choice", "ratio"),
    [("natural", None), ("quarter", 0.25), ("half", 0.5), ("three_quarters", 0.75), ("balanced", 1.0)],
)
def test_fs_choices(compose_config: Compose, choice: str, ratio: float | None) -> None:
    cfg = compose_config(f"fs={choice}")
    assert (cfg.fs.name, cfg.fs.ratio) == (choice, ratio)
    assert fs_name(ratio) == choice


def test_a_ratio_overrides_the_choice_and_its_name(compose_config: Compose) -> None:
    cfg = compose_config("fs=half", "fs.ratio=0.3")
    assert (cfg.fs.name, cfg.fs.ratio) == ("0.3", 0.3)


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


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "replicas=3",
        "fs.ratio=0.3",
        "mode=ao",
        "gan_type=vanilla",
        "protocol=paper",
        "trainer.max_epochs=7",
        "dataset.preprocessing.scaler=minmax",
        "players.generator.temperature=0.9",
        "generated_rows=5",
        "+trainer.limit_train_batches=1",
    ],
)
def test_the_hash_changes_with_what_a_result_depends_on(compose_config: Compose, override: str) -> None:
    plain, other = compose_config(), compose_config(override)
    assert config_hash(plain) != config_hash(other)
    assert run_name(plain) != run_name(other)


@pytest.mark.parametrize(
    "override",
    [
        "paths.data_dir=/elsewhere",
        "paths.output_dir=/elsewhere",
        "logger=csv",
        "threads=2",
        "rerun=true",
        "trainer.accelerator=gpu",
        "trainer.checkpoint_every=3",
        "dataset=secom dataset.source.url=http://mirror/secom.zip",
    ],
)
def test_the_hash_ignores_where_and_how_a_run_happens(compose_config: Compose, override: str) -> None:
    overrides = override.split()
    plain = compose_config(*overrides[:-1]) if len(overrides) > 1 else compose_config()
    assert config_hash(plain) == config_hash(compose_config(*overrides))


def test_the_hash_knows_the_users_file(compose_config: Compose) -> None:
    source = ["dataset=csv", "dataset.source.target=y"]
    one, two = (compose_config(*source, f"dataset.source.path={name}.csv") for name in ("one", "two"))
    assert config_hash(one) != config_hash(two)


def test_the_hash_knows_what_is_in_the_users_file(compose_config: Compose, tmp_path: Path) -> None:
    source = ["dataset=csv", "dataset.source.target=y"]
    hashes = []
    for name, text in (("a", "x,y\n1,0\n"), ("b", "x,y\n1,0\n"), ("a", "x,y\n2,0\n")):
        (tmp_path / f"{name}.csv").write_text(text)
        hashes.append(config_hash(compose_config(*source, f"dataset.source.path={tmp_path}/{name}.csv")))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_whole_number_is_the_same_rate(compose_config: Compose) -> None:
    assert config_hash(compose_config("fs.ratio=1")) == config_hash(compose_config("fs.ratio=1.0"))


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["mode=ao"], []),
        (["mode=do"], []),
        (["mode=q"], []),
        (["mode=ao", "fs=balanced"], ["fs=balanced, where the paper does not oversample"]),
        (["mode=both_fool"], ["a combination that is not in the paper"]),
        (["dataset=secom", "dataset.preprocessing.n_selected=20"], ["20 selected columns"]),
    ],
)
def test_what_is_not_the_papers_is_called_a_variant(
    compose_config: Compose, overrides: list[str], told: list[str]
) -> None:
    assert variants(compose_config(*overrides)) == told


def test_run_name_is_readable(compose_config: Compose) -> None:
    name = run_name(compose_config("dataset=pima", "mode=do", "seed=3"))
    assert name.startswith("pima/do-wgan_gp-fs_balanced-holdout-seed3-")


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("players.classifier.width", ["0", "-3", "1.5"]),
        ("players.discriminator.width", ["0"]),
        ("players.generator.width", ["0"]),
        ("players.generator.layers", ["1"]),
        ("players.classifier.dropout", ["-0.1", "1", "nan"]),
        ("players.generator.temperature", ["0", "-1", "nan"]),
        ("trainer.checkpoint_every", ["0", "null"]),
        ("seed", ["-1", "99999999999999999999999"]),
        ("replicas", ["true", "null"]),
    ],
)
def test_numbers_out_of_range_are_named(compose_config: Compose, key: str, values: list[str]) -> None:
    for value in values:
        with pytest.raises(InputError, match=f"^{re.escape(key)}=.*: give a "):
            check(compose_config(f"{key}={value}"))


@pytest.mark.parametrize("argument", ["fs=0.25", "fs=1", "mode=3", "fs=0.25,0.5"])
def test_a_number_is_no_choice_of_a_group(argument: str) -> None:
    with pytest.raises(InputError, match="choose one of"):
        check_overrides(["-m", argument])


def test_other_overrides_pass() -> None:
    check_overrides(["fs=half", "fs.ratio=0.25", "seed=3", "+x=1", "--help", "hydra.run.dir=1"])


@pytest.mark.parametrize("experiment", ["secom_20_columns", "paper"])
def test_experiments_compose(compose_config: Compose, experiment: str) -> None:
    check(compose_config(f"experiment={experiment}"))
