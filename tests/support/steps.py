"""A linear equation, its solution in steps, and an engine that proposes and judges steps."""

import re

import srenv
from agents.engines import Generation

EQUATION = srenv.Problem(
    "p", "Solve 7x+43=365 for x.", "46", "test", data={"a": 7, "b": 43, "c": 365}
)
ONE, TWO, LAST = "365-43=322", "322/7=46", "\\boxed{46}"


class StepEngine:
    """Proposes from a list in turn and judges by a rule.

    Args:
        chat: The chat format.
        proposals: What it proposes, in turn.
        prefers: (first, second) -> whether the first is better.
    """

    def __init__(self, chat, proposals, prefers):
        self.chat, self.proposals, self.prefers = chat, list(proposals), prefers
        self.judged = 0

    def generate(self, prompts, sampling):
        return [self.turn(self.chat.tokenizer.decode(prompt)) for prompt in prompts]

    def turn(self, prompt):
        if "[A]" in prompt:
            self.judged += 1
            first, second = (re.search(rf"\[{x}\] (.*)", prompt)[1] for x in "AB")
            text = f"because\n[[{'A' if self.prefers(first, second) else 'B'}]]"
        else:
            text = self.proposals.pop(0)
        ids = [*self.chat.tokenizer(text)["input_ids"], self.chat.tokenizer.eos_token_id]
        return Generation(ids, [])
