"""What the methods are measured against: prompting, imitation, and plain policy gradient.

Names as in the papers: STaR and Pair-SFT for self-correction (Kumar et al. 2024, section 4; STaR is
RAFT in Xiong et al. 2025), Self-Refine (Madaan et al. 2023), and policy gradient without a stage I
and without shaping, the control that is expected to stop correcting (Kumar et al. 2024, section 5).
Intrinsic prompting and maj@k are rows of every recipe already.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from agents.engines import Engine, Sampling, reply
from agents.evaluate import play
from agents.progress import progress_bar
from agents.recipes.base import Recipe, RecipeConfig, run_recipe
from agents.rejection import glue
from agents.sft import Demonstration, SftConfig, whole_turns
from agents.trainer import PolicyGradientConfig
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


def prompting(config: PromptingConfig) -> dict[str, Metrics]:
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
    rules = Rules(Protocol(), make_reward(), max_attempts)
    played = [Conversation.under(rules, problem) for problem in problems]
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


@dataclass(frozen=True)
class StarConfig(RecipeConfig):
    """STaR for self-correction; the value of Kumar et al. in brackets."""

    output: Path = Path("runs/star")
    """The run's folder."""
    iterations: int = 3
    """Rounds of sampling; each fine-tunes the base model anew [3]."""
    sampled: int = 1500
    """Training problems per iteration."""
    samples: int = 4
    """Conversations of two attempts per problem."""
    keep_right: bool = False
    """Also learn from conversations that are right twice (STaR+)."""
    temperature: float = 1.0
    """Of the samples."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Fine-tuning, in each iteration."""


def star(config: StarConfig) -> dict[str, Metrics]:
    """Imitates own conversations in which the second attempt mended the first."""
    return run_recipe(Star, config)


class Star(Recipe):
    """Sample, keep, imitate, and again with the better model."""

    config: StarConfig

    def method(self) -> str:
        """Every iteration samples with the newest model and fine-tunes the base."""
        sampler: str | Path = self.base
        for k in range(1, self.config.iterations + 1):

            def sample(engine: Engine, k: int = k) -> list[Demonstration]:
                return self.sample(engine, k)

            data = self.collect(f"iteration_{k}_data", sampler, sample)
            sampler = self.imitate(f"iteration_{k}", self.base, data, self.config.sft)
            self.evaluate(f"iteration {k}", sampler, f"iteration_{k}", 2, "intrinsic")
        return f"iteration {self.config.iterations}"

    def sample(self, engine: Engine, k: int) -> list[Demonstration]:
        """Conversations of two attempts whose second is right."""
        config = self.config
        seed = config.seed + k
        problems = self.train_source.take(config.sampled, seed)
        repeated = [problem for problem in problems for _ in range(config.samples)]
        sampling = Sampling(config.temperature, 1.0, config.max_new_tokens)
        title = f"iteration {k}: sampling"
        episodes = play(engine, repeated, sampling, title, 2, "intrinsic", seed)
        return mended(episodes, config.keep_right)


def mended(episodes: Sequence[Episode], keep_right: bool) -> list[Demonstration]:
    """Demonstrations of episodes whose second attempt is right; only right attempts are learned.

    The same two attempts at the same problem count once.
    """
    found: dict[tuple[str, ...], Demonstration] = {}
    for episode in episodes:
        first, second = episode.turns
        wanted = (True, False) if keep_right else (False,)
        if second.correct is not True or first.correct not in wanted:
            continue
        learned = (0, 1) if first.correct else (1,)
        kind = "right, right" if first.correct else "wrong, right"
        key = (episode.problem.id, first.text, second.text)
        found[key] = Demonstration(episode, whole_turns(*learned), kind)
    return list(found.values())


@dataclass(frozen=True)
class PairSftConfig(RecipeConfig):
    """Pair-SFT: wrong attempts with right ones to the same problem as if they mended them."""

    output: Path = Path("runs/pair_sft")
    """The run's folder."""
    sampled: int = 1500
    """Training problems."""
    samples: int = 8
    """Attempts per problem."""
    keep_right: bool = False
    """Also pair right attempts with right ones (Pair-SFT+)."""
    temperature: float = 1.0
    """Of the samples."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Fine-tuning."""


def pair_sft(config: PairSftConfig) -> dict[str, Metrics]:
    """Imitates made-up repairs: a wrong attempt, then a right one from another sample."""
    return run_recipe(PairSft, config)


class PairSft(Recipe):
    """Sample attempts, pair them, imitate."""

    config: PairSftConfig

    def method(self) -> str:
        """One round."""
        data = self.collect("pairs", self.base, self.sample)
        trained = self.imitate("sft", self.base, data, self.config.sft)
        self.evaluate("after SFT", trained, "sft", 2, "intrinsic")
        return "after SFT"

    def sample(self, engine: Engine) -> list[Demonstration]:
        """Single attempts, paired problem by problem."""
        config = self.config
        problems = self.train_source.take(config.sampled, config.seed)
        repeated = [problem for problem in problems for _ in range(config.samples)]
        sampling = Sampling(config.temperature, 1.0, config.max_new_tokens)
        single = play(engine, repeated, sampling, "sampling", 1, "intrinsic", config.seed)
        rng = random.Random(config.seed)
        groups = groupby(single, lambda episode: episode.problem.id)
        return [d for _, group in groups for d in paired(list(group), rng, config.keep_right)]


def paired(group: Sequence[Episode], rng: random.Random, keep_right: bool) -> list[Demonstration]:
    """Pairs each distinct wrong attempt at one problem with a right one drawn at random."""
    first = group[0]
    attempts = {episode.final.text: episode.final.correct for episode in group}
    right = [text for text, correct in attempts.items() if correct]
    found = []
    for text, correct in attempts.items():
        if not right or correct is None or (correct and not keep_right):
            continue
        rules = Rules(ASKED, make_reward("correctness=1"), 2)
        conversation = Conversation.under(rules, first.problem)
        conversation.step(text)
        conversation.step(rng.choice(right))
        kind = "right, right" if correct else "wrong, right"
        found.append(Demonstration(conversation.episode, whole_turns(1), kind))
    return found


@dataclass(frozen=True)
class PlainRlConfig(RecipeConfig):
    """Policy gradient on correctness alone: direct multi-turn, or single-turn RL."""

    output: Path = Path("runs/plain_rl")
    """The run's folder."""
    max_attempts: int = 2
    """Attempts per episode, each paid for being right; 1 is single-turn RL."""
    pg: PolicyGradientConfig = field(
        default_factory=lambda: PolicyGradientConfig(kl=0.01, scale_roles=False)
    )
    """Policy gradient; a KL as in SCoRe, of which this is what remains without its two ideas."""


def plain_rl(config: PlainRlConfig) -> dict[str, Metrics]:
    """Trains on the correctness of every attempt, without stages and without shaping."""
    return run_recipe(PlainRl, config)


class PlainRl(Recipe):
    """One stage."""

    config: PlainRlConfig

    def method(self) -> str:
        """Policy gradient from the base model."""
        config, reward = self.config, "correctness=1"
        problems = self.training_problems(config.pg)
        make_env = self.make_env(config.max_attempts, "intrinsic", reward)
        trained = self.reinforce("rl", self.base, problems, make_env, reward, config.pg)
        self.evaluate("after RL", trained, "rl", config.max_attempts, "intrinsic")
        return "after RL"
