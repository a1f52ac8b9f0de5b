"""Episodes made by hand."""

from srenv.conversation import Conversation, Rules
from srenv.episode import Episode, Problem, Turn
from srenv.protocol import PROTOCOLS

PROBLEM = Problem("p", "What?", "1", "test")


def made_turn(correct, verdict=None, confidence=None, probability=None, answer="1", tokens=5):
    """Returns a turn with a grade; without a verdict it is malformed."""
    malformed = "" if verdict else "no_verdict"
    return Turn(
        "t", answer, verdict, confidence, 0, malformed, correct, "test", {}, probability, tokens
    )


def made_episode(*turns, problem=PROBLEM):
    """Returns a finished episode with these turns."""
    return Episode(problem, [], list(turns), "exhausted")


def answered_episode(*answers, max_attempts=2, problem=PROBLEM):
    """Plays attempts without verdicts, each a bare box."""
    conversation = Conversation(problem, Rules(PROTOCOLS["intrinsic"], max_attempts))
    for answer in answers:
        conversation.step(f"\\boxed{{{answer}}}")
    return conversation.episode
