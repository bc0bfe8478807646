"""Archives of four torch releases: every pair of releases of one case, without torch."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from diff.edits import MIRROR
from msgspec.structs import replace

from graphlens.diff import Diff, compare, compare_many
from graphlens.program.program import Program
from graphlens.read import read

ARCHIVES = Path(__file__).parents[1] / "data" / "archives"
RELEASES = ("2.5.1", "2.9.1", "2.13.0", "2.15.0")
CASES = sorted({path.stem for path in ARCHIVES.glob("torch-*/*.pt2")})


@cache
def program(case: str, release: str) -> Program:
    return read(ARCHIVES / f"torch-{release}" / f"{case}.pt2")


@cache
def diff(case: str, a: str, b: str) -> Diff:
    return compare(program(case, a), program(case, b))


def has(case: str, release: str) -> bool:
    return (ARCHIVES / f"torch-{release}" / f"{case}.pt2").exists()


SINGLE = [(case, release) for case in CASES for release in RELEASES if has(case, release)]
PAIRS = [
    (case, a, b) for case in CASES for a, b in itertools.combinations(RELEASES, 2) if has(case, a) and has(case, b)
]  # fmt: skip


def rows(found: Diff, *severities: str) -> Counter[tuple[str, str, str]]:
    return Counter((r.family, r.kind, r.aspect) for r in found.rows if r.cause == "root" and r.severity in severities)


def test_there_are_pairs_of_every_release():
    assert len(PAIRS) > 30
    assert {release for _, *both in PAIRS for release in both} == set(RELEASES)


@pytest.mark.parametrize(("case", "release"), SINGLE)
def test_a_file_is_itself(case, release):
    found = diff(case, release, release)
    assert found.ok, str(found)
    assert found.proof.level == "identical"
    again = compare(program(case, release), read(ARCHIVES / f"torch-{release}" / f"{case}.pt2"))
    assert again.ok, str(again)


def worded(diff):
    """The rows, without the sentence that says of another order of effects what the other order is."""
    return [replace(row, a="", b="") if row.field == "order" and row.kind == "changed" else row for row in diff.rows]


@pytest.mark.parametrize(("case", "a", "b"), PAIRS)
def test_every_node_is_accounted_for_and_the_mirror_image_is_the_same(case, a, b):
    found, back = diff(case, a, b), diff(case, b, a)
    for side, release in (("node_a", a), ("node_b", b)):
        listed = Counter(n for row in found.node_rows for n in getattr(row, side).split(", ") if n)
        assert sum(listed.values()) == sum(len(graph) for graph in program(case, release).graphs.values())
    forward = Counter((r.node_a, r.node_b, r.family, r.kind, r.cause, r.a, r.b) for r in worded(found))
    backward = Counter(
        (r.node_b, r.node_a, r.family, MIRROR.get(r.kind, r.kind), r.cause, r.b, r.a) for r in worded(back)
    )
    assert forward == backward
    assert found.proof.level == back.proof.level
    assert not found.ok or found.proof.same
    assert found.proof.same or rows(found, "wrong_result", "breaks_pass"), str(found)


@pytest.mark.parametrize("case", [case for case in CASES if has(case, "2.15.0")])
def test_torch_2_15_writes_what_2_13_wrote(case):
    """The same programs; only lines of torch's own files moved, which `stack_trace="user"` does not count."""
    found = diff(case, "2.13.0", "2.15.0")
    assert found.proof.level == "identical", str(found)
    assert {row.field for row in found.rows} <= {"stack_trace"}
    quiet = compare(program(case, "2.13.0"), program(case, "2.15.0"), stack_trace="user")
    assert quiet.ok, str(quiet)
    assert any("CRC-32" in text for text in quiet.proof.assumptions) == bool(program(case, "2.13.0").stored)


@pytest.mark.parametrize("case", [case for case in CASES if has(case, "2.9.1")])
def test_torch_2_9_computes_what_2_13_computes(case):
    """Up to a flag that chooses the kernel of norms, which another build fills in otherwise, and one assertion that went."""
    found = diff(case, "2.9.1", "2.13.0")
    assert rows(found, "wrong_result") == {}, str(found)
    account = {
        "decoder_static": {("args", "added", "kernel"): 6},
        "decoder_dynamic": {("args", "added", "kernel"): 6},
        "training_conv": {("args", "changed", "kernel"): 1},
        "unbacked": {("target", "only_a", "assertion"): 1},
    }.get(case, {})
    assert rows(found, "breaks_pass") == account, str(found)
    assert found.proof.same == (not account)
    assert ("schema_version", "changed", "") in rows(found, "cosmetic")


