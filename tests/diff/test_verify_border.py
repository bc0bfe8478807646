"""What stands around the graphs: signature, weights and constants, ranges, guards, pytrees. One thing wrong, and it is refused."""

from __future__ import annotations

import pytest
import torch
from diff.certificates import F32, by_name, call, given, pair, proof, results, with_pairs
from diff.certificates import program as made
from diff.edits import Bytes
from diff.exports import export
from msgspec.structs import replace
from torch import nn

from graphlens.diff import compare
from graphlens.diff.verify import verify
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, Node
from graphlens.program.parts import InputSpec, OutputSpec, Range, StoredTensor
from graphlens.program.program import Program
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, SymValue
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


def stored(fqn: str, data: bytes | None = b"\0\1", **facets) -> StoredTensor:
    described = {
        "kind": "buffer",
        "shape": (4, 4),
        "dtype": "float32",
        "content": None if data is None else Bytes(data),
    }
    return StoredTensor(fqn=fqn, **(described | facets))


def calculation(**fields) -> Program:
    given_fields = {"stored": (stored("w"), stored("m", b"\0\2"))} | fields
    return made(
        given("p_w"), given("b_m"), given("x"), given("y"),
        call("s", "aten.sub.Tensor", "%x", "%y"), call("t", "aten.sub.Tensor", "%s", "%p_w"),
        call("u", "aten.sub.Tensor", "%t", "%b_m"), outputs=("t", "u"), **given_fields,
    )  # fmt: skip


def refused(a: Program, b: Program, **options) -> bool:
    forth, back = proof(a, b, **options).level, proof(b, a, **options).level
    assert proof(a, a, **options).level == proof(b, b, **options).level == "identical"
    assert forth == back
    return forth == "different"


def spec_changed(program: Program, index: int, **changes) -> Program:
    inputs = list(program.inputs)
    inputs[index] = replace(inputs[index], **changes)
    return replace(program, inputs=tuple(inputs))


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "buffer"},
        {"kind": "parameter"},
        {"kind": "of_tomorrow"},
        {"target": "z"},
        {"constant": 1},
        {"constant": False},
    ],
)
def test_what_an_input_stands_for(index, changes):
    program = calculation()
    changed = spec_changed(program, index, **changes)
    assert refused(program, changed) or changed == program


def test_an_input_without_a_role():
    program = calculation()
    for i in range(4):
        assert refused_once(program, replace(program, inputs=program.inputs[:i] + program.inputs[i + 1 :]))


def refused_once(a: Program, b: Program, **options) -> bool:
    return proof(a, b, **options).level == proof(b, a, **options).level == "different"


def test_the_order_of_user_inputs():
    program = calculation()
    w, m, x, y = program.inputs
    assert refused_once(program, replace(program, inputs=(w, m, y, x)))
    nodes = program.graph.nodes
    turned = (*nodes[:2], nodes[3], nodes[2], *nodes[4:])
    assert refused_once(program, replace(program, graphs=freeze({"": Graph(turned)})))
    both = replace(program, graphs=freeze({"": Graph(turned)}), inputs=(w, m, y, x))
    assert refused_once(program, both)
    unplaced = [replace(spec, path=None) for spec in (w, m, y, x)]
    assert refused_once(program, replace(both, inputs=tuple(unplaced)))


def test_the_order_of_lifted_inputs():
    program = calculation()
    w, m, x, y = program.inputs
    nodes = program.graph.nodes
    turned = Graph((nodes[1], nodes[0], *nodes[2:]))
    found = proof(program, replace(program, graphs=freeze({"": turned}), inputs=(m, w, x, y)))
    assert (found.level, dict(found.rules)) == ("identical up to", {"order of lifted inputs": 1})
    assert refused_once(program, replace(program, graphs=freeze({"": turned})))  # positions decide what is fed
    assert refused_once(program, replace(program, inputs=(m, w, x, y)))


