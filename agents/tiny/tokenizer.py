"""The tokenizer of a small model: one token per byte, and one per sentence of the protocol.

Any text can be encoded. What every conversation repeats (the protocol's sentences, the words of a
problem, the markers) is a single token each, so that the small model spends its few layers on
numbers instead of on spelling.
"""

from __future__ import annotations

from tokenizers import AddedToken, pre_tokenizers
from transformers import Qwen2Tokenizer

from agents.recipes.process.search import JUDGING
from agents.tiny.worlds import World
from srenv.protocol import EVALUATE, PROTOCOLS

PAD, USER, ASSISTANT, END = "<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>"

TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

CUE = "Check: "
"""Opens every check; the model recognizes by it that one begins, at any place."""

APOLOGY = "Sorry, I made a mistake."
"""Opens revisions that change the answer, whether it was right or wrong."""

MARKS = ("[A] ", "[B] ", "[[A]]", "[[B]]")
"""Labels of two next steps, and how a judge of steps names one of them."""

WORDS = ("[VERIFY]", " correct", " wrong", APOLOGY, CUE, *MARKS)


ASKED = ("default", "intrinsic", "rise", "gold", "yes_no")
"""The protocols that the small models are made with; they spell the sentences of others out."""


def phrases(world: World) -> list[str]:
    """Texts that are one token each, longest first so that none hides inside another."""
    sentences = {EVALUATE, JUDGING.instruction, PROTOCOLS["yes_no"].question}
    for protocol in (world.protocols[name] for name in ASKED):
        sentences |= {protocol.instruction, protocol.retry, protocol.reveal, protocol.praise}
    return [*sorted(sentences, key=lambda s: (-len(s), s)), *world.words, *WORDS]


def make_tokenizer(world: World) -> Qwen2Tokenizer:
    """Builds the tokenizer of a world.

    A `Qwen2Tokenizer` without merges: transformers puts that class's own splitting rules on any
    tokenizer saved with a Qwen2 model, so it has to be one from the start.
    """
    specials = [PAD, USER, ASSISTANT, END]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: index for index, token in enumerate([*specials, *alphabet])}
    tokenizer = Qwen2Tokenizer(
        vocab=vocab,
        merges=[],
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[USER, ASSISTANT],
    )
    # Not special: they are ordinary text that happens to be one token.
    tokenizer.add_tokens([AddedToken(p, normalized=False, special=False) for p in phrases(world)])
    tokenizer.chat_template = TEMPLATE
    tokenizer.model_max_length = 2048
    return tokenizer
