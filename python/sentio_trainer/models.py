"""Networks, and the wrapper that bakes normalisation into them.

Each draws itself too (`draw`): what its `forward` computes, as nodes that the built-in evaluator runs.

Shapes: B batch, T rows of a window, F features, D width, H heads.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from sentio_trainer.graph import Drawable, Graph
from sentio_trainer.moments import Moments
from sentio_trainer.schema import ModelConfig

# GELU: Hendrycks & Gimpel 2016. ReLU: Nair & Hinton 2010. SiLU: Elfwing, Uchibe & Doya 2018.
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class Mlp(nn.Module):
    """[B, F] → [B, 1]: linear layers with an activation between them.

    Hidden layers start from PyTorch's default (uniform in ±1/sqrt(fan-in)); the last one starts at zero, so that
    training starts from the forecast of a model that knows nothing.
    """

    def __init__(self, *, inputs: int, hidden: int, layers: int, dropout: float, activation: str = "gelu") -> None:
        super().__init__()
        stack: list[nn.Module] = []
        for width in [inputs] + [hidden] * (layers - 1):
            stack += [nn.Linear(width, hidden), _ACTIVATIONS[activation](), nn.Dropout(dropout)]
        head = nn.Linear(hidden, 1)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        self.stack = nn.Sequential(*stack, head)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.stack(x)
        return y

    def draw(self, graph: Graph, x: str) -> str:
        for layer in self.stack:
            if isinstance(layer, nn.Linear):
                x = graph.linear(x, layer)
            elif not isinstance(layer, nn.Dropout):
                x = graph.activation(x, layer)
        return x


class Attention(nn.Module):
    """[B, T, D] → [B, T, D], or [B, 1, D] for the last token alone. Vaswani et al., Attention Is All You Need, 2017."""

    def __init__(self, *, width: int, heads: int, dropout: float, causal: bool, last_alone: bool) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.causal = causal
        self.last_alone = last_alone
        # One matrix for queries, keys and values: one product where all tokens ask.
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        width = x.size(2)
        # The last token sees all tokens, causal or not.
        causal = self.causal and not self.last_alone
        if self.last_alone:
            weight, bias = self.query_key_value.weight, self.query_key_value.bias
            query = functional.linear(x[:, -1:], weight[:width], bias[:width])
            key, value = functional.linear(x, weight[width:], bias[width:]).chunk(2, dim=2)
        else:
            query, key, value = self.query_key_value(x).chunk(3, dim=2)
        y = functional.scaled_dot_product_attention(
            self._by_head(query),
            self._by_head(key),
            self._by_head(value),
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=causal,
        )
        out: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return out

    def draw(self, graph: Graph, x: str) -> str:
        width = self.out.in_features
        asking = graph.last_row(x) if self.last_alone else x
        query, key, value = (
            graph.linear(rows, self.query_key_value, rows=(i * width, (i + 1) * width))
            for i, rows in enumerate((asking, x, x))
        )
        causal = self.causal and not self.last_alone
        return graph.linear(graph.attention(query, key, value, heads=self.heads, causal=causal), self.out)

    def _by_head(self, x: Tensor) -> Tensor:
        """[B, T, D] → [B, H, T, D / H]."""
        return x.view(x.size(0), x.size(1), self.heads, -1).transpose(1, 2)


class Block(nn.Module):
    """Attention and a feed-forward layer, each normalised before and added to what it read: [B, T, D] → [B, T, D].

    Pre-norm: Xiong et al., On Layer Normalization in the Transformer Architecture, 2020. With `last_alone` the result
    is that of the last token, [B, 1, D].
    """

    def __init__(
        self,
        *,
        width: int,
        heads: int,
        feedforward: int,
        dropout: float,
        activation: str = "gelu",
        causal: bool,
        last_alone: bool,
    ) -> None:
        super().__init__()
        self.last_alone = last_alone
        self.norm_1 = nn.LayerNorm(width)
        self.attention = Attention(width=width, heads=heads, dropout=dropout, causal=causal, last_alone=last_alone)
        self.norm_2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, feedforward * width)
        self.activate = _ACTIVATIONS[activation]()
        self.contract = nn.Linear(feedforward * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.attention(self.norm_1(x))
        x = (x[:, -1:] if self.last_alone else x) + self.dropout(y)
        y = self.contract(self.activate(self.expand(self.norm_2(x))))
        out: Tensor = x + self.dropout(y)
        return out

    def draw(self, graph: Graph, x: str) -> str:
        attended = self.attention.draw(graph, graph.layer_norm(x, self.norm_1))
        x = graph.add(graph.last_row(x) if self.last_alone else x, attended)
        expanded = graph.linear(graph.layer_norm(x, self.norm_2), self.expand)
        return graph.add(x, graph.linear(graph.activation(expanded, self.activate), self.contract))


class Transformer(nn.Module):
    """[B, T, F], rows oldest first → [B, 1], read from the last row's token.

    Rows are projected to tokens, learned positions are added, blocks follow, then a last norm and the head. As the
    last token alone is read, the last block computes it alone: keys and values of all tokens, the rest of one.

    Weights start from a normal distribution of variance 1 / fan-in (LeCun et al., Efficient BackProp, 1998), those that
    add to the tokens divided by sqrt(2 · layers), as there are that many (Radford et al., GPT-2, 2019); biases from 0,
    positions from a standard deviation of 0.02. The head starts at zero, like that of the MLP.
    """

    def __init__(
        self,
        *,
        inputs: int,
        sequence_length: int,
        width: int,
        layers: int,
        heads: int,
        feedforward: int,
        dropout: float,
        activation: str,
        causal: bool,
    ) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, width)
        self.position = nn.Parameter(torch.empty(sequence_length, width))
        self.dropout = nn.Dropout(dropout)
        blocks = [
            Block(
                width=width,
                heads=heads,
                feedforward=feedforward,
                dropout=dropout,
                activation=activation,
                causal=causal,
                last_alone=i == layers - 1,
            )
            for i in range(layers)
        ]
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 1)
        self._initialise(layers)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.dropout(self.project(x) + self.position)
        y: Tensor = self.head(self.norm(self.blocks(tokens)[:, 0]))
        return y

    def draw(self, graph: Graph, x: str) -> str:
        tokens = graph.add_position(graph.linear(x, self.project), self.position)
        for block in self.blocks:
            assert isinstance(block, Block)
            tokens = block.draw(graph, tokens)
        return graph.linear(graph.layer_norm(tokens, self.norm), self.head)

    def _initialise(self, layers: int) -> None:
        nn.init.normal_(self.position, std=0.02)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                share = 1.0 / math.sqrt(2 * layers) if name.endswith(("attention.out", "contract")) else 1.0
                nn.init.normal_(module.weight, std=share / math.sqrt(module.in_features))
                nn.init.zeros_(module.bias)
        nn.init.zeros_(self.head.weight)


class Normalised(nn.Module):
    """Raw features [B, F] or [B, T, F] → raw logits [B, 1].

    Features are centred, scaled and clipped at ±`clip`; `calibrate` turns the body's output into a logit of direction.
    """

    def __init__(self, body: nn.Module, moments: Moments, *, clip: float) -> None:
        super().__init__()
        self.body = body
        self.clip = clip
        self.mean: Tensor
        self.std: Tensor
        self.slope: Tensor
        self.intercept: Tensor
        self.register_buffer("mean", torch.tensor(moments.mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(moments.std, dtype=torch.float32))
        self.register_buffer("slope", torch.tensor(1.0))
        self.register_buffer("intercept", torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        z = torch.clamp((x - self.mean) / self.std, -self.clip, self.clip)
        y: Tensor = self.slope * self.body(z) + self.intercept
        return y

    def draw(self, graph: Graph, x: str) -> str:
        """Of a body that draws itself."""
        assert isinstance(self.body, Drawable)
        y = self.body.draw(graph, graph.normalise(x, mean=self.mean, std=self.std, clip=self.clip))
        return graph.affine(y, scale=self.slope, shift=self.intercept)

    def calibrate(self, *, slope: float, intercept: float) -> None:
        """Makes the logit slope · output + intercept."""
        self.slope.fill_(slope)
        self.intercept.fill_(intercept)


def build_model(config: ModelConfig, *, inputs: int) -> nn.Module:
    """The network of `config.kind` for `inputs` features, with fresh weights: torch's seed decides them."""
    return _KINDS[config.kind](config, inputs)


def _mlp(config: ModelConfig, inputs: int) -> nn.Module:
    return Mlp(
        inputs=inputs,
        hidden=config.hidden,
        layers=config.layers,
        dropout=config.dropout,
        activation=config.activation,
    )


def _transformer(config: ModelConfig, inputs: int) -> nn.Module:
    return Transformer(
        inputs=inputs,
        sequence_length=config.sequence_length,
        width=config.hidden,
        layers=config.layers,
        heads=config.heads,
        feedforward=config.feedforward,
        dropout=config.dropout,
        activation=config.activation,
        causal=config.causal,
    )


_KINDS: dict[str, Callable[[ModelConfig, int], nn.Module]] = {"mlp": _mlp, "transformer": _transformer}
