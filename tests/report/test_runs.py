import json
import os
from pathlib import Path

import pandas as pd
import pytest

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.report import records
from adversarial_oversampling.report.runs import cells, is_cell, load, replica_frame, run_frame
from tests.report.conftest import WriteRun


def test_finds_runs_in_folders_and_files_once_each(write_run: WriteRun, tmp_path: Path) -> None:
    first, second = write_run("pima", "q"), write_run("haberman", "do")

    runs = load([tmp_path / "runs", first, second / "result.json"])

    assert [run.folder for run in runs] == [first, second]


def test_replaced_and_skipped_results_are_left_out(write_run: WriteRun, tmp_path: Path) -> None:
    kept = write_run("pima", "q")
    write_run("pima", "ro", folder="pima/x/previous")
    write_run("pima", "cot", folder="pima/x/.new")
    write_run("pima", "do", folder="report/do")

    runs = load([tmp_path / "runs"], skip=[tmp_path / "runs" / "report"])

    assert [run.folder for run in runs] == [kept]


def test_of_one_configuration_the_newest_counts(write_run: WriteRun, tmp_path: Path) -> None:
    new = write_run("pima", "q", folder="a", config_hash="0123456789")
    old = write_run("pima", "q", folder="b", config_hash="0123456789")
    os.utime(old / "result.json", (1000, 1000))

    assert [run.folder for run in load([tmp_path])] == [new]


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
        ("paper", "yeast", "q", "natural"),
        ("holdout", "secom", "do", "balanced"),
        ("holdout", "yeast", "q", "natural"),
        ("holdout", "yeast", "do", "natural"),
        ("holdout", "yeast", "do", "balanced"),
        ("holdout", "yeast", "lightgbm", "natural"),
        ("holdout", "yeast", "mystery", "natural"),
        ("holdout", "mine", "q", "natural"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "damaged"),
        ("\xff", "damaged"),
        ("[]", "no result of this version"),
        ('{"dataset": "iris"}', "no result of this version"),
    ],
)
def test_foreign_and_damaged_files_are_named(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "result.json"
    file.write_text(text, encoding="latin-1")

    with pytest.raises(InputError, match=f"{file}.*{told}"):
        load([tmp_path])


@pytest.mark.parametrize(
    ("where", "key", "value"),
    [
        ((), "replicas", []),
        ((), "epochs", "100"),
        (("mean",), "auroc", None),
        (("config", "protocol"), "folds", None),
        (("replicas", 0), "selection_acsa", None),
        (("replicas", 0), "acsa", "high"),
    ],
)
def test_each_missing_or_wrong_field_is_named(
    write_run: WriteRun, where: tuple[str | int, ...], key: str, value: object
) -> None:
    file = write_run() / "result.json"
    result = part = json.loads(file.read_text())
    for step in where:
        part = part[step]
    if value is None:
        del part[key]
    else:
        part[key] = value
    file.write_text(json.dumps(result))

    with pytest.raises(InputError, match=key):
        load([file])


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        load([tmp_path / "nowhere"])


def test_run_frame(write_run: WriteRun) -> None:
    folder = write_run("haberman", "do", acsa=[0.5, 0.7, None])

    (row,) = records.rows_of(run_frame(load([folder])))

    assert row.folder == str(folder)
    assert (row.dataset, row.mode, row.title, row.gan_type) == ("haberman", "do", "DO", "wgan_gp")
    assert (row.acsa, row.g_mean, row.n, row.replicas) == (pytest.approx(0.6), pytest.approx(0.58), 2, 3)
    assert row.acsa_std == pytest.approx(0.1414214, abs=1e-6)
    assert row.seeds == (0, 1, 2)
    assert row.folds == 0
    assert row.lost == (records.UNDEFINED,)
    assert (row.rows_train, row.rows_validation, row.rows_test) == ((136, 48), (34, 12), (68, 24))
    assert row.seconds == pytest.approx(2.11)
    assert row.parameters == 4481 + 35650 + 33794
    assert row.settings_compared == 4


def test_absent_texts_are_none_and_absent_numbers_nan(write_run: WriteRun) -> None:
    run = load([write_run("yeast", "adasyn", na="no neighbours")])

    (row,) = records.rows_of(run_frame(run))

    assert (row.na, row.gan_type, row.n) == ("no neighbours", None, 0)
    assert row.lost == ("no neighbours",)
    assert all(pd.isna(value) for value in (row.acsa, row.acsa_std, row.auroc, row.fs_ratio, row.optimism))
    assert run_frame(load([write_run("yeast", "q")]))["na"].tolist() == [None]


def test_replica_frame(write_run: WriteRun) -> None:
    runs = load([write_run("haberman", "q", "cv", folds=2, seeds=[3, 4], acsa=[0.5, 0.6, 0.7, None])])

    frame = replica_frame(runs)

    assert frame["seed"].tolist() == [3, 3, 4, 4]
    assert frame["fold"].tolist() == [0, 1, 0, 1]
    assert frame["acsa"].tolist()[:3] == [0.5, 0.6, 0.7]
    assert pd.isna(frame["acsa"][3])
    assert pd.isna(frame["best_epoch"][3])
    assert frame["rows_test"][0] == [68, 24]
    assert set(frame["harness"]) == {"cv protocol, 2 folds, 4 epochs, seeds 3-4"}


def test_harness_of_each_protocol(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("pima", "q", "paper", seeds=[0, 1, 2])
    write_run("pima", "lightgbm", "paper", seeds=[0, 1, 2])  # no epochs, and yet in the same table
    write_run("pima", "q", "holdout", seeds=[0, 2])
    write_run("pima", "q", "holdout", seeds=[5], epochs=9)

    assert run_frame(load([tmp_path]))["harness"].tolist() == [
        "paper protocol (OPTIMISTIC), 4 epochs, seeds 0-2",
        "paper protocol (OPTIMISTIC), 4 epochs, seeds 0-2",
        "holdout protocol, 9 epochs, seed 5",
        "holdout protocol, 4 epochs, seeds 0, 2",
    ]


def test_one_fold_alone_is_another_harness(write_run: WriteRun) -> None:
    file = write_run("pima", "q", "cv", folds=2) / "result.json"
    result = json.loads(file.read_text())
    result["config"]["protocol"]["fold"] = 1
    file.write_text(json.dumps(result))

    assert run_frame(load([file]))["harness"][0] == "cv protocol, fold 1 of 2, 4 epochs, seeds 0-2"


def test_optimism_of_validation_rows_is_their_acsa_minus_that_of_test_rows(write_run: WriteRun) -> None:
    frame = run_frame(load([write_run("pima", "q", "holdout")]))

    assert frame["optimism"][0] == pytest.approx(0.03)


def test_optimism_of_test_rows_is_the_best_epoch_minus_the_last(write_run: WriteRun) -> None:
    folder = write_run("pima", "q", "paper")

    assert run_frame(load([folder]))["optimism"][0] == pytest.approx(0.01)

    (folder / "curves.parquet").unlink()
    assert pd.isna(run_frame(load([folder]))["optimism"][0])


def test_peers_have_no_optimism(write_run: WriteRun) -> None:
    assert pd.isna(run_frame(load([write_run("pima", "lightgbm", "paper")]))["optimism"][0])
    assert pd.isna(run_frame(load([write_run("pima", "lightgbm", "holdout")]))["optimism"][0])


def test_damaged_curves_are_named(write_run: WriteRun) -> None:
    folder = write_run("pima", "q", "paper")
    (folder / "curves.parquet").write_text("no parquet")

    with pytest.raises(InputError, match=r"curves\.parquet is damaged"):
        run_frame(load([folder]))


def test_only_the_archives_own_split_is_fixed(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("wafer", "q", "holdout")
    write_run("wafer", "q", "cv", folds=2)
    write_run("pima", "q", "holdout")

    frame = run_frame(load([tmp_path])).set_index(["dataset", "protocol"])

    assert frame["fixed_split"].to_dict() == {
        ("wafer", "holdout"): True,
        ("wafer", "cv"): False,
        ("pima", "holdout"): False,
    }


@pytest.mark.parametrize(
    ("mode", "fs", "variant", "expected"),
    [
        ("q", "natural", [], True),
        ("do", "balanced", [], True),
        ("do", "1.0", [], True),
        ("do", "half", [], False),
        ("both_fool", "balanced", [records.COMBINATION], True),
        ("both_fool", "natural", [records.COMBINATION], False),
        ("both_favour", "natural", [records.COMBINATION], True),
        ("ao", "balanced", ["fs=balanced, where the paper does not oversample"], False),
        ("do", "balanced", ["20 selected columns"], False),
    ],
)
def test_cells(write_run: WriteRun, mode: str, fs: str, variant: list[str], expected: bool) -> None:
    runs = load([write_run("secom", mode, fs=fs, variant=variant)])

    assert is_cell(records.rows_of(run_frame(runs))[0]) is expected
    assert len(cells(replica_frame(runs))) == 3 * expected


def test_two_runs_of_one_cell_are_an_error(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("mine", "q", folder="a", config_hash="aaaaaaaaaa")
    write_run("mine", "q", folder="b", config_hash="bbbbbbbbbb")

    with pytest.raises(InputError, match=r"q on mine: several runs.*aaaaaaaaaa, bbbbbbbbbb"):
        cells(run_frame(load([tmp_path])))
