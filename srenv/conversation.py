"""One episode as a state machine: the rules of the game, without Gymnasium around them."""

from __future__ import annotations

from typing import Any

from srenv.episode import Ending, Episode, Message, Problem, Turn
from srenv.problems import grade
from srenv.protocol import MAX_TURN_CHARS, ParsedTurn, Protocol
from srenv.rewards import Reward
from srenv.verifier.grade import Grade

_REMEMBERED = 4096
"""Outcomes that one set of rules remembers; stated confidences make for many."""


class Outcome:
    """What the turns so far have come to: all that the rules say, none of what was written.

    Attributes:
        turn: Number of turns played.
        rewards: What the newest turn earned, by term.
        reward: Their sum.
        ending: Whether and how the episode has ended.
        reply: The environment's next message; None after the end.
        tail: The reply as it stands in the transcript.
        report: The values of `srenv.envs.env.INFO`, bar the first two.
        next: The outcomes that may follow, as far as they have been met.
    """

    __slots__ = ("ending", "next", "reply", "report", "reward", "rewards", "tail", "turn")

    def __init__(
        self,
        turn: int,
        rewards: dict[str, float],
        ending: Ending,
        reply: Message | None,
        report: tuple[Any, ...],
    ) -> None:
        self.turn = turn
        self.rewards = rewards
        self.reward = float(sum(rewards.values()))
        self.ending: Ending = ending
        self.reply = reply
        self.tail = f"\n\n{transcript([reply])}" if reply else ""
        self.report = report
        self.next: dict[tuple[Any, ...], Outcome] = {}


class Rules:
    """Protocol, reward and number of attempts: what is the same for many conversations.

    The rules look at a turn through a few facts: whether it is right, its verdict and confidence,
    and what is malformed. Turns that agree in these have the same outcome, which is worked out
    once. A reward with terms of its own may look at more: then every turn is worked out.
    """

    def __init__(self, protocol: Protocol, reward: Reward, max_attempts: int) -> None:
        self.protocol = protocol
        self.reward = reward
        self.max_attempts = max_attempts
        self.start = Outcome(0, {}, "running", None, (0, False, True, "", False, "", 0.0, 0.0))
        self._remember = all(term.by_outcome for term, _ in reward.terms)
        self._known = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return Rules, (self.protocol, self.reward, self.max_attempts)

    def outcome(self, before: Outcome, key: tuple[Any, ...], turns: list[Turn]) -> Outcome:
        """Works out what follows `before` by the newest of `turns`, which `key` describes."""
        turn = turns[-1]
        rewards = self.reward.pay(turns)
        pay = self.reward.by_segment(rewards)
        ending = self._ending(turn, len(turns))
        report = (
            len(turns),
            turn.correct is True,
            turn.correct is not None,
            turn.verdict or "",
            turn.declared,
            turn.malformed,
            pay["attempt"],
            pay["verdict"],
        )
        reply = None
        if ending == "running":
            # A turn without an answer has said nothing, whatever its verdict.
            verdict = None if turn.malformed else turn.verdict
            reply = self.protocol.follow_up(turn.correct, verdict)
        after = Outcome(len(turns), rewards, ending, reply, report)
        if self._remember:
            self._known += 1
            if self._known > _REMEMBERED:
                self._known = 0
                self.start.next.clear()
            before.next[key] = after
        return after

    def _ending(self, turn: Turn, played: int) -> Ending:
        if self.protocol.stop == "verdict" and turn.declared:
            return "declared"
        if self.protocol.stop == "oracle" and turn.correct:
            return "oracle"
        if self.protocol.unreadable == "stop" and turn.malformed == "no_verdict":
            return "unreadable"
        if played < self.max_attempts:
            return "running"
        return "single" if self.max_attempts == 1 else "exhausted"


