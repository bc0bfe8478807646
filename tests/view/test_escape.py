"""Whatever a program says is text: hostile names through DOT, SVG, HTML tables, text and the report."""

import base64
import gzip
import html.parser
import json
import re
import xml.etree.ElementTree as ET

import pytest

from graphlens.view import StaticView, report_html, to_dot, to_svg
from graphlens.view.layout import layout
from graphlens.view.options import Options

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    "<!--<script>",
    "<built-in function getitem>",
    "<b>bold</b>",
    "quote \" and ' apostrophe",
    "back\\slash\\",
    "ends with a backslash\\",
    "\\N \\G \\l \\E",
    "{ a | <port> b }",
    "&lt;already&gt; &amp; &#60;",
    "]]> <![CDATA[",
    "control \x00\x01\x1b[31m \x7f \x85",
    "override \u202e gpj.exe \u2066 \u200b \ufeff",
    "lone \ud800 surrogate",
    "javascript:alert(1)",
    "#MARKER url(#x)",
    "emoji 🦊 中文 ﷺ",
    "x" * 5000,
    "new\nline\r\n\ttab",
    "${jndi} {{7*7}} %s {0}",
    "",
]

FORBIDDEN = {"script", "img", "b", "iframe", "object", "embed", "foreignObject", "a", "use", "image"}


class Elements(html.parser.HTMLParser):
    """Collects the elements of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    handle_startendtag = handle_starttag


@pytest.fixture(params=HOSTILE, ids=range(len(HOSTILE)))
def hostile(request, make):
    text = request.param
    modules = [(text or "m", text or "M")]
    body = (make.placeholder(text or "a"), make.output(text or "a"))
    nodes = (
        make.placeholder("x"),
        make.node(
            "evil",
            target=text,
            args=[make.ref("x"), text],
            kwargs={text: text},
            modules=modules,
            trace=f'File "{text}", line 1, in {text}\n  {text}\n',
            meta={"custom": text, text or "key": text},
        ),
        make.node("attribute", "get_attr", text),
        make.node("module", "call_module", text, args=[make.ref("evil"), make.ref("attribute")]),
        *make.call("cond", text or "hop", (text or "f",), ["module"]),
        make.output("cond"),
    )
    program = make.program(nodes, {f"cond.{text or 'f'}": body}, origin=make.origin(text))
    return text, program


def test_svg_is_well_formed_and_holds_nothing_active(hostile):
    text, program = hostile
    root = ET.fromstring(to_svg(program, depth=9).encode("utf-8"))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & FORBIDDEN
    for element in root.iter():
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]
    shown = "".join(root.itertext())
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    if text.startswith("</script>"):
        assert "</script><img" in shown  # told as it is, as text


def test_dot_is_one_graph_with_the_text_as_label(hostile):
    _, program = hostile
    dot = to_dot(program, depth=9)
    assert not re.search(r"=<", dot)
    drawn = json.loads(layout(dot, format="json0"))
    assert {o["name"] for o in drawn["objects"] if "name" in o} >= {"n0"}
    assert not re.search(r"\bURL=|\bhref=", dot)


def test_a_label_reads_in_graphviz_as_it_was_written(make):
    for text in ("<built-in function getitem>", 'quote "', "back\\slash", "{a|b}", "\\N"):
        dot = to_dot(make.program((make.node("n", "call_module", text), make.output())), depth=0)
        assert f">{text}<".replace("<", "&lt;").replace(">", "&gt;")[4:-4] in layout(dot, format="svg").replace(
            "&quot;", '"'
        ).replace("&#45;", "-")


def test_static_html_holds_nothing_active(hostile):
    text, program = hostile
    static = StaticView((program,), Options(title=text))
    elements = Elements(static.html).found
    assert {tag for tag, _ in elements} <= {
        "div", "section", "p", "strong", "br", "img", "table", "caption", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    for tag, attributes in elements:
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "img":
            assert attributes["src"].startswith("data:image/svg+xml;base64,")
    assert "\x1b" not in static.html


def test_text_is_printable(hostile):
    text, program = hostile
    shown = str(StaticView((program,), Options(title=text)))
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_the_report_holds_three_scripts_and_no_other(hostile, front_end):
    text, program = hostile
    page = report_html(program, title=text)
    scripts = [attributes for tag, attributes in Elements(page).found if tag == "script"]
    assert [(s.get("id"), s.get("type")) for s in scripts] == [
        ("graphlens-data", "application/gzip;base64"),
        ("graphlens-engine", "application/gzip;base64"),
        (None, "module"),
    ]
    images = [attributes for tag, attributes in Elements(page).found if tag == "img"]
    assert all("onerror" not in attributes for attributes in images)
    page.encode("utf-8")


def test_the_report_gives_the_texts_to_the_front_end_as_they_are(front_end, make):
    text = "</script><img src=x onerror=alert(1)>"
    page = report_html(make.program((make.node("n", target=text), make.output())))
    data = re.search(r'id="graphlens-data">([^<]*)<', page)[1]
    assert text in json.loads(gzip.decompress(base64.b64decode(data)))["strings"]
