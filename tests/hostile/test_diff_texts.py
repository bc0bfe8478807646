"""A diff of hostile programs: in every form that it is written in, what they say is text and nothing else."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ET

import pytest
from diff import edits
from diff.exports import nested_program
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from graphlens.diff import Diff, compare
from graphlens.program.argument import Map
from graphlens.view import report_html, to_svg

# JSON makes one character of a high surrogate before a low one: hence the dot
PIECES = (
    "</script><img src=x onerror=alert(1)>", "<!--", "]]>", "|", "`", "\\", "\n", "\r\n# head\n", "\x1b[2J", "\x9b31m",
    "\u202e", "\u2066", "\u200f", "\u2028", "\x00", "\ud800.", "\udfff", "\ufffe", "@here", "#12", "[l](http://e.com)",
    "javascript:", "&lt;", '"', "'", "{{", "$x$", "~~", "**", "\t", "é", "name",
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
MOVES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
TAGS = re.compile(r"(?i)<\s*/?\s*(script|img|!--|svg|iframe)")
BARE = re.compile(r"(?<!\\)[|`]")


def diff_of(text: str) -> Diff:
    """Put a text wherever a program may say something, differently on both sides."""
    original = nested_program()
    place = ("map_impl.f", "cos")
    a = edits.with_meta(
        original, place, stack_trace=f'File "{text}", line 1, in f\n    x', custom=Map(((text, text),)), **{text: "a"}
    )
    b, _ = edits.change_target(a, place)
    b = edits.with_meta(edits.edit_node(b, place, target=text), place, custom=None, **{text: text})
    b = edits.with_meta(b, ("", "sin"), stack_trace=f'File "<eval_with_key>.1{text}", line 1, in {text}\n    {text}')
    stored = tuple(replace(t, fqn=text, dtype=text) if t.fqn == "scale" else t for t in b.stored)
    return compare(a, replace(b, stored=stored))


def check(text: str) -> None:
    diff = diff_of(text)
    assert not diff.ok
    for shown in (str(diff), diff.verdict, diff.explain("map_impl.f:cos"), diff.to_markdown()):
        assert not MOVES.search(shown)
    assert "\n" not in diff.verdict
    cells(diff.to_markdown())
    suite = ET.fromstring(diff.to_junit().encode())
    assert {child.tag for child in suite} == {"testcase"}
    assert {child.tag for case in suite for child in case} <= {"failure", "system-out"}
    assert int(suite.get("failures", -1)) == len(suite.findall(".//failure"))
    written = diff.to_json()
    assert written.isascii()
    assert not MOVES.search(written)
    assert Diff.from_json(written).mismatches.equals(diff.mismatches)
    assert Diff.from_json(written).to_json() == written
    assert json.loads(written) == diff.to_dict()


def cells(markdown: str) -> None:
    """No text opens a tag, a cell, a link, a mention or code."""
    assert not TAGS.search(markdown)
    assert not re.search(r"(?<!\\)\]\(|(?i:https?:)|@here|(?<![&\w])#12", markdown)
    for line in markdown.splitlines():
        assert not line.startswith("# ")
        bars = len(BARE.findall(line))
        assert bars in ((4, 5) if line.startswith("|") else (0,)), line


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(HOSTILE)
def test_hostile_texts_are_text_in_every_form(text):
    check(text)


@pytest.mark.parametrize("text", ["".join(PIECES), "<!--<script>", "\ud800", "\\", "`|`", "x" * 5000, "\n" * 50])
def test_these_too(text):
    check(text)


@pytest.mark.parametrize("text", ["".join(PIECES), "\ud800\x00</style></script>"])
def test_a_report_and_a_picture_hold_no_element_of_theirs(text, front_end_is_built):
    diff = diff_of(text)
    page = report_html(diff)
    ours = re.sub(r"(?s)<script.*?</script>|<style>.*?</style>|src=\"data:[^\"]*\"", "", page)
    assert not re.search(r"(?i)<(script|iframe|img (?!style=|alt=.Graph of a → b. ))", ours)
    assert "onerror" not in html.unescape(re.sub(r">[^<]*<", "><", ours))
    svg = to_svg(diff)
    assert not TAGS.search(re.sub(r"(?i)</?svg\b", "", svg))
    ET.fromstring(svg.encode())


@pytest.fixture
def front_end_is_built():
    from graphlens.view.assets import STATIC

    if not (STATIC / "graphlens.js").exists():
        pytest.skip("the front end is not built")
