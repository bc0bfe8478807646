"""Random graphs with views, writes and random draws, random edits of them, and what they compute."""

from __future__ import annotations

import operator
import random
from typing import Any

import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode

aten = torch.ops.aten
BINARY = (
    aten.add.Tensor,
    aten.sub.Tensor,
    aten.mul.Tensor,
    aten.maximum.default,
    aten.minimum.default,
    aten.atan2.default,
)
UNARY = (aten.sin.default, aten.neg.default, aten.relu.default, aten.tanh.default, aten.abs.default)
VIEWS: tuple[tuple[Any, tuple[Any, ...]], ...] = (
    (aten.view.default, ([4],)), (aten.view.default, ([2, 2],)), (aten.reshape.default, ([4],)), (aten.reshape.default, ([2, 2],)),
    (aten.alias.default, ()), (aten.detach.default, ()), (aten.clone.default, ()), (aten.contiguous.default, ()),
    (aten.flip.default, ([0],)), (aten.t.default, ()), (aten.lift_fresh_copy.default, ()),
)  # fmt: skip
WRITES = (
    (aten.add_.Tensor, 2), (aten.mul_.Tensor, 2), (aten.copy_.default, 2), (aten.sin_.default, 1), (aten.relu_.default, 1),
    (aten.zero_.default, 1), (aten.neg_.default, 1), (aten.add_.Scalar, -1), (aten.fill_.Scalar, -1),
)  # fmt: skip
DRAWS = (
    (aten.rand_like.default, ()), (aten.dropout.default, (0.5, True)), (aten.bernoulli.default, ()),
    (aten.dropout.default, (0.5, False)),
)  # fmt: skip
NEARLY = {
    aten.view.default: aten.reshape.default, aten.reshape.default: aten.view.default, aten.alias.default: aten.clone.default,
    aten.clone.default: aten.alias.default, aten.detach.default: aten.alias.default, aten.contiguous.default: aten.clone.default,
    aten.add.Tensor: aten.add_.Tensor, aten.add_.Tensor: aten.add.Tensor, aten.sin_.default: aten.sin.default,
    aten.sin.default: aten.sin_.default, aten.maximum.default: aten.fmax.default,
}  # fmt: skip
SIZES = ((4,), (2, 2))
MODE = FakeTensorMode(allow_non_fake_inputs=True)


def size(node: fx.Node) -> tuple[int, ...] | None:
    value = node.meta.get("val")
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


