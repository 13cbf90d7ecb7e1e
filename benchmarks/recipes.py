"""Search the settings of every dataset and mode on validation rows, and write them into the configuration.

    python benchmarks/recipes.py haberman pima --stages q do ao

The first stage, q, chooses Q's settings of a dataset for all modes: every trial trains q, ro and do, and
the mean of their validation ACSA counts. It changes `conf/dataset/DATASET.yaml`. Every other stage is a
mode: its own settings are searched and written to `conf/recipe/DATASET/MODE.yaml`. The spaces are those
of `conf/hparams_search`; the budget stands below. Seeds are 1000 and above, and no test row is looked
at. The same command continues an interrupted search.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.config.resolvers import register

CONF = Path(__file__).parents[1] / "conf"
SETTINGS = ("hydra.sweeper.n_trials=25", "replicas=5", "trainer.max_epochs=50")
# A tenth of Credit's rows, fewer epochs and trials: its whole table takes a hundred times as long.
CREDIT = ("hydra.sweeper.n_trials=15", "replicas=5", "trainer.max_epochs=15", "dataset.split.test_size=0.9")
SPACES = {
    **dict.fromkeys(("do", "ao", "both_fool", "both_favour"), "game"),
    **dict.fromkeys(("smote", "bsmote", "adasyn"), "resampling"),
    **{
        name: name
        for name in (
            *("gamo", "lightgbm", "threshold_lightgbm", "xgboost"),
            *("balanced_forest", "easy_ensemble", "logistic"),
        )
    },
}
"""The space of every mode that has settings of its own."""


def search(dataset: str, stage: str, runs: Path) -> optuna.Study:
    """Run a search to its end and return its study."""
    name = f"{dataset}-{stage}"
    space, mode = ("q", "q,ro,do") if stage == "q" else (SPACES[stage], stage)
    command = [
        *(sys.executable, "-m", "adversarial_oversampling.train", "-m"),
        *(f"dataset={dataset}", f"mode={mode}", f"hparams_search={space}"),
        *(CREDIT if dataset == "credit" else SETTINGS),
        f"hydra.sweeper.study_name={name}",
        "hydra.sweeper.sampler.seed=0",
        "logger=none",
        "~recipe",  # that an earlier search has written
        f"paths.output_dir={runs / dataset}",
        "trainer.enable_progress_bar=false",
    ]
    if stage == "q" and dataset == "credit":
        command.append("dataset.training.batch_size=choice(256,512,1024)")
    print(" ".join(command[1:]), flush=True)
    subprocess.run(command, check=True)
    return optuna.load_study(study_name=name, storage=f"sqlite:///{runs / dataset / 'optuna.db'}")


def rounded(value: Any) -> Any:
    """Return a number with three digits, and anything else as it is."""
    return float(f"{value:.3g}") if isinstance(value, float) else value


def write_dataset(dataset: str, study: optuna.Study) -> None:
    """Put Q's settings into the file of a dataset."""
    file = CONF / "dataset" / f"{dataset}.yaml"
    text = file.read_text()
    settings = {**study.best_params, "dataset.training.settings_compared": len(study.trials)}
    for key, value in settings.items():
        name = key.rpartition(".")[2]
        text, found = re.subn(rf"(?m)^(  {name}:) \S+", rf"\1 {rounded(value)}", text)
        if not found:  # a file that builds on another one
            section = key.split(".")[1]
            text = re.sub(rf"(?m)^({section}:\n)", rf"\1  {name}: {rounded(value)}\n", text)
    file.write_text(text)


def write_recipe(dataset: str, mode: str, study: optuna.Study) -> None:
    """Write the best settings of a mode on a dataset."""
    cfg = compose_train([f"dataset={dataset}", f"mode={mode}"])
    shared = 0 if "estimator" in cfg.mode else cfg.dataset.training.settings_compared
    trials = len(study.trials)
    best, first = (100 * (value or float("nan")) for value in (study.best_value, study.trials[0].value))
    lines = [
        "# @package _global_",
        f"# The best of {trials} settings that were tried on validation rows, by",
        f"# python benchmarks/recipes.py {dataset} --stages {mode}",
        f"# Mean validation ACSA: {best:.2f} %; of the default settings, {first:.2f} %.",
    ]
    settings = {"mode.settings_compared": shared + trials, **study.best_params}
    recipe = OmegaConf.create({})
    for key, value in settings.items():
        OmegaConf.update(recipe, key, rounded(value))
    folder = CONF / "recipe" / dataset
    folder.mkdir(exist_ok=True)
    (folder / f"{mode}.yaml").write_text("\n".join([*lines, OmegaConf.to_yaml(recipe)]))


def main() -> None:
    """Run the stages for each dataset, in the given order."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--stages", nargs="+", choices=["q", *SPACES], default=["q", *SPACES])
    parser.add_argument(
        "--runs", type=Path, default=Path("multirun", ".searches"), help="folder of the trials"
    )
    options = parser.parse_args()
    register()
    for dataset in options.datasets:
        for stage in options.stages:
            study = search(dataset, stage, options.runs.absolute())
            if stage == "q":
                write_dataset(dataset, study)
            else:
                write_recipe(dataset, stage, study)


if __name__ == "__main__":
    main()
