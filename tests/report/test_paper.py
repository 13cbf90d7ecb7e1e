import pytest

from adversarial_oversampling.report import paper


def test_table_2_has_every_cell() -> None:
    assert len(paper.TABLE_2) == 6 * 9
    assert [key for key, cell in paper.TABLE_2.items() if cell is None] == [("yeast", "adasyn")]


@pytest.mark.parametrize(
    ("dataset", "mode", "scores"),
    [
        ("secom", "q", (57.06, 42.82)),
        ("secom", "gamo", (61.17, 56.90)),
        ("pima", "cot", (76.55, 76.53)),
        ("haberman", "bsmote", (70.38, 70.20)),
        ("wafer", "do", (99.44, 99.44)),
        ("credit", "smote", (50.00, 0.48)),
        ("credit", "ao", (61.65, 62.19)),
        ("yeast", "smote", (57.27, 45.52)),
        ("yeast", "do", (62.81, 53.77)),
    ],
)
def test_cells_are_as_printed(dataset: str, mode: str, scores: tuple[float, float]) -> None:
    assert paper.TABLE_2[dataset, mode] == scores


def test_means_over_datasets_are_those_of_the_printed_table() -> None:
    # Sums of the printed columns, added up by hand: a slip in any cell shows.
    acsa = {
        "q": 410.05,
        "ro": 410.14,
        "cot": 412.72,
        "smote": 401.85,
        "bsmote": 396.20,
        "gamo": 407.65,
        "ao": 415.17,
        "do": 454.48,
    }
    for mode, total in acsa.items():
        cells = [paper.TABLE_2[dataset, mode] for dataset in paper.DATASETS]
        assert sum(cell[0] for cell in cells if cell) == pytest.approx(total)


def test_the_only_impossible_cell_is_ao_on_credit() -> None:
    assert paper.impossible() == [("credit", "ao")]
    assert paper.impossible({("a", "b"): (50.0, 50.0), ("c", "d"): None, ("e", "f"): (50.0, 50.01)}) == [
        ("e", "f")
    ]


def test_titles_and_order() -> None:
    assert [paper.title(mode) for mode in paper.MODES] == [
        "Q",
        "RO+Q",
        "COT",
        "SMOTE+Q",
        "B-SMOTE+Q",
        "ADASYN+Q",
        "GAMO",
        "AO",
        "DO",
    ]
    assert paper.title("mystery") == "mystery"
    modes = ["zeta", "lightgbm", "both_fool", "alpha", "do", "q"]
    assert sorted(modes, key=paper.mode_order) == ["q", "do", "both_fool", "lightgbm", "alpha", "zeta"]
    assert sorted(["b", "yeast", "a", "secom"], key=paper.dataset_order) == ["secom", "yeast", "a", "b"]
