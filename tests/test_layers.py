"""Imports go down: no module imports one of a layer above its own, and there is no cycle."""

import ast
import graphlib
import importlib
import re
from pathlib import Path

import pytest

import adversarial_oversampling

PACKAGE = Path(adversarial_oversampling.__file__).parent
NAME = PACKAGE.name

# From the top down. A module may import those of its own layer and of the layers below.
LAYERS = (
    ("train", "predict", "generate", "estimators"),
    ("sweep", "report"),
    ("training",),
    ("tracking",),
    ("results",),
    ("game",),
    ("data",),
    ("config",),
    ("method_output", "metrics", "random_streams", "curve_names"),
    ("guard",),
    ("shard", "limits", "output", "credentials", "text", "errors", "atomic"),
)


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in PACKAGE.rglob("*.py")}


def imported(file: Path) -> set[str]:
    """Modules of this package that a file imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            names |= submodules or {node.module}
    return {name for name in names if name.split(".")[0] == NAME and name != NAME}


def layer(module: str) -> int:
    package = module.split(".")[1]
    (place,) = (i for i, packages in enumerate(LAYERS) if package in packages)
    return place


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {NAME}))
def test_imports_go_down(module: str) -> None:
    above = {name for name in imported(MODULES[module]) if layer(name) < layer(module)}
    assert not above


def test_imports_have_no_cycle() -> None:
    # A command imports itself by its name.
    graph = {module: imported(file) - {module} for module, file in MODULES.items()}
    tuple(graphlib.TopologicalSorter(graph).static_order())


def test_no_module_names_a_higher_one_in_a_string() -> None:
    for module, file in MODULES.items():
        if module == NAME:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for name in re.findall(rf"{NAME}(?:\.\w+)+", node.value):
                    known = next((m for m in (name, name.rpartition(".")[0]) if m in MODULES), None)
                    # A command that a docstring or a help text shows is no import.
                    if known is not None and f"-m {name}" not in node.value:
                        assert layer(known) >= layer(module), f"{module} names {name}"


def test_every_layer_exists() -> None:
    for packages in LAYERS:
        for package in packages:
            importlib.import_module(f"{NAME}.{package}")
