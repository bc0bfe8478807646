"""`profile="pytorch"` passes and fails exactly where the comparison of PyTorch's own serialization test does.

`contract` says on live torch objects what that test asserts (`_check_graph_nodes`, test/export/test_serialize.py).
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from diff.exports import Block, Nested, export, nested_export, reload
from torch._subclasses.fake_tensor import FakeTensor
from torch.fx import GraphModule, Node
from torch.utils import _pytree as pytree

from graphlens.diff import compare
from graphlens.read import read


def contract(one: GraphModule, two: GraphModule, *, stacks: bool = True) -> bool:
    if len(one.graph.nodes) != len(two.graph.nodes):
        return False
    for a, b in zip(one.graph.nodes, two.graph.nodes):
        if a.op != b.op:
            return False
        if a.op == "call_function":
            if (
                len(a.args) != len(b.args)
                or set(a.kwargs) != set(b.kwargs)
                or not same_val(a.meta.get("val"), b.meta.get("val"))
            ):
                return False
            if a.meta.get("stack_trace") != b.meta.get("stack_trace"):
                return False
            if a.target is torch.ops.higher_order.cond:
                inner = [(1, True), (2, True)]
            else:
                inner = [(0, False)] if a.target is torch.ops.higher_order.map_impl else []
            for i, inner_stacks in inner:
                if not contract(getattr(one, a.args[i].target), getattr(two, b.args[i].target), stacks=inner_stacks):
                    return False
        if stacks and a.op not in ("get_attr", "placeholder", "output"):
            if any(a.meta.get(key) != b.meta.get(key) for key in ("nn_module_stack", "source_fn_stack")):
                return False
    return True


def same_val(a: object, b: object) -> bool:
    if a is None or b is None:
        return a is b
    if isinstance(a, FakeTensor) and isinstance(b, FakeTensor):
        return list(map(str, a.shape)) == list(map(str, b.shape)) and a.dtype == b.dtype
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        pairs = zip(pytree.tree_leaves(a), pytree.tree_leaves(b))
        return all(same_val(x, y) for x, y in pairs if isinstance(x, FakeTensor))
    return str(a) == str(b)


def clean(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    program.graph.eliminate_dead_code()
    return program


def agree(a: torch.export.ExportedProgram, b: torch.export.ExportedProgram) -> bool:
    expected = contract(a.graph_module, b.graph_module)
    diff = compare(read(a), read(b), profile="pytorch")
    assert diff.ok == expected, str(diff)
    assert diff.ok == (not diff.rows)
    assert diff.verdict.startswith("passes" if expected else "fails")
    return expected


MODELS = {
    "nested": nested_export,
    "block": lambda: export(Block(), torch.randn(2, 4)),
    "strict": lambda: export(Block(), torch.randn(2, 4), strict=True),
    "strict nested": lambda: export(Nested(1), torch.randn(3, 4), strict=True),
    "decomposed": lambda: nested_export().run_decompositions(),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_round_trip(name):
    original = clean(copy.deepcopy(MODELS[name]()))
    agree(original, clean(reload(original)))


def find(program: torch.export.ExportedProgram, path: str, target: Callable) -> Node:
    module = program.graph_module.get_submodule(path)
    return next(node for node in module.graph.nodes if node.target == target)


ATEN = torch.ops.aten
COND, MAP, SCAN = "true_graph_0", "body_graph_0", "scan_combine_graph_0"


def meta(key: str, value: object, path: str = "", target: Callable = ATEN.sin.default) -> Callable:
    def edit(program: torch.export.ExportedProgram) -> None:
        node = find(program, path, target)
        node.meta[key] = value(node.meta.get(key)) if callable(value) else value

    return edit


def drop(key: str, path: str = "", target: Callable = ATEN.sin.default) -> Callable:
    return lambda program: find(program, path, target).meta.pop(key)


def retarget(path: str, old: Callable, new: Callable) -> Callable:
    def edit(program: torch.export.ExportedProgram) -> None:
        find(program, path, old).target = new

    return edit


def arguments(path: str, target: Callable, args: Callable, kwargs: dict | None = None) -> Callable:
    def edit(program: torch.export.ExportedProgram) -> None:
        node = find(program, path, target)
        node.args, node.kwargs = args(node.args), kwargs or {}

    return edit


def extra_node(program: torch.export.ExportedProgram) -> None:
    node = find(program, "", ATEN.sin.default)
    with program.graph.inserting_after(node):
        program.graph.call_function(ATEN.cos.default, (node,)).meta = dict(node.meta)


def rename(program: torch.export.ExportedProgram) -> None:
    find(program, "", ATEN.sin.default).name = "another_name"


PASSES = {
    "stride": meta("val", lambda v: v.permute(1, 0).contiguous().permute(1, 0)),
    "requires_grad": meta("val", lambda v: v.detach().requires_grad_()),
    "a private key": meta("private", 1),
    "custom": meta("custom", {"id": 1}),
    "from_node": drop("torch_fn"),
    "another function": retarget("", ATEN.sin.default, ATEN.cos.default),
    "another literal": arguments("", ATEN.mul.Tensor, lambda args: (args[0], 3.0)),
    "another name": rename,
    "stack trace of a placeholder": lambda p: next(iter(p.graph.nodes)).meta.update(stack_trace="x"),
    "modules in the body of map": meta("nn_module_stack", {"a": ("b", "c")}, MAP),
    "sources in the body of map": meta("source_fn_stack", [("a", "b")], MAP),
    "stack trace in the body of scan": meta("stack_trace", "other", SCAN),
    "dtype in the body of scan": meta("val", lambda v: v.to(torch.float64), SCAN),
    "one item less in a container": meta("val", lambda v: v[:1], "", torch.ops.higher_order.scan),
    "another order of modules": meta("nn_module_stack", lambda s: dict(reversed(s.items()))),
    "a list for a tuple": meta("val", list, "", torch.ops.higher_order.scan),
}
FAILS = {
    "shape": meta("val", lambda v: v[:, :2]),
    "rank": meta("val", lambda v: v.unsqueeze(0)),
    "dtype": meta("val", lambda v: v.to(torch.float64)),
    "no val": drop("val"),
    "a container for a tensor": meta("val", lambda v: (v,)),
    "another number": meta("val", 3),
    "dtype in a container": meta("val", lambda v: (v[0], v[1].to(torch.float64)), "", torch.ops.higher_order.scan),
    "stack trace": meta("stack_trace", lambda s: s + " "),
    "no stack trace": drop("stack_trace"),
    "stack trace in a branch": meta("stack_trace", "other", COND, ATEN.relu.default),
    "stack trace in the body of map": meta("stack_trace", "other", MAP),
    "modules": meta("nn_module_stack", {"a": ("b", "c")}),
    "no modules where there were none": meta("nn_module_stack", {}, "", ATEN.gt.Scalar),
    "modules in a branch": meta("nn_module_stack", {"a": ("b", "c")}, COND, ATEN.relu.default),
    "sources": meta("source_fn_stack", [("a", "b")]),
    "number of args": arguments("", ATEN.linear.default, lambda args: args[:2]),
    "names of kwargs": arguments("", ATEN.add.Tensor, lambda args: args, {"alpha": 1}),
    "one node more": extra_node,
    "a source that is a name": meta("source_fn_stack", [("sin", "torch.sin")]),
}


@pytest.mark.parametrize("name", PASSES)
def test_what_the_contract_does_not_look_at(name):
    original, edited = (copy.deepcopy(nested_export()) for _ in range(2))
    PASSES[name](edited)
    assert agree(original, edited)
    assert agree(edited, original)


@pytest.mark.parametrize("name", FAILS)
def test_what_the_contract_looks_at(name):
    original, edited = (copy.deepcopy(nested_export()) for _ in range(2))
    FAILS[name](edited)
    assert not agree(original, edited)
    assert not agree(edited, original)


def test_a_function_that_became_its_name():
    """Loading cannot find functions of the user's again and leaves their names (pytorch#139470)."""
    original, edited = (copy.deepcopy(nested_export()) for _ in range(2))
    meta("source_fn_stack", [("double", len)])(original)
    meta("source_fn_stack", [("double", "builtins.len")])(edited)
    assert not agree(original, edited)
    assert agree(edited, edited)


@pytest.mark.parametrize(("one", "two"), [(True, "True"), (1, "1"), ("a", "a")])
def test_numbers_and_texts_that_read_alike(one, two):
    original, edited = (copy.deepcopy(nested_export()) for _ in range(2))
    meta("val", one)(original)
    meta("val", two)(edited)
    assert agree(original, edited)


def test_a_file_of_another_folder():
    """Reading leaves folders out of the paths of stack traces, so that they show nowhere; PyTorch's test sees them."""
    sides = [copy.deepcopy(nested_export()) for _ in range(2)]
    for side, folder in zip(sides, ("/one", "/two"), strict=True):
        meta("stack_trace", f'File "{folder}/net/model.py", line 3, in forward\n    x.sin()')(side)
    assert not agree(*sides)
    row = compare(*map(read, sides), profile="pytorch").rows[0]
    assert (row.field, row.a, row.b) == ("stack_trace", "model.py:3", "model.py:3 in another folder")
    assert compare(*map(read, sides)).verdict.endswith("1 source file lay in another folder")
    assert "/one" not in str(read(sides[0]).folders)
    tolerant = compare(*map(read, sides), profile="pytorch", stack_trace={"prefixes": {"…/": ""}})
    assert tolerant.ok
