"""Step search: proposals, choice, rollback, and steps as tokens."""

from agents.engines import Sampling
from agents.recipes.process.recipe import WHOLE
from agents.recipes.process.search import (
    StepSearch,
    context_ids,
    propose_steps,
    search,
    step_ids,
    wins_once,
    written,
)
from agents.recipes.process.solvers import finished
from agents.training.sft import Demonstration, tokenize
from tests.support.steps import EQUATION, LAST, ONE, StepEngine


def test_proposed_steps_are_distinct_first_lines(chat):
    engine = StepEngine(chat, [f"{ONE}\n{LAST}", ONE, "3"], None)
    assert propose_steps(engine, [EQUATION], [[]], 3, Sampling()) == [[ONE, "3"]]


def test_the_search_takes_what_the_judge_prefers(chat):
    wrong = "365-43=332"
    engine = StepEngine(chat, [wrong, ONE, wrong, LAST, LAST, LAST], lambda a, b: a == ONE)
    (result,) = search(engine, [EQUATION], Sampling(), "", width=3, levels=4)
    assert result.steps == [ONE, LAST]
    assert finished(result.steps)
    assert (result.pairs[0].best, result.pairs[0].worst) == (ONE, wrong)
    # On the last step all samples agreed: nothing to judge, nothing to prefer.
    assert result.pairs[1] is None
    assert engine.judged == 2


def test_a_judge_who_always_says_a_prefers_nothing(chat):
    engine = StepEngine(chat, [ONE, "1"] * 2, lambda a, b: True)
    (result,) = search(engine, [EQUATION], Sampling(), "", width=2, levels=2)
    assert (result.steps, result.rollbacks) == ([], 2)
    engine = StepEngine(chat, [ONE, "1"], lambda a, b: True)
    (result,) = search(engine, [EQUATION], Sampling(), "", width=2, levels=1, both_orders=False)
    assert result.steps == [ONE]


def test_a_rollback_drops_a_step_that_had_no_pair():
    one = StepSearch()
    assert one.settle(["only"], wins_once(1, lambda i, j: True))
    assert not one.settle(["a", "b"], wins_once(2, lambda i, j: True) & False)
    assert (one.steps, one.pairs, one.rollbacks) == ([], [], 1)


def test_context_and_step_are_the_tokens_of_the_demonstration(chat):
    """The tokens that DPO prefers are those that imitation has taught."""
    engine = StepEngine(chat, [], None)
    episode = written(EQUATION, [ONE, LAST])
    demonstration = Demonstration(episode, WHOLE, "reasoning")
    ids = tokenize(demonstration, engine.chat)[0]["input_ids"]
    opening = context_ids(engine.chat, EQUATION, [])
    assert opening + step_ids(engine.chat, ONE) + step_ids(engine.chat, LAST) == ids
    assert context_ids(engine.chat, EQUATION, [ONE]) + step_ids(engine.chat, LAST) == ids
