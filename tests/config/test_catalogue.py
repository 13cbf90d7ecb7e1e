"""Descriptions of modes and datasets: one home for each, and one line for each fault."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from adversarial_oversampling.config.catalogue import (
    DatasetDescription,
    ModeDescription,
    datasets,
    mode_description,
    modes,
)
from adversarial_oversampling.config.compose import compose_train, config_dir
from adversarial_oversampling.config.resolvers import mode_help
from adversarial_oversampling.config.validation import check
from adversarial_oversampling.errors import InputError
from tests.conftest import Compose

DESCRIPTION = {
    "title": "Mine",
    "order": 95,
    "origin": "peer",
    "help": "a mode of one's own",
    "color": "green",
    "linestyle": "dashed",
}


def write_mode(folder: Path, **content: object) -> Path:
    file = folder / "mode" / "mine.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump({"name": "mine", "description": DESCRIPTION, "rules": {}, **content}))
    return file


def test_the_papers_modes_are_in_the_order_of_its_table() -> None:
    described = modes()
    assert list(described)[:9] == ["q", "ro", "cot", "smote", "bsmote", "adasyn", "gamo", "ao", "do"]
    assert [name for name, mode in described.items() if mode.origin == "paper"] == list(described)[:9]
    assert described["do"] == ModeDescription(
        title="DO",
        order=90,
        origin="paper",
        help="data-space oversampling: G favours Q, Q is fooled on generated rows",
        color="blue",
        linestyle="solid",
    )


def test_every_file_is_described() -> None:
    assert set(modes()) == {file.stem for file in Path(config_dir(), "mode").glob("*.yaml")}
    assert set(datasets()) == {file.stem for file in Path(config_dir(), "dataset").glob("*.yaml")}
    assert next(iter(datasets())) == "secom"
    assert datasets()["secom_20_columns"].rows == datasets()["secom"].rows  # it builds on it
    assert datasets()["haberman"] == DatasetDescription(title="Haberman", order=30, rows=306, columns=3)


@pytest.mark.parametrize("mode", modes())
def test_the_composed_description_is_the_one_of_the_file(compose_config: Compose, mode: str) -> None:
    assert mode_description(compose_config(f"mode={mode}")) == modes()[mode]


def test_the_help_text_has_a_line_for_every_mode() -> None:
    text = mode_help()
    for name, mode in modes().items():
        assert f"    {name} " in text
        assert mode.help in text


def test_a_file_in_a_folder_of_ones_own_counts_like_the_suites(tmp_path: Path) -> None:
    write_mode(tmp_path)
    described = modes([str(tmp_path)])
    assert list(described)[8:11] == ["do", "mine", "both_fool"]
    assert described["mine"].title == "Mine"
    check(compose_train(["mode=mine", f"paths.config_dirs=[{tmp_path}]"], [str(tmp_path)]))


def test_a_mode_inherits_the_description_of_the_mode_that_it_builds_on(tmp_path: Path) -> None:
    write_mode(tmp_path, defaults=["do"], description={"title": "Mine", "order": 95})
    mine = modes([str(tmp_path)])["mine"]
    assert (mine.title, mine.color, mine.origin) == ("Mine", "blue", "paper")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"description": {**DESCRIPTION, "order": 90}},
            r"mode\.description\.order=90: already used in .*do\.yaml",
        ),
        (
            {"description": {**DESCRIPTION, "title": "DO"}},
            r"mode\.description\.title=DO: already used in .*do\.yaml",
        ),
        ({"description": {**DESCRIPTION, "colour": "red"}}, r"mode\.description\.colour: unknown field"),
        ({"description": {**DESCRIPTION, "origin": "mine"}}, r"mode\.description\.origin=mine: .*'paper'"),
        ({"description": {**DESCRIPTION, "order": "last"}}, r"mode\.description\.order=last: "),
        (
            {"description": {"title": "Mine"}},
            r"mode\.description\.order: missing; a description has title, order",
        ),
        ({"description": {}}, r"mode\.description\.title: missing"),
        ({"name": "do"}, r"mode\.name=do: give it the name of the file, mine"),
    ],
)
def test_a_fault_is_one_line_with_the_file_and_the_field(
    tmp_path: Path, content: dict[str, object], message: str
) -> None:
    file = write_mode(tmp_path, **content)
    with pytest.raises(InputError, match=rf"^{file}: {message}") as caught:
        modes([str(tmp_path)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["- a list\n", "name: [\n", "name: mine\ndescription: some text\n"])
def test_a_file_that_is_no_mode_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "mode").mkdir()
    (tmp_path / "mode" / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=r"mine\.yaml(: | cannot be read )"):
        modes([str(tmp_path)])


def test_an_empty_defaults_list_is_allowed(tmp_path: Path) -> None:
    write_mode(tmp_path, defaults=None)
    assert "mine" in modes([str(tmp_path)])


def test_a_description_changed_on_the_command_line_is_checked(compose_config: Compose) -> None:
    with pytest.raises(InputError, match=r"do\.yaml: mode\.description\.color=pink: "):
        check(compose_config("mode=do", "mode.description.color=pink"))
    with pytest.raises(InputError, match=r"haberman\.yaml: dataset\.description\.place: unknown field"):
        check(compose_config("+dataset.description.place=3"))


def test_lists_for_the_makefile() -> None:
    command = [sys.executable, "-m", "adversarial_oversampling.config"]
    listed = [
        subprocess.run([*command, *kinds], capture_output=True, text=True, check=True).stdout.strip()
        for kinds in (["paper"], ["paper", "peer"], ["datasets"])
    ]
    assert listed[0] == "q,ro,cot,smote,bsmote,adasyn,gamo,ao,do"
    assert listed[1].startswith(f"{listed[0]},weighted_q,")
    assert set(listed[2].split(",")) == set(datasets()) - {"table"}
