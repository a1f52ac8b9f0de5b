"""Generation with transformers: any causal language model, on any device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessor, LogitsProcessorList

from agents.chat import ChatFormat
from agents.engines.base import Generation, Sampling
from agents.tiny import model_path


class TransformersEngine:
    """Runs a transformers model.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer.
        batch_size: Greatest number of turns generated at once.
    """

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = 256) -> None:
        self.model = model
        self.batch_size = batch_size
        stop = model.generation_config.eos_token_id
        stop_ids = stop if isinstance(stop, list) else [] if stop is None else [stop]
        self.chat = ChatFormat(tokenizer, stop_ids)

    @classmethod
    def load(cls, path: str | Path, batch_size: int = 256) -> TransformersEngine:
        """Loads a model by folder, hub id or ``"tiny"``, in bfloat16 onto a GPU if there is one."""
        path = model_path(path)
        cuda = torch.cuda.is_available()
        model: Any = AutoModelForCausalLM.from_pretrained(
            path, dtype=torch.bfloat16 if cuda else torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(path)
        return cls(model.to("cuda" if cuda else "cpu"), tokenizer, batch_size)

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Generation]:
        """Continues every prompt; neighbours in length share a batch, so little is padded."""
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        results: dict[int, Generation] = {}
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            generations = self._batch([prompts[row] for row in rows], sampling)
            results.update(zip(rows, generations, strict=True))
        return [results[index] for index in range(len(prompts))]

    @torch.no_grad()
    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Copies weights into the model, by name.

        Raises:
            KeyError: The model has no parameter of a name.
        """
        own = dict(self.model.named_parameters())
        for name, tensor in weights:
            own[name].copy_(tensor)

    @torch.no_grad()
    def _batch(self, prompts: list[Sequence[int]], sampling: Sampling) -> list[Generation]:
        pad = self.chat.tokenizer.pad_token_id
        width = max(map(len, prompts))
        ids = torch.tensor([[pad] * (width - len(p)) + list(p) for p in prompts])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        recorder = _LogProbRecorder(sampling.temperature or 1.0)
        training = self.model.training
        self.model.eval()
        output = self.model.generate(
            input_ids=ids.to(self.model.device),
            attention_mask=mask.to(self.model.device),
            max_new_tokens=sampling.max_new_tokens,
            do_sample=sampling.temperature > 0,
            temperature=sampling.temperature or None,
            top_p=sampling.top_p if sampling.temperature > 0 else None,
            top_k=0 if sampling.temperature > 0 else None,
            repetition_penalty=1.0,  # some models ship another default; it would skew log-probs
            logits_processor=LogitsProcessorList([recorder]),
            pad_token_id=pad,
            eos_token_id=sorted(self.chat.stop_ids),
        )
        self.model.train(training)
        logprobs = recorder.finish(output)
        return [
            self._trim(row, values)
            for row, values in zip(output[:, width:].tolist(), logprobs.tolist(), strict=True)
        ]

    def _trim(self, ids: list[int], logprobs: list[float]) -> Generation:
        end = next((i + 1 for i, token in enumerate(ids) if token in self.chat.stop_ids), len(ids))
        return Generation(ids[:end], logprobs[:end])


class _LogProbRecorder(LogitsProcessor):
    """Notes the log-probability of every sampled id, holding one step's logits at a time.

    `generate` can return all logits, which at real vocabularies is gigabytes. At each step this
    processor sees which id the previous step chose, and keeps that one number. It runs before
    the temperature is applied, so it applies it itself.
    """

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature
        self.previous: torch.Tensor | None = None
        self.columns: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._record(input_ids)
        self.previous = torch.log_softmax(scores.float() / self.temperature, dim=-1)
        return scores

    def finish(self, output: torch.Tensor) -> torch.Tensor:
        """Returns (batch, new tokens) log-probabilities."""
        self._record(output)
        return torch.stack(self.columns, dim=1)

    def _record(self, ids: torch.Tensor) -> None:
        if self.previous is not None:
            self.columns.append(self.previous.gather(1, ids[:, -1:]).squeeze(1))
