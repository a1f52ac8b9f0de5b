"""Weighted averages of checkpoints that come from one base model.

Xiong et al. 2025 name model merging as a remedy for what training takes away from the verdicts; the
plain average of weights is its simplest form (Wortsman et al. 2022, arXiv 2203.05482).
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from safetensors import safe_open
from transformers import AutoTokenizer

from agents.models.paths import model_path

_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def average(
    models: Sequence[str | Path], output: Path, weights: Sequence[float] | None = None
) -> Path:
    """Writes the weighted mean of several models' weights as a model of its own.

    Sums are formed in float32, one tensor at a time; the result has the types of the first model,
    its configuration and its tokenizer.

    Args:
        models: Folders of transformers models with safetensors, or ``"tiny"``.
        output: The new model's folder.
        weights: Share of each model, positive; they are divided by their sum. Equal when None.

    Returns:
        `output`.

    Raises:
        FileNotFoundError: A folder holds no safetensors.
        ValueError: The models differ in architecture, tensors or tokenizer, or the weights do not
            fit.
    """
    folders = [Path(model_path(model)) for model in models]
    shares = _shares(len(folders), weights)
    for folder in folders[1:]:
        _refuse_other_kinds(folders[0], folder)
    with ExitStack() as stack:
        stored = [_open(folder, stack) for folder in folders]
        for folder, tensors in zip(folders[1:], stored[1:], strict=True):
            _refuse_other_shapes(folders[0], stored[0], folder, tensors)
        mean = {name: _mean(name, stored, shares) for name in stored[0]}
    output.mkdir(parents=True, exist_ok=True)
    for path in folders[0].iterdir():
        if path.suffix in (".json", ".jinja", ".txt", ".model") and path.name != _INDEX:
            shutil.copy(path, output)
    save_torch_state_dict(mean, output, metadata={"format": "pt"})
    return output


def _shares(count: int, weights: Sequence[float] | None) -> list[float]:
    weights = [1.0] * count if weights is None else list(weights)
    if count < 2 or len(weights) != count:
        raise ValueError(f"an average needs two models or more, each with a weight: {count} models")
    if not all(weight > 0 and math.isfinite(weight) for weight in weights):
        raise ValueError(f"weights of models must be positive numbers, not {weights}")
    return [weight / sum(weights) for weight in weights]


def _open(folder: Path, stack: ExitStack) -> dict[str, Any]:
    """The open file of every tensor, by the tensor's name."""
    if (folder / _INDEX).exists():
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        names = sorted(set(index["weight_map"].values()))
    elif (folder / _WHOLE).exists():
        names = [_WHOLE]
    else:
        raise FileNotFoundError(
            f"{folder} holds no {_WHOLE}: an average needs folders of models that were saved as "
            "safetensors; download a model of the hub first, and merge adapters in"
        )
    files = [stack.enter_context(safe_open(folder / name, framework="pt")) for name in names]
    return {name: file for file in files for name in file.keys()}  # noqa: SIM118 (no iterator)


def _refuse_other_kinds(first: Path, other: Path) -> None:
    kinds = [
        json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
        for folder in (first, other)
    ]
    if kinds[0] != kinds[1]:
        raise ValueError(f"{first} is of the kind {kinds[0]}, {other} is of the kind {kinds[1]}")
    ours, theirs = (AutoTokenizer.from_pretrained(folder).get_vocab() for folder in (first, other))
    if ours != theirs:
        token = min(t for t in ours.keys() | theirs.keys() if ours.get(t) != theirs.get(t))
        raise ValueError(
            f"the tokenizers of {first} and {other} differ: {token!r} has the ids "
            f"{ours.get(token)} and {theirs.get(token)}, so their weights cannot be averaged"
        )


def _refuse_other_shapes(
    first: Path, ours: dict[str, Any], other: Path, theirs: dict[str, Any]
) -> None:
    if lacking := sorted(ours.keys() ^ theirs.keys()):
        raise ValueError(f"only one of {first} and {other} has the tensor {lacking[0]}")
    for name, file in ours.items():
        shapes = [f.get_slice(name).get_shape() for f in (file, theirs[name])]
        if shapes[0] != shapes[1]:
            raise ValueError(f"{name} has shape {shapes[0]} in {first}, {shapes[1]} in {other}")


def _mean(name: str, stored: Sequence[dict[str, Any]], shares: Sequence[float]) -> torch.Tensor:
    first: torch.Tensor = stored[0][name].get_tensor(name)
    if not first.is_floating_point():
        return first  # counters and tables, the same in all models of an architecture
    total = torch.zeros(first.shape, dtype=torch.float32)
    for tensors, share in zip(stored, shares, strict=True):
        total += share * tensors[name].get_tensor(name).float()
    return total.to(first.dtype)
