"""The transformers engine; its KV cache is tested in test_prefix_cache.py."""

import pytest
import torch

import srenv
from agents.engines import Sampling, TrainableEngine, TransformersEngine
from agents.models.paths import TINY
from tests.support import check_early_ends

PROBLEMS = srenv.load_problems("synthetic:linear", "eval").take(6)


@pytest.fixture(scope="module")
def engine(untrained):
    return TransformersEngine.load(untrained)


def prompts_of(engine):
    return [engine.chat.opening([{"role": "user", "content": p.prompt}]) for p in PROBLEMS]


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
def test_log_probs_are_those_of_the_models_forward_pass(engine, temperature):
    torch.manual_seed(0)
    prompts = prompts_of(engine)
    generations = engine.generate(prompts, Sampling(temperature, 1.0, 12))
    for prompt, generation in zip(prompts, generations, strict=True):
        ids = torch.tensor([prompt + generation.ids])
        with torch.no_grad():
            logits = engine.model(input_ids=ids).logits[0].float() / (temperature or 1.0)
        expected = torch.log_softmax(logits, -1)[:-1].gather(1, ids[0, 1:, None]).squeeze(1)
        assert generation.logprobs == pytest.approx(expected[len(prompt) - 1 :].tolist(), abs=1e-4)


def test_stop_ids_of_the_caller_end_messages():
    check_early_ends(TransformersEngine.load(TINY), PROBLEMS)


def test_greedy_messages_do_not_depend_on_the_batch(engine):
    greedy = Sampling(0.0, 1.0, 10)
    prompts = [engine.chat.opening([{"role": "user", "content": "1" * n}]) for n in (1, 9, 30)]
    batch = engine.generate(prompts, greedy)
    singles = [engine.generate([prompt], greedy)[0] for prompt in prompts]
    assert [g.ids for g in batch] == [g.ids for g in singles]


def test_turns_that_have_ended_leave_the_batch_and_change_no_other():
    # Half of them have an attempt to write, and half only its last three tokens.
    engine = TransformersEngine.load(TINY)
    problems = srenv.load_problems("synthetic:linear", "eval").take(24)
    prompts = [engine.chat.opening([{"role": "user", "content": p.prompt}]) for p in problems]
    prompts += [[*p, *engine.generate([p], Sampling(0.0, 1.0, 96))[0].ids[:-3]] for p in prompts]
    engine.prefixes.clear()
    rows = []
    hook = engine.model.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    together = engine.generate(prompts, Sampling(0.0, 1.0, 96))
    hook.remove()
    assert rows[0] == 48
    assert rows[4] == 24
    for prompt, generation in zip(prompts, together, strict=True):
        (alone,) = engine.generate([prompt], Sampling(0.0, 1.0, 96))
        assert generation.ids == alone.ids
        assert generation.logprobs == pytest.approx(alone.logprobs, abs=1e-4)


def test_a_message_has_at_most_the_maximum_length(engine):
    generations = engine.generate(prompts_of(engine), Sampling(1.0, 1.0, 3))
    assert all(len(g.ids) <= 3 and len(g.logprobs) == len(g.ids) for g in generations)


def test_the_model_keeps_its_training_mode(engine):
    engine.model.train()
    engine.generate(prompts_of(engine)[:1], Sampling(1.0, 1.0, 2))
    assert engine.model.training
    engine.model.eval()


def test_weights_are_copied_into_the_model(untrained):
    engine = TransformersEngine.load(untrained)
    assert isinstance(engine, TrainableEngine)
    name, parameter = next(iter(engine.model.named_parameters()))
    engine.load_weights([(name, torch.ones_like(parameter))])
    assert bool((parameter == 1).all())


def test_an_unknown_parameter_is_refused(untrained):
    with pytest.raises(KeyError, match="nowhere"):
        TransformersEngine.load(untrained).load_weights([("nowhere", torch.ones(1))])


def test_an_engine_can_be_closed_twice(untrained):
    engine = TransformersEngine.load(untrained)
    engine.close()
    engine.close()
    assert engine.model is None
