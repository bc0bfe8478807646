"""The contract of PyTorch's own serialization test, `_check_graph_nodes` in test/export/test_serialize.py.

That test walks two graphs side by side, by position. It looks at `op`, and for `call_function` nodes at the number of
args, the names of kwargs, shape and dtype of `val`, and `stack_trace`; at `nn_module_stack` and `source_fn_stack` of
nodes that compute; into both branches of `cond` and the body of `map_impl` (there not at the two stacks), and into no
other nested graph. Two containers are compared up to the end of the shorter one. Rows are made exactly where it fails.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphlens.diff.folders import moved_files, names_one_of
from graphlens.diff.matching import Matching
from graphlens.diff.meta_text import meta_text
from graphlens.diff.placed import Placed
from graphlens.diff.rows import Finding, Kind, shorten
from graphlens.diff.settings import EXACT, StackTraces
from graphlens.diff.values import kind_text
from graphlens.program.graph import Node
from graphlens.program.program import child_path
from graphlens.program.value import (
    ConstValue,
    ContainerValue,
    SymValue,
    TensorValue,
    Value,
    shape_text,
    value_leaves,
    value_text,
)

_SIDE_BY_SIDE = {
    "higher_order.cond": (("args[1]", True), ("args[2]", True)),
    "higher_order.map_impl": (("args[0]", False),),
}
_STATE = ("get_attr", "placeholder", "output")


def pytorch_findings(matching: Matching, stack_trace: StackTraces) -> Iterator[Placed]:
    """Yield what makes PyTorch's test fail on two programs; nothing where it passes."""
    waiting: list[tuple[str, str, bool]] = [("", "", True)]
    moved = moved_files(matching.a, matching.b) if stack_trace == EXACT else frozenset()
    while waiting:
        path_a, path_b, stacks = waiting.pop()
        graph_a, graph_b = matching.a.graphs[path_a], matching.b.graphs[path_b]
        if len(graph_a) != len(graph_b):
            yield from _of_two_lengths(matching, path_a, path_b)
            continue
        inner: list[tuple[str, str, bool]] = []
        for a, b in zip(graph_a.nodes, graph_b.nodes, strict=True):
            for finding in _pair(a, b, stack_trace, moved, stacks=stacks):
                yield Placed(path_a, path_b, a, b, finding)
            for where, inner_stacks in _SIDE_BY_SIDE.get(a.target, ()) if a.op == b.op == "call_function" else ():
                bodies = _bodies(matching, (path_a, a), (path_b, b), where)
                if bodies is None:
                    finding = Finding(field="args", kind="changed", a=_held(a, where), b=_held(b, where), where=where)
                    yield Placed(path_a, path_b, a, b, finding)
                else:
                    inner.append((*bodies, inner_stacks))
        waiting.extend(reversed(inner))


def _of_two_lengths(matching: Matching, path_a: str, path_b: str) -> Iterator[Placed]:
    """Yield the nodes without a partner; graphs of different length fail as a whole, and these are why."""
    a, b = matching.a.graphs[path_a], matching.b.graphs[path_b]
    match = next((m for m in matching.graphs if m.a is a and m.b is b), None)
    matched_a, matched_b = (set(match.forward), set(match.backward)) if match is not None else (set(), set())
    lone_a = [node for node in a.nodes if node.name not in matched_a]
    lone_b = [node for node in b.nodes if node.name not in matched_b]
    for node in lone_a:
        yield Placed(path_a, path_b, node, None, Finding(field="target", kind="only_a", a=node.target, aspect="length"))
    for node in lone_b:
        yield Placed(path_a, path_b, None, node, Finding(field="target", kind="only_b", b=node.target, aspect="length"))


def _bodies(matching: Matching, a: tuple[str, Node], b: tuple[str, Node], where: str) -> tuple[str, str] | None:
    paths = []
    for program, (path, node) in ((matching.a, a), (matching.b, b)):
        role = next((sub.role for sub in node.subgraphs if sub.where == where), None)
        inner = child_path(path, node.name, role) if role is not None else None
        if inner is None or inner not in program.graphs:
            return None
        paths.append(inner)
    return paths[0], paths[1]


def _held(node: Node, where: str) -> str:
    return next((sub.attribute for sub in node.subgraphs if sub.where == where), "")


