"""The random number generators as each side sees them: both sides draw what one run alone would draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

State = tuple[torch.Tensor, tuple[torch.Tensor, ...]]


def get_state() -> State:
    """State of the CPU's generator and of each CUDA device's that is in use."""
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else []
    return torch.get_rng_state(), tuple(devices)


def set_state(state: State) -> None:
    """Put the generators back."""
    cpu, devices = state
    torch.set_rng_state(cpu)
    for index, device in enumerate(devices):
        torch.cuda.set_rng_state(device, index)


@dataclass(eq=False)
class Stream:
    """One side's random numbers. `used` is `False` where its program draws none, and nothing needs to be done."""

    used: bool
    state: State = field(default_factory=get_state)

    def run(self, step: Any) -> Any:
        """Run a step with this side's generators and remember where they stand after it."""
        if not self.used:
            return step()
        set_state(self.state)
        try:
            return step()
        finally:
            self.state = get_state()
