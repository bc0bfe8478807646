"""Which line is the user's."""

import pytest

from graphlens.program.frames import frame_rank, frame_text, model_frame, parse_stack_trace, source_text, user_frame

USER = '  File "/home/u/project/model.py", line 47, in forward\n    return self.net(x)\n'
LLAMA = '  File "/v/lib/python3.11/site-packages/transformers/models/llama/modeling_llama.py", line 306, in forward\n    h = a + b\n'
LINEAR = '  File "/v/lib/python3.11/site-packages/torch/nn/modules/linear.py", line 134, in forward\n    return F.linear(x)\n'
GENERATED = '  File "<eval_with_key>.4", line 6, in forward\n    cond = torch.ops.higher_order.cond(l)\n'
STANDARD = '  File "/usr/lib/python3.11/contextlib.py", line 81, in inner\n    return func()\n'


def test_frames_are_parsed_with_their_text():
    frames = parse_stack_trace(USER + LINEAR)
    assert [(frame.line, frame.function, frame.text) for frame in frames] == [
        (47, "forward", "return self.net(x)"),
        (134, "forward", "return F.linear(x)"),
    ]


def test_marks_of_python_3_11_are_no_text():
    frames = parse_stack_trace('File "m.py", line 1, in f\n    a + b\n    ~~^~~\n')
    assert [frame.text for frame in frames] == ["a + b"]


@pytest.mark.parametrize(
    ("trace", "mine", "inner"),
    [
        (USER, "model.py:47", ""),
        (USER + LINEAR, "model.py:47", ""),
        (USER + LLAMA + LINEAR, "model.py:47", "modeling_llama.py:306"),
        (LLAMA + LINEAR, "modeling_llama.py:306", "modeling_llama.py:306"),
        (USER + LLAMA + USER.replace("47", "9"), "model.py:9", ""),
        (LINEAR, "linear.py:134", ""),
        (LINEAR + GENERATED, "linear.py:134", ""),
        (USER + GENERATED, "model.py:47", ""),
        (GENERATED, "<eval_with_key>:6", ""),
        (USER + STANDARD, "model.py:47", ""),
        ("", "", ""),
        (None, "", ""),
        ("no frames at all", "", ""),
    ],
)
def test_the_line_nearest_to_the_user(trace, mine, inner):
    assert frame_text(user_frame(trace)) == mine
    assert frame_text(model_frame(trace)) == inner


def test_both_lines_are_shown_where_a_wrapper_hides_the_model():
    assert source_text(USER + LLAMA + LINEAR) == "model.py:47 > modeling_llama.py:306"
    assert source_text(LLAMA) == "modeling_llama.py:306"
    assert source_text(USER) == "model.py:47"


@pytest.mark.parametrize(
    ("file", "rank"),
    [
        ("/home/u/torch/model.py", 0),
        ("/home/u/transformers/model.py", 0),
        ("<ipython-input-3-abc>", 0),
        ("/tmp/ipykernel_7/1234.py", 0),
        ("site-packages/timm/models/vit.py", 1),
        ("site-packages/transformers/utils/generic.py", 2),
        ("site-packages/torch/nn/functional.py", 3),
        ("torch/fx/passes/runtime_assert.py", 3),
        ("/home/u/pytorch/torch/_ops.py", 3),
        (r"C:\v\Lib\site-packages\torch\nn\x.py", 3),
        ("lib/python3/contextlib.py", 4),
        ("<string>", 5),
        ("<eval_with_key>.12", 5),
    ],
)
def test_rank(file, rank):
    assert frame_rank(file) == rank


def test_hostile_traces():
    assert parse_stack_trace('File "' + "a" * 1_000_000 + '", line 1, in f')[0].line == 1
    assert parse_stack_trace('File "x", line ' + "9" * 5000 + ", in f")[0].line == 999_999_999_999
