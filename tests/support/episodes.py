"""Episodes made by hand, for metrics."""

from srenv.episode import Episode, Problem, Turn

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
