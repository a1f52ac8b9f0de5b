"""Sequential rejection sampling, step by step."""

import random
from collections import Counter

import pytest

from agents.engines import Generation
from agents.models.chat import ChatFormat
from agents.recipes.self_rewarding.rejection import (
    Pieces,
    RejectionConfig,
    glue,
    sample_demonstrations,
    select_demonstrations,
)
from agents.rollouts.environments import with_tool
from agents.training.sft import tokenize
from srenv.domains.math import MATH
from srenv.episode import Problem
from srenv.protocol import EVALUATE, PROTOCOLS, Protocol
from tests.support.demonstrations import learned_text

CHECK_RIGHT, CHECK_WRONG = "2*3=6\n[VERIFY] correct", "2*4=8\n[VERIFY] wrong"


def problem(index):
    return Problem(str(index), f"Solve 2x+{index}={6 + index} for x.", "3", "test")


@pytest.fixture(scope="module")
def chat(untrained):
    return ChatFormat.load(untrained)


@pytest.fixture
def by_kind():
    """One demonstration of each kind."""
    wrong = Pieces(problem(1), "\\boxed{4}", False, CHECK_WRONG, None, "\\boxed{3}", CHECK_RIGHT)
    misjudged = Pieces(
        problem(2), "\\boxed{3}", True, CHECK_RIGHT, CHECK_WRONG, "\\boxed{3}", CHECK_RIGHT
    )
    right = Pieces(problem(3), "\\boxed{3}", True, CHECK_RIGHT)
    config = RejectionConfig(right_to_wrong=2.0, confirmed_share=0.5)
    demonstrations = select_demonstrations(
        [wrong, misjudged, right], config, random.Random(0), PROTOCOLS["default"]
    )
    return {item.kind: item for item in demonstrations}


def test_d1_teaches_the_verdict_that_finds_the_error_and_the_revision(by_kind, chat):
    text = f"\n{CHECK_WRONG}<|end|>\\boxed{{3}}\n{CHECK_RIGHT}<|end|>"
    assert learned_text(by_kind["D1"], chat) == text


def test_d2_teaches_the_revision_after_a_wrong_verdict(by_kind, chat):
    assert learned_text(by_kind["D2"], chat) == f"\\boxed{{3}}\n{CHECK_RIGHT}<|end|>"


def test_d3_teaches_the_right_attempt_and_the_verdict_that_accepts_it(by_kind, chat):
    assert learned_text(by_kind["D3"], chat) == f"\\boxed{{3}}\n{CHECK_RIGHT}<|end|>"


def test_demonstrations_have_the_layout_of_rollouts(by_kind, chat):
    text = chat.tokenizer.decode(tokenize(by_kind["D1"], chat)[0]["input_ids"])
    default = PROTOCOLS["default"].worded(MATH)
    assert text == (
        f"<|user|>{problem(1).prompt}\n{default.instruction}<|end|>"
        f"<|assistant|>\\boxed{{4}}\n{CHECK_WRONG}<|end|>"
        f"<|user|>{default.retry}<|end|>"
        f"<|assistant|>\\boxed{{3}}\n{CHECK_RIGHT}<|end|>"
    )


@pytest.mark.parametrize(
    ("right_to_wrong", "kinds"),
    [(1.0, {"D1": 40, "D2": 10, "D3": 30}), (0.0, {"D1": 40})],
)
def test_the_mix_of_kinds_is_that_of_the_configuration(right_to_wrong, kinds):
    def make(correct, n):
        attempt = "\\boxed{3}" if correct else "\\boxed{4}"
        check = CHECK_RIGHT if correct else CHECK_WRONG
        return [
            Pieces(problem(i), attempt, correct, check, None, "\\boxed{3}", CHECK_RIGHT)
            for i in range(n)
        ]

    config = RejectionConfig(right_to_wrong=right_to_wrong, confirmed_share=0.25)
    demonstrations = select_demonstrations(
        make(False, 40) + make(True, 500), config, random.Random(0), PROTOCOLS["default"]
    )
    assert Counter(d.kind for d in demonstrations) == kinds
    problems = {id(d.episode.problem) for d in demonstrations}
    assert len(problems) == sum(kinds.values())  # one per attempt


