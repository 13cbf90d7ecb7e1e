"""Whatever is typed after the command passes all checks, or is refused in one line that says why.

The command's own `main` is called in this process. Training is replaced, so this covers everything up to the
first file that a run reads: quoting, composing, the checks, and the search for a stored result.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from adversarial_oversampling import train
from adversarial_oversampling.config.compose import compose_train, config_files
from adversarial_oversampling.training import run

GROUPS = ("dataset", "mode", "gan_type", "fs", "protocol", "trainer", "logger", "recipe", "ablation", "debug")
VALUES = (
    *(
        "",
        "null",
        "true",
        "abc",
        "0",
        "1",
        "-1",
        "0.5",
        "1e400",
        "nan",
        "-.inf",
        "9" * 30,
        "0x10",
        "1_0",
        "1 2",
    ),
    *("[]", "[a", "[1,2]", "{}", "{a: 1}", "{a", "a,b", "range(1,3)", "glob(*)", "choice(1)", "f(x)"),
    *(
        "'",
        "'a",
        '"',
        "\\",
        "${seed}",
        "${nowhere}",
        "${",
        "${oc.env:NOWHERE}",
        "a=b",
        "a: b",
        "@",
        "#",
        "%s",
    ),
    *("é", "\u200b", "\u202e", "\U0001f600", "x" * 300, "\t", "a\nb", "???"),
)
SYNTAX = st.text(st.sampled_from("abz019.,:;=+~-_[]{}()'\"\\$@#%&*!?<>| \t\né\u200b\U0001f600"), max_size=8)


class Reached(BaseException):
    """The configuration has passed every check."""


def flat_keys(cfg: DictConfig, prefix: str = "") -> Iterator[str]:
    for name in cfg:
        yield f"{prefix}{name}"
        if OmegaConf.is_dict(node := cfg._get_node(name)) and not node._is_none():
            yield from flat_keys(node, f"{prefix}{name}.")


# Where files lie is left alone: a test must not write into any folder.
KEYS = [key for key in flat_keys(compose_train([])) if not key.startswith("paths")]
CHOICES = [f"{group}={name}" for group in GROUPS for name in config_files(group)]


@st.composite
def override(draw: st.DrawFn) -> str:
    """One word of a command line: right, almost right, or nonsense."""
    kind = draw(st.integers(0, 5))
    if kind <= 1:
        return draw(st.sampled_from(CHOICES))
    if kind == 2:
        return f"{draw(st.sampled_from(KEYS))}={draw(st.sampled_from(['1', '2', '0.5', 'true', 'null']))}"
    mark = draw(st.sampled_from(["", "", "", "+", "++", "~"]))
    key = draw(st.one_of(st.sampled_from(KEYS), st.sampled_from(GROUPS), SYNTAX))
    equals = draw(st.sampled_from(["=", "=", "=", "=", "", "==", "@x="]))
    value = draw(st.one_of(st.sampled_from(VALUES), SYNTAX))
    return f"{mark}{key}{equals}{value}" if equals else f"{mark}{key}"


@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # to shrink a case takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(words=st.lists(override().filter(lambda word: not word.startswith("-")), min_size=1, max_size=3))
@example(words=["seed=\n"])
def test_a_command_passes_or_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    def reached(*_: object, **__: object) -> None:
        raise Reached

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "train", reached)
    monkeypatch.setattr(sys, "argv", ["train", *words, "logger=none", "hydra.run.dir=run"])
    capsys.readouterr()
    try:
        with pytest.raises(SystemExit) as ended:
            train.main()
    except Reached:
        return
    said = capsys.readouterr().err
    if isinstance(ended.value.code, str):  # which Python prints
        said += f"{ended.value.code}\n"
    else:
        assert ended.value.code == 1, said
    assert len(said.splitlines()) == 1, said
    assert said.startswith("Error: ")
    assert not (tmp_path / "run" / "result.json").exists()
