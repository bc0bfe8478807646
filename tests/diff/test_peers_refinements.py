"""What a diff of repeated layers, resized inputs and inserted copies must say: one edit, once, with its evidence."""

from __future__ import annotations

import json
import random
from functools import cache

import pytest
import torch
from diff.edits import edit_node, insert_after, rename, scramble
from diff.exports import export, nested_program
from diff.peers import examined, matches, mates, rows_of, without_modules, written
from msgspec.structs import replace
from torch import nn

import graphlens as gl
from graphlens.diff import Diff
from graphlens.diff.align import align
from graphlens.diff.alignment import Alignment, Ambiguous, GraphAlignment, Group, Pair
from graphlens.diff.quality import quality
from graphlens.diff.verify import verify
from graphlens.errors import DiffError
from graphlens.program.argument import Seq
from graphlens.program.graph import Graph

pytestmark = pytest.mark.filterwarnings("ignore")

LAYERS = 24
X = torch.linspace(-1, 1, 16).reshape(4, 4)


class Layer(nn.Module):
    def __init__(self, scale=2.0, op=torch.sin, copy=""):
        super().__init__()
        self.fc, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)
        self.scale, self.op, self.copy = scale, op, copy

    def forward(self, x):
        h = self.op(self.fc(self.norm(x))) * self.scale
        if self.copy == "alias":
            h = torch.ops.aten.alias.default(h)
        elif self.copy:
            h = getattr(h, self.copy)()
        return x + h


class Stack(nn.Module):
    """Equal layers, some of them (all by default) made in another way."""

    def __init__(self, layers, at, options):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(Layer(**(dict(options) if at is None or i in at else {})) for i in range(layers))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


@cache
def stack(layers=LAYERS, at=None, **options):
    return gl.read(torch.export.export(Stack(layers, at, tuple(options.items())).eval(), (X,)))


# R1. The search proposes, the checker decides


def test_no_pair_is_the_same_without_the_checker():
    """A search that claims perfect evidence for every pair convinces nobody."""
    a = written("x = input\ny = input\nz = sub.Tensor(x, y)\nreturn z")
    b = written("x = input\ny = input\nz = sub.Tensor(y, x)\nreturn z")
    claimed = Alignment(
        graphs=(
            GraphAlignment(
                path_a="",
                path_b="",
                pairs=tuple(Pair(a=name, b=name, match="same", confidence=1.0) for name in a.graph.index),
            ),
        )
    )
    assert verify(a, a, claimed).level == "identical"
    assert verify(a, b, claimed).level == "different"


# R2. Two keys and a ladder


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x):
        rows, length, _ = x.shape
        h = self.norm(x)
        q, k, v = (f(h).view(rows, length, 2, 4).transpose(1, 2) for f in (self.q, self.k, self.v))
        weights = (q @ k.transpose(-1, -2) / 2.0).softmax(-1) * torch.ones(length, length).tril()
        flat = (weights @ v).transpose(1, 2).reshape(rows * length, 8)
        return x + flat.view(rows, length, 8)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(Attention() for _ in range(3))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x.mean(1)


@cache
def encoder(rows, length):
    return gl.read(torch.export.export(Encoder().eval(), (torch.zeros(rows, length, 8),)))


@pytest.mark.parametrize(("rows", "length"), [(3, 5), (2, 7), (3, 7)])
def test_another_input_size_is_one_edit(rows, length):
    a, b = encoder(2, 5), encoder(rows, length)
    diff = examined(a, b, same=False)
    assert [(row.node_a, row.field) for row in diff.rows if row.cause == "root"] == [("x", "val.shape")], str(diff)
    assert len(mates(diff)) == len(a.graph.nodes) == len(b.graph.nodes)
    assert len(diff.pattern_rows) == 1
    assert diff.verdict.startswith("different: 1 wrong_result (")
    assert {row.match for row in diff.node_rows if row.node_a.startswith("view")} == {"propagated up to sizes"}
    assert "the sizes in its arguments left out" in diff.explain("view")
    assert "follows from x" in diff.explain("view")
    follow = [row for row in diff.rows if row.cause == "inherited"]
    assert {row.inherited_from for row in follow if row.field == "args"} == {"x"}


