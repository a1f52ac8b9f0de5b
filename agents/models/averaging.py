"""Averages the weights of checkpoints that come from one base model (model merging).

Xiong et al. 2025 propose model merging against the loss of verdict accuracy in training; averaging
weights is its simplest form (Wortsman et al. 2022, arXiv 2203.05482).
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

_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def average(
    models: Sequence[str | Path], output: Path, weights: Sequence[float] | None = None
) -> Path:
    """Writes a model whose weights are the weighted mean of those of several models.

    Sums are formed in float32, one tensor at a time; the result has the types of the first model,
    its configuration and its tokenizer.

    Args:
        models: Folders of transformers models with safetensors, or names of `agents.models.paths`.
        output: The new model's folder.
        weights: Positive share of each model, divided by their sum; None makes them equal.

    Returns:
        `output`.

    Raises:
        FileNotFoundError: A folder holds no safetensors.
        ValueError: The models differ in architecture, tensors or tokenizer, or the weights are not
            one positive number per model.
    """
    folders = [Path(model_path(model)) for model in models]
    shares = _shares(len(folders), weights)
    for folder in folders[1:]:
        _refuse_other_kinds(folders[0], folder)
    with ExitStack() as stack:
        files = [_open(folder, stack) for folder in folders]
        for folder, other_files in zip(folders[1:], files[1:], strict=True):
            _refuse_other_shapes(folders[0], files[0], folder, other_files)
        mean = {name: _mean(name, files, shares) for name in files[0]}
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
    """Returns the open file of every tensor, by the tensor's name."""
    if (folder / _INDEX).exists():
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        names = sorted({Path(name).name for name in index["weight_map"].values()})
    elif (folder / _SINGLE).exists():
        names = [_SINGLE]
    else:
        raise FileNotFoundError(
            f"{folder} holds no {_SINGLE}: an average needs folders of models that were saved as "
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
    a, b = (AutoTokenizer.from_pretrained(folder).get_vocab() for folder in (first, other))
    if a != b:
        token = min(token for token in a.keys() | b.keys() if a.get(token) != b.get(token))
        raise ValueError(
            f"the tokenizers of {first} and {other} differ: {token!r} has the ids "
            f"{a.get(token)} and {b.get(token)}, so their weights cannot be averaged"
        )


def _refuse_other_shapes(
    first: Path, first_files: dict[str, Any], other: Path, other_files: dict[str, Any]
) -> None:
    if names := sorted(first_files.keys() ^ other_files.keys()):
        raise ValueError(f"only one of {first} and {other} has the tensor {names[0]}")
    for name, file in first_files.items():
        shapes = [each.get_slice(name).get_shape() for each in (file, other_files[name])]
        if shapes[0] != shapes[1]:
            raise ValueError(f"{name} has shape {shapes[0]} in {first}, {shapes[1]} in {other}")


def _mean(name: str, files: Sequence[dict[str, Any]], shares: Sequence[float]) -> torch.Tensor:
    first: torch.Tensor = files[0][name].get_tensor(name)
    if not first.is_floating_point():
        return first  # counters and tables, the same in all models of an architecture
    total = torch.zeros(first.shape, dtype=torch.float32)
    for by_name, share in zip(files, shares, strict=True):
        total += share * by_name[name].get_tensor(name).float()
    return total.to(first.dtype)
