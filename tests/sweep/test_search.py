"""Searches over settings: their spaces, and studies that are resumed, shared, pruned and interrupted."""

import signal
import subprocess
from pathlib import Path
from statistics import mean

import optuna
import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from adversarial_oversampling.config.compose import config_dir
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.sweep.search import check_search
from adversarial_oversampling.sweep.space import Space, read_space
from tests.sweep.sweeps import QUICK, sweep_command, swept, swept_here, until

RANDOM = "hydra.sweeper.sampler._target_=optuna.samplers.RandomSampler"
Q = ["hparams_search=q", "dataset=haberman", "mode=q"]


def space_of(*given: str, **params: str) -> Space:
    config = OmegaConf.create({"hydra": {"sweeper": {"params": params}, "overrides": {"task": [*given]}}})
    with initialize_config_dir(config_dir(), version_base="1.3"):
        return read_space(config)


def checked(*overrides: str) -> Space:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return check_search(loader.load_configuration("train", [*overrides], RunMode.MULTIRUN))


def sampler_seed(number: int) -> str:
    return f"hydra.sweeper.sampler.seed={number}"


def n_trials(number: int) -> str:
    return f"hydra.sweeper.n_trials={number}"


def only_study(folder: Path, file: str = "optuna.db") -> optuna.Study:
    storage = f"sqlite:///{folder}/{file}"
    (one,) = optuna.get_all_study_summaries(storage)
    return optuna.load_study(study_name=one.study_name, storage=storage)


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.trials]


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


def test_a_search_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    refused = {
        "mode=q has no mode.rules": ["hparams_search=game", "mode=q"],
        "hydra.sweeper.storage=nothing cannot be used ": [*Q, "hydra.sweeper.storage=nothing"],
    }
    for error, overrides in refused.items():
        done = swept(tmp_path, *overrides, *QUICK)
        assert done.returncode == 1
        assert error in done.stderr
        assert "Traceback" not in done.stderr
        assert not list(tmp_path.glob("*/*/result.json"))
        assert not (tmp_path / "optuna.db").exists()


