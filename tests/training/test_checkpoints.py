"""When a checkpoint is saved, and which one is refused."""

from pathlib import Path

import pytest

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.training.build import build_data, build_game, build_trainer
from adversarial_oversampling.training.checkpoints import VerifiedCheckpointIO
from tests.conftest import Compose


@pytest.mark.parametrize(("seconds", "epoch"), [(0, 2), (1000, None)])
def test_a_checkpoint_is_saved_after_an_epoch_if_the_last_one_is_old_enough(
    compose_config: Compose, tmp_path: Path, seconds: float, epoch: int | None
) -> None:
    cfg = compose_config("mode=q", "trainer.max_epochs=3", f"trainer.checkpoint_seconds={seconds}")
    data = build_data(cfg)
    data.setup()
    build_trainer(cfg, tmp_path, []).fit(build_game(cfg, data), datamodule=data)
    saved = [VerifiedCheckpointIO().load_checkpoint(file) for file in tmp_path.rglob("*.ckpt")]
    assert [checkpoint["epoch"] for checkpoint in saved] == ([] if epoch is None else [epoch])
    assert [len(checkpoint["game"]["history"]["train/acsa"]) for checkpoint in saved] == [3] * len(saved)


@pytest.mark.parametrize("place", [0.0, 0.02, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("damage", ["bit", "zeros", "cut"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, place: float, damage: str) -> None:
    file = tmp_path / "last.ckpt"
    VerifiedCheckpointIO().save_checkpoint({"weights": list(range(3000))}, file)
    content = bytearray(file.read_bytes())
    start = int(place * len(content))
    match damage:
        case "bit":
            content[start] ^= 1
        case "zeros":
            end = min(len(content), start + 4096)
            content[start:end] = bytes(end - start)
        case "cut":
            del content[start:]
    file.write_bytes(content)
    with pytest.raises(InputError, match="is damaged: delete it"):
        VerifiedCheckpointIO().load_checkpoint(file)


def test_a_checkpoint_of_another_run_or_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    VerifiedCheckpointIO({"configuration": "a", "torch": "2.13"}).save_checkpoint({"epoch": 3}, file)
    assert VerifiedCheckpointIO({"configuration": "a", "torch": "2.13"}).load_checkpoint(file) == {"epoch": 3}
    for run in ({"configuration": "b"}, {"configuration": "a", "torch": "2.14"}):
        with pytest.raises(InputError, match=r"was written with (configuration|torch)"):
            VerifiedCheckpointIO(run).load_checkpoint(file)
