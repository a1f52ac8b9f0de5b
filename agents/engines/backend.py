"""The interface of a kind of engine: how it is chosen, loaded, and attached to a trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agents.engines.base import Engine, LoadedEngine
from agents.models.chat import ChatOptions


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What a command says about its engine."""

    model: str
    """Folder, hub id or name (`agents.models.paths`) of a model, or a server's name for it."""
    batch_size: int = 256
    """Maximum number of messages generated at once."""
    base_url: str | None = None
    """Address of a server."""
    tokenizer: str | None = None
    """Folder or hub id of the tokenizer of a served model."""
    patience: float = 300.0
    """Seconds for which requests are repeated to a server that does not answer."""
    chat: ChatOptions = field(default_factory=ChatOptions)
    """How conversations are shown to the model."""


def always() -> bool:
    """Returns True."""
    return True


def never() -> bool:
    """Returns False."""
    return False


def requested_model(engine: Any, options: EngineOptions) -> str:
    """Returns the model by the name it was requested by."""
    return options.model


def no_action(_: Any) -> None:
    """Does nothing."""


@dataclass(frozen=True, slots=True)
class TrainerLink:
    """How an engine generates for one of TRL's trainers, with the weights that it trains.

    TRL starts vLLM and sends the weights there. Episodes are played with the engine itself, because
    TRL's own call generates one turn and waits for the slowest conversation. Each process talks to
    the engine independently, so their numbers of live conversations may differ.
    """

    engine: Callable[[Any], Engine]
    """Returns the engine that has the trainer's weights, as they were last synced."""
    settings: Callable[[str | None, float], dict[str, Any]]
    """Returns the part of `GRPOConfig` that concerns the engine, from the address of the server and
    the share of a GPU's memory that the engine may take next to the trainer."""
    check: Callable[[str | None], None] = no_action
    """Refuses an address, before a trainer is built, whose engine cannot serve one."""
    prepare: Callable[[Any], None] = no_action
    """Prepares a trainer that has just been built; raises `ValueError` if it cannot be served."""
    release: Callable[[Any], None] = no_action
    """Frees the memory of the engine after training."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A kind of engine, as `agents.engines.registry.ENGINES` lists it."""

    name: str
    """Its name in `ENGINES`."""
    load: Callable[[EngineOptions], LoadedEngine]
    """Loads the engine, or connects to it."""
    installed: Callable[[], bool] = always
    """Whether the packages that it needs are installed."""
    install: str = "its packages are not installed"
    """What to tell a user who has not installed them."""
    suits: Callable[[], bool] = never
    """Whether ``auto`` may choose it on this machine."""
    remote: bool = False
    """Whether it runs behind an address, with the weights that it was started with. Only such an
    engine takes `base_url`, which it requires, and `tokenizer`."""
    one_process: bool = False
    """Whether it cannot be loaded by several processes that train together."""
    model_name: Callable[[Any, EngineOptions], str] = requested_model
    """Returns the name of the loaded engine's model for tables and files."""
    trainer: TrainerLink | None = None
    """How it generates for a trainer; None if it cannot."""
