import json
import sys
import threading

import pytest
import torch
import torch._dynamo
from torch._dynamo.callback import callback_handler, on_compile_end, on_compile_start

from graphlens.errors import StageError
from graphlens.program.program import Program
from graphlens.stages.capture import capture, hooks, rows, saved_forms


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    before = state_of_dynamo()
    yield
    torch._dynamo.reset()
    assert state_of_dynamo() == before
    assert not hooks._listeners
    assert not hooks._installed


def state_of_dynamo():
    """Everything a capture could leave behind: the functions it listens to, configs, callbacks, backends."""
    places = [hooks._find(module, path) for _, module, path, _ in hooks.POINTS]
    functions = [vars(owner).get(name) for owner, name in places]
    return (
        functions,
        torch._dynamo.config.get_config_copy(),
        torch._functorch.config.get_config_copy(),
        list(callback_handler.start_callbacks),
        list(callback_handler.end_callbacks),
        torch._dynamo.list_backends(exclude_tags=()),
        torch._dynamo.utils.get_metrics_context(),
    )


class Affine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x):
        return torch.relu(self.linear(x))


def broken(x, y):
    a = torch.sin(x) + y
    print("a side effect")
    b = a.cos()
    if b.sum() > 0:
        b = b * 2
    return b


def test_frames_graphs_and_programs(capsys):
    with capture() as cap:
        out = torch.compile(broken, backend="eager")(torch.zeros(3), torch.zeros(3))
    assert torch.equal(out, broken(torch.zeros(3), torch.zeros(3)))
    assert list(cap.graphs.columns) == list(rows.GRAPH_COLUMNS)
    assert list(cap.frames.columns) == list(rows.FRAME_COLUMNS)
    assert cap.graphs["name"].tolist() == list(cap.programs)
    assert cap.graphs["compile_id"].tolist() == ["0/0", "1/0", "2/0"]
    assert cap.graphs["backend"].unique().tolist() == ["eager"]
    first = cap.programs["broken 0/0"]
    assert isinstance(first, Program)
    assert [node.target for node in first.graph.nodes if node.op == "call_function"] == ["torch.sin", "_operator.add"]
    assert cap.graphs["ops"].tolist()[:2] == [2, 3]
    assert (cap.frames["status"] == "compiled").all()
    assert (cap.frames["seconds"] > 0).all()
    assert cap.counts == {**cap.counts, "frames": len(cap.frames), "graphs": len(cap.graphs), "failed": 0}


def test_graph_breaks_name_reason_and_user_line():
    with capture() as cap:
        torch.compile(broken, backend="eager")(torch.zeros(3), torch.zeros(3))
    assert list(cap.breaks.columns) == list(rows.BREAK_COLUMNS)
    assert cap.breaks["line"].tolist() == ['print("a side effect")', "if b.sum() > 0:"]
    assert cap.breaks["source"].str.match(r"test_capture\.py:\d+$").all()
    assert "print" in cap.breaks["explanation"][0]
    assert cap.breaks["reason"][1] == "Data-dependent branching"
    assert cap.breaks["hint"].str.len().min() > 0
    assert cap.breaks["outcome"].tolist() == ["resumed", "resumed"]
    assert cap.graphs["ended_by"][1] == f"Data-dependent branching at {cap.breaks['source'][1]}"
    assert cap.graphs["ended_by"].iloc[-1] == ""
    assert cap.graphs["function"][1].startswith("broken resumed at ")
    assert "2 graph breaks" in str(cap)
    assert 'print("a side effect")' in str(cap)


def test_break_that_skips_the_function_says_so():
    def looped(x):
        for _ in range(2):
            x = x + 1
            torch._dynamo.graph_break()
        return x

    with capture() as cap:
        torch.compile(looped, backend="eager")(torch.ones(2))
    assert len(cap.breaks) >= 1
    assert set(cap.breaks["outcome"]) <= {"resumed", "rest runs eagerly", "function runs eagerly"}
    assert (cap.breaks["line"] == "torch._dynamo.graph_break()").all()


def test_break_inside_a_called_module_is_the_line_of_the_module():
    class Inner(torch.nn.Module):
        def forward(self, x):
            y = x.sin()
            print("inside")
            return y.cos()

    outer = torch.nn.Sequential(Inner())
    with capture() as cap:
        torch.compile(outer, backend="eager")(torch.ones(2))
    assert cap.breaks["line"].tolist()[0] == 'print("inside")'


