"""A stored result is shown only if all of its files are there and unchanged; otherwise it is trained anew."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from adversarial_oversampling.config.identity import config_hash
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.generate import generate
from adversarial_oversampling.predict import predict
from adversarial_oversampling.results import write
from adversarial_oversampling.results.read import check_files, read_result, record_of
from adversarial_oversampling.results.schema import Result, content_digest
from adversarial_oversampling.training.checkpoints import VerifiedCheckpointIO, written_by
from adversarial_oversampling.training.run import train
from tests.conftest import Compose, Run, short_run

SHORT = ("trainer.max_epochs=1", "replicas=1")
FILES = ("predictions.parquet", "curves.parquet", "generated.parquet", "model.json", "model.safetensors")


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-9],
    "empty": lambda content: b"",
    "flipped": flipped,
    "zeros": lambda content: bytes(64) + content[64:],
    "longer": lambda content: content + b"\n",
}


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """The content and the time of every file of a folder."""
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file() and file.name != ".lock"
    }


@pytest.fixture(scope="module")
def finished(compose_config: Compose, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of finished runs, by mode; tests change copies of them."""
    folders = {mode: tmp_path_factory.mktemp("finished") / mode for mode in ("do", "q", "logistic")}
    for mode, folder in folders.items():
        short_run(compose_config, folder, f"mode={mode}", *SHORT)
    return folders


def copied(folder: Path, copy: Path) -> tuple[Path, Result]:
    """Copy a run; return its folder and its result."""
    return copytree(folder, copy), read_result(folder / "result.json")


def test_a_result_records_its_files(finished: dict[str, Path]) -> None:
    folder = finished["do"]
    result = read_result(folder / "result.json")
    assert set(result.files) == set(FILES)
    for name, record in result.files.items():
        assert record == record_of(folder / name)
        assert record.bytes == (folder / name).stat().st_size


def test_a_result_whose_files_are_not_whole_is_refused_and_changes_nothing(
    finished: dict[str, Path], compose_config: Compose, tmp_path: Path
) -> None:
    cfg = compose_config("mode=do", *SHORT)
    folder, first = copied(finished["do"], tmp_path / "run")
    for name in FILES:
        content = (folder / name).read_bytes()
        for damage in DAMAGES.values():
            (folder / name).write_bytes(damage(content))
            before = state(folder)
            with pytest.raises(InputError, match=rf"^{folder}/{name} is damaged: .*rerun=true, or leave its"):
                train(cfg, folder)
            assert state(folder) == before
        (folder / name).unlink()
        with pytest.raises(InputError, match=rf"^{folder}/{name} is missing: .*rerun=true, or leave its"):
            train(cfg, folder)
        (folder / name).write_bytes(content)
    assert train(cfg, folder) == first
    (folder / "predictions.parquet").unlink()
    (folder / "curves.parquet").write_bytes(b"")
    again = train(compose_config("mode=do", *SHORT, "rerun=true"), folder)
    assert again.replicas == first.replicas
    assert again.files["predictions.parquet"] == first.files["predictions.parquet"]
    assert read_result(folder / "result.json") == again


def test_a_result_of_a_version_without_an_optional_field_is_read(
    finished: dict[str, Path], tmp_path: Path
) -> None:
    folder, first = copied(finished["do"], tmp_path / "run")
    fields = json.loads((folder / "result.json").read_text())
    del fields["table"]["summary"]["columns_that_tell_the_class"]
    fields["sha256"] = content_digest(fields)
    (folder / "result.json").write_text(json.dumps(fields))
    result = read_result(folder / "result.json")
    assert result.table.summary is not None
    assert result.table.summary.columns_that_tell_the_class is None
    assert result.replicas == first.replicas


def with_version(content: bytes, version: int) -> bytes:
    return json.dumps(json.loads(content) | {"schema_version": version}).encode()


