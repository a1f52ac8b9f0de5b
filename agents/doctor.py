"""Reports the machine and its engines, and checks that engines load the weights of a trainer."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from transformers import AutoModelForCausalLM

from agents.engines import TrainableEngine
from agents.engines.backend import Backend, EngineOptions
from agents.engines.canary import TOLERANCE, disagreement
from agents.engines.registry import backends, choose
from agents.models.paths import TINY, model_path
from agents.runs.progress import console

_PACKAGES = ("srenv", "gymnasium", "torch", "transformers", "trl", "accelerate", "peft", "vllm")


@dataclass(frozen=True)
class DoctorConfig:
    """Print versions, devices and threads, and check that every engine loads new weights."""

    model: str = TINY
    """Folder or hub id of the model whose weights are loaded in the check."""


def doctor(config: DoctorConfig) -> None:
    """Prints a table of the machine, the engines, and whether their weights can be replaced.

    Raises:
        RuntimeError: An engine does not load the weights of a model.
    """
    table = Table("what", "found", title="srenv doctor", title_justify="left")
    for what, value in _machine():
        table.add_row(what, value)
    failed = []
    for backend in backends():
        state, ok = _engine_state(backend, config.model)
        table.add_row(f"engine, {backend.name}", state)
        failed += [] if ok else [backend.name]
    console.print(table)
    if failed:
        raise RuntimeError(
            f"{' and '.join(failed)} did not load the new weights; rollouts from it would be "
            "off-policy"
        )


def _engine_state(backend: Backend, model: str) -> tuple[str, bool]:
    """Returns what to say of an engine, and False if it fails."""
    if backend.remote:
        return "behind --base-url", True
    if not backend.installed():
        return "not installed", True
    with closing(backend.load(EngineOptions(model))) as engine:
        if not isinstance(engine, TrainableEngine):
            return "ok; does not take new weights", True
        before, after = sync_check(engine, model)
    ok = after < TOLERANCE < before
    return (
        f"weight sync {'ok' if ok else 'FAILED'}: log-probs off by {before:.2g} nats before, "
        f"{after:.2g} after",
        ok,
    )


def sync_check(engine: Any, model: str | Path) -> tuple[float, float]:
    """Changes a copy of the model, syncs it into the engine, and puts the old weights back.

    Returns:
        The disagreement of copy and engine (see `canary.disagreement`) before and after the sync.
    """
    copy: Any = AutoModelForCausalLM.from_pretrained(model_path(model), dtype=torch.float32)
    old = {name: p.detach().clone() for name, p in copy.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in copy.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * p.std().clamp(min=0.01))
    before = disagreement(engine, copy)
    engine.load_weights(copy.named_parameters())
    after = disagreement(engine, copy)
    engine.load_weights(old.items())
    return before, after


def _machine() -> Iterator[tuple[str, str]]:
    yield "Python", f"{platform.python_version()} on {platform.platform()}"
    for package in _PACKAGES:
        yield package, _version(package)
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield "GPUs", ", ".join(devices) or "none"
    yield "cores", f"{os.cpu_count()}, busy: {os.getloadavg()[0]:.1f}"
    yield "torch threads", str(torch.get_num_threads())
    yield "engine by default", choose("auto").name


def _version(package: str) -> str:
    # The wheel for CPUs has another name.
    for name in (package, f"{package}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "not installed"
