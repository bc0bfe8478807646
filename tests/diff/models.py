"""Small models of `transformers`, exported once per process: the programs that people really diff."""

from __future__ import annotations

import os
from functools import cache

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from diff.exports import reload
from torch import nn

SMALL = {"attn_implementation": "sdpa"}


def llama():
    config = transformers.LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_attention_heads=2, num_key_value_heads=2,
        num_hidden_layers=3, hidden_act="silu", use_cache=False,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config), (ids(),), {}


def mixtral():
    config = transformers.MixtralConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_attention_heads=2, num_key_value_heads=2,
        num_hidden_layers=3, num_local_experts=2, num_experts_per_tok=1, use_cache=False,
    )  # fmt: skip
    return transformers.MixtralForCausalLM(config), (ids(),), {}


def bert():
    config = transformers.BertConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_attention_heads=2, max_position_embeddings=32,
        num_hidden_layers=3, hidden_act="gelu",
    )  # fmt: skip
    return transformers.BertModel(config), (ids(),), {}


def vit():
    config = transformers.ViTConfig(
        hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=3, image_size=16, patch_size=8
    )
    return transformers.ViTModel(config), (torch.randn(1, 3, 16, 16),), {}


def whisper():
    config = transformers.WhisperConfig(
        vocab_size=64, d_model=16, encoder_layers=3, decoder_layers=3, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=8, max_source_positions=16, max_target_positions=16,
        use_cache=False, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    return transformers.WhisperModel(config), (), {"input_features": torch.randn(1, 8, 32), "decoder_input_ids": ids(1)}


def t5():
    config = transformers.T5Config(
        vocab_size=64, d_model=16, d_kv=8, d_ff=32, num_layers=3, num_decoder_layers=3, num_heads=2, use_cache=False
    )
    return transformers.T5Model(config), (), {"input_ids": ids(), "decoder_input_ids": ids()}


def ids(rows: int = 2) -> torch.Tensor:
    return torch.arange(rows * 8).reshape(rows, 8) % 60 + 1


MODELS = {"llama": llama, "mixtral": mixtral, "bert": bert, "vit": vit, "whisper": whisper, "t5": t5}


class Wrapped(nn.Module):
    """A model whose result is a plain tuple: its own output class may be unknown to pytree."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *args, **kwargs):
        return tuple(v for v in self.model(*args, **kwargs, return_dict=False) if isinstance(v, torch.Tensor))


@cache
def exported(name: str) -> torch.export.ExportedProgram:
    """Export a model."""
    torch.manual_seed(0)
    model, args, kwargs = MODELS[name]()
    return torch.export.export(Wrapped(model).eval(), args, kwargs, strict=False)


@cache
def reloaded(name: str) -> torch.export.ExportedProgram:
    return reload(exported(name))


@cache
def decomposed(name: str) -> torch.export.ExportedProgram:
    return exported(name).run_decompositions()
