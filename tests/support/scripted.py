"""One scripted model behind each of the three engines."""

from types import ModuleType, SimpleNamespace

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast

from tests.support.server import FakeServer


class Script:
    """What a model writes: the ids of each turn, and on and on behind them if nothing stops it.

    Args:
        tokenizer: The model's tokenizer.
        turns: The ids of each turn with its end.
        request: The text in a prompt that asks for another turn.
    """

    def __init__(self, tokenizer, turns, request):
        self.tokenizer, self.turns, self.request = tokenizer, turns, request
        self.prompts = []

    def ids(self, prompt, stop=(), limit=10_000):
        """Returns what is generated behind a prompt, up to the first of the stop ids."""
        self.prompts.append(list(prompt))
        turn = self.turns[self.tokenizer.decode(prompt).count(self.request)]
        ids = [*turn, *self.tokenizer(" And so on.")["input_ids"]]
        end = next((i + 1 for i, token in enumerate(ids) if token in stop), len(ids))
        return ids[: min(end, limit)]


class ScriptedModel(LlamaForCausalLM):
    """A transformers model whose most probable ids are the script's."""

    def __init__(self, script):
        size = len(script.tokenizer)
        config = LlamaConfig(
            vocab_size=size,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
        )
        super().__init__(config)
        self.script = script

    def generate(self, input_ids, attention_mask, **options):
        prompts = [
            row[mask.bool()].tolist() for row, mask in zip(input_ids, attention_mask, strict=True)
        ]
        self.answers = [self.script.ids(prompt) for prompt in prompts]
        self.width = input_ids.shape[1]
        return super().generate(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False, **options
        )

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, **_):
        return {"input_ids": input_ids}

    def forward(self, input_ids, **_):
        at = input_ids.shape[1] - self.width
        logits = torch.zeros(len(input_ids), 1, self.config.vocab_size)
        for row, answer in enumerate(self.answers):
            logits[row, 0, answer[min(at, len(answer) - 1)]] = 100.0
        return CausalLMOutputWithPast(logits=logits)


class ScriptedVLLM:
    """The part of vLLM's engine that generates."""

    def __init__(self, script):
        self.script = script
        self.waiting = []
        self.parameters = []

    def add_request(self, name, prompt, parameters):
        self.parameters.append(parameters)
        self.waiting.append((name, prompt, parameters))

    def abort_request(self, names):
        pass

    def step(self):
        requests, self.waiting = self.waiting, []
        return [self._output(*request) for request in requests]

    def _output(self, name, prompt, parameters):
        ids = self.script.ids(prompt, parameters.stop_token_ids, parameters.max_tokens)
        logprobs = [{token: SimpleNamespace(logprob=0.0)} for token in ids]
        output = SimpleNamespace(token_ids=ids, logprobs=logprobs)
        return SimpleNamespace(finished=True, request_id=name, outputs=[output])


def vllm_modules():
    """The modules that the vLLM engine imports, by name, without vLLM."""

    def module(name, **attributes):
        made = ModuleType(name)
        made.__dict__.update(attributes)
        return made

    kind = SimpleNamespace(FINAL_ONLY="final")
    return {
        "vllm": module("vllm", SamplingParams=SimpleNamespace),
        "vllm.inputs": module("vllm.inputs", tokens_input=lambda ids: ids),
        "vllm.exceptions": module("vllm.exceptions", VLLMError=ValueError),
        "vllm.sampling_params": module("vllm.sampling_params", RequestOutputKind=kind),
    }


class ScriptedServer(FakeServer):
    """A token-exact server that writes the script."""

    def __init__(self, folder, script):
        self.script = script
        super().__init__(folder)

    def answer(self, path, body):
        if isinstance(body["prompt"], str):  # the probe
            ids = self.tokenizer(body["prompt"], add_special_tokens=False)["input_ids"]
            return {"choices": [{"token_ids": [1], "prompt_token_ids": ids}]}
        ids = self.script.ids(body["prompt"], body["stop_token_ids"], body["max_tokens"])
        logprobs = {"token_logprobs": [0.0] * len(ids)}
        return {"choices": [{"token_ids": ids, "logprobs": logprobs}]}