def test_a_size_that_follows_from_no_input_is_an_edit():
    """Two rows of eight became eight of two, while the batch grew by half: that is something else."""
    a, b = encoder(2, 5), encoder(3, 5)
    view = next(node for node in b.graph.nodes if node.target == "aten.view.default")
    odd = edit_node(b, ("", view.name), args=(view.args[0], Seq("list", (3, 5, 4, 2))))
    diff = examined(a, odd, same=False)
    found = {(row.node_a, row.field, row.a, row.b) for row in diff.rows if row.cause == "root"}
    assert (view.name, "args", "[2, 5, 2, 4]", "[3, 5, 4, 2]") in found
    assert {node for node, *_ in found} == {"x", view.name}
    alone = edit_node(a, ("", view.name), args=(view.args[0], Seq("list", (3, 5, 2, 4))))
    assert [(r.node_a, r.cause) for r in examined(a, alone, same=False).rows if r.field == "args"] == [
        (view.name, "root")
    ]


def test_literals_are_left_out_last():
    diff = examined(stack(3), stack(3, scale=3.0), same=False)
    rungs = {row.match for row in diff.node_rows if row.node_a.startswith("mul")}
    assert rungs == {"propagated up to literals", "replayed up to literals"}
    assert "the literals in its arguments left out" in diff.explain("mul")
    assert rows_of(diff) == [(f"mul{s}", f"mul{s}", "args", "changed", "root") for s in ("", "_1", "_2")]


# R3. Witnesses look through what hands its input on


@pytest.mark.parametrize("copy", ["clone", "alias", "detach"])
def test_an_inserted_copy_is_one_node_and_one_edge(copy):
    diff = examined(stack(8), stack(8, at=(5,), copy=copy), same=False)
    assert rows_of(diff, "target", "args", "kwargs", "op", "val", "val.shape") == [
        ("add_5", "add_5", "args", "changed", "inherited"),
        (None, copy, "target", "only_b", "root"),
    ]
    lone = next(row for row in diff.rows if row.kind == "only_b")
    assert (lone.severity, lone.module) == ("breaks_pass", "layers.5")
    assert (diff.quality.edges_rewired, diff.quality.only_b, diff.quality.cost) == (1, 1, 1)
    assert matches(diff)["ambiguous"] == 0


def test_a_copy_in_front_of_a_nested_graph():
    a = nested_program()
    for place in (("", "sin"), ("cond.true_fn", "relu"), ("map_impl.f", "cos")):
        b, _ = insert_after(a, place, "aten.clone.default")
        diff = gl.diff(a, b)
        assert not diff.proof.same
        assert [row[3] for row in rows_of(diff, "target")] == ["only_b"]
        assert {row[4] for row in rows_of(diff) if row[2] != "target"} == {"inherited"}


# R4. Equal regions are answered equally


def test_equal_layers_get_the_same_answer():
    """The evidence of layer 7 is that of layer 17: whatever decides one decides all."""
    diff = examined(stack(), stack(scale=3.0), same=False)
    graph = diff.a.graph
    answers = {}
    for row in diff.node_rows:
        module = graph[row.node_a].module.split(".")
        if graph[row.node_a].op == "call_function" and 0 < int(module[1]) < LAYERS - 1:
            answers.setdefault(int(module[1]), []).append((row.target_a, row.match, row.confidence, row.fields))
    assert len(answers) == LAYERS - 2
    assert len({tuple(answer) for answer in answers.values()}) == 1


# R5. Patterns


def patterns(diff):
    return [(p.pattern, p.count, p.changed, p.only_a, p.only_b, p.severity) for p in diff.pattern_rows]