class Conversation:
    """A conversation about one problem, scored turn by turn.

    `SelfCorrectEnv` is a thin Gymnasium shell around this class. A turn is played by `step`, or
    in two halves, `read` and `settle`, between which many conversations have their answers
    checked together (`srenv.envs.vector`).

    Attributes:
        problem: What is asked.
        rules: How it is asked and paid.
        outcome: What the turns so far have come to.
        transcript: The whole chat as plain text.
    """

    __slots__ = ("_episode", "_played", "outcome", "problem", "rules", "transcript")

    def __init__(
        self, problem: Problem, protocol: Protocol, reward: Reward, max_attempts: int
    ) -> None:
        self._begin(problem, Rules(protocol, reward, max_attempts))

    @classmethod
    def under(cls, rules: Rules, problem: Problem) -> Conversation:
        """Starts a conversation under rules that others share."""
        conversation = cls.__new__(cls)
        conversation._begin(problem, rules)
        return conversation

    def _begin(self, problem: Problem, rules: Rules) -> None:
        self.problem = problem
        self.rules = rules
        self.outcome = rules.start
        (opening,) = rules.protocol.opening(problem.prompt)
        self.transcript = f"User: {opening['content']}"
        self._played: list[Any] = []  # text, parsed, grade, outcome; and again
        self._episode: Episode | None = None

    @property
    def ended(self) -> bool:
        """Whether the episode is over."""
        return self.outcome.ending != "running"

    @property
    def episode(self) -> Episode:
        """The record so far. From the first look on it is kept up to date."""
        if self._episode is None:
            self._episode = Episode(
                self.problem, messages=self.rules.protocol.opening(self.problem.prompt)
            )
            for played in zip(*[iter(self._played)] * 4, strict=True):
                self._record(self._episode, *played)
        return self._episode

    def step(self, text: str) -> Turn:
        """Plays one turn: parse, verify, pay, and either end or ask again.

        Raises:
            RuntimeError: The episode is over.
        """
        parsed = self.read(text)
        self.settle(text, parsed, grade(self.problem, parsed.answer))
        return self.episode.turns[-1]

    def read(self, text: str) -> ParsedTurn:
        """Takes a turn apart without playing it.

        Raises:
            RuntimeError: The episode is over.
        """
        if self.outcome.ending != "running":
            raise RuntimeError("the episode is over; start a new conversation")
        return self.rules.protocol.parse(text)

    def settle(self, text: str, parsed: ParsedTurn, grade: Grade) -> Outcome:
        """Plays a turn that was read and judged."""
        # The next observation and the record hold what was parsed, never an unbounded text.
        text = text[:MAX_TURN_CHARS]
        key = (grade.correct, parsed.verdict, parsed.confidence, parsed.malformed)
        outcome = self.outcome.next.get(key)
        if outcome is None:
            turns = [*self.episode.turns, make_turn(text, parsed, grade)]
            outcome = self.rules.outcome(self.outcome, key, turns)
        self.outcome = outcome
        # Flat: a tuple per turn would be one more object for the garbage collector to visit.
        self._played += (text, parsed, grade, outcome)
        if self._episode is not None:
            self._record(self._episode, text, parsed, grade, outcome)
        self.transcript = f"{self.transcript}\n\nAssistant: {text}{outcome.tail}"
        return outcome

    @staticmethod
    def _record(
        episode: Episode, text: str, parsed: ParsedTurn, grade: Grade, outcome: Outcome
    ) -> None:
        turn = make_turn(text, parsed, grade)
        turn.rewards = outcome.rewards.copy()
        episode.turns.append(turn)
        episode.messages.append({"role": "assistant", "content": text})
        if outcome.reply:
            episode.messages.append(outcome.reply.copy())
        episode.ending = outcome.ending


def make_turn(text: str, parsed: ParsedTurn, grade: Grade) -> Turn:
    """A turn as read and judged, before it is paid."""
    return Turn(
        text,
        parsed.answer,
        parsed.verdict,
        parsed.confidence,
        parsed.split,
        parsed.malformed,
        grade.correct,
        grade.reason,
    )


def transcript(messages: list[Message]) -> str:
    """Writes messages as plain text, one labelled paragraph each."""
    return "\n\n".join([f"{m['role'].capitalize()}: {m['content']}" for m in messages])
