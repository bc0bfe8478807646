"""Every field of the program model, changed by reflection: a field that no row ever mentions would be a false "same"."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

import pytest
from diff.mutants import full_program, mutants

from graphlens.diff import Diff, compare
from graphlens.diff.rows import family
from graphlens.program.program import Program

NOT_COMPARED = {
    r"Node\(placeholder\)\.target": "the name of a parameter; what it stands for is in the signature",
    r"\.arg_names": "taken from the operator's schema",
    r"SymValue\.hint": "an example of a size",
    r"Subgraph\.where": "follows from the arguments",
    r"Provenance\.graph_id": "an address",
    r"meta\[seq_nr\]/$": "a counter of the process; its order is compared",
    r"symbol_table(Symbol\.(kind|hint|backed|bound|rangeRange\.(lower|upper))| less)": "follows from values and ranges",
    r"StoredTensor\.(nbytes|member|note)": "where it lies, not what it is",
    r"StoredTensor\.content": "where CRC-32s agree they are trusted, and the proof says so",
    r"(TensorValue|StoredTensor)\.storage$": "a number that only tells storages apart",
    r"stored order|module_calls order": "found by name",
    r"Program\.example_inputs": "a pickle that is not opened; whether there are any is compared",
    r"Versions\.(torch|dialect|archive)": "who wrote it; the verifiers are compared",
    r"Versions\.(opset|verifiers) less": "older files do not record it",
    r"Program\.schemas (less|key)": "files record none; the proof says so",
    r"Program\.(sources|payloads|notices|origin)": "source text, unopened members, remarks: about the file",
    r"Program\.folders": "folders left out by reading; the verdict names them, and PyTorch's own contract compares them",
    r"(Map\.items|meta\[custom\]/Map\.items) order": "a dict in metadata",
    r"meta\[nn_module_stack\] (less|key)": "may be empty, which says as much as none",
}
"""Places whose change is no difference (some of them only at some nodes), and why."""

FIELDS = {
    r"(?<!Program\.)meta\[(?!note)(\w+)\]": r"\1",
    r"Graph\.meta\[(\w+)\]": r"meta[\1]",
    r"Program\.meta\[(\w+)\]": r"meta[\1]",
    r"Node\(\w+\)\.kwargs": "kwargs",
    r"Node\(\w+\)\.args": "args",
    r"TensorValue\.(\w+)": r"val.\1",
    r"(ContainerValue|SymValue|OpaqueValue)\.(kind|type)": "val.type",
    r"(ConstValue\.value|SymValue\.expr|OpaqueValue\.text|ContainerValue\.keys( order)?|ContainerValue\.items less)$": "val",
    r"Node\((call_function|output)\)\.(code|target)": "target|proof",
    r"Node\((placeholder|call_function)\)\.name": "name|target",
    r"InputSpec|Program\.inputs": "signature.inputs",
    r"OutputSpec|Program\.outputs": "signature.outputs",
    r"Program\.ranges": "range_constraints",
    r"StoredTensor\.(storage|object)$": "aliasing",
    r"StoredTensor|Program\.stored less": "weights|constants",
    r"ModuleSignature|Program\.module_calls": "module_call_graph",
    r"Program\.guards": "guards",
    r"Program\.in_spec": "pytree.in",
    r"Program\.out_spec": "pytree.out",
    r"Versions\.schema": "schema_version",
    r"Versions\.opset": "opset_version",
    r"Versions\.verifiers": "verifier",
}
"""The field of the row that each place must have; the first pattern that fits decides."""

BROKEN = (
    r"Program\.graphs (less|key)|Graph\.nodes (less|order)|Subgraph|\.subgraphs|Ref\.node|Node\(get_attr\)|Node\(\w+\)\.op$"
    r"|Node\(output\)\.name|Symbol\.name|Program\.schemas/|items order"
)
"""Changes that leave no whole program, or many differences: that there is any is enough."""

IMPOSSIBLE = r"source_fn_stack\]/ less|ContainerValue\.keys less|ContainerValue\.items less"
"""Not a program at all: half a pair, a dict without a key."""


@cache
def diffs() -> list[tuple[str, Diff]]:
    """Compare with the first and the last program that has each kind of change."""
    return [(where, compare(full_program(), program)) for where, all_ in places().items() for program in all_]


@cache
def places() -> dict[str, list[Program]]:
    found: dict[str, list[Program]] = defaultdict(list)
    for where, program in mutants(full_program()):
        if "" in program.graphs and not re.search(IMPOSSIBLE, where):
            found[where].append(program)
    return {where: [all_[0], all_[-1]][: len(all_)] for where, all_ in found.items()}


def expected(where: str) -> str | None:
    for pattern, field in FIELDS.items():
        found = re.search(pattern, where)
        if found:
            return found.expand(field)
    return None


def test_the_program_is_no_different_from_itself():
    diff = compare(full_program(), full_program())
    assert diff.ok, str(diff)


def test_every_place_is_compared_or_there_is_a_reason_why_not():
    assert len(places()) > 250
    unknown = [
        where
        for where in places()
        if expected(where) is None and not any(re.search(p, where) for p in (*NOT_COMPARED, BROKEN))
    ]
    assert not unknown, "a field that no row mentions: compare it, or say in NOT_COMPARED why not"


@pytest.mark.parametrize("reason", NOT_COMPARED)
def test_every_reason_is_one(reason):
    assert any(re.search(reason, where) for where in places())


def test_each_change_gives_the_row_of_its_field():
    for where, diff in diffs():
        free = any(re.search(pattern, where) for pattern in NOT_COMPARED)
        assert free or not diff.ok, f"{where} is called the same"
        if not diff.ok and not re.search(BROKEN, where):
            rows = {row.field if row.field.startswith("meta[") else family(row.field) for row in diff.rows}
            wanted = expected(where)
            assert wanted is None or rows & set(wanted.split("|")), f"{where}: {wanted} expected\n{diff}"


def test_wrong_results_and_proofs_agree():
    for where, diff in diffs():
        severities = {row.severity for row in diff.rows}
        assert not ("wrong_result" in severities and diff.proof.same), f"{where}\n{diff}"
        assert diff.proof.level != "different" or severities & {"wrong_result", "breaks_pass"}, f"{where}\n{diff}"
