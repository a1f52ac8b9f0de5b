import gymnasium as gym
import pytest
import torch
from conftest import ScriptedEngine

import srenv
from agents.chat import ATTEMPT, ENVIRONMENT, VERDICT, ChatFormat
from agents.engines import Sampling, TransformersEngine
from agents.rollout import rollout
from agents.trainer import learnable

PROBLEMS = srenv.load_problems("synthetic:linear", "eval").take(6)
SAMPLED = Sampling(1.0, 1.0, 12)


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=3)


@pytest.fixture(scope="module")
def engine(untrained):
    return TransformersEngine.load(untrained)


def test_the_ids_that_were_sampled_are_the_ids_that_are_kept(engine):
    seen = []

    class Spy:
        chat = engine.chat

        def generate(self, prompts, sampling):
            generations = engine.generate(prompts, sampling)
            seen.extend(zip(map(list, prompts), generations, strict=True))
            return generations

    for record in rollout(make_env, Spy(), PROBLEMS, SAMPLED):
        context = record.prompt_ids + record.ids
        own = [(p, g) for p, g in seen if p[: len(record.prompt_ids)] == record.prompt_ids]
        assert len(own) == len(record.episode.turns)
        for prompt, generation in own:
            # What the engine read and wrote stands in the record at the same place.
            assert context[: len(prompt)] == prompt
            assert context[len(prompt) : len(prompt) + len(generation.ids)] == generation.ids
        kept = [i for i, t in zip(record.ids, record.turns, strict=True) if t]
        assert kept == [i for _, g in own for i in g.ids]
        assert [x for x, t in zip(record.logprobs, record.turns, strict=True) if t] == [
            x for _, g in own for x in g.logprobs
        ]


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
def test_log_probs_are_those_of_the_models_forward(engine, temperature):
    torch.manual_seed(0)
    sampling = Sampling(temperature, 1.0, 12)
    for record in rollout(make_env, engine, PROBLEMS, sampling):
        ids = torch.tensor([record.prompt_ids + record.ids])
        with torch.no_grad():
            logits = engine.model(input_ids=ids).logits[0].float() / (temperature or 1.0)
        expected = torch.log_softmax(logits, -1)[:-1].gather(1, ids[0, 1:, None]).squeeze(1)
        expected = expected[len(record.prompt_ids) - 1 :]
        for mine, theirs, turn in zip(
            record.logprobs, expected.tolist(), record.turns, strict=True
        ):
            if turn:
                assert mine == pytest.approx(theirs, abs=1e-4)


def test_roles_turns_and_probabilities_of_a_scripted_episode(engine):
    problem = srenv.Problem("p", "2+2?", "4", "test")
    lines = [["so \\boxed{5}\n2+2=4\n[VERIFY] wrong", "\\boxed{4}\n[VERIFY] correct"]]
    (record,) = rollout(make_env, ScriptedEngine(engine.chat, lines), [problem], SAMPLED)
    assert record.episode.ending == "declared"
    text = {
        (turn, role): engine.chat.tokenizer.decode(
            [
                i
                for i, t, r in zip(record.ids, record.turns, record.roles, strict=True)
                if (t, r) == (turn, role)
            ]
        )
        for turn in (0, 1, 2)
        for role in (ENVIRONMENT, ATTEMPT, VERDICT)
    }
    assert text[1, ATTEMPT] == "so \\boxed{5}"
    assert text[1, VERDICT] == "\n2+2=4\n[VERIFY] wrong<|end|>"
    assert text[2, ATTEMPT] == "\\boxed{4}"
    assert srenv.Protocol().retry in text[0, ENVIRONMENT]
    # One token spells the verdict's word, at log-prob -0.1.
    first, second = record.episode.turns
    assert first.verdict_probability == pytest.approx(0.9048, abs=1e-4)
    assert first.token_confidence == pytest.approx(1 - 0.9048, abs=1e-4)
    assert second.token_confidence == pytest.approx(0.9048, abs=1e-4)
    assert learnable(record) == [int(t > 0) for t in record.turns]


def test_a_turn_that_was_cut_is_closed_before_the_next_one(engine):
    class Cut(ScriptedEngine):
        def generate(self, prompts, sampling):
            return [
                type(g)(g.ids[:-1], g.logprobs[:-1]) for g in super().generate(prompts, sampling)
            ]

    problem = srenv.Problem("p", "2+2?", "4", "test")
    lines = [["\\boxed{5}", "\\boxed{4}\n[VERIFY] correct"]]
    (record,) = rollout(make_env, Cut(engine.chat, lines), [problem], SAMPLED)
    end = engine.chat.tokenizer.eos_token_id
    first_own = record.turns.index(0)
    assert record.ids[first_own] == end


def test_undecided_turns_are_masked_out(engine):
    huge = srenv.Problem("huge", "?", "9^{9^{9^{9}}}", "test")
    lines = [["\\boxed{8^{8^{8^{8}}}}\n[VERIFY] correct"]]
    (record,) = rollout(make_env, ScriptedEngine(engine.chat, lines), [huge], SAMPLED)
    assert set(learnable(record)) == {0}


def test_greedy_is_repeatable_and_batching_does_not_matter(engine):
    greedy = Sampling(0.0, 1.0, 10)
    prompts = [engine.chat.opening([{"role": "user", "content": "1" * n}]) for n in (1, 9, 30)]
    together = engine.generate(prompts, greedy)
    alone = [engine.generate([p], greedy)[0] for p in prompts]
    assert [g.ids for g in together] == [g.ids for g in alone]


def test_every_sentence_of_the_protocols_is_one_token(engine):
    from transformers import AutoTokenizer

    from agents.tiny import TINY, model_path
    from agents.tiny.tokenizer import phrases

    bundled = AutoTokenizer.from_pretrained(model_path(TINY))
    for phrase in phrases():
        assert len(bundled(phrase)["input_ids"]) == 1, phrase
    for text in ("π ≈ 3\n\ttab", "\\frac{1}{2}", "日本 \\boxed{4}\n[VERIFY] wrong"):
        assert bundled.decode(bundled(text)["input_ids"]) == text


def test_a_tokenizer_without_a_template_gets_a_plain_one(untrained):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(untrained)
    tokenizer.chat_template = None
    chat = ChatFormat(tokenizer)
    ids = chat.opening([{"role": "user", "content": "Hello"}])
    assert tokenizer.decode(ids) == "User: Hello<|end|>\n\nAssistant: "
    assert tokenizer.decode(chat.follow_up({"role": "user", "content": "Go"}, True)) == (
        "\n\nUser: Go<|end|>\n\nAssistant: "
    )


def test_sampling_refuses_nonsense():
    with pytest.raises(ValueError, match="temperature"):
        Sampling(temperature=-1)
