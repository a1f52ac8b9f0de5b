"""Step search of process-based self-rewarding (Zhang et al. 2025, section 3.3).

A step is one line; the one with a box is the last. At each level the model proposes a few next
steps and judges them in pairs. The best becomes the next step, best and worst become a preference
pair. If no step is better than another, the level is dropped together with the step before it.

The paper does not say whether a pair is judged in both orders. If each pair is judged once and
always has a winner, the scores of an even number of candidates cannot all be equal, and the
rollback can never happen at the paper's own width of 6. `wins_in_both_orders` lets contradicting
judgments cancel instead, which is our default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from agents.engines import Engine, Sampling, reply
from agents.models.chat import ChatFormat
from agents.recipes.process.solvers import finished
from agents.rollouts.play import play
from agents.rollouts.speakers import Rounds
from agents.runs.progress import progress_bar
from srenv.conversation import Conversation, Rules
from srenv.episode import Episode, Message, Problem
from srenv.protocol import PROTOCOLS, Protocol
from srenv.thoughts import without_thoughts

SOLVING = PROTOCOLS["intrinsic"]
JUDGING = Protocol(
    instruction="Which next step is better? End with [[A]] or [[B]].", stop="never", verdict="none"
)


Wins = NDArray[np.bool_]
"""(w, w): whether row i was judged better than column j; the diagonal is False."""
Prefers = Callable[[int, int], bool]
"""(shown first, shown second) -> whether the first was preferred."""


def wins_once(width: int, prefers: Prefers) -> Wins:
    """Judges each unordered pair once, the earlier candidate shown first."""
    wins = np.zeros((width, width), dtype=np.bool_)
    for i in range(width):
        for j in range(i + 1, width):
            better, worse = (i, j) if prefers(i, j) else (j, i)
            wins[better, worse] = True
    return wins


def wins_in_both_orders(width: int, prefers: Prefers) -> Wins:
    """Judges each pair in both orders; a win counts where both judgments agree."""
    wins = np.zeros((width, width), dtype=np.bool_)
    for i in range(width):
        for j in range(i + 1, width):
            shown_first, shown_second = prefers(i, j), prefers(j, i)
            wins[i, j] = shown_first and not shown_second
            wins[j, i] = shown_second and not shown_first
    return wins


def scores(wins: Wins) -> NDArray[np.int64]:
    """``Score_i``: over how many of the other candidates i was preferred."""
    return np.asarray(wins.sum(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class StepPair:
    """A preference between two next steps.

    Attributes:
        context: The steps chosen before.
        best: The preferred step.
        worst: The rejected step.
    """

    context: tuple[str, ...]
    best: str
    worst: str


@dataclass(slots=True)
class StepSearch:
    """One solution being written step by step.

    Attributes:
        steps: The steps chosen so far.
        pairs: One preference pair per chosen step; None if there was nothing to prefer.
        rollbacks: How many levels were dropped.
    """

    steps: list[str] = field(default_factory=list)
    pairs: list[StepPair | None] = field(default_factory=list)
    rollbacks: int = 0

    def settle(self, candidates: list[str], wins: Wins) -> bool:
        """Chooses the best candidate, or rolls back if all scores are equal.

        A single candidate, on which all samples agreed, is chosen without a preference.

        Returns:
            Whether a step was chosen.
        """
        if len(candidates) == 1:
            self.pairs.append(None)
            self.steps.append(candidates[0])
            return True
        score = scores(wins)
        if score.max() == score.min():
            self.rollbacks += 1
            if self.steps:
                self.steps.pop()
                self.pairs.pop()
            return False
        best, worst = candidates[int(score.argmax())], candidates[int(score.argmin())]
        self.pairs.append(StepPair(tuple(self.steps), best, worst))
        self.steps.append(best)
        return True


def written(problem: Problem, steps: Sequence[str], tokens: int | None = None) -> Episode:
    """The steps as an episode of one attempt."""
    rules = Rules(SOLVING, 1)
    conversation = Conversation(problem, rules)
    conversation.step("\n".join(steps)).tokens = tokens
    return conversation.episode


@dataclass(frozen=True)
class Question:
    """Two candidates for the next step of a solution, in the order in which they are shown."""

    problem: Problem
    steps: tuple[str, ...]
    first: str
    second: str

    def messages(self) -> list[Message]:
        """What the judge reads."""
        return JUDGING.opening(replace(self.problem, prompt=self.text()))

    def text(self) -> str:
        """The problem, the steps so far, and the candidates."""
        lines = [self.problem.prompt, *self.steps, f"[A] {self.first}", f"[B] {self.second}"]
        return "\n".join(lines)


def propose_steps(
    engine: Engine,
    problems: Sequence[Problem],
    contexts: Sequence[Sequence[str]],
    width: int,
    sampling: Sampling,
) -> list[list[str]]:
    """Samples next steps of each solution, to the end of the line; equal ones are proposed once."""
    chat = engine.chat
    sampling = replace(sampling, stop_ids=chat.line_ends)
    prompts = [
        context_ids(chat, problem, steps)
        for problem, steps in zip(problems, contexts, strict=True)
        for _ in range(width)
    ]
    lines = [
        chat.text(g.ids).partition("\n")[0].strip() for g in engine.generate(prompts, sampling)
    ]
    groups = [lines[i * width : (i + 1) * width] for i in range(len(problems))]
    return [list(dict.fromkeys(group)) for group in groups]


def context_ids(chat: ChatFormat, problem: Problem, steps: Sequence[str]) -> list[int]:
    """Ids of the problem and of a solution that has begun."""
    beginning = "".join(f"{step}\n" for step in steps)
    return [
        *chat.opening(SOLVING.opening(problem)),
        *chat.encode(chat.template.answer_lead + beginning),
    ]


def step_ids(chat: ChatFormat, step: str) -> list[int]:
    """Ids of a step and of what ends it: a new line, or the end of the turn."""
    if finished([step]):
        return [*chat.encode(step), *chat.end_ids]
    return chat.encode(f"{step}\n")


def judge(engine: Engine, questions: Sequence[Question], max_new_tokens: int) -> list[bool | None]:
    """Returns whether the model prefers the step shown first; None if it names neither."""
    chat = engine.chat
    sampling = Sampling(temperature=0.0, max_new_tokens=max_new_tokens)
    prompts = [question.messages() for question in questions]
    generations = reply(engine, prompts, sampling)
    replies = [without_thoughts(chat.turn_text(g.ids)).strip() for g in generations]
    return [{"[[A]]": True, "[[B]]": False}.get(text[-5:]) for text in replies]


def compare(
    engine: Engine,
    problems: Sequence[Problem],
    contexts: Sequence[Sequence[str]],
    proposed: Sequence[Sequence[str]],
    max_new_tokens: int,
    both_orders: bool = True,
) -> list[Wins]:
    """Judges the next steps of each solution in pairs; the questions of all go in together.

    Args:
        engine: Judges.
        problems: One per solution.
        contexts: The steps of each solution so far.
        proposed: Its different next steps.
        max_new_tokens: Greatest length of a judgment.
        both_orders: Judge each pair in both orders; judgments that contradict each other cancel.
    """
    questions = {
        (n, i, j): Question(problem, tuple(context), steps[i], steps[j])
        for n, (problem, context, steps) in enumerate(
            zip(problems, contexts, proposed, strict=True)
        )
        for i in range(len(steps))
        for j in range(len(steps))
        if i != j and (both_orders or i < j)
    }
    preferences = judge(engine, list(questions.values()), max_new_tokens)
    answers = dict(zip(questions, preferences, strict=True))
    wins = wins_in_both_orders if both_orders else wins_once

    def judged(n: int, steps: Sequence[str]) -> Wins:
        # An unreadable judgment prefers the second: asked in both orders, it cancels.
        return wins(len(steps), lambda first, second: answers[n, first, second] is True)

    return [judged(n, steps) for n, steps in enumerate(proposed)]


class SolutionSearch:
    """A game: one solution that a step search writes, level by level.

    Args:
        problem: The problem.
        key: Names the game.
        levels: Greatest number of levels, those that are rolled back included.

    Attributes:
        search: The steps so far, and the preferences.
    """

    def __init__(self, problem: Problem, key: int, levels: int) -> None:
        self.problem, self.key, self.levels = problem, key, levels
        self.search = StepSearch()

    @property
    def ended(self) -> bool:
        """Whether the solution is complete, or its levels are used up."""
        return self.levels == 0 or finished(self.search.steps)

    def hear(self, level: tuple[list[str], Wins]) -> None:
        """Plays a level: candidates for the next step, and how they were judged."""
        self.levels -= 1
        self.search.settle(*level)


def search(
    engine: Engine,
    problems: Sequence[Problem],
    sampling: Sampling,
    title: str,
    *,
    width: int,
    levels: int,
    both_orders: bool = True,
) -> list[StepSearch]:
    """Writes every solution step by step, the best of `width` candidates at each level.

    Args:
        engine: Proposes and judges.
        problems: One solution each.
        sampling: How candidates are drawn.
        title: Label of the progress bar.
        width: Candidates per level.
        levels: Greatest number of levels, those that are rolled back included.
        both_orders: Judge each pair in both orders; judgments that contradict each other cancel.
    """
    games = [SolutionSearch(problem, key, levels) for key, problem in enumerate(problems)]

    def speak(live: Sequence[SolutionSearch]) -> list[tuple[list[str], Wins]]:
        solved = [game.problem for game in live]
        contexts = [game.search.steps for game in live]
        candidates = propose_steps(engine, solved, contexts, width, sampling)
        wins = compare(engine, solved, contexts, candidates, sampling.max_new_tokens, both_orders)
        return list(zip(candidates, wins, strict=True))

    with progress_bar(title, len(games)) as bar:
        failures = play(games, Rounds(speak), lambda *_: bar.advance())
    for error in failures.values():
        raise error
    return [game.search for game in games]
