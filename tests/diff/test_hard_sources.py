"""One program in two forms: reloaded, strict and not, written by two releases; and metadata that misleads."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diff import edits, synthetic
from diff.exports import reload
from diff.law import ambiguous, compared, lone, mates, roots, wrong
from torch import nn

import graphlens as gl
from graphlens.program.argument import Ref, Seq
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, Node, Provenance
from graphlens.program.parts import InputSpec, OutputSpec

pytestmark = pytest.mark.filterwarnings("ignore")

ARCHIVES = Path(__file__).parents[1] / "data" / "archives"


class Op(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args, **kwargs):
        return self.function(*args, **kwargs)


def samples() -> Iterator[tuple[str, torch.export.ExportedProgram]]:
    """Export the first sample of every higher-order op of torch's own collection that can be exported and saved."""
    hop_db = pytest.importorskip("torch.testing._internal.hop_db").hop_db
    for info in hop_db:
        sample = next(iter(list(info.sample_inputs("cpu", torch.float, requires_grad=True))), None)
        if sample is None:
            continue
        first = sample.input if isinstance(sample.input, tuple) else (sample.input,)
        try:
            exported = torch.export.export(Op(info.op), (*first, *sample.args), dict(sample.kwargs))
        except Exception:  # torch cannot export it; tests/conformance says so
            continue
        yield f"{info.name}.{info.variant_test_name}", exported


LOST_BY_LOADING = {"val.conj", "val.neg"}


def test_every_higher_order_op_of_torch_against_its_reload():
    """Every node is itself, nothing is computed otherwise; operands in a list are what passes trip over."""
    seen = set()
    for name, original in samples():
        if "subgraph" in name or "quant" in name or "triple" in name:
            continue  # saved with a wrapper that some builds refuse; map in map is enough
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            diff = compared(original, reload(original))
        assert lone(diff) == (set(), set()), name
        assert not ambiguous(diff), name
        assert not [row for row in diff.node_rows if row.match.startswith("group")], name
        assert {row[2] for row in wrong(diff)} <= LOST_BY_LOADING, str(diff)
        assert diff.proof.same or wrong(diff), str(diff)
        assert set(diff.proof.rules) <= {"tuple for list"}, name
        seen.add(name.partition(".")[0])
    assert {"cond", "map", "scan", "while_loop", "auto_functionalize"} <= seen


def test_strict_against_non_strict():
    """Dynamo keeps one name of a tied weight and parameters as parameters; what is computed is the same."""

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.one, self.other = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
            self.other.weight = self.one.weight
            self.register_buffer("scale", torch.ones(4))

        def forward(self, x):
            x = self.other(self.one(x).relu()) * self.scale
            return torch.cond(x.sum() > 0, lambda t: t.sin(), lambda t: t.cos(), (x,))

    model = Tied().eval()
    loose, strict = (torch.export.export(model, (torch.ones(3, 4),), strict=flag) for flag in (False, True))
    diff = compared(loose, strict)
    assert not wrong(diff), str(diff)
    assert not ambiguous(diff)
    assert {diff.a.graph[name].op for name in lone(diff)[0]} <= {"placeholder"}
    assert len(lone(diff)[0]) == 1
    assert not lone(diff)[1]
    assert roots(diff)["signature.inputs", "lost", "breaks_pass"] == 1


@pytest.mark.parametrize("case", ["decoder_dynamic", "training_conv", "unbacked"])
def test_one_model_written_by_two_releases(case):
    """Nothing is computed otherwise; every node but what a release adds around it has its partner."""
    old, new = (ARCHIVES / f"torch-{release}" / f"{case}.pt2" for release in ("2.9.1", "2.13.0"))
    diff = compared(old, new)
    assert not ambiguous(diff)
    assert not wrong(diff), str(diff)
    targets = {row.target_a or row.target_b for row in diff.node_rows if row.match in ("only_a", "only_b")}
    assert all(
        "assert" in target or target.startswith(("aten.sym", "_operator", "aten.detach", "aten.lift"))
        for target in targets
    )


ODD = "a,b;c"


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.parts = nn.ModuleDict({ODD: nn.Linear(4, 4), "d;e": nn.Sequential(nn.Linear(4, 4), nn.ReLU())})

    def forward(self, x):
        return self.parts["d;e"](self.parts[ODD](x))


@pytest.mark.parametrize("strict", [False, True], ids=["non-strict", "strict"])
def test_modules_with_separators_in_their_names(strict):
    """Separators of the file's own notation do not lead a node astray, nor hide what the file made of its module stack."""
    original = torch.export.export(Odd().eval(), (torch.ones(2, 4),), strict=strict)
    assert f"parts.{ODD}" in {node.module for node in gl.read(original).graph.nodes}
    file = io.BytesIO()
    torch.export.save(original, file)  # torch cannot load it again
    diff = compared(original, file)
    assert lone(diff) == (set(), set())
    assert diff.proof.same, str(diff)
    assert {a for a, b in mates(diff).items() if a != b} == set()
    changed = {row.field for row in diff.rows if row.severity == "breaks_pass" and row.cause == "root"}
    assert changed <= {"nn_module_stack", "source_fn_stack", "val.type", "val.storage"}


def chain(names: list[tuple[str, str]], graph_id: int = 7) -> tuple[Provenance, ...]:
    """Make a `from_node` whose newest entry is the first name."""
    found: tuple[Provenance, ...] = ()
    for name, target in reversed(names):
        found = (Provenance(name, target, "pass", ("replace",), graph_id, found),)
    return found


