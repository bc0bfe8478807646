"""The listing: what one pastes in an issue."""

from graphlens.program.argument import Const, Ref, Seq
from graphlens.program.graph import Graph, ModuleCall, Node, Subgraph
from graphlens.program.line import node_line
from graphlens.program.listing import program_listing
from graphlens.program.parts import InputSpec, Notice, OutputSpec, Range
from graphlens.program.program import Program
from graphlens.program.symbols import symbol_table
from graphlens.program.value import ConstValue, SymValue, TensorValue

TRACE = 'File "/home/u/model.py", line 47, in forward\n    y = x + 1\n'


def f32(*shape):
    return TensorValue(shape=shape, dtype="float32")


def call(name, target, *args, value=None, module="", **kwargs):
    stack = tuple(ModuleCall(path, path, "M") for path in ["", *(module[:end] for end in _ends(module))])
    return Node(
        name=name, op="call_function", target=target, args=args, kwargs=kwargs, value=value or f32(2),
        meta={"nn_module_stack": stack, "stack_trace": TRACE},
    )  # fmt: skip


def _ends(module):
    return [i for i, character in enumerate(module) if character == "."] + [len(module)] if module else []


def placeholder(name, value=None):
    return Node(name=name, op="placeholder", target=name, value=value or f32(2))


def output(*names):
    return Node(name="output", op="output", target="output", args=(Seq("tuple", tuple(map(Ref, names))),))


def test_a_node_is_one_line():
    node = call("y", "aten.linear.default", Ref("x"), Ref("w"), value=f32("s0", "4*s1"), module="layers.0.attn",
                dtype=Const("dtype", "float16"))  # fmt: skip
    assert node_line(node) == (
        "y: f32[s0, 4·s1] = aten.linear.default(x, w, dtype=torch.float16)  # layers.0.attn  model.py:47"
    )
    assert node_line(node, with_comment=False).endswith("dtype=torch.float16)")


def test_the_other_kinds_of_nodes():
    assert node_line(placeholder("x")) == "x: f32[2]"
    assert node_line(Node(name="x", op="placeholder", target="x", args=(3,))) == "x = default 3"
    assert node_line(Node(name="w", op="get_attr", target="a.b")) == "w = self.a.b"
    assert node_line(Node(name="m", op="call_module", target="a.b", args=(Ref("x"),))) == "m = self.a.b(x)"
    assert node_line(Node(name="m", op="call_method", target="view", args=(Ref("x"), 2))) == "m = x.view(2)"
    assert node_line(output("a", "b")) == "return (a, b)"
    assert node_line(Node(name="n", op="call_function", target="f", value=ConstValue("a*b"))) == "n: 'a*b' = f()"
    assert node_line(Node(name="n", op="call_function", target="f", value=SymValue("SymInt", "2*s0**2"))) == (
        "n: SymInt(2·s0**2) = f()"
    )


def test_control_characters_are_escaped():
    line = node_line(Node(name="a\x1b[31m", op="call_function", target="f\n\u202e", args=("x\r",)))
    assert line == "a\\x1b[31m = f\\n\\u202e('x\\r')"
    notice = Notice("a\nb", "\x07")
    assert "\x07" not in program_listing(Program(graphs={"": Graph(())}, notices=(notice,)))


def test_very_long_lines_are_cut():
    line = node_line(output(*(f"node_{i}" for i in range(5000))))
    assert len(line) < 700
    assert "characters" in line


def nested():
    inner = Graph((placeholder("a"), call("sin", "aten.sin.default", Ref("a")), output("sin")))
    other = Graph((placeholder("a"), output("a")))
    root = Graph((
        placeholder("x", f32("s0")),
        Node(name="t", op="get_attr", target="t"),
        Node(name="f", op="get_attr", target="f"),
        Node(
            name="cond", op="call_function", target="higher_order.cond", args=(Ref("x"), Ref("t"), Ref("f"), Seq("list", (Ref("x"),))),
            subgraphs=(Subgraph("true_fn", "args[1]", "t"), Subgraph("false_fn", "args[2]", "f")),
        ),
        Node(
            name="again", op="call_function", target="higher_order.wrap", args=(Ref("t"),),
            subgraphs=(Subgraph("func", "args[0]", "t"),),
        ),
        output("cond"),
    ))  # fmt: skip
    graphs = {"": root, "cond.true_fn": inner, "cond.false_fn": other, "again.func": inner}
    ranges = {"s0": Range(2, None)}
    return Program(
        graphs=graphs,
        inputs=(InputSpec(kind="user_input", argument="x", path="args[0]"),),
        outputs=(OutputSpec(kind="buffer_mutation", argument="cond", target="running"),),
        symbol_table=symbol_table(graphs, ranges, {"s0": 3}),
        ranges=ranges,
        notices=(Notice("left_over", "no node uses it"),),
    )


