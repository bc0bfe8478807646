"""The signature of two programs: each input with the input it was matched to, each output with the one of its role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import structs

from graphlens.diff.matching import Agreement, GraphMatch, Matching
from graphlens.diff.rows import Finding, Kind, shorten
from graphlens.program.argument import Argument, Ref, Seq, same_literal
from graphlens.program.graph import Graph, Node
from graphlens.program.parts import InputSpec, OutputSpec

IndexPair = tuple[int | None, int | None]
RENAMED_CONSTANT = "constant's name"
_USER = ("user_input", "user_output", "loss_output")


def compare_signatures(
    a: tuple[Sequence[InputSpec], Sequence[OutputSpec]],
    b: tuple[Sequence[InputSpec], Sequence[OutputSpec]],
    root: GraphMatch,
) -> Iterator[Finding]:
    """Yield what differs between two signatures; `root` says which placeholder is which."""
    inputs = input_pairs(a[0], b[0], root)
    yield from _specs("signature.inputs", a[0], b[0], inputs)
    yield from _moved("signature.inputs", [pair for pair in inputs if _is_user(a[0], pair)])
    yield from _fed(a[0], b[0], inputs, root)
    outputs = output_pairs(a[1], b[1])
    yield from _specs("signature.outputs", a[1], b[1], outputs)
    yield from _moved("signature.outputs", outputs)
    yield from _taken(a[1], b[1], outputs, root)


def _fed(a: Sequence[InputSpec], b: Sequence[InputSpec], pairs: list[IndexPair], root: GraphMatch) -> Iterator[Finding]:
    """Yield the inputs whose placeholder stands elsewhere than its specification, on one side only.

    What is passed goes to the placeholders in their order, whatever names the specifications have.
    """
    places = [{node.name: i for i, node in enumerate(graph.placeholders)} for graph in (root.a, root.b)]
    for i, j in pairs:
        if i is not None and j is not None:
            at_a, at_b = places[0].get(a[i].argument), places[1].get(b[j].argument)
            if (None if at_a is None else at_a - i) != (None if at_b is None else at_b - j):
                one, two = f"{a[i].argument} is placeholder {at_a}", f"{b[j].argument} is placeholder {at_b}"
                yield _changed(f"signature.inputs[{i}]", "argument", one, two)


def _taken(
    a: Sequence[OutputSpec], b: Sequence[OutputSpec], pairs: list[IndexPair], root: GraphMatch
) -> Iterator[Finding]:
    """Yield the outputs whose specification names another node than the graph returns, on one side only.

    Where the graphs themselves return different things, that is a row of the output node.
    """
    ours, theirs = (_returned(graph) for graph in (root.a, root.b))
    for i, j in pairs:
        if i is None or j is None or root.refer(ours.get(i, ""), theirs.get(j, ""))[0] is Agreement.REWIRED:
            continue
        one, two = ours.get(i) in ("", a[i].argument), theirs.get(j) in ("", b[j].argument)
        both_off = not (one or two) and bool(a[i].argument and b[j].argument)
        if one is not two or (both_off and root.refer(a[i].argument, b[j].argument)[0] is Agreement.REWIRED):
            texts = _said(a[i].argument, ours.get(i), agrees=one), _said(b[j].argument, theirs.get(j), agrees=two)
            yield _changed(f"signature.outputs[{i}]", "argument", *texts)


def _said(argument: str, returned: str | None, *, agrees: bool) -> str:
    return argument if agrees or not returned else f"{argument}, where the graph returns {returned}"


def _returned(graph: Graph) -> dict[int, str]:
    """Name the node that a graph returns at each position; a constant is ``""``."""
    output = graph.output
    results = output.args[0] if output is not None and output.args else None
    items = results.items if isinstance(results, Seq) else (results,)
    return {i: item.node if isinstance(item, Ref) else "" for i, item in enumerate(items)}


def _is_user(specs: Sequence[InputSpec], pair: IndexPair) -> bool:
    return pair[0] is not None and specs[pair[0]].kind in _USER


def input_pairs(a: Sequence[InputSpec], b: Sequence[InputSpec], root: GraphMatch) -> list[IndexPair]:
    """Pair inputs by the match of their placeholders, then by kind and target, then what is left with nothing."""
    at_b = {spec.argument: j for j, spec in enumerate(b)}
    found: dict[int, int] = {}
    for i, spec in enumerate(a):
        j = at_b.get(root.forward.get(spec.argument, ""))
        if j is not None:
            found[i] = j
    taken = set(found.values())
    by_key = {(spec.kind, spec.target): j for j, spec in enumerate(b) if j not in taken and spec.target is not None}
    for i, spec in enumerate(a):
        if i not in found and spec.target is not None:
            j = by_key.pop((spec.kind, spec.target), None)
            if j is not None:
                found[i] = j
    return _complete(found, len(a), len(b))


def output_pairs(a: Sequence[OutputSpec], b: Sequence[OutputSpec]) -> list[IndexPair]:
    """Pair outputs by position; by kind and target where their number or only their order differs."""
    ours, theirs = _keys(a), _keys(b)
    if len(a) == len(b) and (ours == theirs or Counter(ours) != Counter(theirs)):
        return [(i, i) for i in range(len(a))]
    at_b = {key: j for j, key in enumerate(theirs)}
    return _complete({i: at_b[key] for i, key in enumerate(ours) if key in at_b}, len(a), len(b))


def _keys(specs: Sequence[OutputSpec]) -> list[tuple[str, str]]:
    """Name each output: a written-to target by its name, what the user gets by its number."""
    seen: Counter[tuple[str, str]] = Counter()
    keys = []
    for spec in specs:
        role = ("user_output", "") if spec.kind in _USER else (spec.kind, spec.target or "")
        seen[role] += 1
        keys.append((role[0], f"{role[1]}#{seen[role]}"))
    return keys


def _complete(found: dict[int, int], length_a: int, length_b: int) -> list[IndexPair]:
    taken = set(found.values())
    pairs: list[IndexPair] = [(i, found.get(i)) for i in range(length_a)]
    return pairs + [(None, j) for j in range(length_b) if j not in taken]


def _specs(
    field: str, a: Sequence[InputSpec | OutputSpec], b: Sequence[InputSpec | OutputSpec], pairs: list[IndexPair]
) -> Iterator[Finding]:
    paths = ({spec.path for spec in a}, {spec.path for spec in b})
    for i, j in pairs:
        if i is None or j is None:
            spec = a[i] if i is not None else b[j]  # type: ignore[index]
            texts = (spec_text(spec), "") if i is not None else ("", spec_text(spec))
            yield Finding(
                field=f"{field}[{i if i is not None else j}]",
                kind="lost" if i is not None else "added",
                a=texts[0],
                b=texts[1],
                value_a=spec if i is not None else None,
                value_b=None if i is not None else spec,
            )
        else:
            yield from _spec(f"{field}[{i}]", a[i], b[j])
            yield from _path(f"{field}[{i}]", a[i], b[j], paths)


def _spec(field: str, a: InputSpec | OutputSpec, b: InputSpec | OutputSpec) -> Iterator[Finding]:
    if a.constant is b.constant is None and a == b:
        return
    if a.kind != b.kind:
        yield _changed(field, "kind", a.kind, b.kind)
    if a.target != b.target:
        kind: Kind = "renamed" if a.kind == b.kind and isinstance(a, InputSpec) else "changed"
        found = _changed(field, "target", a.target, b.target, kind)
        lifted = kind == "renamed" and a.kind == "constant_tensor"
        yield structs.replace(found, aspect=RENAMED_CONSTANT) if lifted else found
    if not same_literal(a.constant, b.constant):
        yield _changed(field, "constant", a.constant, b.constant)
    ours, theirs = getattr(a, "persistent", None), getattr(b, "persistent", None)
    if (ours is False) != (theirs is False):  # what is not recorded is persistent, as buffers are by default
        yield _changed(field, "persistent", ours, theirs)


def _path(
    field: str, a: InputSpec | OutputSpec, b: InputSpec | OutputSpec, paths: tuple[set[str | None], set[str | None]]
) -> Iterator[Finding]:
    """Compare the places in the call or the result; one that something else has on the other side is worse than a new one."""
    if a.path is None or b.path is None or a.path == b.path:
        return
    found = _changed(field, "path", a.path, b.path)
    yield structs.replace(found, aspect="exchanged") if a.path in paths[1] or b.path in paths[0] else found


def _moved(field: str, pairs: list[IndexPair]) -> Iterator[Finding]:
    both = [(i, j) for i, j in pairs if i is not None and j is not None]
    order = {j: k for k, j in enumerate(sorted(j for _, j in both))}
    for k, (i, j) in enumerate(both):
        if order[j] != k:
            yield Finding(
                field=f"{field}[{i}]", kind="moved", a=f"[{i}]", b=f"[{j}]", aspect="position", value_a=i, value_b=j
            )


def _changed(field: str, aspect: str, a: Any, b: Any, kind: Kind = "changed") -> Finding:
    return Finding(
        field=field,
        kind=kind,
        a=f"{aspect} {shorten(str(a))}",
        b=f"{aspect} {shorten(str(b))}",
        aspect=aspect if kind == "changed" else "",
        where=aspect,
        value_a=a,
        value_b=b,
    )


def spec_text(spec: InputSpec | OutputSpec) -> str:
    """Write a specification as ``parameter layers.0.weight``."""
    what = spec.target or spec.path or spec.argument or str(spec.constant)
    return shorten(f"{spec.kind} {what}")


def wrapped(matching: Matching, a: Node, b: Node) -> tuple[Argument, Argument] | None:
    """Return the one result of both root graphs, where a graph without a signature gives it bare and export wraps it."""
    if len(a.args) != 1 or len(b.args) != 1:
        return None
    for (bare, ours), (tuple_, theirs) in (((a, matching.a), (b, matching.b)), ((b, matching.b), (a, matching.a))):
        x, y = bare.args[0], tuple_.args[0]
        signed = not ours.outputs and len(theirs.outputs) == 1
        if signed and isinstance(x, Ref) and isinstance(y, Seq) and len(y.items) == 1:
            return (x, y.items[0]) if bare is a else (y.items[0], x)
    return None
