"""The one interface of every stage and runtime: a name, what it needs, how it runs, and whether it can run here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from graphlens.program.frozen import EMPTY

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


class Stage(Struct, frozen=True, kw_only=True):
    """One form of the program.

    `needs` names the stage whose product `run` takes (and whose program its own is held against), `"model"`, or
    `"capture"` for the nearest capture before it. `run(subject, product)` returns an ExportedProgram, GraphModule or
    module. `probe()` returns the reason why it cannot run here, `""` if it can. `capture` marks the stages that others
    may start from.
    """

    name: str
    needs: str
    run: Callable[[Subject, Any], Any]
    probe: Callable[[], str] = everywhere
    capture: bool = False


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
