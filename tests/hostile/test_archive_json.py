"""JSON that is broken, of other types, newer, or inconsistent: an error with its path, or a label and an open program."""

import io
import json
import math

import pytest
from hostile.archive_parts import (
    DTYPES,
    DYNAMIC,
    NESTED,
    OLD,
    edited,
    graph_of,
    members,
    packed,
    program_member,
    replaced,
)

from graphlens.errors import ArchiveError
from graphlens.program.argument import Const, Map, Opaque, Ref, Seq
from graphlens.read import read


def refused(source, *words):
    with pytest.raises(ArchiveError) as caught:
        read(source)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def set_at(*path):
    """Return an edit that puts the last item where the others lead."""
    *way, last, value = path

    def edit(tree):
        for step in way:
            tree = tree[step]
        tree[last] = value

    return edit


GRAPH = ("graph_module", "graph")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ((*GRAPH, "nodes"), {}, ["Expected `array`, got `object`", "$.graph_module.graph.nodes"]),
        ((*GRAPH, "nodes", 3, "target"), 7, ["Expected `str`, got `int`", "$.graph_module.graph.nodes[3].target"]),
        ((*GRAPH, "nodes", 1, "inputs", 0, "arg"), 7, ["got `int`", ".nodes[1].inputs[0].arg"]),
        ((*GRAPH, "nodes", 1, "inputs", 1, "arg"), {"as_int": "x"}, ["got `str`", ".nodes[1].inputs[1].arg.as_int"]),
        ((*GRAPH, "nodes", 1, "inputs", 1, "arg"), {"as_ints": [1, True]}, [".nodes[1].inputs[1].arg.as_ints[1]"]),
        ((*GRAPH, "nodes", 1, "inputs", 1, "arg"), {}, ["0 members", ".nodes[1].inputs[1].arg"]),
        (
            (*GRAPH, "nodes", 1, "inputs", 1, "arg"),
            {"as_int": 1, "as_bool": True},
            ["2 members", ".nodes[1].inputs[1]"],
        ),
        ((*GRAPH, "nodes", 1, "outputs", 0), {"as_tensor": {"nome": "x"}}, ["name", ".nodes[1].outputs[0].as_tensor"]),
        ((*GRAPH, "nodes", 1, "metadata", "stack_trace"), ["x"], [".nodes[1].metadata.stack_trace"]),
        ((*GRAPH, "nodes", 1, "metadata", "custom"), "{broken", ["no JSON", ".nodes[1].metadata.custom"]),
        ((*GRAPH, "tensor_values", "x", "dtype"), "float", ["got `str`", "tensor_values.x.dtype"]),
        ((*GRAPH, "tensor_values", "x", "sizes"), [7], ["tensor_values.x.sizes[0]"]),
        ((*GRAPH, "tensor_values", "x", "sizes"), [{"as_int": 1.5}], ["tensor_values.x.sizes[0].as_int"]),
        ((*GRAPH, "inputs", 0), "x", ["$.graph_module.graph.inputs[0]"]),
        ((*GRAPH, "outputs", 1), None, ["$.graph_module.graph.outputs[1]"]),
        (("graph_module", "signature", "input_specs", 2), {"tensor_constant": 3}, ["input_specs[2]"]),
        (("graph_module", "signature", "output_specs", 0), {}, ["output_specs[0]", "0 members"]),
        (("graph_module", "module_call_graph"), None, ["$.graph_module.module_call_graph"]),
        (("schema_version",), "8.20", ["$.schema_version"]),
        (("range_constraints",), {"s0": [1, 2]}, ["$.range_constraints"]),
        (("opset_version",), {"aten": "ten"}, ["$.opset_version"]),
    ],
)
def test_wrong_types_name_file_member_and_path(path, value, words):
    refused(edited(DTYPES, set_at(*path, value)), "BytesIO", "dtypes/models/model.json", *words)


def test_wrong_types_in_the_tables_of_weights():
    parts = members(DTYPES)
    name = "dtypes/data/weights/model_weights_config.json"
    parts[name] = parts[name].replace(b'"is_param": false', b'"is_param": 0', 1)
    refused(io.BytesIO(packed(parts)), name, "$.config", "is_param")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"[]", b"{}", b"null", b'{"graph_module": {', b"\x00\x01"])
def test_a_program_that_is_no_json_object(content):
    parts = members(DTYPES)
    parts[program_member(parts)] = content
    refused(io.BytesIO(packed(parts)), "dtypes/models/model.json")


