"""The KV cache of the transformers engine: fewer tokens are prefilled, messages stay the same."""

import gymnasium as gym
import pytest
import torch
from transformers import AutoTokenizer, DynamicCache, Qwen2Config, Qwen2ForCausalLM

import srenv
from agents.engines import Sampling, TransformersEngine
from agents.engines.prefix_cache import PrefixCache, is_plain
from agents.engines.transformers import CACHE_BYTES
from agents.models.paths import TINY
from agents.rollouts.rollout import rollout

GREEDY = Sampling(0.0, 1.0, 24)


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=3, protocol="intrinsic")


def load(path, cache_bytes=CACHE_BYTES):
    engine = TransformersEngine.load(path)
    return TransformersEngine(engine.model, engine.chat.tokenizer, 64, cache_bytes)


def tokens_read(engine, work):
    """Positions that the model computes during `work`, padding included."""
    read = []
    hook = engine.model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    work()
    hook.remove()
    return sum(read)


def own_logprobs(model, prompt, ids):
    """Log-probs of `ids` after `prompt` in one forward pass of the model."""
    whole = torch.tensor([[*prompt, *ids]])
    with torch.no_grad():
        logits = model(input_ids=whole).logits[0, len(prompt) - 1 : -1].float()
    return torch.log_softmax(logits, -1).gather(1, whole[0, len(prompt) :, None])[:, 0].tolist()


def test_greedy_conversations_are_the_same_with_and_without_the_cache():
    problems = srenv.load_problems("synthetic:linear", "eval").take(80)
    problems += [problem for problem in problems[:8] for _ in range(4)]  # some in groups
    engine, uncached = load(TINY), load(TINY, 0)
    engine.batch_size = uncached.batch_size = 48
    records = rollout(make_env, engine, problems, GREEDY)
    expected = rollout(make_env, uncached, problems, GREEDY)
    assert engine.prefixes.size > 0 == uncached.prefixes.size
    assert {len(record.episode.turns) for record in records} == {3}
    same = [a.ids == b.ids for a, b in zip(records, expected, strict=True)]
    # Sums in another order can tip a token whose two candidates are a rounding error apart.
    assert sum(same) >= len(same) - 1 >= 100
    for a, b, equal in zip(records, expected, same, strict=True):
        assert not equal or a.logprobs == pytest.approx(b.logprobs, abs=1e-4)


def test_samples_are_the_same_with_and_without_the_cache(untrained):
    problems = [p for p in srenv.load_problems("synthetic:linear").take(4) for _ in range(8)]
    samples = []
    for cache_bytes in (CACHE_BYTES, 0):
        torch.manual_seed(0)
        engine = load(untrained, cache_bytes)
        samples.append(rollout(make_env, engine, problems, Sampling(1.0, 1.0, 12)))
    assert [record.ids for record in samples[0]] == [record.ids for record in samples[1]]


def test_only_new_tokens_are_prefilled(untrained):
    engine, uncached = load(untrained), load(untrained, 0)
    one = Sampling(0.0, 1.0, 1)
    prompt = list(range(20, 120))
    group = [prompt] * 8
    assert tokens_read(uncached, lambda: uncached.generate(group, one)) == 8 * 100
    assert tokens_read(engine, lambda: engine.generate(group, one)) == 99 + 8
    # The next turns begin with the prompt, differ from then on, and are of different lengths.
    later = [[*prompt, *range(30 + i, 40 + 2 * i)] for i in range(8)]
    assert tokens_read(engine, lambda: engine.generate(later, one)) == 8 * 17
    assert tokens_read(engine, lambda: engine.generate(later, one)) == 8