def _pair(a: Node, b: Node, stack_trace: StackTraces, moved: frozenset[str], *, stacks: bool) -> Iterator[Finding]:
    if a.op != b.op:
        yield Finding(field="op", kind="changed", a=a.op, b=b.op)
    if a.op == b.op == "call_function":
        if len(a.args) != len(b.args):
            count_a, count_b = len(a.args), len(b.args)
            yield Finding(field="args", kind="changed", a=f"{count_a} args", b=f"{count_b} args", aspect="length")
        if set(a.kwargs) != set(b.kwargs):
            yield Finding(field="kwargs", kind="changed", a=_names(a), b=_names(b), aspect="length")
        yield from _values(a.value, b.value)
        yield from _meta("stack_trace", a, b, stack_trace)
        if moved and a.stack_trace == b.stack_trace and names_one_of(a.stack_trace, moved):
            text = meta_text("stack_trace", a.stack_trace)
            yield Finding(field="stack_trace", kind="changed", a=text, b=f"{text} in another folder")
    if stacks and a.op not in _STATE:
        yield from _meta("nn_module_stack", a, b, stack_trace)
        yield from _meta("source_fn_stack", a, b, stack_trace)


def _names(node: Node) -> str:
    return ", ".join(sorted(node.kwargs))


def _meta(key: str, a: Node, b: Node, stack_trace: StackTraces) -> Iterator[Finding]:
    left, right = a.meta.get(key), b.meta.get(key)
    if left == right or (
        key == "stack_trace" and stack_trace != EXACT and left and right and stack_trace.same(left, right)
    ):
        return
    if key == "nn_module_stack" and left and right and set(left) == set(right):
        return  # a dict, and dicts are equal in any order
    kind: Kind = "added" if left is None else "lost" if right is None else "changed"
    yield Finding(field=key, kind=kind, a=meta_text(key, left), b=meta_text(key, right), value_a=left, value_b=right)


def _values(a: Value | None, b: Value | None) -> Iterator[Finding]:
    if _none(a) or _none(b):
        if not (_none(a) and _none(b)):
            yield _value_finding("val", "lost" if _none(b) else "added", a, b)
    elif isinstance(a, TensorValue) and isinstance(b, TensorValue):
        yield from _tensors(a, b)
    elif _sequence(a) and _sequence(b):
        for (where, left), (_, right) in zip(value_leaves(a), value_leaves(b), strict=False):
            if isinstance(left, TensorValue):
                if isinstance(right, TensorValue):
                    yield from _tensors(left, right, where)
                else:
                    yield Finding(field="val.type", kind="changed", a=kind_text(left), b=kind_text(right), where=where)
    elif (type(a) is not type(b) and not (_plain(a) and _plain(b))) or _text(a) != _text(b):
        yield _value_finding("val", "changed", a, b)


def _none(value: Value | None) -> bool:
    return value is None or (isinstance(value, ConstValue) and value.value is None)


def _sequence(value: Value | None) -> bool:
    return isinstance(value, ContainerValue) and value.kind in ("tuple", "list")


def _plain(value: Value | None) -> bool:
    return isinstance(value, SymValue | ConstValue)


def _text(value: Value | None) -> str:
    """Write a value as `str` writes what it describes: neither the kind of a symbolic number nor quotes show."""
    if isinstance(value, ConstValue) and isinstance(value.value, str):
        return value.value
    return value.expr if isinstance(value, SymValue) else value_text(value)


def _tensors(a: TensorValue, b: TensorValue, where: str = "") -> Iterator[Finding]:
    if a.shape != b.shape:
        texts = (shape_text(a.shape), shape_text(b.shape))
        yield Finding(
            field="val.shape", kind="changed", a=texts[0], b=texts[1], where=where, value_a=a.shape, value_b=b.shape
        )
    if a.dtype != b.dtype:
        yield Finding(
            field="val.dtype", kind="changed", a=a.dtype, b=b.dtype, where=where, value_a=a.dtype, value_b=b.dtype
        )


def _value_finding(field: str, kind: Kind, a: Value | None, b: Value | None) -> Finding:
    return Finding(field=field, kind=kind, a=shorten(value_text(a)), b=shorten(value_text(b)), value_a=a, value_b=b)
