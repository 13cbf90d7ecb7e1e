"""Recipes: what they may change, and that the committed results were made with them."""

from functools import cache
from pathlib import Path

import pandas as pd
import yaml
from omegaconf import DictConfig

from adversarial_oversampling.config.compose import compose_train, config_dir, config_files
from adversarial_oversampling.config.identity import config_hash
from adversarial_oversampling.config.validation import check
from adversarial_oversampling.report.per_split import FILE

RESULTS = Path(__file__).parents[2] / "docs" / "results"


@cache
def of_results(dataset: str, mode: str) -> DictConfig:
    """The configuration of a cell of the committed results."""
    return compose_train([f"dataset={dataset}", f"mode={mode}", "replicas=10"])


def test_a_recipe_belongs_to_a_dataset_and_a_mode() -> None:
    """It changes settings of the game or of the estimator, and says how many settings were tried."""
    for file in sorted(Path(config_dir(), "recipe").glob("*/*.yaml")):
        dataset, mode = file.parent.name, file.stem
        assert dataset in config_files("dataset")
        recipe = yaml.safe_load(file.read_text())
        assert recipe.keys() <= {"mode", "players", "gan_type"}, file
        cfg = of_results(dataset, mode)
        check(cfg)
        shared = 0 if "estimator" in cfg.mode else cfg.dataset.training.settings_compared
        assert cfg.mode.settings_compared == recipe["mode"]["settings_compared"] > shared


def test_results_have_the_settings_of_the_configuration() -> None:
    """A recipe that changes makes its results those of other settings: train them again."""
    results = pd.read_csv(RESULTS / FILE, dtype={"config_hash": str})
    cells = results[results["variant"].isna() & (results["protocol"] == "holdout")]
    for (dataset, mode), run in cells.groupby(["dataset", "mode"]):
        assert set(run["config_hash"]) == {config_hash(of_results(dataset, mode))}, (dataset, mode)
