"""Nothing that a live object holds can break reading it, or change what is read from one process to the next."""

import threading

import pytest
import torch
from read import live_models as models
from torch.fx.traceback import NodeSource

from graphlens.errors import SourceError
from graphlens.program.argument import Map, Opaque, Seq
from graphlens.program.graph import Provenance
from graphlens.read import read


def with_meta(**meta):
    gm = models.body(torch.sin)
    node = next(node for node in gm.graph.nodes if node.op == "call_function")
    node.meta.update(meta)
    return read(gm).graph[node.name].meta


class Raises:
    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None

    def __bool__(self):
        raise RuntimeError("no")

    def __len__(self):
        raise RuntimeError("no")


class RaisesOnAttributes:
    def __getattr__(self, name):
        raise RuntimeError(name)


class LiesAboutItsClass:
    @property
    def __class__(self):
        raise RuntimeError("no")


class ReturnsNoText:
    def __repr__(self):
        return 3


class TensorEquality:
    def __eq__(self, other):
        return torch.ones(2)

    def __hash__(self):
        return 1


class Endless:
    def __repr__(self):
        return "x" * 10_000_000


class Holds:
    def __init__(self, inner):
        self.inner = inner

    def __repr__(self):
        return f"Holds({object.__repr__(self.inner)})"


def test_objects_that_raise_are_labelled():
    meta = with_meta(
        a=Raises(), b=RaisesOnAttributes(), c=ReturnsNoText(), d=TensorEquality(), e=[Raises()], f=LiesAboutItsClass()
    )
    assert meta["a"].text == "repr raises RuntimeError"
    assert meta["b"] == Opaque(meta["b"].type, "")
    assert meta["c"].text == "repr raises TypeError"
    assert meta["e"].items[0] == meta["a"]
    assert isinstance(meta["f"], Opaque)


def test_long_texts_are_cut_and_still_told_apart():
    class Other(Endless):
        def __repr__(self):
            return "x" * 9_999_999 + "y"

    one, two = with_meta(a=Endless())["a"].text, with_meta(a=Other())["a"].text
    assert len(one) < 400
    assert one != two
    assert with_meta(a=Endless())["a"].text == one


def test_addresses_are_cut():
    assert "0x" not in with_meta(a=Holds(threading.Lock()))["a"].text
    assert with_meta(a=Holds(object()))["a"] == with_meta(a=Holds(object()))["a"]
    source = NodeSource(None, "pass")
    source.node_info = NodeSource.NodeInfo(name="n", target=str(test_addresses_are_cut), graph_id=1)
    assert "0x" not in with_meta(from_node=[source])["from_node"][0].target


def test_structures_that_contain_themselves_or_never_end():
    own = {"a": 1}
    own["self"] = own
    assert with_meta(custom=own)["custom"] == Map((("a", 1), ("self", Opaque("dict", "contains itself"))))
    deep = []
    for _ in range(100_000):
        deep = [deep]
    meta = with_meta(custom=deep)
    assert "nested too deeply" in str(meta["custom"])
    wide = with_meta(custom=[[0] * 1000] * 1000)["custom"]
    assert "too many items" in str(wide)


def test_keys_of_the_wrong_type_are_as_good_as_absent():
    meta = with_meta(stack_trace=3, nn_module_stack=None, source_fn_stack=7, torch_fn=None, from_node=5)
    assert not {"stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node"} & set(meta)


def test_odd_entries_in_known_keys():
    meta = with_meta(
        nn_module_stack={1: ("a", torch.nn.Linear), "k": "b", "r": (Raises(), 4)},
        source_fn_stack=[("f", torch.sin), "odd", ("g", Raises())],
        torch_fn=(1, "b"),
    )
    assert [(call.key, call.path, call.type) for call in meta["nn_module_stack"]] == [
        ("1", "a", "torch.nn.modules.linear.Linear"), ("k", "b", ""), ("r", "repr raises RuntimeError", "4"),
    ]  # fmt: skip
    assert meta["source_fn_stack"][0] == ("f", "torch.sin")
    assert meta["source_fn_stack"][1] == ("odd", "")
    assert meta["torch_fn"] == ("1", "b")


def test_provenance_that_runs_in_a_circle_ends():
    source = NodeSource(None, "pass")
    source.from_node = [source]
    found = with_meta(from_node=[source])["from_node"]
    assert found == (Provenance("", "", "pass", (), -1),)


def test_long_provenance_needs_no_recursion():
    source = NodeSource(None, "first")
    for i in range(20_000):
        outer = NodeSource(None, str(i))
        outer.from_node = [source]
        source = outer
    assert with_meta(from_node=[source])["from_node"][0].pass_name == "19999"


def test_keys_that_are_no_text_are_written_as_text():
    gm = models.body(torch.sin)
    node = next(node for node in gm.graph.nodes if node.op == "call_function")
    node.meta[3] = "three"
    node.meta[("a", 1)] = "pair"
    meta = read(gm).graph[node.name].meta
    assert meta["3"] == "three"
    assert meta["('a', 1)"] == "pair"


def test_metadata_of_a_module_that_cannot_be_read():
    gm = models.body(torch.sin)
    gm.meta["odd"] = Raises()
    gm.meta["fine"] = {"a": (1,)}
    program = read(gm)
    assert program.meta["odd"].text == "repr raises RuntimeError"
    assert program.meta["fine"] == Map((("a", Seq("tuple", (1,))),))


def test_nodes_of_other_graphs_are_labelled():
    other = next(iter(models.body(torch.cos).graph.nodes))
    assert with_meta(original=other)["original"] == Opaque("torch.fx.node.Node", "x")


def test_callable_objects_as_targets():
    class Callable:
        def __call__(self, x):
            return x

    gm = models.body(torch.sin)
    node = next(node for node in gm.graph.nodes if node.op == "call_function")
    node.target = Callable()
    assert read(gm).graph[node.name].target.endswith("Callable")


def test_autograd_functions_are_named_after_their_class():
    class Mine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

    graph = models.body(torch.sin).graph
    node = next(node for node in graph.nodes if node.op == "call_function")
    node.target = Mine.apply
    assert read(graph).graph.nodes[1].target.endswith("Mine.apply")


def test_two_processes_read_the_same():
    import os
    import subprocess
    import sys
    from pathlib import Path

    code = (
        "import torch\nfrom graphlens.read import read\nfrom read import live_models as m\n"
        "p = read(m.nested().run_decompositions())\n"
        "print([(path, n.name, n.args, n.value, {k: v for k, v in n.meta.items() if k not in ('from_node', 'seq_nr')})"
        " for path, n in p.walk()])"
    )
    here = Path(__file__).parents[1]
    path = os.pathsep.join([str(here), *filter(None, sys.path)])
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=200, cwd=here,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert runs[0] == runs[1]
    assert "aten" in runs[0]


def test_modules_whose_attributes_raise():
    class Odd(torch.nn.Module):
        @property
        def graph(self):
            raise RuntimeError("no")

        original_module = graph

    gm = models.holder(lambda graph, x: graph.call_function(torch.add, (graph.get_attr("odd"), x)), odd=Odd())
    assert list(read(gm).graphs) == [""]
    with pytest.raises(SourceError, match="not a captured program"):
        read(Odd())
