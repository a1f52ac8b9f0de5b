"""One conversation has the same ids on every engine, in rollouts, in SFT and in evaluation."""

import sys
from dataclasses import dataclass

import gymnasium as gym
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

import srenv
from agents.engines import Sampling, TransformersEngine
from agents.engines.server import ServerEngine, ServerOptions
from agents.engines.vllm import VLLMEngine
from agents.models.chat import ChatFormat
from agents.rollouts.evaluation import play_problems
from agents.rollouts.rollout import rollout
from agents.training.sft import Demonstration, tokenize, whole_turns
from srenv.episode import Problem
from srenv.wrappers import ChatObservation
from tests.support.chats import CHATML, LLAMA2, small_tokenizer, trl_template
from tests.support.scripted import Script, ScriptedModel, ScriptedServer, ScriptedVLLM, vllm_modules

PROBLEM = Problem("p", "2+1?", "3", "test")
FIRST, SECOND = "\\boxed{4}\n[VERIFY] wrong", "\\boxed{3}\n[VERIFY] correct"
RETRY = srenv.Protocol().retry
HARMONY = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>"
THOUGHT = "<think>\nhm\n</think>\n\n"


@dataclass
class Format:
    """A chat template over a tokenizer.

    Attributes:
        template: The template; None for a base model.
        eos: The tokenizer's EOS.
        end: What ends a turn.
        thought: How a turn begins.
        start: How a conversation begins.
        bos: Whether the tokenizer puts a BOS in front of a text.
    """

    template: str | None
    eos: str
    end: str
    thought: str = ""
    start: str = ""
    bos: bool = False


FORMATS = {
    "chatml": Format(CHATML, "<|endoftext|>", "<|im_end|>"),
    "gemma": Format(trl_template("gemma"), "<eos>", "<end_of_turn>", start="<s>", bos=True),
    "llama": Format(LLAMA2, "</s>", " </s>", start="<s>[INST] ", bos=True),
    "r1": Format(
        trl_template("deepseek_r1_distill"),
        "<｜end▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
        thought=THOUGHT,
        start="<s><｜User｜>",
    ),
    "harmony": Format(trl_template("gptoss"), "<|return|>", "<|return|>", thought=HARMONY),
    "base": Format(None, "</s>", "</s>", start="<s>User: ", bos=True),
}


@dataclass
class Setting:
    """A format with the script that a model in it follows."""

    format: Format
    chat: ChatFormat
    script: Script


@pytest.fixture(params=FORMATS)
def setting(request, tmp_path):
    form = FORMATS[request.param]
    tokenizer = small_tokenizer(form.template, form.eos, adds_bos=form.bos)
    tokenizer.save_pretrained(tmp_path)
    chat = ChatFormat.load(str(tmp_path))
    turns = [chat.encode_text(form.thought + text) for text in (FIRST, SECOND)]
    return Setting(form, chat, Script(chat.tokenizer, turns, RETRY))


@pytest.fixture(params=["transformers", "vllm", "server"])
def engine(request, setting, tmp_path, monkeypatch):
    chat, script = setting.chat, setting.script
    if request.param == "transformers":
        yield TransformersEngine(ScriptedModel(script), chat.tokenizer)
    elif request.param == "vllm":
        for name, module in vllm_modules().items():
            monkeypatch.setitem(sys.modules, name, module)
        yield VLLMEngine(ScriptedVLLM(script), ChatFormat.load(str(tmp_path)))
    else:
        server = ScriptedServer(str(tmp_path), script)
        yield ServerEngine(ServerOptions(server.url))
        server.stop()


def make_env():
    return ChatObservation(gym.make("srenv:SelfCorrectMath-v0", max_attempts=2))


