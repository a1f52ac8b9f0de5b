"""The engine that a command asks for, by name."""

from __future__ import annotations

import importlib.util
from typing import Literal

import torch

from agents.engines.base import LoadedEngine
from agents.engines.server import ServerEngine, ServerOptions
from agents.engines.transformers import TransformersEngine
from agents.models.paths import TINY
from agents.runs.processes import process_count
from agents.runs.progress import console

EngineName = Literal["auto", "transformers", "vllm", "server"]


def choose(name: EngineName, base_url: str | None = None) -> EngineName:
    """What ``auto`` stands for: a server if one is named, vLLM where it pays, or transformers."""
    if name != "auto":
        return name
    if base_url:
        return "server"
    vllm = importlib.util.find_spec("vllm") is not None
    return "vllm" if vllm and torch.cuda.is_available() else "transformers"


def make_engine(
    name: EngineName,
    model: str,
    batch_size: int = 256,
    base_url: str | None = None,
    tokenizer: str | None = None,
    patience: float = 300.0,
) -> LoadedEngine:
    """Loads or reaches an engine, and says which when it was chosen here.

    Raises:
        ValueError: An option is missing, or belongs to another engine.
        ImportError: vLLM is not installed.
        ServerError: The server is not there, or does not serve the model.
    """
    chosen = choose(name, base_url)
    if chosen == "server" and not base_url:
        raise ValueError("--engine server needs --base-url, such as http://localhost:8000/v1")
    if chosen != "server" and (base_url or tokenizer):
        raise ValueError(f"--base-url and --tokenizer are for --engine server, not {chosen}")
    if chosen == "server":
        named = None if model == TINY else model
        options = ServerOptions(base_url or "", named, tokenizer, batch_size, patience)
        engine = ServerEngine(options)
        kind = "token-exact" if engine.exact else "text only: no token log-probs"
        console.print(f"engine: {engine.model} at {base_url} ({kind})")
        return engine
    if chosen == "vllm":
        from agents.engines.vllm import VLLMEngine

        console.print("engine: vllm, in this process")
        return VLLMEngine.load(model, batch_size)
    return TransformersEngine.load(model, batch_size)


def stage_engine(name: EngineName, model: str, base_url: str | None, served: bool) -> LoadedEngine:
    """The engine for one stage of a run; where the one that was asked for cannot serve, another.

    Args:
        name: The engine that the run was told to use.
        model: Folder, hub id or name of the model that plays.
        base_url: Address of the run's server, if it has one.
        served: Whether the server has the weights of this model.

    Raises:
        ValueError: An option is missing, or belongs to another engine.
        ImportError: vLLM is not installed.
        ServerError: The server is not there, or does not serve the model.
    """
    chosen = choose(name, base_url)
    if chosen == "server" and base_url and not served:
        chosen = choose("auto")
        console.print(f"engine: {chosen}, as {base_url} does not have the weights of {model}")
        base_url = None
    if chosen == "vllm" and process_count() > 1:
        # It would take the processes that train together for its own.
        chosen = "transformers"
        console.print("engine: transformers, as vLLM plays alone in one process only")
    return make_engine(chosen, model, base_url=base_url)
