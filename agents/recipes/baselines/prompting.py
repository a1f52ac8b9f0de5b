"""Prompting without training: the truth from an oracle, and Self-Refine (Madaan et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.engines import Engine, Sampling, reply
from agents.recipes.base import Recipe, RecipeConfig, run_recipe
from agents.recipes.self_rewarding.rejection import glue
from agents.rollouts.dialogue import Dialogue
from agents.rollouts.play import Spoken, play_episodes
from agents.rollouts.speakers import Rounds
from srenv.conversation import Conversation, Rules
from srenv.episode import Episode, Message, Problem
from srenv.metrics import Metrics
from srenv.protocol import EVALUATE, PROTOCOLS, Protocol
from srenv.rewards import make_reward

ASKED = PROTOCOLS["intrinsic"]
REFINED = "base, Self-Refine"
"""Title of the row of Self-Refine."""


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
    trains = False

    def method(self) -> str:
        """Revisions of attempts that are wrong, and of attempts that the model calls wrong."""
        attempts = self.config.max_attempts
        self.evaluate("base, told the truth (oracle)", self.base, "gold", attempts, "gold")
        evaluate_self_refine(self, attempts)
        return REFINED


def evaluate_self_refine(recipe: Recipe, max_attempts: int) -> None:
    """Plays Self-Refine with the base model of a recipe; one row of its table."""
    max_chars = recipe.config.max_turn_chars
    rules = Rules(Protocol(), max_attempts, make_reward(), max_turn_chars=max_chars)

    def play(problems: Sequence[Problem]) -> list[Episode]:
        with recipe.engine(recipe.base) as engine:
            return self_refine(engine, problems, recipe.greedy, rules, "evaluate: Self-Refine")

    recipe.row(REFINED, "self_refine", play)


def self_refine(
    engine: Engine,
    problems: Sequence[Problem],
    sampling: Sampling,
    rules: Rules,
    title: str,
) -> list[Episode]:
    """Asks in turns for an answer and for a check of it, until a check accepts.

    Answer and check are messages of their own, as prompted systems have them; in the record they
    are one turn.
    """
    dialogues = [
        Dialogue(Conversation(problem, rules), engine.chat, key)
        for key, problem in enumerate(problems)
    ]
    chats: list[list[Message]] = [[] for _ in dialogues]

    def ask(live: Sequence[Dialogue], requests: Sequence[str]) -> list[Spoken]:
        """Adds a request to each chat, and the model's reply to it."""
        for dialogue, request in zip(live, requests, strict=True):
            chats[dialogue.key].append(_message("user", request))
        generations = reply(engine, [chats[dialogue.key] for dialogue in live], sampling)
        replies = [Spoken(engine.chat.turn_text(g.ids), g.count, g) for g in generations]
        for dialogue, message in zip(live, replies, strict=True):
            chats[dialogue.key].append(_message("assistant", message.text))
        return replies

    def speak(live: Sequence[Dialogue]) -> list[Spoken]:
        attempts = ask(live, [_request(dialogue.episode) for dialogue in live])
        checks = ask(live, [EVALUATE] * len(live))
        return [
            Spoken(glue(attempt.text, check.text), attempt.tokens + check.tokens)
            for attempt, check in zip(attempts, checks, strict=True)
        ]

    return play_episodes(dialogues, Rounds(speak), title)


def _request(episode: Episode) -> str:
    """The request for the first attempt, or for another one."""
    if episode.turns:
        return episode.messages[-1]["content"]
    (opening,) = ASKED.opening(episode.problem)
    return opening["content"]


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}
