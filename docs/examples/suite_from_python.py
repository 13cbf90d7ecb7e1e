"""Run the suite itself from Python: compose a configuration, train, read the result, predict."""

from pathlib import Path
from tempfile import TemporaryDirectory

from adversarial_oversampling.config.compose import compose_train
from adversarial_oversampling.data.sources import load_haberman
from adversarial_oversampling.results.model import TrainedModel
from adversarial_oversampling.training.run import train

cfg = compose_train(["dataset=haberman", "mode=do", "replicas=3", "trainer.max_epochs=20", "logger=none"])
cfg.trainer.enable_progress_bar = False
with TemporaryDirectory() as folder:
    result = train(cfg, folder)
    print(f"ACSA of seeds {result.seeds}: {[round(replica.acsa or 0, 3) for replica in result.replicas]}")
    print("files:", sorted(file.name for file in Path(folder).iterdir() if file.is_file()))
    model = TrainedModel.load(Path(folder))
    rows = load_haberman(data_dir=None).x[:5]
    for block in model.predict(rows, model.chosen("mean"), mean=True):
        print("classes:", [model.classes[k] for k in block.predicted[0]])
        print("probabilities:", block.probabilities[0].numpy().round(3).tolist())