def test_nesting_beyond_any_program():
    deep = b"[" * 100_000 + b"]" * 100_000
    refused(replaced(DTYPES, b'"guards_code": []', b'"guards_code": ' + deep), "nested too deeply")
    refused(replaced(DTYPES, b'{"as_int": 2}, "kind"', b'{"as_ints": ' + deep + b'}, "kind"', 1), "nested too deeply")
    inner = {"as_int": 1}
    for _ in range(150):
        inner = {"as_string_to_argument": {"k": inner}}
    refused(edited(DTYPES, set_at(*GRAPH, "nodes", 6, "inputs", 1, "arg", inner)), "nested more than 100 deep")


def test_nested_dicts_of_arguments_are_read():
    argument = {
        "as_string_to_argument": {
            "a": {"as_int": 1},
            "b": {"as_string_to_argument": {}},
            "c": {"as_tensor": {"name": "x"}},
        }
    }
    program = read(edited(DTYPES, set_at(*GRAPH, "nodes", 6, "inputs", 1, "arg", argument)))
    assert program.graph["mul"].args[1] == Map((("a", 1), ("b", Map(())), ("c", Ref("x"))))


def test_bytes_that_are_no_utf8():
    refused(replaced(DTYPES, b'"verifiers": ["TRAINING"]', b'"verifiers": ["TRAIN\xff\xfe"]'), "not UTF-8", "byte")
    refused(replaced(DTYPES, b"Dtypes", b"Dty\xff\xffpes"), "not UTF-8", "nn_module_stack")


def test_surrogates_that_stand_alone_become_replacement_characters():
    text = replaced(DTYPES, b"make_archives.py", rb"make\ud800_\\ud800_archives\ud83d\ude00.py")
    trace = read(text).graph["add"].stack_trace
    assert "make\ufffd_\\ud800_archives\U0001f600.py" in trace
    trace.encode()


@pytest.mark.parametrize(
    ("token", "expected"),
    [(b"NaN", math.nan), (b"Infinity", math.inf), (b"-Infinity", -math.inf), (b'"NaN"', math.nan), (b'"Infinity"', math.inf),
     (b'"-Infinity"', -math.inf), (b"1e999", math.inf), (b"-0.0", -0.0), (b"3", 3.0)],
)  # fmt: skip
def test_numbers_that_are_not_finite(token, expected):
    program = read(
        replaced(
            DTYPES,
            b'{"as_int": 2}, "kind": 1}], "outputs": [{"as_tensor": {"name": "mul"}}]',
            b'{"as_float": ' + token + b'}, "kind": 1}], "outputs": [{"as_tensor": {"name": "mul"}}]',
        )
    )
    found = program.graph["mul"].args[1]
    assert type(found) is float
    assert repr(found) == repr(expected)


def test_integers_of_any_size():
    program = read(edited(DTYPES, set_at(*GRAPH, "nodes", 6, "inputs", 1, "arg", {"as_int": 10**40})))
    assert program.graph["mul"].args[1] == 10**40
    refused(
        replaced(DTYPES, b'"other", "arg": {"as_int": 2}', b'"other", "arg": {"as_int": ' + b"9" * 5000 + b"}"),
        "model.json",
    )


def test_a_name_of_a_million_characters():
    name = "n" * 1_000_000
    program = read(io.BytesIO(replaced(DTYPES, b'"name": "to"', b'"name": "' + name.encode() + b'"').getvalue()))
    assert name in program.graph
    assert program.graph["add"].args[0] == Ref(name)
    assert all(len(notice.message) < 1000 for notice in program.notices)
    assert len(str(program.notices)) < 20_000


def test_references_to_nothing_and_to_later_nodes_are_labelled():
    def edit(tree):
        nodes = graph_of(tree)["nodes"]
        nodes[1]["inputs"][0]["arg"] = {"as_tensor": {"name": "gone"}}
        nodes[2]["inputs"][0]["arg"] = {"as_tensor": {"name": "mul_1"}}  # computed later: a cycle, if it used this
        nodes[3]["inputs"][0]["arg"] = {"as_tensors": [{"name": "b_q"}, {"name": "gone too"}]}

    program = read(edited(DTYPES, edit))
    assert program.graph["to"].args[0] == Opaque("undefined value", "gone")
    assert program.graph["add"].args[0] == Opaque("undefined value", "mul_1")
    assert program.graph.nodes[7].args[0] == Seq("list", (Ref("b_q"), Opaque("undefined value", "gone too")))
    messages = [notice.message for notice in program.notices]
    assert any("'gone' is used, and nothing has that name" in m for m in messages)
    assert any("'mul_1' is used before it is computed" in m for m in messages)
    assert any(notice.where.endswith("nodes[1].inputs[0].arg") for notice in program.notices)


def test_a_node_that_uses_itself():
    program = read(edited(DTYPES, set_at(*GRAPH, "nodes", 6, "inputs", 0, "arg", {"as_tensor": {"name": "mul"}})))
    assert program.graph["mul"].args[0] == Opaque("undefined value", "mul")
    assert program.graph.users["mul"] == ("output",)


