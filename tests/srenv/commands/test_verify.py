"""The command ``srenv verify``: its output and its exit status."""

from __future__ import annotations

import pytest

from srenv.commands.main import main
from srenv.verifier import explain, verify


@pytest.mark.parametrize(
    ("gold", "answer", "status", "word"),
    [
        ("1/2", "0.5", None, "right (rule: decimal)"),
        ("1/2", r"so \boxed{0.6}", 1, "wrong (rule: decimal)"),
        ("x", r"\sqrt{x^2}", 2, "undecided (rule: undecided)"),
    ],
)
def test_exit_status_says_the_grade(
    gold: str, answer: str, status: int | None, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if status is None:
        main(["verify", gold, answer])
    else:
        with pytest.raises(SystemExit) as exit_info:
            main(["verify", gold, answer])
        assert exit_info.value.code == status
    assert capsys.readouterr().out.strip() == word


def test_explanation_names_answer_forms_and_rule(capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify", r"\sqrt{8}", r"Hence \boxed{x = 2\sqrt{2}}.", "--explain"])
    output = capsys.readouterr().out
    assert r"answer: x = 2\sqrt{2}" in output  # what was extracted
    assert "root(8, 2)" in output  # how the gold answer was read
    assert "numbers" in output  # a rule that passed the pair on
    assert "right (rule: value)" in output


@pytest.mark.parametrize(
    ("gold", "answer"), [("5", "5"), ("5", "6"), ("(1,2)", "[1,2]"), ("x > 3", r"(3,\infty)")]
)
def test_explanation_and_grade_agree(gold: str, answer: str) -> None:
    grade, steps = explain(gold, answer)
    assert (grade.correct, grade.reason) == (
        verify(gold, answer).correct,
        verify(gold, answer).reason,
    )
    assert steps
