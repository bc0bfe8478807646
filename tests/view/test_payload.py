"""The payload: what it says of a program, that it survives the wire, and that the front end's types are in step."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from graphlens.errors import ViewError
from graphlens.view.build import build, build_payload
from graphlens.view.payload import Payload
from graphlens.view.wire import decode, encode

ROOT = Path(__file__).parents[2]


def texts(payload, column):
    return [payload.strings[i] for i in column]


def boxes_of(payload, program=0):
    boxes = payload.programs[program].scene.boxes
    return dict(zip(texts(payload, boxes.key), range(len(boxes.key)), strict=True))


def region_tree(payload):
    """`key: (kind, parent's key)` of every region."""
    regions = payload.programs[0].scene.regions
    keys = texts(payload, regions.key)
    return {
        key: (kind, keys[parent] if parent >= 0 else None)
        for key, kind, parent in zip(keys, regions.kind, regions.parent, strict=True)
    }


def test_it_comes_back_from_the_wire_as_it_was(nested):
    payload = build_payload([nested])
    assert decode(encode(payload)) == payload


def test_equal_payloads_give_equal_bytes(make):
    assert encode(build_payload([make.nested()])) == encode(build_payload([make.nested()]))


def test_the_gzip_header_carries_no_time(nested):
    assert encode(build_payload([nested]))[4:8] == b"\0\0\0\0"


def test_a_document_of_another_shape_is_refused(nested):
    document = json.loads(gzip.decompress(encode(build_payload([nested]))))
    document["programs"][0]["nodes"]["name"] = "not a column"
    with pytest.raises(msgspec.ValidationError, match=r"programs.*nodes\.name"):
        decode(gzip.compress(json.dumps(document).encode()))


def test_the_types_of_the_front_end_are_in_step():
    script = ROOT / "tools" / "make_payload_types.py"
    done = subprocess.run([sys.executable, str(script), "--check"], check=False, cwd=ROOT)
    assert done.returncode == 0, "run python tools/make_payload_types.py and commit js/src/payload.ts"


def test_every_struct_and_field_of_the_payload_is_in_the_types():
    text = (ROOT / "js" / "src" / "payload.ts").read_text()
    for name, schema in msgspec.json.schema(Payload)["$defs"].items():
        body = text.split(f"export interface {name} {{")[1].split("\n}")[0]
        for field in schema["properties"]:
            assert f"readonly {field}: " in body, (name, field)


def test_columns_of_one_thing_are_equally_long(nested):
    document = msgspec.to_builtins(build_payload([nested]))
    program = document["programs"][0]
    for columns in (program["scene"]["regions"], program["scene"]["boxes"], program["scene"]["edges"]):
        assert len({len(column) for column in columns.values()}) == 1
    assert {len(column) for column in program["nodes"].values()} == {len(program["scene"]["boxes"]["key"])}


def test_regions_are_module_calls_and_nested_graphs_to_any_depth(nested):
    tree = region_tree(build_payload([nested]))
    deep = "cond.true_fn/map_impl.f/cond"
    assert tree["#"] == ("graph", None)
    assert tree["#layers.1>layers.1.proj"] == ("module", "#layers.1")
    assert tree["cond"] == ("call", "#")
    assert tree["cond.true_fn#"] == ("graph", "cond")
    assert tree[deep] == ("call", "cond.true_fn/map_impl.f#")
    assert tree[f"{deep}.false_fn#"] == ("graph", deep)
    assert sum(kind == "graph" for kind, _ in tree.values()) == len(nested.graphs)


def test_the_second_call_of_a_module_is_a_region_of_its_own(make):
    nodes = (
        make.placeholder("x"),
        make.node("a", args=(), modules=[("shared", "Block")]),
        make.node("b", args=(), modules=[("shared@1", "Block")]),
        make.output("b"),
    )
    tree = region_tree(build_payload([make.program(nodes)]))
    assert {"#shared", "#shared@1"} <= tree.keys()


def test_modules_of_equal_last_name_stay_apart(make):
    nodes = (make.node("a", modules=[("enc.0", "L")]), make.node("b", modules=[("dec.0", "L")]), make.output("b"))
    tree = region_tree(build_payload([make.program(nodes)]))
    assert {"#enc.0", "#dec.0"} <= tree.keys()


def test_a_nested_graph_does_not_repeat_the_modules_around_its_call(make):
    around = [("layers.0", "Block")]
    body = (make.placeholder("a"), make.node("m", modules=[*around, ("layers.0.mlp", "Mlp")]), make.output("m"))
    nodes = (*make.call("cond", "higher_order.cond", ("true_fn",), [], modules=around), make.output("cond"))
    tree = region_tree(build_payload([make.program(nodes, {"cond.true_fn": body})]))
    assert tree["cond"] == ("call", "#layers.0")
    assert tree["cond.true_fn#layers.0.mlp"] == ("module", "cond.true_fn#")


def test_an_orphan_graph_is_shown_under_the_root(make):
    body = (make.placeholder("a"), make.output("a"))
    tree = region_tree(build_payload([make.program((make.output(),), {"nobody.calls": body})]))
    assert tree["nobody.calls#"] == ("graph", "#")


def test_equal_layers_have_equal_hashes_and_others_do_not(make):
    payload = build_payload([make.nested(layers=4)])
    regions = payload.programs[0].scene.regions
    hashes = dict(zip(texts(payload, regions.key), texts(payload, regions.hash), strict=True))
    assert hashes["#layers.1"] == hashes["#layers.2"] == hashes["#layers.3"]
    assert hashes["#layers.0"] != hashes["#layers.1"]  # its input has another shape
    assert hashes["cond.true_fn/map_impl.f/cond.true_fn#"] != hashes["cond.true_fn/map_impl.f/cond.false_fn#"]


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (0.0, -0.0), ("1", 1)])
def test_the_hash_tells_literals_apart_that_python_calls_equal(make, one, other):
    def hash_of(literal):
        node = make.node("a", args=(literal,), modules=[("m", "M")])
        payload = build_payload([make.program((node, make.output("a")))])
        return payload.strings[payload.programs[0].scene.regions.hash[1]]

    assert hash_of(one) != hash_of(other)
    assert hash_of(one) == hash_of(one)


def test_values_that_python_calls_equal_stay_apart(make):
    nodes = (
        make.node("a", value=make.const(1)),
        make.node("b", value=make.const(True)),
        make.node("c", value=make.const(1.0)),
        make.output("a"),
    )
    payload = build_payload([make.program(nodes)])
    program = payload.programs[0]
    shown = [payload.strings[program.values[v].text] for v in program.nodes.value[:3]]
    assert shown == ["1", "True", "1.0"]


def test_edges_name_their_operand_and_the_output_that_they_use(make):
    nodes = (
        make.placeholder("x"),
        make.node("topk", target="aten.topk.default", args=[make.ref("x"), 2], arg_names=("self", "k")),
        make.node("second", target="_operator.getitem", args=[make.ref("topk"), 1]),
        make.node("cat", target="aten.cat.default", args=[make.seq(make.ref("x"), make.ref("second"))]),
        make.output("cat"),
    )
    payload = build_payload([make.program(nodes)])
    edges, box = payload.programs[0].scene.edges, boxes_of(payload)
    found = {
        (dst - back, dst): (payload.strings[slot], port)
        for dst, back, slot, port in zip(edges.dst, edges.back, edges.slot, edges.port, strict=True)
    }
    assert found[box["x"], box["topk"]] == ("self", -1)
    assert found[box["topk"], box["second"]] == ("arg0", 1)
    assert found[box["second"], box["cat"]] == ("arg0[1]", -1)


def test_placeholders_of_nested_graphs_are_tied_to_their_operands(nested):
    payload = build_payload([nested])
    ties, box = payload.programs[0].scene.ties, boxes_of(payload)
    tied = set(zip(ties.outer, ties.inner, strict=True))
    assert (box["relu2"], box["cond.true_fn/a"]) in tied
    assert (box["relu2"], box["cond.false_fn/row"]) in tied
    assert (box["cond.true_fn/a"], box["cond.true_fn/map_impl.f/row"]) in tied


def test_operands_that_cannot_be_told_are_not_tied(make):
    body = (make.placeholder("a"), make.placeholder("b"), make.placeholder("c"), make.output("a"))
    nodes = (make.placeholder("x"), *make.call("hop", "higher_order.hop", ("f",), ["x"]), make.output("hop"))
    payload = build_payload([make.program(nodes, {"hop.f": body})])
    assert payload.programs[0].scene.ties.inner == []


def test_a_parameter_stays_a_parameter_inside_nested_graphs(nested):
    payload = build_payload([nested])
    boxes, box = payload.programs[0].scene.boxes, boxes_of(payload)
    inner = box["cond.true_fn/map_impl.f/cond.true_fn/w"]
    assert boxes.role[inner] == "parameter"
    assert payload.strings[boxes.label[inner]] == "proj.weight"


def test_traces_are_kept_once_with_the_users_line(make):
    payload = build_payload([make.nested(layers=50)])
    program = payload.programs[0]
    assert len(program.traces) == 1
    trace = program.traces[0]
    assert payload.strings[program.frames.text[trace.frames[trace.user]]] == "return self.proj(x)"


def test_unparsable_traces_are_shown_as_they_are(make):
    payload = build_payload([make.program((make.node("a", trace="no frames here"), make.output("a")))])
    assert "no frames here" in payload.strings


@pytest.mark.parametrize("source", ["none", "relative"])
def test_home_directories_are_not_told(nested, source):
    document = gzip.decompress(encode(build_payload([nested], source=source)))
    assert b"/home/someone" not in document
    assert (b"return self.proj(x)" in document) == (source == "relative")


def test_full_paths_are_told_when_asked_for(nested):
    assert b"/home/someone/secret/model.py" in gzip.decompress(encode(build_payload([nested], source="full")))


def test_a_program_in_two_sections_is_written_once(nested):
    payload = build_payload([nested, nested])
    assert (len(payload.sections), len(payload.programs)) == (2, 1)


def test_lone_surrogates_do_not_break_the_document(make):
    payload = build_payload([make.program((make.node("a", target="bad\ud800name"), make.output("a")))])
    assert "bad?name" in decode(encode(payload)).strings


def test_a_foreign_object_is_refused_with_its_type():
    with pytest.raises(ViewError, match=r"builtins\.dict"):
        build([{}])


def test_the_first_picture_stays_small(make):
    nodes = [make.node(f"n{i}", target=f"aten.op{i % 2}.default", modules=[(f"m{i}", "M")]) for i in range(200)]
    payload = build_payload([make.program((*nodes, make.output("n0")))])
    assert payload.sections[0].views[0].open == [0]


def test_of_equal_layers_only_the_first_is_opened(make):
    payload = build_payload([make.nested(layers=50)], expand=1)
    keys = texts(payload, payload.programs[0].scene.regions.key)
    opened = {keys[i] for i in payload.sections[0].views[0].open}
    assert {"#layers.0", "#layers.1"} <= opened
    assert "#layers.2" not in opened


def test_expand_opens_levels(make):
    def opened(expand):
        payload = build_payload([make.nested()], expand=expand)
        regions = payload.programs[0].scene.regions
        return {payload.strings[regions.key[i]] for i in payload.sections[0].views[0].open}

    assert opened(0) == {"#"}
    assert opened(1) == {"#", "#layers.0", "#layers.1", "#layers.2", "cond", "cond.true_fn#", "cond.false_fn#"}
    assert "#layers.0>layers.0.proj" in opened(2)
    assert len(opened(9)) == 15


def test_the_demo_documents_of_the_front_end_are_of_this_version():
    found = sorted((ROOT / "js" / "demo-data").glob("*.json"))
    assert {path.stem for path in found} == {"control_flow", "decoder", "diff", "nested"}
    for path in found:
        assert msgspec.json.decode(path.read_bytes(), type=Payload).programs
