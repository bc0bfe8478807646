"""A small decoder whose experts are chosen by data, for the demo and the notebooks: `cond` inside `map` inside `cond`."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

try:
    from torch._higher_order_ops.map import map as hop_map
except ImportError:  # torch 2.9 has it here
    from functorch.experimental.control_flow import map as hop_map


class Attention(nn.Module):
    """Causal self-attention with one projection for queries, keys and values."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Any) -> Any:
        """Mix the rows of `x`, of shape (batch, time, dim)."""
        batch, time, dim = x.shape
        shape = (batch, time, self.heads, dim // self.heads)
        q, k, v = (part.view(shape).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, time, dim))


class RoutedExperts(nn.Module):
    """Rows go one by one to a strong or a mild expert, unless the whole batch is quiet."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.strong, self.mild = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x: Any) -> Any:
        """Route the rows of `x`, of shape (batch, time, dim)."""

        def strong(row: Any) -> Any:
            return nn.functional.gelu(self.strong(row))

        def mild(row: Any) -> Any:
            return self.mild(row) * 0.5

        def route(row: Any) -> Any:
            return torch.cond(row[0, 0] > 0, strong, mild, (row,))

        def loud(batch: Any) -> Any:
            return hop_map(route, batch)

        def quiet(batch: Any) -> Any:
            return batch.clone()

        return torch.cond(x.abs().mean() > 0.1, loud, quiet, (x,))


class Block(nn.Module):
    """Attention, then routed experts, each behind a norm and beside a residual."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention, self.experts = Attention(dim, heads), RoutedExperts(dim)

    def forward(self, x: Any) -> Any:
        """Add to `x`, of shape (batch, time, dim), what attention and experts make of it."""
        x = x + self.attention(self.norm1(x))
        return x + self.experts(self.norm2(x))


class RoutedDecoder(nn.Module):
    """Blocks between an embedding and an output layer that share one weight."""

    def __init__(self, vocab: int = 64, dim: int = 32, heads: int = 4, layers: int = 2) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(layers))
        self.head = nn.Linear(dim, vocab, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: Any) -> Any:
        """Give the logits, of shape (batch, time, vocab), of token ids of shape (batch, time)."""
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)
