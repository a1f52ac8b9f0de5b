"""Correction by two models: one attempts and revises, another says when it is right.

The comparison that Xiong et al. 2025 draw (tables 5 and 7): an outcome verifier, trained apart on
the data from which self-rewarding correction learns both skills in one model. Base model, samples
and fine-tuning are those of `agents.recipes.self_rewarding`; the evaluations in its demonstrations
go to the verifier, the attempts and revisions to the generator. The price is a second model:
its tokens count among those of the row, its memory is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from agents.engines import Engine, Generation, Sampling, TransformersEngine, reply
from agents.engines.metered import MeteredEngine
from agents.recipes.base import Recipe, RecipeConfig, run_recipe
from agents.recipes.self_rewarding.rejection import (
    SAMPLING_STEPS,
    RejectionConfig,
    glue,
    sample_demonstrations,
)
from agents.rollouts.dialogue import Dialogue
from agents.rollouts.play import Spoken, play_episodes
from agents.rollouts.player import verdict_probability
from agents.rollouts.speakers import Rounds, propose
from agents.runs.progress import progress_bar
from agents.training.sft import Demonstration, SftConfig, read_demonstrations, whole_turns
from srenv.conversation import Conversation, Rules, make_turn
from srenv.episode import Episode, Problem, Turn
from srenv.metrics import Metrics
from srenv.parsing import MAX_TURN_CHARS, ParsedTurn
from srenv.protocol import EVALUATE, PROTOCOLS, Protocol
from srenv.thoughts import hide_thoughts
from srenv.verdicts import MARKED, find_verdict
from srenv.verifier.grade import Grade

GENERATING = PROTOCOLS["rise"]
"""What the generator is asked: attempts without a verdict, each but the last called wrong."""
VERIFYING = replace(PROTOCOLS["intrinsic"], retry=EVALUATE)
"""What the verifier is asked: it reads the problem and one attempt, and its turn is the second."""
RECORDED = Protocol()
"""How both are written down: the verifier's message is the verdict on the attempt."""


@dataclass(frozen=True)
class ExternalVerifierConfig(RecipeConfig):
    """A generator and a verifier, both from one base model; the paper's choices in brackets."""

    output: Path = Path("runs/external_verifier")
    """The run's folder."""
    max_attempts: int = 3
    """Attempts per episode, as in self_rewarding [2]."""
    show_check: bool = False
    """Let the generator read the verifier's check before it revises, not the verdict alone [no]."""
    rejection: RejectionConfig = field(default_factory=RejectionConfig)
    """Sampling of the data, the same as that of self_rewarding's warm-up."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Fine-tuning of the verifier, and of the generator."""


def train(config: ExternalVerifierConfig) -> dict[str, Metrics]:
    """Runs the recipe and returns the rows of its table."""
    return run_recipe(ExternalVerifier, config)


class ExternalVerifier(Recipe):
    """The method, stage by stage."""

    config: ExternalVerifierConfig

    def method(self) -> str:
        """One set of samples, two models; the base generates in one row, the trained in another."""
        data = self.collect("rejection_sampling", self.base, self.sample)
        verifier = self.learn("verifier", data, evaluations)
        generator = self.learn("generator", data, self.attempts)
        self.measure("base, external verifier", self.base, verifier, "base_verified")
        self.measure("after SFT, external verifier", generator, verifier, "verified")
        return "after SFT, external verifier"

    def sample(self, engine: Engine) -> list[Demonstration]:
        """The warm-up data of self-rewarding correction."""
        rejection, seed = self.config.rejection, self.config.seed
        problems = self.training_sample(rejection.problems, seed)
        with progress_bar("sampling", SAMPLING_STEPS) as bar:
            return sample_demonstrations(engine, problems, rejection, bar, seed)

    def learn(
        self, name: str, data: Path, share: Callable[[Demonstration], list[Demonstration]]
    ) -> Path:
        """Fine-tunes the base model on its share of every demonstration."""

        def select(_: Engine) -> list[Demonstration]:
            return [part for whole in read_demonstrations(data) for part in share(whole)]

        return self.imitate(
            name, self.base, self.collect(f"{name}_data", self.base, select), self.config.sft
        )

    def attempts(self, demonstration: Demonstration) -> list[Demonstration]:
        """The generator's share."""
        return attempts(demonstration, self.config.show_check)

    def measure(self, title: str, generator: str | Path, verifier: Path, name: str) -> None:
        """One row: the generator plays, the verifier judges; its cost goes into the result."""
        config = self.config
        cost: dict[str, float] = {}

        def play(problems: Sequence[Problem]) -> list[Episode]:
            # Always by transformers: two vLLM engines would compete for one GPU.
            second = TransformersEngine.load(verifier, chat=self.chat)
            meter = MeteredEngine(second)
            with self.engine(generator) as engine:
                episodes = play_with_critic(
                    engine,
                    meter,
                    problems,
                    self.greedy,
                    config.max_attempts,
                    title=f"evaluate: {title}",
                    show_check=config.show_check,
                    max_turn_chars=config.max_turn_chars,
                )
            cost.update(
                parameters=second.model.num_parameters(),
                bytes=second.model.get_memory_footprint(return_buffers=False),
                tokens=meter.generated / len(episodes),
            )
            second.close()
            return episodes

        self.row(title, name, play, second_model=cost)