def test_one_edit_in_all_layers_is_one_pattern():
    diff = examined(stack(), stack(scale=3.0), same=False)
    assert patterns(diff) == [("args[1] of aten.mul.Tensor changed: 2.0 → 3.0", LAYERS, 1, 0, 0, "wrong_result")]
    row = diff.pattern_rows[0]
    assert row.regions == tuple(f"layers.{i}" for i in range(LAYERS))
    assert (row.example_a, row.example_b) == ("mul", "mul")
    assert f"(1 edit, in {LAYERS} regions)" in diff.verdict


def test_literals_and_dtypes_are_other_patterns():
    a = stack()
    b = a
    for i in range(LAYERS):
        suffix = f"_{i}" if i else ""
        if i % 2:
            node = a.graph[f"mul{suffix}"]
            b = edit_node(b, ("", node.name), args=(node.args[0], 3.0))
        else:
            node = a.graph[f"mul{suffix}"]
            b = edit_node(b, ("", node.name), value=replace(node.value, dtype="float64"))
    found = examined(a, b, same=False).pattern_rows
    by_text = {p.pattern.split(" of ")[0]: p for p in found}
    assert by_text["args[1]"].count == by_text["val.dtype"].count == LAYERS // 2
    assert set(by_text["args[1]"].regions).isdisjoint(by_text["val.dtype"].regions)
    assert gl.diff(a, a).pattern_rows == ()


def test_two_edits_of_one_layer_are_one_pattern_where_they_hang_together():
    diff = examined(stack(), stack(op=torch.cos, scale=3.0), same=False)
    assert [(p.count, p.severity) for p in diff.pattern_rows] == [(LAYERS, "wrong_result")]
    assert diff.pattern_rows[0].changed >= 2
    one = examined(stack(8), stack(8, at=(3,), op=torch.cos, scale=3.0), same=False)
    assert [(p.count, p.regions) for p in one.pattern_rows if p.severity != "cosmetic"] == [(1, ("layers.3",))]


def test_patterns_come_by_severity_then_size_then_count():
    base = stack()
    b = base
    for i in (1, 2):
        node = base.graph[f"mul_{i}"]
        b = edit_node(b, ("", node.name), args=(node.args[0], 3.0))
    node = base.graph["sin_5"]
    b = edit_node(b, ("", node.name), target="aten.cos.default")
    for i in range(LAYERS):
        name = f"add_{i}" if i else "add"
        meta = {key: value for key, value in base.graph[name].meta.items() if key != "stack_trace"}
        b = edit_node(b, ("", name), meta=meta)
    found = examined(base, b, same=False).pattern_rows
    assert [(p.severity, p.count) for p in found] == [("wrong_result", 2), ("wrong_result", 1), ("debug_info", LAYERS)]


# R6. Roots and what follows


def test_a_shape_that_changed_has_one_root():
    """Everything after it is named as its consequence, and nothing else counts."""
    a = written("x = input\ny = sin(x)\nz = cos(y)\nw = add.Tensor(z, y)\nreturn w")
    b = a
    for name in ("y", "z", "w"):
        b = edit_node(b, ("", name), value=replace(a.graph[name].value, shape=(4, 2), stride=(2, 1)))
    diff = examined(a, b, same=False)
    assert [(row.node_a, row.field) for row in diff.rows if row.cause == "root"] == [("y", "val.shape")]
    sources = {(row.node_a, row.field): row.inherited_from for row in diff.rows if row.cause == "inherited"}
    assert sources == {
        ("y", "val.stride"): "y",
        ("z", "val.shape"): "y",
        ("z", "val.stride"): "z",
        ("w", "val.shape"): "z",
        ("w", "val.stride"): "w",
    }
    assert diff.verdict.startswith("different: 1 wrong_result (5 more rows follow from it)")
    assert "follows from z" in diff.explain("w")


def test_worst_counts_roots_only():
    a = written("x = input\ny = sin(x)\nz = cos(y)\nreturn z")
    b, _ = insert_after(a, ("", "y"), "aten.neg.default")
    diff = gl.diff(a, b, severities={("target", "only_b"): "cosmetic"})
    assert {row.severity for row in diff.rows if row.cause == "inherited"} == {"wrong_result"}
    assert diff.worst == "cosmetic"


