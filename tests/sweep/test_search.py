"""Searches over settings, from the command line to the best settings."""

from pathlib import Path
from statistics import mean

import optuna
import pytest
from optuna.trial import TrialState

from adversarial_oversampling.config.compose import config_dir
from adversarial_oversampling.results.read import read_result
from tests.sweep.searches import RANDOM, Q, n_trials, only_study, sampler_seed, states
from tests.sweep.sweeps import QUICK, swept_by_fork, swept_here


def test_a_search_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    refused = {
        "mode=q has no mode.rules": ["hparams_search=game", "mode=q"],
        "hydra.sweeper.storage=nothing cannot be used ": [*Q, "hydra.sweeper.storage=nothing"],
    }
    for error, overrides in refused.items():
        done = swept_by_fork(tmp_path, *overrides, *QUICK)
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


def test_a_mode_of_ones_own_is_searched(tmp_path: Path) -> None:
    (tmp_path / "conf" / "mode").mkdir(parents=True)
    text = Path(config_dir(), "mode", "q.yaml").read_text()
    for old, new in (("name: q", "name: mine"), ("title: Q", "title: Mine"), ("order: 10", "order: 95")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    (tmp_path / "conf" / "mode" / "mine.yaml").write_text(text)
    search = ["hparams_search=q", "mode=mine", n_trials(1), *QUICK, f"--config-dir={tmp_path}/conf"]
    done = swept_here(tmp_path, *search)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Best of 1 trial of haberman-mine-holdout-" in done.stdout


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
