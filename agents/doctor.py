"""What this machine has, and whether the engines on it follow a model that is trained."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from transformers import AutoModelForCausalLM

from agents.engines import TransformersEngine
from agents.engines.canary import TOLERANCE, disagreement
from agents.engines.registry import choose
from agents.models.paths import TINY, model_path
from agents.runs.progress import console

_PACKAGES = ("srenv", "gymnasium", "torch", "transformers", "trl", "accelerate", "peft", "vllm")


@dataclass(frozen=True)
class DoctorConfig:
    """Print versions, devices and threads, and check the weight sync of every engine."""

    model: str = TINY
    """Folder or hub id of the model whose weights are synced in the check."""


def doctor(config: DoctorConfig) -> None:
    """Prints the findings.

    Raises:
        RuntimeError: An engine does not follow the weights of a model.
    """
    table = Table("what", "found", title="srenv doctor", title_justify="left")
    for what, found in _machine():
        table.add_row(what, found)
    failed = []
    for name, load in _engines().items():
        before, after = sync_check(load(config.model), config.model)
        holds = after < TOLERANCE < before
        table.add_row(
            f"weight sync, {name}",
            f"{'ok' if holds else 'FAILED'}: log-probs off by {before:.2g} nats before, "
            f"{after:.2g} after",
        )
        failed += [] if holds else [name]
    console.print(table)
    if failed:
        raise RuntimeError(
            f"{' and '.join(failed)} did not take new weights; training with it would go astray"
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
    yield "engine by default", choose("auto")


def _version(package: str) -> str:
    # The wheel for CPUs has another name.
    for name in (package, f"{package}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "not installed"


def _engines() -> dict[str, Callable[[str], Any]]:
    engines: dict[str, Callable[[str], Any]] = {"transformers": TransformersEngine.load}
    if _version("vllm") != "not installed":
        from agents.engines.vllm import VLLMEngine

        engines["vllm"] = VLLMEngine.load
    return engines
