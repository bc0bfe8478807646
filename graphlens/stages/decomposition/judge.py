"""The diff of a decomposed program with its source, judged by what torch's own decomposition says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from msgspec import structs

from graphlens.diff import Mismatch, compare
from graphlens.diff.comparison import judge_alignment
from graphlens.diff.opinfo import lookup
from graphlens.diff.proof import DECOMPOSED, Proof
from graphlens.diff.settings import DEFAULTS
from graphlens.program.program import Program
from graphlens.stages.decomposition.lift import PROVED, REFUSED, UNKNOWN, lifted_alignment, op_proofs
from graphlens.stages.decomposition.prove import Witness, witness
from graphlens.stages.decomposition.settle import ASSUMED
from graphlens.stages.decomposition.torch_table import Unavailable
from graphlens.stages.groups import by_testing
from graphlens.stages.part import Judged, OpProof


def prepare(program: Any, product: Any, table: Mapping[Any, Any] | None = None) -> Callable[[Program, Program], Judged]:
    """Keep what is needed to judge the decomposition of an ExportedProgram later: both graphs, not their weights."""
    modules = (program.graph_module, product.graph_module)
    return partial(judge, modules, None if table is None else dict(table))


def judge(modules: tuple[Any, Any], table: Mapping[Any, Any] | None, a: Program, b: Program) -> Judged:
    """Compare `a` with `b`, its decomposition by torch's default table or `table`.

    Where the whole of `b` is what torch's table makes of `a` op by op, the proof says so and no difference of the
    computation counts as a wrong result. Where only some ops are, that holds for their rows.
    """
    try:
        seen = witness(modules[0], a, b, table)
    except Unavailable as reason:
        tested = by_testing(*modules, compare(a, b))
        return Judged(tested.diff, (_none(str(reason)), *tested.ops))
    alignment = lifted_alignment(seen, a, b)
    diff = judge_alignment(a, b, alignment, _proof(seen), DEFAULTS)
    ops = op_proofs(seen, alignment, a)
    if not seen.proof.same:
        ops = _tested(ops, by_testing(*modules, diff).ops)
    proved = {(op.graph, op.node) for op in ops if op.status == PROVED}
    refuted = {(op.graph, op.node) for op in ops if op.status == REFUSED}
    dead = set(_unused_draws(a))
    proved |= dead
    rows = tuple(_hardened(_eased(row, proved, whole=seen.proof.same), refuted - dead) for row in diff.rows)
    return Judged(replace(diff, rows=rows), ops)


def _tested(ops: tuple[OpProof, ...], tested: tuple[OpProof, ...]) -> tuple[OpProof, ...]:
    """What could not be decomposed alone is at least run on random inputs."""
    found = {(op.graph, op.node): op for op in tested if op.status not in (UNKNOWN, REFUSED)}
    return tuple(found.get((op.graph, op.node), op) if op.status == UNKNOWN else op for op in ops)


def _none(reason: str) -> OpProof:
    return OpProof(graph="", node="", target="", nodes_b=(), status=UNKNOWN, reason=reason)


def _proof(seen: Witness) -> Proof:
    """Raise the level of the expanded program's proof to what it says of the source."""
    if not seen.proof.same:
        return seen.proof
    return structs.replace(seen.proof, level=DECOMPOSED, assumptions=(*seen.proof.assumptions, ASSUMED))


_OF_THE_COMPUTATION = ("target", "args", "kwargs", "op", "order", "val", "proof")


def _eased(row: Mismatch, proved: set[tuple[str, str]], *, whole: bool) -> Mismatch:
    """Take back ``wrong_result`` from what torch's own decomposition explains; what is stored is not touched."""
    if row.severity != "wrong_result" or not _computes(row):
        return row
    if not whole and (row.graph, row.node_a) not in proved:
        return row
    return structs.replace(row, severity="breaks_pass", aspect="decomposed")


def _unused_draws(program: Program) -> Iterator[tuple[str, str]]:
    """Random draws that nothing uses: `run_decompositions` drops them, which no output of the program can tell."""
    for path, graph in program.graphs.items():
        for node in graph.nodes:
            info = lookup(node.target) if node.op == "call_function" else None
            if info is not None and "s" in info.flags and not graph.users[node.name]:
                yield path, node.name


def _hardened(row: Mismatch, refuted: set[tuple[str, str]]) -> Mismatch:
    """Call a rewrite that torch's table does not explain what it is, wherever its nodes say that they came from."""
    if row.aspect != "decomposed" or (row.graph, row.node_a) not in refuted:
        return row
    return structs.replace(row, severity="wrong_result", aspect="rewritten")


def _computes(row: Mismatch) -> bool:
    """Whether a row is about what is computed; outputs that functionalization adds for writes are."""
    if row.family == "signature.outputs":
        return row.kind in ("added", "moved")
    return row.field.partition(".")[0] in _OF_THE_COMPUTATION
