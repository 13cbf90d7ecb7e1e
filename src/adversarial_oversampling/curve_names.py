"""Names of the curves that a game logs, for loggers, figures and dashboard views."""

CURVES: dict[str, tuple[str, ...]] = {
    "discriminator": (
        "discriminator/loss",
        "discriminator/real",
        "discriminator/generated",
        "discriminator/gradient_penalty",
    ),
    "generator": (
        "generator/loss",
        "generator/against_discriminator",
        "generator/against_classifier",
        "generator/perplexity",
        "generator/distinct_anchors",
        "generator/distance_to_real",
        "generator/distance_between",
    ),
    "classifier": (
        "classifier/loss",
        "classifier/real",
        "classifier/generated",
        "complement/loss",
        "train/acsa",
        "train/g_mean",
    ),
}
"""Curves of each player; a mode has those of its own turns."""


def monitor(select_on: str) -> str:
    """Return the prefix of the metrics on the rows that choose the epoch.

    Parameters
    ----------
    select_on : {"validation", "test", "train"}
        Metrics on test rows are marked as optimistic. With training rows the last epoch counts.
    """
    return {"test": "test_optimistic", "validation": "validation", "train": "trained"}[select_on]
