"""The jobs and the name of a sweep, from its overrides."""

import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from adversarial_oversampling.config.compose import config_dir
from adversarial_oversampling.sweep.overrides import jobs_of, name_sweep


def test_jobs_are_all_combinations_of_the_choices() -> None:
    for given in (["mode=q,do", "seed=range(3)", "replicas=2"], ["mode=glob([q,a*])", "seed=choice(1,2)"]):
        config = OmegaConf.create({"hydra": {"sweeper": {}, "overrides": {"task": given}}})
        with initialize_config_dir(config_dir(), version_base="1.3"):
            assert len(jobs_of(config)) == 6  # the glob is q, adasyn and ao


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (["train", "-m", "mode=q,do"], 2),
        (["train", "-m", "mode=q,do", "seed=1", "--config-dir", "here"], 2),
        (["train", "mode=q,do", "--multirun"], 1),
        (["train", "-m"], 2),
        (["train", "hydra.mode=MULTIRUN", "mode=q,do"], 1),
    ],
)
def test_a_sweep_gets_a_name_among_its_overrides(given: list[str], place: int) -> None:
    arguments = list(given)
    name_sweep(arguments)
    words = "q-do_" if "mode=q,do" in given else "sweep_"
    assert arguments[place].startswith(f"sweep.name={words}")
    assert arguments[place + 1].startswith("sweep.id=")
    assert arguments[:place] + arguments[place + 2 :] == given


def test_the_same_sweep_has_the_same_name_wherever_it_runs() -> None:
    names = []
    for given in (
        ["mode=q,do", "seed=1"],
        ["launcher=joblib", "seed=1", "hydra.launcher.n_jobs=2", "mode=q,do", "paths.output_dir=there"],
        ["mode=q,do", "seed=2"],
    ):
        arguments = ["train", "-m", *given]
        name_sweep(arguments)
        names.append(arguments[2])
    assert names[0] == names[1] != names[2]


def test_the_name_of_a_sweep_says_what_runs() -> None:
    arguments = ["train", "-m", "mode=q,do", "dataset=pima,yeast", "replicas=3"]
    name_sweep(arguments)
    assert arguments[2].startswith("sweep.name=pima-yeast_q-do_")
    long = ["train", "-m", f"dataset={'a' * 300}"]
    name_sweep(long)
    assert len(long[2]) < 128  # W&B allows no longer group


def test_a_deletion_makes_another_sweep_and_an_option_is_no_override() -> None:
    first = ["train", "-m", "mode=q,do"]
    second = [*first, "~trainer.profiler"]
    for arguments in (first, second):
        name_sweep(arguments)
    assert first[2] != second[2]
    arguments = ["train", "-m", "--config-dir", "a=b", "mode=q,do"]
    name_sweep(arguments)
    assert arguments[:4] == ["train", "-m", "--config-dir", "a=b"]
    assert arguments[4].startswith("sweep.name=")


def test_a_single_run_gets_no_name() -> None:
    arguments = ["train", "mode=q"]
    name_sweep(arguments)
    assert arguments == ["train", "mode=q"]
