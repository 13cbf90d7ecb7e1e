"""Compose the configuration of `train` from the YAML files."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.conf import HydraConf
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling.config.quoting import quoted
from adversarial_oversampling.errors import InputError

PACKAGE = Path(__file__).parents[1]


def config_dir() -> str:
    """Return the folder of the suite's YAML files: inside an installed package, else in the project."""
    installed = PACKAGE / "conf"
    return str(installed if installed.is_dir() else PACKAGE.parents[1] / "conf")


def added_folders(hydra: DictConfig | HydraConf) -> list[str]:
    """Return the folders that `--config-dir` and `hydra.searchpath` add to the suite's, in order.

    Raises
    ------
    InputError
        If there is no such folder, or one has a file that Hydra would not read, as the suite's has its name.
    """
    sources = [source.path for source in hydra.runtime.config_sources if source.schema == "file"]
    for path in sources:
        if not Path(path).is_dir():
            raise InputError(f"hydra.searchpath: {path} is no folder; give one with the folders of groups.")
    added = [path for path in sources if Path(path).resolve() != Path(config_dir())]
    for name in suite_files() if added else ():
        for path in added:
            if (hidden := Path(path, name)).is_file():
                raise InputError(f"{hidden}: the suite's {name} would be used; give your file another name.")
    return added


@cache
def suite_files() -> list[str]:
    """Return the suite's config files, such as "mode/do.yaml"."""
    return sorted(file.relative_to(config_dir()).as_posix() for file in Path(config_dir()).glob("**/*.yaml"))


def task_overrides(hydra: DictConfig | HydraConf) -> list[str]:
    """Return the overrides of a command or a job as they were given, with `${...}` as it is."""
    overrides: Any = OmegaConf.to_container(hydra.overrides.task)
    return list(map(str, overrides))


def without_hydra(config: DictConfig) -> DictConfig:
    """Return the settings of a run from a configuration that holds Hydra's own settings too."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def config_files(group: str, folders: Sequence[str] = ()) -> dict[str, Path]:
    """Return the choices of a config group and the file of each, the suite's files first.

    Parameters
    ----------
    group : str
        Such as "mode".
    folders : sequence of str
        Folders added to the suite's, as in `paths.config_dirs`.
    """
    files: dict[str, Path] = {}
    for folder in (config_dir(), *folders):
        for file in sorted(Path(folder, group).glob("*.yaml")):
            files.setdefault(file.stem, file)  # Hydra also takes the first
    return files


def compose_train(overrides: Sequence[str], folders: Sequence[str] = ()) -> DictConfig:
    """Compose the configuration of `train`; this also works inside a running Hydra application.

    Parameters
    ----------
    overrides : sequence of str
        As on the command line.
    folders : sequence of str
        Folders that are searched beside the suite's.
    """
    search = [f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in folders)}]"] if folders else []
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().hydra = None
    try:
        with initialize_config_dir(config_dir(), version_base="1.3"):
            return compose("train", overrides=[*search, *quoted(overrides)])
    finally:
        GlobalHydra.instance().hydra = outer  # Hydra has put another instance there


@cache
def default_config(choices: tuple[str, ...] = (), folders: tuple[str, ...] = ()) -> DictConfig:
    """Return the default settings for some choices of groups. Copy the result before changing it."""
    return compose_train(choices, folders)
