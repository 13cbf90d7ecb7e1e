"""A sample of real and generated rows of the first replica, with the anchors that they combine."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from adversarial_oversampling.data.datamodule import TableDataModule
from adversarial_oversampling.game.diversity import perplexity
from adversarial_oversampling.game.module import Game
from adversarial_oversampling.random_streams import Purpose, seed_sequence

ROWS = 200  # per class and kind, at most


@torch.no_grad()
def sample(game: Game, data: TableDataModule) -> pd.DataFrame | None:
    """Return up to 200 real and 200 generated rows of every class, preprocessed as for Q.

    Rows are drawn from a stream of their own, so that sampling changes no result.

    Returns
    -------
    DataFrame or None
        `kind` (real, generated), `class`, `p_own` (Q's probability of the row's class), `anchor` (the
        table's row with the largest weight; -1 where unknown), `anchor_weight`, `anchors_used`
        (perplexity of the weights) and a column `x_...` per feature. None for a mode that generates no rows.
    """
    if "generator" not in game.players and data.resampling is None:
        return None
    real = _draw(data, lambda rows: rows[rows < len(data.table.y)])
    frames = [_frame(game, data, "real", x, k) for k, x in enumerate(real)]
    if "generator" in game.players:
        streams = data.streams(Purpose.SAMPLES)
        streams.device = game.device
        rows, weights = game.generator(*game.generator.noise(streams, ROWS))
        origin = data.anchor_rows(weights.shape[-1])[0]
        for k in range(data.classes):
            anchor_weights = weights[0, k].cpu()
            frame = _frame(game, data, "generated", rows[0, k].cpu(), k)
            frame["anchor"] = origin[k][anchor_weights.argmax(dim=1)].numpy()
            frame["anchor_weight"] = anchor_weights.max(dim=1).values.numpy()
            frame["anchors_used"] = [float(perplexity(row[None])) for row in anchor_weights]
            frames.append(frame)
    else:
        new_rows = _draw(data, lambda rows: rows[rows >= len(data.table.y)])
        frames += [_frame(game, data, "generated", x, k) for k, x in enumerate(new_rows)]
    return pd.concat(frames, ignore_index=True)


def _draw(data: TableDataModule, select: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Return up to `ROWS` rows `[n, d]` of each class, drawn from the first replica's training rows.

    `select` takes the row numbers of a class and returns those to draw from.
    """
    rng = np.random.default_rng(seed_sequence(data.seeds[0], Purpose.SAMPLES, data.folds[0]))
    drawn = []
    for k in range(data.classes):
        rows = select(data.draws.of_class(k, 0)).numpy()
        drawn.append(data.rows.x[0][rng.permutation(rows)[:ROWS]])
    return drawn


def _frame(game: Game, data: TableDataModule, kind: str, x: Tensor, k: int) -> pd.DataFrame:
    names = data.table.feature_names
    if x.shape[1] != len(names):
        names = tuple(f"selected_{i}" for i in range(x.shape[1]))
    # Every replica's Q classifies the rows; only the first one's result is used.
    logits = game.predict_logits(x.to(game.device).expand(len(data.seeds), -1, -1))[0].cpu()
    columns = {
        "kind": kind,
        "class": data.table.class_names[k],
        "p_own": logits.softmax(dim=-1)[:, k].numpy(),
        "anchor": -1,
        "anchor_weight": np.nan,
        "anchors_used": np.nan,
    }
    features = pd.DataFrame(x.numpy(), columns=[f"x_{name}" for name in names])
    return pd.concat([pd.DataFrame(columns, index=features.index), features], axis=1)
