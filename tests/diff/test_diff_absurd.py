"""Programs that nobody's torch would make: the diff answers, in time, or says what is wrong with them."""

from __future__ import annotations

import time

import pytest
from diff.certificates import F32, call, given
from diff.certificates import program as made
from msgspec.structs import replace

from graphlens.diff import Diff, compare
from graphlens.errors import DiffError
from graphlens.program.frozen import freeze
from graphlens.program.value import ContainerValue


def test_nodes_that_pick_from_themselves():
    inside = call("g", "_operator.getitem", "%g", 0, value=ContainerValue("tuple", (F32, F32)))
    absurd = made(given("x"), inside, call("c", "aten.sin.default", "%g"), outputs=("c",))
    usual = made(given("x"), call("c", "aten.sin.default", "%x"), outputs=("c",))
    assert compare(absurd, usual).worst == "wrong_result"
    assert compare(absurd, absurd).ok


def test_a_program_without_a_graph():
    program = made(given("x"), outputs=("x",))
    with pytest.raises(DiffError, match="a has no root graph"):
        compare(replace(program, graphs=freeze({})), program)


@pytest.mark.parametrize("places", [1, 20_000])
def test_a_call_of_very_many_operands(places):
    """Linear in the operands, whether one of them was rewired or all."""
    inputs = [given(f"x{i}") for i in range(places)]
    names = [f"%x{i}" for i in range(20_000)] if places > 1 else ["%x0"] * 20_000
    a, b = (
        made(*inputs, call("z", "aten.sin.default", "%x0"), call("c", "aten.cat.default", operands), outputs=("c",))
        for operands in (names, names[::-1] if places > 1 else [*names[:-1], "%z"])
    )
    start = time.process_time()
    diff = compare(a, b)
    assert diff.worst == "wrong_result"
    assert str(diff)
    assert time.process_time() - start < 15


def test_integers_too_long_for_decimal_digits():
    def program(number: int):
        return made(given("x"), call("a", "aten.add.Scalar", "%x", number), outputs=("a",))

    diff = compare(program(10**5000), program(10**5000 + 1))
    assert diff.worst == "wrong_result"
    assert "0x" in diff.to_text()
    assert Diff.from_json(diff.to_json()).worst == "wrong_result"
