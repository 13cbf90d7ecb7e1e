"""The page in a browser: widths, themes, sorting, filters. Skipped without Chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from adversarial_oversampling.report import figures, page, record, tables
from adversarial_oversampling.report.runs import load, run_frame
from tests.report.conftest import WriteRun
from tests.report.test_page import PICTURE, WHEN

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WIDTHS = {"desktop": (1440, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    paths = [
        path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))
    ]
    if not paths:
        pytest.skip("no chromium, chromium-browser or google-chrome on the PATH")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=paths[0], args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def file(write_run: WriteRun, tmp_path: Path) -> Path:
    """Write a page with every kind of line: NA, undefined, variants, peers, two protocols."""
    for protocol in ("paper", "holdout"):
        for mode in ("q", "ao", "lightgbm"):
            write_run("haberman", mode, protocol, acsa=[0.6, 0.62, 0.64])
    write_run("haberman", "do", acsa=[0.9, 0.9, 0.9])
    write_run("yeast", "do", acsa=[0.1, 0.1, 0.1])
    write_run("yeast", "adasyn", na="no neighbors")
    write_run("yeast", "q", acsa=[None, None, None])
    write_run("yeast", "ao", variant=["players.classifier.width=" + "64" * 60])
    runs = load([tmp_path / "runs"])
    frame = run_frame(runs)
    made_of = record.record(runs, [], tmp_path, WHEN)
    figures.save(PICTURE, tmp_path)
    shown = [*tables.table_2(frame), *tables.peers(frame)]
    path = tmp_path / "index.html"
    path.write_text(page.render(shown, [page.inlined(PICTURE, tmp_path)], frame, made_of, tmp_path, WHEN))
    return path


@pytest.fixture
def opened(browser: "playwright.Browser", file: Path) -> Iterator["playwright.Page"]:
    """Open the page at the width of a desktop, in the light theme."""
    tab = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
    tab.goto(file.as_uri())
    yield tab
    tab.close()


def column(tab: "playwright.Page", name: str) -> list[str]:
    """Return the texts of a column of the table of runs, of the lines that are shown."""
    index = page.RUN_COLUMNS.index(name)
    texts: list[str] = tab.eval_on_selector_all(
        "#runs-table tbody tr:not([hidden])", f"rows => rows.map(row => row.cells[{index}].innerText.trim())"
    )
    return texts


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_has_no_console_messages_fits_the_width_and_has_the_colors_of_its_theme(
    browser: "playwright.Browser", file: Path, width: str, scheme: str
) -> None:
    tab = browser.new_page(
        viewport=dict(zip(("width", "height"), WIDTHS[width], strict=True)), color_scheme=scheme
    )
    messages, requests = [], []
    tab.on("console", lambda message: messages.append(message.text))
    tab.on("pageerror", lambda error: messages.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(file.as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(element => element.open = true)")
    tab.wait_for_timeout(50)
    assert messages == []
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    theme = figures.DARK if scheme == "dark" else figures.LIGHT
    red, green, blue = (int(theme.surface[i : i + 2], 16) for i in (1, 3, 5))
    background = tab.eval_on_selector("section", "element => getComputedStyle(element).backgroundColor")
    assert background == f"rgb({red}, {green}, {blue})"
    source = tab.eval_on_selector("img", "element => [element.currentSrc, element.naturalWidth]")
    shown = page.inlined(PICTURE, file.parent)
    assert source[0] == (shown.dark if scheme == "dark" else shown.light)
    assert source[1] > 0
    tab.close()


def test_the_first_column_of_a_wide_table_stays_in_place_when_scrolled(
    browser: "playwright.Browser", file: Path
) -> None:
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    tab.goto(file.as_uri())
    box = tab.locator("#results .scroll").first
    assert box.evaluate("element => element.scrollWidth > element.clientWidth")
    before = box.locator("tbody th").first.bounding_box()
    box.evaluate("element => { element.scrollLeft = 200; }")
    assert box.evaluate("element => element.scrollLeft") == 200
    after = box.locator("tbody th").first.bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] == before["x"]
    tab.close()


def test_on_a_phone_the_labels_of_table_2_stay_in_view_and_a_hint_says_to_scroll(
    browser: "playwright.Browser", file: Path
) -> None:
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    tab.goto(file.as_uri())
    wide = tab.locator("#results .wide").first
    playwright.expect(wide.locator(".hint")).to_be_visible()
    scroll = wide.locator(".scroll")
    labels = wide.locator("tbody tr").first.locator(".label")
    assert labels.all_inner_texts() == ["Haberman", "ACSA", "ours"]
    before = [labels.nth(i).bounding_box() for i in range(3)]
    scroll.evaluate("element => { element.scrollLeft = 200; }")
    assert scroll.evaluate("element => element.scrollLeft") == 200
    assert [labels.nth(i).bounding_box() for i in range(3)] == before
    tab.close()


def test_a_table_that_fits_has_no_hint(opened: "playwright.Page") -> None:
    opened.set_viewport_size({"width": 2000, "height": 900})
    playwright.expect(opened.locator("#results .hint").first).to_be_hidden()


def test_one_switch_shows_one_protocol_everywhere(opened: "playwright.Page") -> None:
    def shown() -> list[str | None]:
        blocks = opened.locator("#results .block:visible")
        return [blocks.nth(i).get_attribute("data-protocol") for i in range(blocks.count())]

    assert shown() == ["holdout", "paper"] * 2
    opened.locator("#protocol").get_by_label("holdout").check()
    assert shown() == ["holdout"] * 2
    assert {text.split()[0] for text in column(opened, "protocol")} == {"holdout"}
    assert opened.locator("#modes").is_visible()  # its picture belongs to no protocol
    opened.locator("#protocol").get_by_label("all").check()
    assert len(shown()) == 4


def test_sorting_is_by_number_in_both_directions_with_empty_values_last(opened: "playwright.Page") -> None:
    before = column(opened, "ACSA")
    head = opened.get_by_role("columnheader", name="ACSA")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    rising = column(opened, "ACSA")
    assert rising[0] == "10.00 ± 0.00"
    assert sorted(rising[-2:]) == ["NA", "undefined"]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    falling = column(opened, "ACSA")
    assert falling[0] == "90.00 ± 0.00"
    assert sorted(falling[-2:]) == ["NA", "undefined"]
    assert sorted(rising) == sorted(falling) == sorted(before)


def test_sorting_by_texts_with_the_keyboard(opened: "playwright.Page") -> None:
    opened.get_by_role("columnheader", name="ACSA").get_by_role("button").click()
    head = opened.get_by_role("columnheader", name="method")
    head.get_by_role("button").focus()
    opened.keyboard.press("Enter")
    methods = column(opened, "method")
    assert methods == sorted(methods, key=str.casefold)
    assert opened.locator("[aria-sort=ascending]").count() == 1


def test_filters_hide_lines_and_count_the_rest(opened: "playwright.Page") -> None:
    total = len(column(opened, "dataset"))
    assert total == 11
    opened.locator("[data-filter=dataset]").select_option("Yeast")
    assert column(opened, "dataset") == ["Yeast"] * 4
    assert opened.locator("#count").inner_text() == "4 of 11 runs"
    opened.get_by_role("searchbox", name="Search").fill("NEIGHBORS no")  # in the details of one run
    assert column(opened, "method") == ["ADASYN+Q"]
    opened.get_by_role("button", name="Show all").click()
    # The form's reset sets the count before the rows are shown again.
    playwright.expect(opened.locator("#runs-table tbody tr:not([hidden])")).to_have_count(total)
    assert opened.locator("#count").inner_text() == "11 of 11 runs"
    opened.locator("#protocol").get_by_label("paper").check()
    opened.locator("[data-filter=method]").select_option("AO")
    assert [text.split()[0] for text in column(opened, "protocol")] == ["paper"]
    assert "OPTIMISTIC" in column(opened, "protocol")[0]


def test_sorting_keeps_a_filter(opened: "playwright.Page") -> None:
    opened.locator("[data-filter=dataset]").select_option("Yeast")
    opened.get_by_role("columnheader", name="GM").get_by_role("button").click()
    assert column(opened, "dataset") == ["Yeast"] * 4


def test_printing_unfolds_everything_and_hides_the_controls(opened: "playwright.Page") -> None:
    opened.evaluate("document.body.insertAdjacentHTML('beforeend', '<details class=fold></details>')")
    opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.eval_on_selector_all(".fold", "all => all.length && all.every(element => element.open)")
    opened.emulate_media(media="print")
    assert not opened.locator("#filters").is_visible()
    assert opened.locator("#runs-table").is_visible()