def test_recompile_has_guard_and_diff():
    def scale(x, by):
        return x * by

    compiled = torch.compile(scale, backend="eager")
    with capture() as cap:
        compiled(torch.ones(3), 2)
        compiled(torch.ones(3, dtype=torch.float64), 2)
        compiled(torch.ones(3, 3), 2)
    table = cap.recompiles
    assert list(table.columns) == list(rows.RECOMPILE_COLUMNS)
    assert cap.counts["recompiles"] == 2
    assert table["against"].tolist() == ["0/0", "0/1", "0/0"] or table["against"].tolist() == ["0/0", "0/0", "0/1"]
    assert "dtype" in table["guard"][0]
    assert table["graph_a"][0] == "scale 0/0"
    assert table["graph_b"][0] == "scale 0/1"
    assert table["changes"][0] > 0
    assert table["verdict"][0]
    fields = set(cap.diff("scale 0/0", "scale 0/1").mismatches["field"])
    assert "val.dtype" in fields


def test_recompile_of_a_function_compiled_before_the_block():
    def negate(x):
        return -x

    compiled = torch.compile(negate, backend="eager")
    compiled(torch.ones(2))
    with capture() as cap:
        compiled(torch.ones(2))
    assert "nothing was compiled" in str(cap)
    with capture() as cap:
        compiled(torch.ones(2, dtype=torch.int64))
    assert cap.recompiles["graph_a"].tolist() == [""]
    assert cap.recompiles["verdict"].tolist() == ["the earlier graph was made before this capture"]


def test_recompile_limit_is_a_failed_frame():
    def power(x, n):
        return x**n

    compiled = torch.compile(power, backend="eager", dynamic=False)
    with torch._dynamo.config.patch(recompile_limit=1), capture() as cap:
        compiled(torch.ones(2), 2)
        compiled(torch.ones(3), 3)
    assert cap.frames["status"].tolist() == ["compiled", "failed"]
    assert "recompile" in cap.frames["error"][1]
    assert cap.recompiles["verdict"][0] == "no new graph was made"
    assert "1 frame failed" in str(cap)


def test_aot_graphs_on_request():
    model = Affine()
    compiled = torch.compile(model, backend="aot_eager")
    with capture(aot=True) as cap:
        compiled(torch.ones(2, 4)).sum().backward()
        with torch.no_grad():
            compiled(torch.ones(2, 4))
    kinds = cap.graphs.groupby("compile_id", sort=False)["kind"].agg(list).tolist()
    assert kinds == [["dynamo", "aot joint", "aot forward", "aot backward"], ["dynamo", "aot inference"]]
    assert "Affine.forward 0/0 backward" in cap.programs
    backward = cap.programs["Affine.forward 0/0 backward"]
    assert any(node.target == "aten.mm.default" for _, node in backward.walk())
    assert "backward" in cap.frames["status"].tolist()
    assert "LAZY_BACKWARD" in cap.timeline["detail"].tolist()
    torch._dynamo.reset()
    with capture() as plain:
        compiled(torch.ones(2, 4))
    assert plain.graphs["kind"].tolist() == ["dynamo"]


def test_aot_graphs_are_found_where_older_releases_have_them(monkeypatch):
    older = tuple(point for point in hooks.POINTS if not point[2].startswith("_log_"))
    monkeypatch.setattr(hooks, "POINTS", older)
    with capture(aot=True) as cap:
        torch.compile(Affine(), backend="aot_eager")(torch.ones(2, 4)).sum().backward()
    assert cap.graphs["kind"].tolist() == ["dynamo", "aot joint", "aot forward", "aot backward"]
    torch._dynamo.reset()
    with capture(aot=True) as cap, torch.no_grad():
        torch.compile(Affine(), backend="aot_eager")(torch.ones(2, 4))
    assert "aot inference" in cap.graphs["kind"].tolist()
    assert cap.notices == ()


def test_module_compiled_in_place():
    model = Affine()
    model.compile(backend="eager")
    with capture() as cap:
        model(torch.ones(2, 4))
    assert cap.graphs["function"].tolist() == ["Affine.forward"]


def test_nested_graphs_are_in_the_program():
    def choose(x):
        return torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,))

    with capture() as cap:
        torch.compile(choose, backend="eager", fullgraph=True)(torch.ones(3))
    (program,) = cap.programs.values()
    assert cap.graphs["graphs"].tolist() == [3]
    assert {path.rpartition(".")[2] for path in program.graphs if path} == {"true_fn", "false_fn"}


def test_backend_with_options_and_mode():
    def backend(graph_module, inputs, **kwargs):
        assert kwargs == {"options": {"depth": 3}}
        return graph_module.forward

    with capture() as cap:
        torch.compile(torch.sin, backend=backend, options={"depth": 3})(torch.ones(2))
        torch.compile(lambda x: x.cos(), backend=backend, options={"depth": 3})(torch.ones(2))
    assert cap.graphs["backend"].tolist() == ["backend"] * len(cap.graphs)
    assert cap.graphs["options"].str.contains("depth").all()


class Refused(Exception):
    pass


def caught(function, *args):
    with pytest.raises(Exception) as error:
        function(*args)
    torch._dynamo.reset()
    return error


