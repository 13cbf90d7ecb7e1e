"""Write docs/api.md from the docstrings: `python docs/api.py`."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = "adversarial_oversampling"
# Section, introduction, and the objects of each module.
SECTIONS: dict[str, tuple[str, dict[str, list[str]]]] = {
    "Estimators": (
        "For scikit-learn and imbalanced-learn; [python.md](python.md) introduces them.",
        {
            "estimators.classifier": ["AdversarialOversamplingClassifier"],
            "estimators.oversampler": ["AdversarialOversampler"],
            "estimators.parameters": ["GameParameters"],
        },
    ),
    "Runs": (
        "Compose, train, read and use a run.",
        {
            "config.compose": ["compose_train"],
            "training.run": ["train"],
            "results.read": ["read_result"],
            "results.model": ["TrainedModel", "Prediction", "Generated"],
            "predict": ["predict"],
            "generate": ["generate"],
        },
    ),
    "Tables": (
        "From a file or a frame to the rows of every replica.",
        {
            "data.table": ["Table", "Column", "make_table", "to_frame"],
            "data.reading": ["load_table", "read_rows"],
            "data.columns": ["columns_of", "cells"],
            "data.preprocessing": ["Preprocessing", "FittedPreprocessing"],
            "data.splits": ["holdout", "folds"],
            "data.datamodule": ["TableDataModule"],
        },
    ),
    "The game": (
        "The players, their losses and the order of play; [method.md](method.md) explains the equations.",
        {
            "game.module": ["Rules", "Game"],
            "game.networks": ["Classifier", "Discriminator", "Generator"],
            "game.losses": [
                "favour",
                "fool",
                "expectation",
                "complement_entropy",
                "gradient_penalty",
                "Wasserstein",
            ],
            "data.laws": ["real", "balanced", "inverse", "oversampled", "deficit", "to_balance"],
            "random_streams": ["Streams"],
        },
    ),
    "Metrics": (
        "From confusion matrices `[R, C, C]`.",
        {"metrics": ["confusion", "recall", "acsa", "g_mean"]},
    ),
}


def entry(name: str, value: Any, level: int) -> list[str]:
    """Return the lines of an object, and of the public methods that a class defines itself."""
    lines = [
        f"{'#' * level} `{name}{signature(value)}`",
        "",
        "```text",
        inspect.getdoc(value) or "",
        "```",
        "",
    ]
    if inspect.isclass(value) and not issubclass(value, tuple):
        for key, member in vars(value).items():
            function = member.__func__ if isinstance(member, classmethod) else member
            if not key.startswith("_") and inspect.isfunction(function):
                lines += entry(f"{value.__name__}.{key}", function, level + 1)
    return lines


def signature(value: Any) -> str:
    """Return the parameters of a function or a class, without types."""
    names = []
    for parameter in inspect.signature(value).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        plain = parameter.default is parameter.empty or not isinstance(
            parameter.default, str | int | float | None | tuple
        )
        names.append(stars + parameter.name + ("" if plain else f"={parameter.default!r}"))
    return f"({', '.join(names)})"


def page() -> str:
    """Return the page."""
    lines = [
        "# API reference",
        "",
        "R is the number of replicas, S that of seeds (R = S times `members`), B the rows of a batch,",
        "N those of a table, C the classes, d the features, A the anchors. The page is written from the",
        "docstrings by `python docs/api.py`.",
        "",
    ]
    for title, (introduction, modules) in SECTIONS.items():
        lines += [f"## {title}", "", introduction, ""]
        for module, names in modules.items():
            for name in names:
                lines += entry(name, getattr(import_module(f"{PACKAGE}.{module}"), name), 3)
    return "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("api.md").write_text(page())
