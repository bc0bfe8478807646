"""What stands at the border of the program: inputs, outputs, pytrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphlens.diff.check.findings import Findings
from graphlens.diff.check.live import Facts
from graphlens.diff.dialect.inputs import told_by_dynamo
from graphlens.program.argument import same_literal
from graphlens.program.parts import InputSpec, OutputSpec
from graphlens.program.program import ROOT, Program

GENERATED_NAMES = "constant with another generated name"
LIFTED_ORDER = "order of lifted inputs"
UNSIGNED = "one side has no signature; its inputs and outputs are taken in order"
FED = "Dynamo feeds its graph's inputs from the frame, in its own order; which is which rests on where it found them"
_NAMES_INPUT = {"user_input_mutation", "gradient_to_user_input"}


@dataclass(frozen=True)
class Border:
    """The root graphs of two programs and which node of one is which of the other."""

    a: Program
    b: Program
    facts: tuple[Facts, Facts]
    mate: Mapping[str, str]
    findings: Findings

    def same(self, x: str, y: str) -> bool:
        """Whether two names stand for one value; names of no node (constants) say nothing."""
        facts_a, facts_b = self.facts
        if x not in facts_a.nodes and y not in facts_b.nodes:
            return True
        (left, picked_a), (right, picked_b) = facts_a.source(x), facts_b.source(y)
        return self.mate.get(x) == y or (picked_a == picked_b and self.mate.get(left) == right)


def signed(program: Program) -> bool:
    """Whether a program says what its inputs and outputs stand for."""
    return bool(program.inputs or program.outputs)


def check_inputs(path: str, a: Facts, b: Facts, mate: Mapping[str, str], findings: Findings) -> None:
    """Refuse placeholders of a graph without a signature that changed places."""
    ours = [node.name for node in a.graph.placeholders]
    theirs = [node.name for node in b.graph.placeholders]
    for i, (x, y) in enumerate(zip(ours, theirs, strict=False)):
        if x in mate and mate[x] != y:
            findings.refuse(path, x, mate[x], "signature", f"input {i} is not the same input")


def check_signature(border: Border) -> None:
    """Check what the root's inputs and outputs stand for, and how they are packed."""
    a, b, findings = border.a, border.b, border.findings
    if signed(a) and signed(b):
        _inputs(border)
        _outputs(border)
    else:
        if signed(a) or signed(b):
            findings.assumptions[UNSIGNED] += 1
        if told_by_dynamo(*(facts.graph for facts in border.facts)):
            findings.unknown[FED] += 1
        else:
            check_inputs(ROOT, *border.facts, border.mate, findings)
    for name, ours, theirs in (("in", a.in_spec, b.in_spec), ("out", a.out_spec, b.out_spec)):
        if ours is None or theirs is None:
            if ours is not theirs:
                findings.assumptions[f"one side does not record its {name} pytree"] += 1
        elif ours != theirs:
            findings.refuse("program", "", "", "pytree", f"the {name} pytree differs")


def _inputs(border: Border) -> None:
    a, b, mate, findings = border.a, border.b, border.mate, border.findings
    ours, theirs = ({spec.argument: spec for spec in program.inputs} for program in (a, b))
    for node in border.facts[0].graph.placeholders:
        if node.name in mate:  # else it is refused as a live node without a partner
            why = _roles(ours.get(node.name), theirs.get(mate[node.name]), findings)
            if why is not None:
                findings.refuse(ROOT, node.name, mate[node.name], "signature", why)
    users_a = [mate.get(spec.argument) for spec in a.inputs if spec.kind == "user_input"]
    users_b = [spec.argument for spec in b.inputs if spec.kind == "user_input"]
    for i, (x, y) in enumerate(zip(users_a, users_b, strict=False)):
        if x is not None and x != y:
            findings.refuse(ROOT, "", y, "signature", f"user input {i} is not the same input")
    images = [mate[spec.argument] for spec in a.inputs if spec.argument in mate]
    paired = set(images)
    if images == [spec.argument for spec in b.inputs if spec.argument in paired]:
        if not (_in_step(a) and _in_step(b)):
            check_inputs(ROOT, *border.facts, mate, findings)
    elif not (_in_step(a) and _in_step(b)):
        findings.refuse(
            ROOT, "", "", "signature", "inputs of the signature are in another order than those of the graph"
        )
    elif users_a == users_b:
        findings.rules[LIFTED_ORDER] += 1


def _in_step(program: Program) -> bool:
    """Whether the signature names the placeholders in the order in which the graph has them, and so in which they are fed."""
    return [spec.argument for spec in program.inputs] == [node.name for node in program.graph.placeholders]


def _roles(a: InputSpec | None, b: InputSpec | None, findings: Findings) -> str | None:
    if a is None or b is None:
        return None if a is b else "one side does not say what this input is"
    if a.kind != b.kind:
        return f"input kind {a.kind} and {b.kind}"
    if a.target != b.target:
        if a.kind != "constant_tensor":
            return f"input target {a.target} and {b.target}"
        findings.rules[GENERATED_NAMES] += 1
    if not same_literal(a.constant, b.constant):
        return f"input constant {a.constant!r} and {b.constant!r}"
    return None


def _outputs(border: Border) -> None:
    a, b = border.a.outputs, border.b.outputs
    if len(a) != len(b):
        border.findings.refuse("program", "", "", "outputs", f"{len(a)} and {len(b)} outputs")
        return
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        if not (_same_output(border, x, y) and border.same(x.argument, y.argument)):
            message = f"output {i} is {_told(x)} and {_told(y)}"
            border.findings.refuse(ROOT, x.argument, y.argument, "outputs", message)


def _told(spec: OutputSpec) -> str:
    return f"{spec.kind} {spec.target or spec.argument}"


def _same_output(border: Border, a: OutputSpec, b: OutputSpec) -> bool:
    target = border.mate.get(a.target) if a.kind in _NAMES_INPUT and a.target is not None else a.target
    return (a.kind, target) == (b.kind, b.target) and same_literal(a.constant, b.constant)
