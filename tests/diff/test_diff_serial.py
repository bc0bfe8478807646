"""What is written as JSON is read back as it was: rows of every kind of value, other tables, proof, verdict."""

from __future__ import annotations

import json

import pytest
from diff import edits
from diff.exports import nested_program
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from graphlens.diff import Diff, Proof, compare
from graphlens.diff.proof import Refusal
from graphlens.diff.rows import SEVERITIES, Mismatch
from graphlens.errors import DiffError
from graphlens.program.argument import Const, Map, Opaque, Ref, Seq, Slice
from graphlens.program.frozen import freeze
from graphlens.program.graph import ModuleCall, Provenance, Subgraph
from graphlens.program.parts import InputSpec, ModuleSignature, OutputSpec, Range, StoredTensor
from graphlens.program.value import ConstValue, ContainerValue, OpaqueValue, SymValue, TensorValue

TEXT = st.text(st.characters(), max_size=6)
LITERAL = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), TEXT, st.just(2**70), st.just("$type")
)


def arguments(inner):
    many = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Seq, st.sampled_from(["tuple", "list"]), many),
        st.builds(Map, st.lists(st.tuples(inner, inner), max_size=2).map(tuple)),
        st.builds(Slice, inner, inner, inner),
    )


ARGUMENT = st.recursive(
    st.one_of(LITERAL, st.builds(Ref, TEXT), st.builds(Const, TEXT, TEXT), st.builds(Opaque, TEXT, TEXT)), arguments
)
SIZES = st.lists(st.one_of(st.integers(0, 9), TEXT), max_size=3).map(tuple)
TENSOR = st.builds(
    TensorValue,
    shape=SIZES,
    dtype=TEXT,
    stride=st.none() | SIZES,
    type=st.none() | TEXT,
    conj=st.none() | st.booleans(),
)
VALUE = st.recursive(
    st.one_of(
        TENSOR,
        st.builds(SymValue, st.just("SymInt"), TEXT, st.none() | st.integers() | st.floats()),
        st.builds(ConstValue, LITERAL),
        st.builds(OpaqueValue, TEXT, TEXT),
    ),
    lambda inner: st.builds(
        ContainerValue, st.sampled_from(["tuple", "dict"]), st.lists(st.none() | inner, max_size=3).map(tuple)
    ),
)
CALL = st.builds(ModuleCall, TEXT, TEXT, TEXT)
PROVENANCE = st.builds(Provenance, TEXT, TEXT, TEXT, st.lists(TEXT, max_size=2).map(tuple), st.integers())
PART = st.one_of(
    st.builds(InputSpec, kind=TEXT, argument=TEXT, constant=LITERAL),
    st.builds(OutputSpec, kind=TEXT, argument=TEXT),
    st.builds(Range, st.none() | st.integers(), st.none() | st.floats()),
    st.builds(StoredTensor, fqn=TEXT, kind=TEXT, shape=st.none() | SIZES, type=st.none() | TEXT),
    st.builds(ModuleSignature, fqn=TEXT, inputs=st.lists(TEXT, max_size=2).map(tuple)),
    st.builds(Subgraph, TEXT, TEXT, TEXT),
    st.builds(Refusal, graph=TEXT, node_a=TEXT, node_b=TEXT, check=TEXT, message=TEXT),
)
ANYTHING = st.one_of(
    ARGUMENT,
    VALUE,
    PART,
    st.lists(st.one_of(CALL, PROVENANCE, TEXT), max_size=3).map(tuple),
    st.dictionaries(st.one_of(TEXT, st.integers()), ARGUMENT, max_size=3).map(freeze),
)
ROW = st.builds(
    Mismatch,
    graph=TEXT,
    node_a=st.none() | TEXT,
    node_b=st.none() | TEXT,
    target=TEXT,
    module=TEXT,
    source=TEXT,
    field=st.sampled_from(["args", "val.shape", "weights[a.0.b]", "custom"]) | TEXT,
    kind=st.sampled_from(["changed", "lost", "added", "renamed", "moved", "only_a", "only_b", "ambiguous"]),
    severity=st.sampled_from(SEVERITIES),
    cause=st.sampled_from(["root", "inherited"]),
    a=TEXT,
    b=TEXT,
    graph_b=st.none() | TEXT,
    value_a=ANYTHING,
    value_b=ANYTHING,
)


def same(one: Diff, two: Diff) -> None:
    """Told by their texts, which see `1` and `True`, `0.0` and `-0.0` apart and a NaN as itself."""
    for part in (
        "rows",
        "node_rows",
        "pattern_rows",
        "proof",
        "quality",
        "verdict",
        "ok",
        "worst",
        "settings",
        "ignored",
    ):
        assert repr(getattr(two, part)) == repr(getattr(one, part)), part
    assert two.to_dict() == one.to_dict()
    assert str(two) == str(one)


