"""The arithmetic of docs/scaling.md: what fits on which GPUs, and how fast it can be at best.

    python docs/scaling.py        # prints the table of the page

Nothing here is measured. Memory follows from bytes per parameter, generation from the bytes that
one decoding step reads, training from 6 floating-point operations per parameter and token, 8 when
activations are recomputed.
"""

from __future__ import annotations

from dataclasses import dataclass

GPU_MEMORY, BANDWIDTH, FLOPS = 80e9, 3.35e12, 0.4 * 989e12
"""An H100: bytes; bytes per second; floating-point operations per second, 40% of the peak."""

TRAINED = 4 + 4 + 8
"""Bytes per trained parameter: float32 weight, its gradient, Adam's two moments."""

EPISODES, TOKENS, LIVE = 128, 2048, 128
"""Episodes of a step, tokens of an episode, and conversations generated at once."""


@dataclass(frozen=True)
class Model:
    """A transformer, by the entries of its config.json.

    Attributes:
        name: Its name.
        parameters: Number of parameters.
        layers: Number of layers.
        kv_heads: Number of key-value heads.
        head: Width of a head.
        trainers: GPUs that train it.
        engine: GPUs that one copy of vLLM spans.
        where: ``"next to it"``, on the trainer's GPUs, or ``"server"``, on GPUs of its own.
    """

    name: str
    parameters: float
    layers: int
    kv_heads: int
    head: int
    trainers: int
    engine: int
    where: str

    @property
    def cached(self) -> int:
        """Bytes of KV cache per token, in bfloat16, keys and values."""
        return 2 * 2 * self.layers * self.kv_heads * self.head


MODELS = (
    Model("Qwen2.5-1.5B", 1.54e9, 28, 2, 128, 1, 1, "next to it"),
    Model("Qwen2.5-7B", 7.62e9, 28, 4, 128, 8, 1, "next to it"),
    Model("Qwen2.5-72B", 72.7e9, 80, 8, 128, 32, 8, "server"),
)


def column(model: Model) -> list[str]:
    """Returns the figures of one model."""
    state = TRAINED * model.parameters / model.trainers
    weights = 2 * model.parameters
    step = (weights + LIVE * TOKENS / 2 * model.cached) / (BANDWIDTH * model.engine)
    room = (0.3 if model.where == "next to it" else 0.9) * GPU_MEMORY * model.engine - weights
    training = 8 * model.parameters * EPISODES * TOKENS / (FLOPS * model.trainers)
    return [
        f"{model.trainers}",
        f"{TRAINED * model.parameters / 1e9:,.0f} GB",
        f"{state / 1e9:.1f} GB",
        f"{model.where}, {model.engine} GPU{'s' * (model.engine > 1)} a copy",
        f"{weights / 1e9:.1f} GB",
        f"{model.cached / 1024:.0f} KiB",
        f"{room / model.cached / 1e3:,.0f} thousand tokens",
        f"{LIVE / step / 1e3:.0f} thousand a second",
        f"{training:.1f} s",
    ]


ROWS = (
    "GPUs that train",
    "weights, gradients, Adam: 16 bytes a parameter",
    "the same per GPU, spread by FSDP",
    "vLLM",
    "its weights, bfloat16",
    "KV cache per token",
    "KV cache that fits a copy",
    "tokens generated, upper bound per copy",
    "training step, 40% of peak",
)


def table() -> str:
    """Returns the table in Markdown."""
    columns = [column(model) for model in MODELS]
    lines = [f"| | {' | '.join(model.name for model in MODELS)} |", "|---" * 4 + "|"]
    lines += [f"| {row} | {' | '.join(c[i] for c in columns)} |" for i, row in enumerate(ROWS)]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
