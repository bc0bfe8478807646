"""What the border of a program says about which node is which: the signature, the outputs, stored tensors."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from graphlens.diff.search.labels import generated
from graphlens.diff.search.match import Match
from graphlens.diff.search.table import SLOT_BITS, SLOT_MASK, Table
from graphlens.diff.search.told import told_pairs
from graphlens.program.parts import InputSpec
from graphlens.program.program import Program
from graphlens.program.value import SymValue, TensorValue, Value

Translate = Callable[[str], str | None]


def input_pairs(a: Program, b: Program, translate: Translate) -> list[tuple[str, str]]:
    """Pair the placeholders of two signatures by role: user inputs by their place in the call, weights by name.

    Names that a tracer made up for constants say nothing and pair nothing. A graph without a signature tells its inputs
    in other ways (`graphlens.diff.search.told`).
    """
    if not (a.inputs and b.inputs):
        return told_pairs(a, b, translate)
    by_path = all(spec.path for program in (a, b) for spec in program.inputs if spec.kind == "user_input")
    theirs = _roles(b, lambda fqn: fqn, by_path=by_path)
    found: list[tuple[str, str]] = []
    for role, ours in _roles(a, translate, by_path=by_path).items():
        other = theirs.get(role, [])
        if len(ours) == len(other) == 1:
            found.append((ours[0], other[0]))
            continue
        same = [name for name in ours if name in other]  # torch 2.5 writes one name for all inputs of a tied weight
        found += [(name, name) for name in same]
        rest = ([name for name in names if name not in same] for names in (ours, other))
        found += zip(*rest, strict=False)
    return found


def _roles(program: Program, translate: Translate, *, by_path: bool) -> dict[Hashable, list[str]]:
    found: dict[Hashable, list[str]] = {}
    users = 0
    for spec in program.inputs:
        role = _role(spec, users, translate, by_path=by_path)
        if role is not None:
            found.setdefault(role, []).append(spec.argument)
        users += spec.kind == "user_input"
    return found


def _role(spec: InputSpec, users: int, translate: Translate, *, by_path: bool) -> Hashable | None:
    if spec.kind == "user_input":
        return ("user_input", spec.path if by_path else users)
    if spec.kind == "token" or spec.target is None:
        return (spec.kind, spec.argument)
    if spec.kind in ("constant_tensor", "custom_obj") and generated(spec.target):
        return None
    target = translate(spec.target)
    return None if target is None else ("lifted", target)


def input_values(a: Program, b: Program, pairs: list[tuple[str, str]]) -> list[tuple[Value | None, Value | None]]:
    """Return the recorded values of paired placeholders."""
    return [(a.graph[x].value, b.graph[y].value) for x, y in pairs if x in a.graph and y in b.graph]


def anchor_pairs(match: Match, pairs: list[tuple[str, str]]) -> None:
    """Pair placeholders that the signature pairs."""
    index_a, index_b = match.a.index, match.b.index
    known = ((index_a[x], index_b[y]) for x, y in pairs if x in index_a and y in index_b)
    match.pair_all(known, "signature", 1.0, ("the same place in the signature",))


def anchor_names(match: Match) -> None:
    """Pair placeholders of one name, where there is no signature; those left over if there is one on each side."""
    for i in match.a.of("placeholder"):
        j = match.b.index.get(match.a.nodes[i].name, -1)
        if j >= 0 and match.b.nodes[j].op == "placeholder":
            match.pair(i, j, "signature", 0.95, ("an input of the same name",))
    left, right = _free_inputs(match)
    if len(left) == len(right) == 1:
        match.pair(left[0], right[0], "signature", 0.8, ("the only input left",))


def anchor_sizes(match: Match) -> None:
    """Pair a size that is passed on one side with the one call that reads it from its tensor on the other."""
    for ours, theirs, flip in ((match.a, match.b, False), (match.b, match.a, True)):
        passed, read = _sizes(ours, "placeholder", ""), _sizes(theirs, "call_function", "aten.sym_size.int")
        for size, i in passed.items():
            j = read.get(size, -1)
            if i >= 0 and j >= 0:
                pair = (j, i) if flip else (i, j)
                match.pair(*pair, "signature", 0.9, ("the same size, passed on one side and read on the other",))


def _sizes(table: Table, op: str, target: str) -> dict[str, int]:
    """Map each symbol to the one node of a kind whose value it is, ``-1`` where there are several."""
    found: dict[str, int] = {}
    for i, node in enumerate(table.nodes):
        if node.op == op and isinstance(node.value, SymValue) and (not target or node.target == target):
            size = table.symbol(node.value.expr)
            if "?" not in size:
                found[size] = -1 if size in found else i
    return found


def inputs_by_use(match: Match) -> None:
    """Pair the inputs left over that matched nodes use in the same places, where one side has no signature to name them."""
    left, right = _free_inputs(match)
    theirs = set(right)
    for i in left:
        there = {_operand_at(match, use) for use in match.a.users[i]}
        j = next(iter(there)) if len(there) == 1 else -1
        if j not in theirs or len(match.a.users[i]) != len(match.b.users[j]):
            continue
        values = match.a.nodes[i].value, match.b.nodes[j].value
        forms = [(value.shape, value.dtype) for value in values if isinstance(value, TensorValue)]
        if len(forms) == 2 and forms[0] == forms[1]:
            match.pair(i, j, "propagated", 0.85, ("an input that is used for the same",))


def _operand_at(match: Match, use: int) -> int:
    """Return what the partner of a user has in the place of a use, ``-1`` where there is none."""
    v, slot = match.mate_a[use >> SLOT_BITS], use & SLOT_MASK
    operands = match.b.operands[v] if v >= 0 else []
    ours = match.a.operands[use >> SLOT_BITS]
    if match.a.commutative[use >> SLOT_BITS]:
        free = [q for q in operands if match.mate_b[q] < 0]
        return free[0] if len(free) == sum(match.mate_a[p] < 0 for p in ours) == 1 else -1
    return operands[slot] if len(operands) == len(ours) and slot < len(operands) else -1


def anchor_outputs(match: Match) -> None:
    """Pair the output nodes."""
    left, right = match.a.of("output"), match.b.of("output")
    if len(left) == len(right) == 1:
        match.pair(left[0], right[0], "signature", 1.0, ("the output",))


def _free_inputs(match: Match) -> tuple[list[int], list[int]]:
    left = [i for i in match.a.of("placeholder") if match.mate_a[i] < 0]
    right = [j for j in match.b.of("placeholder") if match.mate_b[j] < 0]
    return left, right


def anchor_operands(match: Match, operands: tuple[list[str | None], list[str | None]], mate: Mapping[str, str]) -> None:
    """Pair the placeholders of two nested graphs: by position where that fits, else by the operands they are given.

    `operands` names, for each placeholder, the node of the holding graph that it is given, where it is given one.
    """
    left, right = _free_inputs(match)
    by_place = list(zip(left, right, strict=False)) if len(left) == len(right) else []
    by_operand = (
        _by_operand(left, right, operands, mate)
        if len(left) == len(operands[0]) and len(right) == len(operands[1])
        else []
    )
    chosen = by_operand if not by_place or _fit(match, by_operand) > _fit(match, by_place) else by_place
    for i, j in chosen:
        match.pair(i, j, "signature", 1.0, ("the same place in the call",))


def _by_operand(
    left: list[int], right: list[int], operands: tuple[list[str | None], list[str | None]], mate: Mapping[str, str]
) -> list[tuple[int, int]]:
    given: dict[str, int] = {}
    for j, name in zip(right, operands[1], strict=True):
        if name is not None:
            given.setdefault(name, j)
    pairs = [(i, given.get(mate.get(name or "", ""), -1)) for i, name in zip(left, operands[0], strict=True)]
    found: dict[int, int] = {}
    for i, j in pairs:
        if j >= 0:
            found.setdefault(j, i)
    return [(i, j) for j, i in found.items()]


def _fit(match: Match, pairs: list[tuple[int, int]]) -> int:
    """Count placeholders whose uses look alike."""
    return sum(_uses(match.a.users[i], match.a.key) == _uses(match.b.users[j], match.b.key) for i, j in pairs)


def _uses(uses: list[int], key: list[int]) -> list[tuple[int, int]]:
    return sorted((key[use >> SLOT_BITS], use & SLOT_MASK) for use in uses)
