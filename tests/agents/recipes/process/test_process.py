"""Process-based self-rewarding: exact steps, pairwise judging, search, step-wise DPO."""

import json
import re

import pytest

import srenv
from agents.engines import Generation, Sampling
from agents.models.chat import ChatFormat
from agents.recipes.process import recipe as process
from agents.recipes.process.judge import judgements
from agents.recipes.process.recipe import ProcessConfig
from agents.recipes.process.search import (
    Question,
    StepSearch,
    context_ids,
    judge,
    propose_steps,
    search,
    step_ids,
    wins_once,
    written,
)
from agents.recipes.process.solvers import SOLVERS, finished, linear_result, linear_step
from agents.training.policy_gradient import PolicyGradientConfig
from agents.training.sft import SftConfig, tokenise

TEACHER = SOLVERS["synthetic:linear"]
LINEAR = srenv.load_problems("synthetic:linear", "train")
EQUATION = srenv.Problem(
    "p", "Solve 7x+43=365 for x.", "46", "test", data={"a": 7, "b": 43, "c": 365}
)
ONE, TWO, LAST = "365-43=322", "7*46=322", "\\boxed{46}"


def chat_of(folder):
    from transformers import AutoTokenizer

    return ChatFormat(AutoTokenizer.from_pretrained(folder))


class Solver:
    """Proposes from a list in turn and judges by a rule."""

    def __init__(self, chat, proposals, prefers):
        self.chat, self.proposals, self.prefers = chat, list(proposals), prefers
        self.judged = 0

    def generate(self, prompts, sampling):
        return [self.turn(self.chat.tokenizer.decode(prompt)) for prompt in prompts]

    def turn(self, prompt):
        if "[A]" in prompt:
            self.judged += 1
            first, second = (re.search(rf"\[{x}\] (.*)", prompt)[1] for x in "AB")
            text = f"because\n[[{'A' if self.prefers(first, second) else 'B'}]]"
        else:
            text = self.proposals.pop(0)
        ids = [*self.chat.tokenizer(text)["input_ids"], self.chat.tokenizer.eos_token_id]
        return Generation(ids, [])


def test_exact_solutions_are_right_and_single_steps_follow_what_was_written():
    for problem in LINEAR.take(50):
        steps = TEACHER.solution(problem)
        assert len(steps) == 3
        assert written(problem, steps).final.correct
    assert TEACHER.solution(EQUATION) == [ONE, TWO, LAST]
    # After a wrong step the right next one goes on from what stands there, if that goes.
    assert linear_step(EQUATION, ["365-43=329"]) == "7*47=329"
    assert linear_step(EQUATION, ["365-43=323"]) is None
    assert linear_step(EQUATION, ["what"]) is None
    assert linear_step(EQUATION, [ONE, "7*45=315"]) == "\\boxed{45}"
    assert linear_step(EQUATION, [ONE, "what"]) is None
    assert linear_step(EQUATION, [ONE, TWO, LAST]) is None
    assert [linear_result(step) for step in (ONE, TWO, LAST, "-5+53=48")] == [322, 46, 46, 48]
    assert linear_result("7*46") is linear_result("so 7*46=322") is None


def test_steps_are_cut_at_the_line_and_proposed_once(untrained):
    engine = Solver(chat_of(untrained), [f"{ONE}\n{LAST}", ONE, "3"], None)
    assert propose_steps(engine, [EQUATION], [[]], 3, Sampling()) == [[ONE, "3"]]


def test_the_search_takes_what_the_judge_prefers(untrained):
    wrong = "365-43=332"
    engine = Solver(
        chat_of(untrained), [wrong, ONE, wrong, LAST, LAST, LAST], lambda a, b: a == ONE
    )
    (found,) = search(engine, [EQUATION], Sampling(), "", width=3, levels=4)
    assert found.steps == [ONE, LAST]
    assert finished(found.steps)
    assert (found.pairs[0].best, found.pairs[0].worst) == (ONE, wrong)
    # On the last step all samples agreed: nothing to judge, nothing to prefer.
    assert found.pairs[1] is None
    assert engine.judged == 2


