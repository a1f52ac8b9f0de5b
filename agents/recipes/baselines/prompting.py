"""Prompting without training: the truth from an oracle, and Self-Refine (Madaan et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.engines import Engine, Sampling, reply
from agents.recipes.base import Recipe, RecipeConfig, run_recipe
from agents.recipes.self_rewarding.rejection import glue
from agents.runs.progress import progress_bar
from srenv.conversation import Conversation, Rules
from srenv.episode import Episode, Message, Problem
from srenv.metrics import Metrics
from srenv.protocol import EVALUATE, PROTOCOLS, Protocol
from srenv.rewards import make_reward

ASKED = PROTOCOLS["intrinsic"]


@dataclass(frozen=True)
class PromptingConfig(RecipeConfig):
    """What prompts alone can do: revisions after a true word, and after the model's own."""

    output: Path = Path("runs/prompting")
    """The run's folder."""
    max_attempts: int = 2
    """Attempts per episode."""


def train(config: PromptingConfig) -> dict[str, Metrics]:
    """Measures the base model, told the truth by the verifier, and told its own opinion."""
    return run_recipe(Prompting, config)


class Prompting(Recipe):
    """No training: two ways to ask for a revision."""

    config: PromptingConfig

    def method(self) -> str:
        """Revisions of attempts that are wrong, and of attempts that the model calls wrong."""
        attempts = self.config.max_attempts
        self.evaluate("base, told the truth (oracle)", self.base, "gold", attempts, "gold")

        def work(engine: Engine) -> list[Episode]:
            with progress_bar("evaluate: Self-Refine", 2 * attempts) as bar:
                return self_refine(
                    engine, self.eval_problems, self.greedy, attempts, on_message=bar.advance
                )

        self.row("base, Self-Refine", self.base, "self_refine", work)
        return "base, Self-Refine"


def self_refine(
    engine: Engine,
    problems: Sequence[Problem],
    sampling: Sampling,
    max_attempts: int,
    on_message: Callable[[], object] | None = None,
) -> list[Episode]:
    """Asks in turns for an answer and for a check of it, until a check accepts.

    Answer and check are messages of their own, as prompted systems have them; in the record they
    are one turn.
    """
    rules = Rules(Protocol(), max_attempts, make_reward())
    played = [Conversation(problem, rules) for problem in problems]
    chats: list[list[Message]] = [
        [_said("user", f"{problem.prompt}\n{ASKED.instruction}")] for problem in problems
    ]
    for _ in range(max_attempts):
        live = [i for i, conversation in enumerate(played) if not conversation.ended]
        parts: dict[int, list[str]] = {i: [] for i in live}
        tokens = dict.fromkeys(live, 0)
        for request in (EVALUATE, None):
            replies = reply(engine, [chats[i] for i in live], sampling)
            for i, generation in zip(live, replies, strict=True):
                text = engine.chat.turn_text(generation.ids)
                parts[i].append(text)
                tokens[i] += generation.count
                chats[i].append(_said("assistant", text))
                if request:
                    chats[i].append(_said("user", request))
            if on_message:
                on_message()
        for i in live:
            played[i].step(glue(*parts[i])).tokens = tokens[i]
            chats[i].append(_said("user", rules.protocol.retry))
    return [conversation.episode for conversation in played]


def _said(role: str, content: str) -> Message:
    return {"role": role, "content": content}