def test_nested_graphs_stand_inside_their_call():
    sin = "            sin: f32[2] = aten.sin.default(a)"
    title, *rest = str(nested()).split("\n")
    assert title == "Program: graph, 14 nodes in 4 graphs"
    assert [line.split("  # input")[0].rstrip() for line in rest] == [
        "symbols: s0 in [2, inf], from x.shape[0], example 3",
        "graph(x):",
        "    x: f32[s0]",
        "    cond = higher_order.cond(x, t, f, [x])",
        "        true_fn(a):",
        "            a: f32[2]",
        f"{sin:<76}  # model.py:47",
        "            return (sin,)",
        "        false_fn(a):",
        "            a: f32[2]",
        "            return (a,)",
        "    again = higher_order.wrap(t)",
        "        func(a): the same graph as cond.true_fn",
        "    return (cond,)",
        "    # cond: buffer_mutation running",
        "notices:",
        "    left_over: no node uses it",
    ]


def test_depth_says_what_it_leaves_out():
    text = program_listing(nested(), depth=0)
    assert "… 3 nodes" in text
    assert "aten.sin" not in text
    layered = Program(graphs={"": Graph((
        placeholder("x"),
        call("a", "f", Ref("x"), module="layers.0"),
        call("b", "f", Ref("a"), module="layers.0.attn"),
        call("c", "f", Ref("b"), module="layers.0.attn.proj"),
        call("d", "f", Ref("c"), module="layers.0"),
        output("d"),
    ))})  # fmt: skip
    assert "… 4 nodes in layers" in program_listing(layered, depth=0)
    two = program_listing(layered, depth=2)
    assert "… 2 nodes in layers.0.attn" in two
    assert "a: f32[2]" in two
    assert program_listing(layered, depth=9) == program_listing(layered)


def test_limit():
    text = program_listing(nested(), limit=4)
    assert len(text.split("\n")) == 5
    assert text.endswith("more lines")
    assert program_listing(nested(), limit=1000) == program_listing(nested())


def layers(count, change=None):
    nodes = [placeholder(f"w{i}") for i in range(count)] + [placeholder("x")]
    last = "x"
    for i in range(count):
        literal = 7 if i == change else 1
        nodes += [
            call(f"mul_{i}", "aten.mul.Tensor", Ref(last), Ref(f"w{i}"), module=f"layers.{i}.ff"),
            call(f"add_{i}", "aten.add.Tensor", Ref(f"mul_{i}"), literal, module=f"layers.{i}"),
        ]
        last = f"add_{i}"
    inputs = tuple(InputSpec(kind="parameter", argument=f"w{i}", target=f"layers.{i}.w") for i in range(count))
    return Program(graphs={"": Graph((*nodes, output(last)))}, inputs=inputs)


def test_equal_layers_fold():
    text = program_listing(layers(126))
    assert "# layers.2 to layers.125: 124 more of 2 nodes each, like the one above" in text
    assert "# layers.1 to layers.125: 125 more of 1 node each, like the one above" in text
    assert len(text.split("\n")) < 20
    assert len(program_listing(layers(126), fold=False).split("\n")) > 370


def test_a_layer_that_differs_in_one_literal_is_written_out():
    text = program_listing(layers(20, change=10))
    assert "add_10: f32[2] = aten.add.Tensor(mul_10, 7)" in text
    assert "# layers.2 to layers.9: 8 more" in text
    assert "# layers.12 to layers.19: 8 more" in text


def test_a_layer_that_takes_another_operand_is_written_out():
    program = layers(20)
    nodes = list(program.graph.nodes)
    at = program.graph.index["mul_10"]
    nodes[at] = call("mul_10", "aten.mul.Tensor", Ref("add_3"), Ref("w10"), module="layers.10.ff")
    text = program_listing(Program(graphs={"": Graph(tuple(nodes))}, inputs=program.inputs))
    assert "mul_10: f32[2] = aten.mul.Tensor(add_3, w10)" in text


def test_thirty_thousand_nodes_take_linear_time():
    import time

    began = time.perf_counter()
    text = program_listing(layers(10_000))
    assert time.perf_counter() - began < 30
    assert len(text) < 3000
