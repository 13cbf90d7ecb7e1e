"""Hashes and names of configurations."""

from pathlib import Path

import pytest

from adversarial_oversampling.config.identity import config_hash, fs_name, own_code, result_config, run_name
from adversarial_oversampling.config.variants import variant
from tests.commands import PACKAGE
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
        "trainer.matmul_precision=medium",
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
        "trainer.checkpoint_seconds=3",
        "dataset=secom dataset.source.url=http://mirror/secom.zip",
    ],
)
def test_the_hash_ignores_where_and_how_a_run_happens(compose_config: Compose, override: str) -> None:
    overrides = override.split()
    plain = compose_config(*overrides[:-1]) if len(overrides) > 1 else compose_config()
    assert config_hash(plain) == config_hash(compose_config(*overrides))


def test_the_hash_depends_on_the_users_file(compose_config: Compose) -> None:
    source = ["dataset=table", "dataset.target=y"]
    one, two = (compose_config(*source, f"dataset.path={name}.csv") for name in ("one", "two"))
    assert config_hash(one) != config_hash(two)


def test_the_hash_depends_on_the_content_of_the_users_file(compose_config: Compose, tmp_path: Path) -> None:
    source = ["dataset=table", "dataset.name=mine", "dataset.target=y"]
    hashes = []
    for name, text in (("a", "x,y\n1,0\n"), ("b", "x,y\n1,0\n"), ("a", "x,y\n2,0\n")):
        (tmp_path / f"{name}.csv").write_text(text)
        hashes.append(config_hash(compose_config(*source, f"dataset.path={tmp_path}/{name}.csv")))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_result_without_the_precision_of_products_has_the_same_hash(compose_config: Compose) -> None:
    cfg = compose_config("trainer.matmul_precision=highest")
    stored = compose_config()
    del stored.trainer.matmul_precision
    assert config_hash(cfg) == config_hash(stored) == config_hash(compose_config())


@pytest.mark.parametrize("given", ["columns.keep_na=[v]", "group=v"])
def test_a_result_without_a_later_setting_of_tables_has_the_same_hash(
    compose_config: Compose, given: str
) -> None:
    source = ["dataset=table", "dataset.path=mine.csv", "dataset.target=y"]
    stored = compose_config(*source)
    del stored.dataset.columns.keep_na, stored.dataset.group, stored.dataset.source.group
    assert config_hash(stored) == config_hash(compose_config(*source))
    assert config_hash(stored) != config_hash(compose_config(*source, f"dataset.{given}"))


def test_a_whole_number_is_the_same_rate(compose_config: Compose) -> None:
    assert config_hash(compose_config("fs.ratio=1")) == config_hash(compose_config("fs.ratio=1.0"))


@pytest.mark.parametrize(
    "override",
    [
        "gan_type=vanilla",
        "gan_type=least_squares",
        "generated_rows=3",
        "players.generator.temperature=0.9",
        "players.discriminator.conditional=true",
    ],
)
def test_a_mode_without_a_generator_has_one_hash_whatever_the_game(
    compose_config: Compose, override: str
) -> None:
    for mode in ("q", "smote", "logistic"):
        plain, other = compose_config(f"mode={mode}"), compose_config(f"mode={mode}", override)
        assert config_hash(plain) == config_hash(other)
        assert run_name(plain) == run_name(other)
    players = [compose_config("mode=do", "recipe=plain", *more) for more in ([], [override])]
    assert config_hash(players[0]) != config_hash(players[1])


@pytest.mark.parametrize(
    "mode", ["balanced_forest", "easy_ensemble", "lightgbm", "threshold_lightgbm", "xgboost"]
)
def test_the_hash_ignores_a_peers_threads_only(compose_config: Compose, mode: str) -> None:
    plain = config_hash(compose_config(f"mode={mode}"))
    assert config_hash(compose_config(f"mode={mode}", "threads=2")) == plain
    assert config_hash(compose_config(f"mode={mode}", "mode.estimator.n_jobs=2")) == plain
    assert config_hash(compose_config(f"mode={mode}", "mode.estimator.n_estimators=7")) != plain