@pytest.mark.parametrize("change", ["load_weights", "optimizer"])
def test_the_cache_of_old_weights_is_dropped(untrained, change):
    engine = load(untrained)
    prompt = list(range(20, 120))
    (before,) = engine.generate([prompt], GREEDY)
    assert before.logprobs == pytest.approx(
        own_logprobs(engine.model, prompt, before.ids), abs=1e-4
    )
    torch.manual_seed(0)
    if change == "load_weights":
        named = engine.model.named_parameters()
        engine.load_weights([(name, p + 0.05 * torch.randn_like(p)) for name, p in named])
        assert engine.prefixes.size == 0
    else:
        optimizer = torch.optim.AdamW(engine.model.parameters(), lr=0.05)
        engine.model(input_ids=torch.tensor([prompt])).logits.logsumexp(-1).mean().backward()
        optimizer.step()
    (after,) = engine.generate([prompt], GREEDY)
    assert after.logprobs == pytest.approx(own_logprobs(engine.model, prompt, after.ids), abs=1e-4)
    assert max(abs(a - b) for a, b in zip(before.logprobs, after.logprobs, strict=False)) > 1e-2


def test_the_least_recently_used_prompts_are_evicted_at_the_limit(untrained):
    engine = load(untrained)
    one = Sampling(0.0, 1.0, 1)
    prompts = [list(range(20 + i, 70 + i)) for i in range(6)]
    engine.generate(prompts[:1], one)
    each = engine.prefixes.size
    small = load(untrained, 3 * each)
    ids = [small.generate([prompt], one)[0].ids for prompt in prompts[:3]]
    assert small.prefixes.size == 3 * each
    assert tokens_read(small, lambda: small.generate(prompts[:1], one)) == 1  # used again
    ids += [small.generate([prompt], one)[0].ids for prompt in prompts[3:5]]
    assert small.prefixes.size == 3 * each
    assert tokens_read(small, lambda: small.generate(prompts[:1], one)) == 1
    assert tokens_read(small, lambda: small.generate(prompts[1:2], one)) > 1
    assert ids == [generation.ids for generation in engine.generate(prompts[:5], one)]


def test_a_model_with_a_sliding_window_reuses_nothing(untrained):
    """Its cache lacks tokens that a later turn may need."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=274, hidden_size=32, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, eos_token_id=3, pad_token_id=0,
        use_sliding_window=True, sliding_window=8, max_window_layers=1,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config).eval()
    engine = TransformersEngine(model, AutoTokenizer.from_pretrained(untrained))
    prompt = list(range(20, 60))
    for prompts in ([prompt] * 3, [[*prompt, *range(80, 90)]] * 3):
        for generation in engine.generate(prompts, GREEDY):
            expected = own_logprobs(model, prompts[0], generation.ids)
            assert generation.logprobs == pytest.approx(expected, abs=1e-4)
    assert engine.prefixes.size == 0


def states(ids):
    """A cache of one row in which every position holds its id."""
    tensor = torch.tensor(ids, dtype=torch.float).reshape(1, 1, -1, 1)
    return DynamicCache([(tensor, -tensor)])


@pytest.fixture
def cache():
    cache = PrefixCache(10**6)
    for ids in [(1, 2, 3), (1, 2), (1, 2, 3, 4, 5), (1, 9), (7, 7, 7)]:
        cache.keep([(0, 0, ids)], states(ids))
    return cache


def test_prefixes_of_other_sequences_are_not_stored_twice(cache):
    assert cache.size == (5 + 2 + 3) * 2 * 4


def test_the_longest_common_prefixes_are_recalled_padded_on_the_left(cache):
    recalled = cache.recall([(1, 2, 3, 8), (7, 7, 5)])
    assert is_plain(recalled)
    # One token of each row is left to prefill.
    assert recalled.layers[0].keys[:, 0, :, 0].tolist() == [[1, 2, 3], [0, 7, 7]]
    assert recalled.layers[0].values[:, 0, :, 0].tolist() == [[-1, -2, -3], [0, -7, -7]]


def test_the_last_token_of_a_prompt_is_never_recalled(cache):
    assert cache.recall([(1, 2, 3, 4, 5)]).get_seq_length() == 4


def test_a_batch_with_an_unknown_prompt_recalls_nothing(cache):
    assert cache.recall([(1, 2, 3), (5, 5, 5)]) is None


def test_a_cleared_cache_recalls_nothing(cache):
    cache.clear()
    assert cache.recall([(1, 2, 3)]) is None
    assert cache.size == 0
