"""Reading a file and reading what `torch.export.load` makes of it say the same, in every field that the file holds."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from graphlens.read import read

ARCHIVES = sorted((Path(__file__).parents[1] / "data" / "archives" / "torch-2.13.0").glob("*.pt2"))
UNKNOWN_IN_A_FILE = {"conj", "neg", "type", "storage", "persistent"}
"""Facets that no file records: unknown on one side, known on the other."""


def differences(file: Any, live: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield what differs between two trees of plain data, where the one from a file says anything."""
    field = path.rpartition(".")[2]
    if file is None and (field in UNKNOWN_IN_A_FILE or field == "value"):
        if field == "value" and live is not None:
            yield path, file, live
        return
    if field == "storage_offset" and live == 0:
        return  # the loader drops it
    if type(file) is not type(live):
        yield path, file, live
    elif isinstance(file, msgspec.Struct):
        for name in file.__struct_fields__:
            yield from differences(getattr(file, name), getattr(live, name), f"{path}.{name}")
    elif isinstance(file, dict):
        if list(file) != [key for key in live if key != "unbacked_bindings"]:  # the loader computes those
            yield path, list(file), list(live)
        for key in file:
            yield from differences(file[key], live.get(key), f"{path}[{key}]")
    elif isinstance(file, tuple):
        if len(file) != len(live):
            yield path, len(file), len(live)
        for i, (one, two) in enumerate(zip(file, live, strict=False)):
            yield from differences(one, two, f"{path}[{i}]")
    elif file != live and not (file != file and live != live):
        yield path, file, live


def assert_agree(path: Path) -> None:
    archive, live = read(path), read(torch.export.load(path))
    assert list(archive.graphs) == list(live.graphs)
    for field in (
        "graphs", "inputs", "outputs", "symbol_table", "ranges", "module_calls", "guards", "in_spec", "out_spec", "meta",
    ):  # fmt: skip
        found = list(differences(getattr(archive, field), getattr(live, field), field))
        assert not found[:5], field
    for name in ("torch", "schema", "opset", "verifiers", "dialect"):
        assert getattr(archive.versions, name) == getattr(live.versions, name)
    for file, lines in archive.sources.items():
        assert all(live.sources[file][number].strip() == text.strip() for number, text in lines.items())
    assert_same_stored(archive, live)


def assert_same_stored(archive, live) -> None:
    assert [tensor.fqn for tensor in archive.stored] == [tensor.fqn for tensor in live.stored]
    partitions = []
    for program in (archive, live):
        groups: dict[str | None, list[str]] = {}
        for tensor in program.stored:
            groups.setdefault(tensor.storage, []).append(tensor.fqn)
        partitions.append(sorted(groups.values()))
    assert partitions[0] == partitions[1]
    for one, two in zip(archive.stored, live.stored, strict=True):
        for field in (
            "kind",
            "shape",
            "dtype",
            "stride",
            "storage_offset",
            "device",
            "layout",
            "requires_grad",
            "nbytes",
        ):
            assert getattr(one, field) == getattr(two, field), (one.fqn, field)
        assert one.content.element_bytes() == two.content.element_bytes()
        assert one.content.digest() == two.content.digest() is not None


@pytest.mark.parametrize("path", ARCHIVES, ids=[path.stem for path in ARCHIVES])
def test_fixtures(path):
    assert_agree(path)


def test_the_archive_half_imports_no_torch():
    code = (
        "import sys\nfrom graphlens.read import read\n"
        "for path in sys.argv[1:]:\n    assert len(read(path).graph) > 0\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, ARCHIVES)], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert ARCHIVES


def _llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        vocab_size=32, use_cache=False,
    )  # fmt: skip
    return LlamaForCausalLM(config), {"input_ids": torch.zeros(1, 4, dtype=torch.int64)}


def _bert():
    from transformers import BertConfig, BertModel

    config = BertConfig(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, vocab_size=32)
    return BertModel(config), {"input_ids": torch.zeros(1, 4, dtype=torch.int64)}


def _gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=32, n_positions=16, use_cache=False)
    return GPT2LMHeadModel(config), {"input_ids": torch.zeros(1, 4, dtype=torch.int64)}


def _vit():
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=16, patch_size=8
    )
    return ViTModel(config), {"pixel_values": torch.zeros(1, 3, 16, 16)}


def _whisper():
    from transformers import WhisperConfig, WhisperModel

    config = WhisperConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, vocab_size=32, num_mel_bins=4, max_source_positions=8,
        max_target_positions=8, use_cache=False, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    inputs = {"input_features": torch.zeros(1, 4, 16), "decoder_input_ids": torch.zeros(1, 3, dtype=torch.int64)}
    return WhisperModel(config), inputs


def _mixtral():
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        vocab_size=32, num_local_experts=2, num_experts_per_tok=1, use_cache=False,
    )  # fmt: skip
    return MixtralForCausalLM(config), {"input_ids": torch.zeros(1, 4, dtype=torch.int64)}


def _t5():
    from transformers import T5Config, T5Model

    config = T5Config(
        d_model=16, d_kv=8, d_ff=16, num_layers=1, num_decoder_layers=1, num_heads=2, vocab_size=32, use_cache=False
    )
    ids = torch.zeros(1, 4, dtype=torch.int64)
    return T5Model(config), {"input_ids": ids, "decoder_input_ids": ids}


FAMILIES = {
    "llama": _llama,
    "bert": _bert,
    "gpt2": _gpt2,
    "vit": _vit,
    "whisper": _whisper,
    "mixtral": _mixtral,
    "t5": _t5,
}


class FirstTensors(torch.nn.Module):
    """A model whose results are plain tensors: a file cannot name classes that no loader has registered."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, inputs):
        return tuple(
            value for value in self.model(**inputs, return_dict=True).values() if isinstance(value, torch.Tensor)
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers(family, tmp_path):
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    model, inputs = FAMILIES[family]()
    ep = torch.export.export(FirstTensors(model.eval()), (inputs,))
    torch.export.save(ep, tmp_path / "model.pt2")
    assert_agree(tmp_path / "model.pt2")
    live, archive = read(ep), read(tmp_path / "model.pt2")
    assert len(live.graph) <= len(archive.graph)
    by_name = {node.name: node.target for node in archive.graph.nodes}
    kept = [node for node in live.graph.nodes if node.op != "get_attr"]
    assert all(by_name.get(node.name) == node.target for node in kept if node.value is not None)
