"""Prompting without training: told the truth, and Self-Refine."""

import json

import pytest

import srenv
from agents.engines import Generation, Sampling
from agents.recipes.baselines import prompting
from agents.recipes.baselines.prompting import PromptingConfig
from srenv.conversation import Rules
from srenv.protocol import Protocol
from tests.support.recipes import SHORT, SOLVING

PROBLEMS = [srenv.Problem(f"p{answer}", "What?", answer, "test") for answer in ("1", "7")]
LINES = [
    "\\boxed{2}", "\\boxed{7}",  # attempts
    "[VERIFY] wrong", "[VERIFY] correct",  # checks
    "\\boxed{1}", "[VERIFY] correct",  # the first problem is tried again
]  # fmt: skip


class Lines:
    """An engine that says one line after the other, no matter what is asked."""

    def __init__(self, chat, lines):
        self.chat, self.lines = chat, list(lines)

    def generate(self, prompts, sampling):
        tokenizer = self.chat.tokenizer
        return [
            Generation([*self.chat.encode(self.lines.pop(0)), tokenizer.eos_token_id], [])
            for _ in prompts
        ]


@pytest.fixture
def refined(chat):
    """Two problems played by Self-Refine."""
    return prompting.self_refine(Lines(chat, LINES), PROBLEMS, Sampling(), Rules(Protocol(), 3), "")


def test_self_refine_revises_until_a_check_accepts(refined):
    first, second = refined
    assert [turn.correct for turn in first.turns] == [False, True]
    assert [turn.verdict for turn in first.turns] == ["wrong", "correct"]
    assert (len(second.turns), second.ending) == (1, "declared")


def test_self_refine_counts_the_tokens_of_both_messages(refined, chat):
    tokens = sum(turn.tokens for episode in refined for turn in episode.turns)
    assert tokens == sum(len(chat.encode(line)) + 1 for line in LINES)


@pytest.mark.slow
def test_it_runs_through_without_training(untrained, tmp_path):
    rows = prompting.train(PromptingConfig(untrained, output=tmp_path / "run", **SHORT))
    assert list(rows)[-2:] == ["base, told the truth (oracle)", "base, Self-Refine"]
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["spent"] == {"generated": 0, "trained": 0}


@pytest.mark.slow
def test_told_the_truth_no_right_answer_is_lost(tmp_path):
    config = PromptingConfig(output=tmp_path, **{**SOLVING, "eval_n": 40})
    row = prompting.train(config)["base, told the truth (oracle)"]
    assert row["delta_ci"].value == 0
    assert row["delta"].value == row["delta_ic"].value
    assert 1 < row["turns"].value < 2
