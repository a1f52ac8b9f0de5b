"""RISE: recursive introspection (Qu et al. 2024, arXiv 2407.18219).

Every attempt, right or wrong, is answered by the claim that it is wrong. Iteration k lets the
current model play k turns of its own, adds one improved turn to what is still wrong, and fine-tunes
on every turn, weighted by ``exp(reward / tau)`` (section 4.2). The improved turn is the best of
several samples of the model itself (self-distillation) or a teacher's. At inference the model is
asked on for a number of turns, in view of its latest attempts alone, and the majority over all
turns is its answer; with an oracle, the first right one is (section 4.3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from agents.engines import Engine, Sampling
from agents.engines.backend import EngineOptions
from agents.engines.registry import make_engine
from agents.recipes.base import Recipe, RecipeConfig, run_recipe
from agents.rollouts.dialogue import Dialogue, in_view
from agents.rollouts.play import play_episodes
from agents.rollouts.speakers import ModelSpeaker, propose
from agents.training.credit import regression_weight
from agents.training.policy_gradient import PolicyGradientConfig
from agents.training.sft import Demonstration, SftConfig, whole_turns
from srenv.conversation import Conversation, Rules
from srenv.episode import Episode, Problem, Turn
from srenv.metrics import Metrics
from srenv.metrics.readings import Reading
from srenv.parsing import MAX_TURN_CHARS
from srenv.protocol import PROTOCOLS

Keep = Literal["all", "better", "best", "success"]


@dataclass(frozen=True)
class RiseConfig(RecipeConfig):
    """RISE, from a base model to a trained one; the authors' values in brackets."""

    output: Path = Path("runs/rise")
    """The run's folder."""
    iterations: int = 2
    """Rounds of sampling and fine-tuning; round k lets the model play k turns first [2]."""
    sampled: int = 1500
    """Training problems per iteration [7,473 of GSM8K]."""
    width: int = 16
    """Samples of which the improved turn is the best [16]."""
    teacher: str | None = None
    """Folder, hub id or, at a server, name of a model that writes the improved turns instead
    [GPT-3.5]."""
    teacher_base_url: str | None = None
    """Address of the OpenAI-compatible server that the teacher is at; by default it is loaded with
    transformers, next to the model's own engine."""
    tau: float = 0.4
    """Temperature of the weights exp(reward / tau) [0.4]."""
    keep: Keep = "all"
    """Turns to learn from: all [all], those better than the turn before, those as good as any
    before (best), or right ones (success). First turns always count, except under success."""
    turns: int = 5
    """Turns at inference [5]."""
    turn_temperature: float = 0.0
    """Of the turns at inference; 0 takes the likeliest [one sample per turn, temperature not
    reported]."""
    window: int | None = None
    """Attempts in view; by default as many as iterations [1 in the authors' example]."""
    temperature: float = 1.0
    """Of the model's own samples [1.0]."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Fine-tuning, in each iteration."""
    online: PolicyGradientConfig = field(
        default_factory=lambda: PolicyGradientConfig(steps=0, scale_roles=False)
    )
    """Policy gradient on the same turns afterwards, the online variant named as future work;
    0 steps skips the stage [0]."""


def train(config: RiseConfig) -> dict[str, Metrics]:
    """Runs the recipe and returns the rows of its table."""
    if min(config.iterations, config.turns, config.width, config.window or 1) < 1:
        raise ValueError("iterations, turns, width and window are at least 1")
    if config.tau <= 0:
        raise ValueError(f"tau is a temperature: set it above 0, not to {config.tau}")
    if config.teacher_base_url and not config.teacher:
        raise ValueError("--teacher-base-url needs --teacher, the name of the model there")
    return run_recipe(Rise, config)


