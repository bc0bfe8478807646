"""The widget in a live JupyterLab and Notebook 7: run a notebook, see the drawing, open a branch, read a source line."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

LOAD = "import graphlens as gl\nprogram = gl.read('nested_control_flow.pt2')"
SHOW = "view = gl.view(program)\nview"


@pytest.fixture(scope="session")
def home(tmp_path_factory, archives):
    path = tmp_path_factory.mktemp("jupyter")
    shutil.copy(archives / "nested_control_flow.pt2", path)
    return path


@pytest.fixture(scope="session")
def lab(home, serve):
    with serve("jupyterlab", home) as address:
        yield address


def widget(page):
    return page.get_by_test_id("graphlens").first


def wait_ready(page) -> None:
    expect(widget(page)).to_have_attribute("data-state", "ready", timeout=60_000)


def find(page, query: str) -> None:
    field = widget(page).get_by_role("searchbox", name="Search nodes")
    field.fill(query)
    field.press("Enter")


def test_a_nested_branch_opens_and_a_node_tells_its_source(page, lab, home, write_notebook, run_notebook, watch, bring):
    write_notebook(home / "look.ipynb", LOAD, SHOW)
    watched = watch(page, (lab, lab.replace("http", "ws")))
    run_notebook(f"{lab}/doc/tree/look.ipynb")
    wait_ready(page)
    before = int(widget(page).get_attribute("data-regions"))
    find(page, "op:higher_order.cond graph:cond.true_fn")
    expect(widget(page).locator(".gl-details h2")).to_have_text("cond")
    widget(page).locator(".gl-canvas").press("Enter")
    expect(widget(page).locator(".gl-frame.gl-selected, .gl-selected .gl-pane").first).to_be_visible()
    assert int(widget(page).get_attribute("data-regions")) > before
    for key in "ddaxb":
        widget(page).locator(".gl-canvas").press(key)
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(2)
    node = widget(page).locator(".gl-shape", has_text="sin")
    expect(node).to_have_count(1)
    bring(node)
    node.click()
    expect(widget(page).locator(".gl-details h2")).to_have_text("sin")
    expect(widget(page).locator(".gl-frame-head").first).to_contain_text("make_archives.py:")
    expect(widget(page).locator(".gl-source pre").first).to_contain_text("y = torch.cond(x.sum() > 0")
    assert watched.ours() == []
    assert watched.requests == []


def test_a_large_drawing_is_made_when_the_page_shows_it(page, lab, home, write_notebook, run_notebook):
    large = "import importlib\nimportlib.import_module('graphlens.view.widget').LARGE = 10"
    write_notebook(home / "large.ipynb", LOAD, large, SHOW)
    run_notebook(f"{lab}/doc/tree/large.ipynb")
    wait_ready(page)
    assert int(widget(page).get_attribute("data-nodes")) > 0


def test_python_and_the_page_share_the_state(page, lab, home, write_notebook, run_notebook, watch):
    show_state = "print('STATE', view.selection, view.query, view.expanded is not None)"
    write_notebook(home / "state.ipynb", LOAD, SHOW, "view.selection = 'cond.true_fn/cond.true_fn/sin'", show_state)
    run_notebook(f"{lab}/doc/tree/state.ipynb")
    wait_ready(page)
    expect(widget(page).locator(".gl-details h2")).to_have_text("sin", timeout=20_000)
    find(page, "op:mean")
    expect(widget(page).locator(".gl-details h2")).to_have_text("mean")
    page.wait_for_timeout(500)
    page.evaluate("""async () => {
        const notebook = window.jupyterapp.shell.currentWidget.content;
        notebook.activeCellIndex = 3;
        await window.jupyterapp.commands.execute('notebook:run-cell');
    }""")
    expect(page.locator(".jp-OutputArea-output", has_text="STATE cond.true_fn/mean op:mean True")).to_be_visible()


def test_two_views_on_a_page_share_the_engine(page, lab, home, write_notebook, run_notebook, watch):
    write_notebook(home / "two.ipynb", LOAD, SHOW, "gl.view(program, expand=2)")
    run_notebook(f"{lab}/doc/tree/two.ipynb")
    for view in page.get_by_test_id("graphlens").all() or [widget(page)]:
        expect(view).to_have_attribute("data-state", "ready", timeout=60_000)
    expect(page.get_by_test_id("graphlens")).to_have_count(2)
    ids = page.evaluate("[...document.querySelectorAll('.graphlens [id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert page.evaluate("globalThis.__graphlens_assets__.size") == 3


def test_notebook_7_shows_the_widget(page, home, serve, write_notebook, run_notebook, watch):
    write_notebook(home / "seven.ipynb", LOAD, SHOW)
    with serve("notebook", home) as address:
        watched = watch(page, (address, address.replace("http", "ws")))
        run_notebook(f"{address}/notebooks/seven.ipynb")
        wait_ready(page)
        assert int(widget(page).get_attribute("data-nodes")) > 3
        find(page, "op:sin")
        expect(widget(page).locator(".gl-details h2")).to_have_text("sin")
        assert watched.ours() == []
        assert watched.requests == []
