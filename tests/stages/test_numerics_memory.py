"""Two programs side by side take at most 2.2 times the memory of one run."""

import os
import subprocess
import sys

import pytest

LIMIT = 2.2

SCRIPT = r"""
import gc, re, sys
import torch
from torch._inductor.decomposition import select_decomp_table
from graphlens.stages.numerics import numerics

MIB = 1 << 18  # elements of float32


class Model(torch.nn.Module):
    def forward(self, x):
        for _ in range(2):
            x = torch.nn.functional.silu(x)
            x = torch.tanh(x) + x
        return x.sum(-1)


def status(key):
    return int(re.search(key + r":\s+(\d+)", open("/proc/self/status").read())[1])


def programs(rows):
    exported = torch.export.export(Model(), (torch.randn(rows, 1024),))
    return exported, exported.run_decompositions(select_decomp_table())


def peak(run):
    gc.collect()
    before = status("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")
    run()
    return status("VmHWM") - before


torch.set_num_threads(1)
torch.set_grad_enabled(False)
warm, other = programs(8)
assert numerics(warm, other).rows
warm.module()(torch.randn(8, 1024))
rows = int(sys.argv[1]) * MIB // 1024
exported, decomposed = programs(rows)
x = torch.randn(rows, 1024)
module = exported.module()
print(
    peak(lambda: module(x)),
    peak(lambda: numerics(exported, exported, (x,)).ok or sys.exit("they differ")),
    peak(lambda: numerics(exported, decomposed, (x,)).first or sys.exit("they do not differ")),
)
"""

MEBIBYTES = 24


def peaks():
    """Peak memory in KiB of one run, of a program beside itself, and beside its decomposition, which rounds differently."""
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 20), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(MEBIBYTES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return [int(text) for text in done.stdout.split()[-3:]]


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="reads the peak from /proc")
def test_peak_memory_is_within_the_limit():
    one, same, decomposed = peaks()
    assert one > 2 * MEBIBYTES * 1024
    assert same <= LIMIT * one
    assert decomposed <= LIMIT * one
