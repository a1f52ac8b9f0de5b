"""What training costs: tokens that a model wrote for it, and tokens that it read in it."""

from __future__ import annotations

from collections.abc import Sequence

from agents.engines import Engine, Generation, Request, Sampling, Session
from agents.engines.base import open_session


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
        self.generated += sum(generation.count for generation in generations)
        return generations

    def session(self, sampling: Sampling) -> Session:
        """Opens a queue of requests, as the engine has them."""
        return _MeteredSession(self, open_session(self.engine, sampling))


class _MeteredSession:
    def __init__(self, meter: MeteredEngine, session: Session) -> None:
        self.meter, self.session = meter, session
        self.barrier = session.barrier

    def submit(self, request: Request) -> None:
        self.session.submit(request)

    def collect(self) -> list[tuple[int, Generation | Exception]]:
        found = self.session.collect()
        self.meter.generated += sum(g.count for _, g in found if isinstance(g, Generation))
        return found

    def close(self) -> None:
        self.session.close()
