"""Settings are found as they are typed, and where they are typed."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.config.quoting import quoted, settings_last
from adversarial_oversampling.config.resolvers import table_name


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("paths.output_dir=~/x", "paths.output_dir=/home/me/x"),
        ("hydra.run.dir='~/x'", "hydra.run.dir='/home/me/x'"),
        ("hydra.sweep.dir=~", "hydra.sweep.dir=/home/me"),
        ("dataset.separator=~", "dataset.separator='~'"),
        ("dataset.target=~", "dataset.target='~'"),
    ],
)
def test_a_path_may_begin_with_the_users_home(
    monkeypatch: pytest.MonkeyPatch, argument: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert quoted([argument]) == [expected]


@pytest.mark.parametrize(
    ("argument", "key", "value"),
    [
        ("dataset.target=2024_01", "target", "2024_01"),
        ("dataset.target=1e3", "target", "1e3"),
        ("dataset.target=01", "target", "01"),
        ("dataset.target=null", "target", "null"),
        ("dataset.target=true", "target", "true"),
        ("dataset.target=O'Brien (x)", "target", "O'Brien (x)"),
        ("dataset.target='a,b'", "target", "a,b"),
        ('dataset.target="1e3"', "target", "1e3"),
        ("dataset.name=2024", "name", "2024"),
        ("dataset.path=/tmp/a b (1).csv", "path", "/tmp/a b (1).csv"),
        ("dataset.separator=;", "separator", ";"),
        ("dataset.separator='|'", "separator", "|"),
        ("dataset.separator=null", "separator", None),
        ("dataset.decimal=,", "decimal", ","),
        ("dataset.columns.drop=[01,a b,1e3,größe]", "columns.drop", ["01", "a b", "1e3", "größe"]),
        ("dataset.columns.drop=id", "columns.drop", ["id"]),
        ("dataset.columns.drop=[]", "columns.drop", []),
        ("dataset.columns.missing=[?,<null>,-]", "columns.missing", ["?", "<null>", "-"]),
        ('dataset.columns.missing=["?"]', "columns.missing", ["?"]),
        ("dataset.columns.numeric=[2024_01]", "columns.numeric", ["2024_01"]),
        ("+dataset.columns.ordinal={1e3:[1,02]}", "columns.ordinal", [["1e3", "1", "02"]]),
        (
            "dataset.columns.ordinal={a b:[x,y],'c:d':[1]}",
            "columns.ordinal",
            [["a b", "x", "y"], ["c:d", "1"]],
        ),
        ("dataset.columns.ordinal=[[size,1,2]]", "columns.ordinal", [["size", "1", "2"]]),
        ("dataset.columns.ordinal.size=[1,2]", "columns.ordinal", {"size": ["1", "2"]}),
        ("dataset.columns.ordinal=null", "columns.ordinal", None),
        ("dataset.group=2024_01", "group", "2024_01"),
        ("dataset.group=null", "group", None),
        ("dataset.group='null'", "group", "null"),
        ("dataset.columns.keep_na=[1e3,a b]", "columns.keep_na", ["1e3", "a b"]),
        ("dataset.columns.keep_na_labels=true", "columns.keep_na_labels", True),
    ],
)
def test_a_value_is_taken_as_typed(argument: str, key: str, value: Any) -> None:
    cfg = compose_train(["dataset=table", argument])
    found = OmegaConf.select(cfg.dataset, key)
    assert (OmegaConf.to_container(found) if OmegaConf.is_config(found) else found) == value
    assert quoted(quoted([argument])) == quoted([argument])


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("dataset.target=a,1e3", "dataset.target='a','1e3'"),
        ("dataset.target=choice(01,02)", "dataset.target=choice('01','02')"),
        ("dataset.path=glob(*)", "dataset.path=glob(*)"),
        ("dataset.columns.drop=[],[01,b]", "dataset.columns.drop=[],['01','b']"),
        ("dataset.target=a\\,b", "dataset.target=a\\,b"),
        ("seed=01", "seed=01"),
        ("--help", "--help"),
        ("dataset.name=", "dataset.name="),
    ],
)
def test_sweeps_and_other_arguments(argument: str, expected: str) -> None:
    assert quoted([argument]) == [expected]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/my.csv", "my"),
        ("my.csv.gz", "my"),
        ("my.v2.parquet", "my.v2"),
        ("2024.csv", "2024"),
        ("my table (1).csv", "my-table-1"),
        ("größe.csv", "größe"),
        ("/data/..csv", "table"),
        (f"{300 * 'x'}.csv", 100 * "x"),
        (None, "table"),
    ],
)
def test_a_table_is_called_like_its_file(path: str | None, name: str) -> None:
    assert table_name(path) == name
    assert compose_train(["dataset=table", *([f"dataset.path={path}"] if path else [])]).dataset.name == name


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["mode=q", "-m", "seed=1"], ["-m"]),
        (
            ["-m", "mode=q", "--config-dir", "mine", "seed=1", "-p", "mode"],
            ["-m", "--config-dir", "mine", "-p", "mode"],
        ),
        (["mode=q", "seed=1"], []),
    ],
)
def test_settings_may_stand_on_both_sides_of_an_option(arguments: list[str], options: list[str]) -> None:
    assert settings_last(arguments) == [*options, "mode=q", "seed=1"]
    assert settings_last(settings_last(arguments)) == settings_last(arguments)