def test_ids_are_the_same_in_rollout_sft_and_evaluation(setting, engine):
    chat, script, form = setting.chat, setting.script, setting.format
    sampling = Sampling(0.0, 1.0, 400)
    (record,) = rollout(make_env, engine, [PROBLEM], sampling)
    prompts, script.prompts = script.prompts, []
    assert record.error == ""
    written = [i for i, turn in zip(record.ids, record.turns, strict=True) if turn]
    assert written == [*script.turns[0], *script.turns[1]]
    assert chat.tokenizer.decode(written).count(form.end) == 2
    text = chat.tokenizer.decode(record.context)
    assert text.startswith(form.start)
    assert text.endswith(form.end)
    assert f"{form.end}{form.end}" not in text

    (row,) = tokenize(Demonstration(record.episode, whole_turns(0, 1), "test"), chat)
    assert row["input_ids"] == record.context
    assert [label for label in row["labels"] if label >= 0] == written

    (episode,) = play_problems(engine, [PROBLEM], sampling, "evaluate", max_attempts=2)
    assert script.prompts == prompts
    assert [turn.text for turn in episode.turns] == [t.text for t in record.episode.turns]
    assert [turn.verdict for turn in episode.turns] == ["wrong", "correct"]
    assert [turn.answer for turn in episode.turns] == ["4", "3"]


DEFAULTS = {
    "do_sample": True, "temperature": 0.3, "top_k": 3, "top_p": 0.5, "min_p": 0.4,
    "typical_p": 0.3, "top_h": 0.4, "epsilon_cutoff": 0.01, "eta_cutoff": 0.01,
    "repetition_penalty": 1.7, "encoder_repetition_penalty": 1.5, "no_repeat_ngram_size": 1,
    "bad_words_ids": [[5]], "suppress_tokens": [6], "begin_suppress_tokens": [7],
    "forced_eos_token_id": 8, "min_new_tokens": 5, "min_length": 100, "max_length": 101,
    "exponential_decay_length_penalty": (1, 1.5), "sequence_bias": [[[9], 5.0]],
    "renormalize_logits": True, "remove_invalid_values": True, "guidance_scale": 1.5,
    "num_beams": 3, "num_return_sequences": 2, "max_time": 1e-6, "penalty_alpha": 0.6,
    "length_penalty": 2.0, "early_stopping": True,
}  # fmt: skip
"""Every default of sampling that a generation config can carry."""


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
def test_log_probs_agree_with_the_trainers_whatever_the_generation_config_says(
    untrained, temperature
):
    model = AutoModelForCausalLM.from_pretrained(untrained)
    plain = TransformersEngine(model, AutoTokenizer.from_pretrained(untrained))
    prompt = plain.chat.opening([{"role": "user", "content": "1 + 1?"}])
    torch.manual_seed(0)
    expected = plain.generate([prompt] * 3, Sampling(temperature, 1.0, 12))
    model.generation_config = config = GenerationConfig(**DEFAULTS)
    engine = TransformersEngine(model, plain.chat.tokenizer)
    torch.manual_seed(0)
    generations = engine.generate([prompt] * 3, Sampling(temperature, 1.0, 12))
    assert [g.ids for g in generations] == [g.ids for g in expected]
    for generation in generations:
        ids = torch.tensor([prompt + generation.ids])
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0].float() / (temperature or 1.0)
        trained = torch.log_softmax(logits, -1)[:-1].gather(1, ids[0, 1:, None]).squeeze(1)
        assert generation.logprobs == pytest.approx(trained[len(prompt) - 1 :].tolist(), abs=1e-4)
    assert model.generation_config is config


def test_vllm_and_servers_are_asked_for_the_full_distribution(setting, tmp_path, monkeypatch):
    """The names are those of vLLM's `SamplingParams`; unset ones are neutral there."""
    for name, module in vllm_modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    sampling = Sampling(0.7, 1.0, 40)
    vllm = ScriptedVLLM(setting.script)
    VLLMEngine(vllm, setting.chat).generate([[1]], sampling)
    (parameters,) = map(vars, vllm.parameters)
    assert (parameters["temperature"], parameters["top_p"]) == (0.7, 1.0)
    assert not {"top_k", "min_p", "repetition_penalty"} & parameters.keys()
    server = ScriptedServer(str(tmp_path), setting.script)
    try:
        ServerEngine(ServerOptions(server.url)).generate([[1]], sampling)
    finally:
        server.stop()
    (body,) = server.bodies
    neutral = {"temperature": 0.7, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
    neutral |= {"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    assert neutral.items() <= body.items()
    assert body["stop_token_ids"] == parameters["stop_token_ids"] == sorted(setting.chat.stop_ids)
