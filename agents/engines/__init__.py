"""What generates tokens: token ids in, token ids and log-probabilities out."""

from agents.engines.base import (
    ContinuousEngine,
    Engine,
    Generation,
    Request,
    Sampling,
    Session,
    TrainableEngine,
)
from agents.engines.huggingface import TransformersEngine

__all__ = [
    "ContinuousEngine",
    "Engine",
    "Generation",
    "Request",
    "Sampling",
    "Session",
    "TrainableEngine",
    "TransformersEngine",
]