@pytest.mark.parametrize("kind", ["user", "backend", "runtime", "fullgraph", "method"])
def test_errors_reach_the_user_unchanged(kind):
    def user(x):
        y = x + 1
        if isinstance(y, torch.Tensor):
            raise Refused("as written", 7)
        return y

    def refusing_backend(graph_module, inputs):
        raise Refused("backend")

    def failing_at_run_time(graph_module, inputs):
        def run(*args):
            raise Refused("run", 3)

        return run

    def index(x):
        return x.sin_of_the_times()

    makers = {
        "user": lambda: torch.compile(user, backend="eager"),
        "backend": lambda: torch.compile(lambda x: x + 1, backend=refusing_backend),
        "runtime": lambda: torch.compile(lambda x: x + 1, backend=failing_at_run_time),
        "fullgraph": lambda: torch.compile(broken_alone, backend="eager", fullgraph=True),
        "method": lambda: torch.compile(index, backend="eager"),
    }
    plain = caught(makers[kind](), torch.ones(2))
    with capture() as cap:
        seen = caught(makers[kind](), torch.ones(2))
    assert seen.type is plain.type
    assert seen.value.args == plain.value.args
    assert str(seen.value) == str(plain.value)
    assert vars(seen.value).keys() == vars(plain.value).keys()
    assert type(seen.value.__cause__) is type(plain.value.__cause__)
    assert not [entry for entry in seen.traceback if "graphlens/stages" in str(entry.path)]
    assert len(seen.traceback) == len(plain.traceback)
    if kind in ("backend", "fullgraph"):
        assert "failed" in cap.frames["status"].tolist()
    assert cap.notices == ()


def broken_alone(x):
    print("no")
    return x + 1


def test_callbacks_of_the_user_run_and_stay():
    heard = []

    @on_compile_start
    def start(args):
        heard.append("start")

    @on_compile_end
    def end(args):
        heard.append("end")

    with capture() as cap:
        torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2))
    assert heard == ["start", "end"]
    assert start in callback_handler.start_callbacks
    spans = cap.timeline[cap.timeline["event"] == "compile"]
    assert spans["status"].tolist() == ["done"]
    assert (spans["seconds"] > 0).all()
    assert spans["detail"].tolist() == ["DYNAMO"]
    callback_handler.remove_start_callback(start)
    callback_handler.remove_end_callback(end)


def test_timeline_is_in_order_and_complete():
    def add(x):
        return x + 1

    with capture() as cap:
        torch.compile(broken, backend="eager")(torch.zeros(3), torch.zeros(3))
        torch._dynamo.reset()
        torch.compile(add, backend="eager")(torch.ones(2))
        torch.compile(add, backend="eager")(torch.ones(2).bool())
    table = cap.timeline
    assert list(table.columns) == list(rows.TIMELINE_COLUMNS)
    assert table["at"].is_monotonic_increasing
    assert (table["at"] >= 0).all()
    assert set(table["event"]) == {"compile", "frame", "break", "recompile", "reset"}
    assert (table["event"] == "frame").sum() == len(cap.frames)


def test_reset_inside_the_block():
    def add(x):
        return x + 1

    compiled = torch.compile(add, backend="eager")
    with capture() as cap:
        compiled(torch.ones(2))
        compiled(torch.ones(2, dtype=torch.int64))
        torch._dynamo.reset()
        compiled(torch.ones(2))
        compiled(torch.ones(2, dtype=torch.float64))
    first, second, third, fourth = cap.programs
    assert first == "add 0/0"
    assert third == "add 0/0 (2)"
    assert cap.recompiles["graph_a"].tolist() == [first, third]
    assert cap.recompiles["graph_b"].tolist() == [second, fourth]
    assert (cap.timeline["event"] == "compile").sum() == 4


def test_captures_nest_and_close_in_any_order():
    def one(x):
        return x + 1

    def two(x):
        return x + 2

    outer, inner = capture(), capture()
    outer.__enter__()
    torch.compile(one, backend="eager")(torch.ones(2))
    inner.__enter__()
    torch.compile(two, backend="eager")(torch.ones(2))
    outer.__exit__(None, None, None)
    torch.compile(lambda x: x + 3, backend="eager")(torch.ones(2))
    inner.__exit__(None, None, None)
    assert [name.split(" ")[0] for name in outer.programs] == ["one", "two"]
    assert [name.split(" ")[0] for name in inner.programs] == ["two", "<lambda>"]


def test_a_block_that_raises_is_left_clean_and_keeps_what_it_heard():
    cap = capture()
    with pytest.raises(Refused), cap:
        torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2))
        raise Refused
    assert len(cap.graphs) == 1
    with cap:
        torch.compile(lambda x: x + 2, backend="eager")(torch.ones(2))
    assert len(cap.graphs) == 2


