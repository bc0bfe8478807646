"""One call for every kind of source: live and archive, strict and not, Dynamo's graph, bare graph modules, torch's own transforms."""

from __future__ import annotations

import copy
import io
from collections import Counter

import pytest
import torch
from diff import edits
from diff.exports import Block, Nested, export, nested_export, nested_program, reload
from torch import nn

from graphlens.diff import compare
from graphlens.read import read

pytestmark = pytest.mark.filterwarnings("ignore")


def rows(diff, *severities):
    return Counter((r.family, r.kind) for r in diff.rows if r.cause == "root" and r.severity in severities)


def archive(program: torch.export.ExportedProgram) -> io.BytesIO:
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    buffer.seek(0)
    return buffer


def test_live_against_its_own_archive():
    """What a file does not record is lost where it was not the default, and nothing that is computed changed."""
    diff = compare(nested_program(), read(archive(nested_export())))
    assert diff.proof.same, str(diff)
    assert rows(diff, "wrong_result") == {}
    assert {row.kind for row in diff.rows if row.field in ("tensor_meta", "val.storage")} == {"lost"}
    assert not {row.family for row in diff.rows} & {
        "weights",
        "constants",
        "signature.inputs",
        "pytree.in",
        "example_inputs",
    }


def test_an_archive_against_what_torch_loads_from_it():
    buffer = archive(nested_export())
    saved = read(buffer)
    buffer.seek(0)
    diff = compare(saved, read(torch.export.load(buffer)))
    assert diff.proof.same, str(diff)
    assert rows(diff, "wrong_result", "breaks_pass") == {}


def test_two_exports_of_one_model():
    """Nothing that differs between two runs of one export is a difference: addresses, counters, names of generated code."""
    model = Block().eval()
    first, second = (torch.export.export(model, (torch.randn(2, 4),)) for _ in range(2))
    assert compare(read(first), read(second)).ok
    one, two = (torch.export.export(model, (torch.randn(2, 4),)).run_decompositions() for _ in range(2))
    assert compare(read(one), read(two)).ok


def test_strict_against_non_strict():
    torch.manual_seed(0)
    model = Nested().eval()
    args = (torch.randn(3, 4),)
    loose, strict = (torch.export.export(model, args, strict=flag) for flag in (False, True))
    diff = compare(read(loose), read(strict))
    assert rows(diff, "wrong_result") == {}, str(diff)
    # strict export keeps one name of a tied weight, and parameters as parameters
    assert rows(diff, "breaks_pass") == {
        ("val.type", "changed"): 12,
        ("signature.inputs", "lost"): 1,
        ("range_constraints", "added"): 1,
    }


def test_a_static_against_a_dynamic_export():
    """Fixing a size is one root and its range, however many shapes follow from it."""
    torch.manual_seed(0)
    static = torch.export.export(Nested().eval(), (torch.randn(3, 4),))
    diff = compare(nested_program(), read(static), weights="ignore")
    assert rows(diff, "wrong_result", "breaks_pass") == {("val.shape", "changed"): 1, ("range_constraints", "lost"): 1}
    assert next(row for row in diff.rows if row.field == "val.shape" and row.cause == "root").aspect == "specialised"
    assert compare(read(static), nested_program(), weights="ignore").only("val.shape").rows[0].aspect == "generalised"


def test_an_unlifted_module():
    diff = compare(nested_program(), read(nested_export().module()))
    assert rows(diff, "wrong_result") == {}, str(diff)
    # state is read as attributes, and a call that checks the inputs comes first
    assert rows(diff, "breaks_pass") == {("op", "changed"): 15, ("target", "only_b"): 1}


@pytest.mark.parametrize("part", ["graph_module", "graph"])
def test_a_part_of_the_program(part):
    diff = compare(nested_program(), read(getattr(nested_export(), part)))
    assert diff.ok, str(diff)
    assert any("no signature" in text for text in diff.proof.assumptions)


def test_a_graph_of_dynamo_against_an_export():
    graphs = []
    torch._dynamo.reset()
    torch.compile(Block().eval(), backend=lambda gm, args: graphs.append(gm) or gm.forward, fullgraph=True)(
        torch.randn(2, 4)
    )
    diff = compare(read(graphs[0]), read(export(Block(), torch.randn(2, 4))))
    assert not diff.ok
    assert not diff.proof.same
    listed = Counter(name for row in diff.node_rows for name in row.node_b.split(", ") if name)
    assert set(listed.values()) == {1}


class Conjugate(nn.Module):
    def forward(self, x):
        y = torch.complex(x, x)
        return y.conj(), y.conj().imag, y[:, 1:]


def test_bits_that_loading_forgets_are_wrong_results():
    """A loaded program says that a conjugated value is not: the values downstream are silently others."""
    original = export(Conjugate(), torch.randn(2, 3))
    diff = compare(read(original), read(reload(original)))
    assert rows(diff, "wrong_result") == {("val.conj", "changed"): 2, ("val.neg", "changed"): 1}
    assert rows(diff, "breaks_pass")["val.storage_offset", "changed"] >= 1
    assert diff.verdict.startswith("different: 3 wrong_result")
    assert not diff.proof.same


