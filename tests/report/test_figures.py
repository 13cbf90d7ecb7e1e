"""Pictures: that they show the measured numbers, that no text is cut off, and that files are reproducible."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from autorank import autorank
from matplotlib.figure import Figure

from adversarial_oversampling.curve_names import CURVES, monitor
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.report import figures
from adversarial_oversampling.report.ablations import ablations
from adversarial_oversampling.report.common import default_runs
from adversarial_oversampling.report.figures import DARK, LIGHT, THEMES, Picture, Theme
from adversarial_oversampling.report.figures.curves import (
    LOGARITHMIC,
    PANELS_WITH_GENERATOR,
    PANELS_WITHOUT_GENERATOR,
    curve,
    curve_pictures,
)
from adversarial_oversampling.report.figures.fs import fs_pictures
from adversarial_oversampling.report.figures.modes import COMPARED, OTHERS, PROPOSED, group_of, mode_pictures
from adversarial_oversampling.report.figures.ranks import rank_pictures
from adversarial_oversampling.report.figures.rows import SampledRows, class_styles, describe, row_pictures
from adversarial_oversampling.report.runs import Run, load, replica_frame, run_frame
from adversarial_oversampling.report.verdict import main_settings
from adversarial_oversampling.results.files import SAMPLES
from tests.report.conftest import (
    MODES,
    MY_DO,
    WITH_GENERATOR,
    WITHOUT_EPOCHS,
    WriteRun,
    record_files,
    selected_columns,
)


def frame_of(folder: Path) -> pd.DataFrame:
    return run_frame(load([folder]))


def all_pictures(runs: Sequence[Run]) -> list[Picture]:
    frame, replicas = run_frame(runs), replica_frame(runs)
    return figures.pictures(frame, replicas, {}, ablations(replicas), main_settings(frame))


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in [*ax.texts, ax.title]]


# ---------------------------------------------------------------------------- oversampling rates


def test_the_picture_of_rates_shows_means_and_standard_deviations(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_run(mode="do", fs="half", acsa=[0.6, 0.7, 0.8])
    write_run(mode="do", fs="balanced", acsa=[0.7, 0.7, 0.7])
    (picture,) = fs_pictures(frame_of(tmp_path))
    left, right = picture.draw(LIGHT).axes
    acsa = next(line for line in left.lines if line.get_label() == "DO: ACSA")
    np.testing.assert_allclose(acsa.get_xydata(), [[0.5, 70], [1.0, 70]])
    band = left.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (pytest.approx(60), pytest.approx(80))  # std is 0.1
    assert "not run" in texts(right.figure)


def test_the_picture_of_rates_has_every_mode_with_two_rates_and_no_other_variant(
    write_run: WriteRun, tmp_path: Path
) -> None:
    for fs in ("natural", "half"):
        for mode in ("do", "q", "my_do"):
            write_run(mode=mode, fs=fs, description=MY_DO if mode == "my_do" else None)
    write_run(mode="do", variant=[selected_columns(2)])
    write_run(mode="ao")
    write_run(mode="ro", fs="half", na="reason")
    write_run(mode="ro")
    (picture,) = fs_pictures(frame_of(tmp_path))
    left, right = picture.draw(LIGHT).axes
    labels = [[line.get_label() for line in ax.lines if line.get_label()[0] != "_"] for ax in (left, right)]
    assert labels == [["DO: ACSA", "DO: GM"], ["Q: ACSA", "Q: GM", "My DO: ACSA", "My DO: GM"]]
    # natural: the made-up runs train on twice the 68 and 24 test rows
    assert left.lines[1].get_xdata().tolist() == pytest.approx([24 / 68, 0.5])


def test_modes_of_one_color_have_different_markers_in_the_picture_of_rates(
    write_run: WriteRun, tmp_path: Path
) -> None:
    for fs in ("natural", "half"):
        for mode in ("smote", "bsmote"):  # both are drawn in one color
            write_run(mode=mode, fs=fs)
    (picture,) = fs_pictures(frame_of(tmp_path))
    lines = [line for line in picture.draw(LIGHT).axes[1].lines if line.get_label()[0] != "_"]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 4


def test_a_single_rate_gives_no_picture_of_rates(write_run: WriteRun, tmp_path: Path) -> None:
    write_run(mode="do", fs="balanced")
    write_run(mode="q", fs="balanced")
    assert fs_pictures(frame_of(tmp_path)) == []


# ---------------------------------------------------------------------------- modes side by side


def test_every_replica_is_a_dot_and_na_is_printed(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("yeast", "do", acsa=[0.5, 0.6, None])
    write_run("yeast", "adasyn", na="no neighbors")
    write_run("pima", "q", acsa=[0.7, 0.7, 0.7])
    runs = load([tmp_path])
    (picture,) = mode_pictures(run_frame(runs), replica_frame(runs))
    figure = picture.draw(DARK)
    yeast = next(ax for ax in figure.axes if ax.get_title(loc="left") == "Yeast")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Q", "ADASYN+Q", "DO"]
    dots = next(line for line in yeast.lines if line.get_marker() == "o")
    np.testing.assert_allclose(dots.get_xdata(), [50, 60, np.nan])
    mean = next(line for line in yeast.lines if line.get_marker() == "|")
    assert mean.get_xdata() == pytest.approx([55])
    assert [text.get_text() for text in yeast.texts] == ["NA"]


def test_modes_are_grouped_by_their_role_in_the_paper(write_run: WriteRun, tmp_path: Path) -> None:
    groups = {mode: group_of(mode) for mode in (*MODES, "my_do")}
    assert [mode for mode, group in groups.items() if group == PROPOSED] == ["ao", "do"]
    assert sorted(mode for mode, group in groups.items() if group != OTHERS) == sorted(
        mode for mode, description in MODES.items() if description.origin == "paper"
    )
    write_run("yeast", "do")
    write_run("yeast", "my_do", description=MY_DO)
    runs = load([tmp_path])
    (picture,) = mode_pictures(run_frame(runs), replica_frame(runs))
    figure = picture.draw(LIGHT)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [PROPOSED, OTHERS, "mean"]
    assert COMPARED not in texts(figure)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["DO", "My DO"]


# ---------------------------------------------------------------------------- training curves


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
    loss = curve(data, ("empty", "classifier/loss"))
    assert loss is not None
    np.testing.assert_allclose(loss, [[2.0, np.sqrt(2)], [2.0, 0.0]])
    acsa = curve(data, ("validation/acsa",))
    assert acsa is not None
    np.testing.assert_allclose(acsa["mean"], [60, 60])
    assert curve(data, ("empty", "absent")) is None


def test_every_curve_that_is_drawn_is_one_that_is_logged() -> None:
    logged = {name for names in CURVES.values() for name in names}
    logged |= {
        f"{monitor(rows)}/{metric}" for rows in ("validation", "test") for metric in ("acsa", "g_mean")
    }

    drawn = {
        column
        for layout in (PANELS_WITH_GENERATOR, PANELS_WITHOUT_GENERATOR)
        for panels in layout
        for _, columns in panels
        for column in columns
    }

    assert set(LOGARITHMIC) <= drawn <= logged


def test_a_single_replica_has_no_band() -> None:
    line = curve(pd.DataFrame({"epoch": [0, 1], "x": [1.0, 2.0]}), ("x",))
    assert line is not None
    assert line["std"].tolist() == [0.0, 0.0]


def test_curves_of_modes_with_and_without_a_generator_are_in_separate_rows(
    write_run: WriteRun, tmp_path: Path
) -> None:
    for mode in ("do", "q", "lightgbm"):
        write_run(mode=mode, protocol="paper")
    frame = frame_of(tmp_path)
    (picture,) = curve_pictures(frame, figures.line_styles(frame))
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


def test_curves_of_a_users_mode_have_its_title_and_a_style_that_no_other_mode_has(
    write_run: WriteRun, tmp_path: Path
) -> None:
    for mode in ("both_favour", "my_do", "do"):
        write_run(mode=mode, description=MY_DO if mode == "my_do" else None)
    frame = frame_of(tmp_path)
    (picture,) = curve_pictures(frame, figures.line_styles(frame))
    legend = picture.draw(LIGHT).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["DO", "My DO", "both favour"]
    do, my_do, _ = legend.get_lines()
    assert (do.get_color(), do.get_linestyle()) == (LIGHT.blue, "-")
    assert (my_do.get_color(), my_do.get_linestyle()) == (LIGHT.blue, "--")


def test_a_mode_with_the_style_of_another_gets_a_free_line_style_of_its_color(
    write_run: WriteRun, tmp_path: Path
) -> None:
    for mode, order, linestyle in (("a", 1, "solid"), ("b", 2, "solid"), ("c", 3, "dashed")):
        look = {"title": mode, "order": order, "linestyle": linestyle}
        write_run(mode=mode, description=MY_DO.model_copy(update=look))
    assert figures.line_styles(frame_of(tmp_path)) == {
        "a": ("blue", "solid"),
        "b": ("blue", "dashdot"),  # dashed is that of c
        "c": ("blue", "dashed"),
    }


def test_modes_of_one_panel_have_different_styles() -> None:
    drawn = [mode for mode in MODES if mode not in WITHOUT_EPOCHS]
    for first, second in itertools.combinations(drawn, 2):
        if (first in WITH_GENERATOR) == (second in WITH_GENERATOR):
            looks = [(MODES[mode].color, MODES[mode].linestyle) for mode in (first, second)]
            assert looks[0] != looks[1], (first, second)


# ---------------------------------------------------------------------------- real and generated rows


def rows_of_classes(p_own: dict[str, list[float]], anchors: float = float("nan")) -> SampledRows:
    frames = [
        pd.DataFrame({"kind": "generated", "class": name, "p_own": values, "anchors_used": anchors})
        for name, values in p_own.items()
    ]
    real = pd.DataFrame({"kind": ["real"], "class": ["a"], "p_own": [0.0], "anchors_used": [np.nan]})
    return SampledRows("DO", pd.concat([*frames, real]))


def test_generated_rows_are_described_by_class_where_classes_are_few() -> None:
    rows = rows_of_classes({"b": [0.2, 0.4], "a": [1.0, 0.5]}, anchors=2.0)
    assert describe(rows, ["a", "b"]) == "p_own a: 0.75, b: 0.30; 2.0 anchors"


def test_generated_rows_of_many_classes_are_described_by_their_range() -> None:
    rows = rows_of_classes({"a": [0.1], "b": [0.2], "c": [0.3], "d": [0.8]})
    assert describe(rows, list("abcd")) == "p_own 0.10 to 0.80, mean 0.35"


def test_the_picture_of_rows_shows_the_first_setting_and_begins_with_generators(
    write_run: WriteRun, tmp_path: Path
) -> None:
    for mode in ("smote", "gamo", "my_do", "do", "ao", "lightgbm"):
        write_run(mode=mode, description=MY_DO if mode == "my_do" else None)
    write_run(mode="both_fool", protocol="paper")
    whole, pairs = row_pictures(default_runs(frame_of(tmp_path)))
    assert "holdout protocol" in whole.title
    titles = ("AO", "DO", "My DO", "GAMO", "SMOTE+Q", "both fool")
    shown = [text for text in texts(whole.draw(LIGHT)) if text in titles]
    assert shown == ["GAMO", "AO", "DO", "My DO", "SMOTE+Q"]
    # four features make six pairs, and SMOTE has no generator
    assert len(pairs.draw(LIGHT).axes) == 4 * 6


def test_the_caption_of_rows_describes_only_those_methods_of_the_paper_that_were_run(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_run("pima", "do")
    write_run("yeast", "do")
    captions = [picture.caption for picture in row_pictures(default_runs(frame_of(tmp_path)))]
    assert "In DO, G generates" in captions[0]
    assert "In AO, G generates" not in captions[0]
    assert "see the first picture" in captions[2]


def test_a_table_of_a_single_column_has_no_picture_of_rows(write_run: WriteRun, tmp_path: Path) -> None:
    file = write_run("mine", "do") / SAMPLES
    pd.read_parquet(file).drop(columns=["x_f1", "x_f2", "x_f3"]).to_parquet(file)
    record_files(file.parent)
    assert row_pictures(default_runs(frame_of(tmp_path))) == []


def test_a_damaged_file_of_rows_is_an_error_that_names_it(write_run: WriteRun, tmp_path: Path) -> None:
    damaged = write_run(mode="do") / SAMPLES
    damaged.write_bytes(b"no parquet")
    with pytest.raises(InputError, match=f"{SAMPLES} is damaged"):
        row_pictures(frame_of(tmp_path))


# ---------------------------------------------------------------------------- mean ranks


def ranks(spread: float) -> Any:
    rng = np.random.default_rng(0)
    names = ["Q", "DO", "balanced logistic regression", "class-weighted LightGBM"]
    values = rng.normal(70, 1, (6, 4)) + spread * np.arange(4)
    frame = pd.DataFrame(values, columns=names)
    return autorank(frame, alpha=0.05, force_mode="nonparametric")


@pytest.mark.parametrize(("spread", "verdict"), [(20, "finds a difference"), (0, "may well be chance")])
def test_the_caption_of_ranks_states_whether_there_is_a_difference(spread: float, verdict: str) -> None:
    (picture,) = rank_pictures({"holdout protocol": ranks(spread)})
    assert verdict in picture.caption


def test_names_in_the_rank_picture_are_not_cut_off() -> None:
    (picture,) = rank_pictures({"holdout protocol": ranks(20)})
    figure = picture.draw(DARK)
    figure.draw_without_rendering()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
    assert "class-weighted LightGBM" in texts(figure)
    assert all(line.get_color() == DARK.ink for line in figure.axes[0].lines)


# ---------------------------------------------------------------------------- colors and files


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_colors_stand_out_from_the_background(theme: Theme) -> None:
    """WCAG 2.2 asks for 4.5 in texts and for 3 in graphics."""
    assert min(contrast(color, theme.surface) for color in (theme.ink, theme.muted, theme.blue)) >= 4.5
    assert min(contrast(color, theme.surface) for color in theme.classes) >= 3


def test_ten_classes_have_different_styles() -> None:
    styles = class_styles([f"class {i}" for i in range(10)], LIGHT)
    assert len(set(styles.values())) == 10


def test_files_of_pictures_are_reproducible_and_differ_by_theme(write_run: WriteRun, tmp_path: Path) -> None:
    write_run(mode="do", fs="half", acsa=[0.6, 0.7, 0.8])
    write_run(mode="do", fs="balanced", acsa=[0.7, 0.7, 0.7])
    runs = load([tmp_path])
    pictures = all_pictures(runs)
    (picture,) = [picture for picture in pictures if picture.section == "fs"]
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
    pictures = all_pictures(runs)
    names = [picture.name for picture in pictures]
    assert len(names) == len(set(names))
    assert {picture.section for picture in pictures} == {
        "verdict",
        "ablations",
        "modes",
        "fs",
        "rows",
        "curves",
    }
