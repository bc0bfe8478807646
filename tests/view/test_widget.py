"""The widget as the kernel sees it: its state, what it answers the page, and what is shown without it."""

import gzip
import importlib

import pytest

from graphlens.errors import ViewError
from graphlens.view import StaticView, mimebundle, view
from graphlens.view.widget import GraphView
from graphlens.view.wire import decode

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def widget(nested, front_end, monkeypatch):
    shown = view(nested)
    sent = []
    monkeypatch.setattr(shown, "send", lambda content, buffers=None: sent.append((content, buffers)))
    return shown, sent


def test_the_state_is_in_the_traits(nested, front_end):
    shown = view(nested, query="op:linear", selection="cond", height=400, theme="dark")
    assert (shown.query, shown.selection, shown.height, shown.theme) == ("op:linear", "cond", 400, "dark")
    assert shown.expanded is None
    assert decode(shown.payload).programs[0].name == "nested.pt2"
    synced = set(shown.keys)
    assert {"payload", "expanded", "selection", "query", "section", "view", "camera", "table", "theme"} <= synced


@pytest.fixture
def waiting(nested, front_end, monkeypatch):
    """A widget of what counts as large, and what it sends."""
    monkeypatch.setattr(importlib.import_module("graphlens.view.widget"), "LARGE", 10)
    shown = view(nested)
    sent = []
    monkeypatch.setattr(shown, "send", lambda content, buffers=None: sent.append(content))
    return shown, sent


def test_a_large_program_is_drawn_when_a_page_asks_for_it(waiting, nested):
    shown, sent = waiting
    assert shown.payload == b""
    assert shown.waits_for == f"{sum(map(len, nested.graphs.values()))} nodes"
    assert {"payload", "waits_for"} <= set(shown.keys)
    for request in "ab":
        shown._answer(shown, {"kind": "payload", "id": request}, [])
    assert decode(shown.payload).programs[0].name == "nested.pt2"
    assert sent == [{"kind": "payload", "id": "a"}, {"kind": "payload", "id": "b"}]


def test_beside_a_large_drawing_stands_its_text(waiting, nested):
    shown, _ = waiting
    data, _ = shown._repr_mimebundle_()
    assert set(data) == {WIDGET, "text/html", "text/plain"}
    assert data["text/plain"] == str(nested)
    assert data["text/html"].startswith("<pre")
    assert shown.payload == b""
    assert "<svg" in shown.to_svg()


@pytest.mark.parametrize(("raised", "said"), [(KeyboardInterrupt(), "interrupted"), (ViewError("no room"), "no room")])
def test_a_drawing_that_ends_early_is_told_to_the_page(waiting, monkeypatch, raised, said):
    shown, sent = waiting

    def stop():
        raise raised

    monkeypatch.setattr(shown, "_draw", stop)
    shown._answer(shown, {"kind": "payload", "id": "1"}, [])
    assert said in sent[0]["error"]


def test_code_is_not_in_the_state(nested, front_end):
    assert len(view(nested)._esm) < 5000
    assert len(view(nested).payload) < 5000


def test_an_asset_is_answered_by_id_as_one_gzip_buffer(widget, front_end):
    shown, sent = widget
    shown._answer(shown, {"kind": "asset", "id": "7", "name": "graphlens.js"}, [])
    ((content, buffers),) = sent
    assert content == {"kind": "asset", "id": "7", "name": "graphlens.js"}
    assert gzip.decompress(buffers[0]) == (front_end / "graphlens.js").read_bytes()


def test_the_page_knows_an_asset_by_its_digest(nested, front_end):
    before = view(nested)._assets["graphlens.js"]
    (front_end / "graphlens.js").write_text("another bundle")
    assert view(nested)._assets["graphlens.js"] != before


@pytest.mark.parametrize("name", ["../../etc/passwd", "loader.js", "", None, 7])
def test_only_the_front_end_is_given(widget, name):
    shown, sent = widget
    shown._answer(shown, {"kind": "asset", "id": "1", "name": name}, [])
    ((content, buffers),) = sent
    assert "no asset" in content["error"]
    assert buffers is None


@pytest.mark.parametrize("message", [None, "asset", 3, [], {}, {"kind": "other"}])
def test_foreign_messages_are_ignored(widget, message):
    shown, sent = widget
    shown._answer(shown, message, [])
    assert sent == []


def test_a_widget_shows_itself_with_html_and_text_beside_it(nested, front_end):
    data, metadata = view(nested)._repr_mimebundle_()
    assert set(data) == {WIDGET, "text/html", "text/plain"}
    assert data["text/plain"].startswith("nested.pt2\n")
    assert "data:image/svg+xml" in data["text/html"]
    assert len(data["text/html"]) < 100_000
    assert metadata == {}


@pytest.mark.parametrize(
    ("include", "exclude", "kinds"),
    [
        (["text/plain"], None, {"text/plain"}),
        (None, ["text/html"], {WIDGET, "text/plain"}),
        ({"text/html", WIDGET}, {WIDGET}, {"text/html"}),
        ([], None, set()),
    ],
)
def test_what_is_asked_for_is_honoured(nested, front_end, include, exclude, kinds):
    assert set(view(nested)._repr_mimebundle_(include, exclude)[0]) == kinds
    assert set(nested._repr_mimebundle_(include=include, exclude=exclude)) == kinds


def test_every_result_shows_itself(nested, front_end):
    assert set(nested._repr_mimebundle_()) == {WIDGET, "text/html", "text/plain"}
    assert isinstance(nested.view(expand=0), GraphView)


def test_without_a_front_end_there_is_still_a_picture_and_text(nested, no_front_end):
    assert set(mimebundle(nested)) == {"text/html", "text/plain"}
    with pytest.raises(ViewError, match="npm run build"):
        view(nested)


def test_a_terminal_gets_text_and_makes_nothing_else(nested, monkeypatch):
    class TerminalInteractiveShell:
        pass

    monkeypatch.setattr("IPython.get_ipython", TerminalInteractiveShell)
    assert set(nested._repr_mimebundle_()) == {"text/plain"}


def test_its_static_form_and_its_file(nested, front_end, tmp_path):
    shown = view(nested, title="T")
    assert isinstance(shown.static(), StaticView)
    assert str(shown) == str(shown.static())
    assert "<title>T</title>" in shown.to_html(tmp_path / "t.html").read_text()


def test_its_svg_has_the_regions_open_that_are_open(nested, front_end):
    shown = view(nested)
    shown.expanded = ["#", "cond"]
    assert "true_fn" in shown.to_svg()
    shown.expanded = ["#"]
    assert ">true_fn<" not in shown.to_svg()


def test_it_is_named_in_one_line(nested, front_end):
    assert repr(view(nested)).count("\n") == 0


@pytest.mark.parametrize("options", [{"height": 3}, {"theme": "blue"}, {"source": "x"}, {"expand": "1"}])
def test_options_without_meaning_are_refused(nested, front_end, options):
    with pytest.raises(ViewError):
        view(nested, **options)


def test_an_option_that_does_not_exist_is_a_type_error(nested, front_end):
    with pytest.raises(TypeError, match="colour"):
        view(nested, colour="red")


def test_two_objects_are_two_tabs(nested, make, front_end):
    assert len(decode(view([nested, make.nested(layers=1)]).payload).sections) == 2


def test_importing_the_views_is_light(run_python):
    code = """
import sys, importlib
views = importlib.import_module("graphlens.view")
views.to_svg
print(sorted(name for name in ("torch", "pandas", "anywidget", "ipywidgets", "IPython") if name in sys.modules))
"""
    assert run_python(code) == "[]"
