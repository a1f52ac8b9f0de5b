"""The tokenizer of the bundled model."""

import pytest
from transformers import AutoTokenizer

from agents.models.paths import TINY, model_path
from agents.tiny.tokenizer import make_tokenizer, phrases


@pytest.fixture(scope="module")
def bundled():
    return AutoTokenizer.from_pretrained(model_path(TINY))


def test_the_bundled_tokenizer_is_the_one_that_is_made(bundled):
    assert make_tokenizer().get_vocab() == bundled.get_vocab()


def test_every_sentence_of_the_protocols_is_one_token(bundled):
    for phrase in phrases():
        assert len(bundled(phrase)["input_ids"]) == 1, phrase


@pytest.mark.parametrize(
    "text", ["π ≈ 3\n\ttab", "\\frac{1}{2}", "日本 \\boxed{4}\n[VERIFY] wrong"]
)
def test_any_text_is_encoded_without_loss(bundled, text):
    assert bundled.decode(bundled(text)["input_ids"]) == text
