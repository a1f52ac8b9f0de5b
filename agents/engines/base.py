"""The interfaces of an engine: token ids in, token ids and log-probabilities out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from agents.models.chat import ChatFormat
from srenv.episode import Message
from srenv.problems.seeding import hashed_seed

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus; 1 samples from the full distribution, which training requires.
        max_new_tokens: Greatest length of one message.
        seed: Makes sampling repeatable whatever the timing, in engines that seed each request
            (vLLM, servers). Transformers samples from torch's own generator.
        stop_ids: Ids that end a message, beside those that end a turn of the model's.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 512
    seed: int | None = None
    stop_ids: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.max_new_tokens < 1:
            raise ValueError(
                "sampling needs temperature >= 0, 0 < top_p <= 1 and max_new_tokens >= 1, "
                f"got {self.temperature}, {self.top_p} and {self.max_new_tokens}"
            )

    def ends(self, chat: ChatFormat) -> list[int]:
        """All ids that end a message: those of the model's turns, and `stop_ids`."""
        return sorted(chat.stop_ids | self.stop_ids)


@dataclass(frozen=True, slots=True)
class Generation:
    """One generated message.

    Attributes:
        ids: The sampled ids, the one that ended the message included.
        logprobs: Log-probability of each id at the sampling temperature (at 1 when greedy); NaN
            where the engine gives text alone.
        tokens: Number of tokens generated, where `ids` are not the engine's own; else None.
    """

    ids: list[int]
    logprobs: list[float]
    tokens: int | None = None

    @property
    def count(self) -> int:
        """Number of tokens generated."""
        return len(self.ids) if self.tokens is None else self.tokens


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is asked to continue: one conversation, as ids and as messages.

    Attributes:
        key: The caller's name for the conversation; it comes back with the answer.
        prompt: Ids of the whole conversation so far.
        messages: The same as chat messages, for servers that take no ids.
    """

    key: int
    prompt: list[int]
    messages: Sequence[Message] = field(default_factory=list)

    def seed(self, sampling: Sampling) -> int | None:
        """The seed of this request: it depends on the conversation and its length alone."""
        if sampling.seed is None or sampling.temperature == 0:
            return None
        return hashed_seed("sampling", sampling.seed, self.key, len(self.prompt)) % 2**31


class Engine(Protocol):
    """Generates messages, a batch at a time."""

    chat: ChatFormat

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Generation]:
        """Continues every prompt up to a stop id or the limit, in the order given."""
        ...


class Session(Protocol):
    """Requests on their way through an engine.

    Attributes:
        barrier: Whether requests are answered in batches, so that a full batch is worth waiting
            for; otherwise each is answered as soon as it is ready, and may be put in at any time.
    """

    barrier: bool

    def submit(self, request: Request) -> None:
        """Puts a request into the queue."""
        ...

    def collect(self) -> list[tuple[int, Generation | Exception]]:
        """Works (or waits) for a moment and returns what is finished by then, maybe nothing.

        A request that cannot be answered comes back as an exception. An exception that is raised
        means that the engine itself is broken.
        """
        ...

    def close(self) -> None:
        """Drops the requests that are not finished."""
        ...


@runtime_checkable
class ContinuousEngine(Engine, Protocol):
    """An engine that takes requests while it answers others."""

    def session(self, sampling: Sampling) -> Session:
        """Opens a queue of requests."""
        ...


class LoadedEngine(Engine, Protocol):
    """An engine that holds memory or connections until it is closed."""

    def close(self) -> None:
        """Gives them back; afterwards the engine cannot be used. Closing twice does no harm."""
        ...


@runtime_checkable
class TrainableEngine(Protocol):
    """An engine whose weights follow a model that is being trained."""

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Takes new weights by transformers' parameter names; nothing computed before is reused."""
        ...


class BatchSession:
    """A session for engines that only know whole batches."""

    barrier = True

    def __init__(self, engine: Engine, sampling: Sampling) -> None:
        self.engine, self.sampling = engine, sampling
        self.waiting: list[Request] = []

    def submit(self, request: Request) -> None:
        """Keeps the request for the next batch."""
        self.waiting.append(request)

    def collect(self) -> list[tuple[int, Generation | Exception]]:
        """Generates for everything that waits, in the order of keys: timing changes nothing."""
        batch, self.waiting = sorted(self.waiting, key=lambda request: request.key), []
        if not batch:
            return []
        generations = self.engine.generate([request.prompt for request in batch], self.sampling)
        return [(r.key, g) for r, g in zip(batch, generations, strict=True)]

    def close(self) -> None:
        """Drops what waits."""
        self.waiting.clear()


def open_session(engine: Engine, sampling: Sampling) -> Session:
    """Opens a session on any engine."""
    if isinstance(engine, ContinuousEngine):
        return engine.session(sampling)
    return BatchSession(engine, sampling)


def generate_in_session(
    engine: ContinuousEngine, prompts: Sequence[Sequence[int]], sampling: Sampling
) -> list[Generation]:
    """`Engine.generate` for engines that have sessions.

    Raises:
        Exception: The first request that could not be answered.
    """
    requests = [Request(key, list(prompt)) for key, prompt in enumerate(prompts)]
    return _answers(engine.session(sampling), requests)


def reply(
    engine: Engine,
    conversations: Sequence[Sequence[Message]],
    sampling: Sampling,
    count: int = 1,
) -> list[Generation]:
    """Writes `count` next messages of every conversation, one conversation after the other.

    Unlike `Engine.generate` it also works with servers that give text alone.

    Raises:
        Exception: The first request that could not be answered.
    """
    prompts = [engine.chat.opening(messages) for messages in conversations]
    requests = [
        Request(count * index + i, prompt, messages)
        for index, (prompt, messages) in enumerate(zip(prompts, conversations, strict=True))
        for i in range(count)
    ]
    return _answers(open_session(engine, sampling), requests)


def _answers(session: Session, requests: Sequence[Request]) -> list[Generation]:
    results: dict[int, Generation] = {}
    try:
        for request in requests:
            session.submit(request)
        while len(results) < len(requests):
            for key, result in session.collect():
                if isinstance(result, Exception):
                    raise result
                results[key] = result
    finally:
        session.close()
    return [results[request.key] for request in requests]
