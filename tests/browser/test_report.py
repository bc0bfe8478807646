"""The report as a reader has it: opened from disk, no network, mouse and keyboard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

import graphlens as gl
from graphlens.read import read

pytestmark = pytest.mark.browser

ARCHIVES = Path(__file__).parents[1] / "data" / "archives" / "torch-2.13.0"
INNERMOST = "cond.true_fn/cond.true_fn"


def root(page):
    return page.get_by_test_id("graphlens")


def open_all(page, bring) -> None:
    """Click every closed region open, from the outside in, as a reader would."""
    for _ in range(40):
        closed = page.locator(".gl-closed .gl-chevron rect")
        if closed.count() == 0:
            return
        bring(closed.first)
        before = root(page).get_attribute("data-regions")
        closed.first.click()
        expect(root(page)).not_to_have_attribute("data-regions", before)
        expect(root(page)).to_have_attribute("data-state", "ready")
    raise AssertionError("regions stay closed")


def search(page, query: str) -> None:
    page.keyboard.press("/")
    page.keyboard.type(query)
    page.keyboard.press("Enter")
    expect(page.locator(".gl-search-status")).to_contain_text("1 of")


def test_every_branch_opens_down_to_the_innermost(opened, nested_report, bring, page):
    page.set_viewport_size({"width": 1600, "height": 2400})
    page = opened(nested_report)
    open_all(page, bring)
    expect(page.locator(".gl-shape .gl-title", has_text="sin")).to_have_count(1)
    labels = page.evaluate("[...document.querySelectorAll('.gl-frame')].map(f => f.getAttribute('aria-label'))")
    nested = [path.rpartition(".")[2] for path in read(ARCHIVES / "nested_control_flow.pt2").graphs if path]
    for role in set(nested):
        assert sum(label.startswith(f"region {role},") for label in labels) == nested.count(role)


def test_a_node_leads_to_its_source_line(opened, nested_report, bring):
    page = opened(nested_report)
    open_all(page, bring)
    node = page.locator(".gl-shape", has_text="sin")
    bring(node)
    node.click()
    details = page.locator(".gl-details")
    expect(details.locator("h2")).to_have_text("sin")
    line = next(n.stack_trace for _, n in read(ARCHIVES / "nested_control_flow.pt2").walk() if n.name == "sin")
    expect(details.locator(".gl-source")).to_contain_text(line.strip().splitlines()[-1].strip())
    expect(details.locator(".gl-frame-head").first).to_contain_text("make_archives.py:")
    expect(page.locator('[role=treeitem][aria-selected="true"]')).to_contain_text("true_fn")


def test_search_opens_what_is_around_a_result(opened, nested_report):
    page = opened(nested_report)
    search(page, f"op:sin graph:{INNERMOST}")
    expect(page.locator(".gl-shape.gl-selected")).to_contain_text("sin")
    expect(page.locator(".gl-details h2")).to_have_text("sin")


def test_a_bad_query_is_answered(opened, nested_report):
    page = opened(nested_report)
    page.keyboard.press("/")
    page.keyboard.type("/(/")
    expect(page.locator(".gl-search-status")).to_contain_text("no regular expression")


def test_the_keyboard_is_enough(opened, nested_report):
    page = opened(nested_report)
    page.keyboard.press("ArrowDown")
    expect(page.locator(".gl-details h2")).to_have_text("x")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    expect(page.locator(".gl-details h2")).not_to_have_text("x")
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    expect(root(page)).to_have_attribute("data-regions", "1")
    page.keyboard.press("e")
    expect(page.locator(".gl-closed")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Open or close the selected region")
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    expect(page.get_by_role("table", name="Inputs")).to_be_visible()
    table = page.get_by_role("table", name="Inputs")
    for shown in (False, True) * 10:  # a key that follows at once is not lost with the dialog
        for key in ("?", "Escape", "t"):
            page.keyboard.press(key)
        expect(table).to_be_visible(visible=shown)
    page.get_by_role("tree").get_by_role("treeitem").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".gl-details h2")).not_to_have_text("x")


def test_a_link_reopens_the_same_view(opened, nested_report):
    page = opened(nested_report)
    page.wait_for_timeout(600)
    assert page.evaluate("location.hash") == ""
    search(page, f"op:sin graph:{INNERMOST}")
    page.wait_for_timeout(600)
    fragment = page.evaluate("location.hash")
    assert fragment.startswith("#state=")
    page.goto("about:blank")
    again = opened(nested_report, fragment)
    expect(again.locator(".gl-shape.gl-selected")).to_contain_text("sin")
    expect(again.locator(".gl-search-input")).to_have_value(f"op:sin graph:{INNERMOST}")


def test_what_is_seen_can_be_saved(opened, nested_report, tmp_path):
    page = opened(nested_report)
    with page.expect_download() as download:
        page.keyboard.press("s")
    svg = Path(download.value.path()).read_text("utf-8")
    assert svg.startswith("<svg")
    assert "class=" not in svg
    assert "sum" in svg
    with page.expect_download() as download:
        page.get_by_role("button", name="Save what is seen as PNG").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_a_diff_opens_with_its_summary_at_the_worst_difference(opened, diff_report):
    page = opened(diff_report)
    row = page.get_by_role("table", name="Summary").locator("tbody tr[data-row]").first
    what = row.locator("td").last.inner_text()
    worst = page.locator(".gl-shape.gl-grave, .gl-shape.gl-serious, .gl-shape.gl-s-only_a, .gl-shape.gl-s-only_b")
    assert any(shape.bounding_box()["y"] > 0 for shape in worst.all())
    row.click()
    expect(page.locator(".gl-shape.gl-selected")).to_be_in_viewport()
    name = page.locator(".gl-details h2").inner_text()
    assert name in what or name.split(" ")[0] in what


def test_keys_go_from_difference_to_difference(opened, diff_report):
    page = opened(diff_report)
    heading, seen = page.locator(".gl-details h2"), []
    for _ in range(3):
        before = heading.inner_text()
        page.keyboard.press("n")
        expect(heading).not_to_have_text(before)
        expect(page.locator(".gl-details .gl-chips .gl-chip").nth(1)).not_to_contain_text("same")
        seen.append(heading.inner_text())
    expect(page.locator(".gl-search-status")).to_contain_text("3 of")
    page.keyboard.press("p")
    expect(heading).to_have_text(seen[1])


def test_a_module_that_is_gone_is_marked_as_gone(opened, fewer_report):
    page = opened(fewer_report)
    item = page.get_by_role("treeitem").filter(has_text="layers.1").first
    expect(item.locator(".gl-tree-count")).to_contain_text("− ")
    region = page.locator(".gl-closed.gl-s-only_a")
    expect(region).to_contain_text("layers.1")
    expect(region).to_be_in_viewport()
    expect(page.get_by_role("table", name="Summary")).to_contain_text("layers.1 is only in a")


def test_a_long_verdict_can_be_read_as_a_whole(opened, fewer_report, page):
    page.set_viewport_size({"width": 700, "height": 425})
    opened(fewer_report)
    line = page.locator(".gl-verdict-line")
    hidden = "el => el.scrollHeight - el.clientHeight > 2"
    assert line.evaluate(hidden)
    page.locator(".gl-verdict summary").click()
    assert not line.evaluate(hidden)


def test_a_diff_shows_its_rows_and_leads_to_them(opened, diff_report):
    page = opened(diff_report)
    expect(page.locator(".gl-verdict")).to_contain_text("different")
    page.get_by_role("tab", name="Mismatches").click()
    row = page.get_by_role("table", name="Mismatches").locator("tbody tr[data-row]").nth(2)
    name = row.locator("td").nth(3).inner_text() or row.locator("td").nth(4).inner_text()
    row.click()
    expect(page.locator(".gl-details h2")).to_contain_text(name)
    expect(page.locator(".gl-details .gl-mismatch").first).to_be_visible()
    expect(row).to_have_attribute("aria-current", "true")
    expect(page.locator(".gl-badge").first).to_be_visible()


def test_objects_are_tabs_and_remember_what_was_left(opened, diff_report):
    page = opened(diff_report)
    tabs = page.get_by_role("tablist", name="Objects").get_by_role("tab")
    expect(tabs).to_have_count(2)
    page.keyboard.press("ArrowDown")
    chosen = page.locator(".gl-details h2").inner_text()
    tabs.nth(1).click()
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    expect(page.locator(".gl-details h2")).not_to_have_text(chosen)
    tabs.nth(0).click()
    expect(page.locator(".gl-details h2")).to_have_text(chosen)


def test_dark_follows_the_system_and_the_key(opened, nested_report, page):
    page.emulate_media(color_scheme="dark")
    opened(nested_report)
    expect(root(page)).to_have_attribute("data-mode", "dark")
    page.keyboard.press("l")
    expect(root(page)).to_have_attribute("data-mode", "light")


@pytest.mark.parametrize("name", ["nested_report", "diff_report"])
def test_axe_finds_nothing_serious(browser, name, request):
    script = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        pytest.skip("axe-core is not installed: run `npm ci` in js/")
    context = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(request.getfixturevalue(name).as_uri())
    page.wait_for_selector('[data-state="ready"]')
    page.add_script_tag(path=str(script))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    context.close()
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert not serious, json.dumps([[v["id"], v["help"], v["nodes"][0]["html"][:200]] for v in serious], indent=1)


def test_a_browser_without_scripts_reads_the_summary(browser, nested_report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(nested_report.as_uri())
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("noscript p")).to_be_visible()
    context.close()


def test_a_report_is_small(nested_report):
    assert nested_report.stat().st_size < 1.2e6
    assert gl.__version__ in nested_report.read_text("utf-8")
