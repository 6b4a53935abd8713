"""CrackFormer's building blocks: attention to the whole map and to 7×7 surroundings (Liu et al. 2021, 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEADS = 4  #: groups of queries; the values have as many channels fewer than the input
KEYS = 16  #: length of a query and of a key
WINDOW = 7  #: side of the surroundings that the context attention sees


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation over groups of four channels."""
    return nn.GroupNorm(channels // 4, channels)


class TransformerBlock(nn.Module):
    """Bottleneck ``GELU(x' + GELU(GN(conv1(GELU(A(GELU(GN(conv1(x)))))))))`` with the attention block ``A``.

    ``x'`` is ``x``, or GN(conv1(x)) where the number of channels changes.

    Args:
        inputs: channels of the input, a multiple of 4.
        outputs: channels of the output, a multiple of 4.
        dropout: probability of dropping a value inside the attention block.
    """

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        # A quarter; at small widths at least the 16 channels for which the 4 value channels still make one group.
        hidden = max(16, 16 * round(max(inputs, outputs) / 64))
        self.reduce = _projection(inputs, hidden)
        self.attention = AttentionBlock(hidden, dropout)
        self.expand = _projection(hidden, outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1), group_norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        inner = F.gelu(self.attention(F.gelu(self.reduce(x))))
        return F.gelu(F.gelu(self.expand(inner)) + self.shortcut(x))


class AttentionBlock(nn.Module):
    """``y = x + A(x)``, then ``y + M(y)``, with attention ``A`` and a convolutional perceptron ``M``."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        inner = channels // 4
        self.attention = ContextAttention(channels)
        self.perceptron = nn.Sequential(
            nn.Conv2d(channels, inner, 1),
            group_norm(inner),
            nn.Conv2d(inner, inner, 3, padding=1, groups=inner // 4),
            group_norm(inner),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Conv2d(inner, channels, 1),
            group_norm(channels),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to the same shape; ``channels`` is a multiple of 16."""
        x = x + self.attention(x)
        return x + self.perceptron(x)


class ContextAttention(nn.Module):
    """Attention of every position to the content of the whole map and to its own surroundings.

    Every position has 4 queries of length 16 (one a head), the map has 16 key channels and ``V = channels / 4`` value
    channels.  Output channel ``V·head + v`` at position p is ``Σ_k query[head, k, p] · summary[v, k, p]`` with

        summary[v, k, p] = Σ_n softmax_n(key[k, n]) · value[v, n]  +  Σ_d embedding[k, d] · value[v, p + d]

    where n runs over all positions and d over a 7×7 window (zeros outside the map).  The sum of queries and summaries
    is the attention without an N×N matrix (Bello 2021, "LambdaNetworks").
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.queries = _projection(channels, HEADS * KEYS)
        self.keys = _projection(channels, KEYS)
        self.values = _projection(channels, channels // HEADS)
        self.embedding = nn.Parameter(torch.randn(KEYS, 1, 1, WINDOW, WINDOW) / WINDOW)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to the same shape."""
        queries = self.queries(x).unflatten(1, (HEADS, 1, KEYS))
        keys = self.keys(x).flatten(2).softmax(-1)
        values = self.values(x)
        content = values.flatten(2) @ keys.mT
        # One image per value channel lets a plain convolution with 16 outputs serve all of them.
        context = F.conv2d(values.flatten(0, 1)[:, None], self.embedding[:, :, 0], padding=WINDOW // 2)
        summary = (context.unflatten(0, values.shape[:2]) + content[..., None, None])[:, None]
        return _sum_over_keys(queries, summary).flatten(1, 2)


def _sum_over_keys(queries: Tensor, summary: Tensor) -> Tensor:
    """``Σ_k`` of (B, heads, 1, k, H, W) times (B, 1, V, k, H, W): (B, heads, V, H, W).

    A sum of products key by key: a product of all keys at once would hold 16 times the memory of the result, and a
    matrix product per position is several times slower than either.  An exported graph holds one operation instead of
    sixteen.
    """
    if torch.compiler.is_exporting():
        return torch.einsum("bhkyx,bvkyx->bhvyx", queries[:, :, 0], summary[:, 0])
    pairs = zip(queries.unbind(3), summary.unbind(3), strict=True)
    query, value = next(pairs)
    total = query * value
    for query, value in pairs:
        total = torch.addcmul(total, query, value)
    return total


def _projection(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), group_norm(outputs))
