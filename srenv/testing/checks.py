"""Checks of problem sources, rewards and protocols: do they keep the rules they rely on?"""

from __future__ import annotations

import copy
import itertools
import json
import math
import time

from srenv.conversation import Conversation, Rules
from srenv.envs.env import ProtocolSpec, make_protocol
from srenv.episode import Problem, Turn, Verdict
from srenv.parsing import MAX_TURN_CHARS
from srenv.problems import Split, grade, load_problems
from srenv.problems.seeding import split_of
from srenv.rewards import RewardSpec, make_reward
from srenv.testing.conformance import HOSTILE

PARSE_SECONDS = 0.5
"""Maximum time for parsing one turn of the maximum length."""

_PROBLEM = Problem("testing/1", "What is 2+2?", "4", "testing")
_VERDICTS: tuple[Verdict | None, ...] = ("correct", "wrong", None)
_TELLING = ("incorrect", "wrong", "right", "mistaken")


def check_source(source: str, split: Split = "train", n: int = 50) -> None:
    """Checks a source of problems.

    A problem must be the same every time, be found by its id, have a prompt, and have plain JSON as
    data. Its own gold answer must be graded right, and an empty one must not. The splits of an
    endless source must be disjoint.

    Args:
        source: The source, such as ``"my_module:my_source"``.
        split: The split to check.
        n: Number of problems to check.

    Raises:
        AssertionError: A rule is broken; the message names the problem.
    """
    problems = load_problems(source, split)
    indices = range(min(n, problems.size or n))
    ids = set()
    for index in indices:
        problem = problems.problem(index)
        where = f"{source}, problem {index} ({problem.id!r})"
        assert problem == problems.problem(index), f"{where}: differs when asked for again"
        assert problem == problems.find(problem.id), f"{where}: find() finds another"
        assert problem.id not in ids, f"{where}: its id is not unique"
        ids.add(problem.id)
        assert problem.prompt.strip(), f"{where}: empty prompt"
        data = dict(problem.data)
        assert json.loads(json.dumps(data)) == data, f"{where}: data must be plain JSON values"
        graded = grade(problem, problem.answer)
        assert graded.correct is True, (
            f"{where}: its own answer {problem.answer!r} is graded {graded.correct} "
            f"({graded.reason})"
        )
        assert grade(problem, "").correct is not True, f"{where}: an empty answer is graded right"
        if problems.size is None:
            assert split_of(problem.prompt) == split, (
                f"{where}: its prompt belongs to the other split; see srenv.problems.seeding"
            )
    for beyond in (-1, problems.size):
        if beyond is not None:
            try:
                problems.problem(beyond)
            except IndexError:
                continue
            raise AssertionError(f"{source}: problem({beyond}) must raise IndexError")


def check_reward(reward: RewardSpec) -> None:
    """Checks that every term of a reward is finite, repeatable, and leaves the turns unchanged.

    `lint_reward` checks whether a policy can exploit it.

    Raises:
        AssertionError: A rule is broken; the message names the term.
    """
    made = make_reward(reward)
    for length in (1, 2):
        for outcomes in itertools.product(_some_turns(), repeat=length):
            turns = copy.deepcopy(list(outcomes))
            rewards = made.by_term(turns)
            for name, value in rewards.items():
                finite = isinstance(value, (int, float)) and math.isfinite(value)
                assert finite, f"term {name!r} returns {value!r}"
            assert turns == list(outcomes), "terms must not change the turns"
            assert made.by_term(turns) == rewards, "the same turns must be rewarded the same"
            for term, _ in made.terms:
                assert term.segment in ("attempt", "verdict"), f"{term.name!r}: {term.segment!r}"


def check_protocol(protocol: ProtocolSpec) -> None:
    """Checks that a protocol asks the problem, tells no grade, and parses any text fast.

    Raises:
        AssertionError: A rule is broken.
    """
    made = make_protocol(protocol)
    opening = made.opening(_PROBLEM)
    assert any(_PROBLEM.prompt in message["content"] for message in opening), (
        "the opening must hold the problem"
    )
    if made.feedback == "neutral":
        request = made.follow_up(_PROBLEM, correct=False)
        assert request == made.follow_up(_PROBLEM, correct=True), "a neutral request must be one"
        said = request["content"].lower().split()
        told = [word for word in _TELLING if word in [w.strip(".,:;!?") for w in said]]
        assert not told, f"the neutral request says {told[0]!r}, which tells the model"
    if made.feedback != "oracle":
        for verdict in _VERDICTS:
            told_right, told_wrong = (
                made.follow_up(_PROBLEM, correct, verdict) for correct in (True, False)
            )
            assert told_right == told_wrong, "only an oracle's request may depend on the truth"
    long = "\\boxed{" + "{" * 4 * MAX_TURN_CHARS
    twice = "[VERIFY] correct\n[VERIFY] wrong"
    asked = f"{made.question} " * (MAX_TURN_CHARS // len(made.question))
    for text in (*HOSTILE, long, "\n" * MAX_TURN_CHARS, twice, asked, made.phrase(twice)):
        began = time.perf_counter()
        parsed = made.parse(text, _PROBLEM)
        assert time.perf_counter() - began < PARSE_SECONDS, f"parsing {text[:20]!r} is slow"
        assert 0 <= parsed.split <= len(text), "split lies outside the text"
        assert parsed == made.parse(text, _PROBLEM), "the same text must be parsed the same again"
    conversation = Conversation(_PROBLEM, Rules(made, max_attempts=2))
    conversation.step("I do not know.")
    assert "\\boxed{4}" not in conversation.transcript, "the gold answer must not be given away"


def _some_turns() -> list[Turn]:
    said: list[tuple[Verdict | None, float | None, str]] = [
        ("correct", None, ""),
        ("wrong", 0.8, ""),
        (None, None, "no_verdict"),
    ]
    return [
        Turn("so \\boxed{4}", "4", verdict, confidence, 12, malformed, correct, "testing")
        for correct in (True, False, None)
        for verdict, confidence, malformed in said
    ]
