"""The tokenizers of the small models."""

import pytest
from transformers import AutoTokenizer

from agents.models.paths import TINY, model_path
from agents.tiny.tokenizer import make_tokenizer, phrases
from agents.tiny.worlds import WORLDS


@pytest.fixture(scope="module")
def bundled():
    return AutoTokenizer.from_pretrained(model_path(TINY))


def test_the_bundled_tokenizer_is_the_one_that_is_made(bundled):
    assert make_tokenizer(WORLDS["maths"]).get_vocab() == bundled.get_vocab()


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
