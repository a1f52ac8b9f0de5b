"""Two models, one that answers and one that judges: what each learns, reads and costs."""

import json
from dataclasses import replace

import pytest
from transformers import AutoModelForCausalLM

import srenv
from agents.engines import Sampling
from agents.models.chat import IGNORE, ChatFormat
from agents.models.paths import TINY, model_path
from agents.recipes import external_verifier
from agents.recipes.base import BASE, TRANSFER
from agents.recipes.external_verifier import (
    ExternalVerifierConfig,
    attempts,
    evaluations,
    play_with_critic,
)
from agents.recipes.self_rewarding.rejection import Pieces, RejectionConfig, make_demonstration
from agents.training.sft import SftConfig, tokenize
from srenv.domains.math import MATH
from srenv.protocol import EVALUATE, PROTOCOLS
from tests.support import ScriptedEngine

ACCEPT, REFUSE = "2*3=6\n[VERIFY] correct", "2*4=8\n[VERIFY] wrong"
REVEAL = PROTOCOLS["rise"].worded(MATH).reveal


def problem(answer="3"):
    return srenv.Problem(f"p{answer}", "Solve 2x=6 for x.", answer, "test")


@pytest.fixture(scope="module")
def chat(untrained):
    from transformers import AutoTokenizer

    return ChatFormat(AutoTokenizer.from_pretrained(untrained))


def warm_up(kind):
    """A demonstration of self-rewarding correction's warm-up."""
    right = kind != "D1"
    attempt = "so \\boxed{3}." if right else "so \\boxed{4}."
    sample = Pieces(problem(), attempt, right, ACCEPT if right else REFUSE)
    if kind != "D3":
        sample.wrong_evaluation = REFUSE
        sample.revision, sample.revision_evaluation = "now \\boxed{3}", ACCEPT
    return make_demonstration(sample, kind, RejectionConfig(), PROTOCOLS["default"])


def context_and_target(demonstration, chat):
    (row,) = tokenize(demonstration, chat)
    learned = [i for i, label in zip(row["input_ids"], row["labels"], strict=True) if label >= 0]
    assert row["labels"][-len(learned) :] == learned, "the learned ids are the last"
    decode = chat.tokenizer.decode
    return decode(row["input_ids"][: -len(learned)]), decode(learned)


def test_the_verifier_learns_the_evaluations_that_the_warm_up_learns(chat):
    found = {
        kind: [context_and_target(d, chat) for d in evaluations(warm_up(kind))]
        for kind in ("D1", "D2", "D3")
    }
    targets = {kind: [target for _, target in parts] for kind, parts in found.items()}
    # In D2 the misjudgment is no target; the attempt's last words are no part of its evaluation.
    assert targets == {
        "D1": [f"{REFUSE}<|end|>", f"{ACCEPT}<|end|>"],
        "D2": [f"{ACCEPT}<|end|>"],
        "D3": [f"{ACCEPT}<|end|>"],
    }
    (first, _), (second, _) = found["D1"]
    assert "so \\boxed{4}." in first
    assert EVALUATE in first
    # Every attempt is judged by itself.
    assert "boxed{4}" not in second
    assert "now \\boxed{3}" in second


def test_the_generator_learns_the_attempts_that_the_warm_up_learns(chat):
    found = {
        kind: [context_and_target(d, chat) for d in attempts(warm_up(kind))]
        for kind in ("D1", "D2", "D3")
    }
    assert [t for _, t in found["D1"] + found["D2"]] == ["now \\boxed{3}<|end|>"] * 2
    ((opening, target),) = found["D3"]
    assert target == "so \\boxed{3}.<|end|>"
    for kind in ("D1", "D2"):
        assert REVEAL in found[kind][0][0]
        assert "[VERIFY]" not in found[kind][0][0]
    assert REVEAL not in opening
    assert IGNORE not in tokenize(attempts(warm_up("D3"))[0], chat)[0]["labels"][-3:]


def test_the_generator_may_read_the_check(chat):
    (demonstration,) = attempts(warm_up("D1"), show_check=True)
    context, _ = context_and_target(demonstration, chat)
    assert f"{REFUSE}\n{REVEAL}" in context


