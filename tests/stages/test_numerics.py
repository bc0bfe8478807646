import copy
import json
import signal
import subprocess
import sys

import pytest
import torch
from torch._higher_order_ops import map as map_
from torch._higher_order_ops import scan, while_loop

from graphlens.errors import StageError
from graphlens.stages.numerics import numerics
from graphlens.stages.numerics.rows import OUTPUT_COLUMNS, TABLE_COLUMNS


class Block(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)
        self.up = torch.nn.Linear(width, 2 * width)
        self.down = torch.nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.down(torch.nn.functional.gelu(self.up(self.norm(x))))


class Deep(torch.nn.Module):
    def __init__(self, width=8, layers=12):
        super().__init__()
        self.layers = torch.nn.ModuleList(Block(width) for _ in range(layers))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Branch(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x):
        y = self.linear(x)
        return torch.cond(x.sum() > 0, lambda v: torch.sin(v) + 1, lambda v: torch.cos(v) - 1, (y,))


class Loop(torch.nn.Module):
    def forward(self, x):
        def more(i, v):
            return i < 5

        def body(i, v):
            return i + 1, torch.sin(v) + 0.1 * v.cos()

        return while_loop(more, body, (torch.tensor(0), x))


class Scan(torch.nn.Module):
    def forward(self, x):
        return scan(lambda carry, y: (torch.sin(carry) + y, carry * y), torch.zeros(4), x)


class Nested(torch.nn.Module):
    def forward(self, x, y):
        def each(row, other):
            return torch.cond(row.sum() > 0, lambda r: torch.sin(r) * 2, lambda r: r.clone(), (row,)) + other

        return map_(each, x, y)


X = torch.linspace(0.1, 1.2, 12).reshape(3, 4)


@pytest.fixture(scope="module")
def deep():
    torch.manual_seed(1)
    return torch.export.export(Deep().eval(), (torch.randn(3, 8),))


@pytest.fixture(scope="module")
def branch():
    torch.manual_seed(2)
    return torch.export.export(Branch(), (X,))


@pytest.fixture(scope="module")
def loop():
    return torch.export.export(Loop(), (X,))


@pytest.fixture(scope="module")
def inputs():
    return (torch.randn(3, 8, generator=torch.Generator().manual_seed(3)),)


def plant(program, name, function, which=0):
    """A copy of a program with one op exchanged for another function, in the root graph or a nested one."""
    bad = copy.deepcopy(program)
    module = bad.graph_module if isinstance(bad, torch.export.ExportedProgram) else bad
    graphs = [m for _, m in module.named_modules() if isinstance(m, torch.fx.GraphModule)]
    hits = [(m, n) for m in graphs for n in m.graph.nodes if n.op == "call_function" and name in str(n.target)]
    holder, node = hits[which]
    node.target = function
    holder.recompile()
    return bad


def wrong_gelu(x):
    return torch.nn.functional.gelu(x) * 1.001


def wrong_sin(x):
    return torch.sin(x) * 1.01


def statuses(result):
    return result.table["status"].value_counts().to_dict()


def test_a_program_and_itself_are_bit_equal(deep, inputs):
    result = numerics(deep, deep, inputs)
    assert result.ok
    assert result.first is None
    assert list(result.table.columns) == list(TABLE_COLUMNS)
    assert list(result.outputs.columns) == list(OUTPUT_COLUMNS)
    assert statuses(result) == {"equal": len(result.rows)}
    assert (result.table["sqnr"] == float("inf")).all()
    assert (result.table["cosine"] == 1.0).all()
    assert result.coverage == {"calls": 60, "compared": 60}
    assert str(result).startswith("bit-equal: all ")


def test_wrong_kernel_in_a_deep_model_is_named(deep, inputs):
    result = numerics(deep, plant(deep, "gelu", wrong_gelu, which=5), inputs)
    assert not result.ok
    assert result.first.node_a == result.first.node_b == "gelu_5"
    assert result.first.status == "departs"
    assert result.first.module == "layers.5"
    assert result.first.source.startswith("test_numerics.py:")
    assert result.first.deterministic is True
    assert result.first.local.rms_rel == pytest.approx(1e-3, rel=1e-3)
    assert statuses(result)["departs"] == 1
    after = result.table.iloc[next(i for i, row in enumerate(result.rows) if row is result.first) + 1 :]
    assert set(after["status"]) <= {"inherited", "equal"}
    assert set(after[after["status"] == "inherited"]["local_equal"]) == {True}
    assert result.table.loc[result.table["node_a"] == "gelu_5", "rank"].tolist() == [1]
    assert result.suspects["node_a"].tolist() == ["gelu_5"]
    assert "they part at gelu_5" in str(result)
    assert not result.outputs["bit_equal"].any()