class Held(nn.Module):
    def __init__(self, value: torch.Tensor):
        super().__init__()
        self.register_buffer("held", value)

    def forward(self, x):
        return x + self.held


def test_a_conjugated_buffer_is_saved_as_another_value():
    original = export(Held(torch.tensor([1 + 2j, 3 - 1j]).conj()), torch.ones(2, dtype=torch.complex64))
    diff = compare(read(original), read(reload(original)))
    values = [row for row in diff.rows if row.field == "weights[held]" and row.aspect == "value"]
    assert [(row.kind, row.severity) for row in values] == [("changed", "wrong_result")]
    plain = export(Held(torch.tensor([1 + 2j, 3 - 1j])), torch.ones(2, dtype=torch.complex64))
    assert not [row for row in compare(read(plain), read(reload(plain))).rows if row.family == "weights"]


def test_weights_are_compared_by_position_and_sign():
    base = torch.tensor([1.0, -2.0, 0.0, 3.0])
    program = read(export(Held(base), torch.ones(4)))
    for other in (base[[1, 0, 2, 3]], -base, base * torch.tensor([1.0, 1.0, -1.0, 1.0]), base.double()):
        diff = compare(program, read(export(Held(other), torch.ones(4, dtype=other.dtype))))
        assert "wrong_result" in {row.severity for row in diff.rows if row.family == "weights"}
    view = torch.stack([base, -base], 1)[:, 0]
    again = compare(program, read(export(Held(view), torch.ones(4))))
    assert {row.aspect for row in again.rows if row.family == "weights"} == {"stride"}


class Writes(nn.Module):
    def __init__(self, first: bool):
        super().__init__()
        self.first = first

    def forward(self, x):
        y = x.clone()
        if self.first:
            y.add_(1.0)
            y.mul_(2.0)
        else:
            y.mul_(2.0)
            y.add_(1.0)
        return y


def test_two_writes_that_changed_places():
    a, b = (read(export(Writes(first), torch.ones(3))) for first in (True, False))
    diff = compare(a, b)
    assert diff.worst == "wrong_result"
    assert not diff.proof.same


class Draws(nn.Module):
    def __init__(self, swapped: bool):
        super().__init__()
        self.swapped = swapped

    def forward(self, x):
        a, b = torch.rand_like(x), torch.rand_like(x)
        return (b, a) if self.swapped else (a, b)


def test_two_draws_are_never_each_other():
    a, b = (read(export(Draws(swapped), torch.ones(3))) for swapped in (False, True))
    diff = compare(a, b)
    assert not diff.ok
    assert diff.worst == "wrong_result"
    assert compare(a, a).ok


def test_batch_norm_in_training_decomposes_into_more_outputs():
    """Mutations become results: three for the buffers, before the user's."""
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)).train()
    original = torch.export.export(model, (torch.randn(2, 3, 8, 8),))
    diff = compare(read(original), read(copy.deepcopy(original).run_decompositions()))
    added = [row for row in diff.rows if row.family == "signature.outputs"]
    assert {(row.kind, row.b) for row in added} == {
        ("added", "buffer_mutation 1.running_mean"),
        ("added", "buffer_mutation 1.running_var"),
        ("added", "buffer_mutation 1.num_batches_tracked"),
    }
    assert not [row for row in diff.rows if row.family == "args" and row.target == "output" and row.cause == "root"]


def test_branches_that_changed_places():
    class Cond(nn.Module):
        def __init__(self, swapped: bool):
            super().__init__()
            self.swapped = swapped

        def forward(self, x):
            def double(t):
                return t.sin() * 2.0

            def half(t):
                return t.cos() - 0.5

            return (
                torch.cond(x.sum() > 0, half, double, (x,))
                if self.swapped
                else torch.cond(x.sum() > 0, double, half, (x,))
            )

    a, b = (read(export(Cond(swapped), torch.ones(3))) for swapped in (False, True))
    diff = compare(a, b)
    assert diff.worst == "wrong_result"
    assert not diff.proof.same
    assert compare(a, a).ok


def test_names_of_user_inputs_and_their_order():
    class Two(nn.Module):
        def forward(self, first, second):
            return first - second

    class Turned(nn.Module):
        def forward(self, second, first):
            return first - second

    args = (torch.ones(3), torch.zeros(3))
    diff = compare(read(export(Two(), *args)), read(export(Turned(), *args)))
    assert diff.worst == "wrong_result", str(diff)
    assert not diff.proof.same


def test_an_edit_of_an_exported_graph():
    """The known edits again, made on the live graph by torch's own means."""
    edited = copy.deepcopy(nested_export())
    body = edited.graph_module.get_submodule("body_graph_0")
    node = next(n for n in body.graph.nodes if n.target is torch.ops.aten.cos.default)
    node.target = torch.ops.aten.tan.default
    diff = compare(nested_program(), read(edited))
    assert edits.roots(diff) == {("map_impl.f", "cos", "cos", "target", "changed")}
