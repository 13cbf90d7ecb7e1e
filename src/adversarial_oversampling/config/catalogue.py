"""Titles, order and style of every mode and dataset, read from the `description` in its YAML file.

Tables, figures, dashboard views and the help text use them. Files in a folder given with `--config-dir` are
treated like those of the suite.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adversarial_oversampling.config.compose import config_files
from adversarial_oversampling.errors import InputError, parsing

ORIGINS = {
    "paper": "compared in the paper",
    "combination": "the two combinations of terms that the paper leaves out",
    "peer": "not in the paper",
    "extra": 'not in the paper, with a package of pip install ".[peers]"',
}
Origin = Literal["paper", "combination", "peer", "extra"]
Color = Literal["ink", "muted", "blue", "orange", "red", "green", "purple", "sky"]
LineStyle = Literal["solid", "dashed", "dashdot", "dotted"]


class Description(BaseModel):
    """Settings that describe and change no result."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ModeDescription(Description):
    """What tables, figures and the help text say of a mode."""

    title: str = Field(min_length=1, description="name of the mode in tables and figures")
    order: int = Field(description="place in tables; no two modes share one")
    origin: Origin = Field(
        description="paper, combination (of terms that the paper leaves out), peer or extra"
    )
    help: str = Field(min_length=1, description="one line for the help text")
    color: Color = Field(description="color of its lines in figures, a name of the page's palette")
    linestyle: LineStyle = Field(description="style of its lines in figures")


class DatasetDescription(Description):
    """What tables and figures say of a dataset, and its size."""

    title: str = Field(min_length=1, description="name of the dataset in tables and figures")
    order: int = Field(description="place in tables")
    rows: int | None = Field(None, ge=1, description="size of the table, by which a sweep orders its jobs")
    columns: int | None = Field(None, ge=1, description="likewise")


D = TypeVar("D", bound=Description)


def modes(folders: Sequence[str] = ()) -> dict[str, ModeDescription]:
    """Return the description of every mode, in the order of the tables.

    Parameters
    ----------
    folders : sequence of str
        Folders that are searched beside the suite's.

    Raises
    ------
    InputError
        If a file lacks a field, has an unknown one, is named differently from its mode, or has the title or
        the place of another mode.
    """
    described: dict[str, ModeDescription] = {}
    files = config_files("mode", folders)
    for name, file in files.items():
        node = read_group_file(file, "mode", folders)
        if node.get("name") != name:
            raise InputError(f"{file}: mode.name={node.get('name')}: give it the name of the file, {name}.")
        description = _description(node, ModeDescription, file, "mode")
        for field in ("title", "order"):
            value = getattr(description, field)
            for other in described:
                if getattr(described[other], field) == value:
                    raise InputError(
                        f"{file}: mode.description.{field}={value}: already used in {files[other]}; "
                        "choose another."
                    )
        described[name] = description
    return dict(sorted(described.items(), key=lambda item: item[1].order))


def datasets(folders: Sequence[str] = ()) -> dict[str, DatasetDescription]:
    """Return the description of every dataset, in the order of the tables; see `modes`."""
    described = {
        name: _description(read_group_file(file, "dataset", folders), DatasetDescription, file, "dataset")
        for name, file in config_files("dataset", folders).items()
    }
    return dict(sorted(described.items(), key=lambda item: (item[1].order, item[0])))


@cache
def _loaders() -> dict[str, str]:
    """Return what loads each dataset of the suite."""
    files = config_files("dataset").items()
    return {name: read_group_file(file, "dataset", ())["source"]["_target_"] for name, file in files}


def is_of_suite(dataset: str, source: Mapping[str, Any] | None) -> bool:
    """Return whether a table is the suite's own of this name, by the section `dataset.source`."""
    if source is None or "path" in source:
        return False
    return _loaders().get(dataset) == source.get("_target_")


def suite_datasets() -> list[str]:
    """Return the names of the suite's datasets, in the order of the tables, without `table`."""
    return [name for name in datasets() if name != "table"]


def mode_description(cfg: DictConfig) -> ModeDescription:
    """Return the description of a configuration's mode.

    Raises
    ------
    InputError
        If it lacks a field or has an unknown one.
    """
    return _described(cfg, "mode", ModeDescription)


def dataset_description(cfg: DictConfig) -> DatasetDescription:
    """Return the description of a configuration's dataset; see `mode_description`."""
    return _described(cfg, "dataset", DatasetDescription)


def check_descriptions(cfg: DictConfig) -> None:
    """Check the descriptions of a configuration's dataset and mode, and the mode's against the other modes'.

    Raises
    ------
    InputError
        If a description has a fault. The message names the file and the field.
    """
    dataset_description(cfg)
    mode_description(cfg)
    if cfg.mode.name not in modes(cfg.paths.config_dirs):
        raise InputError(
            f"mode.name={cfg.mode.name}: no mode has this name; write mode/{cfg.mode.name}.yaml and name its "
            "folder with --config-dir."
        )


def _described(cfg: DictConfig, group: str, kind: type[D]) -> D:
    file = config_files(group, cfg.paths.config_dirs).get(cfg[group].name)
    return _description(
        OmegaConf.to_container(cfg[group], resolve=True), kind, file or f"{group}={cfg[group].name}", group
    )


def _description(node: Any, kind: type[D], where: Path | str, group: str) -> D:
    try:
        return kind.model_validate(node.get("description", {}))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join([group, "description", *map(str, first["loc"])])
        known = ", ".join(kind.model_fields)
        match first["type"]:
            case "missing":
                raise InputError(f"{where}: {key}: missing; a description has {known}.") from error
            case "extra_forbidden":
                raise InputError(f"{where}: {key}: unknown field; a description has {known}.") from error
        raise InputError(f"{where}: {key}={first['input']}: {first['msg'].lower()}.") from error


@cache
def _parsed(file: Path, modified: int) -> tuple[str, Any]:
    """Return the text of a config file of some time and what it holds, which is not to be changed."""
    text = file.read_text("utf-8")
    return text, yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}


def read_group_file(file: Path, group: str, folders: Sequence[str]) -> dict[str, Any]:
    """Return the content of a config file merged over the files in its defaults list, without Hydra."""
    with parsing(file, "correct it.", "cannot be read"):
        text, content = _parsed(file, file.stat().st_mtime_ns)
    if not isinstance(content, Mapping):
        raise InputError(f"{file}: give keys and values, as in the other files of {group}.")
    defaults = content.get("defaults") or []
    files = config_files(group, folders) if defaults else {}
    node: dict[str, Any] = {}
    for entry in defaults:
        if isinstance(entry, str) and entry in files and files[entry] != file:
            node = {**node, **read_group_file(files[entry], group, folders)}
    # A file of the package _global_ has its group as a key.
    own = content.get(group, {}) if re.search(r"^# *@package _global_", text, re.M) else content
    description = own.get("description") or {}
    if not isinstance(description, Mapping):
        raise InputError(f"{file}: {group}.description={description}: give keys and values.")
    described = {**node.get("description", {}), **description}
    return {**node, **own, "description": described}
