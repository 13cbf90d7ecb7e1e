"""Studies of several processes: shared, pruned and killed."""

import signal
import subprocess
from pathlib import Path

import pytest
from optuna.trial import TrialState

from adversarial_oversampling.results.read import read_result
from tests.sweep.searches import RANDOM, Q, n_trials, only_study, sampler_seed, states
from tests.sweep.sweeps import QUICK, sweep_command, swept, swept_here, until


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