def test_what_reads_a_copy_reads_the_same_value():
    """The copy is told, and that its users read the copy follows from it; neither is a wrong result."""
    a = written("x = input\ny = sin(x)\nz = cos(y)\nreturn z")
    b, _ = insert_after(a, ("", "y"), "aten.clone.default")
    diff = examined(a, b, same=False)
    follow = [(row.field, row.aspect, row.severity) for row in diff.rows if row.cause == "inherited"]
    assert follow == [("args", "handed on", "breaks_pass")]
    assert diff.worst == "breaks_pass"


def test_a_cause_goes_into_nested_graphs_and_out_again():
    a = nested_program()
    for path, start in (("map_impl.f", "mul"), ("cond.true_fn", "relu")):
        value = a.graphs[path][start].value
        b = a
        for name in (start, *a.graphs[path].users[start]):
            held = a.graphs[path][name].value
            if held is not None and getattr(held, "shape", None) == value.shape:
                b = edit_node(b, (path, name), value=replace(held, dtype="float64"))
        diff = gl.diff(a, b)
        assert [(row.node_a, row.field) for row in diff.rows if row.cause == "root"] == [(start, "val.dtype")]


# R7. Quality without truth


SMALL = """x = input
a = sin(x) @m.0
b = cos(a) @m.0
c = exp(a) @m.1
d = sub.Tensor(b, c) @m.1
return d"""


def test_quality_of_an_insertion_by_hand():
    """Six nodes and six operand edges; `tanh` came between `a` and both its users."""
    a = written(SMALL)
    b, _ = insert_after(a, ("", "a"), "aten.tanh.default")
    found = examined(a, b, same=False).quality.to_dict()
    assert found == {
        "nodes_a": 6,
        "nodes_b": 7,
        "matched": 6,
        "grouped": 0,
        "ambiguous": 0,
        "only_a": 0,
        "only_b": 1,
        "edges": 6,
        "edges_agree": 4,
        "edges_rewired": 2,
        "regions_split": 0,
        "nodes_split": 0,
        "children_out_of_place": 0,
        "cost": 1,
        "lower_bound": 1,
    }


def test_quality_of_a_preset_alignment_by_hand():
    """`b` and `c` are taken for each other, `d` is left out on both sides: all of it is counted."""
    a = written(SMALL)
    pairs = {"x": "x", "a": "a", "b": "c", "c": "b", "output": "output"}
    wrong = preset(pairs, only_a=("d",), only_b=("d",))
    counts = quality(a, a, wrong)
    assert (counts.matched, counts.only_a, counts.only_b) == (5, 1, 1)
    # x-a, a-b and a-c lead from a pair to a pair, each to its partner; d's two edges and the output's have no pair there
    assert (counts.edges, counts.edges_agree, counts.edges_rewired) == (3, 3, 0)
    # m.0 went to m.0 (a) and m.1 (b); m.1 went to m.0 (c)
    assert (counts.regions_split, counts.nodes_split) == (1, 1)
    # a-b lay inside m.0 and no longer does, a-c did not and now does
    assert counts.children_out_of_place == 2
    # d on both sides, and two for each of the two pairs with another target; nothing had to differ at all
    assert (counts.cost, counts.lower_bound) == (2 + 4, 0)
    assert verify(a, a, wrong).level == "different"


def test_quality_counts_groups_and_ambiguous_nodes_on_both_sides():
    a = written(SMALL)
    graph = GraphAlignment(
        path_a="",
        path_b="",
        pairs=(Pair(a="x", b="x", match="same", confidence=1.0),),
        groups=(Group(a=("a",), b=("a", "b"), match="group 1:n", confidence=0.5),),
        ambiguous=(Ambiguous(a=("b", "c"), b=("c",), reason="r"),),
        only_a=("d", "output"),
        only_b=("d", "output"),
    )
    counts = quality(a, a, Alignment(graphs=(graph,)))
    assert (counts.grouped, counts.ambiguous, counts.only_a, counts.only_b) == (3, 3, 2, 2)
    assert (counts.nodes_a, counts.nodes_b, counts.matched, counts.edges) == (6, 6, 1, 0)


