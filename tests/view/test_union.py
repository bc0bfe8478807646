"""Two programs in one drawing: what both have stands once, the rest where its neighbours are."""

import dataclasses
import gzip

import msgspec
import pytest

from graphlens.diff import compare
from graphlens.diff.alignment import Alignment, Ambiguous, GraphAlignment, Group, Pair
from graphlens.errors import ViewError
from graphlens.view import StaticView, mimebundle, to_svg
from graphlens.view.build import build, build_payload
from graphlens.view.draw.svg import scene_svg
from graphlens.view.drawn import draw
from graphlens.view.options import Options
from graphlens.view.union import union_scene as join
from graphlens.view.wire import decode, encode


def union_scene(a, b, alignment):
    return join(draw(a), draw(b), alignment)


def pairs(*names):
    return tuple(Pair(a=a, b=b, match="same", confidence=1.0) for a, b in names)


def align(graph_pairs, **parts):
    return Alignment(graphs=(GraphAlignment(path_a="", path_b="", pairs=pairs(*graph_pairs), **parts),))


def self_alignment(program):
    graphs = (
        GraphAlignment(path_a=path, path_b=path, pairs=pairs(*((n.name, n.name) for n in graph.nodes)))
        for path, graph in program.graphs.items()
    )
    return Alignment(graphs=tuple(graphs))


def chain(make, names, *, modules=(), target="aten.sin.default"):
    nodes, last = [], None
    for name in names:
        args = [make.ref(last)] if last else []
        nodes.append(make.node(name, target=target, args=args, modules=modules))
        last = name
    return make.program((*nodes, make.output(last)))


def boxes(union):
    return {box.key: (i, j) for box, i, j in zip(union.scene.boxes, union.node_a, union.node_b, strict=True)}


def test_a_program_with_itself_is_the_program(make):
    program = make.nested()
    union = union_scene(program, make.nested(), self_alignment(program))
    single = build((program,))
    scene = single.scenes["program", 0]
    assert [box.key for box in union.scene.boxes] == [box.key for box in scene.boxes]
    assert [region.key for region in union.scene.regions] == [region.key for region in scene.regions]
    assert union.scene.edges == scene.edges
    assert set(union.scene.ties) == set(scene.ties)
    assert set(union.side) == {"both"}
    assert union.node_a == union.node_b == tuple(range(len(scene.boxes)))


def test_renamed_nodes_stand_once(make):
    a, b = chain(make, ["x", "y", "z"]), chain(make, ["u", "v", "w"])
    union = union_scene(a, b, align([("x", "u"), ("y", "v"), ("z", "w"), ("output", "output")]))
    assert boxes(union) == {"x": (0, 0), "y": (1, 1), "z": (2, 2), "output": (3, 3)}
    assert set(union.side) == {"both"}


def test_an_inserted_node_stands_behind_what_comes_before_it(make):
    a, b = chain(make, ["x", "z"]), chain(make, ["x", "new", "z"])
    union = union_scene(a, b, align([("x", "x"), ("z", "z"), ("output", "output")], only_b=("new",)))
    assert [box.key for box in union.scene.boxes] == ["x", "+new", "z", "output"]
    found = {
        (union.scene.boxes[e.src].key, union.scene.boxes[e.dst].key): side
        for e, side in zip(union.scene.edges, union.side, strict=True)
    }
    assert found == {("x", "z"): "a", ("x", "+new"): "b", ("+new", "z"): "b", ("z", "output"): "both"}


def test_a_node_before_everything_stands_first(make):
    a, b = chain(make, ["y"]), chain(make, ["new", "y"])
    union = union_scene(a, b, align([("y", "y"), ("output", "output")], only_b=("new",)))
    assert next(box.key for box in union.scene.boxes) == "+new"


def test_a_new_node_in_a_known_module_is_drawn_in_it(make):
    inside = [("block", "Block")]
    a, b = chain(make, ["x", "z"], modules=inside), chain(make, ["x", "new", "z"], modules=inside)
    union = union_scene(a, b, align([("x", "x"), ("z", "z"), ("output", "output")], only_b=("new",)))
    assert {union.scene.boxes[i].region for i in range(3)} == {1}
    assert len(union.scene.regions) == 2


def test_a_renamed_module_is_found_by_what_is_in_it(make):
    a, b = chain(make, ["x", "z"], modules=[("old", "B")]), chain(make, ["x", "n", "z"], modules=[("new", "B")])
    union = union_scene(a, b, align([("x", "x"), ("z", "z"), ("output", "output")], only_b=("n",)))
    assert [region.label for region in union.scene.regions] == ["graph", "old"]


def test_a_module_that_only_one_has_is_a_region_of_its_own(make):
    a = chain(make, ["x"])
    b = make.program(
        (
            make.node("x"),
            make.node("n", args=[make.ref("x")], modules=[("extra", "E"), ("extra.inner", "I")]),
            make.output("n"),
        )
    )
    union = union_scene(a, b, align([("x", "x"), ("output", "output")], only_b=("n",)))
    assert [(r.key, r.parent) for r in union.scene.regions] == [("#", -1), ("+#extra", 0), ("+#extra>extra.inner", 1)]


