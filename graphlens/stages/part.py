"""The one interface of every stage and runtime: a name, what it needs, how it runs, and whether it can run here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from graphlens.program.frozen import EMPTY
from graphlens.program.program import Program
from graphlens.stages.preflight.result import Problem

if TYPE_CHECKING:
    from graphlens.diff import Diff

MODEL = "model"
"""What a part needs that starts from the module itself."""

CAPTURE = "capture"
"""What a part needs that starts from the nearest captured program before it."""


def everywhere() -> str:
    """Probe of a part that every build of torch has."""
    return ""


class Subject(Struct, frozen=True):
    """What is put through: the model as it was given, its inputs, and how it is to be exported."""

    model: Any
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = EMPTY
    dynamic_shapes: Any = None
    strict: bool = False

    @property
    def exported(self) -> bool:
        """Whether an ExportedProgram was given, so that there is no module to run."""
        return not callable(getattr(self.model, "forward", None))


class OpProof(Struct, frozen=True, kw_only=True):
    """What was found out about one op that a stage rewrote.

    `node` is one name, or several with commas where a group became another; `nodes_b` are the nodes that it became, in
    order. `status`: ``equal by torch's decomposition``, ``tested equal on k inputs``, ``tested equal up to rounding on k
    inputs``, ``different``, ``unknown``.
    """

    graph: str
    node: str
    target: str
    nodes_b: tuple[str, ...]
    status: str
    reason: str = ""


class Judged(NamedTuple):
    """The diff of a stage with what it started from, and what is known of each op that it rewrote."""

    diff: Diff
    ops: tuple[OpProof, ...] = ()


class Stage(Struct, frozen=True, kw_only=True):
    """One form of the program.

    `needs` names the stage whose product `run` takes (and whose program its own is held against), `"model"`, or
    `"capture"` for the nearest capture before it. `run(subject, product)` returns an ExportedProgram, GraphModule or
    module. `probe()` returns the reason why it cannot run here, `""` if it can. `capture` marks the stages that others
    may start from; `exact` says that the product must answer bit by bit as before. `judge(start, product)`, where there is one, takes what the stage started from and made, and returns what is to compare
    the two Programs in place of a plain diff, when that is asked for. `explain(product)` lists what may have made the
    stage fail.
    """

    name: str
    needs: str
    run: Callable[[Subject, Any], Any]
    probe: Callable[[], str] = everywhere
    capture: bool = False
    exact: bool = True
    judge: Callable[[Any, Any], Callable[[Program, Program], Judged]] | None = None
    explain: Callable[[Any], tuple[Problem, ...]] | None = None


class Runtime(Struct, frozen=True, kw_only=True):
    """One way to run it.

    `needs` is a stage's name or ``"model"``; `load(subject, product)` returns what is called with the inputs; `exact`
    says that its answer must be bit-equal (else an fp64 reference decides whether a difference is rounding).
    """

    name: str
    needs: str
    load: Callable[[Subject, Any], Callable[..., Any]]
    probe: Callable[[], str] = everywhere
    exact: bool = True
