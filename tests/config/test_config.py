"""Names, hashes and checks of configurations."""

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from adversarial_oversampling.config import (
    changed_settings,
    check,
    check_overrides,
    compose_train,
    config_dir,
    config_hash,
    fs_name,
    gpus_per_job,
    run_name,
    variants,
)
from adversarial_oversampling.errors import InputError
from tests.conftest import Compose

MODES = sorted(path.stem for path in Path(config_dir(), "mode").glob("*.yaml"))


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
        (["experiment=secom_20_columns"], ["20 selected columns"]),
        (["mode=do", "fs=half"], []),
        (["mode=ro", "fs.ratio=0.3"], ["fs=0.3, where the paper does not oversample"]),
        (["mode=ao", "gan_type=vanilla"], ["gan_type=vanilla, where the method has wgan_gp"]),
        (["mode=gamo", "gan_type=wgan_gp"], ["gan_type=wgan_gp, where the method has least_squares"]),
        (["mode=q", "gan_type=vanilla"], []),
        (
            ["mode=both_favour", "fs=half", "gan_type=vanilla"],
            [
                "a combination that is not in the paper",
                "fs=half, where the paper does not oversample",
                "gan_type=vanilla, where the method has wgan_gp",
            ],
        ),
        (["mode=do", "mode.rules.generated_weight=0.3"], ["mode.rules.generated_weight=0.3"]),
        (["mode=do", "gan_type.loss.gradient_penalty=1"], ["gan_type.loss.gradient_penalty=1"]),
        (["mode=smote", "mode.resampling.neighbours=3"], ["mode.resampling.neighbours=3"]),
        (["mode=lightgbm", "+mode.estimator.n_estimators=7"], ["mode.estimator.n_estimators=7"]),
        (
            ["mode=ao", "dataset.split.test_size=0.4", "players.generator.temperature=1.0"],
            ["dataset.split.test_size=0.4", "players.generator.temperature=1"],
        ),
        (["protocol=cv", "protocol.folds=3"], ["protocol.folds=3"]),
        # no player of q's
        (["mode=q", "players.generator.temperature=1.0", "generated_rows=3"], []),
    ],
)
def test_what_is_not_the_papers_is_called_a_variant(
    compose_config: Compose, overrides: list[str], told: list[str]
) -> None:
    assert variants(compose_config(*overrides)) == told


@pytest.mark.parametrize("mode", MODES)
def test_the_suites_own_settings_are_no_change(compose_config: Compose, mode: str) -> None:
    assert changed_settings(compose_config(f"mode={mode}", "dataset=yeast")) == []


@pytest.mark.parametrize(
    "overrides",
    [
        ["replicas=7", "seed=3", "trainer.max_epochs=9"],
        ["protocol=cv"],
        ["protocol=paper"],
        ["fs=quarter"],
        ["threads=2", "logger=csv", "rerun=true", "trainer=gpu", "paths.data_dir=/elsewhere"],
        ["dataset=csv", "dataset.name=mine", "dataset.source.path=t.csv", "dataset.source.target=y"],
    ],
    ids=" ".join,
)
def test_what_is_told_elsewhere_is_no_change(compose_config: Compose, overrides: list[str]) -> None:
    assert changed_settings(compose_config(*overrides)) == []


def test_a_changed_rate_is_told(compose_config: Compose) -> None:
    found = changed_settings(compose_config("mode=ao", "dataset.training.learning_rate=0.01"))
    assert "dataset.training.learning_rate=0.01" in found
    assert all(one.endswith("=0.01") for one in found)


def test_a_mode_of_the_users_own_is_told(compose_config: Compose) -> None:
    found = changed_settings(compose_config("mode=ao", "mode.name=mine"))
    assert found == ["mode=mine, which is not the suite's"]


def test_composing_anew_leaves_an_outer_application_alone() -> None:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        outer = GlobalHydra.instance().hydra
        assert compose_train(["mode=q"]).mode.name == "q"
        assert GlobalHydra.instance().hydra is outer
        assert compose("train", overrides=["mode=ao"]).mode.name == "ao"
    assert not GlobalHydra.instance().is_initialized()


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
    players = [compose_config("mode=do", *more) for more in ([], [override])]
    assert config_hash(players[0]) != config_hash(players[1])


