import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.report.common import (
    default_runs,
    has_default_settings,
    mode_titles,
    repeated_tables,
    rows_of,
)
from adversarial_oversampling.report.runs import (
    UNDEFINED_METRIC,
    load,
    replica_frame,
    run_frame,
    with_unique_labels,
)
from adversarial_oversampling.results.display import dataset_label
from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.results.schema import TableRecord
from tests.report.conftest import MODES, MY_DO, WriteRun, selected_columns

# ---------------------------------------------------------------------------- which files are read


def test_runs_are_found_in_folders_and_files_once_each(write_run: WriteRun, tmp_path: Path) -> None:
    first, second = write_run("pima", "q"), write_run("haberman", "do")

    runs = load([tmp_path / "runs", first, second / "result.json"])

    assert [run.folder for run in runs] == [first, second]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.unlink(), "curves.parquet is missing: train the run again with rerun=true"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "curves.parquet is damaged"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1] + b"?"), "curves.parquet is damaged"),
        (lambda file: file.write_bytes(b""), "curves.parquet is damaged"),
    ],
    ids=["missing", "cut", "changed", "empty"],
)
def test_a_run_whose_files_are_not_whole_is_refused(
    write_run: WriteRun, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    write_run("pima", "do")
    file = write_run("pima", "q") / "curves.parquet"
    damage(file)

    with pytest.raises(InputError, match=f"^{file.parent}/{message}.* leave its folder out of a report"):
        load([tmp_path])


def test_a_result_without_its_files_is_refused(write_run: WriteRun, tmp_path: Path) -> None:
    file = (write_run("pima", "q") / "result.json").rename(tmp_path / "q.json")

    with pytest.raises(InputError, match=f"{tmp_path}/curves.parquet is missing"):
        load([file])


@pytest.mark.parametrize("change", ["numbers", "table"])
def test_two_different_results_of_one_configuration_are_refused(
    write_run: WriteRun, tmp_path: Path, change: str
) -> None:
    first = write_run("pima", "q", folder="a", config_hash="0123456789", acsa=[0.5, 0.6, 0.7])
    again: dict[str, Any] = {"acsa": [0.5, 0.6, 0.71]} if change == "numbers" else {"acsa": [0.5, 0.6, 0.7]}
    if change == "table":
        again["table"] = read_result(first / "result.json").table.model_copy(update={"digest": "0" * 64})
    second = write_run("pima", "q", folder="b", config_hash="0123456789", **again)

    with pytest.raises(InputError, match="different results of one configuration") as error:
        load([tmp_path])
    assert str(first / "result.json") in str(error.value)
    assert str(second / "result.json") in str(error.value)


def test_results_in_folders_to_skip_and_replaced_results_are_not_read(
    write_run: WriteRun, tmp_path: Path
) -> None:
    kept = write_run("pima", "q")
    write_run("pima", "ro", folder="pima/x/previous")
    write_run("pima", "cot", folder="pima/x/.new")
    write_run("pima", "do", folder="report/do")

    runs = load([tmp_path / "runs"], skip=[tmp_path / "runs" / "report"])

    assert [run.folder for run in runs] == [kept]


def test_the_newest_of_two_files_with_one_hash_is_read(write_run: WriteRun, tmp_path: Path) -> None:
    new = write_run("pima", "q", folder="a", config_hash="0123456789")
    old = write_run("pima", "q", folder="b", config_hash="0123456789")
    os.utime(old / "result.json", (1000, 1000))

    assert [run.folder for run in load([tmp_path])] == [new]


def test_a_path_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        load([tmp_path / "nowhere"])


def test_runs_are_in_the_order_of_the_tables(write_run: WriteRun, tmp_path: Path) -> None:
    for dataset, mode, protocol, fs in [
        ("mine", "q", "holdout", None),
        ("yeast", "mystery", "holdout", None),
        ("yeast", "lightgbm", "holdout", None),
        ("yeast", "do", "holdout", "balanced"),
        ("yeast", "do", "holdout", "natural"),
        ("yeast", "q", "holdout", None),
        ("secom", "do", "holdout", None),
        ("yeast", "q", "paper", None),
    ]:
        write_run(dataset, mode, protocol, fs)

    frame = run_frame(load([tmp_path]))

    assert list(frame[["protocol", "dataset", "mode", "fs"]].itertuples(index=False, name=None)) == [
        ("holdout", "secom", "do", "balanced"),
        ("holdout", "yeast", "q", "natural"),
        ("holdout", "yeast", "do", "natural"),
        ("holdout", "yeast", "do", "balanced"),
        ("holdout", "yeast", "lightgbm", "natural"),
        ("holdout", "yeast", "mystery", "natural"),
        ("holdout", "mine (mine.csv)", "q", "natural"),
        ("paper", "yeast", "q", "natural"),
    ]


# ---------------------------------------------------------------------------- the frames


def test_the_run_frame_has_the_values_of_the_result(write_run: WriteRun) -> None:
    folder = write_run("haberman", "do", acsa=[0.5, 0.7, None])

    (row,) = rows_of(run_frame(load([folder])))

    assert row.folder == str(folder)
    assert (row.dataset, row.dataset_title, row.published) == ("haberman", "Haberman", "haberman")
    assert (row.mode, row.title, row.gan_type, row.has_generator) == ("do", "DO", "wgan_gp", True)
    assert (row.order, row.origin, row.color, row.linestyle) == (90, "paper", "blue", "solid")
    assert (row.acsa, row.g_mean, row.n, row.replicas) == (pytest.approx(0.6), pytest.approx(0.58), 2, 3)
    assert row.acsa_std == pytest.approx(0.1414214, abs=1e-6)
    assert row.seeds == (0, 1, 2)
    assert row.folds == 0
    assert row.reasons_without_value == (UNDEFINED_METRIC,)
    assert (row.rows_train, row.rows_validation, row.rows_test) == ((136, 48), (34, 12), (68, 24))
    assert (row.natural_ratio, row.rate) == (pytest.approx(48 / 136), 1.0)
    assert row.seconds == pytest.approx(2.11)
    assert row.parameters == 4481 + 35650 + 33794
    assert row.settings_compared == 4


def test_in_the_run_frame_absent_texts_are_none_and_absent_numbers_nan(write_run: WriteRun) -> None:
    run = load([write_run("yeast", "adasyn", na="no neighbors")])

    (row,) = rows_of(run_frame(run))

    assert (row.na, row.gan_type, row.has_generator, row.n) == ("no neighbors", None, False, 0)
    assert row.reasons_without_value == ("no neighbors",)
    assert all(pd.isna(value) for value in (row.acsa, row.acsa_std, row.auroc, row.fs_ratio, row.optimism))
    assert run_frame(load([write_run("yeast", "q")]))["na"].tolist() == [None]
    assert run_frame(load([write_run("mine", "q")]))["published"].tolist() == [None]


def test_the_replica_frame_has_a_row_per_seed_and_fold(write_run: WriteRun) -> None:
    runs = load([write_run("haberman", "q", "cv", folds=2, seeds=[3, 4], acsa=[0.5, 0.6, 0.7, None])])

    frame = replica_frame(runs)

    assert frame["seed"].tolist() == [3, 3, 4, 4]
    assert frame["fold"].tolist() == [0, 1, 0, 1]
    assert frame["acsa"].tolist()[:3] == [0.5, 0.6, 0.7]
    assert pd.isna(frame["acsa"][3])
    assert pd.isna(frame["best_epoch"][3])
    assert frame["rows_test"][0] == (68, 24)
    assert set(frame["setting"]) == {"cv protocol, 2 folds, 4 epochs, seeds 3-4"}


def test_the_comparison_setting_is_protocol_epochs_and_seeds(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("pima", "q", "paper", seeds=[0, 1, 2])
    write_run("pima", "lightgbm", "paper", seeds=[0, 1, 2])  # without epochs, but in the same table
    write_run("pima", "q", "holdout", seeds=[0, 2])
    write_run("pima", "q", "holdout", seeds=[5], epochs=9)

    assert run_frame(load([tmp_path]))["setting"].tolist() == [
        "holdout protocol, 9 epochs, seed 5",
        "holdout protocol, 4 epochs, seeds 0, 2",
        "paper protocol (OPTIMISTIC), 4 epochs, seeds 0-2",
        "paper protocol (OPTIMISTIC), 4 epochs, seeds 0-2",
    ]


def test_a_run_of_a_single_fold_has_the_fold_in_its_comparison_setting(write_run: WriteRun) -> None:
    run = write_run("pima", "q", "cv", folds=2, fold=1)

    assert run_frame(load([run]))["setting"][0] == "cv protocol, fold 1 of 2, 4 epochs, seeds 0-2"


def test_optimism_under_holdout_is_validation_acsa_minus_test_acsa(write_run: WriteRun) -> None:
    frame = run_frame(load([write_run("pima", "q", "holdout")]))

    assert frame["optimism"][0] == pytest.approx(0.03)


def test_optimism_under_paper_is_acsa_of_the_best_epoch_minus_that_of_the_last(write_run: WriteRun) -> None:
    folder = write_run("pima", "q", "paper")

    assert run_frame(load([folder]))["optimism"][0] == pytest.approx(0.01)


def test_optimism_compares_each_fold_with_its_own_last_epoch(write_run: WriteRun) -> None:
    folder = write_run("pima", "q", "paper", folds=2, seeds=[0, 1], acsa=[0.5, 0.6, 0.7, 0.8])

    assert run_frame(load([folder]))["optimism"][0] == pytest.approx(0.01)


def test_methods_without_epochs_have_no_optimism(write_run: WriteRun) -> None:
    assert pd.isna(run_frame(load([write_run("pima", "lightgbm", "paper")]))["optimism"][0])
    assert pd.isna(run_frame(load([write_run("pima", "lightgbm", "holdout")]))["optimism"][0])


def test_a_damaged_file_of_curves_is_an_error_that_names_it(write_run: WriteRun) -> None:
    folder = write_run("pima", "q", "paper")
    (folder / "curves.parquet").write_text("no parquet")

    with pytest.raises(InputError, match=r"curves\.parquet is damaged"):
        run_frame(load([folder]))


def test_the_split_is_fixed_only_where_the_archives_test_rows_are_used(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_run("wafer", "q", "holdout")
    write_run("wafer", "q", "cv", folds=2)
    write_run("pima", "q", "holdout")

    frame = run_frame(load([tmp_path])).set_index(["dataset", "protocol"])

    assert frame["fixed_split"].to_dict() == {
        ("wafer", "holdout"): True,
        ("wafer", "cv"): False,
        ("pima", "holdout"): False,
    }


# ---------------------------------------------------------------------------- runs with default settings


@pytest.mark.parametrize(
    ("mode", "fs", "variant", "expected"),
    [
        ("q", "natural", [], True),
        ("do", "balanced", [], True),
        ("do", "half", [], False),
        ("both_fool", "balanced", [], True),
        ("both_fool", "natural", [], False),
        ("both_favour", "natural", [], True),
        ("ao", "balanced", [], False),
        ("ao", "natural", ["gan_type=vanilla"], False),
        ("do", "balanced", [selected_columns(20)], False),
    ],
)
def test_a_run_has_default_settings_if_its_variant_is_empty(
    write_run: WriteRun, mode: str, fs: str, variant: list[str], expected: bool
) -> None:
    runs = load([write_run("secom", mode, fs=fs, variant=variant)])

    assert has_default_settings(rows_of(run_frame(runs))[0]) is expected
    assert len(default_runs(replica_frame(runs))) == 3 * expected


def test_two_default_runs_of_a_mode_on_a_dataset_are_an_error(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("mine", "q", folder="a", config_hash="aaaaaaaaaa")
    write_run("mine", "q", folder="b", config_hash="bbbbbbbbbb")

    with pytest.raises(
        InputError, match=r"q on mine \(mine\.csv\): several runs of the holdout.*aaaaaaaaaa, bbbbbbbbbb"
    ):
        default_runs(run_frame(load([tmp_path])))


# ---------------------------------------------------------------------------- names of tables and modes


def test_tables_of_one_name_are_shown_apart(
    write_run: WriteRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a change of the file: the same modes have runs on both versions."""
    old = load([write_run("mine", "q", folder="a")])[0].result.table.digest
    table = TableRecord(digest="0" * 64, published=None, file="mine.csv")
    for mode in ("q", "do"):
        write_run("mine", mode, folder=f"new {mode}", config_hash=10 * mode[0], table=table)
    write_run("other", "q", file="other.csv")
    runs = load([tmp_path])

    frame, replicas = with_unique_labels(run_frame(runs), replica_frame(runs))

    versions = {f"mine (mine.csv) #{old[:8]}": old, "mine (mine.csv) #00000000": "0" * 64}
    assert len(default_runs(frame)) == 4
    mine = frame[frame["dataset"] != "other (other.csv)"]
    assert dict(zip(mine["dataset"], mine["table_digest"], strict=True)) == versions
    assert set(mine["dataset_title"]) == set(versions)
    assert list(replicas["config_hash"].unique()) == list(frame["config_hash"])
    assert dict(zip(replicas["config_hash"], replicas["dataset"], strict=True)) == dict(
        zip(frame["config_hash"], frame["dataset"], strict=True)
    )
    assert repeated_tables(frame) == {max(versions): f"a table of the same name as {min(versions)}"}
    assert caplog.text.count("mine (mine.csv): there are results on 2 different tables of this name") == 1
    assert "other" not in caplog.text


def test_another_table_under_the_name_of_a_published_one_is_refused(
    write_run: WriteRun, tmp_path: Path
) -> None:
    """Such as a file of the published values, some of whose columns have another role."""
    first = write_run("haberman", "q", folder="a")
    table = TableRecord(digest="0" * 64, published="haberman", file=None)
    second = write_run("haberman", "do", folder="b", table=table)
    runs = load([tmp_path])

    with pytest.raises(
        InputError, match=r"haberman: .* different tables of this name; leave one out"
    ) as refused:
        with_unique_labels(run_frame(runs), replica_frame(runs))
    assert all(str(folder) in str(refused.value) for folder in (first, second))


def test_a_csv_file_named_as_a_published_dataset_is_another_dataset(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_run("yeast", "q")
    write_run("yeast", "q", file="yeast.csv")

    frame = run_frame(load([tmp_path]))

    assert frame["dataset"].tolist() == ["yeast", "yeast (yeast.csv)"]
    assert frame["dataset_title"].tolist() == ["Yeast", "yeast (yeast.csv)"]
    assert frame["published"].tolist() == ["yeast", None]
    assert len(default_runs(frame)) == 2


def test_runs_of_a_mode_share_the_newest_description(write_run: WriteRun, tmp_path: Path) -> None:
    old = write_run("pima", "my_do", description=MY_DO.model_copy(update={"title": "old", "order": 5}))
    write_run("yeast", "my_do", description=MY_DO)
    os.utime(old / "result.json", (1000, 1000))

    assert mode_titles(run_frame(load([tmp_path]))) == {"my_do": "My DO"}
    assert set(replica_frame(load([tmp_path]))["order"]) == {95}


def test_modes_or_datasets_with_one_title_have_their_names_in_the_titles(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_run("pima", "my_do", description=MY_DO.model_copy(update={"title": "DO"}))
    write_run("pima", "do")
    write_run("a", "q", dataset_title="T", folder="a", file="t.csv")
    write_run("b", "q", dataset_title="T", folder="b", file="t.csv", config_hash="b" * 10)

    frame = run_frame(load([tmp_path]))

    assert mode_titles(frame) == {"q": "Q", "do": "DO (do)", "my_do": "DO (my_do)"}
    assert set(frame["dataset_title"]) == {"Pima", "a (t.csv)", "b (t.csv)"}


def test_a_title_is_never_the_name_of_another_table(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("a", "q", dataset_title="T", folder="a", file="t.csv")
    write_run("b", "q", dataset_title="T", folder="b", file="t.csv")
    write_run("c", "q", dataset_title="a", folder="c", file="t.csv")
    write_run("haberman", "q", dataset_title="Pima", folder="d", file="t.csv")
    write_run("pima", "q")

    frame = run_frame(load([tmp_path]))

    titles = dict(zip(frame["dataset"], frame["dataset_title"], strict=True))
    assert titles == {
        "a (t.csv)": "a (t.csv)",
        "b (t.csv)": "b (t.csv)",
        "c (t.csv)": "c (t.csv)",
        "haberman (t.csv)": "Pima (t.csv)",
        "pima": "Pima",
    }


SECOM = "adversarial_oversampling.data.sources.load_secom"


@pytest.mark.parametrize(
    ("dataset", "selected", "source", "published", "label"),
    [
        ("secom", None, {"_target_": SECOM}, "secom", "secom"),
        ("secom", 20, {"_target_": SECOM}, None, "secom"),
        ("secom_20_columns", 20, {"_target_": SECOM}, None, "secom_20_columns"),
        ("pima", 20, {"_target_": SECOM}, None, "pima (own table)"),
        ("pima", None, {"_target_": SECOM}, "secom", "pima (own table)"),
        ("secom", 20, {"_target_": "mine.load_secom"}, None, "secom (own table)"),
        ("secom", 20, {"_target_": SECOM, "path": "x.csv"}, None, "secom (own table)"),
        ("secom", 20, None, None, "secom (own table)"),
        ("mine", 20, {"_target_": SECOM}, None, "mine (own table)"),
    ],
)
def test_an_own_table_never_has_the_name_of_a_published_one(
    write_run: WriteRun,
    dataset: str,
    selected: int | None,
    source: dict[str, str] | None,
    published: str | None,
    label: str,
) -> None:
    table = TableRecord(digest="0" * 64, published=published, file=None)
    config = {"dataset": {"preprocessing": {"n_selected": selected}, "source": source}}
    (run,) = load([write_run(dataset, "q", table=table, config=config)])
    assert dataset_label(run.result) == label


def test_every_mode_of_the_suite_has_its_title_and_order(write_run: WriteRun, tmp_path: Path) -> None:
    for mode in reversed(MODES):
        write_run("pima", mode)

    assert mode_titles(run_frame(load([tmp_path]))) == {name: mode.title for name, mode in MODES.items()}
