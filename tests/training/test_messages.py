"""Messages that advise a setting: what they advise is a valid command."""

import re

import pytest

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.config.validation import check, check_overrides
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.training.run import way_out_of_divergence


def advised(message: str) -> list[str]:
    """Return the settings that a message gives as `key=value`, but for the one that it refuses."""
    _, _, advice = message.partition(": ")
    return re.findall(r"[a-z_]+(?:\.[a-z_]+)*=[^\s,;()]+[^\s,;().:]", advice)


@pytest.mark.parametrize(
    "argument", ["fs=2", "fs=0.3", "fs=-1", "fs=0", "fs=1e-9", "fs=1", "fs=0.5,2", "mode=3"]
)
def test_a_number_for_a_choice(argument: str) -> None:
    with pytest.raises(InputError) as refused:
        check_overrides([argument])
    for setting in advised(str(refused.value)):
        check(compose_train([setting]))
    assert ("fs.ratio" in str(refused.value)) == (argument in ("fs=0.3", "fs=1e-9", "fs=1", "fs=0.5,2"))


@pytest.mark.parametrize(
    "overrides",
    [
        ["mode=lightgbm", "fs.ratio=0.5"],
        ["protocol.folds=3"],
        ["trainer.max_epochs=0"],
        ["dataset.training.learning_rate=-1"],
        ["seed=99999999999999999999"],
    ],
)
def test_the_checks_of_a_configuration(overrides: list[str]) -> None:
    cfg = compose_train(overrides)
    with pytest.raises(InputError) as refused:
        check(cfg)
    kept = [override for override in overrides if not override.startswith(("fs.", "protocol."))]
    for setting in advised(str(refused.value)):
        check(compose_train([*kept, setting]))


@pytest.mark.parametrize(
    ("overrides", "changed"),
    [
        (["mode=do"], None),
        (["mode=q", "dataset.preprocessing.scaler=none"], "dataset.preprocessing.scaler=none"),
        (["mode=ao", "players.generator.optimizer.lr=1e20"], "players.generator.optimizer.lr=1e+20"),
        (["mode=q", "dataset=credit"], None),
        (["mode=q", "dataset.training.learning_rate=1e20"], "dataset.training.learning_rate=1e+20"),
        (["mode=do", "gan_type.loss.gradient_penalty=1e20"], "gan_type.loss.gradient_penalty=1e+20"),
    ],
)
def test_what_to_change_where_every_replica_diverged(overrides: list[str], changed: str | None) -> None:
    cfg = compose_train(overrides)
    text = way_out_of_divergence(cfg)
    assert (f"The settings that are not the defaults are {changed}; change them back" in text) == bool(
        changed
    )
    assert ("players.discriminator.optimizer.lr=" in text) == ("mode=q" not in overrides)
    assert "dataset.training.learning_rate=" in text
    settings = advised(text if changed is None else f": {text}")
    assert settings
    for setting in settings:
        check(compose_train([*overrides, setting]))
