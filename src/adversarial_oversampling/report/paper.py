"""Facts of the paper: its Table 2, its Figure 2, and the roles of its methods."""

from collections.abc import Mapping
from functools import cache

from adversarial_oversampling.config.catalogue import datasets, modes

Scores = tuple[float, float]
"""ACSA and GM, in percent."""

PROPOSED = ("ao", "do")
"""The methods that the paper proposes."""
REFERENCES = ("q", "do")
"""The baseline and the best method of the paper: differences are taken from both."""
FIGURE_2 = ("secom", "do")
"""Dataset and mode of the paper's Figure 2."""
FS_REMARK = "DO is at fs=balanced; the paper does not state the fs of its DO."
GENERATED_ROWS = {
    "ao": "In AO, G generates rows that Q misclassifies, and Q then learns them: crosses lie near or across "
    "the boundary, and p_own is low for those that Q has not learned yet.",
    "do": "In DO, G generates rows of which Q is certain, and Q is trained to doubt them: crosses lie inside "
    "their own class.",
}
"""What each proposed method is expected to generate."""

_COLUMNS = ("q", "ro", "cot", "smote", "bsmote", "adasyn", "gamo", "ao", "do")
_ROWS: dict[str, tuple[Scores | None, ...]] = {
    "secom": (
        (57.06, 42.82),
        (58.99, 43.69),
        (60.51, 49.57),
        (55.57, 42.15),
        (55.08, 35.42),
        (59.12, 46.47),
        (61.17, 56.90),
        (65.82, 65.36),
        (68.84, 65.73),
    ),
    "pima": (
        (76.89, 76.49),
        (73.09, 73.09),
        (76.55, 76.53),
        (74.10, 71.94),
        (76.82, 75.34),
        (76.20, 75.16),
        (70.10, 68.78),
        (77.42, 77.00),
        (77.46, 77.45),
    ),
    "haberman": (
        (65.00, 60.91),
        (70.00, 69.48),
        (68.84, 67.93),
        (69.61, 69.48),
        (70.38, 70.20),
        (69.61, 69.48),
        (58.62, 50.46),
        (60.00, 58.38),
        (70.38, 70.20),
    ),
    "wafer": (
        (98.82, 98.81),
        (97.82, 97.81),
        (97.81, 97.80),
        (95.30, 95.22),
        (88.07, 87.27),
        (95.65, 95.57),
        (98.78, 98.77),
        (98.99, 98.99),
        (99.44, 99.44),
    ),
    "credit": (
        (50.61, 11.51),
        (50.04, 3.08),
        (51.84, 19.83),
        (50.00, 0.48),
        (50.00, 0.00),
        (50.00, 0.84),
        (61.46, 61.36),
        (61.65, 62.19),
        (75.55, 75.54),
    ),
    "yeast": (
        (61.67, 0.00),
        (60.20, 0.00),
        (57.17, 0.00),
        (57.27, 45.52),
        (55.85, 43.37),
        None,
        (57.52, 0.00),
        (51.29, 0.00),
        (62.81, 53.77),
    ),
}

DATASETS = tuple(_ROWS)
"""Names of the published datasets, in the order of Table 2."""

TABLE_2: dict[tuple[str, str], Scores | None] = {
    (dataset, mode): scores
    for dataset, row in _ROWS.items()
    for mode, scores in zip(_COLUMNS, row, strict=True)
}
"""ACSA and GM of every dataset and mode; None is the paper's "NA"."""


@cache
def columns() -> Mapping[str, str]:
    """Return the modes of Table 2 with their titles, in the order of its columns."""
    return {name: mode.title for name, mode in modes().items() if mode.origin == "paper"}


@cache
def dataset_titles() -> Mapping[str, str]:
    """Return the datasets of Table 2 with their titles, in the order of its rows."""
    described = datasets()
    return {name: described[name].title for name in DATASETS}


def impossible(scores: Mapping[tuple[str, str], Scores | None] = TABLE_2) -> list[tuple[str, str]]:
    """Return the cells whose GM is above their ACSA.

    ACSA is the arithmetic and GM the geometric mean of the same recalls, so no single model has them.
    """
    return [key for key, cell in scores.items() if cell is not None and cell[1] > cell[0]]
