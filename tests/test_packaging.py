"""Package metadata, pins, releases, hooks and the container's entry point agree with the code."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, packages_distributions, version
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from adversarial_oversampling import __version__
from adversarial_oversampling.config.catalogue import datasets, modes

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCAL = {"adversarial_oversampling", "tests", *(file.stem for file in (ROOT / "benchmarks").glob("*.py"))}
ENTRYPOINT = ROOT / "docker" / "entrypoint.sh"


Entrypoint = Callable[..., subprocess.CompletedProcess[str]]


def distributions(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


DEPENDENCIES = distributions(PROJECT["dependencies"])
OPTIONAL = distributions([text for extra, texts in EXTRAS.items() if extra != "dev" for text in texts])
DEV = distributions(EXTRAS["dev"])


def pins(file: Path) -> dict[str, Version]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith(("#", "--"))]
    pairs = [re.split("={2,3}", line) for line in lines]
    return {canonicalize_name(name): Version(pinned) for name, pinned in pairs}


PINS = pins(ROOT / "requirements.txt")


def imported_packages(nodes: Iterator[ast.AST]) -> set[str]:
    """Top-level packages of absolute imports, without the standard library and the project's own."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - LOCAL


def imports_of(folder: str, everywhere: bool = True) -> set[str]:
    """Packages that the modules of a folder import: everywhere, or only at the top level of a module."""
    names: set[str] = set()
    for file in (ROOT / folder).rglob("*.py"):
        module = ast.parse(file.read_text())
        names |= imported_packages(ast.walk(module) if everywhere else iter(module.body))
    return names


def undeclared(packages: set[str], declared: set[str]) -> set[str]:
    owners = packages_distributions()
    return {
        package
        for package in packages
        if not {canonicalize_name(owner) for owner in owners.get(package, [])} & declared
    }


def setting_targets() -> set[str]:
    text = "\n".join(file.read_text() for file in (ROOT / "conf").rglob("*.yaml"))
    return set(re.findall(r"_target_: (\w+)\.", text)) - LOCAL


def test_imports_are_found_in_the_source() -> None:
    code = "import a.b\nfrom c import d\nfrom . import e\nimport os\ndef f():\n    import g"
    assert imported_packages(ast.walk(ast.parse(code))) == {"a", "c", "g"}
    assert imported_packages(iter(ast.parse(code).body)) == {"a", "c"}
    assert undeclared({"numpy", "no_such_package"}, {"numpy"}) == {"no_such_package"}


def test_every_imported_package_is_declared() -> None:
    assert undeclared(imports_of("src"), DEPENDENCIES | OPTIONAL) == set()
    assert undeclared(setting_targets(), DEPENDENCIES | OPTIONAL) == set()
    assert undeclared(imports_of("benchmarks"), DEPENDENCIES | OPTIONAL) == set()
    assert undeclared(imports_of("tests"), DEPENDENCIES | OPTIONAL | DEV) == set()


def test_packages_of_extras_are_not_imported_at_the_top_level() -> None:
    assert undeclared(imports_of("src", everywhere=False), DEPENDENCIES) == set()


def test_every_dependency_is_used() -> None:
    owners = packages_distributions()
    used = imports_of("src") | setting_targets()
    assert DEPENDENCIES - {canonicalize_name(owner) for name in used for owner in owners[name]} == set()


def test_every_requirement_is_pinned_within_its_range() -> None:
    texts = [*PROJECT["dependencies"], *PYPROJECT["build-system"]["requires"], *chain(*EXTRAS.values())]
    for requirement in map(Requirement, texts):
        pinned = PINS.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement.name} is not in requirements.txt"
        assert pinned in requirement.specifier, f"{requirement} does not permit the pinned {pinned}"


