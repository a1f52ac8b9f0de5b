"""One episode as a state machine: the rules of the game, without Gymnasium around them."""

from __future__ import annotations

from srenv.episode import Ending, Episode, Message, Problem, Turn
from srenv.problems import check
from srenv.protocol import MAX_TURN_CHARS, ParsedTurn, Protocol
from srenv.rewards import Payment, Reward
from srenv.verifier.judgement import Judgement

_NOTHING = Payment({}, 0.0, 0.0, 0.0)


class Conversation:
    """A conversation about one problem, scored turn by turn.

    `SelfCorrectEnv` is a thin Gymnasium shell around this class. A turn is played by `step`, or
    in two halves, `read` and `settle`, between which many conversations have their answers
    checked together (`srenv.vector`).

    Attributes:
        episode: The record so far.
        payment: What the newest turn earned.
        transcript: The whole chat as plain text.
    """

    __slots__ = ("episode", "max_attempts", "payment", "protocol", "reward", "transcript")

    def __init__(
        self, problem: Problem, protocol: Protocol, reward: Reward, max_attempts: int
    ) -> None:
        self.protocol = protocol
        self.reward = reward
        self.max_attempts = max_attempts
        self.episode = Episode(problem, messages=protocol.opening(problem.prompt))
        self.payment = _NOTHING
        self.transcript = transcript(self.episode.messages)

    @property
    def ended(self) -> bool:
        """Whether the episode is over."""
        return self.episode.ending != "running"

    def step(self, text: str) -> Turn:
        """Plays one turn: parse, verify, pay, and either end or ask again.

        Raises:
            RuntimeError: The episode is over.
        """
        text, parsed = self.read(text)
        return self.settle(text, parsed, check(self.episode.problem, parsed.answer))

    def read(self, text: str) -> tuple[str, ParsedTurn]:
        """Takes a turn apart without playing it; the text comes back as it will be recorded.

        Raises:
            RuntimeError: The episode is over.
        """
        if self.episode.ending != "running":
            raise RuntimeError("the episode is over; start a new conversation")
        # The verifier and the next observation see what was parsed, never an unbounded text.
        text = text[:MAX_TURN_CHARS]
        return text, self.protocol.parse(text)

    def settle(self, text: str, parsed: ParsedTurn, judgement: Judgement) -> Turn:
        """Plays a turn that was read and judged."""
        answer, verdict, confidence, split, malformed = parsed
        correct = judgement.correct
        episode = self.episode
        turn = Turn(
            text, answer, verdict, confidence, split, malformed, correct, judgement.reason
        )
        episode.turns.append(turn)
        self._say({"role": "assistant", "content": text})
        self.payment = self.reward.settle(episode.turns)
        turn.rewards = self.payment.rewards
        episode.ending = self._ending(turn)
        if episode.ending == "running":
            self._say(self.protocol.follow_up(correct))
        return turn

    def _say(self, message: Message) -> None:
        self.episode.messages.append(message)
        self.transcript += f"\n\n{message['role'].capitalize()}: {message['content']}"

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
