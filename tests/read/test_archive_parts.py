"""What stands around the graphs: payloads, compiled models, sources, signature, versions, notices."""

import io
import json
import os

import pytest
from hostile.archive_parts import DTYPES, FIXTURES, edited, members, packed

from graphlens.errors import SourceError
from graphlens.program.argument import Map
from graphlens.program.parts import Payload
from graphlens.read import read
from graphlens.read.source_paths import kept_file, kept_trace, source_lines

METADATA = {"AOTI_DEVICE_KEY": "cuda", "AOTI_MACHINE": "x86_64"}
COMPILED = {
    "net/data/aotinductor/model/abc.wrapper.so": b"\x7fELF" + bytes(100),
    "net/data/aotinductor/model/abc.wrapper.cpp": b"int main(){}",
    "net/data/aotinductor/model/abc.wrapper_metadata.json": json.dumps(METADATA).encode(),
    "net/data/aotinductor/second\\def.so": b"\x7fELF",
    "net/archive_format": b"pt2",
    "net/archive_version": b"0",
}


def test_an_archive_of_compiled_models_is_listed_and_described():
    program = read(io.BytesIO(packed(COMPILED)))
    assert len(program.graph) == 0
    assert "compiled by AOTInductor: model, second" in program.notices[0].message
    assert {payload.kind for payload in program.payloads} == {"aotinductor"}
    assert len(program.payloads) == 4
    described = dict(program.meta["aotinductor"].items)
    assert described["model"] == Map((("files", 3), ("bytes", 104 + 12 + len(json.dumps(METADATA))), *METADATA.items()))
    assert "abc.wrapper.so" in str([payload.member for payload in program.payloads])
    assert str(program)


def test_compiled_models_beside_a_program():
    parts = {name.replace("dtypes/", "net/"): data for name, data in members(DTYPES).items()}
    program = read(io.BytesIO(packed({**parts, **COMPILED})))
    assert program.graphs == read(DTYPES).graphs
    assert "model" in dict(program.meta["aotinductor"].items)
    assert not program.notices


def test_payloads_are_listed_and_named():
    extra = {
        "dtypes/extra/notes.txt": b"hi", "dtypes/data/executorch/x.pte": b"e", "dtypes/data/constants/custom_obj_0": b"c",
        "dtypes/data/constants/opaque_obj_0": b"o", "dtypes/what/ever": b"w",
    }  # fmt: skip
    program = read(io.BytesIO(packed({**members(DTYPES), **extra})))
    kinds = {payload.member.removeprefix("dtypes/"): payload.kind for payload in program.payloads}
    assert kinds == {
        "data/weights/weight_0": "weight", "data/weights/weight_1": "weight", "data/constants/tensor_0": "constant",
        "data/sample_inputs/model.pt": "example inputs", ".data/version": "zip bookkeeping",
        ".data/serialization_id": "zip bookkeeping", "extra/notes.txt": "extra", "data/executorch/x.pte": "executorch",
        "data/constants/custom_obj_0": "script object", "data/constants/opaque_obj_0": "pickle", "what/ever": "other",
    }  # fmt: skip
    weight = next(payload for payload in program.payloads if payload.kind == "weight")
    assert isinstance(weight, Payload)
    assert (weight.size, weight.crc32) == (12, next(t.crc32 for t in program.stored if t.fqn == "h"))
    assert program.example_inputs == "dtypes/data/sample_inputs/model.pt (1577 bytes, a pickle: not opened)"


