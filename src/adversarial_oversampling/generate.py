"""Generate rows of a class with a finished run: the command `python -m adversarial_oversampling.generate`."""

import argparse
from pathlib import Path

import pandas as pd

from adversarial_oversampling.data.reading import dialect
from adversarial_oversampling.data.table import to_frame
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.guard import guard
from adversarial_oversampling.limits import Number
from adversarial_oversampling.results.files import RESULT, check_output, write_frame
from adversarial_oversampling.results.model import TrainedModel, provenance
from adversarial_oversampling.results.read import check_output_of_run, read_result
from adversarial_oversampling.text import count, user_path


def generate(
    run: Path, label: str, rows: int, replica: str = "best", seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Generate rows of a class.

    Parameters
    ----------
    run : Path
        Folder of a finished run of a mode with a generator.
    label : str
        The class.
    rows : int
        How many, >= 1.
    replica : str
        `best`, the replica with the highest ACSA on the rows that chose its epoch, or the seed of a replica.
    seed : int
        Of the noise.

    Returns
    -------
    rows : DataFrame
        The table's columns, and the class in a column of the target's name.
    provenance : DataFrame
        What each row was made from: `generated` (its number), `real` (a row number in the run's table) and
        `weight` (its convex weight, above 0).

    Raises
    ------
    InputError
        If the run has no generator, or there is no such class or replica.
    """
    Number(int, minimum=1).check("--rows", rows)
    Number(int, minimum=0).check("--seed", seed)
    result = read_result(run / RESULT)
    if label not in result.classes:
        raise InputError(f"--class {label}: {run} has the classes {', '.join(result.classes)}.")
    model = TrainedModel.load(run)
    if replica == "mean":
        raise InputError("--replica mean: rows come from one generator; give best or a seed.")
    made = model.generate(result.classes.index(label), rows, seed, model.chosen(replica)[0])
    frame = to_frame(made.cells, model.columns)
    target = result.config["dataset"].get("target") or "class"
    frame[target] = label
    return frame, provenance(made.weights, made.anchors)


@guard()
def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m adversarial_oversampling.generate", description=str(__doc__).partition(":")[0] + "."
    )
    parser.add_argument("run", type=user_path, help="folder of a finished run of a mode with a generator")
    parser.add_argument("--class", dest="label", required=True, help="the class")
    parser.add_argument("--rows", type=int, required=True, help="how many rows")
    parser.add_argument("--output", type=user_path, required=True, help="a .parquet, .feather or .csv file")
    parser.add_argument(
        "--provenance",
        type=user_path,
        help="file of the real rows that each row combines, with their weights; by default the output's name "
        "with .provenance.parquet",
    )
    parser.add_argument("--replica", default="best", help="best (default), or the seed of a replica")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    options = parser.parse_args()
    origin_file = options.provenance or options.output.with_name(f"{options.output.name}.provenance.parquet")
    check_output(options.output)
    check_output(origin_file, options.output)
    result = read_result(options.run / RESULT)
    for output in (options.output, origin_file):
        check_output_of_run(options.run, result, output)
    rows, origin = generate(options.run, options.label, options.rows, options.replica, options.seed)
    write_frame(origin, origin_file)
    settings = result.config["dataset"]  # so that the file can be read as the table was
    write_frame(rows, options.output, *dialect(settings.get("separator"), settings.get("decimal")))
    made = f"{count(len(rows), 'row')} of class {options.label}"
    print(f"{made} in {options.output}, their origin in {origin_file}.")


if __name__ == "__main__":
    main()