@pytest.mark.parametrize(
    "changes", [{"kind": "loss_output"}, {"kind": "buffer_mutation", "target": "m"}, {"constant": 1}, {"argument": "u"}]
)
def test_what_an_output_stands_for(changes):
    program = calculation()
    first, second = program.outputs
    assert refused_once(program, replace(program, outputs=(replace(first, **changes), second)))
    assert refused_once(program, replace(program, outputs=(second, first)))
    assert refused_once(program, replace(program, outputs=(first,)))


def test_where_a_mutation_goes():
    buffer = OutputSpec(kind="buffer_mutation", argument="t", target="m")
    program = calculation()
    writes = replace(program, outputs=(buffer, program.outputs[1]))
    assert refused(writes, program)
    assert refused(writes, replace(program, outputs=(replace(buffer, target="w"), program.outputs[1])))


def renamed(program: Program, old: str, new: str) -> Program:
    from diff.edits import rename

    return rename(program, ("", old), new)[0]


def test_a_mutated_input_is_named_after_its_placeholder():
    mutation = OutputSpec(kind="user_input_mutation", argument="t", target="x")
    program = replace(calculation(), outputs=(mutation, calculation().outputs[1]))
    other = renamed(program, "x", "z")
    moved = replace(other, outputs=(replace(mutation, target="z"), other.outputs[1]))
    assert proof(program, moved, {"x": "z"}).level == "identical"
    assert (
        proof(program, replace(other, outputs=(replace(mutation, target="y"), other.outputs[1])), {"x": "z"}).level
        == "different"
    )


def test_results_in_another_order():
    program = calculation()
    nodes = program.graph.nodes
    last = replace(nodes[-1], args=(results("u", "t"),))
    assert refused(program, replace(program, graphs=freeze({"": Graph((*nodes[:-1], last))})))


@pytest.mark.parametrize("side", ["in_spec", "out_spec"])
def test_pytrees(side):
    one, two, none = (replace(calculation(), **{side: text}) for text in ("[*]", "(*)", None))
    assert refused(one, two)
    assert f"one side does not record its {side.split('_')[0]} pytree" in proof(one, none).assumptions


def test_one_side_without_a_signature():
    program = calculation(stored=())
    bare = replace(program, inputs=(), outputs=())
    for a, b in ((program, bare), (bare, program)):
        found = proof(a, b)
        assert found.level == "identical"
        assert "one side has no signature; its inputs and outputs are taken in order" in found.assumptions
    crossed = proof(program, bare, {"x": "y", "y": "x"})
    assert crossed.level == "different"


def test_outputs_of_one_side_only():
    program = calculation()
    assert refused_once(program, replace(program, outputs=()))


def test_elements():
    program = calculation()
    for data in (b"\0\1", b"\1\0", b"\0\0", b"\0\1\0"):
        other = calculation(stored=(stored("w", data), stored("m", b"\0\2")))
        for mode in ("digest", "exact"):
            assert refused(program, other, weights=mode) == (data != b"\0\1")
        assert proof(program, other, weights="ignore").assumptions == ("values of stored tensors were not compared",)


def test_who_shares_storage():
    free = calculation(stored=(stored("w", storage="0"), stored("m", b"\0\2", storage="1")))
    tied = calculation(stored=(stored("w", storage="0"), stored("m", b"\0\2", storage="0")))
    assert refused(free, tied)
    assert not refused(tied, calculation(stored=(stored("w", storage="a"), stored("m", b"\0\2", storage="a"))))


def constants(first: str, second: str, values=(b"\0\1", b"\0\2")) -> Program:
    nodes = (given("c"), given("d"), call("s", "aten.sub.Tensor", "%c", "%d"))
    specs = tuple(InputSpec(kind="constant_tensor", argument=n, target=t) for n, t in (("c", first), ("d", second)))
    held = tuple(stored(t, v, kind="constant") for t, v in zip((first, second), values, strict=True))
    return made(*nodes, outputs=("s",), inputs=specs, stored=held)


