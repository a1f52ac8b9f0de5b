"""Verdicts as models write them: read as a person would, or refused by the strict option."""

import time

import pytest

from srenv.episode import Problem
from srenv.protocol import PROTOCOLS, Protocol
from srenv.verdicts import MARKED, find_verdict

PROBLEM = Problem("p", "2*3?", "6", "test")
ASK = PROTOCOLS["yes_no"].question
STRICT = Protocol(strict=True)

LENIENT = [
    ("**[VERIFY] correct**", "correct", None),
    ("`[VERIFY] correct`", "correct", None),
    ("[VERIFY] Correct", "correct", None),
    ("[VERIFY]: correct", "correct", None),
    ("[VERIFY] incorrect", "wrong", None),
    ("[VERIFY] correct (90%)", "correct", 0.9),
    ("[VERIFY] correct<|im_end|>", "correct", None),
    ("[VERIFY] wrong</s>", "wrong", None),
    ("[VERIFY] correct<eos>", "correct", None),
    ("[VERIFY] correct<end_of_turn>\n", "correct", None),
    ("[VERIFY] wrong<｜end▁of▁sentence｜>", "wrong", None),
    ("[VERIFY] correct\n<|im_end|>\n<|endoftext|><|endoftext|>", "correct", None),
    ("[verify] correct", "correct", None),
    ("[Verify] Wrong.", "wrong", None),
    ("[VERIFY] CORRECT!", "correct", None),
    ("**[VERIFY]** correct", "correct", None),
    ("[VERIFY] **Incorrect**", "wrong", None),
    ("***[VERIFY] wrong***", "wrong", None),
    ("__[VERIFY] correct__", "correct", None),
    ("> [VERIFY] correct", "correct", None),
    ("### [VERIFY] wrong", "wrong", None),
    ("- [VERIFY] correct", "correct", None),
    ('"[VERIFY] correct"', "correct", None),
    ("“[VERIFY] wrong”", "wrong", None),
    ("[VERIFY] - correct", "correct", None),
    ("[VERIFY] — wrong", "wrong", None),
    ("[VERIFY] = correct", "correct", None),
    ("[VERIFY] -> wrong", "wrong", None),
    ("[VERIFY]correct", "correct", None),
    ("[VERIFY]  correct", "correct", None),
    ("[VERIFY] [correct]", "correct", None),
    ("[VERIFY: correct]", "correct", None),
    ("[VERIFY wrong]", "wrong", None),
    ("VERIFY: correct", "correct", None),
    ("[[VERIFY]] correct", "correct", None),
    ("[ VERIFY ] correct", "correct", None),
    ("[VERIFY] The answer is correct.", "correct", None),
    ("[VERIFY] my solution is wrong", "wrong", None),
    ("[VERIFY] not correct", "wrong", None),
    ("[VERIFY] right", "correct", None),
    ("[VERIFY] true", "correct", None),
    ("[VERIFY] False", "wrong", None),
    ("[VERIFY] correct ✅", "correct", None),
    ("[VERIFY] wrong ❌", "wrong", None),
    ("$\\boxed{\\text{[VERIFY] correct}}$", "correct", None),
    ("\\textbf{[VERIFY] wrong}", "wrong", None),
    ("```\n[VERIFY] correct\n```", "correct", None),
    ("[VERIFY]\ncorrect", "correct", None),
    ("So it holds. [VERIFY] correct", "correct", None),
    ("Verdict: **[VERIFY] wrong**", "wrong", None),
    ("[VERIFY] correct 0.75", "correct", 0.75),
    ("[VERIFY] correct, confidence 0.8", "correct", 0.8),
    ("[VERIFY] wrong (confidence: 0.9)", "wrong", 0.9),
    ("[VERIFY] Correct with 95% confidence.", "correct", 0.95),
    ("[VERIFY] correct (100 %)", "correct", 1.0),
    ("**[Verify]: incorrect** (12.5%)", "wrong", 0.125),
    ("[VERIFY] ✅ correct", "correct", None),
    ("<b>[VERIFY] correct</b>", "correct", None),
    ("[VERIFY] wrong (I made an arithmetic error)", "wrong", None),
    ("[VERIFY] correct. I checked it by substitution.", "correct", None),
    ("[VERIFY] wrong, because 7*6=42", "wrong", None),
    ("[VERIFY] correct (90%). The check holds.", "correct", 0.9),
]

