"""Prompts that do not fit the model's context are refused in the same way by every engine."""

from types import SimpleNamespace

import pytest

import srenv
from agents.engines import ContextError, Sampling, TransformersEngine
from agents.engines.base import Request, open_session
from agents.engines.metered import MeteredEngine
from agents.engines.server import ServerEngine, ServerOptions
from agents.engines.vllm import VLLMEngine
from agents.rollouts.evaluation import play_problems
from agents.rollouts.rollout import rollout
from srenv.metrics import Outcomes, measure
from tests.support import ContinuousEngine
from tests.support.environments import make_env
from tests.support.server import fake_servers

PROBLEMS = srenv.load_problems("synthetic:linear", "eval").take(3)
SAMPLING = Sampling(0.0, 1.0, 8)
REASON = r"prompt of \d+ tokens \+ max_new_tokens of 8 exceeds the model's context of 20"


def transformers_engine(untrained, context):
    engine = TransformersEngine.load(untrained)
    engine.context = context
    return engine


@pytest.fixture(scope="module", params=["transformers", "server"])
def engine_of(request, untrained):
    """Makes an engine of each kind whose context has a number of tokens."""
    if request.param == "transformers":
        yield lambda context: transformers_engine(untrained, context)
        return
    with fake_servers(untrained) as start:
        yield lambda context: ServerEngine(ServerOptions(start(context=context).url))


def test_the_context_is_that_of_the_model(untrained):
    assert TransformersEngine.load(untrained).context == 2048


def test_vllm_says_how_long_a_conversation_may_be():
    config = SimpleNamespace(model_config=SimpleNamespace(max_model_len=77))
    assert VLLMEngine(SimpleNamespace(vllm_config=config), chat=None).context == 77


def test_a_prompt_with_room_for_a_message_is_answered(engine_of):
    engine = engine_of(20)
    for length, fits in ((12, True), (13, False)):
        session = open_session(engine, SAMPLING)
        session.submit(Request(0, [5] * length))
        results = []
        while not results:
            results = session.collect()
        session.close()
        assert isinstance(results[0][1], ContextError) != fits


def test_generate_refuses_too(engine_of):
    with pytest.raises(ContextError, match=REASON):
        engine_of(20).generate([[5] * 13], SAMPLING)


def test_an_evaluation_in_which_nothing_fits_says_what_to_do(engine_of):
    with pytest.raises(RuntimeError, match=f"3 of 3 .*{REASON}.*longer context"):
        play_problems(engine_of(20), PROBLEMS, SAMPLING, "")


def test_episodes_that_outgrow_the_context_are_counted(engine_of, tmp_path):
    engine = engine_of(2048)
    openings = rollout(lambda: make_env(max_attempts=1), engine, PROBLEMS, SAMPLING)
    longest = max(len(record.prompt_ids) for record in openings)
    engine.context = longest + 8  # room for one turn alone
    log = tmp_path / "log.jsonl"
    episodes = play_problems(engine, PROBLEMS, SAMPLING, "", max_attempts=40, log=log)
    failed = [episode for episode in episodes if episode.ending == "failed"]
    assert 0 < len(failed) <= len(episodes)
    assert "exceeds the model's context" in failed[0].failure
    assert measure(Outcomes.of(episodes))["failed"].value == len(failed)
    assert play_problems(engine, PROBLEMS, SAMPLING, "", max_attempts=40, log=log) == episodes


def test_training_sees_a_failed_episode_with_its_reason(untrained):
    engine = transformers_engine(untrained, 20)
    with pytest.raises(RuntimeError, match=f"every episode failed.*ContextError: {REASON}"):
        rollout(make_env, engine, PROBLEMS, SAMPLING)


def test_the_engine_inside_a_meter_refuses(untrained):
    session = open_session(MeteredEngine(transformers_engine(untrained, 20)), SAMPLING)
    session.submit(Request(4, [5] * 30))
    ((key, error),) = session.collect()
    assert key == 4
    assert isinstance(error, ContextError)


def test_an_engine_that_does_not_know_its_context_refuses_nothing(chat):
    engine = ContinuousEngine(chat, lambda key, prompt: "\\boxed{1}\n[VERIFY] correct")
    assert open_session(engine, SAMPLING) is engine


def test_a_server_of_text_is_believed(untrained):
    with fake_servers(untrained, exact=False) as start:
        engine = ServerEngine(ServerOptions(start(faults=["long"] * 3).url))
        assert engine.context is None
        with pytest.raises(RuntimeError, match="maximum context length is 9 tokens"):
            play_problems(engine, PROBLEMS, SAMPLING, "")
