"""Sequential rejection sampling: the warm-up data of self-rewarding correction.

A base model hardly ever writes a whole self-correcting conversation. Its parts are sampled one
after the other instead, each by its own prompt, kept when the verifier agrees, and glued together
(Xiong et al. 2025, section 3.1). Everything comes from the model's own samples.

Two things are added because a turn here always ends in a verdict: the revision is followed by an
evaluation that rightly accepts it, and if no wrong verdict on a right attempt was sampled (set
D2), the bare marker replaces it; that verdict is context, never a target.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from agents.engines import Engine, Sampling, reply
from agents.runs.progress import Bar
from agents.training.sft import Demonstration
from srenv.conversation import Conversation, Rules
from srenv.domains import find_domain
from srenv.episode import Message, Problem
from srenv.parsing import ParsedTurn
from srenv.problems import grade
from srenv.protocol import EVALUATE, PROTOCOLS, Protocol
from srenv.rewards import make_reward

_ASKED = PROTOCOLS["intrinsic"]
"""The protocol that asks for an attempt alone."""
_SAMPLED = PROTOCOLS["default"]
"""The protocol of the pieces, under any protocol of the demonstrations: verdicts are translated
when the pieces are glued together."""


@dataclass(frozen=True)
class RejectionConfig:
    """How much is sampled, and what is kept; the paper's values in brackets."""

    problems: int = 1500
    """Training problems sampled from [50,000]."""
    attempts: int = 3
    """First attempts per problem [50]."""
    evaluations: int = 2
    """Self-evaluations per attempt [8]."""
    corrections: int = 3
    """Revisions per wrong attempt, told that it is wrong [8]."""
    confirmations: int = 2
    """Revisions per right attempt, told that it is wrong all the same [4]."""
    right_to_wrong: float = 1.0
    """Demonstrations with a right first attempt per one with a wrong first attempt [about 1]; 0
    leaves them out."""
    confirmed_share: float = 0.2
    """Share of D2 among the demonstrations with a right first attempt."""
    imitate_right_attempts: bool = True
    """Also imitate the right first attempts of D3, which protects the first turn [True]."""
    temperature: float = 1.0
    """Sampling temperature [1.0]."""
    max_new_tokens: int = 96
    """Greatest length of one part [4096]."""


@dataclass
class Pieces:
    """One sampled attempt and what followed it."""

    problem: Problem
    attempt: str
    correct: bool
    right_evaluation: str | None = None
    wrong_evaluation: str | None = None
    revision: str | None = None
    revision_evaluation: str | None = None


def sample_demonstrations(
    engine: Engine,
    problems: Sequence[Problem],
    config: RejectionConfig,
    bar: Bar,
    seed: int = 0,
    protocol: Protocol = PROTOCOLS["default"],
) -> list[Demonstration]:
    """Samples the pieces, keeps the right ones, and returns the demonstrations in random order.

    Args:
        engine: The base model.
        problems: Training problems.
        config: Counts and mix.
        bar: A progress bar of `SAMPLING_STEPS` steps.
        seed: Seeds the sampling and the choice of what is kept.
        protocol: How the model is asked, and gives its verdicts, in the demonstrations.

    Raises:
        RuntimeError: Nothing was kept; the message says how far the pieces came.
    """
    torch.manual_seed(seed)
    sampler = PieceSampler(engine, config)
    samples = sampler.attempts(problems)
    bar.advance()
    sampler.evaluations(samples)
    bar.advance()
    sampler.revisions(samples)
    bar.advance()
    sampler.revision_evaluations(samples)
    bar.advance()
    demonstrations = select_demonstrations(samples, config, random.Random(seed), protocol)
    if not demonstrations:
        raise RuntimeError(
            f"rejection sampling kept nothing of {len(samples)} attempts "
            f"({sum(s.correct for s in samples)} right, "
            f"{sum(s.right_evaluation is not None for s in samples)} with a right evaluation, "
            f"{sum(s.revision is not None for s in samples)} with a right revision): sample more, "
            "or start from a model that has these skills"
        )
    return demonstrations


SAMPLING_STEPS = 4


