"""The expanded program against the decomposed one: what the checker says of the whole, and of each op."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from graphlens.diff.align import align
from graphlens.diff.alignment import Alignment
from graphlens.diff.proof import Proof
from graphlens.diff.verify import verify
from graphlens.program.frozen import EMPTY
from graphlens.program.graph import Graph
from graphlens.program.parts import InputSpec
from graphlens.program.program import Program
from graphlens.stages.decomposition.expand import Expansion, expand
from graphlens.stages.decomposition.settle import settled
from graphlens.stages.decomposition.single import Cache
from graphlens.stages.decomposition.torch_table import decomposing, fake_mode_of, make_table


class Witness(Struct, frozen=True):
    """The expanded program, how it was aligned with the decomposed one, and what the checker says of that."""

    expanded: Program
    alignment: Alignment
    proof: Proof
    origins: Mapping[tuple[str, str], str]
    unknown: Mapping[tuple[str, str], str]


def witness(source: Any, a: Program, b: Program, table: Mapping[Any, Any] | None = None) -> Witness:
    """Expand `source`, the graph module that `a` was read from, with torch's table, and check it against `b`.

    Raises
    ------
    Unavailable
        This torch cannot decompose op by op, or the program writes in place in a way that cannot be followed.
    """
    from graphlens.read import read

    kept = frozenset(node.target for _, node in b.walk() if node.op == "call_function")
    split = make_table(table)
    mode = fake_mode_of([node.meta.get("val") for node in source.graph.nodes])
    into = Expansion(a, Cache(split, mode), kept)
    with decomposing(split):
        made = expand(source, into)
    _return_as(made, into, a, b)
    made.graph.eliminate_dead_code()
    graphs = read(made).graphs
    expanded = structs.replace(
        _computation(a), graphs=settled(graphs), inputs=_inputs(graphs[""], a), outputs=_outputs(graphs[""], b)
    )
    other = structs.replace(_computation(b), graphs=settled(b.graphs))
    alignment = align(expanded, other)
    return Witness(expanded, alignment, verify(expanded, other, alignment), into.origins, into.unknown)


def _computation(program: Program) -> Program:
    """Leave out what a program promises about its inputs: ranges and guards have rows of their own."""
    return structs.replace(program, ranges=EMPTY, symbol_table=(), guards=())


def _return_as(made: Any, into: Expansion, a: Program, b: Program) -> None:
    """Let the graph return what was written into its inputs where `b` does, as functionalization has it."""
    output = next(node for node in made.graph.nodes if node.op == "output")
    own = list(output.args[0])
    placeholders = {spec.target: spec.argument for spec in a.inputs if spec.target is not None}
    results = []
    for spec in b.outputs:
        if spec.kind.endswith("_mutation"):
            name = placeholders.get(spec.target or "", spec.target)
            results.append(into.writes.get(str(name)))
        else:
            results.append(own.pop(0) if own else None)
    output.args = ((*results, *own),)


def _inputs(root: Graph, a: Program) -> tuple[InputSpec, ...]:
    """The signature of `a` with the names that the expanded graph has: FX gives no node the name of a builtin."""
    names = {old.name: new.name for old, new in zip(a.graph.placeholders, root.placeholders, strict=True)}
    return tuple(structs.replace(spec, argument=names.get(spec.argument, spec.argument)) for spec in a.inputs)


def _outputs(root: Graph, b: Program) -> tuple[Any, ...]:
    """The signature of `b` with the names that the expanded graph returns."""
    from graphlens.program.argument import Ref, children

    output = root.output
    returned = children(output.args[0]) if output is not None and output.args else ()
    if len(returned) != len(b.outputs):
        return b.outputs
    return tuple(
        structs.replace(spec, argument=item.node) if isinstance(item, Ref) else spec
        for spec, item in zip(b.outputs, returned, strict=True)
    )
