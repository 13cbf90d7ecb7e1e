"""Files are written as a whole, and read and written in UTF-8 whatever the system's encoding is."""

import ast
import os
from pathlib import Path

import pytest

import adversarial_oversampling
from adversarial_oversampling.atomic import replacing

SRC = Path(adversarial_oversampling.__file__).parents[1]
FILES = [
    str(file.relative_to(SRC))
    for package in (adversarial_oversampling.__name__, "hydra_plugins")
    for file in sorted((SRC / package).rglob("*.py"))
]


def test_of_two_writers_at_once_the_last_to_finish_wins(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with replacing(path) as first:
        first.write_text("first, of which a half")
        with replacing(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
        first.write_text("first")
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_the_old_content_stays_if_the_new_one_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as new:
            new.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    """A cache can be shared by several users."""
    (tmp_path / "plain.txt").write_text("")
    with replacing(tmp_path / "file.txt") as new:
        new.write_text("")
    assert (tmp_path / "file.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


@pytest.mark.parametrize("file", FILES)
def test_text_files_are_opened_with_an_encoding(file: str) -> None:
    """Without one, a report written on a system with Latin-1 is unreadable elsewhere."""
    tree = ast.parse((SRC / file).read_text("utf-8"))
    for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
        text, name = ast.unparse(call), ast.unparse(call.func).split(".")[-1]
        if name in ("read_text", "write_text") or (name == "open" and not text.startswith(("os.", "Image."))):
            assert "utf-8" in text or "rb" in text or "wb" in text, f"{file}:{call.lineno}: {text}"