def test_a_lone_graph_costs_its_nodes():
    a = nested_program()
    plain = [node for node in a.graph.nodes if not node.subgraphs]
    counts = quality(a, a, Alignment(graphs=(), only_a=tuple(a.graphs)))
    assert counts.cost == counts.only_a == counts.lower_bound == sum(len(graph) for graph in a.graphs.values())
    assert len(plain) < len(a.graph.nodes)


def test_what_the_search_proposes_is_never_below_the_bound():
    for other in (stack(8, at=(3,), op=torch.cos, scale=3.0), stack(8, at=(5,), copy="clone"), stack(7)):
        counts = gl.diff(stack(8), other).quality
        assert counts.cost >= counts.lower_bound
        assert counts.edges == counts.edges_agree + counts.edges_rewired
        assert (
            counts.matched + counts.only_a + counts.grouped // 2 + counts.ambiguous <= counts.nodes_a + counts.ambiguous
        )


def preset(pairs, only_a=(), only_b=()):
    graph = GraphAlignment(
        path_a="",
        path_b="",
        pairs=tuple(Pair(a=x, b=y, match="same", confidence=1.0) for x, y in pairs.items()),
        only_a=only_a,
        only_b=only_b,
    )
    return Alignment(graphs=(graph,))


# R8, R9. Mutual and by a margin; equal counts are no evidence


def test_a_tie_is_ambiguous_with_its_candidates():
    """Two draws on one side that could be either of two on the other, for they are used in another way there."""
    a = written("x = input\np = sin(x)\nq = cos(x)\nu = sigmoid(p)\nv = sigmoid(q)\nw = sub.Tensor(u, v)\nreturn w")
    b = written("x = input\np = tan(x)\nq = exp(x)\ns = sigmoid(p)\nt = sigmoid(q)\nw = div.Tensor(t, s)\nreturn w")
    diff = examined(a, scramble(b, random.Random(4)), same=False)
    rows = [row for row in diff.node_rows if "sigmoid" in row.target_a]
    assert [(row.node_a, row.match, row.confidence) for row in rows] == [("u, v", "ambiguous", 0.0)], str(diff)
    text = diff.explain("u")
    assert "candidates in a: u, v" in text
    assert "candidates in b: n" in text
    assert "2 and 2 aten.sigmoid.default that nothing tells apart" in text
    assert [(row.kind, row.severity) for row in diff.rows if row.node_a == "u"] == [("ambiguous", "breaks_pass")]
    assert diff.quality.ambiguous == 4


@pytest.mark.parametrize(
    "op", ["sigmoid({})", "mul.Tensor({}, 2.5)", "clamp({}, 0, 1)", "native_dropout({}, 0.5, True)"]
)
def test_one_deleted_and_one_inserted_elsewhere_are_no_pair(op):
    a = written(f"x = input\ny = input\np = {op.format('x')}\nq = tanh(p)\nr = cos(y)\ns = abs(r)\nreturn q, s")
    b = written(f"x = input\ny = input\nq = tanh(x)\nr = cos(y)\nk = {op.format('r')}\ns = abs(k)\nreturn q, s")
    for other in (b, rename(b, ("", "k"), "p")[0]):
        diff = examined(a, other, same=False)
        target = a.graph["p"].target
        told = {(row.node_a, row.node_b, row.match) for row in diff.node_rows if target in (row.target_a, row.target_b)}
        assert {match for _, _, match in told} == {"only_a", "only_b"}, str(diff)
        assert sorted(row[3] for row in rows_of(diff, "target")) == ["only_a", "only_b"]
        assert {row[4] for row in rows_of(diff, "args")} == {"inherited"}
    assert "candidates: k" in gl.diff(a, b).explain("p")
    assert "no partner" in gl.diff(a, b).explain("p")


