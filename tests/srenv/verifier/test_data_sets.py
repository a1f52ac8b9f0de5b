"""The verifier on the development pairs, and on the gold answers of public sets."""

from __future__ import annotations

import json

import pytest

from srenv.verifier import verify, verify_batch

pytestmark = pytest.mark.filterwarnings("ignore")


def rows(path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", ["gsm8k_test", "gsm8k_train_2000", "math500", "college_math_400"])
def test_every_gold_answer_verifies(name: str, data_file) -> None:
    """Against itself, and from its own boxed solution; there are no exceptions."""
    golds = [row["answer"] for row in rows(data_file(f"{name}.jsonl"))]
    refused = [gold for gold in golds if not verify(gold, gold).correct]
    solutions = [f"We reason.\nSo it is $\\boxed{{{gold}}}$." for gold in golds]
    refused += [g for g, s in zip(golds, solutions, strict=True) if not verify(g, s).correct]
    assert refused == []


def test_development_pairs(data_file) -> None:
    data = rows(data_file("verify_dev.jsonl"))
    judged = verify_batch([(row["gold"], row["prediction"]) for row in data])
    wrong = [
        (row["gold"], row["prediction"], grade)
        for row, grade in zip(data, judged, strict=True)
        if (grade.correct is True) != row["expected_equal"]
    ]
    accepted = [case for case in wrong if case[2].correct]
    unequal = sum(not row["expected_equal"] for row in data)
    assert len(wrong) <= 0.005 * len(data), wrong
    assert len(accepted) <= 0.002 * unequal, accepted


def test_development_pairs_the_other_way_round(data_file) -> None:
    """Swapping two bare answers changes no verdict."""
    data = [r for r in rows(data_file("verify_dev.jsonl")) if r["form"] == "answer"]
    changed = [
        (row["gold"], row["prediction"])
        for row in data
        if verify(row["gold"], row["prediction"]).correct is True
        and verify(row["prediction"], row["gold"]).correct is not True
    ]
    assert changed == []


def shares(data: list[dict[str, str]]) -> tuple[float, float]:
    """Returns the share of right grades, and of wrong answers that were accepted."""
    grades = verify_batch([(row["gold"], row["prediction"]) for row in data])
    right = [
        (g.correct is True) == row["expected_equal"] for row, g in zip(data, grades, strict=True)
    ]
    accepted = [
        g.correct is True for row, g in zip(data, grades, strict=True) if not row["expected_equal"]
    ]
    return sum(right) / len(right), sum(accepted) / len(accepted)


def test_wild_pairs(data_file) -> None:
    right, accepted = shares(rows(data_file("verify_wild_dev.jsonl")))
    assert right >= 0.97
    assert accepted <= 0.01


@pytest.mark.parametrize(("boxed", "target"), [(True, 0.99), (False, 0.95)])
def test_real_outputs(boxed: bool, target: float, data_file) -> None:
    data = [row for row in rows(data_file("verify_real_dev.jsonl")) if row["boxed"] is boxed]
    right, accepted = shares(data)
    assert right >= target
    assert accepted <= 0.002