@settings(max_examples=100, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=3))
def test_rows_of_every_kind_of_value(rows):
    proof = Proof(level="different", refusals=(Refusal(graph="", node_a="a", node_b="b", check="edge", message="no"),))
    diff = Diff(a=None, b=None, alignment=None, proof=proof, rows=tuple(rows))
    text = diff.to_json()
    assert text.isascii()
    assert json.loads(text) == diff.to_dict()
    same(diff, Diff.from_json(text))


def without_content(diff: Diff) -> Diff:
    """Leave out where elements can be had, which no text can hold."""

    def bare(value):
        return replace(value, content=None) if isinstance(value, StoredTensor) else value

    rows = tuple(replace(row, value_a=bare(row.value_a), value_b=bare(row.value_b)) for row in diff.rows)
    return Diff(
        a=diff.a, b=diff.b, alignment=diff.alignment, proof=diff.proof, rows=rows, settings=diff.settings, ignored=diff.ignored
    )  # fmt: skip


def test_a_diff_with_many_kinds_of_rows():
    program = nested_program()
    edited, _ = edits.change_target(program, ("map_impl.f", "cos"))
    edited, _ = edits.change_facet(edited, ("", "linear"), "type")
    edited, _ = edits.insert_after(edited, ("cond.false_fn", "neg"))
    edited = edits.with_meta(
        edited, ("", "sin"), nn_module_stack=(ModuleCall("k", "p", "T"),), custom=Map((("k", 1.0),))
    )
    edited = replace(edits.change_one_element(edited, "scale"), ranges=freeze({}))
    for options in (
        {},
        {"profile": "pytorch"},
        {"severities": {("val.*", "changed"): "cosmetic"}, "ignore": ["custom"]},
    ):
        diff = without_content(compare(program, edited, **options))
        assert diff.rows
        same(diff, Diff.from_json(diff.to_json()))
        same(diff, Diff.from_json(Diff.from_json(diff.to_json()).to_json()))


def test_a_value_that_is_nested_too_deeply_for_json_is_labelled():
    program, place, deep = nested_program(), ("", "sin"), Seq("list", ())
    for _ in range(2000):
        deep = Seq("list", (deep,))
    diff = compare(program, edits.with_meta(program, place, custom=Map((("k", deep),))))
    back = Diff.from_json(diff.to_json())
    assert back.verdict == diff.verdict
    assert "nested too deeply" in diff.to_json()


@pytest.mark.parametrize("value", [{"$type": "Nope"}, {"a": 1}, {"$type": ["x"]}, {"$type": "Ref"}, {"$type": "float"}])
def test_a_value_that_is_none_is_refused_in_one_line(value):
    program = nested_program()
    data = compare(program, edits.with_meta(program, ("", "sin"), custom=None, stack_trace=None)).to_dict()
    for row in data["mismatches"]:
        row["value_a"] = value
    with pytest.raises(DiffError, match="not a diff of graphlens") as caught:
        Diff.from_json(json.dumps(data))
    assert "\n" not in str(caught.value)


def test_what_version_1_wrote_is_read():
    """It wrote every field of every row, and every value where it is."""
    diff = compare(nested_program(), edits.with_meta(nested_program(), ("", "sin"), stack_trace="x" * 50, custom="y"))
    data = json.loads(diff.to_json())
    assert (data["version"], data["values"]) == (2, [nested_program().graphs[""]["sin"].stack_trace, "x" * 50])
    values = data.pop("values")
    for row in data["mismatches"]:
        for name in ("graph_b", "aspect", "where", "inherited_from", "value_a", "value_b"):
            held = row.setdefault(name, None if name in ("graph_b", "value_a", "value_b") else "")
            row[name] = values[held["$value"]] if isinstance(held, dict) and "$value" in held else held
    old = Diff.from_json(json.dumps(data | {"version": 1}))
    assert old.rows == diff.rows
    assert old.verdict == diff.verdict


def test_values_that_many_rows_have_are_written_once():
    program = nested_program()
    edited = program
    for node in program.graph.nodes:
        if node.stack_trace:
            edited = edits.with_meta(edited, ("", node.name), stack_trace="another line of another file, " * 20)
    diff = compare(program, edited)
    text = diff.to_json()
    assert len(diff.rows) > 20
    assert text.count("another line of another file, " * 20) == 1
    assert Diff.from_json(text).rows == diff.rows
    assert text.isascii()


@pytest.mark.parametrize("number", [-1, 99, "0", None, True, 0.0])
def test_a_reference_to_no_value_is_refused(number):
    data = json.loads(compare(*(edits.with_meta(nested_program(), ("", "sin"), custom=c * 50) for c in "ab")).to_json())
    data["mismatches"][0]["value_a"] = {"$value": number}
    with pytest.raises(DiffError, match="there is no value"):
        Diff.from_json(json.dumps(data))
