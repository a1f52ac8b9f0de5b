"""What training costs: tokens that a model wrote for it, and tokens that it read in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import TrainerCallback

from agents.engines import Engine, Generation, Sampling


class MeteredEngine:
    """An engine that counts what it writes.

    Args:
        engine: Does the work.

    Attributes:
        generated: Number of tokens sampled so far.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.chat = engine.chat
        self.generated = 0

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Generation]:
        """Continues every prompt, as the engine does."""
        generations = self.engine.generate(prompts, sampling)
        self.generated += sum(len(generation.ids) for generation in generations)
        return generations


class TokenCount(TrainerCallback):
    """Notes what a transformers trainer generated and read, resumptions included.

    Attributes:
        spent: ``generated``: tokens sampled for training; ``trained``: tokens of the sequences
            that were trained on, context included, once per pass over them.
    """

    def __init__(self) -> None:
        self.spent = {"generated": 0, "trained": 0}

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Reads the trainer's own books, which its checkpoints carry along."""
        generated = sum(entry.get("generated_tokens", 0) for entry in state.log_history)
        self.spent = {"generated": round(generated), "trained": int(state.num_input_tokens_seen)}
