"""Predict new rows with a finished run: the command `python -m adversarial_oversampling.predict`."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from adversarial_oversampling.data.reading import read_rows
from adversarial_oversampling.guard import guard
from adversarial_oversampling.results.files import RESULT, check_output, write_frame
from adversarial_oversampling.results.model import Predictor, TrainedModel
from adversarial_oversampling.results.read import check_output_of_run, read_result
from adversarial_oversampling.text import count, user_path


def predict(run: Path, rows: Path, replica: str = "mean") -> pd.DataFrame:
    """Return a run's predictions for the rows of a file.

    Parameters
    ----------
    run : Path
        Folder of a finished run.
    rows : Path
        CSV, Parquet or Feather file with the columns of the run's table, in any order.
    replica : str
        `mean` averages the probabilities of all replicas, `best` takes the replica with the highest ACSA on
        the rows that chose its epoch, and a number takes the replica of that seed.

    Returns
    -------
    DataFrame
        A row per row of the file: `predicted`, and `p_CLASS`, the probability of each class.

    Raises
    ------
    InputError
        If the run has no model, or the file lacks one of its columns or has a cell that does not fit.
    """
    result = read_result(run / RESULT)
    cfg = OmegaConf.create(result.config)
    model: Predictor
    if "estimator" in cfg.mode:
        from adversarial_oversampling.training.peers import RefittedPeers  # imports other libraries

        model = RefittedPeers(cfg, result)
    else:
        model = TrainedModel.load(run)
    x = read_rows(rows, model.columns, cfg.dataset)
    chosen = model.chosen(replica)
    names = np.array(model.classes)
    blocks = list(model.predict(x, chosen, mean=len(chosen) > 1))
    predicted = np.concatenate([block.predicted[0] for block in blocks])
    probabilities = np.concatenate([block.probabilities[0].numpy() for block in blocks])
    frame = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in names])
    frame.insert(0, "predicted", names[predicted])
    return frame


@guard()
def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m adversarial_oversampling.predict", description=str(__doc__).partition(":")[0] + "."
    )
    parser.add_argument("run", type=user_path, help="folder of a finished run")
    parser.add_argument(
        "rows", type=user_path, help="CSV, Parquet or Feather file with the columns of the table"
    )
    parser.add_argument("--output", type=user_path, required=True, help="a .parquet, .feather or .csv file")
    parser.add_argument(
        "--replica",
        default="mean",
        help="mean: average the probabilities of all replicas (default); best: the replica with the highest "
        "ACSA on the rows that chose its epoch; a number: the replica of that seed",
    )
    options = parser.parse_args()
    check_output(options.output, options.rows)
    check_output_of_run(options.run, read_result(options.run / RESULT), options.output)
    frame = predict(options.run, options.rows, options.replica)
    write_frame(frame, options.output)
    counts = ", ".join(f"{n} {name}" for name, n in frame["predicted"].value_counts().items())
    print(f"{count(len(frame), 'row')}: {counts}. Written to {options.output}.")


if __name__ == "__main__":
    main()