def test_two_wrong_kernels_are_ranked_by_their_own_error(deep, inputs):
    bad = plant(plant(deep, "gelu", wrong_gelu, which=2), "layer_norm", lambda *a: torch.layer_norm(*a) * 1.1, which=8)
    result = numerics(deep, bad, inputs)
    assert result.first.node_a == "gelu_2"
    assert result.suspects["node_a"].tolist() == ["layer_norm_8", "gelu_2"]


def test_errors_are_those_of_the_definition(branch):
    """Metrics of one node against plain formulas on the values that a hook sees."""
    seen = {}

    def spoiled(x, weight, bias):
        seen["a"] = torch.nn.functional.linear(x, weight, bias)
        seen["b"] = seen["a"] + torch.linspace(-1e-3, 2e-3, 12).reshape(3, 4)
        return seen["b"]

    row = numerics(branch, plant(branch, "linear", spoiled), (X,)).first
    a, b = seen["a"].double(), seen["b"].double()
    error = (b - a).abs()
    assert row.error.max_abs == pytest.approx(float(error.max()))
    assert row.error.mean_abs == pytest.approx(float(error.mean()))
    assert row.error.max_rel == pytest.approx(float((error / a.abs()).max()))
    assert row.error.rms_rel == pytest.approx(float(error.norm() / a.norm()))
    assert row.error.cosine == pytest.approx(float((a * b).sum() / a.norm() / b.norm()))
    assert row.error.sqnr == pytest.approx(float(20 * torch.log10(a.norm() / error.norm())))
    assert row.error.worst == "[2, 3]"
    ulps = (seen["a"].view(torch.int32).long() - seen["b"].view(torch.int32).long()).abs()
    same_sign = (seen["a"] > 0) == (seen["b"] > 0)
    assert row.error.max_ulp >= int(ulps[same_sign].max())


def test_wrong_kernel_in_a_branch_is_named(branch):
    result = numerics(branch, plant(branch, "sin", wrong_sin), (X,))
    assert (result.first.graph, result.first.node_a, result.first.iteration) == ("cond.true_fn", "sin", "0")
    assert statuses(result)["departs"] == 1
    assert result.find("cond").note == "from sin in cond.true_fn"
    assert result.find("cond").status == "inherited"
    untaken = numerics(branch, plant(branch, "sin", wrong_sin), (-X,))
    assert untaken.ok
    assert {row.graph for row in untaken.rows} == {"", "cond.false_fn"}


class Wrong:
    """Is wrong the third time it is called, as a race would be."""

    __name__ = "wrong"

    def __init__(self, at):
        self.at = at
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return torch.sin(x) + (1e-3 if self.calls == self.at else 0)

    def __deepcopy__(self, memo):
        return self


def test_wrong_kernel_in_the_third_iteration_of_a_while_loop_is_named(loop):
    result = numerics(loop, plant(loop, "sin", Wrong(at=3)), (X,))
    assert (result.first.graph, result.first.node_a, result.first.iteration) == ("while_loop.body_fn", "sin", "2")
    assert result.first.deterministic is False
    assert statuses(result)["departs"] == 1
    iterations = result.table[(result.table["graph"] == "while_loop.body_fn") & (result.table["node_a"] == "sin")]
    assert iterations["iteration"].tolist() == ["0", "1", "2", "3", "4"]
    assert iterations["status"].tolist() == ["equal", "equal", "departs", "inherited", "inherited"]
    assert result.find("while_loop.body_fn:sin", "3").status == "inherited"
    assert "do not give the same twice" in str(result)


def test_value_dependent_error_in_an_iteration(loop):
    result = numerics(loop, plant(loop, "sin", lambda x: torch.sin(x) + (x.min() > 0.3) * 1e-3), (X,))
    first = result.first
    assert first.graph == "while_loop.body_fn"
    assert int(first.iteration) > 0
    assert first.deterministic is True


def test_a_loop_that_ends_sooner(loop):
    result = numerics(loop, plant(loop, "aten.lt", lambda i, n: i < 3), (X,))
    assert result.first.node_a == "lt"
    assert result.first.iteration == "3"
    assert (
        result.find("while_loop").note == "a runs body_fn for the 4th time, b does not; from lt in while_loop.cond_fn"
    )
    assert result.failure is None


