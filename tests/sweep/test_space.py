"""The spaces of searches, and searches that make no sense."""

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from adversarial_oversampling.config.compose import config_dir
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.sweep.search import check_search
from adversarial_oversampling.sweep.space import Space, read_space
from tests.sweep.searches import n_trials


def space_of(*given: str, **params: str) -> Space:
    config = OmegaConf.create({"hydra": {"sweeper": {"params": params}, "overrides": {"task": [*given]}}})
    with initialize_config_dir(config_dir(), version_base="1.3"):
        return read_space(config)


def checked(*overrides: str) -> Space:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return check_search(loader.load_configuration("train", [*overrides], RunMode.MULTIRUN))


@pytest.mark.parametrize(
    ("text", "space"),
    [
        ("interval(0.5, 2)", FloatDistribution(0.5, 2)),
        ("interval(1, 5)", FloatDistribution(1, 5)),
        ("int(interval(1, 5))", IntDistribution(1, 5)),
        ("tag(log, interval(0.001, 1))", FloatDistribution(0.001, 1, log=True)),
        ("tag(log, int(interval(1, 64)))", IntDistribution(1, 64, log=True)),
        ("int(tag(log, interval(1, 64)))", IntDistribution(1, 64, log=True)),
        ("range(1, 8, 3)", IntDistribution(1, 7, step=3)),
        ("range(1, 7, 3)", IntDistribution(1, 4, step=3)),
        ("range(0, 1, 0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("choice(1, 0.5, true, word)", CategoricalDistribution([1, 0.5, True, "word"])),
        ("3,4", CategoricalDistribution([3, 4])),
    ],
)
def test_a_space_is_what_its_words_say(text: str, space: object) -> None:
    assert space_of(key=text).varied == {"key": space}
    assert space_of(f"key={text}", key="interval(8, 9)").varied == {"key": space}


def test_a_command_fixes_what_a_search_would_vary() -> None:
    space = space_of("mode=q,ro", "+b=2", "seed=3", a="1,2", b="choice(1, 2)")
    assert list(space.varied) == ["a"]
    assert space.jobs({"a": 1}) == [[f"mode={mode}", "+b=2", "seed=3", "a=1"] for mode in ("q", "ro")]
    assert space_of("mode=q").jobs({}) == [["mode=q"]]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("interval(2, 1)", "^key=interval"),
        ("tag(log, interval(0, 1))", "^key=tag"),
        ("interval(1", "^hydra.sweeper.params: "),
    ],
)
def test_an_impossible_space_is_refused(text: str, error: str) -> None:
    with pytest.raises(InputError, match=error):
        space_of(key=text)


@pytest.mark.parametrize(
    "overrides",
    [
        ["hparams_search=q", "mode=q,ro,weighted_q"],
        ["hparams_search=game", "mode=ao,do,both_fool,both_favour"],
        ["hparams_search=gamo", "mode=gamo"],
        ["hparams_search=resampling", "mode=smote,adasyn"],
        *(
            [f"hparams_search={peer}", f"mode={peer}"]
            for peer in (
                *("lightgbm", "threshold_lightgbm", "xgboost"),
                *("balanced_forest", "easy_ensemble", "logistic"),
            )
        ),
    ],
    ids=lambda overrides: overrides[0],
)
def test_every_search_fits_its_modes(overrides: list[str]) -> None:
    assert checked(*overrides).varied


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (["hparams_search=game", "mode=q"], "mode=q has no mode.rules.generator_weight.*hparams_search=q,"),
        (["hparams_search=game", "mode=do,q"], "mode=q has no mode.rules.generator_weight"),
        (
            ["hparams_search=q", "mode=lightgbm"],
            "mode=lightgbm has no dataset.training.learning_rate.*hparams_search=lightgbm",
        ),
        (["hparams_search=q", "mode=q", "seed=1,2"], "seed=1,2: the trials of a search are compared"),
        (["hparams_search=q", "mode=q", "dataset=pima,yeast"], "dataset=pima,yeast: the trials"),
        (["hparams_search=q", "mode=q", "threads=0"], "threads=0: give a whole number"),
        (["hparams_search=q", "mode=q,nobody"], "started. mode=nobody: choose one"),
        (["hparams_search=q", "mode=q", n_trials(0)], "hydra.sweeper.n_trials=0: give a whole number"),
        (["hparams_search=q", "mode=q", "hydra.sweeper.storage=null"], "hydra.sweeper.storage=null: "),
        (["hparams_search=q", "mode=q", "protocol=paper"], "a search compares settings on validation rows"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(overrides: list[str], error: str) -> None:
    with pytest.raises(InputError, match=error):
        checked(*overrides)