def test_signature_and_versions():
    program = read(FIXTURES / "torch-2.13.0" / "pytree.pt2")
    assert [(spec.kind, spec.argument, spec.constant, spec.path) for spec in program.inputs] == [
        ("user_input", "batch_a", None, "args[0]['a']"), ("user_input", "batch_b_0", None, "args[0]['b'][0]"),
        ("user_input", "batch_b_1", None, "args[0]['b'][1]"), ("user_input", "scale", 3.0, "kwargs['scale']"),
    ]  # fmt: skip
    assert [(spec.argument, spec.constant, spec.path) for spec in program.outputs] == [
        ("add", None, "['sum']"), ("", None, "['none']"), ("", 3, "['n']"),
    ]  # fmt: skip
    versions = program.versions
    assert (versions.schema, versions.archive, versions.dialect) == ("8.20", "pt2 archive 0", "TRAINING")
    assert versions.opset == {"aten": 10}
    mutated = read(FIXTURES / "torch-2.5.1" / "training_conv.pt2").outputs
    assert [(spec.kind, spec.target) for spec in mutated[:2]] == [
        ("buffer_mutation", "bn.running_mean"), ("buffer_mutation", "bn.running_var"),
    ]  # fmt: skip


def with_paths(tree):
    trace = (
        f'  File "{os.getcwd()}/mine/model.py", line 3, in forward\n    return secret(x)\n'
        '  File "/home/someone/projects/net/layers.py", line 7, in call\n    y = x\n'
        '  File "/usr/lib/python3.11/site-packages/torch/nn/linear.py", line 9, in forward\n    return F.linear()\n'
    )
    tree["graph_module"]["graph"]["nodes"][2]["metadata"]["stack_trace"] = trace


@pytest.mark.parametrize(
    ("policy", "files"),
    [
        ("relative", ["mine/model.py", "…/net/layers.py", "site-packages/torch/nn/linear.py"]),
        (
            "full",
            [None, "/home/someone/projects/net/layers.py", "/usr/lib/python3.11/site-packages/torch/nn/linear.py"],
        ),
    ],
)
def test_source_paths_are_kept_as_the_policy_says(policy, files):
    program = read(edited(DTYPES, with_paths), source=policy)
    files[0] = files[0] or f"{os.getcwd()}/mine/model.py"
    trace = program.graph["add"].stack_trace
    assert [line.split('"')[1] for line in trace.splitlines() if line.lstrip().startswith("File")] == files
    assert {file: dict(lines) for file, lines in program.sources.items() if "make_archives" not in file} == {
        files[0]: {3: "return secret(x)"}, files[1]: {7: "y = x"}, files[2]: {9: "return F.linear()"},
    }  # fmt: skip


def test_no_source_at_all():
    program = read(edited(DTYPES, with_paths), source="none")
    assert program.sources == {}
    assert not any("stack_trace" in node.meta for _, node in program.walk())
    assert "secret" not in repr(program.graphs)
    with pytest.raises(SourceError, match="not a policy"):
        read(DTYPES, source="some")


def test_a_file_that_an_archive_names_is_not_opened(tmp_path):
    secret = tmp_path / "settings.py"
    secret.write_text("import os\nPASSWORD = 'x'\n")

    def edit(tree):
        trace = f'  File "{secret}", line 1, in f\n    import os\n'
        tree["graph_module"]["graph"]["nodes"][2]["metadata"]["stack_trace"] = trace

    for policy in ("relative", "full"):
        assert "PASSWORD" not in repr(read(edited(DTYPES, edit), source=policy).sources)


def test_lines_around_are_read_for_live_objects_and_only_while_they_are_the_same(tmp_path):
    file = tmp_path / "model.py"
    file.write_text("a = 1\nb = 2\nc = 3\nd = 4\n")
    trace = f'  File "{file}", line 2, in f\n    b = 2\n'
    kept = kept_file(str(file), "relative")
    assert source_lines([trace], "full", read_files=True) == {
        str(file): {1: "a = 1", 2: "b = 2", 3: "c = 3", 4: "d = 4"}
    }
    assert list(source_lines([trace], "relative", read_files=True)) == [kept]
    assert source_lines([trace], "full", read_files=False) == {str(file): {2: "b = 2"}}
    file.write_text("something\nelse\n\n\n")
    os.utime(file, (1, 1))
    assert source_lines([trace], "full", read_files=True) == {str(file): {2: "b = 2"}}
    assert source_lines([trace], "none", read_files=True) == {}
    assert kept_trace(trace, "none") is None
    assert str(tmp_path) not in kept_trace(trace, "relative")
