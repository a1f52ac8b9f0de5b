"""The records that everything else is made of: problems, turns, episodes, and their JSON Lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from srenv.json_files import write_jsonl
from srenv.records import make_record, read_jsonl

Verdict = Literal["correct", "wrong"]
Segment = Literal["attempt", "verdict"]
AnswerSource = Literal["form", "marked", "stated"]
"""How an answer is given: in the form that is asked for, marked as the answer in words, or stated
by the last sentence or formula alone."""
Message = dict[str, str]
"""One chat message, ``{"role": ..., "content": ...}``."""
Ending = Literal[
    "declared", "exhausted", "single", "oracle", "unreadable", "terminated", "truncated", "failed",
    "running",
]  # fmt: skip
"""How an episode ended: the model declared itself correct, its attempts ran out, the one attempt
it had was the task, an oracle stopped it (baselines), its verdict could not be read (where the
protocol stops there), a wrapper or another environment ended it or cut it short, it could not be
played on (`Episode.failure` says why), or it has not ended."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem with its gold answer.

    Attributes:
        id: Unique within its source.
        prompt: The problem statement, as the model reads it.
        answer: The gold answer. It never appears in an observation.
        source: Where the problem came from, such as ``"synthetic:linear"``.
        checker: Name of a registered checker (see `srenv.problems.register_checker`) for
            problems with many right answers; None lets the domain compare with `answer`.
        data: What grading needs beyond the answer; JSON values only.
        domain: Name of a registered domain (see `srenv.domains`), which says how answers are
            asked for, found, graded and compared.
    """

    id: str
    prompt: str
    answer: str
    source: str
    checker: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    domain: str = "math"


@dataclass(slots=True)
class Turn:
    """One attempt, the model's verdict on it, and their rewards.

    Attributes:
        text: The turn as the model wrote it; the end of it if it is longer than the limit.
        answer: The final answer, or None when there is none.
        verdict: The model's own word, or None when absent or ambiguous.
        confidence: Confidence in the verdict as stated in the text, in [0, 1]; None if unstated.
        split: Character offset in `text` where the attempt ends and the verdict segment begins.
        malformed: Why the turn breaks the format, or ``""``.
        correct: The grade; None when it could not be decided.
        reason: The rule that decided the grade.
        rewards: Weighted reward by the name of its term.
        verdict_probability: Probability that the engine gave to the tokens of the verdict it
            chose, in [0, 1]; None for engines without log-probs and for turns without verdict.
        tokens: Number of generated tokens, or None when unknown.
        cut: Number of characters that the model wrote before `text`, which are not kept; 0 for a
            turn within the limit.
        answer_source: How the answer is given; None without an answer, and in files from before
            this was recorded.
        truncated: Whether the limit on tokens ended the turn before the model did; None when
            unknown.
    """

    text: str
    answer: str | None
    verdict: Verdict | None
    confidence: float | None
    split: int
    malformed: str
    correct: bool | None
    reason: str
    rewards: dict[str, float] = field(default_factory=dict)
    verdict_probability: float | None = None
    tokens: int | None = None
    cut: int = 0
    answer_source: AnswerSource | None = None
    truncated: bool | None = None

    @property
    def reward(self) -> float:
        """Sum of the rewards of all terms."""
        return float(sum(self.rewards.values()))

    @property
    def declared(self) -> bool:
        """Whether the model declares itself correct; a malformed turn declares nothing."""
        return not self.malformed and self.verdict == "correct"

    @property
    def stated_confidence(self) -> float | None:
        """Probability that the attempt is right by the text: 1 or 0 where no number is stated."""
        return self._right(1.0 if self.confidence is None else self.confidence)

    @property
    def token_confidence(self) -> float | None:
        """Probability that the attempt is right by the probability of the verdict's tokens."""
        return self._right(self.verdict_probability)

    def _right(self, in_verdict: float | None) -> float | None:
        if self.verdict is None or self.malformed or in_verdict is None:
            return None
        return in_verdict if self.verdict == "correct" else 1.0 - in_verdict


@dataclass(slots=True)
class Episode:
    """A problem, the conversation about it, and how it ended.

    Attributes:
        problem: What was asked.
        messages: The whole chat, environment messages included.
        turns: The model's turns in order, one per assistant message.
        ending: How the episode ended.
        failure: Why it could not be played on, or ``""``.
    """

    problem: Problem
    messages: list[Message] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    ending: Ending = "running"
    failure: str = ""

    @property
    def final(self) -> Turn:
        """The last turn, whose answer is the episode's answer."""
        return self.turns[-1]

    @property
    def reward(self) -> float:
        """Sum of all rewards."""
        return sum(turn.reward for turn in self.turns)

    @property
    def graded(self) -> bool:
        """Whether the verifier decided every attempt."""
        return all(turn.correct is not None for turn in self.turns)

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON values; `from_json` gives the episode back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Episode:
        """Builds an episode from `to_json`'s record.

        Names in it, such as those of a checker and a domain, are looked up when they are needed
        and never imported.

        Raises:
            ValueError: A field is missing, unknown, or of another type.
        """
        try:
            episode = {
                **record,
                "problem": make_record(Problem, record["problem"]),
                "turns": [make_record(Turn, turn) for turn in record["turns"]],
            }
            return make_record(cls, episode)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not an episode record: {error}") from error


def transcript(messages: Sequence[Message]) -> str:
    """Returns messages as plain text, one labeled paragraph each."""
    return "\n\n".join([f"{m['role'].capitalize()}: {m['content']}" for m in messages])


def write_episodes(path: str | Path, episodes: Iterable[Episode]) -> Path:
    """Writes one episode per line; the file appears complete or not at all."""
    return write_jsonl(path, (episode.to_json() for episode in episodes))


def read_episodes(path: str | Path) -> Iterator[Episode]:
    """Reads episodes that `write_episodes` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is not an episode; the message names file and line.
    """
    return read_jsonl(Path(path), Episode.from_json)