class Teller:
    """An engine whose replies depend on the request, so that counts are known in advance."""

    def __init__(self, chat):
        self.chat = chat
        self.requests = {"attempt": 0, "evaluate": 0, "revise": 0}

    def generate(self, prompts, sampling):
        replies = []
        for number, prompt in enumerate(prompts):
            text = self.chat.tokenizer.decode(prompt)
            if text.endswith(f"{EVALUATE}<|end|><|assistant|>"):
                self.requests["evaluate"] += 1
                right = text.rpartition("\\boxed{")[2].startswith("3")
                honest = CHECK_RIGHT if right else CHECK_WRONG
                lying = CHECK_WRONG if right else CHECK_RIGHT
                two = "[VERIFY] correct\n[VERIFY] wrong"
                reply = (honest, lying, two, "hm")[number % 4]
            elif text.endswith(f"{Protocol().worded(MATH).reveal}<|end|><|assistant|>"):
                self.requests["revise"] += 1
                reply = ("\\boxed{3}", "\\boxed{5}")[number % 2]
            else:
                self.requests["attempt"] += 1
                reply = ("\\boxed{3}", "\\boxed{4}", "no box")[number % 3]
            replies.append(Generation([*self.chat.tokenizer(reply)["input_ids"]], []))
        return replies


class NoBar:
    def advance(self, amount=1):
        pass


def test_each_step_of_the_sampling_has_the_expected_number_of_requests(chat):
    teller = Teller(chat)
    config = RejectionConfig(attempts=3, evaluations=4, corrections=2, confirmations=2)
    demonstrations = sample_demonstrations(teller, [problem(i) for i in range(5)], config, NoBar())
    # 5 problems x 3 attempts, of which the unboxed ones are dropped; 10 attempts are evaluated 4
    # times each; 5 wrong ones are corrected and 5 right ones confirmed twice each.
    assert teller.requests == {"attempt": 15, "evaluate": 10 * 4 + 10 * 4, "revise": 10 + 10}
    assert Counter(d.kind for d in demonstrations) == {"D1": 5, "D2": 1, "D3": 4}
    for item in demonstrations:
        first = item.episode.turns[0]
        assert first.correct == (item.kind != "D1")
        assert item.episode.final.correct
        assert item.episode.final.verdict == "correct"
        assert all(turn.malformed == "" for turn in item.episode.turns)
        if item.kind == "D2":
            assert first.verdict == "wrong"


def test_demonstrations_have_the_instruction_of_the_tool(chat):
    protocol = with_tool(PROTOCOLS["default"], "calculator")
    config = RejectionConfig(attempts=3, evaluations=4, corrections=2, confirmations=2)
    demonstrations = sample_demonstrations(
        Teller(chat), [problem(i) for i in range(5)], config, NoBar(), 0, protocol
    )
    assert demonstrations
    instruction = protocol.worded(MATH).instruction
    assert all(d.episode.messages[0]["content"].endswith(instruction) for d in demonstrations)


def test_demonstrations_have_the_words_of_their_protocol(chat):
    yes_no = PROTOCOLS["yes_no"]
    config = RejectionConfig(attempts=3, evaluations=4, corrections=2, confirmations=2)

    def sample(protocol):
        return sample_demonstrations(
            Teller(chat), [problem(i) for i in range(5)], config, NoBar(), 0, protocol
        )

    marked, worded = sample(PROTOCOLS["default"]), sample(yes_no)
    # The same pieces are sampled and selected; only the words differ.
    assert [d.kind for d in worded] == [d.kind for d in marked]
    assert [d.targets for d in worded] == [d.targets for d in marked]
    for item in worded:
        episode = item.episode
        assert "[VERIFY]" not in "".join(m["content"] for m in episode.messages)
        assert all(turn.malformed == "" for turn in episode.turns)
        assert episode.ending == "declared"
        if item.kind != "D3":
            assert episode.turns[0].text.endswith(f"{yes_no.question} No.")
            assert episode.messages[2]["content"] == yes_no.reveal
        assert episode.final.text.endswith(f"{yes_no.question} Yes.")


def test_an_attempt_and_an_evaluation_are_glued_to_one_turn():
    assert (
        glue("  \\boxed{3}\n", "\nfine\n[VERIFY] correct ") == "\\boxed{3}\nfine\n[VERIFY] correct"
    )


def test_an_empty_selection_reports_the_counts_of_each_step(chat):
    class Mute(Teller):
        def generate(self, prompts, sampling):
            return [type(g)([7], []) for g in super().generate(prompts, sampling)]

    with pytest.raises(RuntimeError, match="kept nothing of 0 attempts"):
        sample_demonstrations(Mute(chat), [problem(0)], RejectionConfig(), NoBar())
