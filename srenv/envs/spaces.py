"""Spaces for the text of language models that work in every part of Gymnasium.

Gymnasium's own `Text` lists its characters one by one, so it can neither hold all of Unicode nor
check a long string fast, and through `AsyncVectorEnv` with shared memory it keeps returning the
first characters that it read. Both spaces here register what Gymnasium dispatches on: shared
memory, empty and zero values, flattening.
"""

from __future__ import annotations

import copy
import json
import string
from collections.abc import Callable, Iterable, Sequence
from ctypes import c_uint8
from typing import Any, Generic, TypeVar

import numpy as np
from gymnasium.spaces import Box, Space, Text
from gymnasium.spaces.utils import flatdim, flatten, flatten_space, unflatten
from gymnasium.vector.utils import (
    create_empty_array,
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)
from gymnasium.wrappers.utils import create_zero_array

from srenv.domains import find_domain
from srenv.episode import Message

T = TypeVar("T")
Messages = tuple[Message, ...]
ROLES = ("system", "user", "assistant")

_SAMPLE_TURNS = (
    "{attempt}\n[VERIFY] correct",
    "{attempt}\n[VERIFY] wrong",
    "The answer is {attempt}.\n[VERIFY] correct (0.{n})",
    "I do not know {n}.",
)
_LENGTH_BYTES = 8
_MAX_CODE_POINT = 0x10FFFF


