"""What generates tokens: token ids in, token ids and log-probabilities out."""

from agents.engines.base import Engine, Generation, Sampling
from agents.engines.huggingface import TransformersEngine

__all__ = ["Engine", "Generation", "Sampling", "TransformersEngine"]
