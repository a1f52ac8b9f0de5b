"""vLLM with the bundled model; skipped if vLLM is not installed (see .ci/vllm)."""

import os
import random

import gymnasium as gym
import pytest
import torch

from tests.support import check_early_ends

pytest.importorskip("vllm", reason="vLLM is not installed; .ci/vllm runs these tests")

from transformers import AutoModelForCausalLM

import srenv
from agents.engines import ContinuousEngine, Request, Sampling, TrainableEngine
from agents.engines.canary import TOLERANCE, disagreement
from agents.engines.vllm import VLLMEngine
from agents.evaluate import EvaluateConfig, evaluate
from agents.models.paths import TINY, model_path
from agents.rollouts.rollout import rollout

pytestmark = pytest.mark.slow

PROBLEMS = srenv.load_problems("synthetic:linear", "eval").take(12)
SAMPLED = Sampling(1.0, 1.0, 40, seed=3)


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=3)


@pytest.fixture(scope="module")
def engine():
    return VLLMEngine.load(TINY, batch_size=64)


@pytest.fixture
def model():
    return AutoModelForCausalLM.from_pretrained(model_path(TINY), dtype=torch.float32).eval()


def push(engine, model):
    engine.load_weights(model.named_parameters())


@pytest.fixture
def changed(engine, model):
    """The model with other weights; the engine gets its own back at the end."""
    original = {name: p.detach().clone() for name, p in model.named_parameters()}
    torch.manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    yield model
    engine.load_weights(original.items())


def test_it_is_continuous_and_trainable(engine):
    assert isinstance(engine, ContinuousEngine)
    assert isinstance(engine, TrainableEngine)


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
def test_sampled_ids_are_kept_with_the_log_probs_of_the_model(engine, model, temperature):
    sampling = Sampling(temperature, 1.0, 40, seed=1)
    records = rollout(make_env, engine, PROBLEMS, sampling)
    assert max(len(record.episode.turns) for record in records) > 1
    for record in records:
        assert record.error == ""
        ids = torch.tensor([record.context])
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0].float() / (temperature or 1.0)
        expected = torch.log_softmax(logits, -1)[:-1].gather(1, ids[0, 1:, None]).squeeze(1)
        expected = expected[len(record.prompt_ids) - 1 :].tolist()
        own = [i for i, turn in enumerate(record.turns) if turn]
        assert [record.logprobs[i] for i in own] == pytest.approx(
            [expected[i] for i in own], abs=1e-3
        )


def test_every_message_ends_with_a_stop_id_or_at_the_maximum_length(engine):
    prompts = [engine.chat.opening([{"role": "user", "content": p.prompt}]) for p in PROBLEMS]
    ended = 0
    for message in engine.generate(prompts, Sampling(1.0, 1.0, 400, seed=3)):
        ended += message.ids[-1] in engine.chat.stop_ids
        assert message.ids[-1] in engine.chat.stop_ids or len(message.ids) == 400
        assert not engine.chat.stop_ids & set(message.ids[:-1])
    assert ended > len(prompts) / 2
    (cut,) = engine.generate(prompts[:1], Sampling(1.0, 1.0, 2, seed=0))
    assert len(cut.ids) == 2


def test_stop_ids_of_the_caller_end_messages(engine):
    check_early_ends(engine, PROBLEMS)


def test_samples_do_not_depend_on_the_batch_or_its_order(engine):
    together = rollout(make_env, engine, PROBLEMS, SAMPLED)
    keys = list(range(len(PROBLEMS)))
    random.Random(0).shuffle(keys)
    shuffled = rollout(make_env, engine, [PROBLEMS[k] for k in keys], SAMPLED, keys=keys)
    by_key = {record.key: record for record in shuffled}
    same = [by_key[k].ids == together[k].ids for k in range(len(PROBLEMS))]
    # Sums in another order can tip a sample whose two candidates are a rounding error apart.
    assert sum(same) >= len(same) - 1


def test_greedy_messages_are_those_of_transformers(engine):
    from agents.engines import TransformersEngine

    prompts = [engine.chat.opening([{"role": "user", "content": p.prompt}]) for p in PROBLEMS]
    greedy = Sampling(0.0, 1.0, 40)
    expected = TransformersEngine.load(TINY).generate(prompts, greedy)
    assert [m.ids for m in engine.generate(prompts, greedy)] == [m.ids for m in expected]


def test_a_conversation_joins_the_running_batch(engine):
    """A request that comes later and is short is answered before the long one."""
    session = engine.session(Sampling(1.0, 1.0, 400, seed=0))
    prompt = engine.chat.opening([{"role": "user", "content": "Solve 3x + 4 = 19."}])
    stop, engine.chat.stop_ids = engine.chat.stop_ids, frozenset({0})  # generate past the end
    try:
        session.submit(Request(0, prompt))
        for _ in range(20):
            assert session.collect() == []
    finally:
        engine.chat.stop_ids = stop
    session.submit(Request(1, prompt))
    answered = []
    while not answered:
        answered = [key for key, _ in session.collect()]
    assert answered == [1]
    session.close()
    assert not engine.engine.has_unfinished_requests()


def test_a_prompt_that_is_too_long_fails_its_request_only(engine):
    session = engine.session(SAMPLED)
    prompt = engine.chat.opening([{"role": "user", "content": "1 + 1"}])
    session.submit(Request(0, prompt * 500))
    session.submit(Request(1, prompt))
    answers = {}
    while len(answers) < 2:
        answers |= dict(session.collect())
    assert "longer than the maximum" in str(answers[0])
    assert answers[1].ids


def test_new_weights_are_loaded(engine, changed):
    assert disagreement(engine, changed) > TOLERANCE
    push(engine, changed)
    assert disagreement(engine, changed) < 1e-4


def test_the_head_of_a_tied_model_follows_its_embedding(engine, changed):
    """On a CPU, vLLM packs the head separately."""
    push(engine, changed)
    with torch.no_grad():
        changed.get_input_embeddings().weight.mul_(0.5)
    assert disagreement(engine, changed) > TOLERANCE
    push(engine, changed)
    assert disagreement(engine, changed) < 1e-4


def test_the_prefix_cache_of_old_weights_is_dropped(engine, changed):
    prompt = engine.chat.opening([{"role": "user", "content": PROBLEMS[0].prompt * 20}])
    greedy = Sampling(0.0, 1.0, 8)
    engine.generate([prompt], greedy)
    push(engine, changed)
    (message,) = engine.generate([prompt], greedy)
    ids = torch.tensor([prompt + message.ids])
    with torch.no_grad():
        logits = changed(input_ids=ids).logits[0, len(prompt) - 1 : -1]
    expected = torch.log_softmax(logits, -1).gather(1, ids[0, len(prompt) :, None]).squeeze(1)
    assert message.logprobs == pytest.approx(expected.tolist(), abs=1e-3)


def test_an_evaluation_runs_in_this_process(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(VLLMEngine, "load", classmethod(lambda *_: engine))
    rows = evaluate(EvaluateConfig(engine="vllm", n=40, output=tmp_path, max_new_tokens=40))
    assert rows[TINY]["n"].value == 40
    episodes = list(srenv.read_episodes(tmp_path / "episodes.jsonl"))
    assert any(turn.verdict_probability for e in episodes for turn in e.turns) or all(
        turn.verdict is None for e in episodes for turn in e.turns
    )
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
