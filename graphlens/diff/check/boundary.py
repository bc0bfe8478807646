"""What stands at the border of the program: inputs, outputs, pytrees, ranges of symbols, guards."""

from __future__ import annotations

from collections.abc import Mapping

from graphlens.diff.check.findings import Findings
from graphlens.diff.check.live import Facts
from graphlens.diff.check.symbols import Renaming
from graphlens.program.argument import Ref, Seq, same_literal
from graphlens.program.expr import rename_symbols
from graphlens.program.parts import InputSpec, OutputSpec, Range
from graphlens.program.program import ROOT, Program

GENERATED_NAMES = "constant with another generated name"
LIFTED_ORDER = "order of lifted inputs"


def check_inputs(path: str, a: Facts, b: Facts, mate: Mapping[str, str], findings: Findings) -> None:
    """Refuse placeholders of a graph without a signature that changed places."""
    ours = [node.name for node in a.graph.placeholders]
    theirs = [node.name for node in b.graph.placeholders]
    for x, y in zip(ours, theirs, strict=False):
        if x in mate and mate[x] != y:
            findings.refuse(path, x, mate[x], "signature", f"input {ours.index(x)} is not the same input")


def check_signature(
    a: Program, b: Program, facts: tuple[Facts, Facts], mate: Mapping[str, str], findings: Findings
) -> None:
    """Check what the root's inputs and outputs stand for, and how they are packed."""
    if a.inputs and b.inputs:
        _inputs(a, b, mate, findings)
        _placeholders(a, b, facts, mate, findings)
    else:
        if a.inputs or b.inputs:
            findings.assumptions["one side has no signature; its inputs are taken in order"] += 1
        check_inputs(ROOT, *facts, mate, findings)
    if a.outputs and b.outputs:
        _outputs(a.outputs, b.outputs, findings)
        _returned(a.outputs, b.outputs, facts, mate, findings)
    for name, ours, theirs in (("in", a.in_spec, b.in_spec), ("out", a.out_spec, b.out_spec)):
        if ours is None or theirs is None:
            if ours is not theirs:
                findings.assumptions[f"one side does not record its {name} pytree"] += 1
        elif ours != theirs:
            findings.refuse("program", "", "", "pytree", f"the {name} pytree differs")


def _inputs(a: Program, b: Program, mate: Mapping[str, str], findings: Findings) -> None:
    theirs = {spec.argument: spec for spec in b.inputs}
    for spec in a.inputs:
        partner = mate.get(spec.argument)
        other = theirs.get(partner) if partner is not None else None
        if partner is None:
            continue  # refused as an unpaired live node
        why = "is no input of b" if other is None else _role(spec, other, findings)
        if why is not None:
            findings.refuse(ROOT, spec.argument, partner, "signature", why)
    users_a = [mate.get(spec.argument) for spec in a.inputs if spec.kind == "user_input"]
    users_b = [spec.argument for spec in b.inputs if spec.kind == "user_input"]
    for i, (x, y) in enumerate(zip(users_a, users_b, strict=False)):
        if x is not None and x != y:
            findings.refuse(ROOT, "", y, "signature", f"user input {i} is not the same input")
    if [mate.get(spec.argument) for spec in a.inputs] != [spec.argument for spec in b.inputs] and users_a == users_b:
        findings.rules[LIFTED_ORDER] += 1


def _placeholders(
    a: Program, b: Program, facts: tuple[Facts, Facts], mate: Mapping[str, str], findings: Findings
) -> None:
    """Refuse a specification that says another place than the placeholder's own: values are passed by place."""
    where: list[dict[str, int]] = []
    for program, fact in zip((a, b), facts, strict=True):
        order = {node.name: i for i, node in enumerate(fact.graph.placeholders)}
        given = [spec.argument for spec in program.inputs]
        where.append({name: order.get(name, -1) - i for i, name in enumerate(given)} if [*order] != given else {})
    for name in mate:
        if where[0].get(name, 0) != where[1].get(mate[name], 0):
            findings.refuse(
                ROOT, name, mate[name], "signature", "the placeholder stands elsewhere than its specification"
            )