def test_run_name_is_readable(compose_config: Compose) -> None:
    name = run_name(compose_config("dataset=pima", "mode=do", "seed=3"))
    assert name.startswith("pima/do-wgan_gp-fs_balanced-holdout-seed3-")


def test_no_path_of_a_class_is_in_the_hash(compose_config: Compose) -> None:
    """A class of this package counts by its name; the module that holds it may change."""
    here = compose_config("mode=do")
    elsewhere = compose_config("mode=do", "mode.rules._target_=adversarial_oversampling.elsewhere.Rules")
    other = compose_config("mode=do", "mode.rules._target_=adversarial_oversampling.game.module.OtherRules")
    assert config_hash(here) == config_hash(elsewhere) != config_hash(other)
    assert "_target_" not in str(result_config(here))
    assert result_config(here)["mode"]["rules"]["class"] == "Rules"
    # Another library's class counts with its module: torch's AdamW is not somebody else's.
    assert result_config(here)["players"]["classifier"]["optimizer"]["class"] == "torch.optim.AdamW"


def test_positional_arguments_of_a_class_are_in_the_hash(compose_config: Compose) -> None:
    one, other = (
        config_hash(compose_config("mode=logistic", f"+mode.estimator._args_=[{number}]"))
        for number in (1, 2)
    )
    assert len({one, other, config_hash(compose_config("mode=logistic"))}) == 3


def test_the_code_of_the_users_classes_is_in_the_hash(
    compose_config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is imported: the files do not even hold Python."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_package").mkdir()
    files = {"my_peers": tmp_path / "my_peers.py", "my_package.inner": tmp_path / "my_package" / "inner.py"}
    (tmp_path / "my_package" / "__init__.py").write_text("no Python")
    for module, file in files.items():
        cfg = compose_config("mode=logistic", f"mode.estimator._target_={module}.Mine")
        digests = []
        for text in ("not Python", "not Python either", "not Python"):
            file.write_text(text)
            own_code.cache_clear()  # a process does not see edits of what it has imported
            digests.append(config_hash(cfg))
        assert digests[0] == digests[2] != digests[1]
        assert not [item for item in variant(cfg) if "code" in item]


@pytest.mark.parametrize(
    "target",
    [
        "sklearn.svm.SVC",
        "json.loads",
        "builtins.dict",
        "nowhere.Class",
        "__main__.Class",
        f"{PACKAGE}.game.module.Rules",
    ],
)
def test_installed_code_is_known_by_its_version(target: str) -> None:
    assert own_code(target) is None


def test_descriptions_are_not_in_the_hash(compose_config: Compose) -> None:
    plain = config_hash(compose_config("mode=do"))
    described = ["mode.description.title=Mine", "dataset.description.order=7", "mode.description.color=red"]
    assert config_hash(compose_config("mode=do", *described)) == plain


@pytest.mark.parametrize(
    ("overrides", "digits"),
    [
        (["dataset=haberman", "mode=do"], "1167d4253d"),
        (["dataset=secom", "mode=q", "protocol=paper"], "73c6d14b82"),
        (["dataset=yeast", "mode=smote", "protocol=cv"], "3c5fbcc0f0"),
        (["dataset=pima", "mode=gamo", "replicas=3", "trainer.max_epochs=10"], "a7ff52f7d4"),
        (["dataset=wafer", "mode=lightgbm"], "bc01f2ce84"),
        (["dataset=credit", "mode=ao", "gan_type=vanilla", "fs=half"], "65553c0cd4"),
    ],
)
def test_hashes_of_known_configurations(compose_config: Compose, overrides: list[str], digits: str) -> None:
    """A change here makes every stored result one of another configuration: say so in the changelog."""
    settings = {
        "batch_size": 64,
        "width": 128,
        "learning_rate": 0.0003,
        "dropout": 0.0,
        "weight_decay": 0.0001,
    }
    fixed = [f"dataset.training.{key}={value}" for key, value in settings.items()]  # a search may change them
    fixed += ["dataset.preprocessing.scaler=standard", "recipe=plain"]
    assert config_hash(compose_config(*fixed, *overrides)) == digits
