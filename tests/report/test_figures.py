"""Pictures: what they are made of, that nothing is cut off, and that files come out the same twice."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from autorank import autorank
from matplotlib.figure import Figure

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.report import figures
from adversarial_oversampling.report.figures import DARK, LIGHT, THEMES, Picture, Rows, Theme
from adversarial_oversampling.report.runs import Run, cells, load, run_frame
from adversarial_oversampling.results.read import SAMPLES
from tests.report.conftest import WriteRun

FS_OF_Q = ["fs=balanced, where the paper does not oversample"]


def loaded(folder: Path) -> tuple[dict[str, Run], pd.DataFrame]:
    runs = load([folder])
    return {str(run.folder): run for run in runs}, run_frame(runs)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in [*ax.texts, ax.title]]


def test_own_ratio_is_that_of_the_training_rows() -> None:
    replicas = [{"rows": {"train": [157, 57], "test": [1, 1]}}, {"rows": {"train": [1, 1]}}]
    assert figures.own_ratio({"replicas": replicas}) == pytest.approx(57 / 157)


def test_the_sweep_has_each_rate_as_a_number_and_leaves_other_variants_out(
    write_run: WriteRun, tmp_path: Path
) -> None:
    for fs in ("natural", "half", "balanced"):
        write_run(mode="do", fs=fs)
    write_run(mode="q", fs="balanced", variant=FS_OF_Q)
    write_run(mode="do", variant=["20 selected columns"])
    write_run(mode="ro")
    write_run(mode="ao", na="reason")
    sweep = figures.fs_sweep(*loaded(tmp_path))
    found = sorted(zip(sweep["mode"], sweep["x"], strict=True))
    # natural: conftest trains on twice the 68 and 24 test rows
    assert found == [("do", pytest.approx(24 / 68)), ("do", 0.5), ("do", 1.0), ("q", 1.0)]


def test_figure_2_draws_the_means_and_bands_that_were_measured(write_run: WriteRun, tmp_path: Path) -> None:
    write_run(mode="do", fs="half", acsa=[0.6, 0.7, 0.8])
    write_run(mode="do", fs="balanced", acsa=[0.7, 0.7, 0.7])
    runs, frame = loaded(tmp_path)
    (picture,) = figures.fs_pictures(runs, frame)
    left, right = picture.draw(LIGHT).axes
    acsa = next(line for line in left.lines if line.get_label() == "DO: ACSA")
    np.testing.assert_allclose(acsa.get_xydata(), [[0.5, 70], [1.0, 70]])
    band = left.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (pytest.approx(60), pytest.approx(80))  # std is 0.1
    assert "not run" in texts(right.figure)


def test_a_single_rate_makes_no_figure_2(write_run: WriteRun, tmp_path: Path) -> None:
    write_run(mode="do", fs="balanced")
    write_run(mode="q", fs="balanced", variant=FS_OF_Q)
    assert figures.fs_pictures(*loaded(tmp_path)) == []


def test_modes_show_every_replica_and_say_na(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("yeast", "do", acsa=[0.5, 0.6, None])
    write_run("yeast", "adasyn", na="no neighbours")
    write_run("pima", "q", acsa=[0.7, 0.7, 0.7])
    runs, frame = loaded(tmp_path)
    (picture,) = figures.mode_pictures(runs, frame)
    figure = picture.draw(DARK)
    yeast = next(ax for ax in figure.axes if ax.get_title(loc="left") == "yeast")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Q", "ADASYN+Q", "DO"]
    dots = next(line for line in yeast.lines if line.get_marker() == "o")
    np.testing.assert_allclose(dots.get_xdata(), [50, 60, np.nan])
    mean = next(line for line in yeast.lines if line.get_marker() == "|")
    assert mean.get_xdata() == pytest.approx([55])
    assert [text.get_text() for text in yeast.texts] == ["NA"]


def test_a_curve_is_the_mean_and_deviation_over_replicas() -> None:
    data = pd.DataFrame(
        {
            "seed": [0, 0, 1, 1],
            "epoch": [0, 1, 0, 1],
            "empty": np.nan,
            "classifier/loss": [1.0, 2.0, 3.0, 2.0],
            "validation/acsa": [0.5, 0.6, 0.7, 0.6],
        }
    )
    loss = figures.curve(data, ("empty", "classifier/loss"))
    assert loss is not None
    np.testing.assert_allclose(loss, [[2.0, np.sqrt(2)], [2.0, 0.0]])
    acsa = figures.curve(data, ("validation/acsa",))
    assert acsa is not None
    np.testing.assert_allclose(acsa["mean"], [60, 60])
    assert figures.curve(data, ("empty", "absent")) is None


def test_a_single_replica_has_no_band() -> None:
    line = figures.curve(pd.DataFrame({"epoch": [0, 1], "x": [1.0, 2.0]}), ("x",))
    assert line is not None
    assert line["std"].tolist() == [0.0, 0.0]


def test_curves_part_modes_with_a_generator_from_the_others(write_run: WriteRun, tmp_path: Path) -> None:
    for mode in ("do", "q", "lightgbm"):
        write_run(mode=mode, protocol="paper")
    runs, frame = loaded(tmp_path)
    (picture,) = figures.curve_pictures(runs, frame)
    assert "test rows (OPTIMISTIC)" in picture.caption
    figure = picture.draw(LIGHT)
    count = {ax.get_title(loc="left"): len(ax.lines) for ax in figure.axes[:12]}
    assert count["G against Q"] == count["ACSA, %"] == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["DO", "Q"]
    assert [ax.get_title(loc="left") for ax in figure.axes if ax.lines][12:] == [
        "Q on real rows",
        "ACSA, %",
        "GM, %",
    ]


def rows_of_classes(p_own: dict[str, list[float]], anchors: float = float("nan")) -> Rows:
    frames = [
        pd.DataFrame({"kind": "generated", "class": name, "p_own": values, "anchors_used": anchors})
        for name, values in p_own.items()
    ]
    real = pd.DataFrame({"kind": ["real"], "class": ["a"], "p_own": [0.0], "anchors_used": [np.nan]})
    return Rows("DO", pd.concat([*frames, real]))


def test_generated_rows_are_described_by_class_where_classes_are_few() -> None:
    rows = rows_of_classes({"b": [0.2, 0.4], "a": [1.0, 0.5]}, anchors=2.0)
    assert figures.describe(rows, ["a", "b"]) == "p_own a: 0.75, b: 0.30; 2.0 anchors"


def test_generated_rows_of_many_classes_are_described_by_their_range() -> None:
    rows = rows_of_classes({"a": [0.1], "b": [0.2], "c": [0.3], "d": [0.8]})
    assert figures.describe(rows, list("abcd")) == "p_own 0.10 to 0.80, mean 0.35"


def test_rows_come_from_the_first_harness_with_ao_and_do_first(write_run: WriteRun, tmp_path: Path) -> None:
    for mode in ("smote", "gamo", "do", "ao", "lightgbm"):
        write_run(mode=mode, protocol="paper")
    write_run(mode="both_fool", protocol="holdout")
    runs, frame = loaded(tmp_path)
    whole, pairs = figures.row_pictures(runs, cells(frame))
    assert "paper protocol (OPTIMISTIC)" in whole.title
    shown = [
        text for text in texts(whole.draw(LIGHT)) if text in ("AO", "DO", "GAMO", "SMOTE+Q", "both fool")
    ]
    assert shown == ["AO", "DO", "GAMO", "SMOTE+Q"]
    # four features make six pairs, and SMOTE has no generator
    assert len(pairs.draw(LIGHT).axes) == 3 * 6


def test_a_damaged_file_is_named(write_run: WriteRun, tmp_path: Path) -> None:
    damaged = write_run(mode="do") / SAMPLES
    damaged.write_bytes(b"no parquet")
    runs, frame = loaded(tmp_path)
    with pytest.raises(InputError, match=f"{SAMPLES} is damaged"):
        figures.row_pictures(runs, frame)


def ranks(spread: float) -> Any:
    rng = np.random.default_rng(0)
    names = ["Q", "DO", "balanced logistic regression", "LightGBM, class weights"]
    values = rng.normal(70, 1, (6, 4)) + spread * np.arange(4)
    frame = pd.DataFrame(values, columns=names)
    return autorank(frame, alpha=0.05, force_mode="nonparametric")


@pytest.mark.parametrize(("spread", "verdict"), [(20, "finds a difference"), (0, "may well be chance")])
def test_the_rank_picture_tells_whether_there_is_a_difference(spread: float, verdict: str) -> None:
    (picture,) = figures.rank_pictures({"holdout protocol": ranks(spread)})
    assert verdict in picture.caption


def test_names_in_the_rank_picture_are_not_cut_off() -> None:
    (picture,) = figures.rank_pictures({"holdout protocol": ranks(20)})
    figure = picture.draw(DARK)
    figure.draw_without_rendering()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
    assert "LightGBM, class weights" in texts(figure)
    assert all(line.get_color() == DARK.ink for line in figure.axes[0].lines)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_colours_stand_out_from_the_background(theme: Theme) -> None:
    """WCAG 2.2 asks for 4.5 in texts and for 3 in graphics."""
    assert min(contrast(colour, theme.surface) for colour in (theme.ink, theme.muted, theme.blue)) >= 4.5
    assert min(contrast(colour, theme.surface) for colour in theme.classes) >= 3


def test_ten_classes_can_be_told_apart() -> None:
    styles = figures._class_styles([f"class {i}" for i in range(10)], LIGHT)
    assert len(set(styles.values())) == 10


def test_modes_of_one_panel_can_be_told_apart() -> None:
    games = set(figures.GAMES)
    for one, other in itertools.combinations(figures.STYLES, 2):
        if (one in games) == (other in games):
            assert figures.STYLES[one] != figures.STYLES[other]


def test_files_come_out_the_same_twice_and_differ_by_theme(write_run: WriteRun, tmp_path: Path) -> None:
    write_run(mode="do", fs="half", acsa=[0.6, 0.7, 0.8])
    write_run(mode="do", fs="balanced", acsa=[0.7, 0.7, 0.7])
    runs = load([tmp_path])
    (picture,) = [one for one in figures.pictures(runs, run_frame(runs), {}) if one.section == "fs"]
    contents = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        figures.save(picture, folder)
        contents.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert contents[0] == contents[1]
    assert sorted(contents[0]) == sorted(name for theme in THEMES for name in figures.files(picture, theme))
    assert len(set(contents[0].values())) == 4


def test_names_of_pictures_are_unique(suite: Path) -> None:
    runs = load([suite])
    made: list[Picture] = figures.pictures(runs, run_frame(runs), {})
    names = [picture.name for picture in made]
    assert len(names) == len(set(names))
    assert {picture.section for picture in made} == {"modes", "fs", "rows", "curves"}