def test_the_number_of_trials_is_that_of_the_whole_study(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    said = []
    for number in (1, 3, 3):
        done = swept_here(folder, *Q, n_trials(number), *QUICK)
        assert (done.returncode, done.stderr) == (0, "")
        said.append(done.stdout)
    study = only_study(folder)
    name = study.study_name
    assert name.startswith("haberman-q-holdout-")
    assert states(study) == 3 * [TrialState.COMPLETE]
    assert said[0].startswith(f"Study {name} has 0 finished trials; 1 more will be run.\n[1/1] ")
    assert said[1].startswith(f"Study {name} has 1 finished trial; 2 more will be run.\n[1/2, ")
    assert said[2].startswith(
        f"Study {name} has 3 finished trials; none is left to run, as hydra.sweeper.n_trials=3.\nBest of 3 "
    )
    best = " ".join(f"{key}={value}" for key, value in study.best_params.items())
    for output in said[1:]:
        assert f"Best of 3 trials of {name}, validation ACSA {100 * study.best_value:.2f}:\n{best}" in output
        assert " GM" not in output  # no metric on test rows
    results = [read_result(file) for file in folder.glob("*/*/result.json")]
    assert sorted(trial.value or 0 for trial in study.trials) == sorted(
        result.replicas[0].selection_acsa or 0 for result in results
    )
    assert {result.replicas[0].seed for result in results} == {1000}

    # Trials whose scores are not comparable belong to another study.
    other = swept_here(folder, *Q, n_trials(1), *QUICK, "trainer.max_epochs=2")
    assert "Best of 1 trial of haberman-q-holdout-" in other.stdout
    assert len(optuna.get_all_study_summaries(f"sqlite:///{folder}/optuna.db")) == 2


def test_modes_share_a_trial_and_are_scored_by_their_mean(tmp_path: Path) -> None:
    done = swept_here(tmp_path, "hparams_search=q", "dataset=haberman", "mode=q,ro", n_trials(2), *QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    study = only_study(tmp_path)
    assert study.study_name.startswith("haberman-q+ro-holdout-")
    for number in range(1, 5):
        assert f"[{number}/4" in done.stdout
    scores: dict[float, dict[str, float]] = {}
    for file in tmp_path.glob("*/*/result.json"):
        result = read_result(file)
        rate = result.config["dataset"]["training"]["learning_rate"]
        scores.setdefault(rate, {})[result.mode] = result.mean_selection_acsa or 0
    assert len(scores) == len(study.trials) == 2
    for trial in study.trials:
        of_trial = scores[trial.params["dataset.training.learning_rate"]]
        assert set(of_trial) == {"q", "ro"}
        assert trial.value == pytest.approx(mean(of_trial.values()))
        assert not trial.intermediate_values  # not pruned by the epochs of one mode
    assert f"mean validation ACSA of q, ro {100 * study.best_value:.2f}:" in done.stdout


def test_a_pruned_trial_leaves_no_result_and_is_no_failure(tmp_path: Path) -> None:
    pruner = [
        "hydra.sweeper.pruner._target_=optuna.pruners.ThresholdPruner",
        "+hydra.sweeper.pruner.lower=0.55",
    ]
    pruner += ["~hydra.sweeper.pruner.n_startup_trials", "hydra.sweeper.pruner.n_warmup_steps=2"]
    few = ["trainer.max_epochs=3", "replicas=2", "logger=none", "trainer.checkpoint_seconds=0"]
    few += ["protocol.running_mean=1"]  # otherwise the first epochs have no score
    search = ["hparams_search=optuna", "dataset=haberman", "mode=q", RANDOM, *pruner, *few]
    search += ["dataset.training.learning_rate=choice(0.01, 0.000001)"]
    here = swept_here(tmp_path, *search, n_trials(1), sampler_seed(2))
    # The job is another process's.
    there = swept(tmp_path, *search, n_trials(2), sampler_seed(0), "launcher=submitit")
    assert (here.returncode, here.stderr) == (there.returncode, there.stderr) == (0, "")
    study = only_study(tmp_path)
    assert set(states(study)) == {TrialState.COMPLETE, TrialState.PRUNED}
    pruned = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    assert {trial.params["dataset.training.learning_rate"] for trial in pruned} == {0.000001}
    assert all(list(trial.intermediate_values) == [1, 2] for trial in pruned)
    (result,) = tmp_path.glob("*/*/result.json")
    (trained,) = {trial.value for trial in study.trials if trial.state == TrialState.COMPLETE}
    assert trained == read_result(result).mean_selection_acsa
    first = next(trial for trial in study.trials if trial.state == TrialState.COMPLETE)
    assert first.intermediate_values[3] == pytest.approx(trained)
    assert there.stdout.count("pruned after 2 of 3 epochs") == len(pruned) == 1
    assert "1 pruned" in there.stdout
    assert "failed" not in here.stdout + there.stdout
    assert not list(tmp_path.glob("*/*/checkpoints"))


def test_failed_trials_count_and_are_told(tmp_path: Path) -> None:
    search = ["hparams_search=optuna", "dataset=haberman", "mode=q", RANDOM, sampler_seed(0), *QUICK]
    some = [*search, "dataset.training.dropout=choice(0.1, 7)", n_trials(3)]
    first, second = (swept_here(tmp_path / "some", *some) for _ in range(2))
    study = only_study(tmp_path / "some")
    assert set(states(study)) == {TrialState.COMPLETE, TrialState.FAIL}
    failed = states(study).count(TrialState.FAIL)
    assert (first.returncode, second.returncode) == (1, 0)
    assert f"{failed} of 3 jobs failed" in first.stdout
    assert f"has 3 finished trials ({failed} failed); none is left to run" in second.stdout
    assert "Best of" in second.stdout

    done = swept_here(tmp_path / "all", *search, "dataset.training.dropout=choice(7, 8)", n_trials(2))
    assert done.returncode == 1
    assert "2 of 2 jobs failed" in done.stdout
    assert "has a validation ACSA yet, so there are no best settings." in done.stdout
    assert "Traceback" not in done.stdout + done.stderr

    stopped = ["dataset.training.dropout=choice(7, 8)", "hydra.sweeper.max_failure_rate=0.0", n_trials(2)]
    done = swept_here(tmp_path / "stopped", *search, *stopped)
    assert done.returncode == 1
    assert "1 of 1 job failed" in done.stdout
    assert states(only_study(tmp_path / "stopped")) == [TrialState.FAIL]


def test_a_trial_without_validation_acsa_says_why(tmp_path: Path) -> None:
    search = ["hparams_search=resampling", "dataset=yeast", "mode=adasyn", n_trials(1), *QUICK]
    done = swept_here(tmp_path, *search)
    assert done.returncode == 1
    assert "NA (adasyn: No samples will be generated" in done.stdout
    assert states(only_study(tmp_path)) == [TrialState.FAIL]


def test_a_peer_is_searched_by_its_validation_acsa(tmp_path: Path) -> None:
    search = ["hparams_search=lightgbm", "dataset=haberman", "mode=lightgbm", n_trials(2), *QUICK]
    done = swept_here(tmp_path, *search, "mode.estimator.n_estimators=5")
    assert (done.returncode, done.stderr) == (0, "")
    study = only_study(tmp_path)
    assert states(study) == 2 * [TrialState.COMPLETE]
    assert "mode.estimator.n_estimators" not in study.best_params
    assert isinstance(study.best_params["mode.estimator.num_leaves"], int)
    results = [read_result(file) for file in tmp_path.glob("*/*/result.json")]
    assert study.best_value == max(result.mean_selection_acsa or 0 for result in results)


def test_two_processes_share_one_search(tmp_path: Path) -> None:
    search = [*Q, n_trials(4), *QUICK, f"hydra.sweeper.storage=sqlite:///{tmp_path}/shared.db"]
    other = subprocess.Popen(
        sweep_command(tmp_path / "first", *search), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: bool(list((tmp_path / "first").glob(".sweeps/*/*.json"))))  # its first trial begins
    here = swept_here(tmp_path / "second", *search)
    stdout, stderr = other.communicate(timeout=120)
    assert (other.returncode, stderr) == (here.returncode, here.stderr) == (0, "")
    ran = (stdout + here.stdout).count(": validation ACSA ")
    study = only_study(tmp_path, "shared.db")
    assert ran == len(study.trials) == 4
    assert len({tuple(sorted(trial.params.items())) for trial in study.trials}) == 4
    results = [read_result(file) for file in tmp_path.glob("*/*/*/result.json")]
    assert sorted(trial.value or 0 for trial in study.trials) == sorted(
        result.replicas[0].selection_acsa or 0 for result in results
    )


def test_the_trial_of_a_killed_process_runs_again_with_the_same_settings(tmp_path: Path) -> None:
    search = [*Q, n_trials(1), "replicas=1", "trainer.max_epochs=75", "logger=none"]
    search += ["trainer.checkpoint_seconds=0"]
    process = subprocess.Popen(sweep_command(tmp_path, *search), stdout=subprocess.DEVNULL)
    until(lambda: bool(list(tmp_path.glob("*/*/checkpoints/*.ckpt"))))
    process.send_signal(signal.SIGKILL)
    process.wait()
    (before,) = only_study(tmp_path).trials
    assert before.state == TrialState.RUNNING

    done = swept_here(tmp_path, *search)
    assert (done.returncode, done.stderr) == (0, "")
    assert "has 0 finished trials (1 unfinished); 1 more will be run." in done.stdout
    (after,) = only_study(tmp_path).trials
    assert after.state == TrialState.COMPLETE
    assert after.params == before.params
    (log,) = tmp_path.glob("*/*/output.log")
    assert "Resuming from" in log.read_text()