@pytest.mark.parametrize(
    "file", sorted((ROOT / "docker" / "torch").glob("*.txt")), ids=lambda file: file.stem
)
def test_the_image_has_the_pinned_torch(file: Path) -> None:
    image = pins(file)
    assert image["torch"].public == str(PINS["torch"])
    assert image.keys() & PINS.keys() == {"torch"}


def test_the_version_is_the_same_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    released = re.search(r"^## \[(\d[^\]]*)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
    assert released is not None
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert released[1] == __version__
    assert str(citation["version"]) == __version__
    assert str(citation["date-released"]) == released[2]


@pytest.mark.parametrize("name", PROJECT["scripts"])
def test_console_scripts_print_their_help(name: str) -> None:
    script = EntryPoint(name, PROJECT["scripts"][name], "console_scripts")
    assert callable(script.load())
    start = (
        f"import sys; from {script.module} import {script.attr}; sys.argv[1:] = ['--help']; {script.attr}()"
    )
    printed = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True).stdout
    assert script.module.removesuffix(".__main__") in printed


def hook_commands() -> list[list[str]]:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert all(hook["language"] == "system" for hook in hooks)
    return [hook["entry"].split() for hook in hooks]


def test_hooks_run_the_pinned_tools_of_the_linter() -> None:
    folders, tools = zip(*(command[0].rsplit("/", 1) for command in hook_commands()), strict=True)
    assert set(folders) == {".venv/bin"}
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert set(tools) == set(re.findall(r"\$\(BIN\)/(\S+)", recipe))
    for tool in {*tools, "pre-commit"}:
        assert Version(version(tool)) == PINS[tool], f"make setup installs {tool} {PINS[tool]}"


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "--dry-run", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_table2_trains_every_mode_of_the_paper_and_every_peer() -> None:
    command = make("--old-file=setup", "table2").stdout
    listed = dict(word.split("=") for word in command.split() if re.match("(dataset|mode|protocol)=", word))
    compared = [name for name, mode in modes().items() if mode.origin in ("paper", "peer")]
    assert listed == {
        "dataset": ",".join(name for name in datasets() if name != "table"),
        "mode": ",".join(compared),
        "protocol": "paper,holdout",
    }
    assert {"do", "lightgbm"} <= {*compared}
    assert not {"both_fool", "ctgan"} & {*compared}


def test_a_fresh_clone_is_set_up_before_modes_are_listed(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    made = make("setup", folder=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    assert "--requirement requirements.txt" in made.stdout
    listed = make("table2", folder=tmp_path)
    assert listed.returncode != 0
    assert "cannot list: datasets" in listed.stderr


@pytest.fixture
def entrypoint(tmp_path: Path) -> Entrypoint:
    """Run the image's entry point with a `python` that prints its arguments."""
    (tmp_path / "python").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "python").chmod(0o755)

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{tmp_path}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", str(ENTRYPOINT), *arguments],
            env={"PATH": path, **environment},
            cwd="/",  # as in the image
            capture_output=True,
            text=True,
        )

    return run