def test_outputs_and_inputs_of_other_kinds():
    def edit(tree):
        graph_of(tree)["outputs"] += [{"as_string": "text"}, {"as_tensor": {"name": "gone"}}, {"as_new": 1}]
        graph_of(tree)["inputs"].append({"as_strings": ["a"]})

    program = read(edited(DTYPES, edit))
    assert program.graph.output.args[0].items[3:] == ("text", Opaque("undefined value", "gone"), Opaque("as_new", "1"))
    assert program.graph.placeholders[-1].name == "arg4"


def test_two_nodes_of_one_name():
    program = read(edited(DTYPES, set_at(*GRAPH, "nodes", 6, "outputs", 0, {"as_tensor": {"name": "add"}})))
    assert [node.name for node in program.graph.nodes if node.name.startswith("add")] == ["add", "add_1", "add_2"]
    assert len(program.graph.index) == len(program.graph)
    assert any("two nodes are called 'add'" in notice.message for notice in program.notices)


def test_values_that_nothing_is_said_about():
    def edit(tree):
        del graph_of(tree)["tensor_values"]["to"]

    program = read(edited(DTYPES, edit))
    assert program.graph["to"].value is None
    assert any("'to'" in notice.message for notice in program.notices)


def test_enum_values_of_the_future_are_labelled():
    def edit(tree):
        graph_of(tree)["tensor_values"]["to"] |= {"dtype": 99, "layout": 77}
        graph_of(tree)["nodes"][0]["inputs"][1]["arg"] = {"as_scalar_type": 98}
        graph_of(tree)["nodes"][0]["inputs"][3]["arg"] = {"as_memory_format": 55}

    program = read(edited(DTYPES, edit))
    assert program.graph["to"].value.dtype == "ScalarType(99)"
    assert program.graph["to"].value.layout == "Layout(77)"
    check = program.graph.nodes[4]
    assert check.kwargs["dtype"] == Const("dtype", "ScalarType(98)")
    assert check.kwargs["layout"] == Const("memory_format", "MemoryFormat(55)")


def test_union_members_of_the_future_are_labelled():
    def edit(tree):
        graph_of(tree)["nodes"][1]["inputs"][1]["arg"] = {"as_tensor_of_tensors": {"rank": 3}}
        graph_of(tree)["nodes"][2]["outputs"] = [{"as_quantum": [1, 2]}]
        tree["graph_module"]["signature"]["input_specs"][0] = {"lifted_thing": {"arg": {"name": "b_h"}}}
        tree["graph_module"]["signature"]["output_specs"][1] = {"telepathy": {"arg": {"as_none": True}}}

    program = read(edited(DTYPES, edit))
    assert program.graph["to"].args[1] == Opaque("as_tensor_of_tensors", '{"rank": 3}')
    assert program.inputs[0].kind == "lifted_thing"
    assert program.outputs[1].kind == "telepathy"
    assert {"'as_tensor_of_tensors'", "'lifted_thing'", "'telepathy'"} <= {
        word for notice in program.notices for word in notice.message.split()
    }


def test_fields_of_the_future_are_kept_and_shown():
    def edit(tree):
        tree["compiler"] = {"name": "x"}
        graph_of(tree)["nodes"][2] |= {"priority": 7, "hint": {"a": [1]}}
        graph_of(tree)["tensor_values"]["to"]["sparsity"] = 0.5
        tree["graph_module"]["signature"]["input_specs"][0]["buffer"]["lazy"] = True

    program, before = read(edited(DTYPES, edit)), read(DTYPES)
    assert program.graph["add"].meta["priority"] == "7"
    assert program.graph["add"].meta["hint"] == '{"a": [1]}'
    assert [n.name for n in program.graph.nodes] == [n.name for n in before.graph.nodes]
    assert program.graph["to"] == before.graph["to"]
    assert program.inputs == before.inputs
    kept = dict(program.meta["unknown_fields"].items)
    assert kept["$.compiler"] == '{"name": "x"}'
    assert kept["$.graph_module.graph.tensor_values.to.sparsity"] == "0.5"
    assert kept["$.graph_module.signature.input_specs[0].buffer.lazy"] == "true"
    assert len(kept) == 3
    shown = " ".join(f"{notice.where} {notice.message}" for notice in program.notices)
    for word in ("'compiler'", "'priority'", "'sparsity'", "'lazy'", "0.5", "tensor_values.to", "input_specs[0]"):
        assert word in shown, shown


