"""The table of known edits: how each is made in the `work` of one graph, and every root that it is, with the worst severity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from diff import edits
from diff.edits import Row
from diff.rooms import ROOMS
from msgspec.structs import replace

from graphlens.program.argument import Argument, Const, Map, Ref, Seq
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, ModuleCall, Node, Provenance
from graphlens.program.program import Program, child_path
from graphlens.program.value import ConstValue

Made = tuple[Program, set[Row]]


class Edit(NamedTuple):
    """An edit: how it is made, how bad it is, whether the two programs still compute the same, and where it can be made."""

    make: Callable[[Program, str], Made]
    worst: str
    same: bool
    rooms: tuple[str, ...] = ROOMS


EDITS: dict[str, Edit] = {}


def edit(worst: str, *, same: bool = False, rooms: tuple[str, ...] = ROOMS) -> Callable[[Any], Any]:
    def note(make: Callable[[Program, str], Made]) -> Callable[[Program, str], Made]:
        EDITS[make.__name__] = Edit(make, worst, same, rooms)
        return make

    return note


def find(program: Program, path: str, target: str, at: int = 0) -> Node:
    return [node for node in program.graphs[path].nodes if node.target == f"aten.{target}"][at]


def half(program: Program, path: str) -> Node:
    """The product with 0.5, the last but one of `work`."""
    (node,) = (n for n in program.graphs[path].nodes if n.target == "aten.mul.Tensor" and n.args[1] == 0.5)
    return node


def inner(program: Program, path: str) -> Node:
    """The difference that `work` ends with."""
    return find(program, path, "sub.Tensor")


def changed(program: Program, path: str, node: Node, field: str, kind: str = "changed", **changes: Any) -> Made:
    edited = edits.edit_node(program, (path, node.name), **changes)
    return edited, {(path, node.name, node.name, field, kind)}


@edit("wrong_result")
def target(program, path):
    return changed(program, path, find(program, path, "exp.default"), "target", target="aten.expm1.default")


@edit("wrong_result")
def overload(program, path):
    return changed(program, path, find(program, path, "div.Tensor_mode"), "target", target="aten.div.Scalar_mode")


@edit("wrong_result")
def literal(program, path):
    node = half(program, path)
    return changed(program, path, node, "args", args=(node.args[0], 0.25))


@edit("wrong_result")
def literal_of_another_type(program, path):
    (node,) = (n for n in program.graphs[path].nodes if n.target == "aten.mul.Tensor" and n.args[1] == 3.0)
    return changed(program, path, node, "args", args=(node.args[0], 3))


@edit("wrong_result")
def literal_that_became_a_value(program, path):
    node = half(program, path)
    return changed(program, path, node, "args", args=(node.args[0], node.args[0]))


@edit("wrong_result")
def keyword(program, path):
    node = next(n for n in program.graphs[path].nodes if "alpha" in n.kwargs)
    return changed(program, path, node, "kwargs", kwargs=freeze({"alpha": 99}))


@edit("wrong_result")
def keyword_of_text(program, path):
    node = find(program, path, "div.Tensor_mode")
    return changed(program, path, node, "kwargs", kwargs=freeze({"rounding_mode": "trunc"}))


@edit("wrong_result")
def keyword_lost(program, path):
    return changed(program, path, find(program, path, "div.Tensor_mode"), "kwargs", "lost", kwargs=freeze({}))


@edit("cosmetic", same=True)
def default_written_out(program, path):
    return changed(program, path, inner(program, path), "kwargs", "added", kwargs=freeze({"alpha": 1}))


@edit("wrong_result")
def a_default_that_is_none(program, path):
    return changed(program, path, inner(program, path), "kwargs", "added", kwargs=freeze({"alpha": 2}))


@edit("wrong_result")
def integer(program, path):
    node = find(program, path, "cat.default")
    return changed(program, path, node, "args", args=(node.args[0], 0))


@edit("wrong_result")
def item(program, path):
    graph = program.graphs[path]
    split = find(program, path, "split.Tensor")
    node = next(n for n in graph.nodes if n.target == "_operator.getitem" and n.args == (Ref(split.name), 0))
    return changed(program, path, node, "args", args=(node.args[0], 1))


@edit("wrong_result")
def rewired(program, path):
    node = inner(program, path)
    return changed(program, path, node, "args", args=(node.args[0], Ref(find(program, path, "relu.default").name)))


@edit("wrong_result")
def exchanged_operands(program, path):
    node = inner(program, path)
    return changed(program, path, node, "args", args=(node.args[1], node.args[0]))


@edit("wrong_result")
def exchanged_items_of_a_list(program, path):
    node = find(program, path, "cat.default")
    items = node.args[0].items
    return changed(program, path, node, "args", args=(Seq("list", items[::-1]), node.args[1]))


@edit("wrong_result")
def item_of_a_list_lost(program, path):
    node = find(program, path, "cat.default")
    return changed(program, path, node, "args", args=(Seq("list", node.args[0].items[:1]), node.args[1]))


@edit("cosmetic", same=True)
def commuted_operands(program, path):
    node = step(program, path, 3.0)[2]
    return changed(program, path, node, "args", args=(node.args[1], node.args[0]))


@edit("breaks_pass", same=True)
def container(program, path):
    node = find(program, path, "cat.default")
    return changed(program, path, node, "args", args=(Seq("tuple", node.args[0].items), node.args[1]))


def _facet(facet: str) -> Callable[[Program, str], Made]:
    def make(program: Program, path: str) -> Made:
        return edits.change_facet(program, (path, find(program, path, "exp.default").name), facet)

    return make


WRONG = {"shape", "dtype", "conj", "neg"}
HELD = {"storage_offset", "requires_grad", "type"}
for _name in edits.FACETS:
    EDITS[f"val.{_name}"] = Edit(_facet(_name), "wrong_result" if _name in WRONG else "breaks_pass", same=_name in HELD)


@edit("breaks_pass", same=True)
def value_lost(program, path):
    return changed(program, path, find(program, path, "exp.default"), "val", "lost", value=None)


@edit("wrong_result")
def value_of_another_kind(program, path):
    return changed(program, path, find(program, path, "exp.default"), "val.type", value=ConstValue(3))


@edit("wrong_result")
def leaf_of_a_container(program, path):
    node = find(program, path, "split.Tensor")
    first, *rest = node.value.items
    value = replace(node.value, items=(replace(first, dtype="bfloat16"), *rest))
    return changed(program, path, node, "val.dtype", value=value)


@edit("breaks_pass")
def leaf_lost(program, path):
    node = find(program, path, "split.Tensor")
    return changed(program, path, node, "val", "lost", value=replace(node.value, items=node.value.items[:1]))


METADATA: dict[str, tuple[Any, Any]] = {
    "stack_trace": ('File "a.py", line 1, in f\n    x', 'File "a.py", line 2, in f\n    x'),
    "nn_module_stack": ((ModuleCall("k", "m", "M"),), (ModuleCall("k", "m", "N"),)),
    "source_fn_stack": ((("sin", "torch.sin"),), (("sin_1", "torch.sin"),)),
    "torch_fn": (("sin_1", "f"), ("sin_2", "f")),
    "from_node": ((Provenance("x", "t", "p", ("create",), 1),), (Provenance("x", "t", "q", ("create",), 1),)),
    "custom": (Map((("id", 3),)), Map((("id", "3"),))),
    "quantization_tag": (1, 1.0),
    "private_key": (Seq("tuple", (1, 2)), Seq("list", (1, 2))),
    "example_value": (ConstValue(4), ConstValue(5)),
    "tensor_meta": (Map((("dtype", Const("dtype", "float32")),)), Map((("dtype", Const("dtype", "half")),))),
}


def metadata(program: Program, path: str, sides: tuple[str, str]) -> tuple[Program, Program, set[Row]]:
    """Each key at a node of its own: changed, lost or added."""
    kind = {("old", "new"): "changed", ("old", ""): "lost", ("", "old"): "added"}[sides]
    nodes = [n for n in program.graphs[path].nodes if n.op == "call_function" and not n.subgraphs]
    a = b = program
    rows: set[Row] = set()
    for node, (key, (old, new)) in zip(nodes, METADATA.items(), strict=False):
        held = {"old": old, "new": new, "": None}
        a = edits.with_meta(a, (path, node.name), **{key: held[sides[0]]})
        b = edits.with_meta(b, (path, node.name), **{key: held[sides[1]]})
        rows.add((path, node.name, node.name, key, kind))
    return a, b, rows


@edit("wrong_result")
def inserted(program, path):
    return edits.insert_after(program, (path, find(program, path, "cos.default").name))


@edit("cosmetic", same=True)
def inserted_dead(program, path):
    node = find(program, path, "cos.default")
    new = replace(node, name="inserted", target="aten.erf.default")
    return edits.with_nodes(program, path, _after(program, path, node, new)), {
        (path, None, "inserted", "target", "only_b")
    }


@edit("wrong_result")
def deleted(program, path):
    return edits.delete(program, (path, find(program, path, "relu.default").name))


@edit("cosmetic", same=True)
def computed_twice(program, path):
    """One of the users of a node reads a copy of it."""
    user = find(program, path, "relu.default")
    node = program.graphs[path][user.args[0].node]
    nodes = _after(program, path, node, replace(node, name="again"))
    nodes = [replace(n, args=(Ref("again"),)) if n.name == user.name else n for n in nodes]
    return edits.with_nodes(program, path, nodes), {(path, None, "again", "target", "only_b")}


def _after(program: Program, path: str, node: Node, *new: Node) -> list[Node]:
    at = program.graphs[path].index[node.name] + 1
    nodes = program.graphs[path].nodes
    return [*nodes[:at], *new, *nodes[at:]]


@edit("cosmetic", same=True)
def renamed(program, path):
    return edits.rename(program, (path, find(program, path, "exp.default").name), "another_name")


@edit("cosmetic", same=True)
def names_exchanged(program, path):
    one, two = find(program, path, "exp.default").name, find(program, path, "relu.default").name
    names = {one: two, two: one}
    nodes = [edits.rename_refs(n, names) for n in program.graphs[path].nodes]
    nodes = [replace(n, name=names.get(n.name, n.name)) for n in nodes]
    return edits.with_nodes(program, path, nodes), {
        (path, one, two, "name", "renamed"),
        (path, two, one, "name", "renamed"),
    }


@edit("cosmetic", same=True)
def moved(program, path):
    """`relu` stands right behind what it reads."""
    node = find(program, path, "relu.default")
    nodes = [n for n in program.graphs[path].nodes if n.name != node.name]
    at = next(i for i, n in enumerate(nodes) if n.name == node.args[0].node) + 1
    return edits.with_nodes(program, path, [*nodes[:at], node, *nodes[at:]]), {
        (path, node.name, node.name, "order", "moved")
    }


def step(program: Program, path: str, k: float) -> tuple[Node, Node, Node]:
    """The three nodes of one of the equal layers: ``t.sin() * k + t``."""
    graph = program.graphs[path]
    (mul,) = (n for n in graph.nodes if n.target == "aten.mul.Tensor" and n.args[1] == k)
    (add,) = (graph[user] for user in graph.users[mul.name])
    return graph[mul.args[0].node], mul, add


@edit("wrong_result")
def layer_removed(program, path):
    layer = step(program, path, 3.0)
    gone, before = {n.name for n in layer}, layer[0].args[0].node
    kept = [edits.rename_refs(n, {layer[2].name: before}) for n in program.graphs[path].nodes if n.name not in gone]
    return edits.with_nodes(program, path, kept), {(path, name, None, "target", "only_a") for name in gone}


@edit("wrong_result")
def layer_duplicated(program, path):
    layer = step(program, path, 3.0)
    last = layer[2].name
    names = {n.name: f"{n.name}_again" for n in layer}
    copies = [edits.rename_refs(replace(n, name=names[n.name]), {**names, layer[0].args[0].node: last}) for n in layer]
    at = program.graphs[path].index[last] + 1
    nodes = program.graphs[path].nodes
    rest = [edits.rename_refs(n, {last: names[last]}) for n in nodes[at:]]
    return edits.with_nodes(program, path, [*nodes[:at], *copies, *rest]), {
        (path, None, name, "target", "only_b") for name in names.values()
    }


@edit("wrong_result")
def output_of_another_node(program, path):
    graph = program.graphs[path]
    node = graph.output
    assert node is not None
    results = edits.map_leaves(
        node.args[0], lambda leaf: leaf if leaf != _last(node.args[0]) else Ref(graph.placeholders[-1].name)
    )
    return changed(program, path, node, "args", args=(results,))


def _last(argument: Argument) -> Argument:
    return argument.items[-1] if isinstance(argument, Seq) else argument


@edit("wrong_result", rooms=("", "cond.true_fn", "map_impl.f"))
def branches_exchanged(program, path):
    """The call has the other body for either outcome."""
    node = next(n for n in program.graphs[path].nodes if n.target == "higher_order.cond")
    edited = edits.edit_node(
        program, (path, node.name), args=(node.args[0], node.args[2], node.args[1], *node.args[3:]),
        subgraphs=tuple(replace(s, attribute=o.attribute) for s, o in zip(node.subgraphs, node.subgraphs[::-1], strict=True)),
    )  # fmt: skip
    one, two = (child_path(path, node.name, role) for role in ("true_fn", "false_fn"))

    def other(at: str) -> str:
        for own, new in ((one, two), (two, one)):
            if at == own or at.startswith(own + "/"):
                return new + at[len(own) :]
        return at

    graphs = {other(p): g for p, g in edited.graphs.items()}
    return replace(edited, graphs=freeze(graphs)), {(path, node.name, node.name, "args", "changed")}


@edit("debug_info", same=True)
def metadata_of_the_graph(program, path):
    graph = program.graphs[path]
    graphs = {p: Graph(g.nodes, freeze({"note": 1})) if g is graph else g for p, g in program.graphs.items()}
    return replace(program, graphs=freeze(graphs)), {(path, None, None, "meta[note]", "added")}


def everywhere(program: Program, edit: Edit) -> Made:
    """Make an edit in every graph in which it can be made, all at once."""
    expected: set[Row] = set()
    edited = program
    for path in sorted(edit.rooms, key=len, reverse=True):  # inner ones first: bodies may change places
        edited, rows = edit.make(edited, path)
        expected |= rows
    return edited, expected
