"""The documentation cannot drift: its commands compose, and what it names exists."""

import importlib
import inspect
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

import adversarial_oversampling
from adversarial_oversampling.config.catalogue import datasets, modes
from adversarial_oversampling.config.compose import compose_train, config_dir, config_files
from adversarial_oversampling.config.validation import check, check_overrides
from adversarial_oversampling.results.schema import Result

ROOT = Path(__file__).parents[1]
PACKAGE = "adversarial_oversampling"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "multirun" / "README.md"]
PAGES += [ROOT / "notebooks" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TRAIN = {"adversarial-oversampling", f"{PACKAGE}.train"}
COMMANDS = {
    "adversarial-oversampling-report": f"{PACKAGE}.report.__main__",
    "adversarial-oversampling-dashboard": f"{PACKAGE}.tracking.dashboard",
}
PLACEHOLDER = re.compile(r"\b[A-Z][A-Z_]{2,}\b|\.\.\.")
FOLDERS = ("benchmarks", "conf", "docker", "docs", "notebooks", "src", "tests", ".ci", ".github")


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code_blocks(text: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```", text, flags=re.M | re.S)


def code_spans(text: str) -> list[str]:
    prose = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", prose)


def command_lines(page: Path) -> Iterator[list[str]]:
    """Every command of a page, in words; comments and line continuations are taken out."""
    text = page.read_text()
    for block in code_blocks(text):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                yield words(line.removeprefix("$ "))
    for span in code_spans(text):
        if " " in span:
            yield words(span)


def words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # no command: an apostrophe in a formula
        return []


def training_commands(page: Path) -> list[list[str]]:
    """The arguments of every command of a page that trains."""
    commands = []
    for line in command_lines(page):
        starts = [i for i, word in enumerate(line) if word in TRAIN]
        if starts and not {"build", "--entrypoint"} & set(line):
            commands.append(line[starts[-1] + 1 :])
        if line[:1] == ["make"] and line[1] not in ("bench", "recipes"):
            given = [word.removeprefix("ARGS=") for word in line if word.startswith("ARGS=")]
            sweep = ["-m"] if line[1] in ("table2", "figure2") else []
            commands += [sweep + shlex.split(text) for text in given if "tests/" not in text]
    return [command for command in commands if command[:1] not in (["report"], ["dashboard"])]


ALL_COMMANDS = [(page, command) for page in PAGES for command in training_commands(page)]


@pytest.mark.parametrize(
    ("page", "arguments"),
    ALL_COMMANDS,
    ids=[f"{page_id(page)}: {' '.join(command)}" for page, command in ALL_COMMANDS],
)
def test_every_command_composes(page: Path, arguments: list[str]) -> None:
    flags = {"-m", "--multirun", "--help", "--cfg", "--resolve", "--config-dir", "job"}
    overrides = [word for word in arguments if word not in flags and not PLACEHOLDER.search(word)]
    overrides = [word for word in overrides if "$" not in word and word not in ("&&", "||", ";", "|", "#")]
    check_overrides([word for word in arguments if word in flags - {"--config-dir"}] + overrides)
    unknown = [word for word in overrides if "=" not in word and not word.startswith("~")]
    assert not unknown, f"no override: {unknown}"
    settings = [word for word in overrides if not word.startswith("hydra.")]
    sweep = "-m" in arguments or "--multirun" in arguments
    options = [chosen for word in settings if (chosen := choices(word) if sweep or "," in word else [word])]
    for i in range(max(map(len, options), default=1)):  # every choice once
        check(compose_train([chosen[i % len(chosen)] for chosen in options]))
    if extra := [word for word in overrides if word.startswith("hydra.")]:
        launcher = [word for word in settings if word.startswith(("launcher=", "hparams_search="))]
        compose_train([*[choices(word)[0] for word in launcher], *extra])


def choices(word: str) -> list[str]:
    """The overrides that a sweep makes of one."""
    key, _, value = word.partition("=")
    if value.startswith(("tag(", "int(", "interval(")):  # of a search
        return [f"{key}={re.findall('[0-9.]+', value)[-1]}"]
    if value.startswith(("[", "{", "glob(", "range(")) or "," not in value:
        return [word] if not value.startswith(("glob(", "range(")) else []
    return [f"{key}={choice}" for choice in value.split(",")]


def test_what_does_not_exist_is_noticed() -> None:
    assert is_key("mode.rules.generated_weight")
    assert is_key("players.PLAYER.width")
    assert not is_key("dataset.preprocessing.imputer_neighbors")
    assert is_code("game.losses.favour")
    assert is_code("Game.generate")
    assert not is_code("game.losses.no_such_loss")
    assert not is_code("NoSuchClass")
    assert is_field("replicas")
    assert not is_field("no_such_field")


def test_there_are_commands_to_test() -> None:
    assert len(ALL_COMMANDS) > 40
    assert any("-m" in command for _, command in ALL_COMMANDS)


@cache
def known_keys() -> frozenset[str]:
    """Every key of every configuration: all choices of all groups, and Hydra's own."""
    keys: set[str] = set()
    several = [[f"mode={mode}"] for mode in modes()] + [[f"dataset={dataset}"] for dataset in datasets()]
    groups = ("gan_type", "fs", "protocol", "trainer", "logger")
    several += [[f"{group}={name}"] for group in groups for name in config_files(group)]
    for overrides in several:
        keys |= set(flat_keys(compose_train(overrides)))
    return frozenset(keys)


def flat_keys(cfg: DictConfig, prefix: str = "") -> Iterator[str]:
    for name in cfg:
        key = f"{prefix}{name}"
        yield key
        node = OmegaConf.to_container(cfg, resolve=False)
        assert isinstance(node, dict)
        if isinstance(node[name], dict):
            yield from flat_keys(cfg[name], f"{key}.")


def is_key(name: str) -> bool:
    """Whether a name is a config key, or the end of one where it starts with a dot."""
    if name.startswith("hydra."):
        return True
    if name.startswith("."):
        return any(key.endswith(name) for key in known_keys())
    pattern = re.compile(PLACEHOLDER.sub(r"\\w+", re.escape(name)))
    return any(pattern.fullmatch(key) for key in known_keys())


@cache
def all_modules() -> dict[str, Any]:
    folder = Path(adversarial_oversampling.__file__).parent
    names = [
        ".".join(file.relative_to(folder.parent).with_suffix("").parts).removesuffix(".__init__")
        for file in folder.rglob("*.py")
    ]
    return {name: importlib.import_module(name) for name in sorted(names) if "__main__" not in name}


def is_code(name: str) -> bool:
    """Whether a dotted name is a module, class, function or attribute below the package."""
    name = name.removeprefix(f"{PACKAGE}.").removesuffix("()").split("(")[0]
    parts = name.split(".")
    for module_name, module in all_modules().items():
        relative = module_name.removeprefix(PACKAGE).lstrip(".")
        tail = relative.split(".") if relative else []
        if parts == tail or (len(parts) == 1 and parts[0] == tail[-1:]):
            return True
        rest = parts[len(tail) :] if tail and parts[: len(tail)] == tail else parts
        if rest and has_attributes(module, rest):
            return True
    return False


def has_attributes(owner: Any, names: list[str]) -> bool:
    for name in names:
        annotations = inspect.get_annotations(owner) if isinstance(owner, type) else {}
        fields = getattr(owner, "model_fields", {})
        if not hasattr(owner, name) and name not in annotations and name not in fields:
            return False
        owner = getattr(owner, name, None)
    return True


def names_of(page: Path) -> set[str]:
    """Code spans of a page that look like a key, a class or a dotted name."""
    names = set()
    for span in code_spans(page.read_text()):
        name = span.split("=")[0] if re.match(r"[\w.]+=", span) else span
        dotted = re.fullmatch(r"\.?[A-Za-z_]\w*(\.[A-Za-z_]\w*)+(\(\))?|\.[a-z_]+", name)
        if name in HIDDEN_FILES:
            continue
        a_class = re.fullmatch(r"[A-Z][a-z]+[A-Z]\w+(\.\w+)*", name)
        if (dotted or a_class) and Path(name).suffix.lstrip(".") not in FILE_ENDINGS:
            names.add(name)
    return names


FILE_ENDINGS = ("py", "md", "yaml", "yml", "json", "parquet", "pt", "log", "csv", "tex", "png", "svg", "txt")
FILE_ENDINGS += ("html", "data", "tsv", "toml", "ipynb", "sh", "sbatch", "cff", "db", "ckpt", "zip", "lock")
HIDDEN_FILES = (".lock", ".venv", ".hydra", ".sweeps", ".new")
# Names of other libraries and tools.
FOREIGN = re.compile(
    r"(resolved|torch|pytorch_lightning|imblearn|sklearn|lightgbm|optuna|wandb|pandas|numpy|ray|runs|result|python\d|"
    r"scipy|joblib|omegaconf|pytest|matplotlib)\.|"
    r"KNNImputer|StandardScaler|QuantileTransformer|RandomOverSampler|BorderlineSMOTE|WandbLogger|ValueError|"
    r"LightGBMError|JupyterLab|RuntimeError|StratifiedKFold|LightningDataModule|LightningModule|LogisticRegression|"
    r"BalancedRandomForestClassifier|EasyEnsembleClassifier|LGBMClassifier|AdamW|DataFrame|ModelCheckpoint|"
    r"OneHotEncoder|TPESampler|BuildKit|GridSearchCV"
)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_what_a_page_names_exists(page: Path) -> None:
    missing = [
        name
        for name in sorted(names_of(page))
        if not FOREIGN.match(name) and not is_key(name) and not is_code(name) and not is_field(name)
    ]
    assert not missing


def is_field(name: str) -> bool:
    """Whether a name is a field of result.json."""
    owner: Any = Result
    for part in name.lstrip(".").split("."):
        fields = getattr(owner, "model_fields", {})
        if part not in fields:
            return False
        owner = fields[part].annotation
    return True


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_files_that_a_page_names_exist(page: Path) -> None:
    missing = []
    for span in code_spans(page.read_text()):
        for word in span.split():
            path = word.split("=")[-1].strip("\"',;:")
            if path.split("/")[0] in FOLDERS and "/" in path and not PLACEHOLDER.search(path):
                path = path.split("@")[0].split("::")[0]
                if not list(ROOT.glob(path.rstrip("/"))):
                    missing.append(path)
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_resolve(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", page.read_text())):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as forges make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ +(.+)$", text, flags=re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "") for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


WRITTEN_BY_A_PROGRAM = {ROOT / "docs" / "api.md", ROOT / "docs" / "results" / "README.md"}


@pytest.mark.parametrize("page", [page for page in PAGES if page not in WRITTEN_BY_A_PROGRAM], ids=page_id)
def test_lines_of_prose_fit_an_editor(page: Path) -> None:
    prose = re.sub(r"^```\w*\n.*?^```", "", page.read_text(), flags=re.M | re.S)
    long = [
        line for line in prose.splitlines() if len(line) > 120 and not line.startswith(("|", "  |", "!["))
    ]
    assert long == []


def test_every_mode_has_a_page_and_every_page_is_in_the_index() -> None:
    folder = ROOT / "docs" / "methods"
    index = (folder / "README.md").read_text()
    for mode in modes():
        assert f"`{mode}`" in index, mode
    for page in folder.glob("*.md"):
        assert page.name == "README.md" or f"({page.name}" in index, page.name
    whole = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name}" in whole, page.name


def test_scripts_are_named_as_they_are() -> None:
    for script, module in COMMANDS.items():
        assert callable(importlib.import_module(module).main), script
    assert Path(config_dir(), "train.yaml").is_file()


@pytest.mark.skipif(not (ROOT / ".venv" / ".ready").is_file(), reason="the set-up was not made by make")
def test_the_two_commands_of_the_readme_run(tmp_path: Path) -> None:
    """As printed, but for the folder of the result and the choice of the tests."""
    first, second = code_blocks((ROOT / "README.md").read_text())[0].split("\n")[:2]
    assert first == 'make train ARGS="dataset=haberman mode=do"'
    assert second == "make test"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    for arguments in (
        ["train", f"ARGS=dataset=haberman mode=do hydra.run.dir={tmp_path}/run"],
        ["test", f"ARGS=-n 0 -p no:cacheprovider --basetemp={tmp_path}/nested tests/test_shard.py"],
    ):
        done = subprocess.run(
            ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "run" / "result.json").is_file()
