"""The rows of R replicas, and the batches drawn from them."""

import copy
from collections.abc import Iterator, Sequence
from math import ceil, exp, lgamma, log
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from torch import Tensor

from adversarial_oversampling import limits
from adversarial_oversampling.data import laws
from adversarial_oversampling.data.preprocessing import FittedPreprocessing, Preprocessing
from adversarial_oversampling.data.splits import RowIndices, Split, folds, holdout
from adversarial_oversampling.data.table import Table
from adversarial_oversampling.errors import InputError, NotApplicable
from adversarial_oversampling.random_streams import Purpose, Streams, seed_sequence
from adversarial_oversampling.shard import WHOLE, Shard

if TYPE_CHECKING:  # imports imbalanced-learn, which most modes do not need
    from adversarial_oversampling.data.resampling import Oversampler

EVALUATION_ROWS = 512  # at most so many rows per replica are classified at once
# Numbers of the real rows of a block of batches, which are gathered at once: 4 MiB.
BLOCK_NUMBERS = 2**20


class Batch(NamedTuple):
    """Rows of every replica, side by side.

    Attributes
    ----------
    x : Tensor of shape [R, B, d]
    y : Tensor of shape [R, B], int64
        Classes; -1 marks padding.
    row : Tensor of shape [R, B], int64
        Row numbers in the table; -1 marks padding.
    """

    x: Tensor
    y: Tensor
    row: Tensor


class ReplicaRows(NamedTuple):
    """The whole table as each split sees it, after preprocessing fitted on its own training rows.

    Attributes
    ----------
    x : Tensor of shape [S, N, d], float32
    y : Tensor of shape [S, N], int64
        Resampled rows follow the table's rows; a replica with fewer is padded with zeros of class -1.
    """

    x: Tensor
    y: Tensor

    def to(self, device: torch.device) -> "ReplicaRows":
        """Return the rows on a device."""
        return ReplicaRows(self.x.to(device), self.y.to(device))

    def take(self, row: Tensor) -> Batch:
        """Gather rows `row [R, B]`; -1 gives padding. The members of a split are side by side in R."""
        splits, count, features = self.x.shape
        index = row.clamp_min(0).reshape(splits, -1)
        # A copy of whole rows; indexing by replica and row copies number by number.
        flat = (index + count * torch.arange(splits, device=row.device)[:, None]).flatten()
        x = self.x.reshape(-1, features).index_select(0, flat).reshape(*row.shape, features)
        return Batch(x, self.y.gather(1, index).reshape(row.shape).where(row >= 0, -1), row)


def pad(parts: Sequence[np.ndarray], multiple: int = 1, least: int = 0) -> Tensor:
    """Stack row numbers of different lengths as `[R, M]`, padded with -1; M is a multiple, >= `least`."""
    width = multiple * ceil(max(least, *(len(part) for part in parts)) / multiple)
    out = torch.full((len(parts), width), -1, dtype=torch.long)
    for slot, part in zip(out, parts, strict=True):
        slot[: len(part)] = torch.from_numpy(part)
    return out


