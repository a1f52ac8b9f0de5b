"""The interfaces of an engine: token ids in, token ids and log-probabilities out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from agents.models.chat import ChatFormat
from srenv.episode import Message
from srenv.problems.seeding import sampling_seed

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are sampled.

    Raises:
        ValueError: An option is out of range.
    """

    temperature: float = 1.0
    """0 is greedy."""
    top_p: float = 1.0
    """Nucleus sampling; 1 samples from the full distribution, which training requires."""
    max_new_tokens: int = 512
    """Maximum length of one message."""
    seed: int | None = None
    """Makes sampling repeatable regardless of timing, in engines that seed each request (vLLM,
    servers). Transformers samples from torch's global generator."""
    stop_ids: frozenset[int] = frozenset()
    """Ids that end a message, in addition to those that end the model's turns."""

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.max_new_tokens < 1:
            raise ValueError(
                "sampling needs temperature >= 0, 0 < top_p <= 1 and max_new_tokens >= 1, "
                f"got {self.temperature}, {self.top_p} and {self.max_new_tokens}"
            )

    def ends(self, chat: ChatFormat) -> list[int]:
        """Returns all ids that end a message: those of the model's turns, and `stop_ids`."""
        return sorted(chat.stop_ids | self.stop_ids)


@dataclass(frozen=True, slots=True)
class Generation:
    """One generated message.

    Attributes:
        ids: The sampled ids, including the one that ended the message.
        logprobs: Log-probability in nats of each id at the sampling temperature (at 1 when greedy);
            NaN if the engine returns text only.
        tokens: Number of tokens generated, if `ids` are not the engine's own; else None.
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
    """One conversation for an engine to continue, as ids and as messages.

    Attributes:
        key: The caller's name for the conversation, returned with the generation.
        prompt: Ids of the conversation so far.
        messages: The same as chat messages, for servers that take no ids.
    """

    key: int
    prompt: list[int]
    messages: Sequence[Message] = field(default_factory=list)

    def seed(self, sampling: Sampling) -> int | None:
        """Returns the seed of this request, a function of the conversation's key and length."""
        if sampling.seed is None or sampling.temperature == 0:
            return None
        return sampling_seed(sampling.seed, self.key, len(self.prompt))


class Engine(Protocol):
    """Generates messages, a batch at a time."""

    chat: ChatFormat

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Generation]:
        """Continues every prompt up to a stop id or the limit; generations keep the order."""
        ...


class Session(Protocol):
    """A queue of requests to an engine.

    Attributes:
        barrier: Whether requests are answered in batches, so that it pays to wait for a full batch;
            otherwise each is answered as soon as it is ready, and may be submitted at any time.
    """

    barrier: bool

    def submit(self, request: Request) -> None:
        """Adds a request to the queue."""
        ...

    def collect(self) -> list[tuple[int, Generation | Exception]]:
        """Works (or waits) for a moment and returns the finished requests, if any, by key.

        A request that cannot be answered is returned as an exception. An exception that is raised
        means that the engine itself is broken.
        """
        ...

    def close(self) -> None:
        """Cancels the requests that are not finished."""
        ...


@runtime_checkable
class ContinuousEngine(Engine, Protocol):
    """An engine that accepts requests while it answers others (continuous batching)."""

    def session(self, sampling: Sampling) -> Session:
        """Opens a queue of requests."""
        ...


class LoadedEngine(Engine, Protocol):
    """An engine that holds memory or connections until it is closed."""

    def close(self) -> None:
        """Frees them; afterwards the engine cannot be used. Closing twice does no harm."""
        ...


@runtime_checkable
class BoundedEngine(Engine, Protocol):
    """An engine that knows how long a conversation may be.

    Attributes:
        context: Maximum number of tokens of a prompt and the message that continues it; None if it
            is unknown.
    """

    @property
    def context(self) -> int | None: ...  # noqa: D102


class ContextError(ValueError):
    """A prompt and the message that continues it do not fit the model's context."""


