"""Engines that say what a test wants."""

from collections.abc import Sequence

import pytest


def load_chat(folder):
    """Returns the chat format of the model in a folder."""
    from transformers import AutoTokenizer

    from agents.models.chat import ChatFormat

    return ChatFormat(AutoTokenizer.from_pretrained(folder))


def check_early_ends(engine, problems) -> None:
    """An engine ends its messages at ids that the caller names, and says the same until there."""
    from agents.engines import Sampling

    prompts = [engine.chat.opening([{"role": "user", "content": p.prompt}]) for p in problems]
    whole = engine.generate(prompts, Sampling(0.0, 1.0, 40))
    stop = whole[0].ids[-3]
    cut = engine.generate(prompts, Sampling(0.0, 1.0, 40, stop_ids=frozenset({stop})))
    for short, message in zip(cut, whole, strict=True):
        end = message.ids.index(stop) + 1 if stop in message.ids else len(message.ids)
        assert short.ids == message.ids[:end]
        assert short.logprobs == pytest.approx(message.logprobs[:end], abs=1e-3)
    assert len(cut[0].ids) < len(whole[0].ids)


class ScriptedEngine:
    """Says what it was told to say, turn by turn, for every conversation.

    `lines[i][t]` is turn t of conversation i; log-probs are -0.1 per token.
    """

    def __init__(self, chat, lines: Sequence[Sequence[str]]) -> None:
        self.chat = chat
        self.lines = [list(turns) for turns in lines]
        self.prompts: list[list[int]] = []
        self.live: list[int] = []

    def generate(self, prompts, sampling):
        from agents.engines import Generation

        self.prompts += [list(prompt) for prompt in prompts]
        waiting = [turns for turns in self.lines if turns]
        generations = []
        for _, turns in zip(prompts, waiting, strict=True):
            text = turns.pop(0)
            ids = [*self.chat.tokenizer(text)["input_ids"], self.chat.tokenizer.eos_token_id]
            generations.append(Generation(ids, [-0.1] * len(ids)))
        return generations


class ContinuousEngine:
    """Answers one request at a time, in an order of its own; the text follows from the prompt.

    Args:
        chat: The chat format.
        say: (key, prompt text) -> the message, or an exception that answers the request.
        order: "last" answers the newest request first, "first" the oldest.
    """

    def __init__(self, chat, say, order="last") -> None:
        self.chat, self.say, self.order = chat, say, order
        self.waiting = []
        self.answered: list[int] = []
        self.closed = 0
        self.barrier = False

    def generate(self, prompts, sampling):
        from agents.engines.base import generate_in_session

        return generate_in_session(self, prompts, sampling)

    def session(self, sampling):
        return self

    def submit(self, request):
        self.waiting.append(request)

    def collect(self):
        from agents.engines import Generation

        if not self.waiting:
            return []
        request = self.waiting.pop(-1 if self.order == "last" else 0)
        self.answered.append(request.key)
        text = self.say(request.key, self.chat.tokenizer.decode(request.prompt))
        if isinstance(text, Exception):
            return [(request.key, text)]
        ids = [*self.chat.tokenizer(text)["input_ids"], self.chat.tokenizer.eos_token_id]
        return [(request.key, Generation(ids, [-0.1] * len(ids)))]

    def close(self):
        self.closed += 1
        self.waiting.clear()