UNREADABLE = [
    "[VERIFY] correct or wrong",
    "[VERIFY] correct [VERIFY] wrong",
    "**[VERIFY] correct** or **[VERIFY] wrong**",
    "[VERIFY] correct/wrong",
    "[VERIFY] correct? No, wrong",
    "[VERIFY] maybe",
    "[VERIFY]",
    "[VERIFY] correct (1.5)",
    "[VERIFY] correct (950%)",
    "[VERIFY] partially correct",
    "[VERIFY] correctness",
    "[VERIFY] correct but I am not sure",
    "[VERIFY] correct, if x is positive",
    "[VERIFY] wrong. The correct answer is 7.",
    "[VERIFY] right side equals 6",
    "[VERIFY] correct\nthanks",
    "I will write [VERIFY] correct",
    "verification: correct",
    "The answer is correct.",
    "correct",
    "",
]


def parse(text, protocol=PROTOCOLS["default"]):
    return protocol.parse(text, PROBLEM)


@pytest.mark.parametrize(("line", "verdict", "confidence"), LENIENT)
def test_a_verdict_is_read_as_a_person_would(line, verdict, confidence):
    text = f"so \\boxed{{6}}\n6/3=2\n{line}"
    turn = parse(text)
    assert (turn.answer, turn.verdict, turn.malformed) == ("6", verdict, "")
    assert turn.confidence == (None if confidence is None else pytest.approx(confidence))
    assert text[: turn.split] == "so \\boxed{6}"


@pytest.mark.parametrize("line", [line for line, *_ in LENIENT if not line.startswith("$")])
def test_strict_reading_refuses_it(line):
    assert parse(f"\\boxed{{6}}\n{line}", STRICT).malformed == "no_verdict"


@pytest.mark.parametrize("line", UNREADABLE)
@pytest.mark.parametrize("protocol", [Protocol(), STRICT])
def test_what_is_no_verdict_to_a_person_is_none(line, protocol):
    assert parse(f"\\boxed{{6}}\n{line}", protocol).malformed == "no_verdict"


@pytest.mark.parametrize(
    "line", [f"**{ASK}** yes", f"{ASK.upper()} Yes", f"{ASK}\nYes.", f"{ASK} Yes (90%)<|im_end|>"]
)
def test_an_answer_to_the_question_is_read_as_a_person_would(line):
    protocol = PROTOCOLS["yes_no"]
    assert parse(f"\\boxed{{6}}\n{line}", protocol).verdict == "correct"
    assert parse(f"\\boxed{{6}}\n{line}", Protocol(verdict="question", strict=True)).verdict is None


def test_a_verdict_on_the_line_of_the_answer_begins_behind_it():
    text = "so \\boxed{6} **[VERIFY] correct**"
    assert find_verdict(text, MARKED, strict=False) == ("correct", None, len("so \\boxed{6}"))


@pytest.mark.parametrize(
    "text",
    [
        "<|im_end|>" * 100_000,
        "[VERIFY] correct" + "<" * 500_000 + ">",
        "[VERIFY] " + "(" * 500_000,
        "[VERIFY] correct " + "-" * 500_000,
        "[VERIFY" * 100_000,
        "* " * 500_000,
        "[VERIFY] correct (" + "0 " * 90,
        "[VERIFY]" + " -" * 90 + " x",
    ],
)
def test_hostile_text_is_read_in_linear_time(text):
    start = time.process_time()
    find_verdict(text, MARKED, strict=False)
    assert time.process_time() - start < 0.5
