"""What a list of stages and runtimes means. No torch is needed to plan."""

from __future__ import annotations

import pytest

from graphlens.errors import StageError
from graphlens.stages.catalog import PRESETS, RUNTIMES, STAGES, plan_runtimes, plan_stages


def needs(wanted):
    return [(stage.name, stage.needs) for stage in plan_stages(wanted)]


def test_the_default_plan():
    assert needs(("export", "decompose", "reload")) == [
        ("export", "model"),
        ("decompose", "export"),
        ("reload", "export"),
    ]


def test_a_stage_without_a_capture_gets_one():
    assert needs("reload") == [("export", "model"), ("reload", "export")]
    assert needs(("reload", "decompose")) == [("export", "model"), ("reload", "export"), ("decompose", "export")]


def test_a_stage_may_start_from_another():
    wanted = ("export", "decompose", "reload@decompose", "reload@export")
    assert needs(wanted)[2:] == [("reload@decompose", "decompose"), ("reload@export", "export")]


def test_a_stage_starts_from_the_nearest_capture():
    wanted = ("export", "reload@export", "pre_dispatch", "reload")
    assert needs(wanted)[-1] == ("reload", "pre_dispatch")


def test_presets_are_the_flows_of_pytorch():
    assert set(PRESETS) == {"aot_export", "pre_dispatch_export", "retrace_export", "serialize_export"}
    assert needs("serialize_export") == [
        ("pre_dispatch", "model"),
        ("decompose", "pre_dispatch"),
        ("reload@decompose", "decompose"),
    ]


def fold(program):
    return program


def test_functions_are_passes_of_the_stage_before():
    assert needs(("export", "decompose", fold, ("again", fold))) == [
        ("export", "model"),
        ("decompose", "export"),
        ("fold", "decompose"),
        ("again", "fold"),
    ]
    assert needs(fold) == [("export", "model"), ("fold", "export")]
    assert needs(("mine", fold)) == [("export", "model"), ("mine", "export")]
    assert needs(("export", fold)) == [("export", "model"), ("fold", "export")]


def test_a_table_is_a_decomposition():
    (_, stage) = plan_stages([("mine", {})])
    assert (stage.name, stage.needs, stage.run.keywords["table"]) == ("mine", "export", {})


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("exprot", "stage 'exprot' is unknown; there are export,"),
        (("export", "export"), "stage 'export' is asked for twice"),
        ("reload@decompose", "starts from 'decompose', which does not come before it"),
        ((3,), "3 is no stage; give a name, a function"),
    ],
)
def test_plans_that_make_no_sense(wanted, message):
    with pytest.raises(StageError, match=message):
        plan_stages(wanted)


def test_runtimes_find_their_stage():
    stages = plan_stages(("pre_dispatch", "decompose", "reload@decompose"))
    planned = plan_runtimes(("eager", "exported", "reloaded", "decompose"), stages)
    assert [runtime.needs for runtime in planned] == ["model", "pre_dispatch", "reload@decompose", "decompose"]
    assert [runtime.exact for runtime in planned] == [True, True, False, False]


def test_an_unknown_runtime():
    with pytest.raises(StageError, match="runtime 'fast' is unknown; there are eager, exported"):
        plan_runtimes("fast", plan_stages("export"))


def test_every_part_has_the_one_interface():
    for part in (*STAGES.values(), *RUNTIMES.values()):
        assert part.name
        assert part.needs
        assert callable(part.probe)
    assert set(RUNTIMES) == {
        "eager", "exported", "reloaded", "decomposed", "compile:eager", "compile:aot_eager", "compile:inductor",
        "aoti", "aoti_delegate", "aoti_delegate:packaged", "nativert",
    }  # fmt: skip
