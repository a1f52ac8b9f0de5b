"""The table of engines, and the engine that a command asks for by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import tyro

from agents.engines.backend import Backend, EngineOptions, TrainerLink
from agents.engines.base import LoadedEngine
from agents.models.chat import ChatOptions
from agents.runs.processes import process_count
from agents.runs.progress import console
from srenv.registry import lookup, lookup_or_import

ENGINES: dict[str, str] = {
    "server": "agents.engines.server:SERVER",
    "vllm": "agents.engines.vllm:VLLM",
    "transformers": "agents.engines.transformers:TRANSFORMERS",
}
"""The path of each engine's `Backend`, as ``module:attribute``; imported when it is asked for.

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


def check_engine(name: str, options: EngineOptions) -> Backend:
    """Returns the backend of an engine that can be loaded with these options.

    Raises:
        ValueError: There is no such engine, or an option is missing or belongs to another engine.
        ImportError: The engine's package is not installed.
    """
    backend = _fitting(name, options)
    _check_installed(backend)
    return backend


def make_engine(name: str, options: EngineOptions) -> LoadedEngine:
    """Loads an engine or connects to it.

    Raises:
        ValueError: There is no such engine, or an option is missing or belongs to another engine.
        ImportError: The engine's package is not installed.
        ServerError: The server cannot be reached, or does not serve the model.
    """
    return check_engine(name, options).load(options)


def stage_engine(
    name: str,
    model: str,
    base_url: str | None,
    served: bool,
    chat: ChatOptions | None = None,
) -> LoadedEngine:
    """Loads the engine for one stage of a run, or a local one if the engine cannot serve it.

    Args:
        name: The engine that the run was told to use.
        model: Folder, hub id or name of the model that plays.
        base_url: Address of the run's server, if it has one.
        served: Whether the server has the weights of this model.
        chat: How conversations are shown to the model.

    Raises:
        ValueError: There is no such engine, or an option is missing or belongs to another engine.
        ImportError: The engine's package is not installed.
        ServerError: The server cannot be reached, or does not serve the model.
    """
    options = EngineOptions(model, base_url=base_url, chat=chat or ChatOptions())
    backend = _fitting(name, options)
    if backend.remote and not served:
        backend, options = choose(AUTO), replace(options, base_url=None)
        console.print(f"engine: {backend.name}, as {base_url} does not have the weights of {model}")
    if backend.one_process and process_count() > 1:
        console.print(f"engine: transformers, as {backend.name} runs in one process only")
        backend = choose("transformers")
    _check_installed(backend)
    return backend.load(options)


def trainer_link(name: str, base_url: str | None = None) -> TrainerLink:
    """Returns how an engine generates for a trainer.

    Raises:
        ValueError: There is no such engine, it cannot follow a trainer, or the address of its
            server is missing.
    """
    backend = _fitting(name, EngineOptions("", base_url=base_url))
    if backend.trainer is None:
        raise ValueError(f"--engine {backend.name} cannot generate for a trainer")
    return backend.trainer


def _fitting(name: str, options: EngineOptions) -> Backend:
    """Returns a backend that takes these options."""
    backend = choose(name, options.base_url)
    if backend.remote and not options.base_url:
        raise ValueError(
            f"--engine {backend.name} needs --base-url, such as http://localhost:8000/v1"
        )
    if not backend.remote and (options.base_url or options.tokenizer):
        remote = " or ".join(each.name for each in backends() if each.remote)
        raise ValueError(
            f"--base-url and --tokenizer are for --engine {remote}, not {backend.name}"
        )
    return backend


def _check_installed(backend: Backend) -> None:
    if not backend.installed():
        raise ImportError(f"--engine {backend.name}: {backend.install}")
