"""What the checker refused, as differences: a refusal that no row explains must never look like a program that is the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from graphlens.diff.computation import ACCEPTED_BY_RULE, explains_refusal
from graphlens.diff.effects import PURE
from graphlens.diff.matching import Matching
from graphlens.diff.placed import Placed
from graphlens.diff.proof import DIFFERENT, Proof, Refusal
from graphlens.diff.rows import PROGRAM, Finding, family

_EDITS = ("op", "target", "args", "kwargs")


_NODES = frozenset({"op", "target", "args", "kwargs", "order", "signature.inputs", "signature.outputs"})
_STATE = frozenset({"weights", "constants", "aliasing", "target", "signature.inputs", "val.storage"})
_EXPLAINED_BY: Final[Mapping[str, frozenset[str]]] = {
    "outputs": frozenset({"signature.outputs", "args", "target", "op"}),
    "signature": frozenset({"signature.inputs", "target", "op", "args", "order"}),
    "storage": _STATE,
    "constants": _STATE,
    "ranges": frozenset({"range_constraints"}),
    "guards": frozenset({"guards"}),
    "pytree": frozenset({"pytree.in", "pytree.out"}),
    "schema": frozenset(),
    "symbols": _NODES | {"val", "range_constraints", "guards"},
}
"""Fields whose rows say what a refused check is about; any other check is about nodes."""


def with_refusals(matching: Matching, placed: list[Placed], proof: Proof) -> list[Placed]:
    """Add what the checker refused. Effects whose order it refused have not merely moved."""
    found = _refused(matching, placed, proof)
    reordered = {(refusal.graph, refusal.node_a) for refusal in proof.refusals if refusal.check == "order"}
    if reordered:
        placed = [row for row in placed if not (_moved(row) and row.a and (row.graph, row.a.name) in reordered)]
    return placed + found


def _moved(row: Placed) -> bool:
    return row.finding.field == "order" and row.finding.kind == "moved"


def _refused(matching: Matching, placed: Iterable[Placed], proof: Proof) -> list[Placed]:
    """Give every order that the checker refused a row, and every other refusal that no row says the reason of."""
    known = [item for item in placed if explains_refusal(item.finding.field, item.finding.kind, item.finding.aspect)]
    found = _reordered(matching, known, proof)
    if proof.level != DIFFERENT:
        return found
    fields = {_family(item.finding.field) for item in (*known, *found)}
    refusals = proof.refusals or (Refusal(graph=PROGRAM, node_a="", node_b="", check="", message=str(proof)),)
    silent = [refusal for refusal in refusals if not fields & _EXPLAINED_BY.get(refusal.check, _NODES | {"val"})]
    return found + [_place(matching, refusal, "proof") for refusal in silent]


def _family(field: str) -> str:
    """Name the family of a field; the facets of a value are one."""
    name = family(field)
    return "val" if name.startswith("val.") and name != "val.storage" else name


def _reordered(matching: Matching, known: list[Placed], proof: Proof) -> list[Placed]:
    """Make rows of effects in another order, of nodes that are themselves unchanged.

    Where a node with an effect has no partner, or one without it, the order of the others follows from that.
    """
    orders = [refusal for refusal in proof.refusals if refusal.check == "order"]
    if not orders:
        return []
    edited = {
        (item.graph, item.a.name)
        for item in known
        if item.a is not None and item.finding.field in _EDITS and item.finding.aspect not in ACCEPTED_BY_RULE
    }
    source = _changed_effect(matching, known)
    rows = [_place(matching, refusal, "order") for refusal in orders if (refusal.graph, refusal.node_a) not in edited]
    return [row.inherited(source) for row in rows] if source else rows


def _changed_effect(matching: Matching, known: list[Placed]) -> str:
    """Name a node with an effect that has no partner, or whose partner calls another function.

    A call without partner that made what is written is one too: without it something else is written.
    """
    facts = matching.facts
    written: dict[tuple[int, str], set[str]] = {}
    for item in known:
        if item.finding.field != "target":
            continue
        for node, path, names, side in (
            (item.a, item.graph, item.finding.value_a, 0),
            (item.b, item.graph_b, item.finding.value_b, 1),
        ):
            here = facts[side].get(path or "")
            bundle = names if isinstance(names, tuple) else (node.name,) if node is not None else ()
            found = [name for name in bundle if here is not None and not here.does.get(name, PURE).pure]
            if not found and here is not None and node is not None and _computes_alone(item):
                key = side, path or ""
                if key not in written:
                    written[key] = {name for does in here.does.values() for name in does.writes}
                found = [node.name] if node.name in written[key] else []
            if found:
                return str(found[0])
    return ""


def _computes_alone(item: Placed) -> bool:
    """Whether a row says that a call which computes something has no partner: a wrong result itself."""
    return item.finding.kind in ("only_a", "only_b") and not item.finding.aspect and not item.finding.inherited_from


def _place(matching: Matching, refusal: Refusal, field: str) -> Placed:
    match = next((m for m in matching.graphs if refusal.graph in (m.path_a, m.path_b)), None)
    a = match.a[refusal.node_a] if match is not None and refusal.node_a in match.a else None
    b = match.b[refusal.node_b] if match is not None and refusal.node_b in match.b else None
    finding = Finding(field=field, kind="changed", b=refusal.message, aspect=refusal.check, value_b=refusal)
    return Placed(refusal.graph, match.path_b if match is not None else None, a, b, finding)
