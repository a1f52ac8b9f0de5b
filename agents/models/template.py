"""A tokenizer's chat template as text: how it writes a conversation, and how its turns end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from jinja2 import TemplateError

from srenv.episode import Message
from srenv.thoughts import THOUGHTS, open_thought

PLAIN_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] | capitalize }}: {{ m['content'] }}"
    "{{ eos_token }}\n\n{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)
"""The chat template of base models, whose tokenizers have none."""

_SENTINEL = "\u241e"
_USER: Message = {"role": "user", "content": "?"}
_TURN: Message = {"role": "assistant", "content": _SENTINEL}
_SYSTEM: Message = {"role": "system", "content": _SENTINEL}


class ChatTemplate:
    """The chat template of a tokenizer, and what rendering tells about it.

    Args:
        tokenizer: Any fast Hugging Face tokenizer; one without a template gets `PLAIN_TEMPLATE`,
            behind the BOS if the tokenizer puts one in front of every text.
        options: What the template is told in addition to the messages, such as
            ``enable_thinking``.

    Attributes:
        opened: The thought that the template opens before the model writes, such as ``<think>``.
        answer_lead: What a turn without a thought has to begin with to be an answer: the end of
            the thought that the template opens, or the mark of its channel for answers.
        last_end: What follows a turn that is the last message.
        next_end: What follows a turn, up to where the model writes the next one.

    Raises:
        ValueError: The template cannot write a question and an answer.
    """

    def __init__(self, tokenizer: Any, options: Mapping[str, Any]) -> None:
        self._tokenizer, self._options = tokenizer, dict(options)
        if tokenizer.chat_template is None:
            tokenizer.chat_template = _bos(tokenizer) + PLAIN_TEMPLATE
        self._in_parts, self._takes_system = False, True
        if not self._shows([_USER, _TURN]):
            self._in_parts = True  # templates of models that see pictures
            if not self._shows([_USER, _TURN]):
                raise ValueError("the tokenizer's chat template cannot write a user and an answer")
        self._takes_system = self._shows([_SYSTEM, _USER])
        start = self.render([_USER], prompt=True)
        self.opened = open_thought(start)
        self.last_end = self.render([_USER, _TURN], prompt=False).rpartition(_SENTINEL)[2]
        self.next_end = self.after_turn([_USER])
        self.answer_lead = self._answer_lead(start)

    def render(self, messages: Sequence[Message], prompt: bool) -> str:
        """Returns a conversation as the template writes it.

        Args:
            messages: The messages; a system message that the template does not know is put in
                front of the first user's.
            prompt: Whether the model writes next.
        """
        shaped: Sequence[Any] = messages if self._takes_system else _without_system(messages)
        if self._in_parts:
            shaped = [
                {"role": m["role"], "content": [{"type": "text", "text": m["content"]}]}
                for m in shaped
            ]
        text = self._tokenizer.apply_chat_template(
            list(shaped), tokenize=False, add_generation_prompt=prompt, **self._options
        )
        return cast(str, text)

    def after_turn(self, messages: Sequence[Message]) -> str:
        """Returns what is between a turn and the next one, with `messages` in between."""
        return self.render([_USER, _TURN, *messages], prompt=True).rpartition(_SENTINEL)[2]

    def _shows(self, messages: Sequence[Message]) -> bool:
        try:
            return _SENTINEL in self.render(messages, prompt=False)
        except (TemplateError, TypeError):
            return False

    def _answer_lead(self, start: str) -> str:
        turn = self.render([_USER, _TURN, _USER], prompt=True).partition(_SENTINEL)[0]
        lead = turn.removeprefix(start) if turn.startswith(start) else ""
        if self.opened:
            mark = next(mark for mark in THOUGHTS if self.opened.startswith(mark))
            return lead or f"\n{THOUGHTS[mark]}\n\n"
        return lead if "<|message|>" in lead else ""


def _bos(tokenizer: Any) -> str:
    """Returns the beginning of a template that puts the BOS where the tokenizer puts it."""
    bos = tokenizer.bos_token_id
    adds = bos is not None and tokenizer("")["input_ids"][:1] == [bos]
    return "{{ bos_token }}" if adds else ""


def _without_system(messages: Sequence[Message]) -> Sequence[Message]:
    if len(messages) < 2 or messages[0]["role"] != "system":
        return messages
    system, first, *rest = messages
    return [{**first, "content": f"{system['content']}\n\n{first['content']}"}, *rest]