class PieceSampler:
    """Samples one kind of piece for many conversations at once."""

    def __init__(self, engine: Engine, config: RejectionConfig) -> None:
        self.engine = engine
        self.config = config

    def attempts(self, problems: Sequence[Problem]) -> list[Pieces]:
        """First attempts; those without a box or beyond the verifier are dropped."""
        texts = self._complete([_asked(p) for p in problems], self.config.attempts)
        samples = []
        for problem, group in zip(problems, texts, strict=True):
            # At most one demonstration per distinct attempt: copies teach nothing new.
            for text in dict.fromkeys(group):
                answer = _SAMPLED.parse(text, problem).answer
                correct = grade(problem, answer).correct
                if answer is not None and correct is not None:
                    samples.append(Pieces(problem, text, correct))
        return samples

    def evaluations(self, samples: Sequence[Pieces]) -> None:
        """Self-evaluations: one that agrees with the verifier, and one that does not (for D2)."""
        prompts = [_evaluated(s) for s in samples]
        for sample, group in zip(
            samples, self._complete(prompts, self.config.evaluations), strict=True
        ):
            for text in group:
                parsed = self._glued(sample.problem, sample.attempt, text)
                if parsed is None:
                    continue
                if (parsed.verdict == "correct") == sample.correct:
                    sample.right_evaluation = sample.right_evaluation or text
                else:
                    sample.wrong_evaluation = sample.wrong_evaluation or text

    def revisions(self, samples: Sequence[Pieces]) -> None:
        """Right revisions after the claim that the attempt was wrong, true or not."""
        for correct, count in (
            (False, self.config.corrections),
            (True, self.config.confirmations),
        ):
            # D1 needs the verdict that found the error; D2 can do without.
            candidates = [s for s in samples if s.correct == correct]
            candidates = [s for s in candidates if correct or s.right_evaluation]
            texts = self._complete([_told_wrong(s) for s in candidates], count)
            for sample, group in zip(candidates, texts, strict=True):
                sample.revision = next((t for t in group if self._right(sample, t)), None)

    def revision_evaluations(self, samples: Sequence[Pieces]) -> None:
        """Evaluations that rightly accept the revision."""
        revised = [s for s in samples if s.revision is not None]
        prompts = [_revision_evaluated(s) for s in revised]
        for sample, group in zip(
            revised, self._complete(prompts, self.config.evaluations), strict=True
        ):
            for text in group:
                parsed = self._glued(sample.problem, sample.revision or "", text)
                if parsed is not None and parsed.verdict == "correct":
                    sample.revision_evaluation = text
                    break

    def _right(self, sample: Pieces, revision: str) -> bool:
        return (
            grade(sample.problem, _SAMPLED.parse(revision, sample.problem).answer).correct is True
        )

    def _glued(self, problem: Problem, attempt: str, evaluation: str) -> ParsedTurn | None:
        """Reads attempt and evaluation as the one turn that they will become."""
        if evaluation.count("[VERIFY]") != 1:
            return None
        parsed = _SAMPLED.parse(glue(attempt, evaluation), problem)
        same_answer = parsed.answer == _SAMPLED.parse(attempt, problem).answer
        return parsed if not parsed.malformed and same_answer else None

    def _complete(self, prompts: Sequence[list[Message]], count: int) -> list[list[str]]:
        """Samples `count` replies to each conversation."""
        chat = self.engine.chat
        sampling = Sampling(self.config.temperature, 1.0, self.config.max_new_tokens)
        texts = [chat.turn_text(g.ids) for g in reply(self.engine, prompts, sampling, count)]
        return [texts[i * count : (i + 1) * count] for i in range(len(prompts))]


def glue(attempt: str, evaluation: str) -> str:
    """Joins an attempt and its evaluation into one turn."""
    return f"{attempt.strip()}\n{evaluation.strip()}"


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}


def _asked(problem: Problem) -> list[Message]:
    return _ASKED.opening(problem)


def _evaluated(sample: Pieces) -> list[Message]:
    return [*_asked(sample.problem), _assistant(sample.attempt), _user(EVALUATE)]


def _first_verdict(sample: Pieces) -> str:
    """The evaluation that calls the first attempt wrong, rightly or not."""
    evaluation = sample.wrong_evaluation if sample.correct else sample.right_evaluation
    return evaluation or "[VERIFY] wrong"


def _told_wrong(sample: Pieces) -> list[Message]:
    verdict = _assistant(_first_verdict(sample))
    return [
        *_evaluated(sample),
        verdict,
        _user(_SAMPLED.worded(find_domain(sample.problem.domain)).reveal),
    ]


def _revision_evaluated(sample: Pieces) -> list[Message]:
    revision = _assistant(sample.revision or "")
    return [*_told_wrong(sample), revision, _user(EVALUATE)]


def select_demonstrations(
    samples: Sequence[Pieces], config: RejectionConfig, rng: random.Random, protocol: Protocol
) -> list[Demonstration]:
    """Builds D1, D2 and D3 and thins them to the mix; one demonstration per attempt at most.

    The scarcer of right and wrong first attempts sets the size.
    """
    shuffled = rng.sample(list(samples), len(samples))
    revised = [s for s in shuffled if s.revision and s.revision_evaluation]
    d1 = [s for s in revised if not s.correct]
    d2 = [s for s in revised if s.correct]
    d3 = [s for s in shuffled if s.correct and s.right_evaluation]
    right = min(len({id(s) for s in d2 + d3}), round(len(d1) * config.right_to_wrong))
    if config.right_to_wrong:
        d1 = d1[: round(right / config.right_to_wrong)]
    d2 = d2[: round(right * config.confirmed_share)]
    used = {id(s) for s in d2}
    d3 = [s for s in d3 if id(s) not in used][: right - len(d2)]
    # D1: detect and fix. D2: survive a wrong verdict. D3: detect and stop.
    demonstrations = [make_demonstration(s, "D1", config, protocol) for s in d1]
    demonstrations += [make_demonstration(s, "D2", config, protocol) for s in d2]
    demonstrations += [make_demonstration(s, "D3", config, protocol) for s in d3]
    rng.shuffle(demonstrations)
    return demonstrations


def make_demonstration(
    sample: Pieces, kind: str, config: RejectionConfig, protocol: Protocol
) -> Demonstration:
    """Glues the pieces of a sample together as a demonstration of set D1, D2 or D3.

    D1 fixes a wrong attempt, D2 keeps a right one that was called wrong, D3 accepts a right one.
    """
    conversation = Conversation(sample.problem, Rules(protocol, 2, make_reward()))
    targets: set[tuple[int, str]] = set()
    if kind == "D3":
        conversation.step(protocol.phrase(glue(sample.attempt, sample.right_evaluation or "")))
        targets = {(0, "verdict")}
        if config.imitate_right_attempts:
            targets.add((0, "attempt"))
    else:
        accepted = glue(sample.revision or "", sample.revision_evaluation or "")
        conversation.step(protocol.phrase(glue(sample.attempt, _first_verdict(sample))))
        conversation.step(protocol.phrase(accepted))
        targets = {(1, "attempt"), (1, "verdict")}
        if kind == "D1":
            targets.add((0, "verdict"))
    return Demonstration(conversation.episode, frozenset(targets), kind)  # type: ignore[arg-type]