def test_scan_and_map_run_in_step():
    program = torch.export.export(Scan(), (X,))
    result = numerics(program, plant(program, "sin", wrong_sin), (X,))
    assert (result.first.graph, result.first.iteration) == ("scan.combine_fn", "1")
    assert len(result.table[result.table["node_a"] == "mul"]) == 3
    program = torch.export.export(Nested(), (X, X[0].clone()))
    result = numerics(program, plant(program, "sin", wrong_sin), (X, X[0].clone()))
    assert result.first.graph.endswith(".f/cond.true_fn")
    assert result.table[result.table["node_a"] == "sin"]["iteration"].tolist() == ["0.0", "1.0", "2.0"]


def test_branches_that_part_are_inherited_from_the_predicate(branch):
    result = numerics(branch, plant(branch, "aten.gt", torch.ops.aten.lt.Scalar), (X,))
    assert result.first.node_a == "gt"
    assert result.find("cond").note == "a runs true_fn and b runs false_fn"
    assert result.find("cond").status == "inherited"


class Modes(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x):
        with torch.no_grad():
            y = self.linear(x).sin()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return y, self.linear(y).cos()


def test_modes_that_an_op_sets_hold_in_its_body():
    program = torch.export.export(Modes(), (X,))
    result = numerics(program, plant(program, "sin", wrong_sin), (X,))
    assert result.table.loc[result.table["node_a"] == "linear_1", "dtype"].tolist() == ["bfloat16"]
    assert result.first.node_a == "sin"
    assert statuses(result)["departs"] == 1


def test_any_op_with_a_graph_is_entered_also_under_vmap():
    from torch.nn.attention.flex_attention import flex_attention

    class Flex(torch.nn.Module):
        def forward(self, q):
            return flex_attention(q, q, q, score_mod=lambda s, b, h, i, j: s * 0.5 + (i - j))

    q = torch.randn(1, 2, 8, 16, generator=torch.Generator().manual_seed(4))
    program = torch.export.export(Flex(), (q,))
    result = numerics(program, plant(program, "mul", lambda s, n: s * n * 1.01), (q,))
    assert (result.first.graph, result.first.node_a) == ("flex_attention.score_mod", "mul")
    assert {"flex_attention.score_mod", "flex_attention.mask_mod"} <= set(result.table["graph"])


def test_dynamo_graphs_with_regions_and_checkpoints():
    graphs = []

    def backend(graph_module, example):
        graphs.append(graph_module)
        return graph_module

    @torch.compiler.nested_compile_region
    def region(x):
        return torch.sin(x) * 2

    def function(x):
        x = region(region(x) + 1)
        return torch.utils.checkpoint.checkpoint(lambda y: y.cos().relu_(), x, use_reentrant=False)

    torch.compile(function, backend=backend, fullgraph=True)(X.clone().requires_grad_())
    torch._dynamo.reset()
    result = numerics(graphs[0], graphs[0], (X,))
    assert result.ok
    paths = {row.graph for row in result.rows}
    assert {"invoke_subgraph.subgraph", "invoke_subgraph_1.subgraph", "tag_activation_checkpoint.gmod"} <= paths


