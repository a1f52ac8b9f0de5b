"""What small models are trained on: right solutions, honest checks, habits in their shares."""

import operator
import random

import pytest

import srenv
from agents.models.chat import IGNORE
from agents.tiny.pretrain import CURRICULA, SKILLS, PretrainConfig, collate, make_model
from agents.tiny.skills import (
    HARD,
    check,
    correct,
    judge,
    near_miss,
    prefer,
    reconsidered,
    solve,
)
from agents.tiny.tokenizer import APOLOGY, CUE, make_tokenizer
from agents.tiny.worlds import WORLDS
from srenv.problems import grade
from srenv.protocol import EVALUATE, PROTOCOLS
from tests.support.sandbox import real_sandbox

OPERATIONS = {"*": operator.mul, "/": operator.floordiv, "+": operator.add, "-": operator.sub}


@pytest.fixture
def rng():
    return random.Random(0)


@pytest.fixture(params=WORLDS)
def world(request):
    return WORLDS[request.param]


def tasks(world, count=100):
    for name in world.families:
        for problem in srenv.load_problems(name, "eval").take(count):
            yield world.task(problem)


def right(task, text):
    return grade(task.problem, PROTOCOLS["intrinsic"].parse(text, task.problem).answer).correct


@pytest.fixture
def graded(world):
    """A world whose answers can be graded here."""
    if world.domain == "code":
        real_sandbox()
    return world


def test_solutions_are_right_with_the_right_quotient_only(graded, rng):
    for task in tasks(graded, 100 if graded.domain == "math" else 25):
        assert right(task, task.solution())
        assert not right(task, task.solution(near_miss(rng, task.quotient)))


def test_wrong_quotients_are_close_and_have_two_digits(rng):
    for _ in range(500):
        x = rng.randint(10, 99)
        wrong = near_miss(rng, x)
        assert 1 <= abs(wrong - x) <= 12
        assert 10 <= wrong <= 99


def test_checks_say_what_is_true(world, rng):
    for task in tasks(world):
        for quotient in (task.quotient, near_miss(rng, task.quotient)):
            *_, last = check(task, quotient).splitlines()
            assert last == f"[VERIFY] {'correct' if quotient == task.quotient else 'wrong'}"
            sums = check(task, quotient).splitlines()[0].removeprefix(CUE).split(",")
            for side, _, result in (part.partition("=") for part in sums):
                sign = max(side.rfind(s) for s in OPERATIONS)
                left, right = int(side[:sign]), int(side[sign + 1 :])
                assert OPERATIONS[side[sign]](left, right) == int(result)
            off = int(sums[-1].rpartition("=")[2])
            assert task.quotient == quotient - off


def test_an_apology_always_changes_the_answer_and_a_check_never_spoils_one(graded, rng):
    for task in tasks(graded, 200 if graded.domain == "math" else 25):
        for before in (task.quotient, near_miss(rng, task.quotient)):
            attempt = task.solution(before)
            written, revised, after = reconsidered(rng, task, attempt, before)
            if written.startswith(APOLOGY):
                assert after != before
            elif written.startswith(CUE):
                assert after == task.quotient
            else:
                assert (written, revised) == ("", attempt)
            assert right(task, written + revised) == (after == task.quotient)


def test_solutions_avoid_hard_divisors(world, rng):
    solutions = [solve(world, rng)[1].content for _ in range(400)]
    hard = sum(any(f"/{d}=" in text for d in range(HARD, 10)) for text in solutions)
    assert hard < 40


@pytest.mark.parametrize("draw", [judge, correct])
@pytest.mark.parametrize("varied", [False, True])
def test_attempts_are_given_and_never_learned(world, rng, draw, varied):
    for _ in range(50):
        said = draw(world, rng, 2, varied)
        assert said[-1].learn is True
        learned = [s.content for s in said if s.learn is True]
        assert len(learned) == 1
        assert all(s.content.startswith(CUE) for s in said if s.learn == "rest")
        assert all("\\boxed" not in s.content for s in said if s.learn == "rest")
        if draw is judge:
            assert "\\boxed" not in learned[0]
            assert learned[0].startswith((CUE, "[VERIFY]"))
            assert learned[0].endswith(("[VERIFY] correct", "[VERIFY] wrong"))
            assert EVALUATE in said[-2].content


def test_the_better_step_is_named(rng):
    for _ in range(50):
        question, answer = (said.content for said in prefer(WORLDS["math"], rng))
        assert "[A] " in question
        assert answer.endswith(("[[A]]", "[[B]]"))


def test_a_check_in_view_is_learned_but_for_its_first_token(world, rng):
    tokenizer = make_tokenizer(world)
    said = correct(world, rng, 1, False)
    batch = collate([said], tokenizer)
    learned = [
        tokenizer.decode([i])
        for i, label in zip(batch["input_ids"][0], batch["labels"][0], strict=True)
        if label != IGNORE
    ]
    assert CUE not in learned
    assert "[VERIFY]" in learned


def test_every_phase_has_a_share_of_every_skill():
    assert all(
        len(phase.shares) == len(SKILLS) for phases in CURRICULA.values() for phase in phases
    )


def test_a_model_of_programs_begins_with_the_arithmetic_of_the_bundled_one():
    config = PretrainConfig(world="programs")
    tokenizer = make_tokenizer(WORLDS["programs"])
    model = make_model(config, tokenizer)
    text = "743-77="
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    written = model.generate(ids, max_new_tokens=3, do_sample=False)[0, ids.shape[1] :]
    assert tokenizer.decode(written) == "666"
