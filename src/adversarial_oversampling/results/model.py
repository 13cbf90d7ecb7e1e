"""A trained game as it is used after training: predictions for new rows, and generated rows.

`model.json` holds its settings and `model.safetensors` its numbers; loading them runs no code from them.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from adversarial_oversampling.config.identity import config_hash
from adversarial_oversampling.data.datamodule import EVALUATION_ROWS, TableDataModule
from adversarial_oversampling.data.preprocessing import FittedPreprocessing, Imputation, Preprocessing, Scaler
from adversarial_oversampling.data.table import Column
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.game.networks import Classifier, Generator, build_players, predict_logits
from adversarial_oversampling.game.thresholds import shifted
from adversarial_oversampling.limits import PLAYERS
from adversarial_oversampling.random_streams import Purpose, Streams
from adversarial_oversampling.results.files import MODEL, RESULT, WEIGHTS
from adversarial_oversampling.results.read import read_file, read_result
from adversarial_oversampling.results.schema import Record, _field

_BLOCK = 65_536  # rows that are preprocessed at once
_PLAYER_KEYS = (
    "width",
    "layers",
    "dropout",
    "conditional",
    "latent",
    "temperature",
    "gumbel",
    "straight_through",
)


class ColumnRecord(Record):
    """A column of the table."""

    name: str = _field("name")
    role: str = _field("numeric, integer, boolean, ordinal, categorical or date")
    categories: list[str] = _field("texts of its categories, in order; empty for numbers and dates")


class ModelRecord(Record):
    """What `model.json` holds."""

    format_version: Literal[1] = _field("version of the two files", default=1)
    dataset: str = _field("name of the dataset")
    mode: str = _field("name of the mode")
    config_hash: str = _field("hash of all settings that shape the result", "hexadecimal")
    classes: list[str] = _field("the classes, the largest first")
    columns: list[ColumnRecord] = _field("the columns of a row")
    preprocessing: dict[str, Any] = _field("what is done to a row before Q sees it")
    players: dict[str, dict[str, Any]] = _field("sizes of the networks")
    generator: bool = _field("whether there is a generator")
    members: int = _field("players of each seed, whose probabilities are averaged", "players", ge=1)
    seeds: list[int] = _field("seed of each replica")
    folds: list[int | None] = _field("fold of each replica; null without cross-validation")
    best_epoch: list[int | None] = _field("epoch of each replica's weights; null if it diverged", "epoch")
    selection_acsa: list[float | None] = _field("ACSA on the rows that chose the epoch", "fraction")
    evaluation_rows: int = _field("rows that are classified at once", "rows", ge=1)


class Prediction(NamedTuple):
    """What the Q of some replicas say of some rows.

    Attributes
    ----------
    predicted : ndarray of int64, shape [S, m]
        Classes.
    probabilities : Tensor of shape [S, m, C]
    """

    predicted: NDArray[np.int64]
    probabilities: Tensor


class Generated(NamedTuple):
    """Generated rows and what they were made from.

    Attributes
    ----------
    rows : ndarray of float32, shape [n, d']
        As Q sees them.
    cells : ndarray of float64, shape [n, d]
        The cells that they stand for (`FittedPreprocessing.inverse`).
    weights : ndarray of float32, shape [n, A]
        Convex weights of the anchors.
    anchors : ndarray of int64, shape [A]
        Row of the table that each anchor is; -1 where a class has fewer anchors, whose weight is 0, and for
        an anchor that is no row of the table.
    """

    rows: NDArray[np.float32]
    cells: NDArray[np.float64]
    weights: NDArray[np.float32]
    anchors: NDArray[np.int64]


def provenance(weights: NDArray[np.float32], anchors: NDArray[np.int64], first: int = 0) -> pd.DataFrame:
    """Return what rows were made from.

    Parameters
    ----------
    weights : ndarray of float32, shape [n, A]
    anchors : ndarray of int64, shape [A]
        As in `Generated`.
    first : int
        Number of the first row.

    Returns
    -------
    DataFrame
        `generated` (number of a row), `real` (a row of the table) and `weight` (above 0).
    """
    row, anchor = np.nonzero(weights)
    columns = {"generated": first + row, "real": anchors[anchor], "weight": weights[row, anchor]}
    return pd.DataFrame(columns)


class Predictor(ABC):
    """What predicts new rows: one classifier per replica, with the preprocessing of its training rows.

    Attributes
    ----------
    columns : tuple of Column
        Of a row.
    classes : sequence of str
        The largest first.
    seeds : sequence of int
        Of the replicas.
    selection_acsa : sequence of (float or None)
        ACSA of each replica on the rows that chose its epoch; None for a replica that cannot predict.
    """

    columns: tuple[Column, ...]
    classes: Sequence[str]
    seeds: Sequence[int]
    selection_acsa: Sequence[float | None]

    @abstractmethod
    def predict(
        self, x: NDArray[np.float64], replicas: Sequence[int], mean: bool = False
    ) -> Iterator[Prediction]:
        """Classify rows `x [n, d]` by some replicas, block by block; with `mean` by their average."""

    @property
    def trained(self) -> list[int]:
        """Numbers of the replicas that can predict."""
        return [s for s, score in enumerate(self.selection_acsa) if score is not None]

    def chosen(self, replica: str) -> list[int]:
        """Return the numbers of the replicas that a choice means: `mean`, `best` or a seed.

        Raises
        ------
        InputError
            If there is no such replica, or it diverged.
        """
        trained = self.trained
        if replica == "mean":
            return trained
        if replica == "best":
            return [max(trained, key=lambda s: self.selection_acsa[s] or 0.0)]
        found = [s for s in trained if str(self.seeds[s]) == replica]
        if not found:
            known = ", ".join(dict.fromkeys(str(self.seeds[s]) for s in trained))
            raise InputError(f"--replica {replica}: choose mean, best, or one of the seeds {known}.")
        return found


@dataclass(eq=False)
class TrainedModel(Predictor):
    """The players of every replica at their best epoch, with the preprocessing of its training rows.

    Attributes
    ----------
    record : ModelRecord
    fitted : list of FittedPreprocessing
        One for each replica.
    arrays : mapping of str to Tensor
        `weights/...` of the players, `log_prior` `[S, C]`, and of the generator `anchors` `[R, C, A, d']` and
        `anchor_rows` `[R, C, A]`.
    """

    record: ModelRecord
    fitted: list[FittedPreprocessing]
    arrays: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        self.columns, self.classes = self.fitted[0].columns, self.record.classes
        self.seeds, self.selection_acsa = self.record.seeds, self.record.selection_acsa

    @classmethod
    def of(
        cls,
        cfg: DictConfig,
        data: TableDataModule,
        weights: Mapping[str, Tensor],
        best_epoch: Sequence[int | None],
        selection_acsa: Sequence[float | None],
    ) -> "TrainedModel":
        """Return the model of a trained game.

        Parameters
        ----------
        cfg : DictConfig
            The whole configuration.
        data : TableDataModule
            What the game was trained on.
        weights : mapping of str to Tensor
            The game's state at the best epoch of each replica.
        best_epoch, selection_acsa : sequence
            As in `MethodOutput`.
        """
        # Q as it was evaluated, and no training state.
        kept = {name: value for name, value in weights.items() if not name.startswith("averaged")}
        for name, value in weights.items():
            if name.startswith("averaged_classifier."):
                kept[name.removeprefix("averaged_")] = value
        arrays = {f"weights/{name}": value.cpu().contiguous() for name, value in kept.items()}
        arrays["log_prior"] = data.log_prior.float()
        generator = any(name.startswith("generator.") for name in kept)
        if generator:
            rows = data.anchor_rows(cfg.players.generator.anchors)
            arrays["anchor_rows"] = torch.where(rows < len(data.table.y), rows, -1)
            arrays["anchors"], arrays["anchor_mask"] = data.anchors(cfg.players.generator.anchors)
        players: Any = OmegaConf.to_container(cfg.players, resolve=True)
        evaluated = data.test_dataloader().rows_at_once if len(data.splits[0].test) else EVALUATION_ROWS
        record = ModelRecord(
            dataset=cfg.dataset.name,
            mode=cfg.mode.name,
            config_hash=config_hash(cfg),
            classes=list(data.table.class_names),
            columns=[
                ColumnRecord(name=column.name, role=column.role, categories=list(column.categories))
                for column in data.table.columns
            ],
            preprocessing=vars(data.preprocessing).copy(),
            players={
                name: {key: value for key, value in players[name].items() if key in _PLAYER_KEYS}
                for name in PLAYERS
            },
            generator=generator,
            members=data.members,
            seeds=data.seeds,
            folds=data.folds,
            best_epoch=[None if epoch is None or epoch < 0 else epoch for epoch in best_epoch],
            selection_acsa=[
                None if score is None or not math.isfinite(score) else score for score in selection_acsa
            ],
            evaluation_rows=evaluated,
        )
        return cls(record, data.fitted, arrays)

    # Predictions.

    def predict(
        self, x: NDArray[np.float64], replicas: Sequence[int], mean: bool = False
    ) -> Iterator[Prediction]:
        """Classify rows, block by block.

        A row's probabilities do not depend on the other rows: every product has the same shape.

        Parameters
        ----------
        x : ndarray of float64, shape [n, d]
            Cells in the order of the columns; NaN is missing.
        replicas : sequence of int
            Numbers of the replicas that predict.
        mean : bool
            Average the replicas' probabilities: S is 1.

        Yields
        ------
        Prediction
        """
        chosen = list(replicas)
        classifier: Classifier = self._players(chosen)["classifier"]
        prior, shift = self.arrays["log_prior"][chosen], self.arrays["weights/shift"][chosen]
        size = self.record.evaluation_rows
        at_once = size * max(1, _BLOCK // size)
        for start in range(0, len(x), at_once):
            block = x[start : start + at_once]
            rows = torch.from_numpy(np.stack([self.fitted[s].transform(block) for s in chosen]))
            parts = []
            for part in torch.split(rows, size, dim=1):
                missing = size - part.shape[1]
                padded = torch.cat([part, part.new_zeros(len(chosen), missing, part.shape[2])], dim=1)
                with torch.no_grad():
                    logits = predict_logits(classifier, padded, self.record.members)
                parts.append(logits[:, : part.shape[1]])
            logits = torch.cat(parts, dim=1)
            deciding = shifted(logits, shift, prior)
            if mean:
                logits, deciding = (
                    values.double().softmax(dim=-1).mean(dim=0, keepdim=True).log()
                    for values in (logits, deciding)
                )
            yield Prediction(deciding.argmax(dim=-1).numpy(), logits.softmax(dim=-1))

    def _members(self, replicas: Sequence[int]) -> list[int]:
        members = self.record.members
        return [replica * members + member for replica in replicas for member in range(members)]

    def _players(self, replicas: Sequence[int]) -> dict[str, Any]:
        """Return the players of some replicas, with their weights."""
        rows = self._members(replicas)
        anchors = None
        if self.record.generator:
            anchors = self.arrays["anchors"][rows], self.arrays["anchor_mask"][rows]
        features = self.arrays["weights/classifier.layers.0.weight"].shape[1]
        streams = Streams(range(len(rows)), Purpose.WEIGHTS)  # overwritten at once
        players = build_players(self.record.players, streams, features, len(self.record.classes), anchors)
        for name, player in players.items():
            prefix = f"weights/{name}."
            weights = {
                key.removeprefix(prefix): v for key, v in self.arrays.items() if key.startswith(prefix)
            }
            player.load_state_dict({key: value[rows] for key, value in weights.items()})
        return players

    # Generated rows.

    def generate(self, label: int, rows: int, seed: int, replica: int = 0, member: int = 0) -> Generated:
        """Generate rows of a class.

        Parameters
        ----------
        label : int
            Index of the class.
        rows : int
            How many.
        seed : int
            Of their noise.
        replica, member : int
            Whose generator makes them.

        Raises
        ------
        InputError
            If the model has no generator.
        """
        if not self.record.generator:
            raise InputError(f"mode={self.record.mode} has no generator; give a run of ao, do or gamo.")
        generator: Generator = self._players([replica])["generator"]
        streams = Streams([seed], Purpose.SAMPLES, members=self.record.members)
        made, weights = [], []
        with torch.no_grad():
            for start in range(0, rows, EVALUATION_ROWS):
                # As many rows in every draw: the first rows are the same, however many are asked for.
                new, used = generator(*generator.noise(streams, EVALUATION_ROWS))
                made.append(new[member, label, : rows - start].numpy())
                weights.append(used[member, label, : rows - start].numpy())
        x = np.concatenate(made) if made else np.empty((0, self.arrays["anchors"].shape[-1]), np.float32)
        used_weights = np.concatenate(weights) if weights else np.empty((0, 0), np.float32)
        anchors = self.arrays["anchor_rows"][self._members([replica])[member], label].numpy()
        return Generated(x, self.fitted[replica].inverse(x), used_weights, anchors)

    # Files.

    def save(self, folder: Path) -> None:
        """Write `model.json` and `model.safetensors` into a folder."""
        arrays = {name: value.contiguous() for name, value in self.arrays.items()}
        arrays["table"] = torch.from_numpy(self.fitted[0].imputation.x)
        for s, fitted in enumerate(self.fitted):
            stored = {"low": fitted.low, "high": fitted.high, "train_rows": fitted.imputation.train_rows}
            stored |= {f"scaler/{name}": value for name, value in fitted.scaler.parameters.items()}
            if fitted.selected is not None:
                stored["selected"] = fitted.selected
            for key, value in stored.items():
                arrays[f"split{s}/{key}"] = torch.from_numpy(np.ascontiguousarray(value))
        (folder / WEIGHTS).write_bytes(safetensors.torch.save(arrays))
        (folder / MODEL).write_text(self.record.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "TrainedModel":
        """Read the model of a finished run's folder.

        Raises
        ------
        InputError
            If there is no finished run or no model, or a file is missing, damaged or of another version.
        """
        folder = Path(folder)
        result = read_result(folder / RESULT)
        if not {MODEL, WEIGHTS} <= result.files.keys():
            raise InputError(
                f"{folder}: there is no {MODEL}: mode={result.mode} keeps none if its classifier is another "
                "library's or no replica has a result."
            )
        record_bytes, weights = (read_file(folder, result, name) for name in (MODEL, WEIGHTS))
        with parsing(f"{folder}: its model", "train it again with rerun=true."):
            model = cls._restored(
                ModelRecord.model_validate_json(record_bytes), safetensors.torch.load(weights)
            )
            model._players(model.trained[:1])  # whether the weights fit the record
        return model

    @classmethod
    def _restored(cls, record: ModelRecord, arrays: dict[str, Tensor]) -> "TrainedModel":
        columns = tuple(Column(c.name, c.role, tuple(c.categories)) for c in record.columns)
        settings = Preprocessing(**record.preprocessing)
        table = arrays.pop("table").numpy()
        fitted = []
        for s in range(len(record.seeds)):
            prefix = f"split{s}/"
            keys = [key for key in arrays if key.startswith(prefix)]
            mine = {key.removeprefix(prefix): arrays.pop(key).numpy() for key in keys}
            scaled = {k.removeprefix("scaler/"): v for k, v in mine.items() if k.startswith("scaler/")}
            imputation = Imputation(
                columns, table, mine["train_rows"], settings.n_neighbors, settings.max_donors
            )
            scaler = Scaler(settings.scaler, scaled)
            fitted.append(
                FittedPreprocessing(
                    columns, imputation, mine["low"], mine["high"], scaler, mine.get("selected")
                )
            )
        return cls(record, fitted, arrays)
