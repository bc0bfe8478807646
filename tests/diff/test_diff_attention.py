"""Attention written out against the fused operator: each layer is one rewrite, the mask that all layers read is none of them."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
import torch
import transformers
from diff.models import Wrapped, ids
from msgspec import structs
from torch import nn

import graphlens as gl
from graphlens.diff import Diff
from graphlens.program.program import Program

pytestmark = pytest.mark.filterwarnings("ignore")

SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}


def llama(layers: int, **options):
    config = transformers.LlamaConfig(
        vocab_size=64, num_key_value_heads=2, num_hidden_layers=layers, use_cache=False, **SIZES, **options
    )
    return transformers.LlamaForCausalLM(config), (ids(),), {}


def bert(layers: int, **options):
    config = transformers.BertConfig(
        vocab_size=64, max_position_embeddings=32, num_hidden_layers=layers, **SIZES, **options
    )
    return transformers.BertModel(config), (ids(),), {}


def vit(layers: int, **options):
    config = transformers.ViTConfig(num_hidden_layers=layers, image_size=16, patch_size=8, **SIZES, **options)
    return transformers.ViTModel(config), (torch.randn(1, 3, 16, 16),), {}


def gpt2(layers: int, **options):
    config = transformers.GPT2Config(
        vocab_size=64, n_positions=32, n_embd=16, n_layer=layers, n_head=2, use_cache=False, bos_token_id=0, eos_token_id=0, **options
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config), (ids(),), {}


def whisper(layers: int, **options):
    config = transformers.WhisperConfig(
        vocab_size=64, d_model=16, encoder_layers=layers, decoder_layers=layers, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=8, max_source_positions=16, max_target_positions=16,
        use_cache=False, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, **options,
    )  # fmt: skip
    return transformers.WhisperModel(config), (), {"input_features": torch.randn(1, 8, 32), "decoder_input_ids": ids(1)}


MODELS = {"llama": llama, "bert": bert, "vit": vit, "gpt2": gpt2, "whisper": whisper}
SITES = {"whisper": 3}
"""Attentions in a layer, where there is more than one: that of the encoder, and two in the decoder."""


@cache
def program(name: str, layers: int, attention: str) -> Program:
    torch.manual_seed(0)
    model, args, kwargs = MODELS[name](layers, attn_implementation=attention)
    return gl.read(torch.export.export(Wrapped(model.eval()).eval(), args, kwargs, strict=False))


def compared(name: str, layers: int) -> Diff:
    return gl.diff(program(name, layers, "sdpa"), program(name, layers, "eager"))


def layers_of(diff: Diff, names: tuple[str, ...], *, side: str) -> set[str]:
    graph = diff.b.graph if side == "b" else diff.a.graph
    return {".".join(graph[name].module.split(".")[:-1]) for name in names}


def each_layer_is_one_rewrite(diff: Diff, sites: int) -> None:
    """One group for each attention; only the mask (and copies) are beside them, and nothing is left in doubt."""
    groups = diff.alignment.graphs[0].groups
    assert len(groups) == sites
    for group in groups:
        ours = [diff.a.graph[name].target for name in group.a]
        theirs = Counter(diff.b.graph[name].target for name in group.b)
        assert ours[0] == "aten.scaled_dot_product_attention.default"
        assert theirs["aten.matmul.default"] == 2
        assert theirs["aten.softmax.int"] == theirs["aten.dropout.default"] == 1
    assert not [row for row in diff.node_rows if row.match in ("ambiguous", "only_a")]
    alone = {diff.b.graph[row.node_b].target for row in diff.node_rows if row.match == "only_b"}
    assert alone <= {"aten.zeros.default", "aten.where.ScalarOther", "aten.contiguous.default"}
    assert not diff.proof.same
    assert diff.worst == "wrong_result"


def plain(program: Program) -> Program:
    """A program whose nodes say nothing of modules and lines."""
    graphs = {
        path: structs.replace(graph, nodes=tuple(structs.replace(node, meta={}) for node in graph.nodes))
        for path, graph in program.graphs.items()
    }
    return structs.replace(program, graphs=graphs)


@pytest.mark.parametrize(("name", "layers"), [*((name, 3) for name in MODELS), ("bert", 2)])
def test_attention_written_out_is_one_rewrite_in_each_layer(name, layers):
    diff = compared(name, layers)
    each_layer_is_one_rewrite(diff, layers * SITES.get(name, 1))
    for group in diff.alignment.graphs[0].groups:
        (ours,) = layers_of(diff, group.a, side="a")
        assert layers_of(diff, group.b, side="b") == {ours}
    worst = [pattern for pattern in diff.pattern_rows if pattern.severity == "wrong_result"]
    assert [pattern.count for pattern in worst] == [layers] * (2 if name == "whisper" else 1)
    edits = f"({'2 edits' if name == 'whisper' else '1 edit'}, in {sum(p.count for p in worst)} regions)"
    assert edits in diff.verdict
    assert roots(diff) == layers * SITES.get(name, 1)


def roots(diff: Diff) -> int:
    return sum(row.cause == "root" and row.severity == "wrong_result" for row in diff.rows)


@pytest.mark.parametrize("name", MODELS)
def test_the_same_is_found_where_nothing_tells_of_modules(name):
    a, b = (plain(program(name, 3, attention)) for attention in ("sdpa", "eager"))
    diff, back = gl.diff(a, b), gl.diff(b, a)
    each_layer_is_one_rewrite(diff, 3 * SITES.get(name, 1))
    assert {(row.node_a, row.node_b) for row in diff.node_rows} == {(row.node_b, row.node_a) for row in back.node_rows}


class Attention(nn.Module):
    """As little around an attention as keeps it apart from the next."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x, mask):
        x = x * self.weight
        if mask.dtype == torch.bool:
            return x + nn.functional.scaled_dot_product_attention(x.sin(), x.cos(), x.tanh(), mask)
        scores = x.sin() @ x.cos().transpose(1, 2) * 0.5
        return x + (scores + mask).softmax(-1) @ x.tanh()


