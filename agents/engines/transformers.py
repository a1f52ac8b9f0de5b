"""Generation with transformers: any causal language model, on any device."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import DistributedType
from accelerate.utils.memory import clear_device_cache
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    EosTokenCriteria,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from agents.engines.backend import Backend, EngineOptions, TrainerLink, always
from agents.engines.base import Generation, Sampling, check_context
from agents.engines.prefix_cache import Ids, PrefixCache, is_plain
from agents.engines.roomy_cache import with_room
from agents.models.chat import ChatFormat, ChatOptions, stop_ids
from agents.models.paths import model_path
from agents.models.precision import cpu_bfloat16

CACHE_BYTES = 2**31
"""Default limit of an engine's KV cache."""
LEAVING = 8
"""Fewest turns that leave a batch together."""


class TransformersEngine:
    """Runs a transformers model.

    Equal prompts of a batch are prefilled once, and the next turn of a conversation prefills only
    its new tokens. Turns that have ended leave the batch whenever half of it has.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer.
        batch_size: Maximum number of turns generated at once.
        cache_bytes: Maximum size of the KV cache that is kept between calls; 0 keeps none.
        chat: How conversations are shown to the model.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        batch_size: int = 256,
        cache_bytes: int = CACHE_BYTES,
        chat: ChatOptions | None = None,
    ) -> None:
        self.model = model
        self.batch_size = batch_size
        text_config = model.config.get_text_config()
        self.context: int | None = getattr(text_config, "max_position_embeddings", None)
        self.prefixes = PrefixCache(cache_bytes)
        # Whether a cache can be taken apart is known from the first one that the model makes.
        self._plain = True
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._takes_cache = "past_key_values" in inspect.signature(base.forward).parameters
        self._version = self._weights_version()
        self.chat = ChatFormat(tokenizer, stop_ids(model.generation_config), chat)

    @classmethod
    def load(
        cls, path: str | Path, batch_size: int = 256, chat: ChatOptions | None = None
    ) -> TransformersEngine:
        """Loads a model by folder, hub id or name, onto a GPU if there is one.

        It calculates in bfloat16 on a GPU, and on a CPU if that is faster.
        """
        path = model_path(path)
        cuda = torch.cuda.is_available()
        bfloat16 = cuda or cpu_bfloat16(path)
        model: Any = AutoModelForCausalLM.from_pretrained(
            path, dtype=torch.bfloat16 if bfloat16 else torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(path)
        return cls(model.to("cuda" if cuda else "cpu"), tokenizer, batch_size, chat=chat)

    @torch.no_grad()
    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Generation]:
        """Continues every prompt; prompts of similar length share a batch to limit padding.

        Raises:
            ContextError: A prompt does not fit the model's context.
        """
        for prompt in prompts:
            check_context(prompt, sampling, self.context)
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        results: dict[int, Generation] = {}
        self._forget_if_stale()
        training = self.model.training
        self.model.eval()
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            generations = self._batch([tuple(prompts[row]) for row in rows], sampling)
            results.update(zip(rows, generations, strict=True))
        self.model.train(training)
        return [results[index] for index in range(len(prompts))]

    @torch.no_grad()
    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Copies weights into the model, by name, and drops the KV cache of the old ones.

        Raises:
            KeyError: The model has no parameter of a name.
        """
        self.prefixes.clear()
        parameters = dict(self.model.named_parameters())
        for name, tensor in weights:
            parameters[name].copy_(tensor)

    def close(self) -> None:
        """Frees the model and its KV cache."""
        self.model = None
        self.prefixes.clear()
        clear_device_cache(garbage_collection=True)

    @property
    def _reuses(self) -> bool:
        return self._plain and self.prefixes.limit > 0

    def _batch(self, prompts: list[Ids], sampling: Sampling) -> list[Generation]:
        ids, mask, cache = self._read(prompts)
        width, stop = ids.shape[1], frozenset(sampling.ends(self.chat))
        generations = [Generation([], []) for _ in prompts]
        live = list(range(len(prompts)))
        while live:
            left = sampling.max_new_tokens - (ids.shape[1] - width)
            recorder = _LogProbRecorder(sampling.temperature or 1.0)
            output = self._generate(
                ids, mask, cache, replace(sampling, max_new_tokens=left), recorder
            )
            new, logprobs = output.sequences[:, ids.shape[1] :], recorder.finish(output.sequences)
            for row, part, scores in zip(live, new.tolist(), logprobs.tolist(), strict=True):
                added = _trim(part, scores, stop)
                generations[row].ids.extend(added.ids)
                generations[row].logprobs.extend(added.logprobs)
            ended, stay = [], []
            for place, row in enumerate(live):
                written = generations[row].ids
                if len(written) == sampling.max_new_tokens or written[-1] in stop:
                    start = width - len(prompts[row])
                    ended.append((place, start, (*prompts[row], *written)))
                else:
                    stay.append(place)
            if self._is_plain(output.past_key_values) and self._reuses:
                self.prefixes.keep(ended, output.past_key_values)
            mask = torch.cat([mask, mask.new_ones(new.shape)], dim=1)
            ids, mask, cache = self._rows(stay, output.sequences, mask, output.past_key_values)
            live = [live[place] for place in stay]
        return generations

    def _read(self, prompts: list[Ids]) -> tuple[torch.Tensor, torch.Tensor, Any]:
        """Returns ids and mask of `prompts`, padded on the left, and a cache of the first columns.

        The cache is None if no prefix is cached; otherwise it lacks at least the last column.
        """
        pad, width = self.chat.tokenizer.pad_token_id, max(map(len, prompts))
        rows = list(dict.fromkeys(prompts)) if self._reuses else prompts
        ids = torch.tensor([[pad] * (width - len(p)) + list(p) for p in rows])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in rows])
        ids, mask = ids.to(self.model.device), mask.to(self.model.device)
        cache: Any = self.prefixes.recall(rows) if self._reuses else None
        if len(rows) == len(prompts):
            return ids, mask, cache
        if width > 1 and (cache is None or cache.get_seq_length() < width - 1):
            # Generating one greedy token is the shortest way to prefill all columns but the last.
            read = self._generate(ids[:, :-1], mask[:, :-1], cache, Sampling(0.0, 1.0, 1))
            cache = read.past_key_values
        place = {row: index for index, row in enumerate(rows)}
        return self._rows([place[prompt] for prompt in prompts], ids, mask, cache)

    def _rows(
        self, places: list[int], ids: torch.Tensor, mask: torch.Tensor, cache: Any
    ) -> tuple[torch.Tensor, torch.Tensor, Any]:
        """Returns some rows of a batch; without a cache if it cannot be taken apart."""
        index = torch.tensor(places, dtype=torch.long, device=ids.device)
        if cache is not None and self._is_plain(cache):
            cache.batch_select_indices(index)
        else:
            cache = None
        return ids[index], mask[index], cache

    def _generate(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor,
        cache: Any,
        sampling: Sampling,
        *processors: LogitsProcessor,
    ) -> Any:
        if cache is None and self._takes_cache:
            cache = DynamicCache(config=self.model.config)
        stop = sampling.ends(self.chat)
        with _plain_generation(self.model):
            return self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=None if cache is None else with_room(cache),
                max_new_tokens=sampling.max_new_tokens,
                do_sample=sampling.temperature > 0,
                temperature=sampling.temperature or None,
                top_p=sampling.top_p if sampling.temperature > 0 else None,
                top_k=0 if sampling.temperature > 0 else None,
                logits_processor=LogitsProcessorList(processors),
                stopping_criteria=StoppingCriteriaList(
                    [_HalfEnded(stop)] if stop and self._plain else []
                ),
                pad_token_id=self.chat.tokenizer.pad_token_id,
                eos_token_id=stop or None,
                return_dict_in_generate=True,
            )

    def _is_plain(self, cache: Any) -> bool:
        """Returns whether `cache` can be taken apart; if not, no cache of the model will be."""
        self._plain = self._plain and is_plain(cache)
        return self._plain

    def _forget_if_stale(self) -> None:
        """Drops the KV cache if the weights were changed in place, for example by an optimizer."""
        version, self._version = self._version, self._weights_version()
        if version != self._version:
            self.prefixes.clear()

    def _weights_version(self) -> int:
        return sum(parameter._version for parameter in self.model.parameters())