class Writing(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(4)
        self.register_buffer("count", torch.zeros(4))

    def forward(self, x):
        self.count.add_(1)
        y = x + self.count
        z = y.relu_()
        z.mul_(2)
        x.add_(1)
        return self.norm(z), y, torch.nn.functional.dropout(y, 0.5), x


@pytest.fixture(scope="module")
def writing():
    return torch.export.export(Writing().train(), (X.clone(),))


def test_writes_reach_neither_the_user_nor_the_other_side(writing):
    x = X.clone()
    before = {name: tensor.clone() for name, tensor in writing.state_dict.items()}
    state = torch.get_rng_state()
    result = numerics(writing, writing, (x,))
    assert result.ok
    assert torch.equal(x, X)
    assert all(torch.equal(tensor, before[name]) for name, tensor in writing.state_dict.items())
    assert torch.equal(torch.get_rng_state(), state)
    assert {"state count", "state norm.running_mean", "input x"} <= set(result.outputs["leaf"])


def test_a_write_and_a_returned_mutation_are_compared_by_name(writing):
    functional = writing.run_decompositions()
    result = numerics(writing, functional, (X.clone(),))
    assert set(result.outputs["leaf"]) == {
        "output[0]", "output[1]", "output[2]", "output[3]", "input x",
        "state count", "state norm.running_mean", "state norm.running_var", "state norm.num_batches_tracked",
    }  # fmt: skip
    assert result.outputs["bit_equal"].all()
    assert result.first is None
    module = numerics(writing, writing.module(), (X.clone(),))
    assert module.ok
    assert "state norm.running_mean" in set(module.outputs["leaf"])


def test_a_wrong_write_is_local_to_the_node_that_writes(writing):
    def wrong_relu_(x):
        return x.relu_().mul_(1.01)

    result = numerics(writing, plant(writing, "relu_", wrong_relu_), (X.clone(),))
    assert result.first.node_b == "relu_"
    assert statuses(result)["departs"] == 1
    assert result.find("mul_").status == "inherited"


def test_other_random_numbers_are_no_wrong_kernel(writing):
    def other_dropout(x, p, train):
        torch.rand(3)
        return torch.nn.functional.dropout(x, p, train)

    assert numerics(writing, writing, (X.clone(),), seed=5).ok
    result = numerics(writing, plant(writing, "dropout", other_dropout), (X.clone(),))
    assert result.first.status == "random"
    assert result.first.node_a == "dropout"
    assert str(result).startswith("they draw other random numbers, first at dropout")


def test_decompositions_differ_by_rounding():
    from torch._inductor.decomposition import select_decomp_table

    torch.manual_seed(0)
    model = torch.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True).eval()
    x = torch.randn(2, 5, 16)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        program = torch.export.export(model, (x,))
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    result = numerics(program, program.run_decompositions(select_decomp_table()), (x,))
    assert result.first.status == "rounding"
    assert "departs" not in statuses(result)
    assert result.outputs["max_abs"].max() < 1e-5
    spoiled = plant(program.run_decompositions(select_decomp_table()), "rsqrt", lambda v: torch.rsqrt(v) * 1.001)
    result = numerics(program, spoiled, (x,))
    assert result.first.status == "departs"
    assert result.first.target_a == "aten.layer_norm.default"
    assert any("rsqrt" in name for name in result.first.absorbed_b)


def test_changed_weight_is_the_first_guilty_node(branch):
    bad = copy.deepcopy(branch)
    bad.state_dict["linear.weight"].data.add_(1e-3)
    result = numerics(branch, bad, (X,))
    assert result.first.node_a == "p_linear_weight"
    assert result.first.status == "departs"
    assert statuses(result)["departs"] == 1


def test_nan_inf_shape_and_dtype(branch):
    def holes(x, weight, bias):
        y = torch.nn.functional.linear(x, weight, bias)
        y[0, 0], y[1, 1] = float("nan"), float("inf")
        return y

    first = numerics(branch, plant(branch, "linear", holes), (X,)).first
    assert (first.error.nan, first.error.inf) == (1, 1)
    assert first.status == "departs"
    both = plant(branch, "linear", holes)
    assert numerics(both, both, (X,)).ok
    first = numerics(branch, plant(branch, "linear", lambda x, w, b: (x @ w.T + b)[:, :3]), (X,)).first
    assert first.error.note == "shape [3, 3], not [3, 4]"
    first = numerics(branch, plant(branch, "linear", lambda x, w, b: torch.addmm(b, x, w.T).double()), (X,)).first
    assert first.error.note == "dtype float64, not float32"
    assert first.status == "departs"


def test_a_node_that_raises_is_a_row_and_what_came_before_is_kept(branch):
    def explode(x):
        raise ValueError("kernel exploded")

    result = numerics(branch, plant(branch, "sin", explode), (X,))
    assert result.first.status == "failed"
    assert result.first.node_b == "sin"
    assert result.first.graph == "cond.true_fn"
    assert "b raised ValueError: kernel exploded" in str(result)
    assert statuses(result)["equal"] == len(result.rows) - 1
    assert result.failure.type == "ValueError"
    with pytest.raises(StageError, match="cannot be run alone"):
        result.repro(path="unused.py")
    assert numerics(branch, branch, (X,)).ok


def test_inputs_of_another_size_fail_in_a_row(branch):
    result = numerics(branch, branch, (torch.ones(2, 5),))
    assert result.first.status == "failed"
    assert result.first.node_a == "linear"
    assert "mat1 and mat2" in result.first.note


def test_interruption_keeps_what_was_compared(deep, inputs):
    def interrupt(x):
        signal.raise_signal(signal.SIGINT)
        return torch.nn.functional.gelu(x)

    result = numerics(deep, plant(deep, "gelu", interrupt, which=6), inputs)
    assert result.interrupted
    assert not result.ok
    assert any(row.node_a == "gelu_5" for row in result.rows)
    assert not any(row.node_a == "gelu_7" for row in result.rows)
    assert "interrupted" in str(result)
    assert numerics(deep, deep, inputs).ok


