"""The metadata of a node as plain data. Texts and stacks that many nodes share become one object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import fx

from graphlens.program.argument import Argument, Opaque
from graphlens.program.frozen import freeze
from graphlens.program.graph import DYNAMO_SOURCE, ModuleCall, Provenance, without_addresses
from graphlens.read.live_arguments import to_argument
from graphlens.read.live_names import object_text, target_text, type_name
from graphlens.read.live_source import dynamo_source
from graphlens.read.live_values import Storages, to_value
from graphlens.read.source_paths import folders, kept_trace, source_lines

_VALUES = ("val",)


class Interned:
    """Objects that many nodes of one program share, each made once."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._traces: dict[str, str | None] = {}
        self._calls: dict[tuple[Any, ...], tuple[ModuleCall, ...]] = {}
        self._pairs: dict[Any, Any] = {}

    def trace(self, text: str) -> str | None:
        """A stack trace, its paths as the policy keeps them; `None` where it keeps none."""
        if text not in self._traces:
            self._traces[text] = kept_trace(text, self._source)
        return self._traces[text]

    def sources(self) -> Mapping[str, Mapping[int, str]]:
        """The source lines that the stack traces met so far name."""
        return source_lines(self._traces, self._source, read_files=True)

    def folders(self) -> Mapping[str, tuple[str, ...]]:
        """What the policy left out of the paths in them, as digests."""
        return folders(self._traces, self._source)

    def calls(self, stack: Mapping[Any, Any]) -> tuple[ModuleCall, ...]:
        """An `nn_module_stack`; its entries are ``key: (path, class)``, the class a name or a type."""
        flat = tuple((str(key), *_entry(value)) for key, value in stack.items())
        found = self._calls.get(flat)
        if found is None:
            found = self._calls[flat] = tuple(self.same(ModuleCall(*part)) for part in flat)
        return found

    def same(self, item: Any) -> Any:
        """The first object that was equal to this one."""
        return self._pairs.setdefault(item, item)


def _entry(value: Any) -> tuple[str, str]:
    if isinstance(value, tuple | list) and len(value) >= 2:
        return _text(value[0]), _text(value[1])
    return _text(value), ""


def _text(obj: Any) -> str:
    if isinstance(obj, str):
        return obj
    return type_name(obj) if isinstance(obj, type) else object_text(obj)


def to_metadata(node: fx.Node, storages: Storages, interned: Interned) -> Mapping[str, Any]:
    """Convert all of a node's metadata but `val`, in its own order; see `graphlens.program.graph.Node.meta`.

    Where Dynamo found an input is added: it is an attribute of the node, and says what its name only hints at.
    """
    found: dict[str, Any] = {}
    for key, value in node.meta.items():
        if key in _VALUES:
            continue
        name = key if isinstance(key, str) else _text(key)
        converted = _known(name, value, storages, interned)
        if converted is _ABSENT:
            continue
        found[name] = converted if converted is not _OTHER else _labelled(value, node.graph)
    source = dynamo_source(node)
    if source is not None:
        found[DYNAMO_SOURCE] = source
    return freeze(found)


def _labelled(value: Any, graph: fx.Graph | None) -> Argument:
    """Convert what an unknown key holds. That may be anything, so whatever it raises ends here."""
    try:
        return to_argument(value, graph)
    except Exception as error:  # noqa: BLE001
        return Opaque(type_name(type(value)), f"cannot be read: {type(error).__name__}")


_ABSENT, _OTHER = object(), object()


def _known(key: str, value: Any, storages: Storages, interned: Interned) -> Any:
    if key == "stack_trace":
        text = interned.trace(value) if isinstance(value, str) else None
        return _ABSENT if text is None else text
    if key == "nn_module_stack" and isinstance(value, Mapping):
        return interned.calls(value)
    if key == "source_fn_stack" and isinstance(value, list | tuple):
        return interned.same(tuple(map(_source_fn, value)))
    if key == "torch_fn" and isinstance(value, list | tuple):
        return interned.same(tuple(map(_text, value)))
    if key == "from_node" and isinstance(value, list | tuple):
        return to_provenance(value)
    if key == "example_value":
        return to_value(value, storages)
    return _ABSENT if key in _TYPED else _OTHER


_TYPED = frozenset(("nn_module_stack", "source_fn_stack", "torch_fn", "from_node"))
"""Keys that readers of a Program expect in one form: anything else under them (`None`, say) is as good as absent."""


def _source_fn(entry: Any) -> tuple[str, str]:
    if isinstance(entry, list | tuple) and len(entry) == 2:
        # a name in place of a function, as loading leaves it where the function is not torch's, is quoted
        return _text(entry[0]), f"'{entry[1]}'" if isinstance(entry[1], str) else target_text(entry[1])
    return _text(entry), ""


def to_provenance(sources: Iterable[Any]) -> tuple[Provenance, ...]:
    """Convert a list of `torch.fx.traceback.NodeSource` (torch 2.6 to 2.13), inner ones first, without recursion."""
    roots = [source for source in sources if hasattr(source, "from_node")]
    order: dict[int, Any] = {}
    stack = list(roots)
    while stack:
        top = stack.pop()
        if id(top) not in order:
            order[id(top)] = top
            stack.extend(item for item in top.from_node or () if hasattr(item, "from_node"))
    done: dict[int, Provenance] = {}
    for source in reversed(order.values()):
        done[id(source)] = Provenance(
            name=str(source.name),
            target=without_addresses(str(source.target)),
            pass_name=str(source.pass_name),
            action=tuple(action.name.lower() for action in source.action),
            graph_id=source.graph_id,
            from_node=tuple(done[id(item)] for item in source.from_node or () if id(item) in done),
        )
    return tuple(done[id(source)] for source in roots)


def graph_metadata(meta: Mapping[Any, Any]) -> Mapping[str, Argument]:
    """Convert the metadata of a GraphModule; a key that cannot be read is labelled."""
    return freeze((key if isinstance(key, str) else _text(key), _labelled(value, None)) for key, value in meta.items())
