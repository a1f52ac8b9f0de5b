"""The tokenizers of the small models."""

import pytest
from transformers import AutoTokenizer

from agents.models.paths import TINY, model_path
from agents.tiny.tokenizer import make_tokenizer, phrases
from agents.tiny.worlds import WORLDS


@pytest.fixture(scope="module")
def bundled():
    return AutoTokenizer.from_pretrained(model_path(TINY))


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_the_bundled_tokenizers_are_those_that_are_made(world):
    bundled = AutoTokenizer.from_pretrained(model_path(world.model))
    assert make_tokenizer(world).get_vocab() == bundled.get_vocab()


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_every_sentence_of_the_protocols_is_one_token(world):
    tokenizer = make_tokenizer(world)
    for phrase in phrases(world):
        assert len(tokenizer(phrase)["input_ids"]) == 1, phrase


@pytest.mark.parametrize(
    "text", ["π ≈ 3\n\ttab", "\\frac{1}{2}", "日本 \\boxed{4}\n[VERIFY] wrong"]
)
def test_any_text_is_encoded_without_loss(bundled, text):
    assert bundled.decode(bundled(text)["input_ids"]) == text