def check_context(prompt: Sequence[int], sampling: Sampling, context: int | None) -> None:
    """Refuses a prompt that leaves no room for a message of the greatest length.

    Raises:
        ContextError: It is too long.
    """
    if context is not None and len(prompt) + sampling.max_new_tokens > context:
        raise ContextError(
            f"prompt of {len(prompt)} tokens + max_new_tokens of {sampling.max_new_tokens} exceeds "
            f"the model's context of {context}"
        )


@runtime_checkable
class TrainableEngine(Protocol):
    """An engine whose weights follow a model that is being trained."""

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Loads weights by transformers' parameter names, and drops the old KV cache."""
        ...


class BatchSession:
    """A session for engines that generate batch by batch."""

    barrier = True

    def __init__(self, engine: Engine, sampling: Sampling) -> None:
        self.engine, self.sampling = engine, sampling
        self.waiting: list[Request] = []

    def submit(self, request: Request) -> None:
        """Adds the request to the next batch."""
        self.waiting.append(request)

    def collect(self) -> list[tuple[int, Generation | Exception]]:
        """Generates for all waiting requests, sorted by key so that timing changes nothing."""
        batch, self.waiting = sorted(self.waiting, key=lambda request: request.key), []
        if not batch:
            return []
        generations = self.engine.generate([request.prompt for request in batch], self.sampling)
        return [(r.key, g) for r, g in zip(batch, generations, strict=True)]

    def close(self) -> None:
        """Cancels the waiting requests."""
        self.waiting.clear()


class BoundedSession:
    """A session that refuses prompts which do not fit, in the same way for all engines.

    Args:
        session: The session that answers the others.
        sampling: How tokens are sampled.
        context: See `BoundedEngine`.
    """

    def __init__(self, session: Session, sampling: Sampling, context: int | None) -> None:
        self.session, self.sampling, self.context = session, sampling, context
        self.barrier = session.barrier
        self._refused: list[tuple[int, Generation | Exception]] = []

    def submit(self, request: Request) -> None:
        """Adds the request to the queue, or to the refused ones."""
        try:
            check_context(request.prompt, self.sampling, self.context)
        except ContextError as error:
            self._refused.append((request.key, error))
        else:
            self.session.submit(request)

    def collect(self) -> list[tuple[int, Generation | Exception]]:
        """Returns the refused requests, and those that are finished."""
        refused, self._refused = self._refused, []
        return refused or self.session.collect()

    def close(self) -> None:
        """Cancels the requests that are not finished."""
        self._refused.clear()
        self.session.close()


def open_session(engine: Engine, sampling: Sampling) -> Session:
    """Opens a session on any engine."""
    if isinstance(engine, ContinuousEngine):
        session = engine.session(sampling)
    else:
        session = BatchSession(engine, sampling)
    if isinstance(engine, BoundedEngine):
        return BoundedSession(session, sampling, engine.context)
    return session


def is_truncated(generation: Generation, sampling: Sampling, chat: ChatFormat) -> bool:
    """Returns whether the limit on tokens ended a message before the model did."""
    ended = bool(generation.ids) and generation.ids[-1] in sampling.ends(chat)
    return generation.count >= sampling.max_new_tokens and not ended


def generate_in_session(
    engine: ContinuousEngine, prompts: Sequence[Sequence[int]], sampling: Sampling
) -> list[Generation]:
    """Continues every prompt, as `Engine.generate` does, with an engine that has sessions.

    Raises:
        Exception: The first request that could not be answered.
    """
    requests = [Request(key, list(prompt)) for key, prompt in enumerate(prompts)]
    return _answers(open_session(engine, sampling), requests)


def reply(
    engine: Engine,
    conversations: Sequence[Sequence[Message]],
    sampling: Sampling,
    count: int = 1,
) -> list[Generation]:
    """Writes `count` next messages of every conversation, one conversation after the other.

    Unlike `Engine.generate` it also works with servers that return text only.

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
