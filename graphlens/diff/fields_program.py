"""What differs between two programs outside their graphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping

from msgspec import structs

from graphlens.diff.check.tied import tensor_key
from graphlens.diff.exchanged import exchanged
from graphlens.diff.fields_meta import MetaComparer
from graphlens.diff.fields_signature import RENAMED_CONSTANT, compare_signatures
from graphlens.diff.fields_weights import Pairs, compare_stored, pair_stored
from graphlens.diff.held import state_pairs
from graphlens.diff.matching import Agreement, GraphMatch, Matching
from graphlens.diff.module_names import translated
from graphlens.diff.renaming import Renaming
from graphlens.diff.retold import ModuleNames
from graphlens.diff.rows import Finding, Kind, shorten, shorten_apart
from graphlens.diff.settings import EXACT, WeightsMode
from graphlens.diff.weights import Equal
from graphlens.program.expr import rename_symbols
from graphlens.program.parts import ModuleSignature, Range, StoredTensor
from graphlens.program.program import Program

_COMPLETE = ("archive", "exported_program")


def compare_programs(matching: Matching, names: ModuleNames, mode: WeightsMode, equal: Equal) -> Iterator[Finding]:
    """Yield the differences of the program level; `names` says which module became which.

    A bare graph module has no signature, ranges or versions: against an exported program these are unknown, not lost.
    """
    a, b = matching.a, matching.b
    both_complete = (a.origin.kind in _COMPLETE) == (b.origin.kind in _COMPLETE)
    if bool(a.inputs or a.outputs) == bool(b.inputs or b.outputs):
        stored = tuple({tensor.fqn for tensor in program.stored} for program in (a, b))
        for finding in compare_signatures((a.inputs, a.outputs), (b.inputs, b.outputs), matching.root):
            named = finding.aspect == RENAMED_CONSTANT
            held = named and finding.value_a in stored[0] and finding.value_b in stored[1]
            yield structs.replace(finding, aspect="") if named and not held else finding
    if both_complete:
        yield from _ranges(a, b, matching.renaming)
        yield from _texts(a, b)
    pairs = pair_stored(a.stored, b.stored, state_pairs(matching))
    found = exchanged(list(compare_stored(pairs, matching.renaming, mode, equal, both_complete=both_complete)))
    sides = {"lost": a, "added": b}
    one_sided = {finding.kind for finding in found} & sides.keys()
    unread = {kind: _unread(sides[kind]) for kind in one_sided}
    kept = {kind: _kept_tensors(pairs, side=int(kind == "added")) for kind in one_sided}
    for finding in found:
        idle = finding.field.partition("[")[2].removesuffix("]") in unread.get(finding.kind, ())
        aspect = "unread" if idle else "tied" if _named_otherwise(finding, kept) else ""
        yield structs.replace(finding, aspect=aspect) if aspect and not finding.aspect else finding
    if both_complete:
        if not (matching.copied and a.module_calls == b.module_calls):
            yield from _module_calls(a, b, matching.root, names)
        yield from _guards(a, b, matching.renaming)
        yield from _versions(a, b)
        for finding in MetaComparer(matching.renaming, EXACT).compare(a.meta, b.meta):
            yield structs.replace(finding, field=f"meta[{finding.field}]")


def _kept_tensors(pairs: Pairs, *, side: int) -> set[Hashable]:
    """Tell the tensors of one side that have a partner."""
    both = (pair[side] for pair in pairs if None not in pair)
    return {tensor_key(tensor, tensor.fqn) for tensor in both if tensor is not None}


def _named_otherwise(finding: Finding, kept: Mapping[Kind, set[Hashable]]) -> bool:
    """Whether a tensor that one side lacks is there under another name: one that is tied to it has a partner."""
    gone = finding.value_b if finding.kind == "added" else finding.value_a
    return isinstance(gone, StoredTensor) and tensor_key(gone, gone.fqn) in kept.get(finding.kind, ())


def _unread(program: Program) -> set[str]:
    """Name the weights that have a placeholder which nothing uses."""
    read = {name for node in program.graph.nodes for name in node.inputs}
    return {spec.target for spec in program.inputs if spec.target is not None and spec.argument not in read}


def _ranges(a: Program, b: Program, renaming: Renaming) -> Iterator[Finding]:
    theirs = dict(b.ranges)
    for expr, ours in a.ranges.items():
        other = theirs.pop(rename_symbols(expr, renaming.forward), None)
        yield from _range(expr, ours, other)
    for expr, range_b in theirs.items():
        yield from _range(expr, None, range_b)


def _range(expr: str, a: Range | None, b: Range | None) -> Iterator[Finding]:
    if a == b or (a or Range()) == (b or Range()):
        return
    aspect = "" if a is None or b is None else _direction(a, b)
    yield Finding(
        field=f"range_constraints[{expr}]",
        kind="added" if a is None else "lost" if b is None else "changed",
        a="" if a is None else str(a),
        b="" if b is None else f"{b} ({aspect})" if aspect else str(b),
        aspect=aspect,
        value_a=a,
        value_b=b,
    )


def _direction(a: Range, b: Range) -> str:
    below = _bound(b.lower, -1) - _bound(a.lower, -1) if a.lower != b.lower else 0
    above = _bound(b.upper, 1) - _bound(a.upper, 1) if a.upper != b.upper else 0
    if below <= 0 <= above:
        return "widened"
    return "narrowed" if above <= 0 <= below else "shifted"


def _bound(value: float | None, sign: int) -> float:
    return sign * float("inf") if value is None else value


def _texts(a: Program, b: Program) -> Iterator[Finding]:
    for field, ours, theirs in (
        ("pytree.in", a.in_spec, b.in_spec),
        ("pytree.out", a.out_spec, b.out_spec),
        ("example_inputs", _kept(a.example_inputs), _kept(b.example_inputs)),
    ):
        if ours != theirs:
            texts = shorten_apart(ours or "", theirs or "")
            yield Finding(
                field=field,
                kind="added" if ours is None else "lost" if theirs is None else "changed",
                a=texts[0],
                b=texts[1],
                value_a=ours,
                value_b=theirs,
            )


def _kept(example_inputs: str | None) -> str | None:
    """Say only whether example inputs are there: an archive keeps them in a pickle, which is not opened."""
    return None if example_inputs is None else "kept"


def _module_calls(a: Program, b: Program, root: GraphMatch, names: ModuleNames) -> Iterator[Finding]:
    theirs: dict[str, list[ModuleSignature]] = {}
    for entry in b.module_calls:
        theirs.setdefault(entry.fqn, []).append(entry)
    known = names.forward if a.module_calls and b.module_calls else {}
    partners: list[ModuleSignature | None] = [None] * len(a.module_calls)
    followed = [translated(entry.fqn, known) for entry in a.module_calls]
    # a module without nodes goes where the one around it went, before anything is paired by its own name alone
    sure = [
        name if name != entry.fqn or entry.fqn in known else "?"
        for entry, name in zip(a.module_calls, followed, strict=True)
    ]
    for fqns in (sure, [entry.fqn for entry in a.module_calls]):
        for i, name in enumerate(fqns):
            others = theirs.get(name) if partners[i] is None else None
            if others:
                partners[i] = others.pop(0)
    for entry, partner in zip(a.module_calls, partners, strict=True):
        if partner is None:
            yield _call(entry, None)
        elif entry.fqn or partner.fqn:
            yield from _calls(entry, partner, root)
        else:  # the specs of the root are those of the program, which have rows of their own
            alike = structs.replace(partner, in_spec=entry.in_spec, out_spec=entry.out_spec)
            told = (a.in_spec, a.out_spec) != (b.in_spec, b.out_spec)
            told = told and None not in (a.in_spec, b.in_spec, a.out_spec, b.out_spec)
            yield from _calls(entry, alike if told else partner, root)
    for left in theirs.values():
        yield from (_call(None, entry) for entry in left)


def _call(a: ModuleSignature | None, b: ModuleSignature | None) -> Finding:
    entry = a or b
    assert entry is not None
    return Finding(
        field=f"module_call_graph[{entry.fqn}]",
        kind="lost" if b is None else "added",
        a=_call_text(a),
        b=_call_text(b),
        value_a=a,
        value_b=b,
    )


def _call_text(entry: ModuleSignature | None) -> str:
    return "" if entry is None else shorten(f"({', '.join(entry.inputs)}) -> ({', '.join(entry.outputs)})")


def _calls(a: ModuleSignature, b: ModuleSignature, root: GraphMatch) -> Iterator[Finding]:
    field = f"module_call_graph[{a.fqn}]"
    if a.fqn != b.fqn:
        yield Finding(field=field, kind="renamed", a=a.fqn, b=b.fqn, value_a=a.fqn, value_b=b.fqn)
    for what in ("inputs", "outputs", "in_spec", "out_spec", "forward_arg_names"):
        ours, theirs = getattr(a, what), getattr(b, what)
        if ours == theirs or (what in ("inputs", "outputs") and _same_names(ours, theirs, root)):
            continue
        texts = shorten_apart(str(ours), str(theirs))
        yield Finding(
            field=field,
            kind="lost" if theirs is None else "added" if ours is None else "changed",
            a=f"{what} {texts[0]}" if ours is not None else "",
            b=f"{what} {texts[1]}" if theirs is not None else "",
            aspect=what,
            where=what,
            value_a=ours,
            value_b=theirs,
        )


def _same_names(a: tuple[str, ...], b: tuple[str, ...], root: GraphMatch) -> bool:
    if len(a) != len(b):
        return False
    return all(root.refer(x, y)[0] is Agreement.SAME or (x == y and x not in root.a) for x, y in zip(a, b, strict=True))


def _guards(a: Program, b: Program, renaming: Renaming) -> Iterator[Finding]:
    ours = Counter({rename_symbols(guard, renaming.forward): 1 for guard in a.guards})
    theirs = Counter({rename_symbols(guard, {}): 1 for guard in b.guards})
    for guard in sorted(ours - theirs):
        yield Finding(field="guards", kind="lost", a=shorten(guard), value_a=guard)
    for guard in sorted(theirs - ours):
        yield Finding(field="guards", kind="added", b=shorten(guard), value_b=guard)


def _versions(a: Program, b: Program) -> Iterator[Finding]:
    ours, theirs = a.versions, b.versions
    for field, left, right in (
        ("verifier", ", ".join(ours.verifiers), ", ".join(theirs.verifiers)),
        ("schema_version", ours.schema or "", theirs.schema or ""),
        ("opset_version", _opset(ours.opset), _opset(theirs.opset)),
    ):
        if left and right and left != right:
            yield Finding(field=field, kind="changed", a=left, b=right, value_a=left, value_b=right)


def _opset(opset: object) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(dict(opset).items()))  # type: ignore[call-overload]
