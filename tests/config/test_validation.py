"""Bad settings are refused, with the key and the way out."""

import re

import pytest

from adversarial_oversampling.config.catalogue import datasets, modes
from adversarial_oversampling.config.validation import check, check_options, check_overrides
from adversarial_oversampling.errors import InputError
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("players.classifier.width", ["0", "-3", "1.5"]),
        ("players.discriminator.width", ["0"]),
        ("players.generator.width", ["0"]),
        ("players.generator.layers", ["1"]),
        ("players.classifier.dropout", ["-0.1", "1", "nan"]),
        ("players.generator.temperature", ["0", "-1", "nan"]),
        ("trainer.checkpoint_seconds", ["-1", "null"]),
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


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--replicas", "3"], "replicas=3."),
        (["--replicas=3", "mode=q"], "replicas=3."),
        (["-m", "--replicas", "mode=q,do"], "replicas=VALUE."),
        (["--replicas", "-m"], "replicas=VALUE."),
        (["mode=q", "--replicas", "3", "seed=1"], "replicas=3."),
    ],
)
def test_a_setting_with_dashes_is_refused(arguments: list[str], advice: str) -> None:
    check_options(["-m", "mode=q,do", "--cfg=job"])
    with pytest.raises(InputError, match=f"no such option; settings have no dashes: {re.escape(advice)}"):
        check_options(arguments)


@pytest.mark.parametrize("argument", ["launcher=joblib", "hparams_search=q"])
def test_a_single_run_has_no_launcher_and_no_search(argument: str) -> None:
    check_overrides(["-m", argument])
    check_overrides([argument, "hydra.mode=MULTIRUN"])
    with pytest.raises(
        InputError, match=f"^{argument}: only a sweep has a {argument.partition('=')[0]}; add -m"
    ):
        check_overrides(["mode=q", argument])


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("+replica=3", "replica: there is no such setting; did you mean replicas?"),
        ("+foo.bar=1", "foo: there is no such setting."),
        ("+dataset.training.rate=1", "dataset.training.rate: there is no such setting."),
        (
            "+dataset.training.lr=1",
            "dataset.training.lr: there is no such setting; did you mean players.classifier.optimizer.lr, "
            "players.discriminator.optimizer.lr or players.generator.optimizer.lr?",
        ),
        ("+mode.batch_size=1", "did you mean dataset.training.batch_size?"),
        ("+dataset.split.test_sizes=1", "dataset.split.test_sizes: there is no such setting; did you mean"),
        ("+protocol.fold_number=1", "protocol.fold_number: there is no such setting"),
        ("+fs.rate=1", "fs.rate: there is no such setting; did you mean fs.ratio?"),
        ("+gan_type.penalty=1", "gan_type.penalty: there is no such setting"),
        ("+mode.weight=1", "mode.weight: there is no such setting"),
        ("+players.generator.anchor=1", "did you mean players.generator.anchors?"),
        ("+paths.data_dri=1", "did you mean paths.data_dir?"),
        (
            "+logger.wandb.offline=false",
            "logger.wandb: logger=wandb is not among the settings of this run; add it.",
        ),
    ],
)
def test_a_setting_that_nothing_reads_is_refused(compose_config: Compose, override: str, error: str) -> None:
    with pytest.raises(InputError, match=re.escape(error)):
        check(compose_config(override))


def test_other_overrides_pass() -> None:
    check_overrides(["fs=half", "fs.ratio=0.25", "seed=3", "+x=1", "--help", "hydra.run.dir=1"])


def test_an_unknown_name_of_a_mode_is_refused(compose_config: Compose) -> None:
    with pytest.raises(InputError, match=r"^mode\.name=mine: no mode has this name; write mode/mine\.yaml"):
        check(compose_config("mode=ao", "mode.name=mine"))


def test_every_mode_and_dataset_passes(compose_config: Compose) -> None:
    for mode in modes():
        check(compose_config(f"mode={mode}"))
    for dataset in datasets():
        source = ["dataset.path=t.csv", "dataset.target=y"] if dataset == "table" else []
        check(compose_config(f"dataset={dataset}", *source))