class Attentions(nn.Module):
    def __init__(self, layers: int, *, fused: bool) -> None:
        super().__init__()
        self.layers, self.fused = nn.ModuleList(Attention() for _ in range(layers)), fused

    def forward(self, x):
        mask = torch.ones(4, 4, dtype=torch.bool).tril()
        if not self.fused:
            mask = torch.zeros(4, 4).masked_fill(~mask, -torch.inf)
        for layer in self.layers:
            x = layer(x, mask)
        return x


def test_more_layers_than_fit_in_one_group():
    x = (torch.randn(2, 4, 4),)
    a, b = (gl.read(torch.export.export(Attentions(50, fused=fused), x)) for fused in (True, False))
    for diff in (gl.diff(a, b), gl.diff(plain(a), plain(b))):
        groups = diff.alignment.graphs[0].groups
        assert [(len(group.a), len(group.b)) for group in groups] == [(1, 6)] * 50
        alone = [diff.b.graph[row.node_b].target for row in diff.node_rows if row.match.startswith("only")]
        assert alone == ["aten.zeros.default", "aten.bitwise_not.default", "aten.masked_fill.Scalar"]
    assert "(1 edit, in 50 regions)" in gl.diff(a, b).verdict


def test_the_shared_mask_follows_from_what_reads_it():
    """What only rewritten layers read went with the rewrite: it is told, and is no edit of its own."""
    diff = compared("bert", 2)
    mask = {row.node_b: row for row in diff.rows if row.node_b in ("zeros", "where") and row.field == "target"}
    assert {row.kind for row in mask.values()} == {"only_b"}
    assert {row.cause for row in mask.values()} == {"inherited"}
    readers = {name for group in diff.alignment.graphs[0].groups for name in group.b}
    assert {row.inherited_from for row in mask.values()} <= readers
