"""Detects stale weights: compares the log-probs of an engine with those of its trainer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from agents.engines.base import Engine, Sampling
from srenv.episode import Message

TOLERANCE = 0.05
"""Maximum mean difference of log-probs, in nats per token, between a trainer and its engine.

After a correct sync the difference is near 1e-6 in float32 and 1e-2 in bfloat16; after one missed
step at usual learning rates it is 0.1 or more.
"""

_MESSAGES: list[Message] = [{"role": "user", "content": "Solve 3x + 4 = 19."}]


@torch.no_grad()
def disagreement(engine: Engine, model: Any, tokens: int = 16) -> float:
    """Returns the mean absolute difference of log-probs, in nats per token, on a generated message.

    Args:
        engine: The engine that is checked, which writes the message; it must return token ids.
        model: A transformers causal language model with the weights that the engine should have.
        tokens: Maximum length of the message.
    """
    prompt = engine.chat.opening(_MESSAGES)
    (message,) = engine.generate([prompt], Sampling(0.0, 1.0, tokens))
    ids = torch.tensor([prompt + message.ids], device=model.device)
    training = model.training
    model.eval()
    logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float()
    model.train(training)
    own = torch.log_softmax(logits, -1).gather(1, ids[0, len(prompt) :, None]).squeeze(1)
    return float((own.cpu() - torch.tensor(message.logprobs)).abs().mean())


def warn_if_stale(metrics: Mapping[str, Sequence[float]]) -> None:
    """Warns if the trainer's latest log-probs are not those that the tokens were sampled with.

    Args:
        metrics: TRL's, which include the difference if vLLM generates.
    """
    gaps = metrics.get("sampling/sampling_logp_difference/mean")
    if gaps and gaps[-1] > TOLERANCE:
        warnings.warn(
            f"the engine's log-probs differ from the trainer's by {gaps[-1]:.3f} nats per token "
            f"(usual: below {TOLERANCE}): its weights are probably stale; `srenv doctor` tests "
            "the weight sync of this machine",
            stacklevel=2,
        )