# R10. Nodes without operands


@pytest.mark.parametrize(
    "maker",
    ["arange(4)", "full([4, 4], {0}.0)", "empty.memory_format([4, {0}])", "rand([4, {0}])", "scalar_tensor({0}.0)"],
)
def test_nodes_without_operands_are_anchors(maker):
    """Each is told by its literals, in whatever order and under whatever names they come."""
    calls = [maker.format(k) for k in (2, 3, 4)]
    uses = ["u = sub.Tensor(x, c0)", "v = div.Tensor(u, c1)", "w = pow.Tensor_Tensor(v, c2)", "return w"]
    a = written("\n".join(["x = input", *(f"c{i} = {call}" for i, call in enumerate(calls)), *uses]))
    assert examined(a, a, same=True).ok
    late = written("\n".join(["x = input", *(line for i, call in enumerate(calls) for line in (f"c{i} = {call}", uses[i])), "return w"]))  # fmt: skip
    diff = examined(a, late, same=True)
    assert diff.proof.level == "identical"
    assert mates(diff) == {name: name for name in a.graph.index}


def test_constants_by_name_then_by_value():
    class Two(nn.Module):
        def __init__(self, swap, more):
            super().__init__()
            first, second = torch.arange(4.0), torch.arange(4.0) * 3
            if swap:
                first, second = second, first
            self.register_buffer("one", first + more)
            self.register_buffer("two", second)

        def forward(self, x):
            return x * self.one - self.two + torch.tensor([5.0, 6.0, 7.0, 8.0]) * torch.tensor([1.0, 2.0, 3.0, 9.0])

    base = gl.read(export(Two(False, 0.0), X))
    trained = examined(base, export(Two(False, 1.0), X), same=False)  # a weight that was trained on keeps its name
    assert mates(trained)["b_one"] == "b_one"
    assert [(row.field, row.cause) for row in trained.rows] == [("weights[one]", "root")]
    exchanged = examined(base, export(Two(True, 0.0), X), same=False)
    assert {row.field for row in exchanged.rows} == {"weights[one]", "weights[two]"}

    class Turned(Two):
        def forward(self, x):
            nine = torch.tensor([1.0, 2.0, 3.0, 9.0])
            return x * self.one - self.two + torch.tensor([5.0, 6.0, 7.0, 8.0]) * nine

    turned = examined(base, export(Turned(False, 0.0), X), same=True)  # lifted constants: numbered, told by their value
    lifted = {a: b for a, b in mates(turned).items() if a.startswith("c_lifted")}
    assert set(lifted.items()) == {
        ("c_lifted_tensor_0", "c_lifted_tensor_1"),
        ("c_lifted_tensor_1", "c_lifted_tensor_0"),
    }
    assert turned.worst == "cosmetic" or {row.severity for row in turned.rows} <= {
        "cosmetic",
        "debug_info",
        "breaks_pass",
    }


def test_anonymous_constants_of_another_value_are_no_pair_by_value():
    def made(value):
        class Lone(nn.Module):
            def forward(self, x):
                return x + torch.tensor(value)

        return gl.read(export(Lone(), X))

    diff = examined(made([1.0, 2.0, 3.0, 4.0]), made([1.0, 2.0, 3.0, 5.0]), same=False)
    assert diff.worst == "wrong_result"
    assert not diff.proof.same


# R11. Evidence crosses the border of nested graphs


def test_what_is_inside_decides_which_call_is_which():
    """Two calls that differ only inside: names exchanged, order exchanged, and still each is itself."""

    class Two(nn.Module):
        def __init__(self, order):
            super().__init__()
            self.order = order

        def forward(self, x):
            found = {}
            for k in self.order:
                found[k] = torch.cond(x.sum() > 0, lambda t, k=k: t.sin() * k, lambda t: t.cos(), (x,))
            return found[1] - found[2]

    a, b = (gl.read(export(Two(order), X)) for order in ((1, 2), (2, 1)))
    diff = examined(a, b, same=True)
    assert {name: mates(diff)[name] for name in ("cond", "cond_1")} == {"cond": "cond_1", "cond_1": "cond"}
    assert diff.proof.same
    assert diff.worst == "cosmetic"


