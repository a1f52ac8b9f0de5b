"""One episode as a state machine: the rules of the game, without Gymnasium around them."""

from __future__ import annotations

from srenv.episode import Ending, Episode, Message, Problem, Turn
from srenv.problems import check
from srenv.protocol import MAX_TURN_CHARS, Protocol
from srenv.rewards import Reward


class Conversation:
    """A conversation about one problem, scored turn by turn.

    `SelfCorrectEnv` is a thin Gymnasium shell around this class.

    Attributes:
        episode: The record so far.
    """

    def __init__(
        self, problem: Problem, protocol: Protocol, reward: Reward, max_attempts: int
    ) -> None:
        self.protocol = protocol
        self.reward = reward
        self.max_attempts = max_attempts
        self.episode = Episode(problem, messages=protocol.opening(problem.prompt))

    @property
    def ended(self) -> bool:
        """Whether the episode is over."""
        return self.episode.ending != "running"

    @property
    def transcript(self) -> str:
        """The whole chat as plain text."""
        return transcript(self.episode.messages)

    def step(self, text: str) -> Turn:
        """Plays one turn: parse, verify, pay, and either end or ask again.

        Raises:
            RuntimeError: The episode is over.
        """
        if self.ended:
            raise RuntimeError("the episode is over; start a new conversation")
        # The verifier and the next observation see what was parsed, never an unbounded text.
        text = text[:MAX_TURN_CHARS]
        parsed = self.protocol.parse(text)
        judgement = check(self.episode.problem, parsed.answer)
        turn = Turn(
            text=text,
            answer=parsed.answer,
            verdict=parsed.verdict,
            confidence=parsed.confidence,
            split=parsed.split,
            malformed=parsed.malformed,
            correct=judgement.correct,
            reason=judgement.reason,
        )
        self.episode.turns.append(turn)
        self.episode.messages.append({"role": "assistant", "content": text})
        turn.rewards = self.reward.pay(self.episode.turns)
        self.episode.ending = self._ending(turn)
        if not self.ended:
            self.episode.messages.append(self.protocol.follow_up(turn.correct))
        return turn

    def _ending(self, turn: Turn) -> Ending:
        if self.protocol.stop == "verdict" and turn.declared:
            return "declared"
        if self.protocol.stop == "oracle" and turn.correct:
            return "oracle"
        if len(self.episode.turns) < self.max_attempts:
            return "running"
        return "single" if self.max_attempts == 1 else "exhausted"


def transcript(messages: list[Message]) -> str:
    """Writes messages as plain text, one labelled paragraph each."""
    return "\n\n".join(f"{m['role'].capitalize()}: {m['content']}" for m in messages)
