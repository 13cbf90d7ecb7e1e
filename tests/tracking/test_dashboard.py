"""The saved views of a Weights & Biases project, as they would be sent."""

from pathlib import Path

import pandas as pd
import pytest

from adversarial_oversampling.tracking.dashboard import main, view
from adversarial_oversampling.tracking.loggers import final_metrics
from tests.conftest import Compose, Run


@pytest.mark.parametrize(("protocol", "optimistic"), [("holdout", False), ("paper", True)])
def test_a_view_sets_mode_against_mode(
    run: Run, compose_config: Compose, tmp_path: Path, protocol: str, optimistic: bool
) -> None:
    workspace = view("me", "mine", "haberman", protocol, ["fs_balanced"])
    sent = workspace._to_model().model_dump(by_alias=True, exclude_none=True)
    assert (sent["entity"], sent["project"]) == ("me", "mine")
    assert ("optimistic" in sent["displayName"]) == optimistic
    section = sent["spec"]["section"]
    panels = [panel["config"] for part in section["panelBankConfig"]["sections"] for panel in part["panels"]]
    assert {panel["groupBy"] for panel in panels} == {"jobType"}
    assert {panel["groupArea"] for panel in panels} == {"stddev"}

    # It shows what a run logs, and finds the run by its tags.
    settings = ["mode=do", f"protocol={protocol}"]
    result = run(*settings, "trainer.max_epochs=1")
    logged = {*final_metrics(result), *pd.read_parquet(tmp_path / "run" / "curves.parquet")}
    shown = {name for panel in panels for name in panel["metrics"]}
    peer = final_metrics(run("mode=logistic", f"protocol={protocol}", name="peer"))
    assert shown <= {*logged, *peer, "complement/loss"}  # COT's
    assert ("final_optimistic/acsa" in shown) == optimistic
    assert "final/acsa" in peer
    assert "final/acsa" in shown
    (runset,) = section["runSets"]
    filters = [item["value"] for item in runset["filters"]["filters"]]
    assert filters == [["haberman"], [protocol], ["fs_balanced"]]
    tags = compose_config(*settings, "logger=wandb").logger.wandb.tags
    assert all(set(values) <= set(tags) for values in filters)
    assert [key["name"] for key in runset["grouping"]] == ["jobType"]


def test_the_entity_is_needed() -> None:
    with pytest.raises(SystemExit, match="give ENTITY/PROJECT"):
        main(["mine"])
