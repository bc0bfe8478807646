"""What nodes that differ in nothing but their operands have in common, found once: large programs are made of few such forms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from graphlens.program.argument import Argument, Map, Ref, Seq, Slice, argument_text, children, leaves
from graphlens.program.graph import Node
from graphlens.view.labels import clip, op_label

_UNNAMED = re.compile(r"^arg\d+$")
_PLACE = frozenset({"device", "layout", "pin_memory", "memory_format", "non_blocking", "copy"})
"""Arguments that say where and how a tensor lies: in the details, not in the box."""

_EXACT = (int, bool, str, type(None))
"""Types whose values say the same where type and value are equal."""


class Form(Struct, frozen=True, kw_only=True):
    """A node with its operands left open.

    `slots` names the place of each operand, `port` is the output that a getitem takes (else -1); `literals` are the
    arguments that hold no operand, as a box shows them; `texts` is the text of each argument by name, `None` where an
    operand is in it; `template` is all of it but what `calls` is said of placeholders and the like.
    """

    label: str
    slots: tuple[str, ...]
    port: int
    literals: str
    texts: tuple[tuple[str, str | None], ...]
    template: str
    named: bool


class Forms:
    """The forms of the nodes seen so far."""

    def __init__(self) -> None:
        self._known: dict[object, Form] = {}

    def of(self, node: Node) -> Form:
        """Return the form of a node."""
        key = _key(node)
        form = self._known.get(key)
        if form is None:
            form = self._known[key] = _make(node)
        return form

    def of_all(self, nodes: Iterable[Node]) -> list[Form]:
        """Return the form of each node."""
        return [self.of(node) for node in nodes]


def _key(node: Node) -> object:
    parts: list[object] = [node.op, node.target, node.arg_names]
    if node.op == "placeholder":
        parts.append(node.name)  # its label
    parts += [None if type(argument) is Ref else _open(argument) for argument in node.args]
    if node.kwargs:
        for name, argument in node.kwargs.items():
            parts += (name, None if type(argument) is Ref else _open(argument))
    return tuple(parts)


def _open(argument: Argument) -> object:
    kind = type(argument)
    return (kind, argument) if kind in _EXACT else (kind, open_text(argument))


def _make(node: Node) -> Form:
    label = op_label(node)
    arguments = list(named_arguments(node))
    plain = node.op != "output" and not label.startswith("getitem[")
    held = [any(isinstance(leaf, Ref) for leaf in leaves(argument)) for _, argument in arguments]
    shown = [each for each, holds in zip(arguments, held, strict=True) if not holds and each[0] not in _PLACE]
    named = node.op in ("call_function", "call_method", "call_module")
    opened = [] if node.op == "output" else [f"{name}={open_text(argument)}" for name, argument in arguments]
    return Form(
        label=label,
        slots=tuple(slot for slot, _ in operands(node)),
        port=_port(node),
        literals=clip(", ".join(_literal(*each) for each in shown)) if plain else "",
        texts=tuple((n, None if holds else argument_text(a)) for (n, a), holds in zip(arguments, held, strict=True)),
        template=f"{node.op} {node.target if named else ''} {' '.join(opened)}",
        named=named,
    )


def _literal(name: str, argument: Argument) -> str:
    text = clip(argument_text(argument).removeprefix("torch."))
    return text if _UNNAMED.match(name) else f"{name}={text}"


def _port(node: Node) -> int:
    if node.target == "_operator.getitem" and len(node.args) > 1:
        index = node.args[1]
        if isinstance(index, int) and not isinstance(index, bool):
            return index
    return -1


def named_arguments(node: Node) -> Iterator[tuple[str, Argument]]:
    """Yield the arguments of a node by schema name (`arg2` where unknown), kwargs last."""
    for i, argument in enumerate(node.args):
        yield (node.arg_names[i] if i < len(node.arg_names) else f"arg{i}"), argument
    yield from node.kwargs.items()


def operands(node: Node) -> Iterator[tuple[str, str]]:
    """Yield `(slot, node name)` for each use of another node, left to right, without recursion."""
    for name, argument in named_arguments(node):
        stack = [(name, argument)]
        while stack:
            slot, top = stack.pop()
            if isinstance(top, Ref):
                yield slot, top.node
            elif isinstance(top, Seq | Map | Slice):
                stack.extend(reversed(list(_steps(slot, top))))


def used(node: Node, form: Form) -> Sequence[str]:
    """Return the nodes that a node of this form uses, one per slot."""
    names = node.inputs
    return names if len(names) == len(form.slots) else [name for _, name in operands(node)]


def _steps(slot: str, top: Seq | Map | Slice) -> Iterator[tuple[str, Argument]]:
    if isinstance(top, Seq):
        for i, item in enumerate(top.items):
            yield f"{slot}[{i}]", item
    elif isinstance(top, Map):
        for key, item in top.items:
            yield f"{slot}[{argument_text(key)}]", item
    else:
        yield from zip((f"{slot}.start", f"{slot}.stop", f"{slot}.step"), children(top), strict=True)


def open_text(argument: Argument) -> str:
    """Write an argument with `%` for each use of a node, without recursion."""
    parts: list[str] = []
    stack: list[Argument | _Mark] = [argument]
    while stack:
        top = stack.pop()
        if isinstance(top, _Mark):
            parts.append(top.text)
        elif isinstance(top, Ref):
            parts.append("%")
        elif isinstance(top, Seq | Map | Slice):
            kind = top.kind if isinstance(top, Seq) else type(top).__name__
            parts.append(f"{kind}(")
            stack += [_Mark(")"), *reversed(children(top))]
        else:
            parts.append(f"{argument_text(top)},")
    return "".join(parts)


class _Mark(Struct, frozen=True):
    text: str