class ClassDraws:
    """Draw training rows: first a class by a class law, then one of its rows with equal probability.

    Parameters
    ----------
    y : Tensor of shape [R, N]
        Classes of all rows.
    train : sequence of int arrays
        Training rows of each split.
    classes : int
        C.
    members : int
        Replicas of each split.
    """

    def __init__(self, y: Tensor, train: Sequence[np.ndarray], classes: int, members: int = 1) -> None:
        ordered, counts = [], []
        for labels, rows in zip(y.numpy(), train, strict=True):
            ordered.append(rows[np.argsort(labels[rows], kind="stable")])
            counts.append(np.bincount(labels[rows], minlength=classes))
        self.order = pad(ordered).repeat_interleave(members, dim=0)
        self.counts = torch.from_numpy(np.stack(counts)).repeat_interleave(members, dim=0)
        self.starts = self.counts.cumsum(dim=1) - self.counts

    def to(self, device: torch.device) -> "ClassDraws":
        """Return the draws with their tensors on a device."""
        moved = copy.copy(self)
        moved.order, moved.counts, moved.starts = (
            tensor.to(device) for tensor in (self.order, self.counts, self.starts)
        )
        return moved

    def of_class(self, k: int, replica: int) -> Tensor:
        """Return all training rows of class k in one replica."""
        start = int(self.starts[replica, k])
        return self.order[replica, start : start + int(self.counts[replica, k])]

    def draw(self, law: Tensor, batches: int, size: int, streams: Streams) -> Tensor:
        """Draw row numbers `[R, batches, size]` with replacement; classes follow `law [R, C]`."""
        uniform = streams.uniform(batches, 2, size, dtype=torch.float64)
        of_class, of_row = (part.contiguous() for part in uniform.unbind(dim=2))
        bounds = law.double().cumsum(dim=1)
        classes = torch.searchsorted(bounds, of_class.flatten(1), right=True)
        # The last cumulated probability may be below 1 by rounding. A draw above it gives the last class
        # with a positive probability.
        last = (law > 0).long().cumsum(dim=1).argmax(dim=1, keepdim=True)
        classes = torch.minimum(classes, last)
        count = self.counts.gather(1, classes)
        position = (of_row.flatten(1) * count).long().minimum(count - 1)
        return self.order.gather(1, self.starts.gather(1, classes) + position).reshape(of_class.shape)


