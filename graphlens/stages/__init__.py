"""Model to stages to verdict: what PyTorch made of a model, and whether it still computes the same.

Importing this package imports no torch; running a stage does.
"""

from __future__ import annotations

from graphlens.stages.failure import Failure
from graphlens.stages.part import Runtime, Stage, Subject
from graphlens.stages.result import RoundTrip
from graphlens.stages.roundtrip import roundtrip

__all__ = ["Failure", "RoundTrip", "Runtime", "Stage", "Subject", "roundtrip"]