def test_constants_with_generated_names():
    program = constants("lifted_0", "lifted_1")
    found = proof(program, constants("lifted_1", "lifted_0"))  # the names are exchanged, and the values go with them
    assert (found.level, dict(found.rules)) == ("identical up to", {"constant with another generated name": 2})
    assert refused(program, constants("lifted_1", "lifted_0", (b"\0\2", b"\0\1")))
    unknown = constants("lifted_0", "lifted_1", (None, None)), constants("lifted_1", "lifted_0", (None, None))
    assert not proof(*unknown).same
    assert not proof(program, constants("lifted_1", "lifted_0", (b"\0\2", b"\0\1")), weights="ignore").same
    assert not proof(constants("a", "b", (None, None)), constants("c", "d", (None, None))).same


def module(first: str, second: str, kind: str = "parameter", values=(b"\0\1", b"\0\1"), storages=("0", "1")) -> Program:
    held = [stored(t, v, kind=kind, storage=s) for t, v, s in zip((first, second), values, storages, strict=True)]
    nodes = (attribute("c", first), attribute("d", second), call("s", "aten.sub.Tensor", "%c", "%d"))
    return made(*nodes, outputs=("s",), stored=tuple({t.fqn: t for t in held}.values()))


def attribute(name: str, target: str) -> Node:
    return Node(name=name, op="get_attr", target=target, value=F32)


def test_attributes_with_each_others_name():
    """They have equal elements today; another state dict tells them apart."""
    assert refused(module("one", "two"), module("two", "one"))
    assert refused(module("one", "two"), module("one", "one", storages=("0", "0")))
    assert refused(module("one", "two", values=(b"\0\1", b"\0\2")), module("two", "one", values=(b"\0\1", b"\0\2")))
    assert not proof(module("one", "two", values=(None, None)), module("two", "one", values=(None, None))).same


def test_attributes_with_other_names():
    found = proof(module("one", "two"), module("eins", "zwei"))
    assert (found.level, dict(found.rules)) == ("identical up to", {"attribute with another name": 2})
    assert refused_once(module("one", "two"), module("eins", "zwei", values=(b"\0\1", b"\0\3")))
    assert not proof(module("one", "two", values=(None, None)), module("eins", "zwei", values=(None, None))).same
    nothing = replace(module("one", "two"), stored=())
    assert refused_once(nothing, replace(module("eins", "zwei"), stored=()))
    assert proof(nothing, nothing).assumptions == ("both sides have no values of some stored tensors (2)",)


def bounded(**ranges) -> Program:
    return calculation(ranges=freeze({name: Range(*bounds) for name, bounds in ranges.items()}))


def test_ranges():
    program = bounded(s0=(2, 64))
    for other in (
        bounded(),
        bounded(s0=(2, 63)),
        bounded(s0=(3, 64)),
        bounded(s0=(2, None)),
        bounded(s0=(2, 64), s1=(2, 64)),
        bounded(s1=(2, 64)),
    ):
        assert refused(program, other)
    weaker = proof(program, bounded(s0=(0, None))).refusals[0]
    assert "b is weaker" in weaker.message
    assert "b is stronger" in proof(bounded(s0=(0, None)), program).refusals[0].message
    lost = proof(program, bounded()).refusals[0]
    assert "b is weaker" in lost.message


def test_guards():
    program = calculation(guards=("s0 > 2",))
    for guards in ((), ("s0 > 3",), ("s0 > 2", "s1 > 2"), ("s1 > 2",)):
        assert refused(program, calculation(guards=guards))
    bare = [made(call("s", "aten.arange.default", 3), outputs=("s",), guards=g) for g in ((), ("s0 > 2",))]
    assert refused(*bare)  # a program without inputs has a signature all the same
    bare_module = replace(calculation(), inputs=(), outputs=())
    assert any("guards" in note for note in proof(calculation(guards=("s0 > 2",)), bare_module).assumptions)