def test_what_is_around_decides_what_is_inside():
    """The operands say which placeholder is which, however the body is renamed and whatever was edited in it."""
    a = nested_program()
    edited = edit_node(a, ("map_impl.f", "cos"), target="aten.tan.default")
    diff = examined(a, scramble(edited, random.Random(7)), same=False)
    body = next(graph for graph in diff.alignment.graphs if graph.path_a == "map_impl.f")
    assert len(body.pairs) == len(a.graphs["map_impl.f"].nodes)
    assert [(row.graph, row.node_a) for row in diff.rows if (row.field, row.kind) == ("target", "changed")] == [
        ("map_impl.f", "cos")
    ]


@torch.compiler.nested_compile_region
def shared(t):
    return t.sin() * 2.0


def test_a_body_that_is_called_often_is_compared_once():
    class Often(nn.Module):
        def __init__(self, times):
            super().__init__()
            self.times = times

        def forward(self, x):
            for k in range(self.times):
                x = shared(x + k)
            return x

    four, three = (gl.read(export(Often(times), X, strict=True)) for times in (4, 3))
    assert len({id(graph) for graph in four.graphs.values()}) == 2
    edited = four
    body = four.graphs["invoke_subgraph.subgraph"]
    changed = Graph(tuple(replace(n, target="aten.cos.default") if n.name == "sin" else n for n in body.nodes))
    edited = replace(four, graphs={path: changed if graph is body else graph for path, graph in four.graphs.items()})
    diff = gl.diff(four, edited)
    assert [(row.graph, row.node_a, row.field) for row in diff.rows] == [
        ("invoke_subgraph.subgraph", "sin", "target")
    ], str(diff)
    fewer = examined(four, three, same=False)
    assert [row[3] for row in rows_of(fewer, "target") if row[4] == "root"].count("only_a") >= 2
    assert fewer.quality.only_b == 0
    assert matches(fewer)["ambiguous"] == 0


# R12. Pins, reasons, JSON


def test_pins_are_the_users_word():
    a, b = stack(3), without_modules(scramble(stack(3), random.Random(1)))
    truth = mates(gl.diff(a, b))
    lie = [("sin", truth["sin_1"]), ("sin_1", truth["sin"])]
    diff = examined(a, b, same=True, pins=lie)
    assert mates(diff)["sin"] == truth["sin_1"]
    assert {row.confidence for row in diff.node_rows if row.match == "pinned"} == {1.0}
    assert not diff.proof.same  # whoever pins the wrong nodes gets a difference, not a proof
    assert "given by the user" in diff.explain("sin")
    honest = gl.diff(a, b, pins=[("sin", truth["sin"])])
    assert honest.proof.same


def test_pins_of_nested_graphs():
    a = nested_program()
    for separator in ("/", ":"):
        diff = gl.diff(a, a, pins=[(f"map_impl.f{separator}cos", f"map_impl.f{separator}cos")])
        assert diff.proof.same
        row = next(row for row in diff.node_rows if (row.graph, row.node_a) == ("map_impl.f", "cos"))
        assert (row.match, row.confidence) == ("pinned", 1.0)


@pytest.mark.parametrize(
    ("pins", "message"),
    [
        ([("nope", "sin")], "a has no node 'nope'"),
        ([("sin", "nope")], "b has no node 'nope'"),
        ([("sin", "sin"), ("sin", "sin_1")], "contradicts an earlier pin"),
        ([("sin", "sin"), ("sin_1", "sin")], "contradicts an earlier pin"),
        ([("x", "sin")], "pairs a placeholder with a call_function"),
        ([("map_impl.f:cos", "cond.true_fn:relu")], "these graphs are not counterparts"),
    ],
)
def test_pins_that_cannot_be(pins, message):
    with pytest.raises(DiffError, match=message) as caught:
        gl.diff(nested_program(), nested_program(), pins=pins)
    assert "\n" not in str(caught.value)


