"""Turns conversations into token ids, for rollouts, evaluation and SFT alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby, takewhile
from typing import Any, Literal, cast

from transformers import AutoTokenizer, GenerationConfig

from agents.models.roles import ATTEMPT, VERDICT
from agents.models.template import ChatTemplate
from srenv.episode import Message, Turn
from srenv.thoughts import MARKS, without_thoughts

IGNORE = -100
"""The label of positions that the loss skips."""

History = Literal["all", "final"]


@dataclass(frozen=True)
class ChatOptions:
    """How conversations are shown to a model, as far as its tokenizer does not say."""

    history: History = "all"
    """What a model sees of its earlier turns: all, or only what follows their thoughts (final)."""
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """What the chat template is told in addition to the messages, such as ``enable_thinking``."""


def chat_options(history: History, template_kwargs: str) -> ChatOptions:
    """Returns the options that a command line gives; `template_kwargs` is a JSON object.

    Raises:
        ValueError: It is not.
    """
    try:
        options = json.loads(template_kwargs)
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise ValueError(
            "--chat-template-kwargs needs a JSON object, such as '{\"enable_thinking\": false}', "
            f"got {template_kwargs!r}"
        )
    return ChatOptions(history, options)


def stop_ids(config: GenerationConfig) -> list[int]:
    """Returns the ids that end a message by a model's generation config."""
    ids = config.eos_token_id
    return ids if isinstance(ids, list) else [] if ids is None else [ids]