def test_symbols_are_renamed_one_to_one():
    def program(first: str, second: str, **fields) -> Program:
        values = [SymValue("SymInt", text) for text in (first, second)]
        return made(
            given("x", values[0]),
            given("y", values[1]),
            call("s", "_operator.sub", "%x", "%y"),
            outputs=("s",),
            **fields,
        )

    found = proof(program("s0", "s1"), program("s7", "s3"))
    assert (found.level, dict(found.rules)) == ("identical up to", {"renumbered symbols": 2})
    assert refused(program("s0", "s1"), program("s0", "s0"))
    assert not refused(program("2*s0", "s0 + 1"), program("2*s0", "s0 + 1"))
    assert refused(program("2*s0", "s0 + 1"), program("2*s0", "s1 + 1"))
    assert refused(program("s0", "s1"), program("s0", "4"))
    guarded = program("s0", "s1", guards=("s0 > 2",)), program("s1", "s0", guards=("s0 > 2",))
    assert proof(*guarded).level == "different"
    assert proof(guarded[0], program("s1", "s0", guards=("s1 > 2",))).same


def test_a_free_symbol_does_not_hide_behind_another():
    """The guard of a symbol that no value has is not the guard of one that happens to have its name over there."""
    one = made(given("x", SymValue("SymInt", "s0")), outputs=("x",), guards=("s0 > 2", "s5 > 2"))
    two = made(given("x", SymValue("SymInt", "s5")), outputs=("x",), guards=("s5 > 2",))
    assert refused_once(one, two)


VALUES = [F32, replace(F32, shape=(16,), stride=(1,)), SymValue("SymInt", "s0"), SymValue("SymBool", "s0"), ConstValue(1), ConstValue(True),
          ConstValue(1.0), ConstValue(None), ConstValue("1"), OpaqueValue("A", ""), OpaqueValue("B", ""), ContainerValue("tuple", (F32,)),
          ContainerValue("tuple", ()), ContainerValue("dict", (F32,), ("a",)), ContainerValue("dict", (F32,), ("b",))]  # fmt: skip


def test_values_of_every_kind():
    programs = [made(given("x", value), outputs=("x",)) for value in VALUES]
    for i, a in enumerate(programs):
        for j, b in enumerate(programs):
            assert refused(a, b) == (i != j), (VALUES[i], VALUES[j])


@pytest.mark.parametrize("facet", ["conj", "neg", "device", "stride", "storage_offset", "layout"])
def test_a_facet_that_one_side_does_not_record(facet):
    special = {
        "conj": True,
        "neg": True,
        "device": "cuda:0",
        "stride": (1, 4),
        "storage_offset": 3,
        "layout": "sparse_coo",
    }[facet]
    known = made(given("x", replace(F32, **{facet: special})), outputs=("x",))
    unknown = made(given("x", replace(F32, **{facet: None})), outputs=("x",))
    for a, b in ((known, unknown), (unknown, known)):
        found = proof(a, b)
        assert found.level == "identical"
        assert "values agree where one side does not record them" in found.assumptions[0]


def test_a_value_that_one_side_does_not_record():
    known, unknown = (made(given("x", value), outputs=("x",)) for value in (F32, None))
    inside, outside = (made(given("x", ContainerValue("tuple", (item,))), outputs=("x",)) for item in (F32, None))
    for a, b in ((known, unknown), (inside, outside)):
        found = proof(a, b)
        assert found.level == "identical"
        assert "values agree where one side does not record them" in found.assumptions[0]
    one, two = (made(given("x", ContainerValue("tuple", (item,))), outputs=("x",)) for item in (ConstValue(None), F32))
    assert refused(one, two)


