"""The report: one file, a policy that fits it, the same bytes each time, and small."""

import base64
import hashlib
import re

import pytest

from graphlens.errors import GraphLensError, ViewError
from graphlens.view import report, report_html
from graphlens.view.wire import decode


def policy_of(page):
    return re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]


def payload_of(page):
    return decode(base64.b64decode(re.search(r'id="graphlens-data">([^<]*)<', page)[1]))


def sha256(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_names_the_hash_of_the_script_and_of_the_sheet(nested, front_end):
    page = report_html(nested)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    (sheet,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    policy = policy_of(page)
    assert f"script-src {sha256(script)} 'wasm-unsafe-eval' blob:" in policy
    assert f"style-src {sha256(sheet)}" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert "http" not in policy


def test_nothing_in_it_is_fetched(nested, front_end):
    page = re.sub(r"<script.*?</script>|<style>.*?</style>", "", report_html(nested), flags=re.DOTALL)
    assert not re.search(r"""(src|href|action)=["'](?!data:)""", page)
    assert not re.search(r"\sstyle=", page)  # the policy would refuse it


def test_a_bundle_that_speaks_of_script_elements_cannot_end_its_own(nested, front_end):
    (front_end / "graphlens.js").write_text('const a = "</script><script>alert(1)<!--";')
    page = report_html(nested)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    assert "alert(1)" in script
    assert sha256(script) in policy_of(page)


def test_it_is_the_same_each_time(make, front_end):
    assert report_html(make.nested()) == report_html(make.nested())


def test_what_a_reader_without_scripts_gets(nested, front_end):
    page = report_html(nested, title="My report")
    assert "<h1>My report</h1>" in page
    assert "<noscript>" in page
    assert 'alt="Graph of nested.pt2"' in page
    assert '<html lang="en">' in page


def test_several_objects_are_tabs(nested, make, front_end):
    payload = payload_of(report_html([nested, make.nested(layers=1)]))
    assert [section.kind for section in payload.sections] == ["program", "program"]
    assert len(payload.programs) == 2


def test_it_is_written_whole_or_not_at_all(nested, front_end, tmp_path):
    folder = tmp_path / "reports"
    folder.mkdir()
    target = folder / "out.html"
    target.write_text("older")
    with pytest.raises(ViewError):
        report([nested, object()], target)
    assert target.read_text() == "older"
    assert report(nested, target) == target
    assert [path.name for path in folder.iterdir()] == ["out.html"]
    with pytest.raises(GraphLensError, match="cannot write"):
        report(nested, tmp_path / "no" / "such" / "folder.html")


def test_a_report_of_nothing_is_refused(front_end):
    with pytest.raises(ViewError, match="nothing"):
        report_html([])


@pytest.mark.parametrize(("option", "value"), [("source", "some"), ("expand", -1), ("expand", 1.5)])
def test_options_without_meaning_are_refused(nested, front_end, option, value):
    with pytest.raises(ViewError, match=option):
        report_html(nested, **{option: value})


def test_sources_can_be_left_out(nested, front_end):
    payload = payload_of(report_html(nested, source="none"))
    assert payload.programs[0].traces == []
    assert not [text for text in payload.strings if "model.py" in text]


def test_a_front_end_that_is_not_built_is_said(nested, no_front_end):
    with pytest.raises(ViewError, match=r"npm run build.*js/"):
        report_html(nested)


def test_nine_thousand_nodes_take_little_room(llama, built):
    page = report_html(llama)
    assert sum(len(graph) for graph in llama.graphs.values()) > 9000
    assert len(page.encode()) < 2_000_000


def test_a_report_needs_neither_torch_nor_pandas(run_python, built, tmp_path):
    code = f"""
import sys
import graphlens.api as api
api.report({str(built)!r}, {str(tmp_path / "r.html")!r})
print([name for name in ("torch", "pandas", "anywidget", "IPython") if name in sys.modules])
"""
    assert run_python(code) == "[]"
    assert (tmp_path / "r.html").stat().st_size > 100_000


def test_a_node_with_thousands_of_changed_operands_is_reported(tmp_path):
    """The lines of its picture together are as long as the square of its operands."""
    from time import process_time

    from graphlens.diff import compare
    from graphlens.program.argument import Ref, Seq
    from graphlens.program.frozen import freeze
    from graphlens.program.graph import Graph, Node
    from graphlens.program.program import Program
    from graphlens.program.value import TensorValue

    value = TensorValue(shape=(2,), dtype="float32")
    makers = [
        Node(name=f"s{i}", op="call_function", target="aten.mul.Tensor", args=(Ref("x"), float(i)), value=value)
        for i in range(1500)
    ]
    refs = [Ref(node.name) for node in makers]

    def program(operands):
        cat = Node(
            name="cat", op="call_function", target="aten.cat.default", args=(Seq("list", tuple(operands)),), value=value
        )
        out = Node(name="output", op="output", target="output", args=(Seq("tuple", (Ref("cat"),)),))
        return Program(
            graphs=freeze({"": Graph((Node(name="x", op="placeholder", target="x", value=value), *makers, cat, out))})
        )

    diff = compare(program(refs), program(refs[1:] + refs[:1]))
    started = process_time()
    text = diff.to_html(tmp_path / "wide.html").read_text()
    assert process_time() - started < 12
    assert "args[0]" in text
