"""Small tokenizers with the chat templates of real models."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as Decoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer

MARK = re.compile(r"<[|｜/]?[A-Za-z_▁]+[|｜]?>")
WORDS = frozenset({"<think>", "</think>", "<tool_call>", "</tool_call>"})
"""Tokens of their own that are words of the model, not skipped when ids are decoded."""

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA2 = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token }}[INST] {{ m['content'] }} "
    "[/INST]{% else %} {{ m['content'] }} {{ eos_token }}{% endif %}{% endfor %}"
)


def trl_templates() -> dict[str, Path]:
    """The templates that TRL ships, by name."""
    folder = Path(find_spec("trl").submodule_search_locations[0]) / "chat_templates"
    return {path.stem: path for path in sorted(folder.glob("*.jinja"))}


def trl_template(name: str) -> str:
    return trl_templates()[name].read_text(encoding="utf-8")


@cache
def _byte_level() -> str:
    bpe = Tokenizer(BPE())
    bpe.pre_tokenizer, bpe.decoder = ByteLevel(add_prefix_space=False), Decoder()
    alphabet = ByteLevel.alphabet()
    bpe.train_from_iterator(
        ["correct wrong"], BpeTrainer(vocab_size=300, initial_alphabet=alphabet)
    )
    return bpe.to_str()


def small_tokenizer(template: str | None, eos="<|endoftext|>", bos="<s>", adds_bos=False):
    """A byte-level tokenizer that knows the marks of a template, and its own EOS and BOS.

    Args:
        template: The chat template; None for that of a base model.
        eos: The end of a text, by default none of those that end a turn.
        bos: The beginning of a text.
        adds_bos: Whether the tokenizer puts it in front of a text.
    """
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer.from_str(_byte_level())
    special = {eos, bos} - {None} | set(MARK.findall(template or "")) - WORDS
    backend.add_special_tokens([AddedToken(m, special=True) for m in sorted(special)])
    backend.add_tokens([AddedToken(m, special=False) for m in sorted(WORDS)])
    if adds_bos:
        backend.post_processor = TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, backend.token_to_id(bos))]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=eos, bos_token=bos)
    tokenizer.chat_template = template
    return tokenizer


class ScriptedIds:
    """Writes the given turns, one a call: texts, as the model would write and end them, or ids."""

    def __init__(self, chat, turns):
        self.chat = chat
        self.turns = [turn if isinstance(turn, list) else chat.encode_text(turn) for turn in turns]
        self.prompts = []

    def generate(self, prompts, sampling):
        from agents.engines import Generation

        self.prompts += prompts
        ids = self.turns.pop(0)
        return [Generation(ids, [-0.1] * len(ids)) for _ in prompts]
