"""Real models from small configurations: a path and the object that torch loads from it give the same Program."""

import io
import logging
import warnings
from collections.abc import Callable

import pytest
import torch
from read.archive_equality import differences

from graphlens.read import read

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 64}
IDS = torch.arange(16).reshape(2, 8)


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(**SMALL, intermediate_size=48, num_key_value_heads=2, use_cache=False)
    return LlamaForCausalLM(config), (IDS,), {}


def mixtral():
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(**SMALL, intermediate_size=48, num_key_value_heads=2, num_local_experts=4, use_cache=False)
    return MixtralForCausalLM(config), (IDS,), {}


def bert():
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(**SMALL, intermediate_size=48)), (IDS,), {}


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=64, use_cache=False)), (IDS,), {}


def vit():
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(**{**SMALL, "vocab_size": None}, intermediate_size=48, image_size=32, patch_size=8)
    return ViTForImageClassification(config), (torch.randn(2, 3, 32, 32),), {}


def whisper():
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, vocab_size=64,
        encoder_ffn_dim=48, decoder_ffn_dim=48, max_source_positions=20, num_mel_bins=8, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=1, use_cache=False, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    return WhisperForConditionalGeneration(config), (torch.randn(2, 8, 40),), {"decoder_input_ids": IDS}


def t5():
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=64, use_cache=False)
    return T5ForConditionalGeneration(config), (), {"input_ids": IDS, "decoder_input_ids": IDS}


MODELS: dict[str, Callable] = {f.__name__: f for f in (llama, mixtral, bert, gpt2, vit, whisper, t5)}


@pytest.mark.parametrize("name", MODELS)
def test_transformers(name, caplog):
    pytest.importorskip("transformers")
    caplog.set_level(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, args, kwargs = MODELS[name]()
        exported = torch.export.export(model.eval(), args, kwargs, strict=False)
        buffer = io.BytesIO()
        torch.export.save(exported, buffer)
        buffer.seek(0)
        archived = read(buffer)
        buffer.seek(0)
        loaded = read(torch.export.load(buffer))
    assert list(differences(archived, loaded)) == []
    assert not archived.notices
    assert len(archived.graph) > 50
    assert any(call.path for node in archived.graph.nodes for call in node.module_stack)
    tied = [t for t in archived.stored if t.storage and sum(t.storage == o.storage for o in archived.stored) > 1]
    assert bool(tied) == any(p is q for i, p in enumerate(all_parameters(model)) for q in all_parameters(model)[:i])


def all_parameters(model):
    return [p for _, p in model.named_parameters(remove_duplicate=False)]