class UnicodeText(Text):
    r"""Any text up to `max_length` characters, lone surrogates excepted.

    ASCII text is checked in constant time, other text in about a nanosecond per character.
    Samples look like turns of the domain, so that random play reaches every ending.

    Args:
        max_length: Greatest number of characters. Shared memory takes four bytes for each.
        seed: Seed of the sampler.
        domain: Name of the domain in whose form sampled turns give their answers.

    Example:
        >>> space = UnicodeText(100)
        >>> "π ≈ 22/7 😀" in space, "\ud800" in space, "x" * 101 in space
        (True, False, False)
    """

    def __init__(
        self,
        max_length: int,
        *,
        seed: int | np.random.Generator | None = None,
        domain: str = "math",
    ) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable, seed=seed)
        self.domain = domain

    def contains(self, x: Any) -> bool:
        """Whether `x` is a str of allowed length that can be encoded as UTF-8."""
        return isinstance(x, str) and len(x) <= self.max_length and _encodable(x)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Returns a random turn (or, with a mask, what Gymnasium's `Text` returns)."""
        if mask is not None or probability is not None:
            return str(super().sample(mask=mask, probability=probability))
        # One draw: environments are timed with the sampler in the loop.
        number = int(self.np_random.random() * 100 * len(_SAMPLE_TURNS))
        n, kind = divmod(number, len(_SAMPLE_TURNS))
        attempt = find_domain(self.domain).write(str(n))
        return _SAMPLE_TURNS[kind].format(n=n, attempt=attempt)[: self.max_length]

    def __repr__(self) -> str:
        return f"UnicodeText({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnicodeText) and other.max_length == self.max_length

    def __deepcopy__(self, memo: dict[int, Any]) -> UnicodeText:
        # Batched spaces copy once per environment; the character tables are immutable: share them.
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        new._np_random = copy.deepcopy(self._np_random, memo)
        return new


class Chat(Space[Messages]):
    """A chat: messages ``{"role": ..., "content": ...}`` as a tuple (a list passes as well).

    Args:
        max_messages: Greatest number of messages.
        max_chars: Greatest number of characters in all contents together.
        seed: Seed of the sampler.

    Example:
        >>> space = Chat(max_messages=2, max_chars=10)
        >>> ({"role": "user", "content": "2+2?"},) in space
        True
        >>> ({"role": "robot", "content": "4"},) in space
        False
    """

    def __init__(
        self,
        max_messages: int = 64,
        max_chars: int = 1 << 18,
        *,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        if max_messages < 1 or max_chars < 1:
            raise ValueError(f"a chat needs room, got {max_messages} messages, {max_chars} chars")
        self.max_messages = max_messages
        self.max_chars = max_chars
        super().__init__(None, None, seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: a chat is no array of fixed size."""
        return False

    def contains(self, x: Any) -> bool:
        """Whether `x` is a tuple or list of messages with known roles, within the limits."""
        if not isinstance(x, (tuple, list)) or len(x) > self.max_messages:
            return False
        return all(map(_is_message, x)) and sum(len(m["content"]) for m in x) <= self.max_chars

    def sample(self, mask: None = None, probability: None = None) -> Messages:
        """Returns a random short chat.

        Raises:
            ValueError: A mask or probabilities are given: a chat has neither.
        """
        if mask is not None or probability is not None:
            raise ValueError("a Chat has no masks and no probabilities")
        count = int(self.np_random.integers(min(3, self.max_messages) + 1))
        content = f"message {int(self.np_random.integers(1000))}"[: self.max_chars // 3]
        return tuple({"role": ROLES[1 + i % 2], "content": content} for i in range(count))

    def to_jsonable(self, sample_n: Iterable[Messages]) -> list[Any]:
        """Returns chats as JSON values."""
        return [[dict(message) for message in chat] for chat in sample_n]

    def from_jsonable(self, sample_n: list[Any]) -> list[Any]:
        """Returns the chats that `to_jsonable` wrote."""
        return [tuple(dict(message) for message in chat) for chat in sample_n]

    def __repr__(self) -> str:
        return f"Chat({self.max_messages}, {self.max_chars})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chat) and (other.max_messages, other.max_chars) == (
            self.max_messages,
            self.max_chars,
        )


def _encodable(text: str) -> bool:
    """Whether a text has no lone surrogates, which nothing can tokenize, log or send."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_message(x: Any) -> bool:
    return (
        isinstance(x, dict)
        and x.keys() == {"role", "content"}
        and x["role"] in ROLES
        and isinstance(x["content"], str)
        and _encodable(x["content"])
    )


# --- shared memory -------------------------------------------------------------------------------
# One slot per environment: the number of bytes, then the bytes.


class _Live(Sequence[T], Generic[T]):
    """The values in shared memory, decoded when they are looked at.

    `AsyncVectorEnv` reads shared memory once, when it is made, and later returns deep copies of
    what it read: so a deep copy is what is in the slots at that moment.
    """

    def __init__(self, memory: Any, n: int, decode: Callable[[bytes], T]) -> None:
        self._memory = memory
        self._n = n
        self._decode = decode

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self)[index]
        place = range(self._n)[index]
        view = memoryview(self._memory).cast("B")
        start = place * (len(view) // self._n)
        size = int.from_bytes(view[start : start + _LENGTH_BYTES], "little")
        start += _LENGTH_BYTES
        return self._decode(bytes(view[start : start + size]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[T, ...]:
        return tuple(self)


def _allocate(ctx: Any, n: int, value_bytes: int) -> Any:
    return ctx.Array(c_uint8, n * (_LENGTH_BYTES + value_bytes))


def _write(memory: Any, index: int, n_bytes: int, data: bytes) -> None:
    view = memoryview(memory.get_obj()).cast("B")
    start = index * (_LENGTH_BYTES + n_bytes)
    view[start : start + _LENGTH_BYTES] = len(data).to_bytes(_LENGTH_BYTES, "little")
    start += _LENGTH_BYTES
    view[start : start + len(data)] = data


def _text_bytes(space: UnicodeText) -> int:
    return 4 * int(space.max_length)  # UTF-8 at its longest


def _chat_bytes(space: Chat) -> int:
    # JSON writes control characters as six bytes; brackets, quotes and the role are the rest.
    return 6 * space.max_chars + 32 * space.max_messages + 2


def _decode_text(data: bytes) -> str:
    return data.decode("utf-8")


def _decode_chat(data: bytes) -> Messages:
    return tuple({"role": role, "content": content} for role, content in json.loads(data or b"[]"))


@create_shared_memory.register(UnicodeText)
def _create_text_memory(space: UnicodeText, n: int = 1, ctx: Any = None) -> Any:
    return _allocate(ctx, n, _text_bytes(space))


@read_from_shared_memory.register(UnicodeText)
def _read_text(space: UnicodeText, shared_memory: Any, n: int = 1) -> _Live[str]:
    return _Live(shared_memory.get_obj(), n, _decode_text)


@write_to_shared_memory.register(UnicodeText)
def _write_text(space: UnicodeText, index: int, value: str, shared_memory: Any) -> None:
    _write(shared_memory, index, _text_bytes(space), value.encode("utf-8"))


@create_shared_memory.register(Chat)
def _create_chat_memory(space: Chat, n: int = 1, ctx: Any = None) -> Any:
    return _allocate(ctx, n, _chat_bytes(space))


@read_from_shared_memory.register(Chat)
def _read_chat(space: Chat, shared_memory: Any, n: int = 1) -> _Live[Messages]:
    return _Live(shared_memory.get_obj(), n, _decode_chat)


@write_to_shared_memory.register(Chat)
def _write_chat(space: Chat, index: int, value: Messages, shared_memory: Any) -> None:
    pairs = [(message["role"], message["content"]) for message in value]
    data = json.dumps(pairs, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    _write(shared_memory, index, _chat_bytes(space), data)


# --- empty values and flattening -----------------------------------------------------------------


@create_empty_array.register(UnicodeText)
def _empty_texts(space: UnicodeText, n: int = 1, fn: Any = None) -> tuple[str, ...]:
    return ("",) * n


@create_zero_array.register(UnicodeText)
def _zero_text(space: UnicodeText) -> str:  # type: ignore[misc]
    return ""


@create_empty_array.register(Chat)
def _empty_chats(space: Chat, n: int = 1, fn: Any = None) -> tuple[Messages, ...]:
    return ((),) * n


@create_zero_array.register(Chat)
def _zero_chat(space: Chat) -> Messages:  # type: ignore[misc]
    return ()


@flatdim.register(UnicodeText)
def _flat_size(space: UnicodeText) -> int:
    return int(space.max_length)


@flatten.register(UnicodeText)
def _flatten_text(space: UnicodeText, x: str) -> Any:  # type: ignore[misc]
    """Code points, then -1 up to the greatest length."""
    points = np.full(space.max_length, -1, np.int32)
    points[: len(x)] = np.frombuffer(x.encode("utf-32-le"), "<i4")
    return points


@unflatten.register(UnicodeText)
def _unflatten_text(space: UnicodeText, x: Any) -> str:  # type: ignore[misc]
    points = np.asarray(x)
    return points[points >= 0].astype("<i4").tobytes().decode("utf-32-le")


@flatten_space.register(UnicodeText)
def _flat_space(space: UnicodeText) -> Box:
    return Box(-1, _MAX_CODE_POINT, (int(space.max_length),), np.int32)