def test_a_judge_who_always_says_a_prefers_nothing(untrained):
    engine = Solver(chat_of(untrained), [ONE, "1"] * 2, lambda a, b: True)
    (found,) = search(engine, [EQUATION], Sampling(), "", width=2, levels=2)
    assert (found.steps, found.rollbacks) == ([], 2)
    engine = Solver(chat_of(untrained), [ONE, "1"], lambda a, b: True)
    (found,) = search(engine, [EQUATION], Sampling(), "", width=2, levels=1, both_orders=False)
    assert found.steps == [ONE]


def test_a_rollback_drops_a_step_that_had_no_pair():
    one = StepSearch()
    assert one.settle(["only"], wins_once(1, lambda i, j: True))
    assert not one.settle(["a", "b"], wins_once(2, lambda i, j: True) & False)
    assert (one.steps, one.pairs, one.rollbacks) == ([], [], 1)


def test_judgements_are_read_from_the_end(untrained):
    said = iter(["x [[A]]", "[[B]] ", "[[A]] or so", ""])

    class Says(Solver):
        def turn(self, prompt):
            return Generation(self.chat.tokenizer(next(said))["input_ids"], [])

    questions = [Question(EQUATION, (), "a", "b")] * 4
    assert judge(Says(chat_of(untrained), [], None), questions, 9) == [True, False, None, None]


def test_context_and_step_are_the_tokens_of_the_demonstration(untrained):
    """What DPO prefers stands exactly where imitation has put it."""
    engine = Solver(chat_of(untrained), [], None)
    episode = written(EQUATION, [ONE, LAST])
    demonstration = process.Demonstration(episode, process.WHOLE, "reasoning")
    whole = tokenise(demonstration, engine.chat)["input_ids"]
    opening = context_ids(engine.chat, EQUATION, [])
    assert opening + step_ids(engine.chat, ONE) + step_ids(engine.chat, LAST) == whole
    assert context_ids(engine.chat, EQUATION, [ONE]) + step_ids(engine.chat, LAST) == whole


def test_judging_data_show_each_pair_in_both_orders():
    found = judgements(TEACHER, Question(EQUATION, (ONE,), TWO, "7*45=322"))
    first, second = (d.episode for d in found)
    assert first.turns[0].text == "[A] 7*46=322\n322-322=0\n[[A]]"
    assert second.turns[0].text == "[A] 7*45=315\n315-322=-7\n[[B]]"
    assert "[A] 7*45=322\n[B] 7*46=322" in second.messages[0]["content"]
    assert all(ONE in e.messages[0]["content"] for e in (first, second))


def test_the_solver_checks_the_first_step_and_names_the_better():
    def judged(steps, first, right):
        return TEACHER.judgement(EQUATION, steps, first, right)

    assert judged([], "365-43=332", ONE) == "[A] 365-43=322\n332-322=10\n[[B]]"
    assert judged([ONE, TWO], LAST, LAST) == "[A] \\boxed{46}\n46-46=0\n[[A]]"
    # A check that does not tell is left out: a wrong product of the right factor, no step at all.
    assert judged([ONE], "7*46=320", TWO) == judged([ONE], "seven", TWO) == f"{TWO}\n[[B]]"


def test_process_refuses_what_it_cannot_do(tmp_path):
    for changes in ({"problems": "synthetic:factor"}, {"width": 1}):
        with pytest.raises(ValueError, match=r"exact solver|width"):
            process.train(ProcessConfig(output=tmp_path, **changes))


@pytest.mark.slow
def test_process_runs_through(tmp_path):
    config = ProcessConfig(
        output=tmp_path, reasoning=48, judging=24, iterations=1, sampled=4, width=2, levels=2,
        both_orders=False, sft=SftConfig(epochs=2, batch_size=8, learning_rate=1e-3), eval_n=4,
        pg=PolicyGradientConfig(steps=1, problems_per_step=1, group_size=4, micro_batch=4),
        report_to="none",
    )  # fmt: skip
    rows = [f"{model}{how}" for model in ("M1", "M1-PG", "M2") for how in ("", ", step search")]
    assert list(process.train(config))[-6:] == rows
    paid = json.loads((tmp_path / "policy_gradient" / "done.json").read_text())
    assert paid["generated"] > 0
    done = json.loads((tmp_path / "m2_pairs" / "done.json").read_text())
    assert done["pairs"] > 0
    judged = json.loads((tmp_path / "evaluate_m2_judge" / "done.json").read_text())
    assert 0 <= judged["accuracy"] <= 1
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["spent"]["trained"] > summary["spent"]["generated"] > 0