@pytest.mark.parametrize("source", [NESTED, OLD], ids=["pt2", "old zip"])
def test_an_unknown_major_version_is_read_as_far_as_it_can_be(source):
    def edit(tree):
        tree["schema_version"] = {"major": 12, "minor": 1}
        del tree["graph_module"]["graph"]["sym_bool_values"]
        del tree["graph_module"]["signature"]
        tree["graph_module"]["graph"]["nodes"][0]["inputs"][0]["arg"] = {"as_int": "of another type"}
        name = tree["graph_module"]["graph"]["nodes"][1]["outputs"][0]
        if "as_tensor" in name:
            tree["graph_module"]["graph"]["tensor_values"][name["as_tensor"]["name"]] = {"shape": [1, 2]}

    program, before = read(edited(source, edit)), read(source)
    assert [n.target for n in program.graph.nodes] == [n.target for n in before.graph.nodes]
    assert program.versions.schema == "12.1"
    first = program.notices[0]
    assert "schema 12.1" in first.message
    assert sum("schema 12.1" in notice.message for notice in program.notices) == 1
    labelled = next(n for n in program.graph.nodes if n.op == "call_function")
    assert isinstance(labelled.args[0], Opaque)


def test_what_does_not_fit_a_known_version_is_refused():
    def edit(tree):
        del tree["graph_module"]["signature"]

    refused(edited(NESTED, edit), "missing required field `signature`", "$.graph_module")


def test_module_stacks_that_cannot_be_told_apart_are_kept():
    program = read(replaced(DTYPES, b"L__self__,,__main__.Dtypes", b"no commas here;a,b,c,d;k,p,T[x,(y)]"))
    stack = program.graph["add"].module_stack
    assert [(call.key, call.path, call.type) for call in stack] == [
        ("no commas here", "", ""), ("a", "b,c", "d"), ("k", "p", "T[x,(y)]"),
    ]  # fmt: skip
    assert any("three parts" in notice.message for notice in program.notices)


@pytest.mark.parametrize(
    "expr", ["", "(((", "__import__('os').system('x')", "s0 +", "1/0", "9" * 5000, "Symbol(", "Add(" * 4000]
)
def test_expressions_that_are_none_stay_text(expr):
    old = b"Symbol('s23', positive=True, integer=True)"
    data = members(DYNAMIC)[program_member(members(DYNAMIC))]
    old = old if old in data else data[data.index(b'"expr_str": "') + 13 :].split(b'"', 1)[0]
    program = read(replaced(DYNAMIC, old, json.dumps(expr)[1:-1].encode()))
    assert program.symbol_table is not None
    shapes = [str(n.value.shape) for n in program.graph.placeholders]
    assert any(expr.strip()[:50] in shape or "**(-1)" in shape for shape in shapes)


def test_weights_whose_description_does_not_fit_their_bytes():
    parts = members(DTYPES)
    name = "dtypes/data/weights/model_weights_config.json"
    tree = json.loads(parts[name])
    tree["config"]["h"]["tensor_meta"]["sizes"] = [{"as_int": 1 << 40}, {"as_int": 3}]
    tree["config"]["q"]["path_name"] = "weight_77"
    tree["config"]["new"] = {"path_name": "weight_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    tree["config"]["neg"] = json.loads(json.dumps(tree["config"]["h"]))
    tree["config"]["neg"]["tensor_meta"] |= {"sizes": [{"as_int": -1}], "strides": [{"as_int": 1}]}
    tree["config"]["wide"] = json.loads(json.dumps(tree["config"]["h"]))
    tree["config"]["wide"]["tensor_meta"] |= {"sizes": [{"as_int": 1 << 60}], "strides": [{"as_int": 0}]}
    parts[name] = json.dumps(tree).encode()
    program = read(io.BytesIO(packed(parts)))
    by_name = {tensor.fqn: tensor for tensor in program.stored}
    assert all(by_name[fqn].content is None and by_name[fqn].note for fqn in ("h", "q", "new", "neg", "wide"))
    assert "pickled" in by_name["new"].note
    assert any("weight_77" in notice.message for notice in program.notices)


def test_a_table_of_weights_that_is_missing():
    parts = members(DTYPES)
    del parts["dtypes/data/weights/model_weights_config.json"]
    program = read(io.BytesIO(packed(parts)))
    assert [tensor.fqn for tensor in program.stored] == ["view_of_h"]


def test_notices_do_not_grow_with_the_file():
    def edit(tree):
        node = graph_of(tree)["nodes"][1]
        graph_of(tree)["nodes"] += [
            {
                **node,
                "name": f"n{i}",
                "inputs": [{"name": "self", "arg": {"as_tensor": {"name": f"gone{i}"}}, "kind": 1}],
                "outputs": [],
            }
            for i in range(500)
        ]

    notices = read(edited(DTYPES, edit)).notices
    assert len(notices) < 30
    assert any("480 more" in notice.message for notice in notices)
