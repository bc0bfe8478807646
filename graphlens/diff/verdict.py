"""One honest sentence about two programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphlens.diff.folders import moved_files
from graphlens.diff.folds import fold, modules_text
from graphlens.diff.proof import DIFFERENT, IDENTICAL, UNKNOWN, UP_TO, Proof
from graphlens.diff.rows import Mismatch, rank
from graphlens.diff.wording import counts, following, phrase, plural

if TYPE_CHECKING:
    from graphlens.diff.diff import Diff

_FEW_EDITS: Final = 3


def verdict(diff: Diff) -> str:
    """Say in which sense two programs are the same, or how many differences there are and which is the worst."""
    ignored = f"; {plural(diff.ignored, 'row')} ignored" if diff.ignored else ""
    if diff.profile == "pytorch":
        return _pytorch(diff) + ignored
    if diff.rows:
        return f"{_different(diff)}{ignored}"
    if diff.proof.level == DIFFERENT:
        return f"no difference left after ignoring {plural(diff.ignored, 'row')}; {diff.proof}"
    if diff.proof.level == UNKNOWN:
        return f"unknown: no difference was found, but {_unknown(diff.proof)}{ignored}"
    return f"{_same(diff.proof)}{_elsewhere(diff)}{ignored}"


def _same(proof: Proof) -> str:
    checked = f"{plural(proof.nodes, 'node')}, {plural(proof.edges, 'edge')} and everything recorded about them agree"
    assumed = f", assuming that {'; '.join(proof.assumptions)}" if proof.assumptions else ""
    return f"{_level(proof)}: {checked}{assumed}"


def _elsewhere(diff: Diff) -> str:
    moved = len(moved_files(diff.a, diff.b)) if diff.a is not None and diff.b is not None else 0
    return f"; {plural(moved, 'source file')} lay in another folder" if moved else ""


def _level(proof: Proof) -> str:
    if proof.level != UP_TO:
        return proof.level
    return f"identical up to {', '.join(f'{name} ({count:,})' for name, count in proof.rules.items())}"


def _unknown(proof: Proof) -> str:
    return "; ".join(proof.unknown) if proof.unknown else "the checker could not decide"


def roots(rows: tuple[Mismatch, ...]) -> tuple[Mismatch, ...]:
    """Return the rows that count: roots, or all where no root is left."""
    return tuple(row for row in rows if row.cause == "root") or rows


def _different(diff: Diff) -> str:
    counted = roots(diff.rows)
    follow = len(diff.rows) - len(counted)
    text = f"different: {_repeated(diff, counts(counted))}"
    text += f" ({following(follow, len(counted))})" if follow else ""
    if diff.proof.level in (IDENTICAL, UP_TO):
        text += f"; the computation itself is proved {_level(diff.proof)}"
    elif diff.proof.level == UNKNOWN:
        text += f"; whether it computes the same is unknown: {_unknown(diff.proof)}"
    elif diff.proof.level != DIFFERENT:
        text += f"; the computation is {diff.proof.level}"
    elif diff.ignored and all(row.severity != "wrong_result" for row in counted):
        text += f"; all of it compared: {diff.proof}"
    return f"{text}; {_first(diff, counted)}"


def _first(diff: Diff, counted: tuple[Mismatch, ...]) -> str:
    """Name the worst difference; a module that only one side has comes before single nodes."""
    folds = fold(counted, diff.lone_modules) if diff.lone_modules else []
    worst = [one for one in folds if one.example.severity == folds[0].example.severity]
    modules = [one for one in worst if one.modules]
    if not modules:
        first = min(counted, key=lambda row: rank(row.severity))
        return f"{'it is' if len(counted) == 1 else 'the first is'} {phrase(first)}"
    named = " and ".join(modules_text(one.modules) for one in modules[:2])
    other = next((one.example for one in worst if not one.modules), None)
    return f"{named}; the first other is {phrase(other)}" if other is not None else named


def _repeated(diff: Diff, counted: str) -> str:
    """Say with the counts by severity that the worst roots are few edits, each made in many places."""
    patterns = diff.pattern_rows
    worst = [each for each in patterns if each.severity == patterns[0].severity]
    if not worst or len(worst) > _FEW_EDITS or min(each.count for each in worst) < 2:
        return counted
    regions = len({region for each in worst for region in each.regions})
    text = f"({plural(len(worst), 'edit')}, in {plural(regions, 'region')})"
    if len(worst) == len(patterns):
        return f"{counted} {text}"
    first, comma, others = counted.partition(", ")
    return f"{first} {text}{comma}{others}"


def _pytorch(diff: Diff) -> str:
    if diff.rows:
        first = min(diff.rows, key=lambda row: rank(row.severity))
        what = plural(len(diff.rows), "difference")
        return f"fails PyTorch's serialization check: {what}; the first is {phrase(first)}"
    return f"passes PyTorch's serialization check; all of it compared: {diff.proof}"
