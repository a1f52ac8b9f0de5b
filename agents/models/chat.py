"""Turns chat messages into token ids, for training, evaluation and SFT alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

from transformers import AutoTokenizer, GenerationConfig

from srenv.episode import Message, Turn

PLAIN_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] | capitalize }}: {{ m['content'] }}"
    "{{ eos_token }}\n\n{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)
"""The chat template of base models, whose tokenizers have none."""

ATTEMPT, VERDICT, ENVIRONMENT = 1, 2, 0
"""Roles of a token: part of an attempt, part of a verdict, or not written by the model."""

IGNORE = -100
"""The label of positions that the loss skips."""

_SENTINEL = "\u241e"


def stop_ids(config: GenerationConfig) -> list[int]:
    """Returns the ids that end a message by a model's generation config."""
    ids = config.eos_token_id
    return ids if isinstance(ids, list) else [] if ids is None else [ids]


class ChatFormat:
    """The layout of a conversation as token ids of one tokenizer.

    A conversation grows by appending: the ids of the opening, the ids the engine sampled, the ids
    of the next request, and so on. Sampled text is never tokenised again.

    Attributes:
        tokenizer: Any fast Hugging Face tokenizer.
        stop_ids: Ids that end a turn.
        exact: Whether ids are a tokenizer's; otherwise they only encode characters.
    """

    exact = True

    def __init__(self, tokenizer: Any, stop_ids: Sequence[int] = ()) -> None:
        self.tokenizer = tokenizer
        if tokenizer.chat_template is None:
            tokenizer.chat_template = PLAIN_TEMPLATE
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.stop_ids = frozenset({tokenizer.eos_token_id, *stop_ids})
        self._tails: dict[tuple[tuple[str, str], ...], list[int]] = {}

    @classmethod
    def load(cls, path: str) -> ChatFormat:
        """Loads the format of a model by folder or hub id, with the stop ids it generates with.

        Raises:
            OSError: There is no tokenizer.
        """
        # A server may have named it: no code that comes with it is run, nor offered to be.
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        try:
            config = GenerationConfig.from_pretrained(path)
        except OSError:
            return cls(tokenizer)
        return cls(tokenizer, stop_ids(config))

    def opening(self, messages: Sequence[Message]) -> list[int]:
        """Returns the ids of `messages`, up to where the model writes the next turn."""
        text = self.tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return self.encode(text)

    def follow_up(self, messages: Sequence[Message], closed: bool) -> list[int]:
        """Returns the ids between the model's turn and its next one.

        Args:
            messages: The environment's messages in between, usually one.
            closed: Whether the turn ended with a stop id; the ids end a truncated turn.
        """
        key = tuple((message["role"], message["content"]) for message in messages)
        if key not in self._tails:
            text = self.tokenizer.apply_chat_template(
                [
                    {"role": "user", "content": "?"},
                    {"role": "assistant", "content": _SENTINEL},
                    *messages,
                ],
                tokenize=False,
                add_generation_prompt=True,
            )
            self._tails[key] = self.encode(text.rpartition(_SENTINEL)[2])
        tail = self._tails[key]
        return tail[1:] if closed and tail[0] in self.stop_ids else tail

    def turn_text(self, ids: Sequence[int]) -> str:
        """Returns the text of a sampled turn, without the ids that end it."""
        return cast(str, self.tokenizer.decode(list(ids), skip_special_tokens=True))

    @cached_property
    def line_ends(self) -> frozenset[int]:
        """The ids whose text breaks a line; some tokenizers have thousands of them."""
        texts = self.tokenizer.batch_decode([[i] for i in range(len(self.tokenizer))])
        return frozenset(i for i, text in enumerate(texts) if "\n" in text)

    def token_at(self, ids: Sequence[int], char: int) -> int:
        """Returns the index of the first id that starts at or after character `char`."""
        low, high = 0, len(ids)
        while low < high:
            middle = (low + high) // 2
            if len(self.turn_text(ids[:middle])) < char:
                low = middle + 1
            else:
                high = middle
        return low

    def roles(self, ids: Sequence[int], split: int) -> list[int]:
        """Returns ATTEMPT or VERDICT for each sampled id.

        Args:
            ids: Ids of one turn; those that end it belong to the verdict.
            split: Character at which the verdict begins.
        """
        first = self.token_at(ids, split)
        return [ATTEMPT] * first + [VERDICT] * (len(ids) - first)

    def encode_turn(self, turn: Turn) -> tuple[list[int], list[int]]:
        """Returns ids and roles of a turn that is known as text only (SFT data), with its end."""
        encoded = self.tokenizer(turn.text, add_special_tokens=False, return_offsets_mapping=True)
        roles = [VERDICT if a >= turn.split else ATTEMPT for a, _ in encoded["offset_mapping"]]
        return [*encoded["input_ids"], self.tokenizer.eos_token_id], [*roles, VERDICT]

    def encode(self, text: str) -> list[int]:
        """Returns the ids of text in the middle of a conversation, without special tokens."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