def test_explain_names_score_margin_and_runner_up():
    """Five things to read: what it is, what it became, how sure, why, and who else it could have been."""
    a, b = stack(3), stack(3, op=torch.cos)
    diff = gl.diff(a, b)
    first, text = diff.explain("sin"), diff.explain("sin_1")
    lines = text.splitlines()
    assert lines[0].startswith("a  sin_1")
    assert lines[1].startswith("b  cos_1")
    assert first.splitlines()[2].startswith("matched: similar up to target, confidence 0.")
    assert lines[2] == first.splitlines()[2].replace("similar", "replayed")
    assert "it calls another function" in text
    assert "because score 0." in first
    assert "because as in layers.0: score 0." in text
    assert "operands 0." in text
    assert "uses 0." in text
    assert "ahead of" in text or "no other candidate" in text
    assert "wrong_result: target changed" in text


def test_json_is_read_back_only_with_the_programs_it_was_made_of(tmp_path):
    a, b = stack(3), stack(3, scale=3.0)
    diff = gl.diff(a, b, pins=[("sin", "sin")])
    path = tmp_path / "diff.json"
    diff.to_json(path)
    data = json.loads(path.read_text())
    assert data["a"]["digest"] != data["b"]["digest"]
    assert {row["graph"] for row in data["mismatches"]} == {""}
    back = Diff.from_json(path, a=a, b=b)
    for name in ("rows", "node_rows", "pattern_rows", "quality", "proof", "verdict", "ok", "worst", "settings"):
        assert getattr(back, name) == getattr(diff, name), name
    assert back.explain("mul") == diff.explain("mul")
    alone = Diff.from_json(path.read_text())
    assert alone.to_dict() == diff.to_dict()
    assert alone.summary().equals(diff.summary())
    assert alone.by_module().equals(diff.by_module())
    assert str(alone.only("args")) == str(diff.only("args"))
    renamed, _ = rename(b, ("", "sin"), "other")
    for wrong in ({"a": b, "b": a}, {"a": a, "b": renamed}):
        with pytest.raises(DiffError, match="not the program that was compared"):
            Diff.from_json(path, **wrong)
    assert align(a, b) == align(a, b)


# R13. What is pasted in a review


def test_text_of_one_edit_in_many_layers_is_short():
    diff = gl.diff(stack(), stack(scale=3.0))
    lines = str(diff).splitlines()
    assert len(lines) <= 5
    assert f"on {LAYERS} nodes in layers.0..{LAYERS - 1}" in lines[2]
    assert "for example mul (layers.0" in lines[2]
    assert "2.0 → 3.0" in lines[2]


def test_the_tables_agree_with_each_other():
    a, b = stack(), stack(op=torch.cos, scale=3.0)  # made for a test above, too
    diff = gl.diff(a, b)
    summary = diff.summary().set_index(["by", "value"])
    for by in ("severity", "kind", "field", "module"):
        assert summary.loc[by, "rows"].sum() == len(diff.rows), by
        assert summary.loc[by, "roots"].sum() == sum(row.cause == "root" for row in diff.rows), by
    assert summary.loc[("module", "layers.7"), "rows"] == sum(row.module == "layers.7" for row in diff.rows)
    assert summary.loc[("field", "target"), "nodes"] == LAYERS
    modules = diff.by_module()
    assert modules["rows"].sum() == len(diff.rows)
    assert list(modules["wrong_result"]) == sorted(modules["wrong_result"], reverse=True)
    targets = diff.only("target")
    assert len(targets.rows) == LAYERS
    assert targets.ignored == len(diff.rows) - LAYERS
    assert set(diff.only(("args", "changed")).mismatches.field) == {"args"}
