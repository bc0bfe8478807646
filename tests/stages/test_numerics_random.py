"""Random programs with one wrong kernel at a random place: the node is found, also through reordering and in-place writes."""

import copy
import operator
import random

import pytest
import torch
from torch import fx

from graphlens.stages.numerics import numerics

PURE = [torch.sin, torch.cos, torch.tanh, torch.sigmoid, torch.neg, torch.relu]
BINARY = [operator.add, operator.mul, torch.maximum, torch.sub]
WRITING = [torch.Tensor.sin_, torch.Tensor.tanh_, torch.Tensor.cos_]


def random_module(seed, size, writing):
    """A random graph over two inputs; the output returns every value that nothing else uses."""
    rng = random.Random(seed)
    graph = fx.Graph()
    nodes = [graph.placeholder("x"), graph.placeholder("y")]
    for _ in range(size):
        kind = rng.random()
        if writing and kind < 0.2:
            copied = graph.call_function(torch.clone, (rng.choice(nodes),))
            nodes.append(graph.call_function(rng.choice(WRITING), (copied,)))
        elif kind < 0.6:
            nodes.append(graph.call_function(rng.choice(PURE), (rng.choice(nodes),)))
        else:
            nodes.append(graph.call_function(rng.choice(BINARY), (rng.choice(nodes), rng.choice(nodes))))
    graph.output(tuple(node for node in graph.nodes if not node.users))
    return fx.GraphModule(torch.nn.Module(), graph)


def shuffled(module, seed):
    """The same graph in another topological order (pure graphs only)."""
    rng = random.Random(seed)
    graph, copies = fx.Graph(), {}
    left = [n for n in module.graph.nodes if n.op != "output"]
    for node in [n for n in left if n.op == "placeholder"]:
        copies[node] = graph.node_copy(node, copies.__getitem__)
        left.remove(node)
    while left:
        node = rng.choice([n for n in left if all(i in copies for i in n.all_input_nodes)])
        copies[node] = graph.node_copy(node, copies.__getitem__)
        left.remove(node)
    output = next(n for n in module.graph.nodes if n.op == "output")
    graph.output(fx.map_arg(output.args[0], copies.__getitem__))
    return fx.GraphModule(torch.nn.Module(), graph)


def plant(module, seed):
    """Make one node wrong by a factor; return the graph and the node's name."""
    rng = random.Random(seed)
    bad = copy.deepcopy(module)
    node = rng.choice([n for n in bad.graph.nodes if n.op == "call_function" and n.target is not torch.clone])
    right = node.target
    wrong = lambda *args: right(*args).mul_(1.01).add_(1e-3) if right in WRITING else right(*args) * 1.01 + 1e-3
    wrong.__name__ = right.__name__
    node.target = wrong
    bad.recompile()
    return bad, node.name


@pytest.mark.parametrize("seed", range(12))
def test_one_wrong_kernel_in_a_pure_graph(seed):
    module = random_module(seed, 25, writing=False)
    inputs = (torch.randn(3, 4), torch.randn(3, 4))
    other = shuffled(module, seed)
    assert numerics(module, other, inputs).ok
    bad, name = plant(other, seed)
    result = numerics(module, bad, inputs)
    assert [row.node_b for row in result.rows if row.status == "departs"] == [name]
    assert result.first.node_b == name


@pytest.mark.parametrize("seed", range(12))
def test_one_wrong_kernel_in_a_graph_that_writes(seed):
    module = random_module(seed, 25, writing=True)
    inputs = (torch.randn(3, 4), torch.randn(3, 4))
    assert numerics(module, module, inputs).ok
    bad, name = plant(module, seed)
    result = numerics(module, bad, inputs)
    assert [row.node_b for row in result.rows if row.status == "departs"] == [name]
