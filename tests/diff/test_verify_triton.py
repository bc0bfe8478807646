"""Triton kernels are numbers in a table of the process: what counts is the kernel that the table has there."""

from __future__ import annotations

from typing import Any

import pytest
from diff.test_mutation_callables import Holder
from torch import fx

import graphlens as gl

wrapping = pytest.importorskip("torch._higher_order_ops.triton_kernel_wrap")


class JITFunction:
    """Has what a kernel of triton has; triton itself need not be installed."""

    __module__ = "triton.runtime.jit"

    def __init__(self, fn: Any, src: str) -> None:
        self.fn, self.src = fn, src
        self.compiled = {id(self): object()}


class Autotuner:
    __module__ = "triton.runtime.autotuner"

    def __init__(self, fn: Any, block: int) -> None:
        self.fn, self.configs, self.cache = fn, [{"BLOCK": block}], {id(self): 1}


def add(x, n):
    return x + n


def double(x, n):
    return x * 2 + n


@pytest.fixture
def table(monkeypatch):
    """An empty table that is gone afterwards."""
    made = wrapping.KernelSideTable()
    made.reset_table()
    monkeypatch.setattr(wrapping, "kernel_side_table", made)
    return made


def calling_kernel(table: Any, kernel: Any, **constants: Any) -> Holder:
    graph = fx.Graph()
    x = graph.placeholder("x")
    named = {"kernel_idx": table.add_kernel(kernel), "constant_args_idx": table.add_constant_args(constants)}
    passed = {"grid": [(1, 1, 1)], "tma_descriptor_metadata": {}, "kwargs": {"x": x}, "tensors_to_clone": ["x"]}
    graph.output(graph.call_function(wrapping.triton_kernel_wrapper_functional, (), named | passed))
    return Holder(graph)


def test_one_kernel_under_two_numbers_is_the_same(table):
    a = calling_kernel(table, JITFunction(add, "x + n"), BLOCK=16)
    b = calling_kernel(table, JITFunction(add, "x + n"), BLOCK=16)
    diff = gl.diff(a, b)
    assert diff.ok
    assert diff.proof.level == "identical"


OTHER = {
    "code": lambda: (JITFunction(double, "x * 2 + n"), {"BLOCK": 16}),
    "source": lambda: (JITFunction(add, "x - n"), {"BLOCK": 16}),
    "tuning": lambda: (Autotuner(JITFunction(add, "x + n"), 32), {"BLOCK": 16}),
    "constant": lambda: (JITFunction(add, "x + n"), {"BLOCK": 32}),
    "type of a constant": lambda: (JITFunction(add, "x + n"), {"BLOCK": 16.0}),
}


@pytest.mark.parametrize("name", OTHER)
def test_other_kernels_under_one_number_differ(table, name):
    a = gl.read(calling_kernel(table, JITFunction(add, "x + n"), BLOCK=16))
    table.reset_table()
    kernel, constants = OTHER[name]()
    b = gl.read(calling_kernel(table, kernel, **constants))
    for left, right in ((a, b), (b, a)):
        diff = gl.diff(left, right)
        assert (diff.proof.level, diff.worst) == ("different", "wrong_result"), str(diff)
        assert {row.field for row in diff.rows} == {"kwargs"}
    assert gl.diff(b, gl.read(calling_kernel(table, *OTHER[name]()[:1], **constants))).ok


def test_a_kernel_that_the_table_has_not_is_unknown(table):
    a = calling_kernel(table, JITFunction(add, "x + n"))
    table.reset_table()
    assert gl.diff(a, a).proof.level == "unknown"