UNMOUNTED = "/never-mounted"
MOUNTED = "/dev/shm"
ALLOW = {"ADVERSARIAL_OVERSAMPLING_ALLOW_UNMOUNTED": "1"}


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], "train"),
        (["mode=do", "seed=1"], "train mode=do seed=1"),
        (["report"], "report /multirun --output /multirun/report"),
        (["report", "/data/runs"], "report /data/runs"),
        (["dashboard", "me/project"], "tracking.dashboard me/project"),
    ],
)
def test_the_first_argument_chooses_the_command(
    entrypoint: Entrypoint, arguments: list[str], command: str
) -> None:
    assert entrypoint(*arguments, **ALLOW).stdout == f"-m adversarial_oversampling.{command}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "mode=q,do", f"paths.output_dir={UNMOUNTED}/runs"],
        [f"hydra.run.dir={UNMOUNTED}"],
        ["-m", f"paths.output_dir={MOUNTED}", "hydra.sweep.dir=/dev-beside"],
        ["-m", "hydra.sweep.dir=/dev-beside", f"paths.output_dir={MOUNTED}"],
        [f"paths.output_dir={MOUNTED}", "hydra.run.dir=never-mounted"],
        ["paths.output_dir=never-mounted"],
        ["paths.output_dir=."],
        [f"paths.output_dir={MOUNTED}/../../never-mounted"],
        [f"paths.output_dir={MOUNTED}", "++hydra.run.dir=/never-mounted"],
        ["--multirun", f"hydra.run.dir={MOUNTED}", "paths.output_dir=never-mounted"],
        [f"hydra.sweep.dir={MOUNTED}", "paths.output_dir=never-mounted"],
        ["hydra.run.dir=${paths.output_dir}/run", "paths.output_dir=never-mounted"],
        ["report", MOUNTED, "--output", "never-mounted"],
        ["report", "/etc"],
        ["report", "/etc", MOUNTED],
        ["report", "--wandb", "me/project", "/etc"],
        ["report", MOUNTED, "--output", f"{UNMOUNTED}/report"],
        ["report", MOUNTED, f"--output={UNMOUNTED}/report"],
    ],
)
def test_output_outside_mounted_folders_is_refused(entrypoint: Entrypoint, arguments: list[str]) -> None:
    refused = entrypoint(*arguments)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert re.fullmatch(r'Error: nothing is mounted at /.*-v "\$PWD/multirun:/.*\n', refused.stderr)
    assert entrypoint(*arguments, **ALLOW).returncode == 0


@pytest.mark.skipif(Path("/multirun").exists(), reason="/multirun exists here")
@pytest.mark.parametrize("arguments", [[], ["mode=do"], ["report"]])
def test_the_default_folder_is_multirun(entrypoint: Entrypoint, arguments: list[str]) -> None:
    refused = entrypoint(*arguments)
    assert refused.returncode == 1
    assert "nothing is mounted at /multirun" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [f"paths.output_dir={MOUNTED}"],
        [f"paths.output_dir={MOUNTED}/runs"],
        [f"paths.output_dir=..{MOUNTED}/runs"],
        [f"hydra.run.dir={MOUNTED}/run", "paths.output_dir=never-mounted"],
        ["hydra.run.dir=${paths.output_dir}/run", f"paths.output_dir={MOUNTED}"],
        ["--help"],
        ["mode=do", "--cfg", "job"],
        ["-m", "--info=searchpath"],
        ["report", "--help"],
        ["report", "/data/runs", "--output", f"{MOUNTED}/report"],
        ["report", MOUNTED, "/etc"],
        ["report", MOUNTED],
        ["report", "--wandb", "me/project", MOUNTED],
        [f"paths.output_dir={MOUNTED}", "hydra.sweep.dir=/of-sweeps-only"],
        ["-m", f"hydra.sweep.dir={MOUNTED}/runs"],
        ["dashboard", "me/project"],
    ],
)
@pytest.mark.skipif(not os.path.ismount(MOUNTED), reason=f"{MOUNTED} is no mount here")
def test_mounted_folders_and_commands_that_only_print_are_accepted(
    entrypoint: Entrypoint, arguments: list[str]
) -> None:
    accepted = entrypoint(*arguments)
    assert (accepted.returncode, accepted.stderr) == (0, "")
    assert accepted.stdout.startswith("-m adversarial_oversampling.")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_the_user_cannot_write_is_refused(entrypoint: Entrypoint) -> None:
    refused = entrypoint("paths.output_dir=/proc/runs")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert re.fullmatch(r"Error: /proc is not writable for user \d+: .*--user .*\n", refused.stderr)


def test_the_image_starts_with_the_entry_point() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["tini", "--", "entrypoint.sh"]' in dockerfile
    assert "/multirun" not in dockerfile.partition("VOLUME")[2].partition("\n")[0]
    assert os.access(ENTRYPOINT, os.X_OK)