def test_what_cannot_be_run_is_an_error(branch, tmp_path):
    from graphlens.read import read

    with pytest.raises(StageError, match="a is a Branch and cannot be run; export it"):
        numerics(Branch(), branch, (X,))
    with pytest.raises(StageError, match="b is a Program and cannot be run"):
        numerics(branch, read(branch), (X,))
    with pytest.raises(StageError, match="the inputs do not fit a: the program was captured for 1 inputs, and 2"):
        numerics(branch, branch, (X, X))
    with pytest.raises(StageError, match="args is a Tensor"):
        numerics(branch, branch, X)


def test_archive_example_inputs_and_fake_inputs(branch, tmp_path):
    path = tmp_path / "branch.pt2"
    torch.export.save(branch, path)
    assert numerics(branch, path).ok
    assert numerics(str(path), path).ok
    with torch._subclasses.FakeTensorMode() as mode:
        fake = mode.from_tensor(X)
    assert numerics(branch, branch, (fake,)).ok


def test_keyword_inputs_and_containers():
    class Keywords(torch.nn.Module):
        def forward(self, x, *, pair, scale=None):
            return {"sum": x + pair[0], "none": None, "twice": [pair[1] * 2, x]}

    kwargs = {"pair": (X, X * 2), "scale": None}
    program = torch.export.export(Keywords(), (X,), kwargs)
    result = numerics(program, program.module(), (X,), dict(reversed(kwargs.items())))
    assert result.ok
    assert result.outputs["leaf"].tolist() == ["output[0]", "output[1]", "output[2]", "output[3]"]
    assert numerics(program, program, (X,), kwargs).ok


def test_repro_runs_alone_and_shows_the_difference(branch, tmp_path):
    bad = copy.deepcopy(branch)
    for node in bad.graph.nodes:
        if "linear" in node.name and node.op == "call_function":
            node.args = (node.args[0], node.args[1])
    result = numerics(branch, bad, (X,))
    script = result.repro(path=tmp_path / "repro.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert f"max abs {result.first.error.max_abs:.6g}" in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["repro.pt", "repro.py"]


def test_repro_of_a_function_of_ones_own_and_of_an_op_with_graphs(loop, branch, tmp_path):
    result = numerics(loop, plant(loop, "sin", wrong_sin), (X,))
    script = result.repro("sin", tmp_path / "own.py", iteration="3")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, env={"PYTHONPATH": ""})
    row = result.find("sin", "3")
    assert f"relative {row.local.rms_rel:.6g}" in done.stdout
    result = numerics(branch, plant(branch, "sin", wrong_sin), (X,))
    script = result.repro("cond", tmp_path / "cond.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert f"max abs {result.find('cond').error.max_abs:.6g}" in done.stdout
    with pytest.raises(StageError, match="no value of a node 'nobody'"):
        result.repro("nobody")
    with pytest.raises(StageError, match="nothing to reproduce"):
        numerics(branch, branch, (X,)).repro()


def test_plot_and_json(branch):
    pytest.importorskip("matplotlib").use("Agg")
    result = numerics(branch, plant(branch, "linear", lambda x, w, b: x * float("nan")), (X,))
    ax = result.plot()
    assert ax.get_yscale() == "log"
    assert [line.get_label() for line in ax.lines][:2] == ["on its own inputs", "local"]
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert data["first"]["node_a"] == "linear"
    assert data["coverage"]["compared"] > 0


def test_weights_are_neither_copied_nor_kept(deep, inputs):
    import weakref

    bad = copy.deepcopy(deep)
    held = weakref.ref(bad.graph_module)
    result = numerics(deep, bad, inputs)
    assert result.ok
    del bad, result
    import gc

    gc.collect()
    assert held() is None


def test_the_same_program_in_another_precision_rounds():
    class Embedded(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(10, 16)
            self.deep = Deep(width=16, layers=2)

        def forward(self, ids):
            return self.deep(self.embed(ids))

    torch.manual_seed(7)
    model = Embedded().eval()
    ids = torch.arange(6).reshape(2, 3)
    single = torch.export.export(model, (ids,))
    half = torch.export.export(copy.deepcopy(model).bfloat16(), (ids,))
    result = numerics(single, half, (ids,))
    assert set(statuses(result)) <= {"equal", "rounding", "inherited"}
    assert result.first.note == "" or "precision" in result.first.note
    assert result.find("linear").error.note == "dtype bfloat16, not float32"
    spoiled = plant(half, "gelu", lambda x: torch.nn.functional.gelu(x) * 1.2, which=1)
    result = numerics(single, spoiled, (ids,))
    assert result.first.node_a == "gelu_1"
    assert result.first.status == "departs"
    assert result.suspects["node_a"][0] == "gelu_1"
