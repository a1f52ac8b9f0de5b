"""The count of generated tokens."""

import pytest

from agents.engines import Sampling, reply
from agents.engines.metered import MeteredEngine
from agents.models.chat import ChatFormat
from tests.support import ContinuousEngine, ScriptedEngine


@pytest.fixture
def chat(untrained):
    return ChatFormat.load(untrained)


def test_tokens_of_batches_are_counted(chat):
    engine = MeteredEngine(ScriptedEngine(chat, [["\\boxed{1}"], ["\\boxed{23}"]]))
    generations = engine.generate([[5], [6]], Sampling())
    assert engine.generated == sum(len(generation.ids) for generation in generations) > 0


def test_tokens_of_sessions_are_counted_without_failed_requests(chat):
    def say(key, prompt):
        return ValueError("too long") if key == 1 else "fine"

    engine = MeteredEngine(ContinuousEngine(chat, say, order="first"))
    with pytest.raises(ValueError, match="too long"):
        reply(engine, [[{"role": "user", "content": "?"}]] * 2, Sampling())
    assert engine.generated == len(chat.tokenizer("fine")["input_ids"]) + 1