def test_a_nested_graph_that_only_one_has_hangs_under_its_call(make):
    a = chain(make, ["x"])
    body = (make.placeholder("p"), make.output("p"))
    b = make.program(
        (make.node("x"), *make.call("cond", "higher_order.cond", ("true_fn",), ["x"]), make.output("cond")),
        {"cond.true_fn": body},
    )
    only = ("cond_true_fn", "cond")
    union = union_scene(a, b, align([("x", "x"), ("output", "output")], only_b=only))
    kinds = [(r.key, r.kind, r.parent) for r in union.scene.regions]
    assert kinds == [("#", "graph", -1), ("+cond", "call", 0), ("+cond.true_fn#", "graph", 1)]
    assert union.scene.boxes[union.scene.regions[1].owner].key == "+cond"
    assert boxes(union)["+cond.true_fn/p"] == (-1, 4)


def test_groups_and_ambiguous_nodes_are_not_put_together(make):
    a, b = chain(make, ["x", "one", "m"]), chain(make, ["x", "p", "q", "m2"])
    union = union_scene(
        a,
        b,
        align(
            [("x", "x"), ("output", "output")],
            groups=(Group(a=("one",), b=("p", "q"), match="decomposed", confidence=0.9),),
            ambiguous=(Ambiguous(a=("m",), b=("m2",), reason="equal"),),
        ),
    )
    match = {box.key: m for box, m in zip(union.scene.boxes, union.match, strict=True)}
    assert match == {
        "x": "same",
        "one": "group 1:2 decomposed",
        "+p": "group 1:2 decomposed",
        "+q": "group 1:2 decomposed",
        "m": "ambiguous",
        "+m2": "ambiguous",
        "output": "same",
    }


def test_texts_that_differ_are_shown_as_both(make):
    a = make.program((make.node("n", args=(1,), value=make.tensor(2)), make.output("n")))
    b = make.program((make.node("n", args=(2,), value=make.tensor(3)), make.output("n")))
    box = union_scene(a, b, align([("n", "n"), ("output", "output")])).scene.boxes[0]
    assert (box.sub, box.literals) == ("f32[2] → f32[3]", "1 → 2")


@pytest.fixture(scope="module")
def changed(make):
    """The nested program, and one with another literal-free operator in the innermost branch."""
    a = make.nested()
    path = "cond.true_fn/map_impl.f/cond.true_fn"
    graph = a.graphs[path]
    nodes = tuple(msgspec.structs.replace(n, target="aten.div.Tensor") if n.name == "add" else n for n in graph.nodes)
    graphs = {**a.graphs, path: type(graph)(nodes=nodes)}
    return compare(a, msgspec.structs.replace(a, graphs=type(a.graphs)(graphs)))


def test_a_difference_in_the_innermost_branch_is_marked_there(changed):
    payload = decode(encode(build_payload([changed])))
    diff, strings = payload.diffs[0], payload.strings
    status = {strings[k]: s for k, s in zip(diff.scene.boxes.key, diff.status, strict=True)}
    deep = "cond.true_fn/map_impl.f/cond.true_fn/"
    marked = {key for key, what in status.items() if what != "same"}
    assert marked in ({f"{deep}add"}, {f"{deep}add", f"+{deep}add"})
    rows = diff.mismatches
    keys = {strings[diff.scene.boxes.key[box]] for box in rows.box if box >= 0}
    assert keys <= marked | {key for key in status if status[key] == "same"}
    assert strings[rows.severity[0]] == "wrong_result"
    assert not diff.ok
    assert payload.sections[0].status == "fail"


def test_the_views_of_a_diff_are_the_union_and_its_programs(changed):
    payload = build_payload([changed])
    assert [view.kind for view in payload.sections[0].views] == ["diff", "program", "program"]
    assert (payload.diffs[0].a, payload.diffs[0].b) == (0, 1)


def test_an_empty_diff_is_ok_and_marks_nothing(make):
    diff = compare(make.nested(), make.nested())
    payload = build_payload([diff])
    assert payload.sections[0].status == "ok"
    assert set(payload.diffs[0].status) == {"same"}
    assert set(payload.diffs[0].side) == {"both"}
    assert payload.diffs[0].mismatches.box == []


def test_svg_of_a_diff_is_its_union(changed):
    assert "≠" in to_svg(changed, depth=9)


def test_marks_are_drawn_as_shape_and_text_not_colour_alone(changed):
    built = build((changed,))
    scene = built.scenes["diff", 0]
    svg = scene_svg(scene, range(len(scene.regions)), marks=built.marks["diff", 0])
    assert any(f">{glyph}<" in svg for glyph in "≠−+")
    folded = scene_svg(scene, [0], marks=built.marks["diff", 0])
    assert "≠ " in folded  # the closed call says how many differ inside


