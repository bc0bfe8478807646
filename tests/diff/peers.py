"""What every pair of programs must satisfy, and small programs written as text, for the cases taken from other tools."""

from __future__ import annotations

import ast
from collections import Counter
from typing import Any

from diff.edits import mirrored, plain, roots
from msgspec.structs import replace

import graphlens as gl
from graphlens.diff import Diff
from graphlens.program.argument import Argument, Ref, Seq
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, ModuleCall, Node
from graphlens.program.parts import InputSpec, OutputSpec
from graphlens.program.program import Program
from graphlens.program.value import TensorValue

__all__ = ["examined", "matches", "mates", "roots", "rows_of", "without_modules", "written"]


def examined(a: Any, b: Any, *, same: bool, **options: Any) -> Diff:
    """Diff two programs both ways and each with itself, and hold the results against what must hold of any two.

    `same` says whether the two compute the same; a diff may never say so of two that do not.
    """
    one, two = gl.read(a), gl.read(b)
    diff = gl.diff(one, two, **options)
    for program in (one, two):
        own = gl.diff(program, program)
        assert own.ok, str(own)
        assert own.proof.level == "identical", str(own)
    back = gl.diff(two, one, **{**options, "pins": [(y, x) for x, y in options.get("pins", ())]})
    assert Counter(mirrored(row) for row in _unworded(back)) == Counter(plain(row) for row in _unworded(diff)), (
        f"{diff}\n--- back\n{back}"
    )
    assert {(r.node_b, r.node_a) for r in back.node_rows} == {(r.node_a, r.node_b) for r in diff.node_rows}
    assert back.proof.level == diff.proof.level
    for side, program in (("node_a", one), ("node_b", two)):
        seen = Counter(name for row in diff.node_rows for name in getattr(row, side).split(", ") if name)
        assert seen == Counter(node.name for _, node in program.walk())
    assert not (diff.ok and diff.rows)
    assert diff.proof.same <= same, str(diff)
    if not same:
        assert not diff.ok
        assert diff.verdict.startswith("different")
    if same and not diff.rows:
        assert diff.ok, str(diff)
    return diff


def _unworded(diff: Diff) -> list[Any]:
    """Take the checker's words out of its rows: they name one side first."""
    said = [row for row in diff.rows if row.field == "proof" or (row.field == "order" and row.kind == "changed")]
    return [replace(row, a="", b="") if row in said else row for row in diff.rows]


def mates(diff: Diff, graph: str = "") -> dict[str, str]:
    """Which node of one graph became which."""
    found = next(each for each in diff.alignment.graphs if each.path_a == graph)
    return {pair.a: pair.b for pair in found.pairs}


def matches(diff: Diff) -> Counter[str]:
    """How often each evidence was used, all rungs and ways together: ``same``, ``ambiguous``, ``only_a``."""
    return Counter(row.match.split(" ")[0] for row in diff.node_rows)


def rows_of(diff: Diff, *fields: str) -> list[tuple[Any, ...]]:
    """Rows of some fields (all but names and order by default) as node, other node, field, kind, cause."""
    return [
        (row.node_a, row.node_b, row.field, row.kind, row.cause)
        for row in diff.rows
        if (row.field in fields if fields else row.field not in ("name", "order"))
    ]


VALUE = TensorValue(shape=(4, 4), dtype="float32", stride=(4, 1), storage_offset=0, device="cpu", layout="strided", requires_grad=False)  # fmt: skip


def written(text: str) -> Program:
    """Read a program: one node per line, ``name = op(operands, literals)``, operators of aten without their namespace.

    ``x = input`` is a user input, ``w = weight fqn`` a parameter, ``return a, b`` the output; ``@layers.0`` at the end of a
    line is its module. An operator without an overload is ``default``.
    """
    nodes: list[Node] = []
    inputs: list[InputSpec] = []
    outputs: list[OutputSpec] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        line, _, module = line.partition("@")
        if line.startswith("return"):
            names = [name.strip() for name in line.removeprefix("return").split(",") if name.strip()]
            nodes.append(
                Node(name="output", op="output", target="output", args=(Seq("tuple", tuple(map(Ref, names))),))
            )
            outputs = [OutputSpec(kind="user_output", argument=name) for name in names]
            continue
        name, _, call = (part.strip() for part in line.partition("="))
        if call == "input" or call.startswith("weight"):
            users = sum(spec.kind == "user_input" for spec in inputs)
            spec = (
                InputSpec(kind="user_input", argument=name, path=f"args[{users}]")
                if call == "input"
                else InputSpec(kind="parameter", argument=name, target=call.split()[1])
            )
            inputs.append(spec)
            nodes.append(Node(name=name, op="placeholder", target=name, value=VALUE))
            continue
        target, _, inner = call.partition("(")
        tree = ast.parse(f"f({inner}", mode="eval").body
        assert isinstance(tree, ast.Call)
        path = module.strip()
        meta = {"nn_module_stack": (ModuleCall("", "", "Model"), ModuleCall(path, path, "Layer"))} if path else {}
        nodes.append(
            Node(
                name=name,
                op="call_function",
                target=_target(target),
                args=tuple(map(_argument, tree.args)),
                kwargs=freeze({word.arg: _argument(word.value) for word in tree.keywords}),
                value=VALUE,
                meta=freeze(meta),
            )
        )
    return Program(graphs=freeze({"": Graph(tuple(nodes))}), inputs=tuple(inputs), outputs=tuple(outputs))


def _target(text: str) -> str:
    if text.startswith(("_operator", "torch", "higher_order")):
        return text
    return f"aten.{text}" if "." in text else f"aten.{text}.default"


def _argument(tree: ast.expr) -> Argument:
    if isinstance(tree, ast.Name):
        return Ref(tree.id)
    if isinstance(tree, ast.List):
        return Seq("list", tuple(map(_argument, tree.elts)))
    return ast.literal_eval(tree)


def without_modules(program: Program) -> Program:
    """Take everything away that says which module a node is from, and where its source is."""
    gone = ("nn_module_stack", "source_fn_stack", "stack_trace", "torch_fn", "from_node")
    graphs = {
        path: Graph(
            tuple(
                replace(node, meta=freeze({key: value for key, value in node.meta.items() if key not in gone}))
                for node in graph.nodes
            ),
            graph.meta,
        )
        for path, graph in program.graphs.items()
    }
    return replace(program, graphs=freeze(graphs))
