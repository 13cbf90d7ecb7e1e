"""The schema of result.json: what is written is read back, and other files are refused with one line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.results.__main__ import reference
from adversarial_oversampling.results.read import read_result
from adversarial_oversampling.results.schema import (
    METRICS,
    SCHEMA_VERSION,
    Counts,
    ReplicaResult,
    Result,
    Scores,
)
from tests.conftest import Run


@pytest.fixture
def written(run: Run, tmp_path: Path) -> Path:
    run("mode=q", "trainer.max_epochs=1")
    return tmp_path / "run" / "result.json"


def change(file: Path, **changes: Any) -> None:
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, **changes}))


def test_what_is_written_is_read_back(run: Run, tmp_path: Path) -> None:
    result = run("mode=do", "trainer.max_epochs=1")
    file = tmp_path / "run" / "result.json"
    assert read_result(file) == result
    assert json.loads(file.read_text())["schema_version"] == SCHEMA_VERSION
    assert json.loads(file.read_text())["mean"]["acsa"] == result.mean.acsa


def test_the_published_table_is_known_by_its_values(run: Run, tmp_path: Path) -> None:
    result = run("dataset=yeast", "mode=logistic")
    assert (result.table.published, result.table.file) == ("yeast", None)
    text = Path(str(tmp_path / "t.csv"))
    text.write_text("x,label\n" + "".join(f"{i % 50},{'ab'[i % 3 == 0]}\n" for i in range(60)))
    source = ["dataset=table", f"dataset.path={text}", "dataset.target=label"]
    own = run(*source, "dataset.name=yeast", "mode=logistic", name="own")
    assert (own.dataset, own.table.published, own.table.file) == ("yeast", None, "t.csv")
    assert own.table.digest != result.table.digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 0}, r"schema_version=0: this version of the suite reads 2; train it again"),
        ({"schema_version": None}, r"schema_version=None: "),
        ({"optimistic": "no"}, r"optimistic: input should be a valid boolean"),
        ({"mean": {"acsa": 0.5}}, r"mean\.g_mean: field required"),
        ({"replicas": []}, r"replicas: list should have at least 1 item"),
        ({"shape": 3}, r"shape: extra inputs are not permitted"),
    ],
)
def test_another_file_is_refused_in_one_line(written: Path, changes: dict[str, Any], message: str) -> None:
    change(written, **changes)
    with pytest.raises(InputError, match=rf"^{written}: {message}") as caught:
        read_result(written)
    assert "\n" not in str(caught.value)


def test_a_result_of_an_older_version_is_not_overwritten(run: Run, written: Path) -> None:
    change(written, schema_version=0)
    before = written.read_bytes()
    with pytest.raises(InputError, match=r"schema_version=0: .*rerun=true"):
        run("mode=q", "trainer.max_epochs=1")
    assert written.read_bytes() == before
    assert run("mode=q", "trainer.max_epochs=1", "rerun=true").schema_version == SCHEMA_VERSION


def test_numbers_are_finite_and_fractions_are_fractions() -> None:
    for value in (float("nan"), float("inf"), 1.5, -0.1):
        with pytest.raises(ValidationError):
            Scores(acsa=value, g_mean=None, auroc=None, pr_auc=None, calibration_error=None)


def test_every_metric_has_one_label_and_a_place_in_every_part() -> None:
    assert list(METRICS) == list(Scores.model_fields) == list(Counts.model_fields)
    assert METRICS["acsa"] == "ACSA"
    assert len(set(METRICS.values())) == len(METRICS)
    assert METRICS.keys() < ReplicaResult.model_fields.keys()


def test_every_field_is_described() -> None:
    page = reference()
    for name, field in Result.model_fields.items():
        assert field.description
        assert f"| `{name}` |" in page


def test_the_reference_page_is_the_schemas() -> None:
    page = Path(__file__).parents[2] / "docs" / "result_file.md"
    assert page.read_text() == reference(), (
        "write it anew: python -m adversarial_oversampling.results > docs/result_file.md"
    )


def test_an_altered_number_is_damage(written: Path) -> None:
    text = written.read_text()
    numbers = list(re.finditer(r"(?<=: )-?\d[\d.e-]*(?=,?\n)", text))
    assert len(numbers) > 50
    for found in numbers:
        digit = next((i for i in range(*found.span()) if text[i] in "123456789"), found.end() - 1)
        written.write_text(f"{text[:digit]}{int(text[digit]) % 9 + 1}{text[digit + 1 :]}")
        with pytest.raises(InputError, match=rf"^{written}.*rerun=true"):
            read_result(written)