def _role(a: InputSpec, b: InputSpec, findings: Findings) -> str | None:
    if a.kind != b.kind:
        return f"input kind {a.kind} and {b.kind}"
    if a.target != b.target:
        if a.kind != "constant_tensor":
            return f"input target {a.target} and {b.target}"
        findings.rules[GENERATED_NAMES] += 1
    if not same_literal(a.constant, b.constant):
        return f"input constant {a.constant!r} and {b.constant!r}"
    return None


def _outputs(a: tuple[OutputSpec, ...], b: tuple[OutputSpec, ...], findings: Findings) -> None:
    if len(a) != len(b):
        findings.refuse("program", "", "", "outputs", f"{len(a)} and {len(b)} outputs")
        return
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        if (x.kind, x.target) != (y.kind, y.target) or not same_literal(x.constant, y.constant):
            message = f"output {i} is {x.kind} {x.target or ''} and {y.kind} {y.target or ''}"
            findings.refuse(ROOT, x.argument, y.argument, "outputs", message)


def _returned(
    a: tuple[OutputSpec, ...],
    b: tuple[OutputSpec, ...],
    facts: tuple[Facts, Facts],
    mate: Mapping[str, str],
    findings: Findings,
) -> None:
    """Refuse a specification that names another node than the graph returns in its place."""
    ours, theirs = (_results(fact) for fact in facts)
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        off_a, off_b = (
            bool(s.argument) and held[i : i + 1] not in (("",), (s.argument,)) for s, held in ((x, ours), (y, theirs))
        )
        if off_a != off_b or (off_a and mate.get(x.argument) != y.argument):
            message = f"output {i} is {x.argument} and {y.argument} in the signature"
            findings.refuse(ROOT, x.argument, y.argument, "outputs", message)


def _results(facts: Facts) -> tuple[str, ...]:
    output = facts.graph.output
    held = output.args[0] if output is not None and output.args else None
    items = held.items if isinstance(held, Seq) else (held,)
    return tuple(item.node if isinstance(item, Ref) else "" for item in items)


def check_ranges(a: Program, b: Program, renaming: Renaming, findings: Findings) -> None:
    """Refuse ranges that differ, saying which side promises more."""
    left, right = _ranges(a), _ranges(b)
    images = {rename_symbols(text, renaming.forward): text for text in left}
    for text, ours in left.items():
        image = rename_symbols(text, renaming.forward)
        if image not in right:
            findings.refuse("program", "", "", "ranges", f"b is weaker: no range for {text} in {ours}")
        elif ours != right[image]:
            word = _direction(ours, right[image])
            findings.refuse("program", "", "", "ranges", f"{word}: {text} in {ours} and {right[image]}")
    for text, theirs in right.items():
        if text not in images:
            findings.refuse("program", "", "", "ranges", f"b is stronger: a has no range for {text} in {theirs}")


def _ranges(program: Program) -> dict[str, Range]:
    table = {symbol.name: symbol.range for symbol in program.symbol_table}
    return {text: bounds for text, bounds in (table | dict(program.ranges)).items() if bounds != Range()}


def _direction(a: Range, b: Range) -> str:
    low_a, low_b = (float("-inf") if x is None else x for x in (a.lower, b.lower))
    high_a, high_b = (float("inf") if x is None else x for x in (a.upper, b.upper))
    if low_b <= low_a and high_b >= high_a:
        return "b is weaker, its range is wider"
    if low_b >= low_a and high_b <= high_a:
        return "b is stronger, its range is narrower"
    return "ranges differ"


def check_guards(a: Program, b: Program, renaming: Renaming, findings: Findings) -> None:
    """Refuse guards that one side has and the other lacks."""
    ours = {rename_symbols(text, renaming.forward) for text in a.guards}
    theirs = {rename_symbols(text, {}) for text in b.guards}
    if not (a.inputs and b.inputs):
        if ours != theirs:
            findings.assumptions["one side has no signature and records no guards"] += 1
        return
    for word, missing in (("weaker: it lacks", ours - theirs), ("stronger: it adds", theirs - ours)):
        for text in sorted(missing):
            findings.refuse("program", "", "", "guards", f"b is {word} the guard {text}")
