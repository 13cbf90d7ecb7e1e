"""Runs whose oversampling rate changes nothing take over the run with the natural rate."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from omegaconf import DictConfig

from adversarial_oversampling.config.identity import config_hash, run_name
from adversarial_oversampling.results import write
from adversarial_oversampling.results.read import check_files, read_result
from adversarial_oversampling.results.schema import Result
from adversarial_oversampling.training.equal import changes_nothing
from adversarial_oversampling.training.run import train
from tests.conftest import Compose, saved_weights

QUICK = ("replicas=2", "trainer.max_epochs=2")


def test_by_hand() -> None:
    counts = torch.tensor([[100, 40], [100, 25]])
    assert changes_nothing(counts, 0.25)  # 25 = 0.25 * 100
    assert changes_nothing(counts, 0.1)
    assert changes_nothing(counts, None)
    assert not changes_nothing(counts, 0.26)  # the second replica gets a row more
    assert not changes_nothing(counts, 0.5)
    assert changes_nothing(torch.tensor([[30, 30, 30]]), 1.0)
    # Three classes: the largest and the smallest set the ratio.
    assert not changes_nothing(torch.tensor([[100, 60, 20]]), 0.25)


def trained(cfg: DictConfig, output: Path) -> tuple[Path, Result]:
    folder = output / run_name(cfg)
    return folder, train(cfg, folder)


@pytest.mark.parametrize("mode", ["q", "ao", "do"])
def test_a_rate_below_the_natural_one_takes_the_natural_run_over(
    compose_config: Compose, tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Haberman's ratio is 81 to 225."""
    natural, quarter = (compose_config(f"mode={mode}", f"fs={fs}", *QUICK) for fs in ("natural", "quarter"))
    source, first = trained(natural, tmp_path / "both")
    folder, taken = trained(quarter, tmp_path / "both")
    told = "fs=quarter changes nothing here: the smallest class has 0.36"
    assert caplog.text.count(told) == 1
    apart, alone = trained(quarter, tmp_path / "alone")
    assert caplog.text.count(told) == 2  # trained for want of the natural run, and told too

    note = f"fs=quarter changes nothing here, so the numbers are those of {source.name}"
    assert [one.notes for one in taken.replicas] == [[note], [note]]
    assert read_result(folder / "result.json") == taken
    assert taken.config_hash == config_hash(quarter)
    # Trained alone, it has the same numbers.
    same = {"replicas": [one.model_copy(update={"notes": []}) for one in taken.replicas]}
    assert taken.model_copy(update={**same, "seconds": alone.seconds, "files": alone.files}) == alone
    assert taken.files == first.files  # model.json names the configuration that was trained
    check_files(folder, taken)
    assert taken.seconds == first.seconds
    names = {file.name for file in folder.iterdir() if file.suffix in (".parquet", ".safetensors")}
    assert names == {file.name for file in apart.iterdir() if file.suffix in (".parquet", ".safetensors")}
    for name in names - {"model.safetensors"}:
        pd.testing.assert_frame_equal(
            pd.read_parquet(folder / name), pd.read_parquet(apart / name), check_exact=True
        )
    weights, expected = (saved_weights(place) for place in (folder, apart))
    torch.testing.assert_close(weights, expected, rtol=0, atol=0)


def test_a_rate_above_the_natural_one_is_trained(compose_config: Compose, tmp_path: Path) -> None:
    trained(compose_config("mode=q", "fs=natural", *QUICK), tmp_path)
    _, half = trained(compose_config("mode=q", "fs=half", *QUICK), tmp_path)
    assert [one.notes for one in half.replicas] == [[], []]


@pytest.mark.parametrize(
    "changed", ["threads=2", "seed=1", "another processor", "damaged", "a damaged file", "none"]
)
def test_without_the_very_same_run_it_is_trained(
    compose_config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    setting = [changed] if "=" in changed else []
    source, _ = trained(compose_config("mode=q", "fs=natural", *QUICK, *setting), tmp_path)
    if changed == "another processor":
        monkeypatch.setattr(write, "processor", lambda: "another one")
    if changed == "damaged":
        (source / "result.json").write_text("{")
    if changed == "a damaged file":
        (source / "curves.parquet").write_bytes(b"")
    if changed == "none":
        (source / "result.json").unlink()
    folder, quarter = trained(compose_config("mode=q", "fs=quarter", *QUICK), tmp_path)
    assert [one.notes for one in quarter.replicas] == [[], []]
    check_files(folder, quarter)


def test_a_rerun_takes_over_only_what_its_sweep_has_trained(compose_config: Compose, tmp_path: Path) -> None:
    for sweep, taken in (("first", False), ("second", True)):
        again = (*QUICK, "mode=q", "rerun=true", f"sweep.id={sweep}")
        if taken:
            trained(compose_config(*again, "fs=natural"), tmp_path)
        else:
            trained(compose_config(*QUICK, "mode=q", "fs=natural"), tmp_path)
        _, quarter = trained(compose_config(*again, "fs=quarter"), tmp_path)
        assert bool(quarter.replicas[0].notes) == taken


def test_a_resampled_table_is_balanced_already(compose_config: Compose, tmp_path: Path) -> None:
    source, _ = trained(compose_config("mode=ro", *QUICK), tmp_path)
    _, taken = trained(compose_config("mode=ro", "fs=balanced", *QUICK), tmp_path)
    assert source.name in taken.replicas[0].notes[0]
