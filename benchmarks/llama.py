"""The program that the benchmarks share: a Llama of 126 layers from a `transformers` config, tiny and random."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(tempfile.gettempdir()) / "graphlens-bench"
LAYERS = 126

LOAD = """
import sys, time, torch, transformers.modeling_outputs
begin = time.perf_counter()
torch.export.load(sys.argv[1])
print(time.perf_counter() - begin)
"""
BUILD = """
import sys, torch
from transformers import LlamaConfig, LlamaForCausalLM
config = LlamaConfig(hidden_size=16, intermediate_size=32, num_hidden_layers=int(sys.argv[2]), num_attention_heads=4,
                     num_key_value_heads=2, vocab_size=64, use_cache=False)
ids = torch.randint(0, 64, (2, 8))
torch.export.save(torch.export.export(LlamaForCausalLM(config).eval(), (ids,), strict=False), sys.argv[1])
"""


def llama_archive(layers: int = LAYERS) -> Path:
    """Export and save it once per machine, and return the path of the `.pt2`."""
    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"llama{layers}.pt2"
    if not path.exists():
        part = path.with_name(f"part-{path.name}")
        python(BUILD, str(part), str(layers))
        part.rename(path)
    return path


@functools.cache
def load_seconds() -> float:
    """Seconds of `torch.export.load` alone, imports not counted, best of two processes."""
    return min(float(python(LOAD, str(llama_archive()))) for _ in range(2))


def python(code: str, *arguments: str) -> str:
    """Run code in a process of its own and return the last line that it prints."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return (done.stdout.strip().splitlines() or [""])[-1]
