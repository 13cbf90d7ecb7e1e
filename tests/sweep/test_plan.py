"""The order of a sweep's jobs and the time that they will take, by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins

from adversarial_oversampling.config.compose import config_dir
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.sweep.plan import (
    OUR_SWEEPER,
    Job,
    kind_of,
    plan,
    plan_search,
    rough_seconds,
    seconds_to_go,
    stored_seconds,
)
from tests.conftest import Compose


def job(name: str, dataset: str = "haberman", mode: str = "q", seconds: float = 1.0) -> Job:
    return Job(name, (dataset, mode, "holdout", 100, 5), seconds)


def test_nothing_is_known_before_the_first_job_has_ended() -> None:
    assert seconds_to_go([], [(job("a"), 5.0)], [job("b")], at_once=1) is None


def test_a_job_takes_as_long_as_the_mean_of_its_kind() -> None:
    ended = [(job("a"), 2.0), (job("b"), 4.0), (job("c", mode="do", seconds=4.0), 20.0)]
    assert seconds_to_go(ended, [], [job("d"), job("e")], at_once=1) == 6.0  # twice (2 + 4) / 2
    assert seconds_to_go(ended, [], [job("d"), job("f", mode="do", seconds=4.0)], at_once=1) == 23.0


def test_a_job_of_another_mode_is_scaled_by_its_dataset_and_then_by_all() -> None:
    ended = [(job("a", seconds=1.0), 3.0), (job("b", dataset="secom", seconds=10.0), 50.0)]
    # haberman took 3 times its rough seconds, secom 5 times, both together 53 / 11.
    assert seconds_to_go(ended, [], [job("c", mode="do", seconds=4.0)], at_once=1) == 12.0
    assert seconds_to_go(ended, [], [job("c", "secom", "do", 40.0)], at_once=1) == 200.0
    assert seconds_to_go(ended, [], [job("c", "wafer", "q", 2.0)], at_once=1) == pytest.approx(106 / 11)


def test_a_running_job_takes_what_is_left_of_its_time() -> None:
    ended = [(job("a"), 10.0)]
    assert seconds_to_go(ended, [(job("b"), 4.0)], [], at_once=1) == 6.0
    assert seconds_to_go(ended, [(job("b"), 4.0)], [job("c")], at_once=1) == 16.0
    # It takes 25 s already, so the next one will too.
    assert seconds_to_go(ended, [(job("b"), 25.0)], [job("c")], at_once=1) == 25.0


def test_jobs_at_once_share_the_time() -> None:
    ended = [(job("a"), 10.0)]
    waiting = [job(name) for name in "bcdef"]
    assert seconds_to_go(ended, [], waiting, at_once=2) == 30.0  # b, d, f one after the other; c, e beside
    running = [(job("x"), 1.0), (job("y"), 7.0)]  # 9 s and 3 s are left
    assert seconds_to_go(ended, running, waiting[:2], at_once=2) == 19.0  # b from 3 to 13, c from 9 to 19


def test_a_run_that_is_several_jobs_counts_once_and_a_finished_one_not() -> None:
    ended = [(job("a"), 10.0)]
    waiting = [job("b"), job("b"), job("a"), job("c", seconds=0.0)]
    assert seconds_to_go(ended, [], waiting, at_once=1) == 10.0
    assert seconds_to_go(ended, [(job("b"), 4.0)], waiting, at_once=1) == 6.0


def test_rough_seconds_by_hand(compose_config: Compose) -> None:
    settings = ("dataset=secom", "mode=q", "replicas=2", "trainer.max_epochs=50")
    assert rough_seconds(compose_config(*settings)) == 50 * 2 * 1567 * (590 + 400) / 1e8
    assert rough_seconds(compose_config(*settings, "mode=do")) == 4 * 50 * 2 * 1567 * 990 / 1e8
    assert rough_seconds(compose_config(*settings, "mode=logistic")) == 10 * 2 * 1567 * 990 / 1e8
    folds = ("protocol=cv", "protocol.folds=3", "dataset=table", "dataset.path=t")
    assert rough_seconds(compose_config(*settings, *folds)) == 50 * 2 * 3 * 1000 * 410 / 1e8


def test_stored_seconds_are_those_of_result_json(tmp_path: Path, compose_config: Compose) -> None:
    content: dict[str, Any] = {"dataset": "pima", "mode": "q", "protocol": "holdout", "epochs": 100}
    content |= {"replicas": [{}, {}]}
    for name, seconds in (("a", {"setup": 1.0, "train_and_test": 2.0}), ("b", {"train_and_test": 5.0})):
        folder = tmp_path / "pima" / name
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps({**content, "seconds": seconds}))
    (tmp_path / "pima" / "c").mkdir()
    (tmp_path / "pima" / "c" / "result.json").write_text("{damaged")
    kind = kind_of(compose_config("dataset=pima", "mode=q", "replicas=2"))
    assert stored_seconds(tmp_path) == {kind: 4.0}


def planned(output: Path, *overrides: str) -> tuple[list[Job], Any]:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        config = compose("train", overrides=[], return_hydra_config=True)
        config.hydra.sweep.dir = str(output)
        config.hydra.overrides.task = list(overrides)
        return plan(config), config.hydra.sweeper


def test_the_longest_jobs_run_first_and_equal_ones_as_given_with_natural_ratio_before(tmp_path: Path) -> None:
    jobs, sweeper = planned(tmp_path, "mode=do", "dataset=haberman,secom", "fs=half,natural,quarter")
    assert [job.kind[0] for job in jobs] == 3 * ["secom"] + 3 * ["haberman"]
    assert list(sweeper.order) == [4, 3, 5, 1, 0, 2]
    assert [Path(job.folder).name.split("-")[2] for job in jobs[:3]] == [
        "fs_natural",
        "fs_half",
        "fs_quarter",
    ]


def test_what_earlier_runs_took_goes_before_the_rule(tmp_path: Path) -> None:
    content = {"dataset": "haberman", "mode": "q", "protocol": "holdout", "epochs": 100, "replicas": 5 * [{}]}
    (tmp_path / "haberman" / "q").mkdir(parents=True)
    (tmp_path / "haberman" / "q" / "result.json").write_text(json.dumps({**content, "seconds": {"a": 1e6}}))
    jobs, _ = planned(tmp_path, "mode=q", "dataset=credit,haberman,haberman", "seed=7")
    assert [job.kind[0] for job in jobs] == ["haberman", "haberman", "credit"]
    assert jobs[0].seconds == 1e6


def test_another_sweeper_keeps_its_order(tmp_path: Path) -> None:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        config = compose("train", overrides=["hydra/sweeper=basic"], return_hydra_config=True)
        config.hydra.sweep.dir = str(tmp_path)
        config.hydra.overrides.task = ["mode=q", "dataset=haberman,credit"]
        assert [job.kind[0] for job in plan(config)] == ["haberman", "credit"]
        assert "order" not in config.hydra.sweeper


def test_the_jobs_of_a_search_are_estimated_by_mode() -> None:
    jobs = plan_search(6, modes=2)
    assert seconds_to_go([(jobs[0], 5.0), (jobs[1], 1.0)], [], jobs[2:5], at_once=1) == 11.0
    assert seconds_to_go([(job, 5.0) for job in plan_search(2, 1)[:1]], [], plan_search(2, 1)[1:], 1) == 5.0


@pytest.mark.parametrize(
    ("given", "spaced"),
    [
        (["seed=range(0,3)", "replicas=5"], "seed=range(0,15,5)"),
        (["seed=7,3", "replicas=5"], "seed=range(3,13,5)"),
        (["seed=0,2", "replicas=1,3"], "seed=range(0,6,3)"),
    ],
)
def test_seeds_that_overlap_are_told_before_a_sweep_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], spaced: str
) -> None:
    planned(tmp_path, "mode=q,do", *given)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Warning: seed=")
    assert line.endswith(spaced)
    planned(tmp_path, "mode=q,do", spaced, given[1])
    shown = capsys.readouterr().out
    assert not shown


def test_seeds_that_do_not_overlap_are_not_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned(tmp_path, "mode=q,do", "seed=0,5", "replicas=5,3", "dataset=haberman,pima")
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=1,${seed}", "No job was started.*Recursive interpolation"),
        ("recipe=plain,nosuch", "No job was started.*recipe=nosuch: choose one of .*plain"),
        ("mode=q,nosuch", r"No job was started. mode=nosuch: choose one of adasyn.*xgboost$"),
        ("mode=q,null", "No job was started"),
    ],
)
def test_a_job_that_cannot_be_composed_is_refused_in_one_line(
    tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        planned(tmp_path, override)
    assert "\n" not in str(refused.value)


def test_an_override_may_refer_to_another_setting(tmp_path: Path) -> None:
    jobs, _ = planned(tmp_path, "mode=q,do", "players.generator.width=${dataset.training.width}")
    assert len({job.folder for job in jobs}) == 2


def test_a_setting_that_a_choice_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No job was started. mode=q: .*mode.rules.nothing"):
        planned(tmp_path, "mode=q,do", "mode.rules.nothing=1")


@pytest.mark.parametrize(
    ("batch", "batches"), [(None, [["b", "c", "a"]]), (2, [["b", "c"], ["a"]]), (1, [["b"], ["c"], ["a"]])]
)
def test_the_sweeper_orders_before_it_makes_batches(batch: int | None, batches: list[list[str]]) -> None:
    sweeper: Any = Plugins.instance().class_name_to_class[f"{OUR_SWEEPER}LongestFirstSweeper"]
    overrides = OverridesParser.create().parse_overrides(["mode=a,b,c"])
    told = sweeper(batch, order=[1, 2, 0]).split_arguments(overrides, batch)
    assert told == [[[f"mode={name}"] for name in names] for names in batches]
    (kept,) = sweeper().split_arguments(overrides, None)
    assert kept == [["mode=a"], ["mode=b"], ["mode=c"]]
