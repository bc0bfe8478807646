"""A Program as text that one reads in a terminal and pastes in an issue, in the manner of FX's `print_readable`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from graphlens.program.folding import Fold, fold_layers
from graphlens.program.frames import source_text
from graphlens.program.graph import Graph, Node
from graphlens.program.line import comment, display, node_line, signature_comments
from graphlens.program.parts import Symbol
from graphlens.program.program import ROOT, child_path

if TYPE_CHECKING:
    from graphlens.program.program import Program

__all__ = ["node_line", "program_listing"]

_INDENT = "    "
_NOTICES = 20
_COLUMN = 76


def program_listing(program: Program, *, depth: int | None = None, limit: int | None = None, fold: bool = True) -> str:
    """Write a program as text: what it is, its symbols, then each graph, nested graphs inside the call that holds them.

    Parameters
    ----------
    program
        The program.
    depth
        How many levels of modules and nested graphs are written out; below, one line says what is there. All of
        them if `None`.
    limit
        Lines at most; the last one says how many are left out. No limit if `None`.
    fold
        Whether layers that repeat what stands above, operands and all, become one line that counts them.

    Returns
    -------
    str
        One line per node, ``name: f32[2, s77] = aten.linear.default(x, w, b)  # layers.0.attn  model.py:47``.
        Control characters are escaped.
    """
    lines = _lines(program, depth, fold)
    if limit is None:
        return "\n".join(lines)
    head = list(islice(lines, limit))
    rest = sum(1 for _ in lines)
    return "\n".join([*head, f"… {rest} more lines"] if rest else head)


def _lines(program: Program, depth: int | None, fold: bool) -> Iterator[str]:
    yield _title(program)
    if program.symbol_table:
        yield "symbols: " + "; ".join(map(_symbol_text, program.symbol_table))
    yield from _graph_lines(program, depth, fold)
    if program.notices:
        yield "notices:"
        for notice in program.notices[:_NOTICES]:
            yield display(f"{_INDENT}{notice.where or 'program'}: {notice.message}")
        if len(program.notices) > _NOTICES:
            yield f"{_INDENT}… {len(program.notices) - _NOTICES} more"


def _title(program: Program) -> str:
    count, graphs = sum(map(len, program.graphs.values())), len(program.graphs)
    versions = program.versions
    facts = [program.origin.name, program.origin.kind.replace("_", " "), versions.dialect]
    facts += [f"torch {versions.torch}" if versions.torch else None]
    facts += [f"{count} node{'s' * (count != 1)} in {graphs} graph{'s' * (graphs != 1)}"]
    return display("Program: " + ", ".join(fact for fact in facts if fact))


def _symbol_text(symbol: Symbol) -> str:
    parts = [f"{symbol.name} in {symbol.range}"]
    if symbol.backed is False:
        parts.append("unbacked")
    if symbol.bound is not None:
        path, node, part = symbol.bound
        parts.append(f"from {path + ':' if path else ''}{node}{'.' * bool(part and part[0] != '[')}{part}")
    if symbol.hint is not None:
        parts.append(f"example {symbol.hint}")
    return display(", ".join(parts))


def _graph_lines(program: Program, depth: int | None, fold: bool) -> Iterator[str]:
    """Write all graphs, without recursion: a stack of graphs that are being written."""
    written: dict[int, str] = {}
    root = program.graph
    stack: list[Iterator[str | tuple[str, str, int]]] = [_one_graph(program, ROOT, root, 0, depth, fold)]
    yield f"graph({', '.join(display(node.name) for node in root.placeholders[:12])}{', …' * (len(root.placeholders) > 12)}):"
    written[id(root)] = "the root graph"
    while stack:
        item = next(stack[-1], None)
        if item is None:
            stack.pop()
        elif isinstance(item, str):
            yield item
        else:
            head, path, level = item
            graph = program.graphs[path]
            if id(graph) in written:
                yield f"{head} the same graph as {display(written[id(graph)])}"
                continue
            written[id(graph)] = path
            yield head
            if depth is not None and _nesting(path) > depth:
                yield f"{_INDENT * (level + 1)}… {_count(len(graph))}"
            else:
                stack.append(_one_graph(program, path, graph, level, depth, fold))


def _one_graph(
    program: Program, path: str, graph: Graph, level: int, depth: int | None, fold: bool
) -> Iterator[str | tuple[str, str, int]]:
    """Write the lines of one graph; a nested graph is handed up as `(its head, its path, its level)`."""
    indent = _INDENT * (level + 1)
    notes = signature_comments(program) if path == ROOT else {}
    plumbing = _plumbing(graph)
    folds = {item.start: item for item in fold_layers(graph, program.inputs if path == ROOT else ())} if fold else {}
    i = 0
    while i < len(graph.nodes):
        if i in folds:
            yield indent + _fold_text(folds[i])
            i = folds[i].stop
            continue
        node = graph.nodes[i]
        hidden = i if depth is None else _hidden_run(graph, i, _cut(depth, path))
        if hidden > i:
            yield f"{indent}… {_count(hidden - i)} in {display(node.module_stack[_cut(depth, path)].call)}"
            i = hidden
            continue
        i += 1
        if node.name in plumbing:
            continue
        yield _pad(indent + node_line(node, with_comment=False), notes.get(node.name) or _where(node))
        for sub in node.subgraphs:
            child = child_path(path, node.name, sub.role)
            if child in program.graphs:
                inner = program.graphs[child]
                names = ", ".join(display(p.name) for p in inner.placeholders)
                yield f"{indent}{_INDENT}{display(sub.role)}({names}):", child, level + 2
    if path == ROOT:
        yield from (f"{indent}# {display(text)}" for text in notes.get("", "").splitlines())


def _plumbing(graph: Graph) -> set[str]:
    """`get_attr` nodes that only hand a nested graph to the call that is written with it."""
    attributes: dict[str, set[str]] = {}
    for node in graph.nodes:
        for sub in node.subgraphs:
            attributes.setdefault(node.name, set()).add(sub.attribute)
    found = set()
    for node in graph.nodes:
        users = graph.users[node.name] if node.op == "get_attr" else ()
        if users and all(node.target in attributes.get(user, ()) for user in users):
            found.add(node.name)
    return found


def _cut(depth: int | None, path: str) -> int:
    """How many entries of a module stack are written out in a graph (the first is the root module)."""
    return max((depth or 0) - _nesting(path), 0) + 1


def _nesting(path: str) -> int:
    return path.count("/") + 1 if path else 0


def _count(nodes: int) -> str:
    return f"{nodes} node{'s' * (nodes != 1)}"


def _hidden_run(graph: Graph, start: int, cut: int) -> int:
    """Where the run of nodes of one module below the cut ends; `start` itself where there is none."""
    outer = graph.nodes[start].module_stack[: cut + 1]
    stop = start
    while len(outer) > cut and stop < len(graph.nodes) and graph.nodes[stop].module_stack[: cut + 1] == outer:
        stop += 1
    return stop


def _where(node: Node) -> str:
    return comment(node.module, source_text(node.stack_trace))


def _pad(line: str, note: str) -> str:
    return f"{line:<{_COLUMN}}  # {display(note)}" if note else line


def _fold_text(item: Fold) -> str:
    return display(
        f"# {item.first} to {item.last}: {item.repeats} more of {_count(item.size)} each, like the one above"
    )
