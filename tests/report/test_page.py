"""The page as text: its content, that it is escaped, and that it requests nothing."""

import base64
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from adversarial_oversampling.report import figures, page, record, tables
from adversarial_oversampling.report.common import Cell, Table
from adversarial_oversampling.report.figures import Picture, Theme
from adversarial_oversampling.report.runs import load, run_frame
from tests.report.conftest import WriteRun, selected_columns

WHEN = datetime(2021, 11, 1, 12, 30, tzinfo=UTC)
VOID = {"meta", "link", "input", "img", "source", "br"}


class Reader(HTMLParser):
    """Collects tags, addresses and identifiers, and checks that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")
        ]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def dot(theme: Theme) -> Figure:
    figure = Figure(figsize=(2, 1), facecolor=theme.surface)
    figure.subplots().plot([0, 1], color=theme.ink)
    return figure


PICTURE = Picture("dot", "modes", "A dot, paper protocol (OPTIMISTIC)", "A <caption>.", dot)

Render = Callable[..., str]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """Return the page of all runs in `tmp_path / "runs"`, with one small picture."""

    def render_page() -> str:
        runs = load([tmp_path / "runs"])
        frame = run_frame(runs)
        made_of = record.record(runs, [], tmp_path, WHEN)
        figures.save(PICTURE, tmp_path)
        shown = [*tables.table_2(frame), *tables.peers(frame), *tables.long_table(frame)]
        return page.render(
            shown, [page.inlined(PICTURE, tmp_path)], frame, made_of, tmp_path / "report", WHEN
        )

    return render_page


def test_the_page_is_well_formed_and_requests_nothing(suite: Path, render: Render) -> None:
    assert suite.is_dir()
    text = render()
    reader = read(text)
    links = [address for address in reader.addresses if not address.startswith(("#", "data:"))]
    folders = {address.split("/")[0] for address in links}
    assert folders == {
        "tables",
        "figures",
        "..",
        "results_per_split.csv",
        "report.md",
        "report.json",
        "claims.csv",
    }
    assert len(set(reader.ids)) == len(reader.ids)
    assert {address[1:] for address in reader.addresses if address.startswith("#")} <= set(reader.ids)
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_the_header_has_time_runs_and_settings(write_run: WriteRun, render: Render) -> None:
    write_run(protocol="paper")
    write_run(protocol="holdout", versions={"torch": "2.9"})
    text = render()
    assert "2021-11-01 12:30 UTC" in text
    assert "2 on Haberman" in text
    assert "torch 2.9" in text
    badge = '<strong class="badge">OPTIMISTIC</strong>'
    assert f"<li>Paper protocol {badge}, 4 epochs, seeds 0-2: 1 run</li>" in text
    assert "<li>Holdout protocol, 4 epochs, seeds 0-2: 1 run</li>" in text


def test_all_texts_of_a_result_are_escaped(write_run: WriteRun, render: Render) -> None:
    markup = "<script>alert('\"&')</script>"
    write_run(markup, mode=markup, variant=[markup], na=markup, folder="markup")
    write_run(markup, mode="do", folder="do")
    text = render()
    assert markup not in text
    assert "<caption>." not in text
    assert "&lt;script&gt;alert(&#39;&#34;&amp;&#39;)&lt;/script&gt;" in text
    assert read(text).tags["script"] == 1


def test_the_word_optimistic_becomes_a_badge_and_other_text_is_escaped() -> None:
    badge = '<strong class="badge">OPTIMISTIC</strong>'
    assert page.flag("a < b (OPTIMISTIC), 3 epochs") == f"a &lt; b {badge}, 3 epochs"
    assert page.flag("holdout") == "holdout"


def test_the_table_of_results_has_measured_numbers_and_those_of_the_paper(
    write_run: WriteRun, render: Render
) -> None:
    write_run("credit", "ao", "paper", acsa=[0.6, 0.7, 0.8])
    text = render()
    assert re.search(r'<td class="num">(<b>)?70\.00 ± 10\.00', text)
    assert "62.19" in text  # the paper's GM, above its ACSA
    assert "which no single model can have" in text


def test_the_table_of_runs_has_na_undefined_and_variants(write_run: WriteRun, render: Render) -> None:
    write_run("yeast", "adasyn", na="no neighbors")
    write_run("yeast", "do", acsa=[None, None, None])
    write_run("yeast", "q", variant=[selected_columns(20)])
    text = render()
    body = text[text.index('id="runs-table"') :]
    assert "<dt>NA</dt><dd>no neighbors</dd>" in body
    assert '<td data-key="" class="num">NA</td>' in body
    assert '<td data-key="" class="num">undefined</td>' in body
    assert "<summary>dataset.preprocessing.n_selected=20</summary>" in body
    assert "0.00" not in re.findall(r'<td data-key="" class="num">([^<]*)', body)


def test_runs_are_sorted_by_numbers_and_not_by_texts(write_run: WriteRun, tmp_path: Path) -> None:
    write_run(mode="do", fs="half", acsa=[0.5, 0.6, 0.7])
    write_run(mode="do", fs="natural")
    entries = page.entries(run_frame(load([tmp_path])), tmp_path)
    keys = {
        entry.items[page.RUN_COLUMNS.index("fs")].text: {
            name: item.key for name, item in zip(page.RUN_COLUMNS, entry.items, strict=True)
        }
        for entry in entries
    }
    assert keys["half"]["fs"] == 0.5
    assert keys["natural"]["fs"] == pytest.approx(24 / 68)
    assert keys["half"]["ACSA"] == pytest.approx(0.6)
    assert keys["half"]["parameters"] == 4481 + 35650 + 33794
    assert keys["half"]["variant"] == "fs=half"


def table_of(*rows: tuple[str, ...], groups: tuple[int, ...] = ()) -> Table:
    cells = tuple(tuple(map(Cell, row)) for row in rows)
    columns = tuple("abcdefgh"[: len(rows[0])])
    return Table(
        name="name",
        section="results",
        title="title",
        caption="caption",
        columns=columns,
        rows=cells,
        footnotes=(),
        data=pd.DataFrame(),
        groups=groups,
    )


def test_the_first_cell_spans_the_following_rows_without_a_first_cell() -> None:
    lines = page.lines(table_of(("x", "1"), ("", "2"), ("", "3"), ("y", "4"), groups=(0, 3)))
    assert [(line.head.text if line.head else None, line.span) for line in lines] == [
        ("x", 3),
        (None, 2),
        (None, 1),
        ("y", 1),
    ]
    assert [line.new_group for line in lines] == [False, False, False, True]
    assert [line.cells[0].text for line in lines] == ["1", "2", "3", "4"]


def test_the_columns_before_the_first_number_are_labels() -> None:
    assert page.labels(table_of(("secom", "ACSA", "ours", "1.00"), ("", "GM", "paper", "2.00"))) == 3
    assert page.labels(table_of(("1.00", "2.00"))) == 1
    assert page.labels(table_of(("a claim", "holds"))) == 1


def test_the_smaller_of_png_and_svg_is_inlined_for_both_themes(tmp_path: Path) -> None:
    figures.save(PICTURE, tmp_path)
    shown = page.inlined(PICTURE, tmp_path)
    for theme, address in zip(figures.THEMES, (shown.light, shown.dark), strict=True):
        content = base64.b64decode(address.split(",")[1])
        sizes = {(tmp_path / name).stat().st_size for name in figures.files(PICTURE, theme)}
        assert len(content) == min(sizes)
    assert shown.light != shown.dark
    assert (shown.width, shown.height) == (192, 96)  # 2 x 1 inches


def test_write_reads_pictures_from_the_folder_figures_beside_the_page(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_run()
    runs = load([tmp_path / "runs"])
    made_of = record.record(runs, [], tmp_path, WHEN)
    (tmp_path / "figures").mkdir()
    figures.save(PICTURE, tmp_path / "figures")
    page.write(tmp_path / "index.html", [], [PICTURE], run_frame(runs), made_of, tmp_path, WHEN)
    text = (tmp_path / "index.html").read_text()
    assert text.count("<picture>") == 1
    assert "prefers-color-scheme: dark" in text
