"""Engines generate tokens: token ids in, token ids and log-probabilities out."""

from agents.engines.base import (
    BoundedEngine,
    ContextError,
    ContinuousEngine,
    Engine,
    Generation,
    LoadedEngine,
    Request,
    Sampling,
    Session,
    TrainableEngine,
    reply,
)
from agents.engines.transformers import TransformersEngine

__all__ = [
    "BoundedEngine",
    "ContextError",
    "ContinuousEngine",
    "Engine",
    "Generation",
    "LoadedEngine",
    "Request",
    "Sampling",
    "Session",
    "TrainableEngine",
    "TransformersEngine",
    "reply",
]
