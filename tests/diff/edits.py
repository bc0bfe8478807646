"""Known edits of a program, each with the difference that it makes and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from graphlens.diff import Diff, compare
from graphlens.program.argument import Argument, Map, Ref, Seq, Slice
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, Node
from graphlens.program.program import ROOT, Program, child_path
from graphlens.program.value import ContainerValue, TensorValue, Value

Row = tuple[str, str | None, str | None, str, str]
Place = tuple[str, str]
"""Graph path and node."""


def roots(diff: Diff) -> set[Row]:
    """What `diff` holds against the two programs: graph, both nodes, field and kind of every root."""
    return {(row.graph, row.node_a, row.node_b, row.field, row.kind) for row in diff.rows if row.cause == "root"}


MIRROR = {"lost": "added", "added": "lost", "only_a": "only_b", "only_b": "only_a"}


def check(a: Any, b: Any, expected: set[Row]) -> Diff:
    """The expected roots and no others; every inherited row says from what; the mirror image is the same diff."""
    diff = compare(a, b)
    assert roots(diff) == expected, str(diff)
    assert all(row.inherited_from for row in diff.rows if row.cause == "inherited")
    assert diff.ok == (not expected)
    back = compare(b, a)
    assert {mirrored(row) for row in back.rows} == {plain(row) for row in diff.rows}
    return diff


def plain(row: Any) -> tuple[Any, ...]:
    return row.node_a, row.node_b, row.family, row.kind, row.a, row.b, row.cause


def mirrored(row: Any) -> tuple[Any, ...]:
    return row.node_b, row.node_a, row.family, MIRROR.get(row.kind, row.kind), row.b, row.a, row.cause


def with_nodes(program: Program, path: str, nodes: list[Node] | tuple[Node, ...]) -> Program:
    graph = Graph(tuple(nodes), program.graphs[path].meta)
    return replace(program, graphs=freeze({p: graph if p == path else g for p, g in program.graphs.items()}))


def edit_node(program: Program, place: Place, **changes: Any) -> Program:
    path, name = place
    return with_nodes(
        program, path, [replace(n, **changes) if n.name == name else n for n in program.graphs[path].nodes]
    )


def node_at(program: Program, place: Place) -> Node:
    return program.graphs[place[0]][place[1]]


def map_leaves(argument: Argument, change: Callable[[Argument], Argument]) -> Argument:
    if isinstance(argument, Seq):
        return Seq(argument.kind, tuple(map_leaves(item, change) for item in argument.items))
    if isinstance(argument, Map):
        return Map(tuple((key, map_leaves(item, change)) for key, item in argument.items))
    if isinstance(argument, Slice):
        return Slice(*(map_leaves(part, change) for part in (argument.start, argument.stop, argument.step)))
    return change(argument)


def rename_refs(node: Node, names: dict[str, str]) -> Node:
    def change(leaf: Argument) -> Argument:
        return Ref(names.get(leaf.node, leaf.node)) if isinstance(leaf, Ref) else leaf

    args = tuple(map_leaves(argument, change) for argument in node.args)
    kwargs = freeze({key: map_leaves(argument, change) for key, argument in node.kwargs.items()})
    return replace(node, args=args, kwargs=kwargs)


def calls(program: Program, test: Callable[[Node], bool] = lambda node: True) -> list[Place]:
    """Every `call_function` without nested graphs that passes a test, in all graphs."""
    return [(p, n.name) for p, n in program.walk() if n.op == "call_function" and not n.subgraphs and test(n)]


SWAPS = {
    "aten.sin.default": "aten.tan.default",
    "aten.cos.default": "aten.cosh.default",
    "aten.relu.default": "aten.sigmoid.default",
    "aten.exp.default": "aten.expm1.default",
    "aten.abs.default": "aten.square.default",
    "aten.neg.default": "aten.relu.default",
    "aten.sigmoid.default": "aten.sinh.default",
    "aten.sub.Tensor": "aten.div.Tensor",
    "aten.div.Tensor": "aten.sub.Tensor",
    "aten.gt.Scalar": "aten.ge.Scalar",
    "aten.lt.Scalar": "aten.le.Scalar",
}


def change_target(program: Program, place: Place) -> tuple[Program, set[Row]]:
    target = SWAPS[node_at(program, place).target]
    return edit_node(program, place, target=target), {(*place, place[1], "target", "changed")}


def has_literal(node: Node) -> bool:
    return any(type(argument) in (int, float) for argument in node.args) and node.target != "_operator.getitem"


def change_literal(program: Program, place: Place) -> tuple[Program, set[Row]]:
    node = node_at(program, place)
    at = next(i for i, argument in enumerate(node.args) if type(argument) in (int, float))
    args = (*node.args[:at], node.args[at] + 1, *node.args[at + 1 :])  # type: ignore[operator]
    return edit_node(program, place, args=args), {(*place, place[1], "args", "changed")}


def rewirings(program: Program) -> Iterator[tuple[Place, int, str]]:
    """Yield every operand that could as well be another earlier value of the same shape and dtype."""
    tensor = _tensors(program)
    for path, graph in program.graphs.items():
        made: list[Node] = []
        for node in graph.nodes:
            if node.op == "call_function" and not node.subgraphs and node.target != "_operator.getitem":
                for i, argument in enumerate(node.args):
                    if isinstance(argument, Ref) and isinstance(graph[argument.node].value, TensorValue):
                        for other in made:
                            same = tensor(path, other.name) == tensor(path, argument.node)
                            if not same and _alike(other, graph[argument.node]):
                                yield (path, node.name), i, other.name
            made.append(node)


def _tensors(program: Program) -> Callable[[str, str], str]:
    """Tell tensors apart by name, and weights by their storage: tied weights are one tensor under two names."""
    storages = {tensor.fqn: tensor.storage for tensor in program.stored if tensor.storage is not None}
    weights = {spec.argument: storages[spec.target] for spec in program.inputs if spec.target in storages}
    return lambda path, name: f"storage {weights[name]}" if path == ROOT and name in weights else name


def _alike(a: Node, b: Node) -> bool:
    x, y = a.value, b.value
    return isinstance(x, TensorValue) and isinstance(y, TensorValue) and (x.shape, x.dtype) == (y.shape, y.dtype)


def rewire(program: Program, place: Place, at: int, operand: str) -> tuple[Program, set[Row]]:
    node = node_at(program, place)
    args = (*node.args[:at], Ref(operand), *node.args[at + 1 :])
    return edit_node(program, place, args=args), {(*place, place[1], "args", "changed")}


FACETS: dict[str, Callable[[TensorValue], Any]] = {
    "shape": lambda v: (*v.shape[:-1], 7) if v.shape else (7,),
    "dtype": lambda v: "bfloat16" if v.dtype != "bfloat16" else "float32",
    "stride": lambda v: tuple(s if isinstance(s, str) else s * 2 + 1 for s in v.stride or ()),
    "storage_offset": lambda v: 3,
    "device": lambda v: "cuda:0",
    "layout": lambda v: "sparse_coo",
    "requires_grad": lambda v: not v.requires_grad,
    "conj": lambda v: not v.conj,
    "neg": lambda v: not v.neg,
    "type": lambda v: "Parameter" if v.type == "Tensor" else "Tensor",
}


def tensors(program: Program) -> list[Place]:
    return [(p, n.name) for p, n in program.walk() if isinstance(n.value, TensorValue) and n.op != "output"]


def change_facet(program: Program, place: Place, facet: str) -> tuple[Program, set[Row]]:
    value = node_at(program, place).value
    assert isinstance(value, TensorValue)
    changed = replace(value, **{facet: FACETS[facet](value)})
    expected = {(*place, place[1], f"val.{facet}", "changed")} if changed != value else set()
    return edit_node(program, place, value=changed), expected


def map_value(value: Value | None, change: Callable[[TensorValue], TensorValue]) -> Value | None:
    if isinstance(value, ContainerValue):
        return replace(value, items=tuple(map_value(item, change) for item in value.items))
    return change(value) if isinstance(value, TensorValue) else value


def with_meta(program: Program, place: Place, **changes: Any) -> Program:
    meta = {key: value for key, value in {**node_at(program, place).meta, **changes}.items() if value is not None}
    return edit_node(program, place, meta=freeze(meta))


def rename(program: Program, place: Place, name: str) -> tuple[Program, set[Row]]:
    """Rename a node (not one that holds nested graphs, whose paths would change with it)."""
    path, old = place
    nodes = [
        rename_refs(replace(n, name=name) if n.name == old else n, {old: name}) for n in program.graphs[path].nodes
    ]
    edited = with_nodes(program, path, nodes)
    if path == "":
        inputs = tuple(replace(s, argument=name) if s.argument == old else s for s in program.inputs)
        outputs = tuple(replace(s, argument=name) if s.argument == old else s for s in program.outputs)
        edited = replace(edited, inputs=inputs, outputs=outputs)
    return edited, {(path, old, name, "name", "renamed")}


def insert_after(program: Program, place: Place, target: str = "aten.erf.default") -> tuple[Program, set[Row]]:
    """Put a call of `target` between a node and everything that uses it."""
    path, name = place
    graph = program.graphs[path]
    new = replace(
        node_at(program, place),
        name="inserted",
        op="call_function",
        target=target,
        args=(Ref(name),),
        kwargs=freeze({}),
    )
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes.append(node if name not in node.inputs else rename_refs(node, {name: "inserted"}))
        if node.name == name:
            nodes.append(new)
    edited = with_nodes(program, path, nodes)
    if path == "":
        outputs = tuple(replace(s, argument="inserted") if s.argument == name else s for s in program.outputs)
        edited = replace(edited, outputs=outputs)
    return edited, {(path, None, "inserted", "target", "only_b")}


def is_unary(node: Node) -> bool:
    return len(node.args) == 1 and isinstance(node.args[0], Ref) and not node.kwargs


def delete(program: Program, place: Place) -> tuple[Program, set[Row]]:
    """Take a node of one operand out; its users use the operand."""
    path, name = place
    operand = node_at(program, place).args[0]
    assert isinstance(operand, Ref)
    kept = [rename_refs(n, {name: operand.node}) for n in program.graphs[path].nodes if n.name != name]
    edited = with_nodes(program, path, kept)
    if path == "":
        outputs = tuple(replace(s, argument=operand.node) if s.argument == name else s for s in program.outputs)
        edited = replace(edited, outputs=outputs)
    return edited, {(path, name, None, "target", "only_a")}


class Bytes:
    """Elements of a stored tensor that are just given."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def digest(self) -> str:
        return hashlib.blake2b(self.data, digest_size=16).hexdigest()

    def element_bytes(self) -> bytes:
        return self.data


