"""Counts the tokens that an engine generates."""

from __future__ import annotations

from collections.abc import Sequence

from agents.engines import Engine, Generation, Request, Sampling, Session
from agents.engines.base import open_session


class MeteredEngine:
    """An engine that counts its generated tokens.

    Args:
        engine: The engine that generates.

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
        self.generated += sum(generation.count for generation in generations)
        return generations

    def session(self, sampling: Sampling) -> Session:
        """Opens a queue of requests to the engine, whose generations are counted."""
        return _MeteredSession(self, open_session(self.engine, sampling))


class _MeteredSession:
    def __init__(self, counter: MeteredEngine, session: Session) -> None:
        self.counter, self.session = counter, session
        self.barrier = session.barrier

    def submit(self, request: Request) -> None:
        self.session.submit(request)

    def collect(self) -> list[tuple[int, Generation | Exception]]:
        results = self.session.collect()
        self.counter.generated += sum(g.count for _, g in results if isinstance(g, Generation))
        return results

    def close(self) -> None:
        self.session.close()
