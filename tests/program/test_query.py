"""The search language, on a program built as data."""

from __future__ import annotations

import pytest

from graphlens.errors import GraphLensError
from graphlens.program.argument import Const, Ref
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, ModuleCall, Node
from graphlens.program.program import Program
from graphlens.program.query import find, hint
from graphlens.program.value import ContainerValue, SymValue, TensorValue

TRACE = 'File "model.py", line 47, in forward\n    y = self.proj(x)'


def stack(path: str) -> tuple[ModuleCall, ...]:
    return (
        ModuleCall("L__self__", "", "M"),
        ModuleCall(f"L__self__{path}", path.split("@", maxsplit=1)[0], "torch.nn.Linear"),
    )


LINEAR = Node(
    name="linear",
    op="call_function",
    target="aten.linear.default",
    args=(Ref("x"),),
    value=TensorValue(shape=(2, "s77", 4096), dtype="bfloat16", device="cpu"),
    meta=freeze({"stack_trace": TRACE, "nn_module_stack": stack("layers.3"), "custom": "tag-7"}),
)
TO = Node(name="to", op="call_function", target="aten.to.dtype", args=(Ref("linear"), Const("dtype", "float32")))
TOPK = Node(
    name="topk",
    op="call_function",
    target="aten.topk.default",
    value=ContainerValue("tuple", (TensorValue(shape=(), dtype="float32"), TensorValue(shape=(2,), dtype="int64"))),
)
SIZE = Node(name="sym_size", op="call_function", target="aten.sym_size.int", value=SymValue("SymInt", "s77"))
INNER = Node(name="sin", op="call_function", target="aten.sin.default", args=(Ref("x"),))
X = Node(name="x", op="placeholder", target="x")
PROGRAM = Program(graphs=freeze({"": Graph((X, LINEAR, TO, TOPK, SIZE)), "cond.true_fn": Graph((X, INNER))}))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["x", "linear", "to", "topk", "sym_size", "x", "sin"]),
        ("LINEAR", ["linear"]),
        ("op:linear shape:4096 dtype:bf16 module:layers.3", ["linear"]),
        ("dtype:bfloat16", ["linear"]),
        ("dtype:torch.int64", ["topk"]),
        ("shape:s77", ["linear"]),
        ('shape:"[2, s77, 4096]"', ["linear"]),
        ("shape:[2,*,4096]", ["linear"]),
        ("shape:[]", ["topk"]),
        ("shape:409", []),
        ("value:SymInt", ["sym_size"]),
        ("op:placeholder graph:cond", ["x"]),
        ("graph:root op:placeholder", ["x"]),
        ("source:model.py:47", ["linear"]),
        ('source:"self.proj"', ["linear"]),
        ("custom:tag-7", ["linear"]),
        ("custom:tag-8", []),
        ("arg:float32", ["to"]),
        (r"/^sym_\S+$/", ["sym_size"]),
        (r"/\W/ graph:cond -op:placeholder", ["sin"]),
        (r"target:/topk\.d/", ["topk"]),
        ("-op:call_function", ["x", "x"]),
        ("absent_field:1", []),
    ],
)
def test_a_query_selects_exactly_these(query, names):
    assert [node.name for _, node in find(PROGRAM, query)] == names


def test_case_classes_are_not_folded():
    assert [n.name for _, n in find(PROGRAM, r"name:/^\D+$/")] != [n.name for _, n in find(PROGRAM, r"name:/^\d+$/")]


@pytest.mark.parametrize("query", ["/(/", 'op:"unclosed', "name:/[/"])
def test_a_broken_query_says_so(query):
    with pytest.raises(GraphLensError, match="query"):
        list(find(PROGRAM, query))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("op:[", "a regular expression stands between slashes, op:/…/"),
        ("aten.*", "between slashes, /…/"),
        ("op:/lin", "between slashes, op:/…/"),
        ("-x opp:linear", "'opp' is no field"),
        ("shape:[9,*] op:placeholder", ""),
        ("nothing_of_this_name", ""),
        ("custom:tag-8", ""),
    ],
)
def test_a_query_that_finds_nothing_says_what_it_looked_for(query, says):
    assert not list(find(PROGRAM, query))
    said = hint(PROGRAM, query)
    assert says in said
    assert bool(said) == bool(says)


@pytest.mark.parametrize(
    ("query", "says"), [("op:", "has no value"), ("x -module:", "has no value"), ("shape:[2", "is no shape")]
)
def test_a_query_that_is_not_finished_is_an_error(query, says):
    with pytest.raises(GraphLensError, match=says) as caught:
        find(PROGRAM, query)
    assert "\n" not in str(caught.value)
