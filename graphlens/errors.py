"""Errors that a user can act on: each says what was given, what is wrong, where, and what to do."""

from __future__ import annotations


class GraphLensError(Exception):
    """Base of every error that graphlens raises on purpose. Its message is one line."""


class SourceError(GraphLensError):
    """The object given is nothing that `graphlens.read` understands, or the path cannot be opened."""


class ArchiveError(SourceError):
    """A `.pt2` file is broken, hostile, or of an unreadable layout."""


class DiffError(GraphLensError):
    """A diff was asked for with arguments that contradict each other or the programs."""


class StageError(GraphLensError):
    """A stage, runtime or preset was asked for that does not exist, or the model cannot be taken."""


class ViewError(GraphLensError):
    """A view, report or drawing cannot be made from what was given."""


class MissingDependencyError(GraphLensError):
    """An optional part (torch, jupyterlab, matplotlib) is needed and is not installed."""
