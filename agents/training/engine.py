"""The engine behind a trainer: TRL's settings for it, and the engine once the trainer stands.

TRL starts vLLM and moves the weights there; episodes are played against the engine itself, because
TRL's own call for one turn waits for the slowest conversation. Every process talks to the engine
alone, so processes may have different numbers of live conversations.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from accelerate import DistributedType

from agents.engines.base import Engine
from agents.engines.registry import EngineName, choose
from agents.engines.server import ServerEngine, ServerOptions
from agents.engines.transformers import TransformersEngine
from agents.engines.vllm import VLLMEngine, prepare_environment
from agents.models.chat import ChatFormat


def trl_settings(name: EngineName, base_url: str | None, memory: float) -> dict[str, Any]:
    """The part of `GRPOConfig` that concerns the engine.

    Args:
        name: The engine.
        base_url: Address of the server.
        memory: Share of a GPU's memory that vLLM may take beside the trainer.

    Raises:
        ValueError: The server's address is missing.
    """
    chosen = choose(name, base_url)
    if chosen == "transformers":
        return {}
    # The ratio of a whole episode is a product over all its turns, and would mask long ones.
    settings = {"use_vllm": True, "vllm_importance_sampling_mode": "token_truncate"}
    if chosen == "vllm":
        prepare_environment()
        return {**settings, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": memory}
    if not base_url:
        raise ValueError("--engine server needs --base-url, such as http://localhost:8000/v1")
    root = base_url.rstrip("/").removesuffix("/v1")
    return {**settings, "vllm_mode": "server", "vllm_server_base_url": root}


def prepare_sync(trainer: Any) -> None:
    """Lets weights reach a vLLM that runs on a CPU, where they are kept repacked.

    Raises:
        ValueError: The model is spread over processes and is to generate by itself.
    """
    if not trainer.use_vllm:
        refuse_spread_models(trainer.accelerator.state)
    elif trainer.vllm_mode == "colocate" and not torch.cuda.is_available():
        generation = trainer.vllm_generation
        generation.sync_weights = partial(_sync_on_cpu, generation, trainer_engine(trainer))


def refuse_spread_models(state: Any) -> None:
    """Raises where every forward pass is a collective: processes would wait for each other.

    Args:
        state: Accelerate's `AcceleratorState`.

    Raises:
        ValueError: FSDP or DeepSpeed ZeRO-3 spreads the model.
    """
    zero = state.distributed_type == DistributedType.DEEPSPEED and state.deepspeed_plugin
    if state.distributed_type == DistributedType.FSDP or (zero and zero.zero_stage == 3):
        raise ValueError(
            "a model that is spread over processes cannot play episodes by itself: "
            "choose --engine vllm or --engine server"
        )


def trainer_engine(trainer: Any) -> Engine:
    """The engine that has the trainer's weights, as TRL synced them last."""
    model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
    if not trainer.use_vllm:
        return TransformersEngine(model, trainer.processing_class)
    if trainer.vllm_mode == "server":
        # The main process sends the weights; nobody may ask before they have arrived.
        trainer.accelerator.wait_for_everyone()
        return ServerEngine(ServerOptions(f"{trainer.args.vllm_server_base_url}/v1"))
    stop = model.generation_config.eos_token_id
    stop_ids = stop if isinstance(stop, list) else [] if stop is None else [stop]
    chat = ChatFormat(trainer.processing_class, stop_ids)
    return VLLMEngine(trainer.vllm_generation.llm.llm_engine, chat)


def release(trainer: Any) -> None:
    """Shuts down a vLLM beside the trainer, so that the next stage finds its memory free."""
    if trainer.use_vllm and trainer.vllm_mode == "colocate":
        engine: Any = trainer_engine(trainer)
        engine.close()


def _sync_on_cpu(generation: Any, engine: Any) -> None:
    engine.load_weights(generation._iter_named_params())
