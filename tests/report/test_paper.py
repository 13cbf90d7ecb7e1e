import pytest

from adversarial_oversampling.report import paper
from tests.report.conftest import MODES


def test_table_2_has_all_54_cells_and_one_na() -> None:
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


def test_sums_over_datasets_are_those_of_the_printed_table() -> None:
    # Sums of the printed columns, added up by hand: they differ if any cell is wrong.
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


def test_columns_are_the_modes_of_the_paper_in_its_order() -> None:
    assert list(paper.columns()) == list(dict.fromkeys(mode for _, mode in paper.TABLE_2))
    assert list(paper.columns().values()) == [
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


def test_rows_are_the_datasets_of_the_paper_in_its_order() -> None:
    assert list(paper.dataset_titles().items()) == [
        ("secom", "SECOM"),
        ("pima", "Pima"),
        ("haberman", "Haberman"),
        ("wafer", "Wafer"),
        ("credit", "Credit"),
        ("yeast", "Yeast"),
    ]


def test_the_modes_with_a_role_in_the_paper_are_in_its_table() -> None:
    roles = {*paper.PROPOSED, *paper.REFERENCES, paper.FIGURE_2[1], *paper.GENERATED_ROWS}
    assert roles <= set(paper.columns())
    assert set(paper.columns()) < set(MODES)
    assert paper.FIGURE_2[0] in paper.DATASETS