def claims(source: gl.Program, entries: dict[str, tuple[Provenance, ...]]) -> gl.Program:
    for name, from_node in entries.items():
        source = edits.with_meta(source, ("", name), from_node=from_node)
    return source


def waves(x):
    return x.sin().cos() + x.cos().sin()


def test_provenance_that_lies_does_not_win_over_structure():
    source = gl.read(torch.export.export(Op(waves), (torch.ones(3),)))
    sin, cos = ("sin", "aten.sin.default"), ("cos", "aten.cos.default")
    lies = {
        "sin": chain([("sin_1", "aten.sin.default")] * 12),
        "sin_1": chain([sin, cos] * 6),  # the names go round in a circle
        "cos": chain([("gone", "aten.cos.default"), ("cos_1", "aten.cos.default")], graph_id=0),
        "cos_1": chain([cos], graph_id=7),  # the same id as other graphs had
    }
    diff = compared(source, claims(source, lies))
    assert all(a == b for a, b in mates(diff).items())
    assert diff.proof.level == "identical"
    assert {(row.field, row.severity) for row in diff.rows} == {("from_node", "debug_info")}


@pytest.mark.parametrize("depth", [1, 9, 40])
def test_provenance_is_found_at_any_depth(depth):
    """What one call became is one group, however many passes it went through."""
    original = torch.export.export(nn.Linear(4, 4).eval(), (torch.ones(2, 4),))
    before, after = gl.read(original), gl.read(original.run_decompositions())
    made = [node.name for node in after.graph.nodes if node.op == "call_function"]
    passes = [(f"step{i}", "aten.addmm.default") for i in range(depth - 1)]
    deep = claims(after, {name: chain([*passes, ("linear", "aten.linear.default")], graph_id=1) for name in made})
    (group,) = (row for row in compared(before, deep).node_rows if row.match.startswith("group"))
    assert (group.node_a, group.node_b) == ("linear", ", ".join(made))


def test_without_provenance_the_cut_says_what_became_of_a_call():
    original = torch.export.export(nn.Linear(4, 4).eval(), (torch.ones(2, 4),))
    before, after = gl.read(original), gl.read(original.run_decompositions())
    bare = after
    for node in after.graph.nodes:
        bare = edits.with_meta(bare, ("", node.name), from_node=None)
    diff = compared(before, bare)
    assert not diff.proof.same
    (row,) = (row for row in diff.node_rows if row.node_a == "linear")
    assert "addmm" in row.target_b


SIZE = 5000


def made(nodes: list[tuple[str, str, tuple[object, ...]]], results: list[str]) -> gl.Program:
    """Make a program of calls on one input; operands are ``%name``."""
    value = synthetic.HIDDEN
    found = [Node(name="x", op="placeholder", target="x", value=value)]
    for name, target, args in nodes:
        operands = tuple(Ref(a[1:]) if isinstance(a, str) else a for a in args)
        found.append(Node(name=name, op="call_function", target=target, args=operands, value=value))  # type: ignore[arg-type]
    output = (Seq("tuple", tuple(Ref(name) for name in results)),)
    found.append(Node(name="output", op="output", target="output", args=output))
    return gl.Program(
        graphs=freeze({"": Graph(tuple(found))}),
        inputs=(InputSpec(kind="user_input", argument="x", path="args[0]"),),
        outputs=tuple(OutputSpec(kind="user_output", argument=name) for name in results),
    )


def long_chain(edit: int = -1) -> gl.Program:
    steps = ("aten.sin.default", "aten.cos.default", "aten.tanh.default")
    nodes = [
        (f"n{i}", "aten.exp.default" if i == edit else steps[i % 3], (f"%n{i - 1}" if i else "%x",))
        for i in range(SIZE)
    ]
    return made(nodes, [f"n{SIZE - 1}"])


def star(edit: int = -1) -> gl.Program:
    nodes = [(f"n{i}", "aten.mul.Tensor", ("%x", i + (0.5 if i == edit else 0.0))) for i in range(SIZE)]
    return made(nodes, [f"n{i}" for i in range(SIZE)])


def siblings(count: int = SIZE, edit: int = -1) -> gl.Program:
    nodes = [(f"n{i}", "aten.exp.default" if i == edit else "aten.sin.default", ("%x",)) for i in range(count)]
    return made(nodes, [f"n{i}" for i in range(count)])


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (long_chain, ("target", "changed", "aten.exp")),
        (star, ("args", "changed", "2500.5")),
        (siblings, ("target", "changed", "aten.exp")),
    ],
    ids=["chain", "star", "siblings"],
)
def test_one_edit_among_thousands(build, expected):
    """Exactly that edit and no cascade: not a node before or behind it, above or beside it, says anything."""
    diff = compared(build(), build(edit=2500), large=True)
    assert [(r.node_a, r.node_b, r.field, r.kind, r.b.removesuffix(".default")) for r in diff.rows] == [
        ("n2500", "n2500", *expected)
    ]
    assert diff.worst == "wrong_result"
    assert not diff.proof.same
    assert all(a == b for a, b in mates(diff).items())


def test_one_of_thousands_of_equal_siblings_is_gone():
    """Any of them may be the one: one is, and all others are each other's, or are not told apart; none is called changed."""
    diff = compared(siblings(), siblings(SIZE - 1), large=True)
    assert {row.field for row in diff.rows if row.node_a != "output" and row.node_a} <= {"target", "name", "order"}
    assert not roots(diff, lambda row: row.kind == "changed" and row.field == "target")
    assert len(lone(diff)[0]) + sum(1 for _ in ambiguous(diff)) >= 1
    assert not diff.proof.same
