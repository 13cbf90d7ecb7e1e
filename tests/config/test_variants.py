"""Settings that are not the defaults of a run's mode, dataset and protocol."""

from pathlib import Path

import pytest

from adversarial_oversampling.config.catalogue import modes
from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.config.variants import tags, variant
from tests.conftest import Compose


@pytest.mark.parametrize("mode", modes())
def test_defaults_are_no_variant(compose_config: Compose, mode: str) -> None:
    assert variant(compose_config(f"mode={mode}")) == []


@pytest.mark.parametrize(
    "overrides",
    [
        ["replicas=7", "seed=3", "trainer.max_epochs=9"],
        ["protocol=cv"],
        ["protocol=paper"],
        ["threads=2", "logger=csv", "rerun=true", "trainer=gpu", "paths.data_dir=/elsewhere"],
        ["dataset=table", "dataset.name=mine", "dataset.path=t.csv", "dataset.target=y"],
    ],
    ids=" ".join,
)
def test_what_is_stated_beside_every_result_is_no_variant(
    compose_config: Compose, overrides: list[str]
) -> None:
    assert variant(compose_config(*overrides)) == []


def test_a_changed_learning_rate_is_listed(compose_config: Compose) -> None:
    settings = variant(compose_config("mode=ao", "dataset.training.learning_rate=0.01"))
    assert "dataset.training.learning_rate=0.01" in settings
    assert all(setting.endswith("=0.01") for setting in settings)


@pytest.mark.parametrize(
    ("overrides", "settings"),
    [
        (["mode=ao"], []),
        (["mode=do"], []),
        (["mode=both_fool"], []),
        (["mode=ao", "fs=balanced"], ["fs=balanced"]),
        (["mode=do", "fs=half"], ["fs=half"]),
        (["mode=do", "fs=natural"], ["fs=natural"]),
        (["mode=ro", "fs.ratio=0.3"], ["fs=0.3"]),
        (["dataset=secom", "dataset.preprocessing.n_selected=20"], ["dataset.preprocessing.n_selected=20"]),
        (["experiment=secom_20_columns"], []),
        (["members=3"], ["members=3"]),
        (["mode=gamo", "ablation=no_noise"], ["players.generator.gumbel=0"]),
        (["mode=ao", "gan_type=vanilla"], ["gan_type=vanilla"]),
        (["mode=gamo", "gan_type=wgan_gp"], ["gan_type=wgan_gp"]),
        (["mode=q", "gan_type=vanilla"], []),
        (["mode=both_favour", "fs=half", "gan_type=vanilla"], ["fs=half", "gan_type=vanilla"]),
        (["mode=do", "mode.rules.generated_weight=0.3"], ["mode.rules.generated_weight=0.3"]),
        (["mode=do", "gan_type.loss.gradient_penalty=1"], ["gan_type.loss.gradient_penalty=1"]),
        (["mode=smote", "mode.resampling.n_neighbors=3"], ["mode.resampling.n_neighbors=3"]),
        (["mode=lightgbm", "mode.estimator.n_estimators=7"], ["mode.estimator.n_estimators=7"]),
        (
            ["mode=ao", "dataset.split.test_size=0.4", "players.generator.temperature=1.0"],
            ["dataset.split.test_size=0.4", "players.generator.temperature=1"],
        ),
        (["protocol=cv", "protocol.folds=3"], ["protocol.folds=3"]),
        # q has no generator
        (["mode=q", "players.generator.temperature=1.0", "generated_rows=3"], []),
    ],
)
def test_every_setting_that_is_not_the_default_is_listed(
    compose_config: Compose, overrides: list[str], settings: list[str]
) -> None:
    assert variant(compose_config(*overrides)) == settings


@pytest.mark.parametrize("name", ["mine", "secom", "credit"])
def test_a_csv_file_has_the_defaults_of_csv_files_whatever_its_name(
    compose_config: Compose, name: str
) -> None:
    csv = ["dataset=table", f"dataset.name={name}", "dataset.path=t.csv", "dataset.target=y"]
    assert variant(compose_config(*csv)) == []
    assert variant(compose_config(*csv, "dataset.training.dropout=0.1")) == ["dataset.training.dropout=0.1"]


def test_a_mode_of_ones_own_has_defaults_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mode").mkdir()
    (tmp_path / "mode" / "stronger.yaml").write_text(
        "defaults: [do]\nname: stronger\ndescription: {title: Stronger, order: 95}\n"
        "rules: {generated_weight: 0.5}\n"
    )
    folders = [f"paths.config_dirs=[{tmp_path}]", "mode=stronger"]
    assert variant(compose_train(folders, [str(tmp_path)])) == []
    changed = compose_train([*folders, "mode.rules.generated_weight=0.1", "fs=half"], [str(tmp_path)])
    assert variant(changed) == ["fs=half", "mode.rules.generated_weight=0.1"]


def test_an_own_table_is_in_no_view_of_a_published_one(compose_config: Compose) -> None:
    own = ["dataset=table", "dataset.path=my.csv", "dataset.target=label"]
    assert "haberman" in tags(compose_config())
    assert "secom_20_columns" in tags(compose_config("dataset=secom_20_columns"))
    assert "my" in tags(compose_config(*own))
    assert "haberman (own table)" in tags(compose_config(*own, "dataset.name=haberman"))
    assert "pima (own table)" in tags(compose_config("dataset.name=pima"))
