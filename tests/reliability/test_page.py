"""The table of faults: every test that it names exists."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
ROW = re.compile(r"^\| (?P<fault>.+?) \| (?P<outcome>.+?) \| `(?P<test>tests/[^`]+)` \|$", re.M)


def rows() -> list[dict[str, str]]:
    return [match.groupdict() for match in ROW.finditer(PAGE.read_text())]


@cache
def defined_in(file: str) -> dict[str, bool]:
    """Return the tests of a file as `test` or `Class::test`, and whether each is parametrized."""
    found = {}
    for node in ast.parse((ROOT / file).read_text()).body:
        inside = node.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test") else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for one in inside:
            if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"):
                marks = [ast.unparse(mark) for mark in one.decorator_list]
                found[prefix + one.name] = any("parametrize" in mark for mark in marks)
    return found


def test_every_test_of_the_table_exists() -> None:
    missing = []
    for row in rows():
        file, _, name = row["test"].partition("::")
        name, bracket, _ = name.partition("[")
        tests = defined_in(file) if (ROOT / file).is_file() else {}
        if name not in tests or (bracket and not tests[name]):
            missing.append(row["test"])
    assert missing == []


def test_every_row_is_complete_and_there_are_at_least_a_hundred_faults() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    table = [line for line in lines if not re.match(r"\| fault \||\|---", line)]
    faults = [row["fault"] for row in rows()]
    assert len(table) == len(faults) == len(set(faults)) >= 100
