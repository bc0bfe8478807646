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
        for _ in range(4):
            x = torch.nn.functional.silu(x)
            x = torch.tanh(x) + x
        return x.sum(-1)


def status(key):
    return int(re.search(key + r":\s+(\d+)", open("/proc/self/status").read())[1])


def programs(rows):
    exported = torch.export.export(Model(), (torch.randn(rows, 1024),))
    return exported, exported.run_decompositions(select_decomp_table())


torch.set_num_threads(1)
warm, other = programs(8)
assert numerics(warm, other).rows
warm.module()(torch.randn(8, 1024))
exported, decomposed = programs(int(sys.argv[2]) * MIB // 1024)
x = torch.randn(int(sys.argv[2]) * MIB // 1024, 1024)
module = exported.module()
gc.collect()
before = status("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
if sys.argv[1] == "one":
    with torch.no_grad():
        module(x)
else:
    result = numerics(exported, exported if sys.argv[1] == "same" else decomposed, (x,))
    assert result.ok or sys.argv[1] == "decomposed"
print(status("VmHWM") - before)
"""


def peak(what, mebibytes=24):
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 20), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, what, str(mebibytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout.split()[-1])


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="reads the peak from /proc")
def test_peak_memory_is_within_the_limit():
    one = peak("one")
    assert one > 2 * 24 * 1024
    assert peak("same") <= LIMIT * one
    assert peak("decomposed") <= LIMIT * one