def change_one_element(program: Program, fqn: str) -> Program:
    def changed(tensor: Any) -> Any:
        data = bytearray(tensor.content.element_bytes())
        data[0] ^= 1
        return replace(tensor, content=Bytes(bytes(data)))

    return replace(program, stored=tuple(changed(t) if t.fqn == fqn else t for t in program.stored))


def scramble(program: Program, rng: Any) -> Program:
    """Rename every node of every graph and put independent nodes in another order; the program computes the same."""
    names: dict[str, dict[str, str]] = {}
    for path, graph in program.graphs.items():
        numbers = rng.sample(range(10 * len(graph)), len(graph))
        names[path] = {n.name: f"n{number}" for n, number in zip(graph.nodes, numbers, strict=True)}
    paths: dict[str, str] = {"": ""}
    for path, graph in program.graphs.items():
        for node in graph.nodes:
            for sub in node.subgraphs:
                outer = paths[path]
                step = f"{names[path][node.name]}.{sub.role}"
                paths[child_path(path, node.name, sub.role)] = f"{outer}/{step}" if outer else step
    graphs = {}
    for path, graph in program.graphs.items():
        nodes = [rename_refs(replace(n, name=names[path][n.name]), names[path]) for n in graph.nodes]
        graphs[paths[path]] = Graph(tuple(_shuffled(nodes, rng)), graph.meta)
    root = names[""]
    return replace(
        program,
        graphs=freeze(graphs),
        inputs=tuple(replace(s, argument=root[s.argument]) for s in program.inputs),
        outputs=tuple(replace(s, argument=root.get(s.argument, s.argument)) for s in program.outputs),
        module_calls=tuple(
            replace(c, inputs=tuple(root.get(n, n) for n in c.inputs), outputs=tuple(root.get(n, n) for n in c.outputs))
            for c in program.module_calls
        ),
    )


def _shuffled(nodes: list[Node], rng: Any) -> Iterator[Node]:
    """Yield nodes in a random topological order; whatever may touch storage that is written to keeps its order."""

    def stays(n: Node) -> bool:
        writes = n.target.rpartition(".")[0].endswith("_") and n.target != "aten.detach_.default"
        return n.op in ("placeholder", "output") or writes

    fixed = [n.name for n in nodes if stays(n)]
    before = dict(zip(fixed[1:], fixed, strict=False))
    done: set[str] = set()
    waiting = list(nodes)
    while waiting:
        ready = [
            n
            for n in waiting
            if done.issuperset(n.inputs) and done.issuperset({before[n.name]} if n.name in before else ())
        ]
        ready = [n for n in ready if n.op != "output"] or ready
        chosen = rng.choice(ready)
        waiting.remove(chosen)
        done.add(chosen.name)
        yield chosen
