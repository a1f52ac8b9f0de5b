"""Worked conversations: true checks, wrong attempts as context only, the words of sampling."""

import re

import pytest

import srenv
from agents.engines import Generation
from agents.recipes.process.solvers import SOLVERS
from agents.recipes.self_rewarding.rejection import PieceSampler, RejectionConfig
from agents.recipes.worked import check, find_calculation, slip, worked_conversations
from agents.training.sft import read_demonstrations, tokenize, write_demonstrations
from srenv.problems.families.words import OPERATORS
from srenv.problems.seeding import hashed_rng
from srenv.protocol import PROTOCOLS
from tests.support.demonstrations import learned_text
from tests.support.steps import EQUATION, ONE

each_source = pytest.mark.parametrize("source", SOLVERS)


def problems_of(source, count):
    return srenv.load_problems(source, "train").take(count)


@each_source
def test_wrong_attempts_are_context_and_all_that_is_learned_is_true(source):
    problems = problems_of(source, 60)
    demonstrations = worked_conversations(source, problems, seed=0)
    kinds = [item.kind for item in demonstrations]
    assert kinds == ["accepted", "corrected", "attempt"] * len(problems)
    for item in demonstrations:
        attempts, checks = item.episode.turns[::2], item.episode.turns[1::2]
        rights = [turn.correct for turn in attempts]
        assert rights == ([False, True] if item.kind == "corrected" else [True])
        for attempt, checking in zip(attempts, checks, strict=item.kind != "attempt"):
            assert checking.verdict == ("correct" if attempt.correct else "wrong")
        learned = {turn for turn, _ in item.targets}
        assert learned == {n for n, turn in enumerate(item.episode.turns) if turn not in attempts
                           or turn.correct}  # fmt: skip


@each_source
def test_checks_compute_rightly_and_stop_at_the_slip(source):
    for problem in problems_of(source, 60):
        solver = SOLVERS[source]
        steps = slip(solver, problem, hashed_rng(problem.id))
        places = range(len(steps))
        slips = [n for n in places if steps[n] != solver.next_step(problem, steps[:n])]
        assert len(slips) == 1
        *lines, verdict = check(solver, problem, steps).splitlines()
        assert verdict == "[VERIFY] wrong"
        assert len(lines) == slips[0] + 1
        for line in lines:
            match = find_calculation(line)
            left, right, result = (int(match[name]) for name in ("left", "right", "result"))
            assert OPERATORS[match["sign"]](left, right) == result
            first, compared, second = re.fullmatch(r".*: (\S+) (is|is not) (\S+)", line).groups()
            assert (first == second) == (compared == "is") == (line != lines[-1])


def test_slips_are_wrong_results_and_other_operations():
    solver, signs = SOLVERS["synthetic:words"], {True: 0, False: 0}
    for problem in problems_of("synthetic:words", 200):
        right = solver.solution(problem)
        steps = slip(solver, problem, hashed_rng(problem.id))
        first = next(n for n, step in enumerate(steps) if step != right[n])
        same = find_calculation(steps[first])["sign"] == find_calculation(right[first])["sign"]
        signs[same] += 1
    assert min(signs.values()) > 40


def test_slips_are_seeded():
    def texts(seed):
        worked = worked_conversations("synthetic:words", problems_of("synthetic:words", 20), seed)
        return [turn.text for item in worked for turn in item.episode.turns]

    assert texts(0) == texts(0) != texts(1)


class Scripted:
    """An engine that says given turns in order and keeps the prompts."""

    def __init__(self, chat, texts):
        self.chat, self.texts, self.prompts = chat, list(texts), []

    def generate(self, prompts, sampling):
        self.prompts += prompts
        return [Generation(self.chat.encode(self.texts.pop(0)), []) for _ in prompts]


@each_source
def test_rejection_sampling_asks_in_the_same_words_and_keeps_every_piece(source, chat):
    problems = problems_of(source, 3)
    for item in worked_conversations(source, problems, seed=0):
        episode = item.episode
        if item.kind != "corrected":
            continue
        engine = Scripted(chat, [turn.text for turn in episode.turns])
        sampler = PieceSampler(engine, RejectionConfig(1, 1, 1, 1, 1))
        (sample,) = pieces = sampler.attempts([episode.problem])
        sampler.evaluations(pieces)
        sampler.revisions(pieces)
        sampler.revision_evaluations(pieces)
        kept = [sample.right_evaluation, sample.revision, sample.revision_evaluation]
        assert kept == [turn.text for turn in episode.turns[1:]]
        assert engine.prompts == [chat.opening(episode.messages[:n]) for n in (1, 3, 5, 7)]


def test_what_is_learned_ends_each_message_but_an_attempt_with_a_verdict_to_follow(chat, tmp_path):
    worked = worked_conversations("synthetic:linear", [EQUATION], seed=0)
    path = tmp_path / "demonstrations.jsonl"
    write_demonstrations(path, worked)
    assert read_demonstrations(path) == worked
    accepted, corrected, attempt = worked
    end = chat.tokenizer.eos_token
    turns = [turn.text for turn in corrected.episode.turns]
    solution, accepting = (turn.text for turn in accepted.episode.turns)
    assert learned_text(accepted, chat) == f"{solution}{end}{accepting}{end}"
    assert learned_text(corrected, chat) == "".join(f"{text}{end}" for text in turns[1:])
    assert learned_text(attempt, chat) == solution
    text = chat.tokenizer.decode(tokenize(attempt, chat)[0]["input_ids"])
    assert PROTOCOLS["default"].instruction.partition("{form}")[2] in text


def test_a_check_of_what_is_not_the_solvers_is_refused():
    solver = SOLVERS["synthetic:linear"]
    with pytest.raises(ValueError, match="cannot check the step 'what'"):
        check(solver, EQUATION, [ONE, "what", "\\boxed{46}"])
    with pytest.raises(ValueError, match="no calculation in the step 'what'"):
        find_calculation("what")
