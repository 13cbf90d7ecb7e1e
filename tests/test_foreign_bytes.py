"""Files from elsewhere, damaged at random: the right content or one line that names the file."""

import hashlib
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adversarial_oversampling.data import sources
from adversarial_oversampling.data.imputation import impute
from adversarial_oversampling.data.table_files import read_file
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.results.model import TrainedModel
from adversarial_oversampling.results.read import read_result, read_table
from adversarial_oversampling.sweep.status import JobStatus, read_statuses
from adversarial_oversampling.training import checkpoints
from adversarial_oversampling.training.checkpoints import VerifiedCheckpointIO
from adversarial_oversampling.training.study import open_storage
from tests.conftest import Run

FRAME = pd.DataFrame({"v": [5.0, 7, 6, 9], "c": ["red", "blue", "red", "red"], "label": list("aabb")})
ROUNDS = 60


def damages(content: bytes) -> Iterator[bytes]:
    """Yield damaged copies: a bit flipped, some bytes cut out, zeroed or added, or the file cut off."""
    rng = random.Random(len(content))
    yield b""
    for i in range(ROUNDS):
        copy = bytearray(content)
        # The first and the last bytes, where headers are, as often as all the others.
        place = rng.choice([rng.randrange(len(copy)), rng.randrange(min(64, len(copy)))])
        place = rng.choice([place, len(copy) - 1 - place])
        size = rng.choice([1, 4, 40])
        match i % 5:
            case 0:
                copy[place] ^= 1 << rng.randrange(8)
            case 1:
                del copy[place : place + size]
            case 2:
                copy[place : place + size] = bytes(size)
            case 3:
                copy[place:place] = rng.randbytes(size)
            case 4:
                del copy[place:]
        yield bytes(copy)


def check(file: Path, read: Callable[[], object], sealed: bool = False) -> None:
    """Read damaged copies of a file: each is read, or refused in a line that names it or its folder.

    A sealed file holds a checksum: what is read of a damaged copy is what was read before.
    """
    content, expected = file.read_bytes(), str(read())
    refusals = []
    for damaged in damages(content):
        file.write_bytes(damaged)
        try:
            found = str(read())
        except InputError as error:
            refusals.append(str(error))
        else:
            assert found == expected or not sealed
    assert len(refusals) > ROUNDS / 10
    assert all(str(file.parent) in line and "\n" not in line for line in refusals)
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["t.csv.gz", "t.parquet", "t.feather"])
def test_tables(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    write = {"t.csv.gz": FRAME.to_csv, "t.parquet": FRAME.to_parquet, "t.feather": FRAME.to_feather}[name]
    write(file)
    check(file, lambda: read_file(file).frame, sealed=name == "t.csv.gz")


def test_archives(tmp_path: Path) -> None:
    file = tmp_path / "archive.zip"
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr("folder/a", b"1 2 3\n" * 40)
        check(file, lambda: sources._members(sources._read(file), ("a",)), sealed=True)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_parsers_of_published_tables(tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame({name: [1.0, 2, 3, 4] for name in sources._CREDIT_FEATURES}).assign(
        SeriousDlqin2yrs=[0, 1, 0, 1]
    )
    file = tmp_path / "credit"
    (frame.to_csv if kind == "csv" else frame.to_parquet)(file)
    for damaged in damages(file.read_bytes()):
        with pytest.raises(InputError, match=str(file)) as refused:
            sources._credit([sources._File(str(file), damaged)])
        assert "\n" not in str(refused.value)


def test_a_damaged_cache_of_imputed_values_is_computed_again(tmp_path: Path) -> None:
    x = np.arange(24.0).reshape(8, 3)
    x[3, 1] = np.nan
    rows = np.arange(8)
    expected = impute(x, rows, 2, tmp_path)
    (file,) = tmp_path.glob("imputed-*.npz")
    content = file.read_bytes()
    # A header that asks for more numbers than memory holds.
    absurd = content.replace(b"(1,)", b"(9999999999999,)")
    for damaged in [*damages(content), absurd]:
        file.write_bytes(damaged)
        assert np.array_equal(impute(x, rows, 2, tmp_path), expected)


def test_files_of_a_run(run: Run, tmp_path: Path) -> None:
    run("mode=do", "trainer.max_epochs=1", "replicas=1", name="run/one")
    folder = tmp_path / "run" / "one"
    check(folder / "result.json", lambda: read_result(folder / "result.json"))
    for name in ("predictions.parquet", "curves.parquet", "generated.parquet"):
        check(folder / name, lambda name=name: read_table(folder / name))
    for name in ("model.json", "model.safetensors"):
        check(folder / name, lambda: TrainedModel.load(folder))


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "1" * 5000, '{"schema_version": 1e999}', "\ud800", '{"schema_version": 1}', "null"],
)
def test_a_result_that_no_run_writes(tmp_path: Path, text: str) -> None:
    file = tmp_path / "result.json"
    file.write_text(text, "utf-8", errors="surrogatepass")
    with pytest.raises(InputError, match=r"result\.json.*rerun=true"):
        read_result(file)


def test_checkpoints(tmp_path: Path) -> None:
    file, io = tmp_path / "run.ckpt", VerifiedCheckpointIO({"torch": "2"})
    io.save_checkpoint({"epoch": 3}, file)
    check(file, lambda: io.load_checkpoint(file), sealed=True)
    # A digest that holds, over content that is no checkpoint.
    for content in (b"", b"no archive", pickle.dumps({"run": {}}), struct.pack("<Q", 2**60)):
        file.write_bytes(checkpoints._MAGIC + hashlib.sha256(content).digest() + content)
        with pytest.raises(InputError, match=r"run\.ckpt is damaged .*: delete it"):
            io.load_checkpoint(file)


def test_statuses_of_jobs(tmp_path: Path) -> None:
    JobStatus(3, ["seed=1"], "run", "done", 1.5).write(tmp_path)
    (tmp_path / "3 (copy).json").write_text("")
    check(tmp_path / "3.json", lambda: read_statuses(tmp_path))


def test_studies_of_searches(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    file = tmp_path / "study.db"
    url = f"sqlite:///{file}"
    study = optuna.create_study(storage=open_storage(url), study_name="s")
    study.enqueue_trial({"x": 1})
    content = file.read_bytes()
    for damaged in (b"no database" * 200, content[:100], bytes(len(content)), content[:5000]):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=rf"hydra\.sweeper\.storage={url} cannot be used .*give the URL"):
            open_storage(url)


@pytest.mark.parametrize(
    "error",
    [
        RecursionError(),
        MemoryError(),
        struct.error("x"),
        KeyError("k"),
        OverflowError(),
        pickle.PickleError("a\nb"),
    ],
)
def test_whatever_a_parser_raises_is_one_line(error: Exception) -> None:
    with (
        pytest.raises(InputError, match=r"^f\.bin is damaged \(.+\): copy it again\.$") as refused,
        parsing("f.bin", "copy it again."),
    ):
        raise error
    assert refused.value.__cause__ is error
    assert "\n" not in str(refused.value)


def test_an_input_error_of_a_parser_stays_as_it_is() -> None:
    with pytest.raises(InputError, match=r"^line 3 is wrong\.$"), parsing("f.bin", "copy it again."):
        raise InputError("line 3 is wrong.")
