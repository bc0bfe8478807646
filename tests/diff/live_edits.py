"""Random edits of live exported programs, as passes make them, each with every root that it is."""

from __future__ import annotations

import copy
import operator
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from diff.edits import Row
from torch import fx

from graphlens.diff.commute import COMMUTATIVE
from graphlens.program.program import Program

aten = torch.ops.aten

UNARY = tuple(
    getattr(aten, name).default for name in "sin cos relu exp abs neg sigmoid tanh silu rsqrt sqrt square log erf sinh".split()
)  # fmt: skip
BINARY = (aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor)
INSERTED = aten.erfc.default
KEYS = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")


class Truth(NamedTuple):
    """What an edit is: its roots, whether the program computes the same after it, and the nodes it touched."""

    kind: str
    rows: frozenset[Row]
    same: bool
    touched: tuple[fx.Node, ...]


class Site(NamedTuple):
    """One graph of a live program: the module that holds it, its path, and the same graph as it was read."""

    module: fx.GraphModule
    path: str
    read: Any
    taken: set[fx.Node]

    def row(self, node: fx.Node | str, field: str, kind: str = "changed") -> Row:
        name = str(node)
        a, b = (None if kind == "only_b" else name), (None if kind == "only_a" else name)
        return self.path, a, b, field, kind


def sites(program: torch.export.ExportedProgram, read: Program) -> list[Site]:
    """Every graph that is held once."""
    found: dict[int, list[Site]] = {}
    for path, graph in read.graphs.items():
        module: Any = program.graph_module
        outer = ""
        for step in path.split("/") if path else ():
            name, _, role = step.rpartition(".")
            (attribute,) = (s.attribute for s in read.graphs[outer][name].subgraphs if s.role == role)
            module = module.get_submodule(attribute)
            outer = f"{outer}/{step}" if outer else step
        if isinstance(module, fx.GraphModule):
            found.setdefault(id(module), []).append(Site(module, path, graph, set()))
    return [held[0] for held in found.values() if len(held) == 1]


def calls(site: Site) -> list[fx.Node]:
    """Operators and getitems with users or effects: whatever is edited here can be noticed."""
    live: set[fx.Node] = set()
    for node in reversed(site.module.graph.nodes):
        if node.op == "output" or not (node.op == "placeholder" or pure(node) or node.target is operator.getitem):
            live.add(node)
        if node in live:
            live.update(node.all_input_nodes)
    nodes = site.module.graph.nodes
    return [
        n for n in nodes if n.op == "call_function" and n in live and n.users and n not in site.taken and not _writes(n)
    ]


