"""When a checkpoint is saved."""

from pathlib import Path

import pytest
import torch

from adversarial_oversampling.training.build import build_data, build_game, build_trainer
from tests.conftest import Compose


@pytest.mark.parametrize(("seconds", "epoch"), [(0, 2), (1000, None)])
def test_a_checkpoint_is_saved_after_an_epoch_if_the_last_one_is_old_enough(
    compose_config: Compose, tmp_path: Path, seconds: float, epoch: int | None
) -> None:
    cfg = compose_config("mode=q", "trainer.max_epochs=3", f"trainer.checkpoint_seconds={seconds}")
    data = build_data(cfg)
    data.setup()
    build_trainer(cfg, tmp_path, []).fit(build_game(cfg, data), datamodule=data)
    saved = [torch.load(file, weights_only=True) for file in tmp_path.rglob("*.ckpt")]
    assert [checkpoint["epoch"] for checkpoint in saved] == ([] if epoch is None else [epoch])
    assert [len(checkpoint["game"]["history"]["train/acsa"]) for checkpoint in saved] == [3] * len(saved)