class Maker:
    """Adds nodes to a graph with their recorded values."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.graph = rng, fx.Graph()
        self.pool: list[fx.Node] = []
        for i, shape in enumerate(([4], [4], [2, 2])):
            with MODE:
                self._put(self.graph.placeholder(f"x{i}"), torch.empty(shape))

    def _put(self, node: fx.Node, value: Any) -> fx.Node:
        node.meta["val"] = value
        if size(node) in SIZES:
            self.pool.append(node)
        return node

    def call(self, target: Any, *args: Any) -> fx.Node:
        with MODE:
            value = target(*fx.node.map_arg(args, lambda node: node.meta["val"]))
        return self._put(self.graph.call_function(target, args), value)

    def step(self) -> None:
        rng, x = self.rng, self.rng.choice(self.pool)
        alike = rng.choice([node for node in self.pool if size(node) == size(x)])
        kind = rng.random()
        if kind < 0.3:
            self.call(rng.choice(BINARY), x, alike)
        elif kind < 0.42:
            self.call(rng.choice(UNARY), x)
        elif kind < 0.65:
            target, args = rng.choice(VIEWS)
            if target is not aten.t.default or size(x) == (2, 2):
                self.call(target, x, *args)
        elif kind < 0.83:
            target, count = rng.choice(WRITES)
            self.call(target, x, *((), (alike,))[count - 1] if count > 0 else (rng.choice([1, 2.0, -1]),))
        elif kind < 0.9:
            target, args = rng.choice(DRAWS)
            self.call(target, x, *args)
        elif kind < 0.95 and size(x) == (4,):
            parts = self.call(aten.split.Tensor, x, 2)
            self.call(aten.cat.default, [self.call(operator.getitem, parts, i) for i in (0, 1)])
        else:
            self.call(aten.full.default, [4], rng.choice([1.0, 2.0]))


def random_graph(rng: random.Random) -> fx.GraphModule:
    maker = Maker(rng)
    for _ in range(rng.randrange(3, 14)):
        try:
            maker.step()
        except (RuntimeError, ValueError):  # a view of what has other strides
            continue
    results = [node for node in maker.pool if rng.random() < 0.3] or maker.pool[-1:]
    maker.graph.output(tuple(results))
    return fx.GraphModule(nn.Module(), maker.graph)


def copied(module: fx.GraphModule) -> fx.GraphModule:
    graph = fx.Graph()
    names: dict[fx.Node, fx.Node] = {}
    graph.output(graph.graph_copy(module.graph, names))
    for old, new in names.items():
        new.meta = dict(old.meta)
    return fx.GraphModule(nn.Module(), graph)


def results(module: fx.GraphModule, seed: int) -> list[torch.Tensor] | None:
    """Everything that can be noticed: what is returned and what became of the inputs; `None` if it raises."""
    torch.manual_seed(seed)
    inputs = [torch.randn(4), torch.randn(4), torch.randn(2, 2)]
    try:
        returned = fx.Interpreter(module).run(*inputs)
    except (RuntimeError, TypeError, ValueError, IndexError):
        return None
    return [tensor.clone() for tensor in returned] + inputs


def bit_equal(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    if len(a) != len(b) or any((x.shape, x.dtype) != (y.shape, y.dtype) for x, y in zip(a, b, strict=True)):
        return False
    pairs = [(x.nan_to_num(7), y.nan_to_num(7)) for x, y in zip(a, b, strict=True)]
    return all(torch.equal(x, y) and torch.equal(x.signbit(), y.signbit()) for x, y in pairs)


def exchange(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    if node.next.op != "output" and node not in node.next.all_input_nodes:
        node.next.append(node)


def exchange_operands(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    if len(node.args) > 1 and isinstance(node.args[1], fx.Node):
        node.args = (node.args[1], node.args[0], *node.args[2:])


def rewire(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    earlier: list[fx.Node] = []
    for other in graph.nodes:
        if other is node:
            break
        earlier.append(other)
    old = rng.choice(node.all_input_nodes or [None])
    chosen = [other for other in earlier if old is not None and other is not old and size(other) == size(old)]
    if chosen:
        node.replace_input_with(old, rng.choice(chosen))


def insert(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    if size(node) in SIZES:
        with graph.inserting_after(node):
            new = graph.call_function(
                rng.choice((aten.clone.default, aten.alias.default, aten.detach.default)), (node,)
            )
        new.meta = dict(node.meta)
        users = [user for user in node.users if user is not new]
        for user in users[: rng.choice((1, len(users)))]:
            user.replace_input_with(node, new)


def remove(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    operand = node.args[0] if node.args else None
    if isinstance(operand, fx.Node) and size(operand) == size(node):
        node.replace_all_uses_with(operand)
        graph.erase_node(node)


def duplicate(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    with graph.inserting_after(node):
        new = graph.call_function(node.target, node.args, node.kwargs)
    new.meta = dict(node.meta)
    for user in list(node.users)[1:]:
        user.replace_input_with(node, new)


def add_unused(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    if size(node) in SIZES:
        target = rng.choice((aten.sin.default, aten.sin_.default, aten.rand_like.default, aten.clone.default))
        with graph.inserting_after(node):
            graph.call_function(target, (node,)).meta = dict(node.meta)


def change_literal(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    places = [i for i, argument in enumerate(node.args) if isinstance(argument, int | float)]
    if places:
        at = rng.choice(places)
        node.args = (*node.args[:at], rng.choice([1, 1.0, True, 2, -1, 0.0, -0.0, 0.5]), *node.args[at + 1 :])


def change_target(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    node.target = NEARLY.get(node.target, node.target)


def rename(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    node.name = f"n{rng.randrange(10_000)}"


def exchange_inputs(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    first, second = [other for other in graph.nodes if other.op == "placeholder"][:2]
    first.prepend(second)


def shuffle_results(rng: random.Random, graph: fx.Graph, node: fx.Node) -> None:
    output = next(other for other in graph.nodes if other.op == "output")
    returned = list(output.args[0])
    rng.shuffle(returned)
    output.args = (tuple(returned),)


REWRITES = (
    exchange, exchange, exchange, exchange_operands, rewire, insert, remove, duplicate, add_unused, change_literal, change_target,
    rename, exchange_inputs, shuffle_results,
)  # fmt: skip


def rewritten(rng: random.Random, module: fx.GraphModule) -> fx.GraphModule:
    """A copy with one to three random edits."""
    edited = copied(module)
    for _ in range(rng.choice((1, 1, 2, 3))):
        calls = [node for node in edited.graph.nodes if node.op == "call_function"]
        if calls:
            rng.choice(REWRITES)(rng, edited.graph, rng.choice(calls))
    edited.graph.lint()
    return edited
