"""The metadata of a node as an archive holds it: texts in small formats of their own, each distinct one read once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from graphlens.errors import ArchiveError
from graphlens.program.argument import Argument, Map, Opaque, Seq
from graphlens.program.frozen import EMPTY, FrozenDict
from graphlens.program.graph import ModuleCall, Provenance, without_addresses
from graphlens.read.archive_decode import Reading, decode
from graphlens.read.source_paths import kept_trace

_DELIMITER = ";"
_NOT_THERE = object()
_MAX_NESTING = 100
_KEYS = {"stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "custom", "from_node"}


class Metadata:
    """Reads the metadata of one program's nodes; what many nodes share becomes one object."""

    __slots__ = ("_calls", "_policy", "_reading", "_seen", "traces")

    def __init__(self, reading: Reading, policy: str) -> None:
        self._reading = reading
        self._policy = policy
        self._seen: dict[str, dict[bytes, Any]] = {}
        self._calls: dict[str, ModuleCall] = {}
        self.traces: dict[str, None] = {}
        """Distinct stack traces, their paths as the file has them."""

    def read(self, metadata: Mapping[str, Raw]) -> Mapping[str, Any]:
        """Convert a node's metadata; see `graphlens.program.graph.Node.meta`. Empty texts are dropped, as torch does."""
        found: dict[str, Any] = {}
        for key, raw in metadata.items():
            data = bytes(raw)
            made: Any
            if key == "torch_fn":  # differs from node to node: remembering it would only take memory
                made = self._converted(key, data)
            else:
                seen = self._seen.setdefault(key, {})
                made = seen.get(data, _NOT_THERE)
                if made is _NOT_THERE:
                    made = self._converted(key, data)
                    if key != "from_node":
                        seen[data] = made
            if made is not None:
                found[key] = made
        return FrozenDict(found) if found else EMPTY

    def _text(self, data: bytes, key: str) -> str:
        if data[:1] == b'"' and b"\\" not in data:
            try:
                return data[1:-1].decode("utf-8")
            except UnicodeDecodeError:
                pass
        return decode(data, str, self._reading, f".metadata.{key}")

    def _converted(self, key: str, data: bytes) -> Any:
        try:
            return self._convert(key, self._text(data, key))
        except ArchiveError as error:
            self._reading.tolerate(error)
            return None

    def _convert(self, key: str, text: str) -> Any:
        if not text and key in _KEYS:
            return None
        if key == "stack_trace":
            self.traces[text] = None
            return kept_trace(text, self._policy)
        if key == "torch_fn":
            return self._torch_fn(text)
        if key == "nn_module_stack":
            return tuple(self._module_call(item) for item in text.split(_DELIMITER))
        if key == "source_fn_stack":
            return self._source_fn_stack(text)
        if key == "custom":
            return self._custom(text)
        return self._from_node(text) if key == "from_node" else text

    def _torch_fn(self, text: str) -> tuple[str, ...]:
        name, *function = text.split(_DELIMITER)
        share = self._reading.shared.setdefault
        return (name, *[share(part, part) for part in function])

    def _module_call(self, item: str) -> ModuleCall:
        call = self._calls.get(item)
        if call is None:
            parts = split_outside_brackets(item)
            if len(parts) != 3:
                self._reading.notice(
                    "module calls that cannot be told apart",
                    ".metadata.nn_module_stack",
                    f"an entry of nn_module_stack should have three parts: {item!r}",
                )
                parts = [item, "", ""] if len(parts) < 3 else [parts[0], ",".join(parts[1:-1]), parts[-1]]
            call = self._calls[item] = ModuleCall(*parts)
        return call

    def _source_fn_stack(self, text: str) -> tuple[tuple[str, str], ...]:
        pairs = []
        for item in text.split(_DELIMITER):
            name, _, target = item.partition(",")
            # loading finds functions of torch, operator and math again and leaves the names of all others
            found = target.startswith(("torch", "_operator", "math", "#"))
            pairs.append((name, target.removeprefix("torch.ops.") if found else f"'{target}'"))
        return tuple(pairs)

    def _custom(self, text: str) -> Argument:
        return json_argument(decode(text.encode("utf-8", "replace"), object, self._reading, ".metadata.custom"))

    def _from_node(self, text: str) -> tuple[Provenance, ...] | None:
        where = ".metadata.from_node"
        tree = decode(text.encode("utf-8", "replace"), object, self._reading, where)
        if not isinstance(tree, list):
            return None
        return provenance(tree)


def split_outside_brackets(text: str) -> list[str]:
    """Split ``key,path,type`` at the commas outside brackets, as torch's loader does: a type may hold some inside."""
    if "[" not in text and "(" not in text and ")" not in text and "]" not in text:
        return text.split(",")
    parts, start, depth = [], 0, 0
    for i, character in enumerate(text):
        if character in "[(":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "," and not depth:
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    return parts


def json_argument(tree: Any) -> Argument:
    """Convert decoded JSON to an argument: objects to `Map`, arrays to lists; what is nested too deeply is labelled."""
    order: list[Any] = []
    depths: list[tuple[Any, int]] = [(tree, 0)]
    while depths:
        top, depth = depths.pop()
        if isinstance(top, dict | list):
            order.append((top, depth))
            inner = top.values() if isinstance(top, dict) else top
            depths.extend((item, depth + 1) for item in inner if isinstance(item, dict | list))
    done: dict[int, Argument] = {}
    for top, depth in reversed(order):
        if depth > _MAX_NESTING:
            done[id(top)] = Opaque(type(top).__name__, "nested too deeply")
        elif isinstance(top, dict):
            done[id(top)] = Map(tuple((key, done.get(id(item), item)) for key, item in top.items()))
        else:
            done[id(top)] = Seq("list", tuple(done.get(id(item), item) for item in top))
    return done.get(id(tree), tree)


def provenance(sources: list[Any]) -> tuple[Provenance, ...]:
    """Convert serialized `torch.fx.traceback.NodeSource` entries (`to_dict`, torch 2.6 to 2.13), inner ones first."""
    order = [source for source in sources if isinstance(source, dict)]
    for source in order:  # grows while it is walked
        order.extend(item for item in _inner(source) if isinstance(item, dict))
    done: dict[int, Provenance] = {}
    for source in reversed(order):
        graph_id = source.get("graph_id")
        done[id(source)] = Provenance(
            name=str(source.get("name", "")),
            target=without_addresses(str(source.get("target", ""))),
            pass_name=str(source.get("pass_name", "")),
            action=_actions(source.get("action")),
            graph_id=graph_id if type(graph_id) is int else -1,
            from_node=tuple(done[id(item)] for item in _inner(source) if id(item) in done),
        )
    return tuple(done[id(source)] for source in sources if id(source) in done)


def _inner(source: dict[str, Any]) -> list[Any]:
    inner = source.get("from_node")
    return inner if isinstance(inner, list) else []


def _actions(text: Any) -> tuple[str, ...]:
    return tuple(part.lower() for part in text.split("+") if part) if isinstance(text, str) else ()