def stack(make, *, layers, gone=()):
    """Write a chain of modules; those of numbers in `gone` are left out."""
    nodes, last = [make.node("x", op="placeholder", target="x")], "x"
    for i in (i for i in range(layers) if i not in gone):
        for step, target in enumerate(("aten.sin.default", "aten.cos.default")):
            name = f"n{i}_{step}"
            modules = ((f"layers.{i}", "Layer"),)
            nodes.append(make.node(name, target=target, args=[make.ref(last)], modules=modules))
            last = name
    return make.program((*nodes, make.output(last)))


def test_a_module_of_one_side_is_drawn_as_that(make):
    diff = compare(stack(make, layers=3), stack(make, layers=3, gone=(1,)))
    built = build((diff,))
    svg = scene_svg(built.scenes["diff", 0], [0], marks=built.marks["diff", 0])
    assert svg.count(">− 2<") == 1
    assert svg.count('card closed s-only_a"') == 1


def test_the_summary_says_what_the_text_of_the_diff_says_and_leads_there(make):
    diff = compare(stack(make, layers=3), stack(make, layers=3, gone=(1,)))
    payload = decode(encode(build_payload([diff])))
    data, strings = payload.diffs[0], payload.strings
    told = [strings[cell] for cell in data.summary.columns[2].cells]
    assert told
    assert all(text in diff.to_text() for text in told)
    keys = [strings[data.scene.boxes.key[box]] for box in data.summary.boxes]
    assert keys[0] == "n1_0"
    bundle = StaticView((diff,), Options()).bundle()
    assert all(told[0] in text for text in bundle.values())


def test_a_first_picture_shows_the_worst_difference(changed):
    data = build_payload([changed], expand=0)
    scene, opened = data.diffs[0].scene, data.sections[0].views[0].open
    worst = next(box for box in data.diffs[0].summary.boxes if box >= 0)
    around, up = [], scene.regions.parent[scene.boxes.region[worst]]
    while up >= 0:
        around.append(up)
        up = scene.regions.parent[up]
    assert set(around) <= set(opened)
    assert len(opened) < len(scene.regions.key)


def test_how_bad_a_difference_is_shows_in_its_mark(make):
    def one(value, trace):
        node = make.node("n", args=(value,), value=make.tensor(2))
        other = make.node("m", target="aten.cos.default", args=(make.ref("n"),), trace=trace)
        return make.program((node, other, make.output("m")))

    trace = 'File "{}.py", line 1, in forward\n    x.cos()'
    diff = compare(one(1, trace.format("a")), one(2, trace.format("b")))
    assert {row.severity for row in diff.rows} >= {"wrong_result", "debug_info"}
    built = build((diff,))
    svg = scene_svg(built.scenes["diff", 0], [0], marks=built.marks["diff", 0])
    assert (svg.count('class="b-grave"'), svg.count('class="b-slight"')) == (1, 1)


def test_what_was_rewritten_is_judged_as_one(make):
    a = chain(make, ["x", "one", "m"])
    b = chain(make, ["x", "p", "q", "m"])
    group = Group(a=("one",), b=("p", "q"), match="group", confidence=1.0)
    diff = compare(a, b)
    alignment = align([("x", "x"), ("m", "m"), ("output", "output")], groups=(group,))
    row = msgspec.structs.replace(
        diff.rows[0], node_a="one", node_b="q", field="target", kind="changed", severity="breaks_pass", cause="root"
    )
    shown = build_payload([dataclasses.replace(diff, alignment=alignment, rows=(row,))])
    data, strings = shown.diffs[0], shown.strings
    judged = {
        strings[key]: (status, strings[severity])
        for key, status, severity in zip(data.scene.boxes.key, data.status, data.severity, strict=True)
    }
    assert {judged[key] for key in ("one", "+p", "+q")} == {("changed", "breaks_pass")}


def test_a_diff_shows_itself_as_html_and_text(changed, no_front_end):
    bundle = mimebundle(changed)
    assert changed.verdict in bundle["text/plain"]
    assert "data:image/svg+xml" in bundle["text/html"]
    assert isinstance(StaticView((changed,), Options()).html, str)


def test_a_diff_without_its_programs_says_so(changed):
    stripped = type(changed).from_json(changed.to_json())
    with pytest.raises(ViewError, match="from_json"):
        build((stripped,))


def test_a_diff_without_its_programs_still_shows_its_text(changed, no_front_end):
    bundle = mimebundle(type(changed).from_json(changed.to_json()))
    assert bundle["text/plain"] == str(changed)
    assert changed.verdict.partition(":")[0] in bundle["text/html"]


def test_the_union_of_a_large_program_is_made_in_reasonable_time(llama):
    payload = encode(build_payload([compare(llama, llama)]))
    assert len(payload) < 1_000_000
    assert gzip.decompress(payload)