class TrainingBatches:
    """An epoch of batches in blocks; every batch is full and drawn anew from each replica's stream.

    A block's rows are gathered at once and are one batch for Lightning's loop. The numbers do not depend on
    the size of the blocks. Every process draws the whole batch and takes its shard of the rows.
    """

    def __init__(
        self,
        rows: ReplicaRows,
        draws: ClassDraws,
        law: Tensor,
        size: int,
        steps: int,
        streams: Streams,
        shard: Shard,
    ) -> None:
        self._rows, self._draws, self._law = rows, draws, law
        self._size, self._streams, self._shard = size, streams, shard
        block = max(1, BLOCK_NUMBERS // (len(streams) * size * rows.x.shape[-1]))
        self._blocks = [min(block, steps - start) for start in range(0, steps, block)]

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[list[Batch]]:
        for batches in self._blocks:
            drawn = self._draws.draw(self._law, batches, self._size, self._streams)
            block = self._rows.take(self._shard.take(drawn, dim=2).flatten(1))
            parts = (torch.tensor_split(part, batches, dim=1) for part in block)
            yield [Batch(*batch) for batch in zip(*parts, strict=True)]


class EvaluationBatches:
    """Every given row once, in chunks of one size; the last one is padded.

    Every process has the same number of chunks.

    Parameters
    ----------
    rows : ReplicaRows
    parts : sequence of int arrays
        Row numbers of each replica.
    largest : int
        The most rows that a part can have, by the table and the settings: shapes must not depend on the
        other replicas, whose rounding they influence.
    shard : Shard
        This process's rows.
    """

    def __init__(
        self, rows: ReplicaRows, parts: Sequence[np.ndarray], largest: int, shard: Shard = WHOLE
    ) -> None:
        self._rows = rows
        share = ceil(largest / shard.world_size)
        chunk = ceil(share / ceil(share / EVALUATION_ROWS))
        numbers = shard.take(pad(parts, chunk * shard.world_size, largest), dim=1)
        self._chunks = torch.split(numbers.to(rows.x.device), chunk, dim=1)

    @property
    def rows_at_once(self) -> int:
        """Rows of each replica in a chunk."""
        return self._chunks[0].shape[1]

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[Batch]:
        for chunk in self._chunks:
            yield self._rows.take(chunk)


class TableDataModule(LightningDataModule):
    """A table, split and preprocessed once per replica.

    Replica r has the seed `seed + r`; in cross-validation every seed has one replica per fold. A replica's
    rows and draws depend on its own seed and fold, the table and these settings alone, so a replica among
    others equals the solo run of its seed.

    Parameters
    ----------
    table : Table
        The rows.
    preprocessing : Preprocessing
        Imputation, scaling and feature selection, fitted on each replica's training rows.
    seed : int
        Seed of the first replica.
    replicas : int
        Number of seeds.
    members : int
        Players of each split, with streams of their own, whose probabilities are averaged.
    fold : int, optional
        With `n_folds`: this fold only. None means every fold.
    n_folds : int, optional
        Cross-validation with so many folds; None means one split per seed.
    test_size : float, optional
        Share of test rows; 0 means none, and None the archive's own test rows.
    validation_size : float, optional
        Share of the training rows that chooses the epoch; None means none.
    select_on : {"validation", "test", "train"}
        The rows that choose the epoch. "test" is the paper's protocol and optimistic; with "train" none do,
        and the last epoch counts.
    resampling : Oversampler, optional
        Oversamples each replica's training rows before Q learns.
    fs : float, optional
        Ratio of the smallest to the largest class in the batches of real rows; None is natural.
    batch_size : int
        Rows per batch and replica.
    cache_dir : str, Path or None
        Where imputed cells are cached; None caches none.
    replica_shard : Shard
        The replicas of this process; all others are left out.
    row_shard : Shard
        This process's rows of every batch.
    streams : type of Streams
        Draw the batches.

    Attributes
    ----------
    rows : ReplicaRows
        Set by `setup`.
    splits : list of Split
        One per replica.
    fitted : list of FittedPreprocessing
        What was fitted on the training rows of each split.
    seeds, folds : list
        Seed and fold of each split.
    counts : Tensor of shape [R, C]
        Training rows per class of every replica, resampled ones included; R is the number of splits times
        `members`.
    not_applicable : list of (str or None)
        Why a replica's training rows could not be resampled.
    notes : list of list of str
        Remarks on the rows of each replica, which are written into its result.
    """

    rows: ReplicaRows
    draws: ClassDraws

    def __init__(
        self,
        table: Table,
        preprocessing: Preprocessing,
        *,
        seed: int = 0,
        replicas: int = 1,
        members: int = 1,
        fold: int | None = None,
        n_folds: int | None = None,
        test_size: float | None = 0.3,
        validation_size: float | None = 0.2,
        select_on: str = "validation",
        resampling: "Oversampler | None" = None,
        fs: float | None = None,
        batch_size: int = 64,
        cache_dir: str | Path | None,
        replica_shard: Shard = WHOLE,
        row_shard: Shard = WHOLE,
        streams: type[Streams] = Streams,
    ) -> None:
        super().__init__()
        for key, value in {
            "seed": seed,
            "replicas": replicas,
            "members": members,
            "fs.ratio": fs,
            "protocol.folds": n_folds,
            "protocol.fold": fold,
            "protocol.select_on": select_on,
            "protocol.validation_size": validation_size,
            "dataset.split.test_size": test_size,
            "dataset.training.batch_size": batch_size,
        }.items():
            if (key, value) != ("dataset.split.test_size", 0):  # which no run has, since it has to be tested
                limits.check(key, value)
        if batch_size % row_shard.world_size:
            raise InputError(
                f"dataset.training.batch_size={batch_size}: trainer.devices={row_shard.world_size} processes "
                "share every batch; give a multiple of their number."
            )
        if select_on == "validation" and not validation_size:
            raise InputError(
                f"protocol.validation_size={validation_size}: rows are needed to choose the epoch; "
                "give a fraction such as 0.2."
            )
        if fold is not None and n_folds is None:
            raise InputError(f"protocol.fold={fold}: there are folds only with protocol=cv; set it to null.")
        if fold is not None and n_folds is not None and fold >= n_folds:
            raise InputError(f"protocol.fold={fold}: choose one of 0 to {n_folds - 1}, or null.")
        self.table, self.preprocessing, self.resampling = table, preprocessing, resampling
        self.n_folds, self.test_size, self.validation_size = n_folds, test_size, validation_size
        self.select_on, self.fs, self.batch_size, self.cache_dir = select_on, fs, batch_size, cache_dir
        self.replicas, self.members = replicas, members
        trained_folds: Sequence[int | None] = [None]
        if n_folds is not None:
            trained_folds = range(n_folds) if fold is None else [fold]
        pairs = replica_shard.take_items([(seed + r, f) for r in range(replicas) for f in trained_folds])
        self.row_shard = row_shard
        self.seeds = [s for s, _ in pairs]
        self.folds = [f for _, f in pairs]
        self.splits: list[Split] = []
        self.fitted: list[FittedPreprocessing] = []
        self.not_applicable: list[str | None] = [None] * len(pairs)
        self.notes: list[list[str]] = [[] for _ in pairs]
        self._streams = self.streams(Purpose.BATCHES, streams)

    @property
    def classes(self) -> int:
        """Number of classes, C."""
        return len(self.table.class_names)

    def streams(self, purpose: Purpose, kind: type[Streams] = Streams, rows: Shard = WHOLE) -> Streams:
        """Return a random stream for every replica."""
        return kind(self.seeds, purpose, self.folds, self.members, rows=rows)

    @property
    def counts(self) -> Tensor:
        """Training rows per class, `[R, C]`."""
        return self.draws.counts

    @property
    def log_prior(self) -> Tensor:
        """Logarithms of the class frequencies among the training rows of each split, `[S, C]`."""
        return laws.real(self.counts[:: self.members]).log()

    def setup(self, stage: str | None = None) -> None:
        """Split and preprocess the table for every replica, once."""
        if self.splits:
            return
        splits = self._split()
        if self.table.groups is None:
            self._check_replicas(splits)
        else:
            self._note_equal_splits(splits)
        if not all(len(getattr(split, self.select_on)) for split in splits):
            grouped = self.table.groups is not None
            raise InputError(
                f"dataset {self.table.name}: no {self.select_on} rows are left to choose the epoch; give "
                "dataset.split.test_size or protocol.validation_size another fraction, or add "
                f"{'groups of rows (dataset.group)' if grouped else 'rows'}."
            )
        x: Any = None
        for r, split in enumerate(splits):
            fitted, scaled = self.preprocessing.fit_transform(self.table, split.train, self.cache_dir)
            self.fitted.append(fitted)
            x = np.empty((len(splits), *scaled.shape), np.float32) if x is None else x
            x[r] = scaled
        self.rows = ReplicaRows(torch.from_numpy(x), torch.from_numpy(self.table.y).expand(len(splits), -1))
        train = [split.train for split in splits]
        if self.resampling is not None:
            train = self._append_resampled(self.resampling, train)
        self.draws = ClassDraws(self.rows.y, train, self.classes, self.members)
        untrained = (self.counts == 0).any(dim=0).nonzero().flatten().tolist()
        if untrained:
            raise InputError(
                f"dataset {self.table.name}: class '{self.table.class_names[untrained[0]]}' has no training "
                "row; give dataset.split.test_size a fraction, or remove the class."
            )
        self.splits = splits

    def _append_resampled(self, resampling: "Oversampler", train: list[RowIndices]) -> list[RowIndices]:
        """Append each replica's resampled rows to `rows` and return its training rows including them.

        A replica whose rows cannot be resampled keeps its rows, and `not_applicable` holds the reason. It is
        still trained, so that the computation of the other replicas is the same, but has no result.
        """
        new = []
        for r, rows in enumerate(train):
            state = seed_sequence(self.seeds[r], Purpose.RESAMPLING, self.folds[r]).generate_state(1)
            x, y = self.rows.x[r].numpy()[rows], self.table.y[rows]
            try:
                new.append(self._checked_rows(resampling.method, x, *resampling(x, y, int(state[0]))))
            except NotApplicable as reason:
                self.not_applicable[r] = str(reason)
                new.append((x[:0], y[:0]))
                continue
            counts, added = (np.bincount(labels, minlength=self.classes) for labels in (y, new[r][1]))
            for k in np.flatnonzero((added == 0) & (counts < counts.max())):
                name = self.table.class_names[k]
                self.notes[r].append(
                    f"{resampling.method} generated no rows of class {name}: it has {counts[k]} training rows"
                )
        count, width = self.rows.y.shape[1], max(len(y) for _, y in new)
        more_x = torch.zeros(len(train), width, self.rows.x.shape[2])
        more_y = torch.full((len(train), width), -1, dtype=torch.long)
        for r, (x, y) in enumerate(new):
            more_x[r, : len(y)], more_y[r, : len(y)] = torch.from_numpy(x), torch.from_numpy(y)
        self.rows = ReplicaRows(
            torch.cat([self.rows.x, more_x], dim=1), torch.cat([self.rows.y, more_y], dim=1)
        )
        return [
            np.concatenate([rows, count + np.arange(len(y))]) for rows, (_, y) in zip(train, new, strict=True)
        ]

    def _checked_rows(
        self, method: str, given: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return new rows and their classes; refuse what an oversampler of the user's must not return."""
        x, y, problem = np.asarray(x, np.float32), np.asarray(y), None
        if x.ndim != 2 or x.shape[1] != given.shape[1] or y.shape != (len(x),):
            problem = f"arrays of the shapes {x.shape} and {y.shape} for rows of {given.shape[1]} columns"
        elif not np.isfinite(x).all():
            problem = "cells that are not finite"
        elif not np.isin(y, np.arange(self.classes)).all():
            problem = f"classes other than the whole numbers from 0 to {self.classes - 1}"
        elif np.array_equal(x[: len(given)], given):
            problem = "the training rows too"
        if problem is not None:
            raise InputError(
                f"mode.resampling: {method} returns {problem}; return new rows and their classes."
            )
        return x, y.astype(np.int64)

    def _split(self) -> list[Split]:
        if self.n_folds is None:
            return [holdout(self.table, self.test_size, self.validation_size, seed) for seed in self.seeds]
        of_seed = {
            seed: folds(self.table, self.n_folds, self.validation_size, seed)
            for seed in dict.fromkeys(self.seeds)
        }
        return [of_seed[seed][fold or 0] for seed, fold in zip(self.seeds, self.folds, strict=True)]

    def _check_replicas(self, splits: Sequence[Split]) -> None:
        """Refuse more replicas than there are different splits of the table."""
        fixed = self.n_folds is None and not self.test_size
        tested = np.bincount(self.table.y[splits[0].test], minlength=self.classes)
        pairs = zip(np.bincount(self.table.y), tested, strict=True)
        # As logarithms: Credit has more splits than a float can hold.
        possible = sum(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for n, k in pairs)
        if not fixed and log(self.replicas) > possible + 1e-9:
            raise InputError(
                f"replicas={self.replicas}: the rows of dataset {self.table.name} allow only "
                f"{round(exp(possible))} different splits; lower replicas."
            )

    def _note_equal_splits(self, splits: Sequence[Split]) -> None:
        """Note which replicas have the split of an earlier one, as they may if there are few groups."""
        first: dict[bytes, int] = {}
        for r, split in enumerate(splits):
            rows = np.concatenate([split.test, split.validation]).tobytes()
            if (earlier := first.setdefault(rows, r)) != r:
                self.notes[r].append(
                    f"its split is that of seed {self.seeds[earlier]}, since the table has only "
                    f"{self.table.group_count} groups (dataset.group)"
                )

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch: as many rows as the table has for training, without the resampled ones.

        Folds differ by a few rows, and splits of groups by more, so the number then comes from the table's
        size and not from one split's.
        """
        rows = len(self.splits[0].train)
        if self.n_folds is not None or self.table.groups is not None:
            tested = self.test_size or 0 if self.n_folds is None else 1 / self.n_folds
            rows = round(len(self.table.y) * (1 - tested) * (1 - (self.validation_size or 0)))
        return ceil(rows / self.batch_size)

    def anchor_rows(self, cap: int) -> Tensor:
        """Return tau_k: up to `cap` training rows of every class, drawn at random above the cap.

        The width comes from the table, not from a replica's split.

        Returns
        -------
        Tensor of shape [R, C, A], int64
            Row numbers, the same in every call; -1 where a class has fewer.
        """
        limits.check("players.generator.anchors", cap)
        width = min(cap, int(np.bincount(self.table.y).max()))
        streams = self.streams(Purpose.ANCHORS)
        chosen = torch.full((len(streams), self.classes, width), -1, dtype=torch.long)
        for k in range(self.classes):
            order = streams.uniform(len(self.table.y), dtype=torch.float64)
            for r in range(len(streams)):
                rows = self.draws.of_class(k, r)
                rows = rows[order[r, : len(rows)].argsort()[:width]]
                chosen[r, k, : len(rows)] = rows
        return chosen

    def anchors(self, cap: int) -> tuple[Tensor, Tensor]:
        """Return the rows of `anchor_rows` for G to combine.

        Returns
        -------
        anchors : Tensor of shape [R, C, A, d]
        mask : Tensor of shape [R, C, A], bool
        """
        chosen = self.anchor_rows(cap)
        batch = self.rows.take(chosen.flatten(1))
        mask = chosen >= 0
        anchors = batch.x.reshape(*chosen.shape, -1) * mask[..., None]
        return anchors, mask

    def train_dataloader(self) -> TrainingBatches:
        """Return batches of real rows for D and Q; their classes follow the law that `fs` sets."""
        device = self._move_rows()
        self._streams.device = device
        return TrainingBatches(
            self.rows,
            self.draws.to(device),
            laws.oversampled(self.counts, self.fs).to(device),
            self.batch_size,
            self.steps_per_epoch,
            self._streams,
            self.row_shard,
        )

    def val_dataloader(self) -> EvaluationBatches:
        """Return the rows that choose the epoch: validation rows, or test rows in the paper's protocol."""
        return self._evaluation(self.select_on)

    def test_dataloader(self) -> EvaluationBatches:
        """Return the test rows."""
        return self._evaluation("test")

    def teardown(self, stage: str | None = None) -> None:
        """Bring the rows back to the CPU."""
        self.rows = self.rows.to(torch.device("cpu"))

    def _move_rows(self) -> torch.device:
        """Move the rows to the device that trains, once, instead of every batch; return the device."""
        device = torch.device("cpu") if self.trainer is None else self.trainer.strategy.root_device
        self.rows = self.rows.to(device)
        return device

    def _evaluation(self, part: str) -> EvaluationBatches:
        self._move_rows()
        rows = [getattr(split, part) for split in self.splits]
        largest = len(rows[0])  # without groups, holdout parts have the same size for every seed
        if self.table.groups is not None or (self.n_folds is not None and part == "train"):
            largest = len(self.table.y)
        elif self.n_folds is not None:
            # A fold has at most one row per class more than its share.
            count, classes, size = len(self.table.y), self.classes, self.validation_size or 0
            test = ceil(count / self.n_folds) + classes
            largest = test if part == "test" else ceil(size * (count - test + 2 * classes)) + classes
        return EvaluationBatches(self.rows, rows, largest, self.row_shard)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the batch streams, for a checkpoint."""
        return {"batches": self._streams.state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue to draw where a checkpoint was saved."""
        self._streams.restore(state_dict["batches"])
