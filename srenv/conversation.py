"""The rules of the game: one episode as a state machine, without Gymnasium around it."""

from __future__ import annotations

from dataclasses import dataclass

from srenv.episode import Ending, Episode, Problem, Turn, transcript
from srenv.parsing import MAX_TURN_CHARS, ParsedTurn
from srenv.problems import grade
from srenv.protocol import Protocol
from srenv.rewards import Reward, make_reward
from srenv.verifier.grade import Grade

CORRECTNESS = make_reward("correctness=1")


@dataclass(frozen=True, slots=True)
class Rules:
    """What conversations about different problems have in common.

    Attributes:
        protocol: How the model is asked, and what ends an episode.
        max_attempts: Greatest number of attempts.
        reward: What a turn is worth.
        max_turn_chars: Only this many characters at the end of a turn are read and kept.
    """

    protocol: Protocol
    max_attempts: int
    reward: Reward = CORRECTNESS
    max_turn_chars: int = MAX_TURN_CHARS

    def ending(self, turn: Turn, attempts: int) -> Ending:
        """Returns how `turn`, attempt number `attempts`, ends the episode, or ``"running"``."""
        if self.protocol.stop == "verdict" and turn.declared:
            return "declared"
        if self.protocol.stop == "oracle" and turn.correct:
            return "oracle"
        if self.protocol.unreadable == "stop" and turn.malformed == "no_verdict":
            return "unreadable"
        if attempts < self.max_attempts:
            return "running"
        return "single" if self.max_attempts == 1 else "exhausted"


class Conversation:
    """A conversation about one problem that scores itself, turn by turn.

    `step` plays a turn. Its two halves, `read` and `settle`, let many conversations have their
    answers graded together (`srenv.envs.vector`).

    Attributes:
        problem: The problem.
        rules: Protocol, number of attempts, and reward.
        episode: The record so far.
        transcript: The whole chat as plain text.
    """

    def __init__(self, problem: Problem, rules: Rules) -> None:
        self.problem, self.rules = problem, rules
        self.episode = Episode(problem, rules.protocol.opening(problem))
        self.transcript = transcript(self.episode.messages)

    @property
    def ended(self) -> bool:
        """Whether the episode is over."""
        return self.episode.ending != "running"

    def step(self, text: str) -> Turn:
        """Plays one turn: parses it, grades and rewards it, and either ends or asks again.

        Raises:
            RuntimeError: The episode is over.
        """
        parsed = self.read(text)
        return self.settle(text, parsed, grade(self.problem, parsed.answer))

    def read(self, text: str) -> ParsedTurn:
        """Parses a turn without playing it.

        Raises:
            RuntimeError: The episode is over.
        """
        if self.ended:
            raise RuntimeError("the episode is over; start a new conversation")
        return self.rules.protocol.parse(text, self.problem, self.rules.max_turn_chars)

    def settle(self, text: str, parsed: ParsedTurn, grade: Grade) -> Turn:
        """Plays a parsed and graded turn; one longer than the limit keeps its end."""
        episode, rules = self.episode, self.rules
        turn = make_turn(text, parsed, grade, rules.max_turn_chars)
        episode.turns.append(turn)
        turn.rewards = rules.reward.by_term(episode.turns)
        episode.ending = rules.ending(turn, len(episode.turns))
        episode.messages.append({"role": "assistant", "content": turn.text})
        self.transcript += f"\n\nAssistant: {turn.text}"
        if episode.ending == "running":
            # A turn without an answer has said nothing, whatever its verdict.
            verdict = None if turn.malformed else turn.verdict
            reply = rules.protocol.follow_up(self.problem, turn.correct, verdict, turn.answer)
            episode.messages.append(reply)
            self.transcript += f"\n\nUser: {reply['content']}"
        return turn


def make_turn(text: str, parsed: ParsedTurn, grade: Grade, max_chars: int | None = None) -> Turn:
    """Returns a parsed and graded turn without its rewards, and of `text` the last `max_chars`."""
    cut = 0 if max_chars is None else max(0, len(text) - max_chars)
    answer, verdict, confidence, split, malformed, source = parsed
    split, graded = max(0, split - cut), (grade.correct, grade.reason)
    return Turn(
        text[cut:], answer, verdict, confidence, split, malformed, *graded,
        cut=cut, answer_source=source,
    )  # fmt: skip
