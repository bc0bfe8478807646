"""Whatever a program says is text: names, targets, paths, traces and values full of markup do nothing in a page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

import graphlens as gl
from graphlens.program.argument import Ref
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, ModuleCall, Node
from graphlens.program.parts import Origin
from graphlens.program.program import Program
from graphlens.program.value import TensorValue

pytestmark = pytest.mark.browser

EVIL = (
    "<img src=x onerror=window.__pwn=1>",
    "</script><script>window.__pwn=1</script>",
    "<!--<script>alert(1)</script>",
    '"><svg onload=window.__pwn=1>',
    "javascript:window.__pwn=1",
    "\\N\\\\]];}digraph{a->b",
    "a|b{c}<d>",
    "\u202egnp.exe \u2028\u2029\x00\x1b[31m",
    "${window.__pwn=1}`'",
)


def hostile_program() -> Program:
    nodes = [Node(name="x", op="placeholder", target="x")]
    for i, text in enumerate(EVIL):
        trace = f'  File "{text}.py", line {i + 1}, in {text}\n    {text}\n'
        stack = (ModuleCall("", "", "M"), ModuleCall(text, text, text))
        value = TensorValue(shape=(2, text), dtype=text, device=text)
        meta = freeze({"stack_trace": trace, "nn_module_stack": stack, text: text})
        nodes.append(
            Node(
                name=f"{text}{i}",
                op="call_function",
                target=text,
                args=(Ref(nodes[-1].name), text),
                value=value,
                meta=meta,
            )
        )
    nodes.append(Node(name="output", op="output", target="output", args=(Ref(nodes[-1].name),)))
    sources = freeze({f"{text}.py": {i + 1: text} for i, text in enumerate(EVIL)})
    return Program(graphs=freeze({"": Graph(tuple(nodes))}), sources=sources, origin=Origin("graph", EVIL[1]))


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory):
    return gl.report(hostile_program(), tmp_path_factory.mktemp("hostile") / "hostile.html", title=EVIL[1])


def test_hostile_texts_are_inert_everywhere(opened, hostile_report):
    page = opened(hostile_report)
    scripts = page.evaluate("document.scripts.length")
    page.keyboard.press("e")
    page.keyboard.press("t")
    for _ in range(len(EVIL) + 1):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("/")
    page.keyboard.type("<img")
    page.keyboard.press("Enter")
    expect(page.locator(".gl-details h2")).to_contain_text("<img src=x onerror=window.__pwn=1>0")
    for tab in page.get_by_role("tablist", name="Tables").get_by_role("tab").all():
        tab.click()
    assert page.evaluate("window.__pwn") is None
    assert page.evaluate("document.scripts.length") == scripts == 3
    assert page.locator("img, iframe, object, embed, a[href]").count() == 0
    handlers = "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => a.name.startsWith('on')).length"
    assert page.evaluate(handlers) == 0


def test_a_hostile_link_is_passed_over(opened, hostile_report):
    page = opened(hostile_report, "#state=PGltZyBzcmM9eCBvbmVycm9yPWFsZXJ0KDEpPg")
    assert page.evaluate("window.__pwn") is None
