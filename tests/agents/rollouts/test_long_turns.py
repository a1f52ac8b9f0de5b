"""Turns longer than the limit of the environment: their tokens keep the right roles."""

import pytest

import srenv
from agents.engines import Sampling, TransformersEngine
from agents.models.roles import ATTEMPT, ENVIRONMENT, VERDICT
from agents.rollouts.chat_view import ChatView
from agents.rollouts.environments import environment_factory
from agents.rollouts.rollout import rollout
from tests.support import ScriptedEngine

PROBLEM = srenv.Problem("p", "2+2?", "4", "test")
LONG = "One more case. " * 7_000
RIGHT = "so \\boxed{4}\n2+2=4\n[VERIFY] correct"


@pytest.fixture(scope="module")
def chat(untrained):
    return TransformersEngine.load(untrained).chat


def spoken(chat, record, turn, role):
    tokens = zip(record.ids, record.turns, record.roles, strict=True)
    return chat.tokenizer.decode([i for i, t, r in tokens if (t, r) == (turn, role)])


@pytest.mark.parametrize("tool", ["none", "calculator"])
def test_a_long_right_solution_is_right_and_its_tokens_have_the_right_roles(chat, tool):
    make_env = environment_factory(3, tool=tool)
    engine = ScriptedEngine(chat, [[LONG + RIGHT]])
    (record,) = rollout(make_env, engine, [PROBLEM], Sampling(1.0, 1.0, 12))
    turn = record.episode.final
    assert (turn.correct, turn.declared, record.episode.ending) == (True, True, "declared")
    assert turn.cut == len(LONG + RIGHT) - srenv.parsing.MAX_TURN_CHARS
    assert spoken(chat, record, 1, ATTEMPT) == LONG + "so \\boxed{4}"
    assert spoken(chat, record, 1, VERDICT) == "\n2+2=4\n[VERIFY] correct<|end|>"
    assert turn.verdict_probability == pytest.approx(0.9048, abs=1e-4)


def test_a_turn_after_a_long_one_follows_what_the_model_wrote(chat):
    make_env = environment_factory(3, max_turn_chars=100)
    wrong = "x" * 200 + "\\boxed{5}\n[VERIFY] wrong"
    engine = ScriptedEngine(chat, [[wrong, RIGHT]])
    (record,) = rollout(make_env, engine, [PROBLEM], Sampling(1.0, 1.0, 12))
    assert [turn.correct for turn in record.episode.turns] == [False, True]
    assert spoken(chat, record, 1, ATTEMPT) == "x" * 200 + "\\boxed{5}"
    assert srenv.Protocol().retry in spoken(chat, record, 0, ENVIRONMENT)
    assert "x" * 200 in chat.tokenizer.decode(engine.prompts[1])


def test_the_text_of_a_cut_turn_is_told_from_the_reply():
    view = ChatView("User: 2+2?")
    turn = "begin\n\nUser: no\n\nUser: end"
    observation = "User: 2+2?\n\nAssistant: no\n\nUser: end\n\nUser: Again."
    assert view.update(turn, observation) == [{"role": "user", "content": "Again."}]
