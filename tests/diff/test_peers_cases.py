"""Cases on which tools that diff or match graphs of other compilers stumble: what each of them must come out as."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from diff.edits import edit_node, roots, scramble
from diff.exports import export
from diff.peers import examined, matches, mates, rows_of, without_modules, written
from msgspec.structs import replace
from torch import nn

import graphlens as gl
from graphlens.diff.align import align
from graphlens.diff.alignment import Alignment, GraphAlignment, Pair
from graphlens.diff.quality import quality
from graphlens.diff.verify import verify

pytestmark = pytest.mark.filterwarnings("ignore")

X = torch.linspace(-1, 1, 16).reshape(4, 4)
Y = X.flip(0).contiguous()


def made(function, *args, **options):
    class Model(nn.Module):
        def forward(self, *inputs):
            return function(*inputs)

    return gl.read(export(Model(), *args, **options))


def told(diff):
    """Roots but for names, counters and order: what a reviewer has to look at."""
    quiet = ("name", "order", "stack_trace", "torch_fn", "source_fn_stack", "from_node", "original_aten")
    rows = [row for row in diff.rows if row.cause == "root" and row.field not in quiet]
    return [(row.node_a, row.node_b, row.where or row.field, row.kind) for row in rows if row.severity != "cosmetic"]


# 1. Operands that changed places


def test_exchanged_operands_of_a_difference_are_two_rewired_edges():
    diff = examined(made(lambda p, q: p - q, X, Y), made(lambda p, q: q - p, X, Y), same=False)
    assert [(r.node_a, r.where, r.kind, r.aspect, r.severity) for r in diff.rows] == [
        ("sub", "args[0]", "changed", "rewired", "wrong_result"),
        ("sub", "args[1]", "changed", "rewired", "wrong_result"),
    ]
    assert (diff.quality.edges, diff.quality.edges_rewired) == (3, 2)


def test_exchanged_operands_of_a_sum_are_a_rule():
    diff = examined(made(lambda p, q: p + q, X, Y), made(lambda p, q: q + p, X, Y), same=True)
    assert [(r.aspect, r.severity) for r in diff.rows] == [("commuted", "cosmetic")]
    assert dict(diff.proof.rules) == {"commuted operands": 1}


def test_a_scaled_sum_does_not_commute():
    a, b = (made(f, X, Y) for f in (lambda p, q: torch.add(p, q, alpha=2), lambda p, q: torch.add(q, p, alpha=2)))
    assert told(examined(a, b, same=False)) == [
        ("add", "add", "args[0]", "changed"),
        ("add", "add", "args[1]", "changed"),
    ]


def test_user_inputs_exchanged_in_the_signature():
    class One(nn.Module):
        def forward(self, first, second):
            return first - second

    class Two(nn.Module):
        def forward(self, second, first):
            return first - second

    diff = examined(export(One(), X, Y), export(Two(), X, Y), same=False)
    assert mates(diff)["first"] == "second"  # a caller passes by position
    rewired = [row for row in diff.rows if row.aspect == "rewired"]
    assert [(r.node_a, r.where, r.a) for r in rewired] == [
        ("sub", "args[0]", "first (there second)"),
        ("sub", "args[1]", "second (there first)"),
    ]


# 2. Four equal constants against three, one of them shared


def constants(maker, count):
    def forward(x):
        c = [maker() for _ in range(count)]
        return (x + c[0]) * (x - c[1]) / (x.sin() + c[2]) - c[-1].cos() * x

    return made(forward, X)


@pytest.mark.parametrize("maker", ["full", "rand", "empty"])
def test_a_constant_that_is_shared(maker):
    make = {
        "full": lambda: torch.full((4, 4), 3.0),
        "rand": lambda: torch.rand(4, 4),
        "empty": lambda: torch.empty(4, 4),
    }[maker]
    four, three = constants(make, 4), constants(make, 3)
    diff = examined(four, three, same=maker == "full")
    assert rows_of(diff) == [
        (f"{maker}_3", None, "target", "only_a", "root"),
        ("cos", "cos", "args", "changed", "inherited"),
    ]
    if maker == "full":
        assert dict(diff.proof.rules) == {"merged duplicates": 1}
        assert diff.worst == "cosmetic"
    else:  # two draws are two values, whatever they look like
        assert not diff.proof.same
        assert diff.worst == "wrong_result"


@pytest.mark.parametrize(("kept", "shared"), list(itertools.permutations(range(4), 2)))
def test_whichever_constant_is_shared_it_is_one_node_and_one_edge(kept, shared):
    uses = [
        f"u{i} = {op}(x, c{i})" for i, op in enumerate(("add.Tensor", "sub.Tensor", "div.Tensor", "pow.Tensor_Tensor"))
    ]
    fulls = [f"c{i} = full([4, 4], 3.0)" for i in range(4)]
    end = ["v = sub.Tensor(u0, u1)", "w = sub.Tensor(u2, u3)", "return v, w"]
    four = written("\n".join(["x = input", *fulls, *uses, *end]))
    three = written(
        "\n".join(["x = input", *(line for i, line in enumerate(fulls) if i != shared), *uses, *end]).replace(
            f"c{shared})", f"c{kept})"
        )
    )
    for b in (three, scramble(three, random.Random(kept))):
        diff = examined(four, b, same=True)
        assert sorted(kind for _, _, _, kind, _ in rows_of(diff)) == ["changed", "only_a"]
        assert matches(diff)["ambiguous"] == 0


# 3. Twins that only their users tell apart


TWINS = """x = input
c0 = full([4, 4], 3.0)
c1 = full([4, 4], 2.0)
add0 = add.Tensor(c0, c1)
add1 = add.Tensor(c0, c1)
add2 = add.Tensor(add0, c0)
sub = sub.Tensor(add1, add2)
y = mul.Tensor(sub, x)
return y"""


def test_twins_are_told_apart_by_their_users():
    a = written(TWINS)
    for seed in range(10):
        b = scramble(a, random.Random(seed))
        diff = examined(a, b, same=True)
        assert matches(diff) == {"same": 6, "propagated": 1, "signature": 2} or matches(diff)["ambiguous"] == 0
        assert len(mates(diff)) == len(a.graph.nodes)
        assert diff.quality.edges_agree == diff.quality.edges == 11
        assert diff.worst == "cosmetic"


def test_twins_without_a_difference_stand_for_each_other():
    text = TWINS.replace("add2 = add.Tensor(add0, c0)\n", "").replace(
        "sub.Tensor(add1, add2)", "mul.Tensor(add0, add1)"
    )
    a = written(text)
    found = set()
    for seed in range(10):
        diff = examined(a, scramble(a, random.Random(seed)), same=True)
        found.add(matches(diff)["symmetric"])
        assert matches(diff)["ambiguous"] == 0
        assert diff.worst == "cosmetic"
    assert found == {1}  # the first is chosen and said to be chosen; the other follows from it
    lines = diff.explain("add0") + diff.explain("add1")
    assert "any of them may stand for any other" in lines


def test_rows_of_twins_in_another_order_are_the_same_program():
    a = written("x = input\nz1 = cos(x)\nz2 = cos(x)\ns1 = sin(z1)\ns2 = sin(z2)\nm = mul.Tensor(s1, s2)\nreturn m")
    b = written("x = input\nz1 = cos(x)\nz2 = cos(x)\ns2 = sin(z2)\ns1 = sin(z1)\nm = mul.Tensor(s1, s2)\nreturn m")
    diff = examined(a, b, same=True)
    assert diff.proof.level == "identical"
    assert mates(diff) == {name: name for name in a.graph.index}


def test_any_program_in_another_order_is_the_same_program():
    """Small programs with few operators are full of twins."""
    for seed in range(150):
        rng = random.Random(seed)
        names, lines = ["x", "y"], ["x = input", "y = input"]
        for k in range(rng.randrange(4, 30)):
            pick = [rng.choice(names[-6:]) for _ in range(2)]
            one = rng.choice(("sin({0})", "cos({0})", "add.Tensor({0}, {1})", "sub.Tensor({0}, {1})"))
            lines.append(f"n{k} = {one.format(*pick)}")
            names.append(f"n{k}")
        a = written("\n".join([*lines, "return " + ", ".join(rng.sample(names[2:], 3))]))
        diff = gl.diff(a, scramble(a, rng))
        assert diff.proof.same, f"{seed}: {diff}"
        assert diff.worst in (None, "cosmetic"), f"{seed}: {diff}"


# 4. Two bodies exchanged between their calls, one operand behind a copy


class Branches(nn.Module):
    def __init__(self, swapped=False, copied=False, negated=False, edited=False):
        super().__init__()
        self.options = swapped, copied, negated, edited

    def forward(self, x, p):
        swapped, copied, negated, edited = self.options
        first, second = (lambda t: t.neg() * 2.0), ((lambda t: t.abs() + 3.0) if edited else (lambda t: t.abs() + 1.0))
        if swapped:
            first, second = second, first
        return torch.cond(~p if negated else p, first, second, (x.clone() if copied else x,))


BRANCHES = [("cond", "cond", "args[1]", "changed"), ("cond", "cond", "args[2]", "changed")]
P = torch.tensor(True)


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({}, []),
        ({"copied": True}, [(None, "clone", "target", "only_b")]),
        ({"negated": True}, [(None, "bitwise_not", "target", "only_b")]),
        ({"edited": True}, [("add", "add", "args[1]", "changed")]),
    ],
)
def test_branches_that_were_exchanged_are_two_arguments_of_the_call(options, more):
    """Negated as well, both compute the same; nobody proves that here, and nothing inside the branches is blamed."""
    a, b = export(Branches(), X, P), export(Branches(swapped=True, **options), X, P)
    diff = examined(a, b, same=False)
    assert sorted(told(diff), key=str) == sorted(BRANCHES + more, key=str), str(diff)
    assert {(g.path_a, g.path_b) for g in diff.alignment.graphs} == {
        ("", ""),
        ("cond.true_fn", "cond.false_fn"),
        ("cond.false_fn", "cond.true_fn"),
    }
    rewired = next(row for row in diff.rows if row.where == "args[1]" and row.aspect == "rewired")
    assert rewired.a == "true_graph_0 (there false_graph_0)"
    assert matches(diff)["only_a"] == 0


def test_a_pin_keeps_branches_where_they_were():
    a, b = export(Branches(), X, P), export(Branches(swapped=True), X, P)
    diff = gl.diff(a, b, pins=[("cond.true_fn/neg", "cond.true_fn/abs_1")])
    assert {(g.path_a, g.path_b) for g in diff.alignment.graphs} == {
        ("", ""),
        ("cond.true_fn", "cond.true_fn"),
        ("cond.false_fn", "cond.false_fn"),
    }
    assert {(r.graph, r.a, r.b) for r in diff.rows if r.field == "target" and r.kind == "changed"} == {
        ("cond.true_fn", "aten.neg.default", "aten.abs.default"),
        ("cond.true_fn", "aten.mul.Tensor", "aten.add.Tensor"),
        ("cond.false_fn", "aten.abs.default", "aten.neg.default"),
        ("cond.false_fn", "aten.add.Tensor", "aten.mul.Tensor"),
    }


@torch.compiler.nested_compile_region
def negated(t):
    return t.neg() * 2.0


@torch.compiler.nested_compile_region
def absolute(t):
    return t.abs() + 1.0


class Regions(nn.Module):
    """Calls of two shared regions. Each is called twice, or torch would inline it."""

    def __init__(self, swapped=False, copied=False, more=False):
        super().__init__()
        self.options = swapped, copied, more

    def forward(self, x, z):
        swapped, copied, more = self.options
        y = x.clone() if copied else x
        start = absolute(z + 3) if more else z + 3
        others = negated(start) + absolute(x + 2)
        return (negated(z), absolute(y), others) if swapped else (negated(y), absolute(z), others)


def regions(**options):
    return export(Regions(**options), X, Y, strict=True)


def test_operands_of_two_shared_regions_exchanged():
    diff = examined(regions(), regions(swapped=True, copied=True), same=False)
    assert told(diff) == [
        ("invoke_subgraph_2", "invoke_subgraph_2", "args[2]", "changed"),
        ("invoke_subgraph_3", "invoke_subgraph_3", "args[2]", "changed"),
        (None, "clone", "target", "only_b"),
    ]
    assert diff.quality.only_a == 0
    assert diff.quality.ambiguous == 0
    inside = {row.graph for row in diff.rows if row.field in ("target", "args", "op")}
    assert inside == {""}


def test_what_a_tracer_calls_a_region_is_no_difference():
    """`invoke_subgraph` names its body ``subgraph_0``; one region more renames all that come after it."""
    a, b = gl.read(regions()), gl.read(regions(more=True))
    named = [row for row in examined(a, b, same=False).rows if row.aspect == "identifier"]
    assert named
    assert {row.severity for row in named} == {"cosmetic"}
    renamed = edit_identifiers(a, {"subgraph_0": "subgraph_8", "subgraph_1": "subgraph_9"})
    diff = examined(a, renamed, same=True)
    assert diff.proof.level == "identical up to"
    assert dict(diff.proof.rules) == {"renamed nested graphs": 4}
    merged = edit_identifiers(a, {"subgraph_0": "same", "subgraph_1": "same"})
    assert not examined(a, merged, same=False).proof.same  # torch may take two bodies of one name for one


def edit_identifiers(program, names):
    for node in program.graph.nodes:
        if node.target == "higher_order.invoke_subgraph":
            args = (node.args[0], names[node.args[1]], *node.args[2:])
            program = edit_node(program, ("", node.name), args=args)
    return program


# 5. Three loops, one of them with a name of its own


class Loops(nn.Module):
    def __init__(self, order, scales=(2.0, 2.0, 2.0)):
        super().__init__()
        self.order, self.scales = order, scales

    def forward(self, x):
        out = {}
        for k in self.order:
            scale, start = self.scales[k], torch.zeros((), dtype=torch.int64)
            out[k] = torch.while_loop(lambda i, t: i < 3, lambda i, t, s=scale: (i + 1, t.sin() * s), (start, x))[1]
        return out[0] + out[1] * out[2]


def named_loop(program, name):
    """Call one loop ``sums``; the paths of its bodies follow."""
    paths = {
        path: path.replace(f"{name}.", "sums.") if path.startswith(f"{name}.") else path for path in program.graphs
    }
    from diff.edits import rename_refs, with_nodes

    moved = replace(program, graphs={paths[path]: graph for path, graph in program.graphs.items()})
    nodes = [rename_refs(replace(n, name="sums") if n.name == name else n, {name: "sums"}) for n in moved.graph.nodes]
    return with_nodes(moved, "", nodes)


def test_a_name_decides_between_loops_that_nothing_else_tells_apart():
    """The second on the left and the first on the right are called ``sums``."""
    a = named_loop(gl.read(export(Loops((0, 1, 2)), X)), "while_loop_1")
    b = named_loop(gl.read(export(Loops((1, 0, 2)), X)), "while_loop")
    diff = examined(a, b, same=True)
    assert {mates(diff)[name] for name in ("while_loop", "while_loop_2")} == {"while_loop_1", "while_loop_2"}
    assert mates(diff)["sums"] == "sums"
    assert told(diff) == []
    assert ("sums", "sums", "order", "moved", "root") in rows_of(diff, "order")


def test_a_name_decides_between_twins():
    texts = [
        "\n".join(["x = input", *lines, "y = mul.Tensor(one, two)", "return y"])
        for lines in itertools.permutations(["one = cos(x)", "two = cos(x)"])
    ]
    a, b = map(written, texts)
    for other in (a, b):
        assert mates(examined(a, other, same=True)) == {name: name for name in a.graph.index}


def test_bodies_decide_where_names_lie():
    a = named_loop(gl.read(export(Loops((0, 1, 2), (2.0, 3.0, 4.0)), X)), "while_loop_1")
    b = named_loop(gl.read(export(Loops((0, 1, 2), (3.0, 2.0, 4.0)), X)), "while_loop_1")
    diff = examined(a, b, same=False)
    assert {name: mates(diff)[name] for name in ("while_loop", "sums", "while_loop_2")} == {
        "while_loop": "sums",
        "sums": "while_loop",
        "while_loop_2": "while_loop_2",
    }
    assert told(diff) == [("mul", "mul", "args[0]", "changed"), ("add", "add", "args[0]", "changed")]


# 6. A tree over equal constants, one sum of which became a difference


@pytest.mark.parametrize("at", range(4))
def test_one_operator_of_a_tree_is_one_root(at):
    def tree(op):
        ops = [torch.add] * 4
        ops[at] = op

        def forward(x):
            c = [torch.full((4, 4), 3.0) for _ in range(5)]
            return ops[3](ops[0](c[0], c[1]), ops[2](ops[1](c[2], c[3]), c[4])) * x

        return made(forward, X)

    diff = examined(tree(torch.add), tree(torch.sub), same=False)
    assert [(row[2], row[3]) for row in told(diff) if row[2] != "torch_fn"] == [("target", "changed")], str(diff)
    assert diff.quality.edges_agree == diff.quality.edges == 11
    assert matches(diff)["ambiguous"] == matches(diff)["only_a"] == matches(diff)["only_b"] == 0


# 7. Two callees of equal bodies, and one


def choice(x):
    return torch.cond(x.sum() > 0, lambda t: t.neg() * 2.0, lambda t: t.abs() + 1.0, (x,))


def test_a_callee_less_where_its_operand_decides():
    two, one = made(lambda x, z: (choice(x), choice(z)), X, Y), made(lambda x, z: (choice(x), z), X, Y)
    diff = examined(two, scramble(one, random.Random(3)), same=False)
    assert {(g.path_a) for g in diff.alignment.graphs} == {"", "cond.true_fn", "cond.false_fn"}
    assert diff.alignment.only_a == ("cond_1.true_fn", "cond_1.false_fn")
    assert diff.alignment.only_b == ()
    assert {row.cause for row in diff.rows if row.graph.startswith("cond_1.")} == {"inherited"}
    assert {(row.node_a, row.kind) for row in diff.rows if row.severity == "wrong_result" and row.cause == "root"} == {
        ("sum_2", "only_a"),
        ("gt_1", "only_a"),
        ("cond_1", "only_a"),
    }


def test_a_callee_less_of_two_that_are_the_same_call():
    """Any of the two may be the one that stayed: one is chosen and said to be chosen, the other is gone as a whole."""

    def calls(count):
        def forward(x):
            found = [choice(x) for _ in range(count)]
            return found[0] * found[-1]

        return without_modules(made(forward, X))

    one = without_modules(scramble(calls(1), random.Random(1)))
    diff = examined(calls(2), one, same=True)
    assert matches(diff)["ambiguous"] == 0
    assert [(row.node_a, bool(row.node_b)) for row in diff.node_rows if row.target_a == "higher_order.cond"] == [
        ("cond", True),
        ("cond_1", False),
    ]
    assert diff.alignment.only_a == ("cond_1.true_fn", "cond_1.false_fn")
    assert diff.alignment.only_b == ()
    assert matches(diff)["symmetric"] >= 1


def test_a_callee_less_where_nothing_decides():
    def two(x):
        return (choice(x.sin()) * choice(x.cos())).exp()

    def one(x):
        return choice(x.tan()).exp()

    a, b = (without_modules(made(function, X)) for function in (two, one))
    diff = examined(a, without_modules(scramble(b, random.Random(1))), same=False)
    unclear = {row.target_a.split(",")[0]: row for row in diff.node_rows if row.match == "ambiguous"}
    assert unclear["higher_order.cond"].node_a == "cond, cond_1"
    assert "," not in unclear["higher_order.cond"].node_b
    assert "candidates in a: cond, cond_1" in diff.explain("cond_1")
    assert "2 and 1 higher_order.cond" in diff.explain("cond_1")
    assert {row.kind for row in diff.rows if row.field == "target" and row.node_a == "cond"} == {"ambiguous"}


def test_one_call_deleted_and_one_inserted_are_no_pair():
    a = made(lambda x, z: (choice(x.sin()), z.cos().exp()), X, Y)
    b = made(lambda x, z: (x.sin(), choice(z.cos()).exp()), X, Y)
    diff = examined(a, scramble(without_modules(b), random.Random(5)), same=False)
    kinds = {
        (row.target_a or row.target_b): row.match for row in diff.node_rows if "cond" in row.target_a + row.target_b
    }
    assert kinds["higher_order.cond"] in ("only_a", "only_b")
    assert "cond" not in mates(diff)


# 8. Crossed insides of two equal modules


CROSSED = "\n".join(
    [
        "x = input",
        *(f"a{i} = {'sin' if i == 0 else 'tan'}(x) @layers.{i}\nb{i} = cos(a{i}) @layers.{i}\nc{i} = exp(b{i}) @layers.{i}\n"
          f"d{i} = sub.Tensor(b{i}, c{i}) @layers.{i}" for i in (0, 1)),
        "y = sub.Tensor(d0, d1)",
        "return y",
    ]
)  # fmt: skip


def test_crossed_insides_are_counted_refused_and_never_proposed():
    program = written(CROSSED)
    straight = {node.name: node.name for node in program.graph.nodes}
    crossed = straight | {"b0": "b1", "b1": "b0"}
    good, bad = (preset(pairs) for pairs in (straight, crossed))
    counts = quality(program, program, bad)
    # b has one operand and two users inside its module: three edges of each module now lead to the other
    assert (counts.regions_split, counts.nodes_split, counts.children_out_of_place) == (2, 2, 6)
    assert (counts.edges, counts.edges_agree, counts.edges_rewired) == (13, 7, 6)
    counts = quality(program, program, good)
    assert (counts.regions_split, counts.nodes_split, counts.children_out_of_place) == (0, 0, 0)
    assert (counts.edges, counts.edges_agree, counts.edges_rewired) == (13, 13, 0)
    refused = verify(program, program, bad)
    assert refused.level == "different"
    assert {refusal.check for refusal in refused.refusals} == {"edge"}
    assert verify(program, program, good).level == "identical"
    for seed in range(10):
        found = quality(program, other := scramble(program, random.Random(seed)), align(program, other))
        assert (found.regions_split, found.nodes_split, found.edges_rewired) == (0, 0, 0)


def preset(pairs):
    graph = GraphAlignment(
        path_a="", path_b="", pairs=tuple(Pair(a=a, b=b, match="same", confidence=1.0) for a, b in pairs.items())
    )
    return Alignment(graphs=(graph,))


# 9. Parameters whose names are gone


WEIGHTS = """w0 = weight {0}.0
w1 = weight {0}.1
w2 = weight {0}.2
w3 = weight {0}.3
x = input
h = mm(x, w0)
i = sub.Tensor(h, w1)
p = mul.Tensor(i, w2)
q = mul.Tensor(i, w3)
r = add.Tensor(p, q)
return r"""


def test_parameters_without_names_are_matched_by_use_or_not_at_all():
    """`w0` and `w1` are used in their own way; `w2` and `w3` are not, and they are not the same weight."""
    a = written(WEIGHTS.format("a"))
    more = WEIGHTS.format("b").replace("x = input", "w4 = weight b.4\nw5 = weight b.5\nx = input")
    more = more.replace("return r", "s = pow.Tensor_Tensor(r, w4)\nt = div.Tensor(s, w5)\nreturn t")
    b = scramble(written(more), random.Random(2))
    diff = examined(a, b, same=False)
    rows = {row.node_a: row for row in diff.node_rows}
    assert rows["w0"].match.startswith("propagated")
    assert rows["w1"].match.startswith("propagated")
    assert rows["w0"].confidence < 1
    unclear = [row for row in diff.node_rows if row.match == "ambiguous"]
    assert any(row.node_a == "w2, w3" for row in unclear), str(diff)
    assert not [row for row in diff.node_rows if row.match == "symmetric" and "w2" in row.node_a]
    names = {row.kind for row in diff.rows if row.family == "signature.inputs"}
    assert "renamed" in names


class Table(nn.Module):
    def __init__(self, values, named):
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 4)
        self.values = values
        self.named = named
        if named:
            self.register_buffer("table", values)

    def forward(self, x):
        return self.linear(x) + (self.table if self.named else torch.tensor(self.values.tolist())).sum()


def test_a_constant_of_another_value_and_shape():
    """A name holds it together; without one it is another constant."""
    few, many = torch.arange(4.0), torch.arange(6.0) + 1
    named = examined(export(Table(few, True), X), export(Table(many, True), X), same=False)
    assert (None, None, "shape", "changed") in told(named)
    (shape,) = [row for row in named.rows if (row.node_a, row.field) == ("b_table", "val.shape")]
    assert (shape.node_b, shape.inherited_from) == ("b_table", "weights[table]")
    assert [(r.field, r.kind) for r in named.rows if r.family == "weights"] == [("weights[table]", "changed")]
    assert matches(named)["only_a"] == 0
    lone = examined(export(Table(few, False), X), export(Table(many, False), X), same=False)
    assert lone.worst == "wrong_result"
    equal = examined(export(Table(few, False), X), export(Table(few.clone(), False), X), same=True)
    assert equal.ok


def test_constants_without_data_are_unknown_not_equal():
    program = gl.read(export(Table(torch.arange(4.0), True), X))
    fake = replace(program, stored=tuple(replace(tensor, content=None) for tensor in program.stored))
    assert gl.diff(fake, fake).ok
    diff = examined(program, fake, same=True)
    assert len(mates(diff)) == len(program.graph.nodes)
    assert {row.kind for row in diff.rows} == {"lost"}
    assert any("cannot be read" in text for text in diff.proof.assumptions)


# 10. Graphs of effects, that no output uses


def written_to(order):
    def forward(x, y, z):
        writes = [lambda: x.copy_(z), lambda: x.add_(y), lambda: y.mul_(z)]
        for k in order:
            writes[k]()
        return z * 2

    return made(forward, X.clone(), Y.clone(), X + Y)


def test_writes_that_no_output_uses_are_matched_and_ordered():
    base = written_to((0, 1, 2))
    apart = examined(base, written_to((0, 1, 2)), same=True)
    assert apart.ok
    late = examined(base, written_to((0, 2, 1)), same=False)  # x.add_(y) reads y, which was written before
    assert matches(late)["only_a"] == matches(late)["only_b"] == 0
    assert late.worst == "wrong_result"
    lost = examined(base, written_to((0, 1)), same=False)
    assert [(row[0], row[3]) for row in told(lost)] == [("mul_", "only_a")], str(lost)


def test_two_writes_that_changed_places():
    def twice(first, second):
        def forward(x, z):
            x.copy_(z + first)
            x.copy_(z + second)
            return z * 2

        return made(forward, X.clone(), Y.clone())

    diff = examined(twice(1, 2), twice(2, 1), same=False)
    assert matches(diff)["only_a"] == matches(diff)["only_b"] == 0
    assert diff.worst == "wrong_result"
    assert {row.target for row in diff.rows if row.severity == "wrong_result"} == {"aten.copy_.default"}


@pytest.mark.parametrize("effect", ["_print('{0}')", "_assert_async.msg(x, '{0}')", "bernoulli(x, p={1})"])
def test_two_effects_without_users_that_changed_places(effect):
    lines = [f"e{k} = {effect.format(name, k / 4)}" for k, name in enumerate(("one", "two"), 1)]
    a = written("\n".join(["x = input", *lines, "y = mul.Tensor(x, 2)", "return y"]))
    b = written("\n".join(["x = input", *reversed(lines), "y = mul.Tensor(x, 2)", "return y"]))
    diff = examined(a, b, same=effect.startswith("_assert"))
    assert matches(diff)["only_a"] == matches(diff)["only_b"] == matches(diff)["ambiguous"] == 0
    if not effect.startswith("_assert"):
        assert {
            (row.node_a, row.field, row.severity) for row in diff.rows if row.field == "order" and row.kind == "changed"
        }
        assert diff.worst == "wrong_result"


def test_a_body_called_twice_and_written_out():
    """What was called is only in a, what was written out only in b, and the rest is what it was."""

    class Twice(nn.Module):
        def __init__(self, inlined):
            super().__init__()
            self.inlined = inlined

        def forward(self, x):
            call = (lambda t: t.neg() * 2.0) if self.inlined else negated
            return call(x).sin() - call(x + 1).cos()

    diff = examined(*(export(Twice(k), X, strict=True) for k in (False, True)), same=False)
    kept = {row.target_a for row in diff.node_rows if row.node_a and row.node_b and "group" not in row.match}
    assert {"aten.sin.default", "aten.cos.default", "aten.sub.Tensor", "aten.add.Tensor"} <= kept
    assert diff.quality.edges_rewired == 0
    again = examined(*(export(Twice(False), X, strict=True) for _ in range(2)), same=True)
    assert again.ok


def test_equal_edits_in_places_that_touch_nowhere_are_one_pattern():
    class Rows(nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.rows = nn.ModuleList(Row(scale) for _ in range(4))

        def forward(self, x, y, z, w):
            return [row(t) for row, t in zip(self.rows, (x, y, z, w), strict=True)]

    diff = examined(*(export(Rows(scale), X, Y, X + 1, Y + 1) for scale in (2.0, 3.0)), same=False)
    assert [(p.count, p.changed, p.regions) for p in diff.pattern_rows] == [
        (4, 1, ("rows.0", "rows.1", "rows.2", "rows.3"))
    ]
    assert "1 edit, in 4 regions" in diff.verdict


class Row(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return x.sin() * self.scale


def test_the_roots_of_a_mirrored_diff_are_the_same():
    a, b = made(lambda x, z: (choice(x), choice(z)), X, Y), made(lambda x, z: (choice(x), z), X, Y)
    assert len(roots(gl.diff(a, b))) == len(roots(gl.diff(b, a)))