def run(chat, generated, judged, **options):
    generator, verifier = ScriptedEngine(chat, generated), ScriptedEngine(chat, judged)
    problems = [problem()] * len(generated)
    episodes = play_with_critic(generator, verifier, problems, Sampling(), 3, title="", **options)
    return episodes, generator, verifier


def test_the_verifier_ends_the_episode(chat):
    generated = [["\\boxed{4}", "\\boxed{3}"], ["\\boxed{3}"], ["\\boxed{4}"]]
    judged = [[REFUSE, ACCEPT], [ACCEPT], [ACCEPT]]
    episodes, generator, verifier = run(chat, generated, judged)
    assert [[t.correct for t in e.turns] for e in episodes] == [[False, True], [True], [False]]
    assert [e.ending for e in episodes] == ["declared"] * 3
    seen = [chat.tokenizer.decode(prompt) for prompt in generator.prompts]
    assert REVEAL in seen[3]
    assert "[VERIFY]" not in "".join(seen)
    # The verifier reads one attempt at a time, and never the gold answer.
    shown = [chat.tokenizer.decode(prompt) for prompt in verifier.prompts]
    assert [text.count("\\boxed{3}") + text.count("\\boxed{4}") for text in shown] == [1] * 4
    written = len(chat.encode("\\boxed{4}")) + 1 + len(chat.encode(REFUSE)) + 1
    assert episodes[0].turns[0].tokens == written
    word = len(chat.encode(" wrong"))
    assert episodes[0].turns[0].verdict_probability == pytest.approx(2.718281828 ** (-0.1 * word))


def test_the_generator_reads_the_check_where_it_is_shown(chat):
    _, generator, _ = run(chat, [["\\boxed{4}", "\\boxed{3}"]], [[REFUSE, ACCEPT]], show_check=True)
    assert f"{REFUSE}\n{REVEAL}" in chat.tokenizer.decode(generator.prompts[1])


@pytest.mark.parametrize(
    ("attempt", "words", "answer", "malformed"),
    [
        ("\\boxed{4}", "it must be \\boxed{3}\n[VERIFY] wrong", "4", ""),
        ("\\boxed{4}", "it must be \\boxed{3}", "4", "no_verdict"),
        ("I do not know.", "\\boxed{3}\n[VERIFY] correct", None, "no_answer"),
        ("\\boxed{4}\n[VERIFY] correct", "no idea", "4", "no_verdict"),
    ],
)
def test_each_model_speaks_for_itself_alone(chat, attempt, words, answer, malformed):
    (episode,), _, _ = run(chat, [[attempt] * 3], [[words] * 3])
    turn = episode.turns[0]
    assert (turn.answer, turn.malformed) == (answer, malformed)
    # None of these is an attempt that was accepted.
    assert (len(episode.turns), episode.ending) == (3, "exhausted")


@pytest.mark.slow
def test_it_runs_through_and_reports_what_the_second_model_costs(tmp_path):
    config = ExternalVerifierConfig(
        output=tmp_path, rejection=RejectionConfig(problems=12), sft=SftConfig(epochs=1),
        max_attempts=2, eval_n=4, report_to="none", transfer="synthetic:arithmetic",
    )  # fmt: skip
    metrics = external_verifier.train(config)
    rows = ["base, external verifier", "after SFT, external verifier"]
    transfer = f"{rows[1]}, {TRANSFER}"
    assert list(metrics)[-4:] == [*rows, f"{BASE}, {TRANSFER}", transfer]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["result"] == rows[1]
    cost = summary["second_models"][rows[1]]
    parameters = AutoModelForCausalLM.from_pretrained(model_path(TINY)).num_parameters()
    assert (cost["parameters"], cost["bytes"]) == (parameters, 4 * parameters)
    assert 0 < cost["tokens"] < metrics[rows[1]]["tokens"].value
    # Each row has the tokens of its own problems.
    for title, stage in ((rows[1], "verified"), (transfer, "verified_transfer")):
        done = json.loads((tmp_path / f"evaluate_{stage}" / "done.json").read_text())
        assert summary["second_models"][title] == done["second_model"]
    assert f"{parameters:,} parameters" in (tmp_path / "table.md").read_text()
    # What was measured stays with the run.
    external_verifier.train(replace(config, resume=True))
    assert (
        json.loads((tmp_path / "summary.json").read_text())["second_models"]
        == (summary["second_models"])
    )