@pytest.mark.parametrize("mode", ["balanced_forest", "easy_ensemble", "lightgbm"])
def test_the_hash_ignores_a_peers_threads_only(compose_config: Compose, mode: str) -> None:
    plain = config_hash(compose_config(f"mode={mode}"))
    assert config_hash(compose_config(f"mode={mode}", "threads=2")) == plain
    assert config_hash(compose_config(f"mode={mode}", "mode.estimator.n_jobs=2")) == plain
    assert config_hash(compose_config(f"mode={mode}", "+mode.estimator.n_estimators=7")) != plain


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
        ("dataset.training.settings_compared", ["-1", "null"]),
    ],
)
def test_numbers_out_of_range_are_named(compose_config: Compose, key: str, values: list[str]) -> None:
    for value in values:
        with pytest.raises(InputError, match=f"^{re.escape(key)}=.*: give a "):
            check(compose_config(f"{key}={value}"))


@pytest.mark.parametrize("key", ["class_weights", "complement", "tuned_threshold"])
def test_switches_are_true_or_false(compose_config: Compose, key: str) -> None:
    check(compose_config(f"+mode.rules.{key}=true", "mode=q"))
    with pytest.raises(InputError, match=rf"^mode\.rules\.{key}=2: give true or false"):
        check(compose_config(f"+mode.rules.{key}=2", "mode=q"))


@pytest.mark.parametrize("value", ["-0.1", "1.1", "abc"])
def test_label_noise_is_checked(compose_config: Compose, value: str) -> None:
    with pytest.raises(InputError, match=r"^gan_type\.loss\.label_noise="):
        check(compose_config("mode=gamo", f"gan_type.loss.label_noise={value}"))


@pytest.mark.parametrize("argument", ["fs=0.25", "fs=1", "mode=3", "fs=0.25,0.5"])
def test_a_number_is_no_choice_of_a_group(argument: str) -> None:
    with pytest.raises(InputError, match="choose one of"):
        check_overrides(["-m", argument])


@pytest.mark.parametrize("argument", ["launcher=joblib", "hparams_search=q"])
def test_a_single_run_has_no_launcher_and_no_search(argument: str) -> None:
    check_overrides(["-m", argument])
    check_overrides([argument, "hydra.mode=MULTIRUN"])
    with pytest.raises(InputError, match=f"^{argument}: only a sweep has one; add -m"):
        check_overrides(["mode=q", argument])


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("+replica=3", "replica: there is no such setting; did you mean replicas?"),
        ("+foo.bar=1", "foo: there is no such setting."),
        ("+players.generator.anchor=1", "did you mean players.generator.anchors?"),
        ("+paths.data_dri=1", "did you mean paths.data_dir?"),
        ("+logger.wandb.offline=false", "logger.wandb: this run has no such logger; take logger=wandb"),
    ],
)
def test_a_setting_that_nothing_reads_is_refused(compose_config: Compose, override: str, error: str) -> None:
    with pytest.raises(InputError, match=re.escape(error)):
        check(compose_config(override))


def test_other_overrides_pass() -> None:
    check_overrides(["fs=half", "fs.ratio=0.25", "seed=3", "+x=1", "--help", "hydra.run.dir=1"])


@pytest.mark.parametrize("experiment", ["secom_20_columns", "paper"])
def test_experiments_compose(compose_config: Compose, experiment: str) -> None:
    check(compose_config(f"experiment={experiment}"))


@pytest.mark.parametrize("launcher", ["submitit", "slurm", "ray", "ray_cluster"])
@pytest.mark.parametrize(
    ("trainer", "cpus", "gpus"),
    [
        (["trainer=cpu"], 1, 0),
        (["trainer=cpu", "threads=3"], 3, 0),
        (["trainer=gpu"], 1, 1),
        (["trainer=ddp", "trainer.devices=4", "trainer.accelerator=gpu"], 4, 4),
        (["trainer=ddp", "trainer.accelerator=cpu", "threads=2"], 4, 0),
    ],
)
def test_a_launcher_is_asked_for_what_a_job_needs(
    launcher: str, trainer: list[str], cpus: int, gpus: int
) -> None:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("train", overrides=[f"launcher={launcher}", *trainer], return_hydra_config=True)
    asked = cfg.hydra.launcher
    if "ray" in launcher:
        assert (asked.ray.remote.num_cpus, asked.ray.remote.num_gpus) == (cpus, gpus)
    else:
        assert (asked.cpus_per_task, asked.gpus_per_node) == (cpus, gpus)


def test_automatic_devices_are_gpus_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = compose_train(["trainer=ddp", "trainer.devices=3"])
    for there, gpus in ((True, 3), (False, 0)):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        assert gpus_per_job(cfg) == gpus
