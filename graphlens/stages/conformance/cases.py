"""The samples that torch itself keeps. Checked on torch 2.9 to 2.13; a torch without them says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch

from graphlens.errors import StageError
from graphlens.stages.failure import failure_of

SUITES = ("hop_db", "export_db")


class Case(NamedTuple):
    """One sample, made when it is asked for. `expected` is what torch itself says of it: ``""`` or why it may fail."""

    suite: str
    name: str
    sample: int
    make: Callable[[], tuple[Any, tuple[Any, ...], Mapping[str, Any], Any]]
    expected: str = ""


class Missing(NamedTuple):
    """A case or suite without samples, and why."""

    suite: str
    name: str
    why: str


class _Op(torch.nn.Module):  # type: ignore[misc]
    """A module around the function of a sample."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def find_cases(suite: str, only: tuple[str, ...], device: str) -> tuple[list[Case], list[Missing]]:
    """List the samples of a suite, or of all, and what has none.

    Raises
    ------
    StageError
        The suite is unknown, or a name of `only` is no case of it.
    """
    if suite not in (*SUITES, "all"):
        raise StageError(f"suite {suite!r} is unknown; there are {', '.join(SUITES)} and all")
    cases: list[Case] = []
    missing: list[Missing] = []
    for each in SUITES if suite == "all" else (suite,):
        for found in _hop_db(device, only) if each == "hop_db" else _export_db():
            (missing if isinstance(found, Missing) else cases).append(found)  # type: ignore[arg-type]
    known = {case.name for case in cases} | {each.name for each in missing}
    unknown = [name for name in only if name not in known]
    if unknown and known:
        raise StageError(f"no case is called {unknown[0]!r}; there are {', '.join(sorted(known))}")
    if only:
        cases = [case for case in cases if case.name in only]
        missing = [each for each in missing if each.name in only or not each.name]
    return cases, missing


def _hop_db(device: str, only: tuple[str, ...]) -> Iterator[Case | Missing]:
    try:
        from torch.testing._internal.hop_db import hop_db
    except Exception as error:  # noqa: BLE001 - torch's tests need packages of their own
        yield Missing("hop_db", "", f"this torch's hop_db cannot be imported: {failure_of(error)}")
        return
    for info in hop_db:
        name = info.name if info.variant_test_name in ("", "simple") else f"{info.name}.{info.variant_test_name}"
        if only and name not in only:
            yield Case("hop_db", name, 0, _nothing)
            continue
        try:
            samples = list(info.sample_inputs(device, torch.float, requires_grad=True))
        except Exception as error:  # noqa: BLE001 - a sample that cannot be made is a finding
            yield Missing("hop_db", name, f"its samples cannot be made: {failure_of(error)}")
            continue
        if not samples:
            yield Missing("hop_db", name, f"it has no sample for {device}")
        for i, sample in enumerate(samples):
            yield Case("hop_db", name, i, _made(info, sample))


def _nothing() -> Any:
    raise AssertionError("a case that was not asked for was made")


def _made(info: Any, sample: Any) -> Callable[[], Any]:
    def make() -> Any:
        first = sample.input if isinstance(sample.input, tuple) else (sample.input,)
        return _Op(info.op), (*first, *sample.args), dict(sample.kwargs), None

    return make


def _export_db() -> Iterator[Case | Missing]:
    try:
        from torch._export.db.examples import all_examples

        examples = all_examples()
    except Exception as error:  # noqa: BLE001
        yield Missing("export_db", "", f"this torch's export_db cannot be imported: {failure_of(error)}")
        return
    for name, example in sorted(examples.items()):
        level = example.support_level.name
        yield Case("export_db", name, 0, _example(example), "" if level == "SUPPORTED" else level)


def _example(example: Any) -> Callable[[], Any]:
    def make() -> Any:
        return example.model, tuple(example.example_args), dict(example.example_kwargs), example.dynamic_shapes

    return make


def registered() -> tuple[str, ...]:
    """The names of all higher-order ops of this torch."""
    return tuple(sorted(getattr(torch._ops, "_higher_order_ops", {})))  # noqa: SLF001 - the only registry there is