class ChatFormat:
    """The layout of a conversation as token ids of one tokenizer.

    A conversation grows by appending: the ids of the opening, the ids the engine sampled, the ids
    of the next request, and so on. Sampled text is never tokenized again, unless
    ``history="final"`` takes the thoughts of earlier turns out of view.

    Attributes:
        tokenizer: Any fast Hugging Face tokenizer.
        options: What is shown of a conversation.
        template: The tokenizer's chat template.
        end_ids: Ids that end a turn in the template.
        stop_ids: Ids at which an engine stops: the last of `end_ids`, the tokenizer's EOS, and
            those of the model's generation config.
        opened: The thought that the template opens before the model writes; it belongs to the text
            of a turn, and not to its ids.
        exact: Whether ids are a tokenizer's; otherwise they only encode characters.
    """

    exact = True

    def __init__(
        self, tokenizer: Any, stop_ids: Iterable[int] = (), options: ChatOptions | None = None
    ) -> None:
        self.tokenizer = tokenizer
        self.options = options or ChatOptions()
        self.template = ChatTemplate(tokenizer, self.options.template_kwargs)
        self.opened = self.template.opened
        self.end_ids, self._next_end = self._ends()
        blanks = takewhile(lambda token: token not in self._marks, self.end_ids)
        self._end_blank = cast(str, tokenizer.decode(list(blanks)))
        self.stop_ids = frozenset(stop_ids) | set(self.end_ids[-1:])
        if tokenizer.eos_token_id is not None:
            self.stop_ids |= {tokenizer.eos_token_id}
        if tokenizer.pad_token_id is None:
            pad = tokenizer.eos_token_id
            pad = min(self.stop_ids, default=0) if pad is None else pad
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(pad)
        self._tails: dict[tuple[tuple[str, str], ...], list[int]] = {}

    @classmethod
    def load(cls, path: str, options: ChatOptions | None = None) -> ChatFormat:
        """Loads the format of a model by folder or hub id, with the stop ids it generates with.

        Raises:
            OSError: There is no tokenizer.
            ValueError: Its chat template cannot write a question and an answer.
        """
        # A server may have named it: no code that comes with it is run, nor offered to be.
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        try:
            config = GenerationConfig.from_pretrained(path)
        except OSError:
            return cls(tokenizer, options=options)
        return cls(tokenizer, stop_ids(config), options)

    def shown(self, messages: Sequence[Message]) -> list[Message]:
        """Returns the messages as the model sees them, without thoughts if `history` says so."""
        if self.options.history == "all":
            return list(messages)
        return [
            {**m, "content": without_thoughts(m["content"])} if m["role"] == "assistant" else m
            for m in messages
        ]

    def opening(self, messages: Sequence[Message]) -> list[int]:
        """Returns the ids of `messages`, up to where the model writes the next turn."""
        if self.options.history == "final":
            return self.encode(self.template.render(self.shown(messages), prompt=True))
        runs = [list(run) for _, run in groupby(messages, key=_by_model)]
        ids = self.encode(self.template.render(runs[0], prompt=True))
        for turn, requests in zip(runs[1::2], runs[2::2], strict=True):
            ids += self.encode_text(turn[0]["content"])
            ids += self.follow_up(requests, ids)
        return ids

    def follow_up(self, messages: Sequence[Message], ids: Sequence[int]) -> list[int]:
        """Returns the ids between the model's turn and its next one.

        Args:
            messages: The environment's messages in between, usually one.
            ids: The ids of the turn. If they do not end as the template ends a turn, because they
                were cut off or the model stopped in another way, the result ends it.
        """
        key = tuple((message["role"], message["content"]) for message in messages)
        if key not in self._tails:
            self._tails[key] = self.encode(self.template.after_turn(messages))
        tail, end = self._tails[key], self._next_end
        ended = bool(ids and self.end_ids) and ids[-1] == self.end_ids[-1]
        return tail[len(end) :] if ended and tail[: len(end)] == end else tail

    def text(self, ids: Sequence[int]) -> str:
        """Returns the text of sampled ids, without those that end a turn."""
        if not self._special_marks:
            return cast(str, self.tokenizer.decode(list(ids), skip_special_tokens=True))
        end = len(ids) - (bool(ids) and ids[-1] in self.stop_ids)
        ids = [i for i in ids[:end] if i in self._special_marks or i not in self._special]
        return cast(str, self.tokenizer.decode(ids, skip_special_tokens=False))

    def turn_text(self, ids: Sequence[int]) -> str:
        """Returns the text of a sampled turn, with the thought that the template opened for it."""
        return self.opened + self.text(ids)

    @cached_property
    def line_ends(self) -> frozenset[int]:
        """The ids whose text breaks a line; some tokenizers have thousands of them."""
        texts = self.tokenizer.batch_decode([[i] for i in range(len(self.tokenizer))])
        return frozenset(i for i, text in enumerate(texts) if "\n" in text)

    def token_at(self, ids: Sequence[int], char: int) -> int:
        """Returns the index of the first id that starts at or after character `char` of `text`."""
        low, high = 0, len(ids)
        while low < high:
            middle = (low + high) // 2
            if len(self.text(ids[:middle])) < char:
                low = middle + 1
            else:
                high = middle
        return low

    def roles(self, ids: Sequence[int], split: int) -> list[int]:
        """Returns ATTEMPT or VERDICT for each sampled id.

        Args:
            ids: Ids of one turn; those that end it belong to the verdict.
            split: Character of `text` at which the verdict begins.
        """
        first = self.token_at(ids, split)
        return [ATTEMPT] * first + [VERDICT] * (len(ids) - first)

    def encode_turn(self, turn: Turn) -> tuple[list[int], list[int]]:
        """Returns ids and roles of a turn that is known as text only (SFT data), with its end."""
        text, shift = self._written(turn.text)
        split = turn.split + shift
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        roles = [VERDICT if a >= split else ATTEMPT for a, _ in encoded["offset_mapping"]]
        return [*encoded["input_ids"], *self.end_ids], [*roles, *[VERDICT] * len(self.end_ids)]

    def encode_text(self, text: str) -> list[int]:
        """Returns the ids of a turn that is known as text only, with its end."""
        return [*self.encode(self._written(text)[0]), *self.end_ids]

    def encode(self, text: str) -> list[int]:
        """Returns the ids of text in the middle of a conversation, without special tokens."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _written(self, text: str) -> tuple[str, int]:
        """Returns what the model writes for a turn up to `end_ids`, and how far that shifts it."""
        text = text.removesuffix(self._end_blank)
        if self.opened and text.startswith(self.opened):
            return text[len(self.opened) :], -len(self.opened)
        lead = self.template.answer_lead
        if not self.opened and "<|message|>" in text:  # it says itself which channel it is for
            return text, 0
        return lead + text, len(lead)

    def _ends(self) -> tuple[list[int], list[int]]:
        """Returns the ids that end a turn as the last message, and those that end any other."""
        last, following = (
            self.encode(text) for text in (self.template.last_end, self.template.next_end)
        )
        pairs = takewhile(lambda pair: pair[0] == pair[1], zip(last, following, strict=False))
        if common := self._end_of([token for token, _ in pairs], marks=2):
            return common, common
        end = self._end_of(last)
        if end:
            return end, self._end_of(following)
        # Templates without an end: the mark of the next message is where the model stops.
        end = self._end_of(following)
        if end:
            return end, end
        eos = self.tokenizer.eos_token_id
        return ([] if eos is None else [eos]), []

    def _end_of(self, ids: Sequence[int], marks: int = 1) -> list[int]:
        """Returns the blanks and up to `marks` marks that `ids` begin with; none without a mark."""
        end = 0
        for place, token in enumerate(ids):
            if token in self._marks:
                end, marks = place + 1, marks - 1
            elif end or self.tokenizer.decode([token]).strip():
                break
            if not marks:
                break
        return list(ids[:end])

    @cached_property
    def _marks(self) -> frozenset[int]:
        """Ids that are no words: of the tokenizer's added and special tokens."""
        return frozenset({*self.tokenizer.added_tokens_decoder, *self.tokenizer.all_special_ids})

    @cached_property
    def _special(self) -> frozenset[int]:
        added = self.tokenizer.added_tokens_decoder
        return frozenset(
            {*self.tokenizer.all_special_ids, *(i for i, token in added.items() if token.special)}
        )

    @cached_property
    def _special_marks(self) -> frozenset[int]:
        """Ids of special tokens that mark thoughts, which are part of a turn's text."""
        tokens = {i: str(token) for i, token in self.tokenizer.added_tokens_decoder.items()}
        marks = MARKS
        if "<|message|>" not in tokens.values():  # elsewhere these begin and end messages
            marks = MARKS - {"<|start|>", "<|end|>", "<|message|>", "<|channel|>"}
        return frozenset(i for i, text in tokens.items() if text in marks) & self._special


def _by_model(message: Message) -> bool:
    return message["role"] == "assistant"
