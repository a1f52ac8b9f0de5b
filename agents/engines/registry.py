"""The table of engines, and the engine that a command asks for by name."""

from __future__ import annotations

from typing import Annotated

import tyro

from agents.engines.backend import Backend, EngineOptions, TrainerLink
from agents.engines.base import LoadedEngine
from agents.runs.processes import process_count
from agents.runs.progress import console
from srenv.registry import lookup, lookup_or_import

ENGINES: dict[str, str] = {
    "server": "agents.engines.server:SERVER",
    "vllm": "agents.engines.vllm:VLLM",
    "transformers": "agents.engines.transformers:TRANSFORMERS",
}
"""Where the `Backend` of each engine is, as ``module:attribute``; imported when it is asked for.

``auto`` takes the first one that suits the machine.
"""

AUTO = "auto"
"""Name of the engine that is chosen here: a server if there is an address, else a local one."""

EngineName = Annotated[str, tyro.conf.arg(metavar="{" + ",".join([AUTO, *ENGINES]) + "}")]
"""``auto``, a name in `ENGINES`, or the ``module:attribute`` of any other `Backend`."""


def backends() -> list[Backend]:
    """Returns the backends in `ENGINES`, in its order."""
    return [choose(name) for name in ENGINES]


def choose(name: str, base_url: str | None = None) -> Backend:
    """Returns the backend of an engine; ``auto`` is a server if there is an address.

    Raises:
        ValueError: There is no such engine.
    """
    if name == AUTO:
        remote = bool(base_url)
        return next(each for each in backends() if each.remote == remote and each.suits())
    path = name if ":" in name else lookup("engine", name, {**ENGINES, AUTO: AUTO})
    backend = lookup_or_import("engine", path, {})
    if not isinstance(backend, Backend):
        raise ValueError(f"engine {name!r} must be an agents.engines.backend.Backend")
    return backend


def make_engine(name: str, options: EngineOptions) -> LoadedEngine:
    """Loads an engine or connects to it.

    Raises:
        ValueError: There is no such engine, or an option is missing or belongs to another engine.
        ImportError: The engine's package is not installed.
        ServerError: The server cannot be reached, or does not serve the model.
    """
    return _load(choose(name, options.base_url), options)


def stage_engine(name: str, model: str, base_url: str | None, served: bool) -> LoadedEngine:
    """Loads the engine for one stage of a run, or a local one if the engine cannot serve it.

    Args:
        name: The engine that the run was told to use.
        model: Folder, hub id or name of the model that plays.
        base_url: Address of the run's server, if it has one.
        served: Whether the server has the weights of this model.

    Raises:
        ValueError: There is no such engine, or an option is missing or belongs to another engine.
        ImportError: The engine's package is not installed.
        ServerError: The server cannot be reached, or does not serve the model.
    """
    backend = choose(name, base_url)
    if backend.remote and base_url and not served:
        backend = choose(AUTO)
        console.print(f"engine: {backend.name}, as {base_url} does not have the weights of {model}")
        base_url = None
    if backend.one_process and process_count() > 1:
        console.print(f"engine: transformers, as {backend.name} runs in one process only")
        backend = choose("transformers")
    return _load(backend, EngineOptions(model, base_url=base_url))


def trainer_link(name: str, base_url: str | None = None) -> TrainerLink:
    """Returns how an engine generates for a trainer.

    Raises:
        ValueError: There is no such engine, it cannot follow a trainer, or the address of its
            server is missing.
    """
    backend = choose(name, base_url)
    _check_address(backend, base_url)
    if backend.trainer is None:
        raise ValueError(f"--engine {backend.name} cannot generate for a trainer")
    return backend.trainer


def _load(backend: Backend, options: EngineOptions) -> LoadedEngine:
    _check_address(backend, options.base_url, options.tokenizer)
    return backend.load(options)


def _check_address(backend: Backend, base_url: str | None, tokenizer: str | None = None) -> None:
    if backend.remote and not base_url:
        raise ValueError(
            f"--engine {backend.name} needs --base-url, such as http://localhost:8000/v1"
        )
    if not backend.remote and (base_url or tokenizer):
        remote = " or ".join(each.name for each in backends() if each.remote)
        raise ValueError(
            f"--base-url and --tokenizer are for --engine {remote}, not {backend.name}"
        )