NEWER = ("2.9.1", "2.13.0", "2.15.0")
EVERYWHERE = Counter({("module_call_graph", "added", "forward_arg_names"): 1})
TIED = Counter({
    ("args", "changed", "tied"): 1,  # the embedding reads the tensor by its other name
    ("signature.inputs", "renamed", ""): 1,
    ("weights", "added", "unread"): 1,
})  # fmt: skip
ONE_NAME = TIED + Counter({
    ("target", "changed", "same elements"): 6,  # split(16) for chunk(3), and view for reshape, in each of three layers
    ("source_fn_stack", "lost", ""): 68,
})  # fmt: skip
SINCE_2_5 = {
    "pytree": (Counter(), Counter({("source_fn_stack", "lost", ""): 2})),
    "decoder_static": (Counter(), ONE_NAME),
    "decoder_dynamic": (Counter(), ONE_NAME),
    "unbacked": (Counter(), Counter({
        ("target", "changed", "same elements"): 1,  # _to_copy for to
        ("target", "only_b", "assertion"): 1,
        ("range_constraints", "lost", ""): 3,
        ("source_fn_stack", "lost", ""): 6,
    })),
    "training_conv": (
        # 2.5 wrote the functional form: what batch_norm does to its buffers comes as three more outputs
        Counter({
            ("target", "changed", ""): 1,  # add for add_
            ("target", "changed", "rewritten"): 1,
            ("signature.outputs", "lost", ""): 3,
        }),
        Counter({("source_fn_stack", "lost", ""): 4}),
    ),
    "decoder_decomposed": (
        # the attention mask is negated and chosen the other way round, the projection after it is a bmm and a sum
        Counter({
            ("args", "changed", "literal"): 12,  # two scalars that changed places, two permutations
            ("args", "changed", "length"): 3,  # the view before the projection: [16, 16], [2, 8, 16]
            ("target", "changed", "rewritten"): 3,  # addmm, view: expand, view, bmm, view, add
            ("target", "only_a", ""): 3,  # logical_not
        }),
        TIED + Counter({
            ("target", "only_b", "preserving"): 3,  # the expand before the projection
            ("val.storage_offset", "changed", ""): 6,  # of the pieces of q, k and v, which 2.5 wrote as 0
            ("source_fn_stack", "lost", ""): 236,
        }),
    ),
}  # fmt: skip
NORMS = {"decoder_static": 6, "decoder_dynamic": 6}


def since_2_5(case: str, release: str) -> tuple[Counter[tuple[str, str, str]], Counter[tuple[str, str, str]]]:
    """The roots that are wrong results, and those that break passes."""
    wrong, breaking = SINCE_2_5[case]
    expected = breaking + EVERYWHERE
    if release != "2.9.1":  # what 2.13 does otherwise than 2.9
        expected["args", "added", "kernel"] = NORMS.get(case, 0)
        expected["target", "only_a", "assertion"] = int(case == "unbacked")
    return wrong, +expected


@pytest.mark.parametrize("release", NEWER)
@pytest.mark.parametrize("case", [case for case in CASES if has(case, "2.5.1")])
def test_torch_2_5_wrote_other_programs_of_the_same_models(case, release):
    """It pickled all weights, so that no value can be compared, and wrote one name for both inputs of a tied weight."""
    found = diff(case, "2.5.1", release)
    wrong, breaking = since_2_5(case, release)
    assert rows(found, "wrong_result") == wrong, str(found)
    assert rows(found, "breaks_pass") == breaking, str(found)
    assert found.proof.same == (case == "pytree")
    if program(case, "2.5.1").stored:
        assert any("equal where unknown" in text for text in found.proof.assumptions)


@pytest.mark.parametrize("release", NEWER)
@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("decoder")])
def test_a_tied_weight_of_torch_2_5_is_read_by_its_other_name(case, release):
    """2.5 has one name and two inputs for it, later releases two names of which they read the one: it is one tensor."""
    old = program(case, "2.5.1")
    assert [spec.target for spec in old.inputs if spec.argument in ("p_embed_weight", "p_head_weight")] == [
        "head.weight", "head.weight",
    ]  # fmt: skip
    assert [tensor.fqn for tensor in old.stored].count("head.weight") == 1
    found = diff(case, "2.5.1", release)
    told = {(row.node_a, row.a, row.b) for row in found.rows if row.aspect == "tied"}
    assert told == {("embedding", "p_embed_weight", "p_head_weight")}
    assert found.proof.rules["tied weight read under its other name"] == 1
    assert {refusal.message for refusal in found.proof.refusals if "head.weight" in refusal.message} == {
        "input target head.weight and embed.weight"
    }
    assert {(row.field, row.kind) for row in found.rows if row.family == "weights"} == {
        ("weights[embed.weight]", "added")
    }


def test_the_account_of_one_case_over_all_releases():
    many = compare_many({release: program("pytree", release) for release in RELEASES})
    assert many.departing == ("2.9.1", "2.13.0", "2.15.0")
    assert all(found.proof.same for found in many.diffs.values()), str(many)
    assert {row.field for row in many.diffs["2.13.0"].rows} >= {"schema_version"}