def play_with_critic(
    generator: Engine,
    critic: Engine,
    problems: Sequence[Problem],
    sampling: Sampling,
    max_attempts: int,
    *,
    title: str,
    show_check: bool = False,
    max_turn_chars: int = MAX_TURN_CHARS,
) -> list[Episode]:
    """Plays until the critic accepts an attempt, or attempts run out.

    The critic evaluates every attempt by itself, without the history of the conversation. An
    evaluation that cannot be read accepts nothing.

    Args:
        generator: Attempts and revises.
        critic: Evaluates.
        problems: One episode each.
        sampling: How both write.
        max_attempts: Attempts per episode.
        title: Label of the progress bar.
        show_check: Whether the generator reads the critic's words.
        max_turn_chars: Only this many characters at the end of a turn are read and kept.

    Returns:
        Episodes whose verdicts are the critic's and whose tokens are those of both models.
    """
    rules = Rules(GENERATING, max_attempts, max_turn_chars=max_turn_chars)
    recorded = replace(rules, protocol=RECORDED)
    generating = [Conversation(problem, rules) for problem in problems]
    records = [
        Dialogue(Conversation(problem, recorded), generator.chat, key)
        for key, problem in enumerate(problems)
    ]

    def speak(live: Sequence[Dialogue]) -> list[Spoken]:
        conversations = [generating[dialogue.key] for dialogue in live]
        attempts = [turn for (turn,) in propose(generator, conversations, sampling, 1)]
        readings = [
            _shown(conversation.problem, attempt.text).episode.messages
            for conversation, attempt in zip(conversations, attempts, strict=True)
        ]
        checks = reply(critic, readings, sampling)
        turns = []
        for conversation, attempt, check in zip(conversations, attempts, checks, strict=True):
            conversation.step(attempt.text)
            turns.append(_with_check(attempt, check, critic))
            if show_check:
                _quote(conversation, critic.chat.turn_text(check.ids))
        return turns

    return play_episodes(records, Rounds(speak), title)


def _with_check(attempt: Turn, check: Generation, critic: Engine) -> Spoken:
    """An attempt and the critic's message about it as one turn."""
    evaluation = critic.chat.turn_text(check.ids)
    text, parsed = glue(attempt.text, evaluation), _parse(attempt, evaluation)
    turn = make_turn(text, parsed, Grade(attempt.correct, attempt.reason))
    indent = len(evaluation) - len(evaluation.lstrip())
    start = parsed.split + 1 - indent
    probability = verdict_probability(turn, check, critic.chat, start)
    tokens = (attempt.tokens or 0) + check.count
    return Spoken(text, tokens, parsed=parsed, verdict_probability=probability)


def evaluations(demonstration: Demonstration) -> list[Demonstration]:
    """The verifier's share: every evaluation that was to be learned, of its attempt alone."""
    demonstrations = []
    for turn, segment in sorted(demonstration.targets):
        if segment == "verdict":
            attempt, evaluation = _parts(demonstration.episode, turn)
            conversation = _shown(demonstration.episode.problem, attempt)
            conversation.step(evaluation)
            verdict = demonstration.episode.turns[turn].verdict
            demonstrations.append(
                Demonstration(conversation.episode, whole_turns(1), f"says {verdict}")
            )
    return demonstrations


def attempts(demonstration: Demonstration, show_check: bool = False) -> list[Demonstration]:
    """The generator's share: every attempt that was to be learned, after those before it."""
    demonstrations = []
    rules = Rules(GENERATING, len(demonstration.episode.turns))
    for last in sorted(t for t, segment in demonstration.targets if segment == "attempt"):
        conversation = Conversation(demonstration.episode.problem, rules)
        for turn in range(last + 1):
            attempt, evaluation = _parts(demonstration.episode, turn)
            conversation.step(attempt)
            if show_check and turn < last:
                _quote(conversation, evaluation)
        # A single attempt of two has a request behind it, which is not part of what is learned.
        episode = conversation.episode
        episode.messages = episode.messages[: 2 * (last + 1)]
        demonstrations.append(
            Demonstration(episode, whole_turns(last), "revision" if last else "attempt")
        )
    return demonstrations


def _shown(problem: Problem, attempt: str) -> Conversation:
    """What the verifier reads."""
    conversation = Conversation(problem, Rules(VERIFYING, 2))
    conversation.step(attempt)
    return conversation


def _parts(episode: Episode, turn: int) -> tuple[str, str]:
    """Attempt and evaluation of a turn that `glue` made."""
    text, split = episode.turns[turn].text, episode.turns[turn].split
    end = text.find("\n", split)
    end = len(text) if end < 0 else end
    return text[:end].strip(), text[end:].strip()


def _parse(attempt: Turn, evaluation: str) -> ParsedTurn:
    """Reads attempt and evaluation together: an answer in the verifier's message is ignored."""
    verdict, confidence, _ = find_verdict(hide_thoughts(evaluation), MARKED, strict=False)
    malformed = "" if verdict else "no_verdict"
    if attempt.answer is None:
        malformed = "no_answer"
    split = len(attempt.text.strip())
    source = attempt.answer_source
    return ParsedTurn(attempt.answer, verdict, confidence, split, malformed, source)


def _quote(conversation: Conversation, evaluation: str) -> None:
    """Puts the verifier's words before the request to revise, if there is one."""
    last = conversation.episode.messages[-1]
    if last["role"] == "user":
        last["content"] = f"{evaluation.strip()}\n{last['content']}"
