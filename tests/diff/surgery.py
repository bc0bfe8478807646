"""What people do to a model before they diff it: take a layer out, exchange the activation, fuse the projections."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from diff import models
from torch import nn

from graphlens.program.program import Program
from graphlens.read import read

STACKS = {
    "llama": ("model.layers",),
    "mixtral": ("model.layers",),
    "bert": ("encoder.layer",),
    "vit": ("layers",),
    "whisper": ("encoder.layers", "decoder.layers"),
    "t5": ("encoder.block", "decoder.block"),
}
"""Where the layers of each model are."""

PROJECTIONS = (("q_proj", "k_proj", "v_proj"), ("query", "key", "value"), ("q", "k", "v"))
ACTIVATIONS = ("SiLUActivation", "GELUActivation", "ReLU")
Surgery = Callable[[nn.Module, str], None]


def without_layer(at: int) -> Surgery:
    """Take one layer out of each stack; those behind it are counted anew."""

    def operate(model: nn.Module, name: str) -> None:
        for stack in STACKS[name]:
            del model.get_submodule(stack)[at]  # type: ignore[operator]

    return operate


def exchanged_layers(model: nn.Module, name: str) -> None:
    """Let two layers of each stack change places, with their weights."""
    for stack in STACKS[name]:
        held = model.get_submodule(stack)
        held[1], held[2] = held[2], held[1]  # type: ignore[operator,index]


def other_activation(model: nn.Module, name: str) -> None:
    """Make the activation of every layer a tanh."""
    del name
    for module in list(model.modules()):
        for child, held in list(module.named_children()):
            if type(held).__name__ in ACTIVATIONS:
                setattr(module, child, nn.Tanh())


def fused_projections(model: nn.Module, name: str) -> None:
    """Make the three projections of every self-attention one linear and a split."""
    del name
    for path, module in list(model.named_modules()):
        crossed = any(word in path for word in ("encoder_attn", "EncDec"))
        for names in PROJECTIONS:
            if not crossed and all(isinstance(getattr(module, part, None), nn.Linear) for part in names):
                _fuse(module, names)


def _fuse(attention: nn.Module, names: tuple[str, str, str]) -> None:
    linears = [getattr(attention, name) for name in names]
    sizes = [linear.out_features for linear in linears]
    biases = [torch.zeros(n) if held.bias is None else held.bias for held, n in zip(linears, sizes, strict=True)]
    biased = any(linear.bias is not None for linear in linears)
    fused = nn.Linear(linears[0].in_features, sum(sizes), bias=biased)
    with torch.no_grad():
        fused.weight.copy_(torch.cat([linear.weight for linear in linears]))
        if biased:
            fused.bias.copy_(torch.cat(biases))
    parts: list[torch.Tensor] = []

    def project(at: int) -> Callable[[torch.Tensor], torch.Tensor]:
        def call(x: torch.Tensor) -> torch.Tensor:
            if at == 0:
                parts[:] = attention.qkv(x).split(sizes, -1)
            return parts[at]

        return call

    for name in names:
        delattr(attention, name)
    attention.qkv = fused
    for at, name in enumerate(names):
        setattr(attention, name, project(at))


def fill(model: nn.Module, name: str) -> None:
    """Make all weights equal, so that no weight says which layer is which."""
    del name
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)


def shaken(model: nn.Module, name: str) -> None:
    """Change every weight, as training does."""
    del name
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)


@cache
def exported(name: str, *surgeries: Surgery) -> torch.export.ExportedProgram:
    """Export a model after some surgeries, from the same weights each time."""
    if not surgeries:
        return models.exported(name)
    torch.manual_seed(0)
    model, args, kwargs = models.MODELS[name]()
    model.eval()
    for operate in surgeries:
        operate(model, name)
    return torch.export.export(models.Wrapped(model).eval(), args, kwargs, strict=False)


@cache
def program(name: str, *surgeries: Surgery) -> Program:
    """Read what `exported` gives."""
    return read(exported(name, *surgeries))