def test_compilation_in_other_threads_is_recorded():
    def work():
        torch.compile(lambda x: x * 5, backend="eager")(torch.ones(2))

    with capture() as cap:
        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
    assert cap.graphs["thread"].tolist() == ["worker"]
    assert cap.frames["thread"].tolist() == ["worker"]


def test_another_patch_over_ours_is_left_in_place(monkeypatch):
    target = torch._dynamo.utils
    name = "add_compilation_metrics_to_chromium"
    heard = []
    original = getattr(target, name)
    with capture() as cap:
        ours = getattr(target, name)

        def theirs(metrics):
            heard.append(metrics)
            return ours(metrics)

        setattr(target, name, theirs)
        torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2))
    assert getattr(target, name) is theirs
    assert len(heard) == len(cap.frames) == 1
    torch._dynamo.reset()
    torch.compile(lambda x: x + 2, backend="eager")(torch.ones(2))
    assert len(cap.frames) == 1
    setattr(target, name, original)


def test_a_torch_that_lacks_a_place_is_named(monkeypatch):
    monkeypatch.setattr(
        hooks, "POINTS", (*hooks.POINTS, ("novel", "torch._dynamo.utils", "no_such_function", "before"))
    )
    with capture() as cap:
        torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2))
    assert len(cap.graphs) == 1
    assert any("novel" in notice for notice in cap.notices)


def test_a_failure_of_ours_is_a_notice(monkeypatch):
    def refuse(obj, **options):
        raise Refused("reading")

    monkeypatch.setattr(sys.modules["graphlens.read"], "read", refuse)
    with capture() as cap:
        assert torch.equal(torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)), torch.ones(2) + 1)
    assert len(cap.graphs) == 0
    assert any("Refused" in notice for notice in cap.notices)
    assert "note:" in str(cap)


def test_to_dict_is_json():
    with capture() as cap:
        torch.compile(broken, backend="eager")(torch.zeros(3), torch.zeros(3))
    text = json.dumps(cap.to_dict(), allow_nan=False)
    assert json.loads(text)["counts"]["breaks"] == 2


def test_unknown_name_is_an_error():
    with capture() as cap:
        torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2))
    with pytest.raises(StageError, match=r"no captured graph is called 'nobody'.*<lambda> 0/0"):
        cap.diff("<lambda> 0/0", "nobody")


def test_saved_forms_of_both_ways_to_compile():
    wrapped = saved_forms(torch.compile(Affine(), backend="eager")).set_index("what")
    assert wrapped["compiled"]["state_dict keys"] == "_orig_mod.linear.weight, _orig_mod.linear.bias"
    assert not wrapped["same"]["its state_dict into the uncompiled module"]
    assert wrapped["compiled"]["its state_dict into the uncompiled module"].startswith("fails: 2 missing, 2 unexpected")
    in_place = Affine()
    in_place.compile(backend="eager")
    in_place(torch.ones(1, 4))
    table = saved_forms(in_place).set_index("what")
    assert table["same"].all()
    assert table["compiled"]["torch.save and torch.load of the module"] == "Affine, not compiled"
    assert "compile it again" in table["advice"]["copy.deepcopy"]
    with pytest.raises(StageError, match="no compiled module"):
        saved_forms(Affine())


@pytest.mark.parametrize("in_place", [False, True])
def test_saved_forms_agree_with_torch(in_place, tmp_path):
    plain, module = Affine(), Affine()
    compiled = torch.compile(module, backend="eager")
    if in_place:
        compiled = module
        compiled.compile(backend="eager")
    table = saved_forms(compiled).set_index("what")["compiled"]
    for given, wanted, what in (
        (compiled, plain, "its state_dict into the uncompiled module"),
        (plain, compiled, "uncompiled state_dict into it"),
    ):
        try:
            wanted.load_state_dict(given.state_dict())
            assert table[what] == "loads"
        except RuntimeError:
            assert table[what].startswith("fails")
    torch.save(compiled, tmp_path / "module.pt")
    loaded = torch.load(tmp_path / "module.pt", weights_only=False)
    assert table["torch.save and torch.load of the module"].startswith(f"{type(loaded).__name__}, ")


def test_a_module_of_a_library_is_called_by_its_class():
    compiled = torch.compile(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()), backend="eager")
    with capture() as cap:
        compiled(torch.ones(2, 4))
        compiled(torch.ones(3, 4))
    assert cap.graphs["function"].tolist() == ["Sequential.forward"] * 2
    assert cap.frames["function"].tolist() == ["Sequential.forward"] * 2
    assert cap.graphs["source"][0].startswith("container.py:")
    assert cap.recompiles["function"].tolist() == ["Sequential.forward"]
    assert cap.recompiles["graph_a"].tolist() == ["Sequential.forward 0/0"]