class Counting(nn.Module):
    """Buffers that the program writes, one of them twice, and a norm in training."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("total", torch.zeros(()))
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        self.calls.add_(1)
        self.total.add_(x.sum())
        self.calls.mul_(2)
        return self.norm(x) * self.calls + self.total


def test_a_program_that_writes_its_buffers():
    torch.manual_seed(0)
    exported = torch.export.export(Counting().train(), (torch.randn(3, 4),))
    for program in (read(exported), read(exported.run_decompositions())):
        assert proof(program, program).level == "identical"
        alignment = by_name(program, program)
        for i, spec in enumerate(program.outputs):
            for other in program.inputs:
                if spec.kind == "buffer_mutation" and other.kind == "buffer" and other.target != spec.target:
                    outputs = (*program.outputs[:i], replace(spec, target=other.target), *program.outputs[i + 1 :])
                    assert refused_once(program, replace(program, outputs=outputs))
        buffers = [p for p in alignment.graphs[0].pairs if p.a.startswith("b_")]
        assert len(buffers) == 5
        for x in buffers:
            for y in buffers:
                if x.a < y.a:
                    rest = [p for p in alignment.graphs[0].pairs if p.a not in (x.a, y.a)]
                    crossed = with_pairs(alignment, "", [*rest, pair(x.a, y.b), pair(y.a, x.b)])
                    assert verify(program, program, crossed).level == "different"
        nodes = [n for n in program.graph.nodes if n.op == "call_function"]
        for n in nodes:
            kept = [m for m in program.graph.nodes if m.name != n.name]
            assert proof(program, replace(program, graphs=freeze({"": Graph(tuple(kept))}))).level == "different"


def test_a_model_whose_weights_changed_in_one_element():
    from diff.edits import change_one_element

    program = read(export(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), torch.randn(3, 4)))
    for tensor in program.stored:
        assert refused(program, change_one_element(program, tensor.fqn))


def test_where_a_result_begins_in_its_storage_is_only_a_record():
    """Loading a file writes 0 for it; shape, strides and dtype are what passes were told, and stay compared."""
    sliced = replace(F32, storage_offset=4)

    def program(value=F32, target="aten.slice.Tensor", source=F32) -> Program:
        return made(given("x", source), call("y", target, "%x", 0, 1, value=value), outputs=("y",))

    for target in ("aten.slice.Tensor", "higher_order.of_tomorrow"):
        found = proof(program(sliced, target), program(target=target))
        assert (found.level, dict(found.rules)) == ("identical up to", {"recorded storage offsets": 1})
    assert refused(program(source=sliced), program())
    assert refused(program(replace(sliced, stride=(1, 4))), program())
    assert refused_once(program(sliced), made(given("x"), call("y", "aten.slice.Tensor", "%x", 0, 2), outputs=("y",)))
    inside = ContainerValue("tuple", (sliced, F32)), ContainerValue("tuple", (F32, F32))
    assert proof(program(inside[0]), program(inside[1])).rules["recorded storage offsets"] == 1
    inputs = [
        replace(program(), graphs=freeze({"": Graph((attribute("x", "w"), *program().graph.nodes[1:]))}))
        for _ in range(2)
    ]
    moved = replace(inputs[1].graph.nodes[0], value=sliced)
    assert refused_once(inputs[0], replace(inputs[1], graphs=freeze({"": Graph((moved, *inputs[1].graph.nodes[1:]))})))


def test_a_refusal_that_no_row_explains_has_one_of_its_own():
    """Ignoring the rows of what is known to differ does not ignore what else the checker refused."""
    schemas = [freeze({"mine.op.default": f"mine::op({kind} x) -> Tensor"}) for kind in ("Tensor", "Tensor?")]
    nodes = (given("p_w"), call("c", "mine.op.default", "%p_w"))
    a, b = (
        made(*nodes, outputs=("c",), schemas=schema, stored=(stored("w", data),))
        for schema, data in zip(schemas, (b"\0\1", b"\0\2"), strict=True)
    )
    diff = compare(a, b)
    assert {(row.family, row.aspect) for row in diff.rows} == {("weights", "value"), ("proof", "schema")}
    assert not compare(a, b, ignore=["weights"]).ok
    assert compare(a, replace(b, schemas=a.schemas), ignore=["weights"]).ok


@pytest.mark.parametrize(("symbol", "same"), [("u9", True), ("s9", False), ("u0", False)])
def test_a_range_of_a_number_that_is_computed_nowhere(symbol, same):
    """Exporting with strict=True leaves such ranges behind, and loading does not bring them back."""
    count = SymValue("SymInt", "u0")
    plain = made(given("x"), call("n", "aten.item.default", "%x", value=count), outputs=("n",))
    ranged = replace(plain, ranges=freeze({symbol: Range(1, 4)}))
    assert proof(ranged, plain).same is same
    assert proof(plain, ranged).same is same
    if same:
        assert dict(proof(ranged, plain).rules) == {"ranges of symbols that are in no value": 1}