@pytest.mark.parametrize(
    "damage",
    [*DAMAGES.values(), lambda _: b"[]", lambda _: b"[" * 100_000, lambda content: with_version(content, 1)],
    ids=[*DAMAGES, "list", "deep", "version"],
)
def test_rerun_replaces_a_damaged_result(
    finished: dict[str, Path], run: Run, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    quick = ("mode=logistic", *SHORT)
    folder, first = copied(finished["logistic"], tmp_path / "run")
    file = folder / "result.json"
    changed = damage(file.read_bytes())
    file.write_bytes(changed)
    if damage is not DAMAGES["longer"] and damage is not flipped:  # which may still be JSON
        with pytest.raises(InputError, match=r"^\S+result\.json.*rerun=true"):
            run(*quick)
    assert run(*quick, "rerun=true").replicas == first.replicas
    assert (tmp_path / "run" / "previous" / "result.json").read_bytes() == changed


@pytest.mark.parametrize("checkpoint", ["damaged", "empty", "another run's", "another version's"])
def test_rerun_ignores_a_checkpoint_that_it_cannot_resume_from(
    finished: dict[str, Path], run: Run, compose_config: Compose, tmp_path: Path, checkpoint: str
) -> None:
    quick = ("mode=q", *SHORT)
    cfg = compose_config(*quick)
    file = tmp_path / "run" / "checkpoints" / f"{config_hash(cfg)}.ckpt"
    written = written_by(cfg)
    if checkpoint == "another run's":
        written = written_by(compose_config(*quick, "seed=7"))
    if checkpoint == "another version's":
        written["torch"] = "1.0"
    VerifiedCheckpointIO(written).save_checkpoint({"epoch": 0}, file)
    if checkpoint == "damaged":
        file.write_bytes(flipped(file.read_bytes()))
    if checkpoint == "empty":
        file.write_bytes(b"")
    with pytest.raises(InputError, match=rf"^{file} (is damaged|was written with).*rerun=true"):
        run(*quick)
    undisturbed = read_result(finished["q"] / "result.json")
    assert run(*quick, "rerun=true").replicas == undisturbed.replicas
    assert not file.parent.exists()


def test_rerun_resumes_from_a_checkpoint_of_its_own(
    finished: dict[str, Path],
    run: Run,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick = ("mode=q", *SHORT, "rerun=true")
    with monkeypatch.context() as broken:
        broken.setattr(write, "write_run", lambda *_: {}["broken off"])
        with pytest.raises(KeyError, match="broken off"):
            run(*quick)
    with caplog.at_level(logging.INFO):
        assert run(*quick).replicas == read_result(finished["q"] / "result.json").replicas
    assert caplog.text.count("Resuming from") == 1


def test_a_result_is_whole_in_one_place_when_its_replacement_is_interrupted(
    finished: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the run ends between the first and the last change of its folder."""
    changes = 0
    folder, first = copied(finished["do"], tmp_path / "run")

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def changing(*arguments: object, **settings: object) -> object:
            nonlocal changes
            changes -= 1
            if changes == 0:
                raise KeyError("killed")
            return change(*arguments, **settings)

        return changing

    ended = 0
    while True:
        ended += 1
        changes = ended
        with monkeypatch.context() as broken:
            for owner, name in ((write.shutil, "copyfile"), (write.os, "replace"), (Path, "unlink")):
                broken.setattr(owner, name, counted(getattr(owner, name)))
            try:
                write.copy_run(folder, folder, first)
            except KeyError:
                pass
            else:
                break
        places = [place for place in (folder, folder / "previous") if (place / "result.json").is_file()]
        whole = [place for place in places if not_whole(place, first) is None]
        assert whole
        assert places[0] == whole[0]  # a folder with a result.json holds all of its files
        write.copy_run(folder, whole[0], first)
    assert ended > len(FILES)


def not_whole(folder: Path, result: Result) -> str | None:
    try:
        check_files(folder, result)
    except InputError as error:
        return str(error)
    return None


def test_what_is_read_of_a_run_is_what_it_has_written(finished: dict[str, Path], tmp_path: Path) -> None:
    folder, rows = copytree(finished["do"], tmp_path / "run"), tmp_path / "rows.csv"
    rows.write_text("age,year,nodes\n30,64,1\n")
    file = folder / "model.safetensors"
    file.write_bytes(flipped(file.read_bytes()))
    with pytest.raises(InputError, match=r"model\.safetensors is damaged"):
        predict(folder, rows)
    with pytest.raises(InputError, match=r"model\.safetensors is damaged"):
        generate(folder, "1", 1)
    with pytest.raises(InputError, match=r"nowhere/result\.json is missing: give the folder of a finished"):
        predict(tmp_path / "nowhere", rows)


def test_a_shown_result_says_where_it_was_made_in_another_way(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = run("mode=logistic")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert run("mode=logistic", "threads=2", "trainer.accelerator=auto") == first
        assert run("mode=logistic", "trainer.checkpoint_seconds=5") == first
    told, nothing = caplog.messages
    made = "The stored result was made with threads=1 (not 2), trainer.accelerator=cpu (not auto)."
    assert made in told
    assert "made with" not in nothing
    assert (
        not (tmp_path / "run" / "train.log").exists()
        or "made with" not in (tmp_path / "run" / "train.log").read_text()
    )