def _writes(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def pure(node: fx.Node) -> bool:
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and not (
        target._schema.is_mutable or torch.Tag.nondeterministic_seeded in target.tags
    )


def _shares(site: Site, node: fx.Node) -> bool:
    """Whether another value lies in the storage of a node's value."""
    held = [leaf for n in site.module.graph.nodes if n is not node
            for leaf in torch.utils._pytree.tree_leaves(n.meta.get("val")) if isinstance(leaf, torch.Tensor)]  # fmt: skip
    own = node.meta["val"].untyped_storage()._cdata
    return any(leaf.untyped_storage()._cdata == own for leaf in held)


def form(node: Any) -> Any:
    value = node.meta.get("val")
    return (tuple(map(str, value.shape)), value.dtype) if isinstance(value, torch.Tensor) else None


def named_outside(site: Site, name: str) -> bool:
    """Whether the signature or another graph names a node."""
    output = next(n for n in site.module.graph.nodes if n.op == "output")
    return any(n.name == name for n in output.all_input_nodes)


Edit = Callable[[random.Random, Site], Truth | None]
EDITS: dict[str, Edit] = {}


def edit(make: Edit) -> Edit:
    EDITS[make.__name__] = make
    return make


def pick(rng: random.Random, found: list[Any]) -> Any:
    return rng.choice(found) if found else None


def truth(kind: str, rows: list[Row], *nodes: fx.Node, same: bool = False) -> Truth:
    return Truth(kind, frozenset(rows), same, nodes)


@edit
def target(rng, site):
    node = pick(rng, [n for n in calls(site) if n.target in UNARY or (n.target in BINARY and not n.kwargs)])
    if node is None:
        return None
    node.target = rng.choice([t for t in (UNARY if node.target in UNARY else BINARY) if t is not node.target])
    return truth("target", [site.row(node, "target")], node)


def _numbers(node: fx.Node) -> list[tuple[str, Any]]:
    args = [("args", i) for i, held in enumerate(node.args) if type(held) in (int, float)]
    args += [("args", (i, j)) for i, held in enumerate(node.args) if isinstance(held, list | tuple)
             for j, item in enumerate(held) if type(item) in (int, float)]  # fmt: skip
    return args + [("kwargs", key) for key, held in node.kwargs.items() if type(held) in (int, float)]


@edit
def literal(rng, site):
    places = [(n, field, at) for n in calls(site) if pure(n) for field, at in _numbers(n)]
    if not places:
        return None
    node, field, at = rng.choice(places)
    if field == "kwargs":
        node.kwargs = {**node.kwargs, at: node.kwargs[at] + 11}
    elif isinstance(at, tuple):
        items = list(node.args[at[0]])
        items[at[1]] += 11
        node.update_arg(at[0], items)
    else:
        node.update_arg(at, node.args[at] + 11)
    return truth("literal", [site.row(node, field)], node)


@edit
def exchanged(rng, site):
    found = [
        n for n in calls(site)
        if len(n.args) > 1 and isinstance(n.args[0], fx.Node) and isinstance(n.args[1], fx.Node) and n.args[0] is not n.args[1]
        and pure(n)
    ]  # fmt: skip
    node = pick(rng, found)
    if node is None:
        return None
    one, two = (form(held) for held in node.args[:2])
    same = (
        str(node.target) in COMMUTATIVE
        and one is not None
        and two is not None
        and one[1] == two[1]
        and node.kwargs.get("alpha", 1) == 1
    )
    node.args = (node.args[1], node.args[0], *node.args[2:])
    return truth("commuted" if same else "exchanged", [site.row(node, "args")], node, same=same)


@edit
def rewired(rng, site):
    earlier: list[fx.Node] = []
    found = []
    for node in site.module.graph.nodes:
        if node.op == "call_function" and pure(node) and node.users and node not in site.taken:
            for i, held in enumerate(node.args):
                if isinstance(held, fx.Node) and form(held) is not None:
                    found += [(node, i, o) for o in earlier if o is not held and form(o) == form(held)]
        earlier.append(node)
    if not found:
        return None
    node, at, other = rng.choice(found)
    old = node.args[at]
    node.update_arg(at, other)
    if not old.users:
        node.update_arg(at, old)
        return None
    return truth("rewired", [site.row(node, "args")], node, other, old)


@edit
def inserted(rng, site):
    node = pick(rng, [n for n in calls(site) if form(n) is not None and pure(n)])
    if node is None or (not site.path and named_outside(site, node.name)):
        return None
    name = f"inserted_{rng.randrange(10**6)}"
    users = list(node.users)
    with site.module.graph.inserting_after(node):
        new = site.module.graph.create_node("call_function", INSERTED, (node,), name=name)
    new.meta = dict(node.meta)
    for user in users if rng.random() < 0.5 else users[:1]:
        user.replace_input_with(node, new)
    return truth("inserted", [site.row(new, "target", "only_b")], new, node)


@edit
def dead(rng, site):
    node = pick(rng, [n for n in calls(site) if form(n) is not None])
    if node is None:
        return None
    with site.module.graph.inserting_after(node):
        new = site.module.graph.create_node("call_function", INSERTED, (node,), name=f"dead_{rng.randrange(10**6)}")
    new.meta = dict(node.meta)
    return truth("dead", [site.row(new, "target", "only_b")], new, node, same=True)


@edit
def deleted(rng, site):
    node = pick(rng, [n for n in calls(site) if n.target in UNARY and isinstance(n.args[0], fx.Node)])
    if node is None or (not site.path and named_outside(site, node.name)) or any(map(_writes, node.users)):
        return None
    operand = node.args[0]
    node.replace_all_uses_with(operand)
    site.module.graph.erase_node(node)
    return truth("deleted", [site.row(node, "target", "only_a")], operand)


@edit
def doubled(rng, site):
    node = pick(rng, [n for n in calls(site) if form(n) is not None and pure(n) and len(n.users) > 1])
    if node is None:
        return None
    user = rng.choice(list(node.users))
    if user.op == "output":
        return None
    with site.module.graph.inserting_after(node):
        new = site.module.graph.create_node(
            "call_function", node.target, node.args, node.kwargs, name=f"again_{rng.randrange(10**6)}"
        )
    new.meta = dict(node.meta)
    user.replace_input_with(node, new)
    return truth("doubled", [site.row(new, "target", "only_b")], new, node, user, same=True)


@edit
def renamed(rng, site):
    node = pick(rng, [n for n in calls(site) if n.name not in {s for s in site.read.index if site.read[s].subgraphs}])
    if node is None or named_outside(site, node.name):
        return None
    old = node.name
    node.name = f"renamed_{rng.randrange(10**6)}"
    return truth("renamed", [(site.path, old, node.name, "name", "renamed")], node, same=True)


@edit
def moved(rng, site):
    nodes = list(site.module.graph.nodes)
    found = []
    for i, node in enumerate(nodes):
        if node.op == "call_function" and pure(node) and not node.target.is_view and node.users:
            for j in range(i - 3, max(i - 12, 0), -1):
                if (
                    nodes[j + 1].op == "placeholder"
                    or not site.taken.isdisjoint(nodes[j : i + 1])
                    or nodes[j + 1] in node.all_input_nodes
                ):
                    break
                if not all(
                    n.op == "call_function" and (pure(n) or n.target is operator.getitem) for n in nodes[j + 1 : i]
                ):
                    break
                found.append((node, nodes[j]))
    if not found:
        return None
    node, before = rng.choice(found)
    if before in node.users or before.op not in ("call_function", "placeholder"):
        return None
    before.append(node)
    return truth("moved", [site.row(node, "order", "moved")], node, same=True)


@edit
def branches(rng, site):
    node = pick(rng, [n for n in calls(site) if str(n.target) == "cond"])
    if node is None or node.args[1] is node.args[2]:
        return None
    node.args = (node.args[0], node.args[2], node.args[1], *node.args[3:])
    return truth("branches", [site.row(node, "args")], node)


@edit
def metadata(rng, site):
    found = [(n, key) for n in calls(site) for key in KEYS if n.meta.get(key)]
    if not found:
        return None
    node, key = rng.choice(found)
    node.meta = {k: v for k, v in node.meta.items() if k != key}
    return truth(f"lost {key}", [site.row(node, key, "lost")], node, same=True)


@edit
def custom(rng, site):
    node = pick(rng, calls(site))
    if node is None:
        return None
    node.meta = {**node.meta, "custom": {"note": rng.random()}}
    return truth("custom", [site.row(node, "custom", "added")], node, same=True)


@edit
def dtype(rng, site):
    floats = [n for n in calls(site) if form(n) and n.meta["val"].dtype == torch.float32]
    node = pick(rng, [n for n in floats if not _shares(site, n)])
    if node is None:
        return None
    node.meta = {**node.meta, "val": node.meta["val"].to(torch.bfloat16)}
    return truth("dtype", [site.row(node, "val.dtype")], node)


@edit
def value_lost(rng, site):
    node = pick(rng, [n for n in calls(site) if form(n)])
    if node is None:
        return None
    node.meta = {k: v for k, v in node.meta.items() if k != "val"}
    return truth("value lost", [site.row(node, "val", "lost")], node, same=True)


def copied(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """A copy whose graphs can be edited."""
    return copy.deepcopy(program)


def edited(
    rng: random.Random, program: torch.export.ExportedProgram, read: Program, count: int, kinds: tuple[str, ...] = ()
) -> tuple[torch.export.ExportedProgram, list[Truth]]:
    """Copy a program and make at most `count` random edits that do not touch each other."""
    result = copied(program)
    places = sites(result, read)
    done: list[Truth] = []
    for _ in range(count * 4):
        if len(done) == count:
            break
        site = rng.choice(places) if rng.random() < 0.7 else places[0]
        made = EDITS[rng.choice(kinds or tuple(EDITS))](rng, site)
        if made is not None:
            done.append(made)
            site.taken.update(_around(_around(set(made.touched))))
    return result, done


def _around(nodes: set[fx.Node]) -> set[fx.Node]:
    return nodes | {near for node in nodes for near in (*node.all_input_nodes, *node.users)}