@contextmanager
def _plain_generation(model: Any) -> Iterator[None]:
    """Takes away the sampling defaults that a model came with, which would skew log-probs."""
    # PEFT generates with the config of its wrapper, and leaves it in the model inside.
    holders = [model, *([model.get_base_model()] if hasattr(model, "get_base_model") else [])]
    configs = [holder.generation_config for holder in holders]
    try:
        for holder in holders:
            holder.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
        yield
    finally:
        for holder, config in zip(holders, configs, strict=True):
            holder.generation_config = config


def _trim(ids: list[int], logprobs: list[float], stop: frozenset[int]) -> Generation:
    end = next((i + 1 for i, token in enumerate(ids) if token in stop), len(ids))
    return Generation(ids[:end], logprobs[:end])


class _HalfEnded(StoppingCriteria):
    """Stops a batch once at least half of it has ended, if that spares enough rows to matter."""

    def __init__(self, stop: Sequence[int]) -> None:
        self._ends = EosTokenCriteria(list(stop))
        self._ended: torch.Tensor | None = None

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> torch.Tensor:
        last = self._ends(input_ids, scores)
        self._ended = last if self._ended is None else self._ended | last
        half = int(self._ended.sum()) >= max(LEAVING, len(input_ids) / 2)
        return torch.full_like(last, half)


class _LogProbRecorder(LogitsProcessor):
    """Records the log-probability of every sampled id, holding one step's logits at a time.

    `generate` can return all logits, which is gigabytes with real vocabularies. At each step this
    processor sees the id that the previous step sampled, and keeps its log-probability only. It
    runs before the temperature is applied, so it applies it itself.
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


def refuse_spread_models(state: Any) -> None:
    """Refuses models of which every forward pass is a collective: processes would deadlock.

    Args:
        state: Accelerate's `AcceleratorState`.

    Raises:
        ValueError: FSDP or DeepSpeed ZeRO-3 spreads the model over processes.
    """
    zero = state.distributed_type == DistributedType.DEEPSPEED and state.deepspeed_plugin
    if state.distributed_type == DistributedType.FSDP or (zero and zero.zero_stage == 3):
        raise ValueError(
            "a model that is spread over processes cannot play episodes by itself: "
            "choose --engine vllm or --engine server"
        )


def _load(options: EngineOptions) -> TransformersEngine:
    return TransformersEngine.load(options.model, options.batch_size, options.chat)


def _settings(base_url: str | None, memory: float) -> dict[str, Any]:
    return {}


def _prepare(trainer: Any) -> None:
    refuse_spread_models(trainer.accelerator.state)


def _trainer_engine(trainer: Any) -> TransformersEngine:
    model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
    return TransformersEngine(model, trainer.processing_class)


TRANSFORMERS = Backend(
    name="transformers",
    load=_load,
    suits=always,
    trainer=TrainerLink(engine=_trainer_engine, settings=_settings, prepare=_prepare),
)
"""Generation with transformers in this process; it shares the model of a trainer."""
