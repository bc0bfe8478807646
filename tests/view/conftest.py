"""Programs made by hand: every shape of nesting, without torch and without an archive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from graphlens.program.argument import Ref, Seq
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, ModuleCall, Node, Provenance, Subgraph
from graphlens.program.parts import InputSpec, Origin, OutputSpec, Range, StoredTensor, Symbol, Versions
from graphlens.program.program import Program
from graphlens.program.value import ConstValue, TensorValue
from graphlens.view.assets import NAMES, STATIC

TRACE = 'File "/home/someone/secret/model.py", line 12, in forward\n    return self.proj(x)\n'


def tensor(*shape, dtype="float32"):
    return TensorValue(shape=shape, dtype=dtype)


def calls(*modules):
    """`calls(("layers.0", "Block"))`: the root module, then these."""
    root = ModuleCall("", "", "demo.Model")
    return (root, *(ModuleCall(path, path.partition("@")[0], f"demo.{kind}") for path, kind in modules))


def node(name, op="call_function", target="aten.sin.default", args=(), value=None, modules=(), trace=TRACE, **more):
    meta = {"nn_module_stack": calls(*modules)} if op not in ("placeholder", "output") else {}
    if trace and op == "call_function":
        meta["stack_trace"] = trace
    meta.update(more.pop("meta", {}))
    value = tensor(2, 4) if value is None else value
    return Node(name=name, op=op, target=target, args=tuple(args), value=value, meta=freeze(meta), **more)


def placeholder(name, value=None):
    return node(name, "placeholder", name, value=value)


def output(*names):
    return node("output", "output", "output", [Seq("tuple", tuple(Ref(n) for n in names))], trace="")


def call(name, target, branches, operands, first=(), modules=()):
    """A node that calls nested graphs, with the get_attr nodes that hold them."""
    holders = [node(f"{name}_{role}", "get_attr", f"{name}_{role}", trace="") for role in branches]
    args = (*first, *(Ref(h.name) for h in holders), Seq("tuple", tuple(Ref(o) for o in operands)))
    at = len(first)
    subgraphs = tuple(Subgraph(role, f"args[{at + i}]", f"{name}_{role}") for i, role in enumerate(branches))
    return [*holders, node(name, target=target, args=args, subgraphs=subgraphs, modules=modules)]


def nested_program(hostile="", layers=3):
    """`cond` whose branch holds a `map` whose body holds a `cond`, after some equal layers that call `linear`."""
    nodes = [placeholder("p_weight"), placeholder("x", tensor("s77", 4))]
    last = "x"
    for i in range(layers):
        inside = [(f"layers.{i}", "Block"), (f"layers.{i}.proj", "Linear")]
        nodes.append(
            node(
                f"linear{i}",
                target="aten.linear.default",
                args=[Ref(last), Ref("p_weight")],
                arg_names=("input", "weight", "bias"),
                modules=inside,
                value=tensor("s77", 4),
            )
        )
        nodes.append(node(f"relu{i}", target="aten.relu.default", args=[Ref(f"linear{i}")], modules=inside[:1]))
        last = f"relu{i}"
    nodes += [
        node("sum_1", target="aten.sum.default", args=[Ref(last)], value=tensor()),
        node("gt", target="aten.gt.Scalar", args=[Ref("sum_1"), 0], value=tensor(dtype="bool")),
        *call("cond", "higher_order.cond", ("true_fn", "false_fn"), [last, "p_weight"], first=[Ref("gt")]),
        node("getitem", target="_operator.getitem", args=[Ref("cond"), 0], value=tensor("s77", 4)),
        output("getitem"),
    ]
    inner_map = [
        placeholder("a", tensor("s77", 4)),
        placeholder("w"),
        *call("map_impl", "higher_order.map_impl", ("f",), ["a", "w"]),
        node("getitem", target="_operator.getitem", args=[Ref("map_impl"), 0], value=tensor("s77", 4)),
        output("getitem"),
    ]
    body = [
        placeholder("row", tensor(4)),
        placeholder("w"),
        node("mean", target=hostile or "aten.mean.default", args=[Ref("row")], value=tensor()),
        *call("cond", "higher_order.cond", ("true_fn", "false_fn"), ["row", "w"], first=[Ref("mean")]),
        output("cond"),
    ]

    def leaf(target):
        return Graph(
            nodes=(
                placeholder("row", tensor(4)),
                placeholder("w"),
                node("add", target=target, args=[Ref("row"), Ref("w")], value=tensor(4)),
                output("add"),
            )
        )

    deep = "cond.true_fn/map_impl.f/cond"
    graphs = {
        "": Graph(nodes=tuple(nodes)),
        "cond.true_fn": Graph(nodes=tuple(inner_map)),
        "cond.true_fn/map_impl.f": Graph(nodes=tuple(body)),
        f"{deep}.true_fn": leaf("aten.add.Tensor"),
        f"{deep}.false_fn": leaf("aten.mul.Tensor"),
        "cond.false_fn": leaf("aten.sub.Tensor"),
    }
    return Program(
        graphs=freeze(graphs),
        inputs=(
            InputSpec(kind="parameter", argument="p_weight", target=hostile or "proj.weight"),
            InputSpec(kind="user_input", argument="x", path="args[0]"),
        ),
        outputs=(OutputSpec(kind="user_output", argument="getitem"),),
        symbol_table=(Symbol(name="s77", range=Range(2, 64), hint=3, bound=("", "x", "shape[0]")),),
        stored=(StoredTensor(fqn="proj.weight", kind="parameter", shape=(4, 4), dtype="float32", nbytes=64),),
        sources=freeze(
            {"/home/someone/secret/model.py": freeze({11: "def forward(self, x):", 12: hostile or "    …"})}
        ),
        versions=Versions(torch="2.13.0"),
        origin=Origin("archive", hostile or "nested.pt2"),
    )


def plain_program(nodes, nested=None, **parts):
    graphs = {"": Graph(nodes=tuple(nodes))} | {path: Graph(nodes=body) for path, body in (nested or {}).items()}
    return Program(graphs=freeze(graphs), **parts)


@pytest.fixture(scope="session")
def make():
    """The makers above, for tests that need another program."""
    return SimpleNamespace(
        node=node,
        placeholder=placeholder,
        output=output,
        call=call,
        tensor=tensor,
        const=ConstValue,
        ref=Ref,
        seq=lambda *items: Seq("list", items),
        nested=nested_program,
        program=plain_program,
        origin=lambda name: Origin("graph", name),
    )


@pytest.fixture(scope="session")
def nested():
    return nested_program()


@pytest.fixture
def front_end(tmp_path, monkeypatch):
    """A front end of three small files, so that tests of Python need no npm."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "graphlens.js").write_text("export const render = () => {};")
    (folder / "graphlens-engine.js").write_text("/* engine */")
    (folder / "graphlens.css").write_text(".graphlens{color:inherit}")
    monkeypatch.setattr(sys.modules["graphlens.view.assets"], "STATIC", folder)
    return folder


