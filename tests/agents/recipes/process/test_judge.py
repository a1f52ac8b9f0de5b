"""A judge of steps: its data, and how its judgments are read."""

from agents.engines import Generation
from agents.recipes.process.judge import judgments
from agents.recipes.process.search import Question, judge
from agents.recipes.process.solvers import SOLVERS
from tests.support.steps import EQUATION, ONE, TWO, StepEngine


def test_judgments_are_read_from_the_end(chat):
    texts = iter(["x [[A]]", "[[B]] ", "[[A]] or so", ""])

    class Says(StepEngine):
        def turn(self, prompt):
            return Generation(self.chat.tokenizer(next(texts))["input_ids"], [])

    questions = [Question(EQUATION, (), "a", "b")] * 4
    assert judge(Says(chat, [], None), questions, 9) == [True, False, None, None]


def test_judging_data_show_each_pair_in_both_orders():
    demonstrations = judgments(
        SOLVERS["synthetic:linear"], Question(EQUATION, (ONE,), TWO, "322/7=45")
    )
    first, second = (d.episode for d in demonstrations)
    assert first.turns[0].text == "[A] 7*46=322\n322-322=0\n[[A]]"
    assert second.turns[0].text == "[A] 7*45=315\n315-322=-7\n[[B]]"
    assert "[A] 322/7=45\n[B] 322/7=46" in second.messages[0]["content"]
    assert all(ONE in e.messages[0]["content"] for e in (first, second))