class Rise(Recipe):
    """The method, stage by stage."""

    config: RiseConfig

    @property
    def window(self) -> int:
        """Attempts in view: no more than were in view in training."""
        return self.config.window or self.config.iterations

    def method(self) -> str:
        """Iterations of sampling and weighted fine-tuning, then inference over turns."""
        config = self.config
        model: str | Path = self.base
        self.introspect("base", model, "base")
        for k in range(1, config.iterations + 1):
            data = self.collect(f"iteration_{k}_data", model, partial(self.sample, k=k))
            model = self.imitate(f"iteration_{k}", model, data, config.sft)
            result = self.introspect(f"iteration {k}", model, f"iteration_{k}")
        if config.online.steps:
            reward = "correctness=1,answer_format=1"
            model = self.reinforce(
                "online",
                model,
                self.training_problems(config.online, offset=config.iterations + 1),
                self.make_env(config.iterations + 1, "rise", reward),
                config.online,
            )
            result = self.introspect("online", model, "online")
        return result

    def sample(self, engine: Engine, k: int) -> list[Demonstration]:
        """Samples a few turns of the current model, and an improved one if they failed."""
        config = self.config
        problems = self.training_sample(config.sampled, config.seed + k)
        # The episode ends with the first right attempt; nothing after it is learned from.
        dialogues = self.dialogues(engine, problems, "gold", attempts=k + 1, turns=k)
        sampling = Sampling(config.temperature, 1.0, config.max_new_tokens)
        speaker = ModelSpeaker(engine, sampling)
        play_episodes(dialogues, speaker, f"iteration {k}: sampling", seed=config.seed + k)
        conversations = [dialogue.conversation for dialogue in dialogues]
        with self.teacher(engine) as teacher:
            width = 1 if config.teacher else config.width
            improve(teacher, conversations, sampling, width, self.window)
        return [
            example
            for conversation in conversations
            for example in examples(conversation.episode, config.tau, config.keep, self.window)
        ]

    def dialogues(
        self, engine: Engine, problems: Sequence[Problem], protocol: str, attempts: int, turns: int
    ) -> list[Dialogue]:
        """Dialogues about `problems` that stop after `turns`."""
        conversations = start(problems, protocol, attempts, self.config.max_turn_chars)
        return [
            Dialogue(conversation, engine.chat, key, turns, self.window)
            for key, conversation in enumerate(conversations)
        ]

    def teacher(self, engine: Engine) -> AbstractContextManager[Engine]:
        """What writes the improved turns: the model itself, in `engine`, or another model."""
        teacher, url = self.config.teacher, self.config.teacher_base_url
        if not teacher:
            return nullcontext(engine)
        options = EngineOptions(teacher, base_url=url)
        return closing(make_engine("server" if url else "transformers", options))

    def introspect(self, title: str, model: str | Path, name: str) -> str:
        """Rows of one model over all turns: a vote, the last answer, and an oracle's choice."""
        config, turns = self.config, self.config.turns
        vote = f"{title}, m1@t{turns}"
        sampling = Sampling(config.turn_temperature, 1.0, config.max_new_tokens)

        def play(problems: Sequence[Problem]) -> list[Episode]:
            with self.engine(model) as engine:
                dialogues = self.dialogues(engine, problems, "rise", turns, turns)
                speaker = ModelSpeaker(engine, sampling)
                return play_episodes(dialogues, speaker, f"evaluate: {title}", seed=config.seed)

        self.row(vote, f"{name}_turns", play, "turn_votes")
        path = self.rows[vote].episodes
        self.rows[f"{title}, last of {turns}"] = Reading(path)
        self.rows[f"{title}, p1@t{turns} (oracle)"] = Reading(path, "any_turn")
        return vote


def start(
    problems: Sequence[Problem],
    protocol: str,
    attempts: int,
    max_turn_chars: int = MAX_TURN_CHARS,
) -> list[Conversation]:
    """Conversations about `problems`, all under the same rules."""
    rules = Rules(PROTOCOLS[protocol], attempts, max_turn_chars=max_turn_chars)
    return [Conversation(problem, rules) for problem in problems]


def level(turn: Turn) -> float:
    """The reward of a turn: 1 for a right answer, 0 for a wrong one, -1 for none."""
    return -1.0 if turn.answer is None else float(turn.correct is True)


def improve(
    engine: Engine,
    conversations: Sequence[Conversation],
    sampling: Sampling,
    width: int,
    window: int,
) -> None:
    """Adds the best of `width` next turns to every conversation that has not ended."""
    live = [c for c in conversations if not c.ended]
    for conversation, turns in zip(
        live, propose(engine, live, sampling, width, window), strict=True
    ):
        best = max(turns, key=level)
        conversation.step(best.text).tokens = best.tokens


def examples(
    episode: Episode, tau: float, keep: Keep = "all", window: int | None = None
) -> list[Demonstration]:
    """One example per turn of the episode: the turn is learned, what came before is context.

    Turns that repeat an earlier one, degenerate ones, and ones that the verifier could not decide
    are left out.
    """
    demonstrations = []
    rewards = [level(turn) for turn in episode.turns]
    for index, turn in enumerate(episode.turns):
        repeated = turn.text in {earlier.text for earlier in episode.turns[:index]}
        if repeated or degenerate(turn.text) or turn.correct is None:
            continue
        if not kept(rewards[: index + 1], keep):
            continue
        until = Episode(
            episode.problem,
            episode.messages[: 2 * index + 2],
            episode.turns[: index + 1],
            episode.ending,
        )
        seen = in_view(until, None if window is None else window + 1)
        last = len(seen.turns) - 1
        demonstrations.append(
            Demonstration(
                seen,
                whole_turns(last),
                f"turn {index + 1}, reward {rewards[index]:g}",
                regression_weight(rewards[index], tau),
            )
        )
    return demonstrations


def kept(rewards: Sequence[float], keep: Keep) -> bool:
    """Whether the last of the turns with these rewards is learned from."""
    *before, now = rewards
    if keep == "success":
        return now == 1.0
    if keep == "all" or not before:
        return True
    return now > before[-1] if keep == "better" else now >= max(before)


def degenerate(text: str) -> bool:
    """Whether a word comes more than 150 times or is longer than 300 characters."""
    words = Counter(text.split())
    return any(count > 150 or len(word) > 300 for word, count in words.items())
