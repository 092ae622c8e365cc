"""A block of the plain vision transformer: every token attends to every other.

Source:
    Dosovitskiy et al. (2021), An image is worth 16x16 words, arXiv:2010.11929.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Tokens = Float[Tensor, "batch token channel"]

NORM_EPS = 1e-6


class TransformerBlock(nn.Module):
    """`t + attn(norm(t))`, then `t + ffn(norm(t))`."""

    def __init__(self, channels: int, heads: int, mlp: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels, eps=NORM_EPS)
        self.attn = Attention(channels, heads)
        self.ffn_norm = nn.LayerNorm(channels, eps=NORM_EPS)
        self.ffn = Mlp(channels, mlp, dropout)

    def forward(self, tokens: Tokens) -> Tokens:
        tokens = tokens + self.attn(self.attention_norm(tokens))
        return tokens + self.ffn(self.ffn_norm(tokens))


class Attention(nn.Module):
    """`softmax(q k / sqrt(d)) v` in every head, `d` channels each."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)
        self._heads = heads

    def forward(self, tokens: Tokens) -> Tokens:
        q, k, v = (self._split(part(tokens)) for part in (self.query, self.key, self.value))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, tokens: Tokens) -> Float[Tensor, "batch head token _"]:
        return tokens.view(*tokens.shape[:2], self._heads, -1).transpose(1, 2)


class Mlp(nn.Module):
    """Two linear layers with a GELU between them, and dropout after each."""

    def __init__(self, channels: int, between: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, between)
        self.fc2 = nn.Linear(between, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tokens) -> Tokens:
        between = self.dropout(functional.gelu(self.fc1(tokens)))
        return self.dropout(self.fc2(between))
