"""The program that the benchmarks share: a Llama of 126 layers from a `transformers` config, tiny and random."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

LAYERS = 126


def llama_archive(layers: int = LAYERS) -> Path:
    """Export and save it once per machine, and return the path of the `.pt2`."""
    path = Path(tempfile.gettempdir()) / f"graphlens-llama-{layers}.pt2"
    if not path.exists():
        import torch

        warnings.filterwarnings("ignore")
        part = path.with_name(f"part-{path.name}")
        torch.export.save(llama_program(layers), part)
        part.rename(path)
    return path


def llama_program(layers: int = LAYERS):  # noqa: ANN201 - torch is imported late
    """Export it: batch and sequence are dynamic."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        vocab_size=32,
        use_cache=False,
    )
    torch.manual_seed(0)
    ids = torch.arange(16).reshape(2, 8)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False}
    sizes = {0: torch.export.Dim("batch", min=2, max=64), 1: torch.export.Dim("seq", min=2, max=128)}
    shapes = {"input_ids": sizes, "attention_mask": sizes, "use_cache": None}
    return torch.export.export(LlamaForCausalLM(config).eval(), (), inputs, dynamic_shapes=shapes, strict=False)