@pytest.fixture
def no_front_end(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["graphlens.view.assets"], "STATIC", tmp_path / "nothing")


@pytest.fixture
def run_python():
    """Run code in a fresh interpreter and return what it prints."""

    def run(code):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def built():
    """The archive of a small model, where the real front end is built."""
    missing = [name for name in NAMES if not (STATIC / name).exists()]
    assert not missing, f"{missing}: run `npm run build` in js/"
    return Path(__file__).parents[1] / "data" / "archives" / "torch-2.13.0" / "nested_control_flow.pt2"


@pytest.fixture(scope="session")
def llama():
    """A program of the size and wording of a Llama of 126 layers, 72 nodes each."""
    parts = [("input_layernorm", 10), ("self_attn.q_proj", 3), ("self_attn", 28), ("mlp.gate_proj", 3), ("mlp", 28)]
    nodes, last, count = [placeholder("input_ids", tensor(1, 16, dtype="int64"))], "input_ids", 0
    for layer in range(126):
        around = f"model.layers.{layer}"
        nodes.append(placeholder(f"p_model_layers_{layer}_weight", tensor(64, 64)))
        for part, length in parts:
            modules = [("model", "LlamaModel"), (around, "LlamaDecoderLayer")]
            steps = part.split(".")
            modules += [(f"{around}.{'.'.join(steps[: i + 1])}", f"Llama{s}") for i, s in enumerate(steps)]
            for i in range(length):
                count += 1
                name = f"{('linear', 'transpose', 'mul', 'add')[i % 4]}_{count}"
                trace = f'File "transformers/models/llama/modeling_llama.py", line {i + 40}, in {steps[-1]}\n    x = f{i}(x)\n'
                meta = {
                    "torch_fn": (f"{name}", "builtin_function_or_method.f"),
                    "from_node": (Provenance(name, f"aten.op{i}.default", "run_decompositions", ("create",), 7),),
                }
                target = f"aten.{('linear', 'transpose', 'mul', 'add')[i % 4]}.default"
                args = [Ref(last), Ref(f"p_model_layers_{layer}_weight"), i]
                value = tensor(1, 16, 64)
                names = ("input", "weight", "dim")
                nodes.append(
                    node(name, "call_function", target, args, value, modules, trace, meta=meta, arg_names=names)
                )
                last = name
    return plain_program((*nodes, output(last)), origin=Origin("archive", "llama.pt2"))
