"""What a GPU does that a CPU cannot show: rollouts, training, weight sync and memory at 0.5B.

    python benchmarks/gpu.py

Two models: one of more than half a billion parameters, initialized on the spot, and smollm2 if its
package is installed. Of each:

- rollouts in vLLM against vLLM's own `generate` and against a loop with a barrier, in tokens per
  second of wall clock (`benchmarks/rollout.py` explains these); without vLLM, in transformers;
- policy gradient in full and by LoRA, and fine-tuning: tokens per second and peak memory;
- the canary of weight sync: how far engine and trainer are apart before and after it.

Every part has a process of its own, so that memory is the part's. A part that fails is a row that
says why. Without a GPU everything runs on the CPU, slowly.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import torch
import transformers
import trl
import tyro
from rollout_parts import make_env
from rollout_vllm import Setting, sampled, with_vllm
from targets import Row, page
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

import srenv
from agents.doctor import sync_check
from agents.engines import Sampling, TransformersEngine
from agents.engines.backend import EngineOptions
from agents.engines.canary import TOLERANCE
from agents.engines.registry import choose
from agents.models.paths import SMOLLM2, TINY, model_path
from agents.recipes.worked import worked_conversations
from agents.rollouts.rollout import rollout
from agents.training.callbacks import Throughput
from agents.training.policy_gradient import PolicyGradientConfig, train_policy
from agents.training.sft import SftConfig, fine_tune

MADE = "made on the spot"


@dataclass(frozen=True)
class Config:
    """The benchmark's options."""

    models: tuple[str, ...] = (MADE, SMOLLM2)
    """Models, by folder, hub id or name."""
    hidden: int = 1280
    """Hidden size of the model that is made; a multiple of 64 times 4."""
    layers: int = 24
    """Its layers."""
    slots: int = 128
    """Requests that vLLM generates at once."""
    waiting: int = 4
    """Conversations per slot."""
    runs: int = 3
    """Runs of each kind of rollout."""
    demonstrations: int = 512
    """Demonstrations in fine-tuning."""
    pg: PolicyGradientConfig = field(
        default_factory=lambda: PolicyGradientConfig(
            steps=5, problems_per_step=16, group_size=8, micro_batch=16, max_new_tokens=256
        )
    )
    """Policy gradient."""
    output: Path = Path(__file__).parent / "results" / "gpu.md"
    """File of the result."""


def make_model(folder: Path, config: Config) -> str:
    """Writes a random model with a real tokenizer, and returns its folder."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(model_path(SMOLLM2))
    except ImportError:
        tokenizer = AutoTokenizer.from_pretrained(model_path(TINY))
    hidden, heads = config.hidden, config.hidden // 64
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 4 or 1,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(shape).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def rollouts(config: Config, model: str) -> list[Row]:
    """Conversations in vLLM against its own `generate` and a barrier loop, or in transformers."""
    if importlib.util.find_spec("vllm"):
        gpu = torch.cuda.is_available()
        dtype = "bfloat16" if gpu else "float32"
        memory = 0.8 if gpu else 0.2
        setting = Setting(model, dtype, eager=not gpu, memory=memory, now=time.perf_counter)
        return list(with_vllm(config.slots, config.waiting, config.runs, setting))
    problems = srenv.load_problems("synthetic:words").take(config.slots)
    with closing(TransformersEngine.load(model)) as engine:
        began = time.perf_counter()
        sampling = Sampling(1.0, 1.0, config.pg.max_new_tokens, seed=0)
        tokens = sampled(rollout(make_env, engine, problems, sampling))
        rate = tokens / (time.perf_counter() - began)
    return [Row("transformers: rollout (vLLM is not installed)", f"{rate:,.0f} tokens a second")]


def policy_gradient(config: Config, model: str) -> list[Row]:
    """Policy gradient on every weight."""
    return [Row("policy gradient, every weight", train(config, model, config.pg))]


def lora(config: Config, model: str) -> list[Row]:
    """Policy gradient by LoRA."""
    return [Row("policy gradient, LoRA", train(config, model, replace(config.pg, lora_rank=32)))]


def train(config: Config, model: str, pg: PolicyGradientConfig) -> str:
    """Trains a few steps; returns tokens per second and memory."""
    problems = srenv.load_problems("synthetic:words").take(pg.steps * pg.problems_per_step)
    speed = Throughput()
    with tempfile.TemporaryDirectory() as folder:
        train_policy(model, Path(folder), problems, make_env, pg, callbacks=[speed])
    return totals(speed)


def fine_tuning(config: Config, model: str) -> list[Row]:
    """Fine-tuning on worked conversations."""
    problems = srenv.load_problems("synthetic:words").take(config.demonstrations)
    worked = worked_conversations("synthetic:words", problems, seed=0)
    demonstrations = worked[: config.demonstrations]
    speed = Throughput()
    options = SftConfig(epochs=1, batch_size=8, learning_rate=1e-5)
    with tempfile.TemporaryDirectory() as folder:
        fine_tune(model, Path(folder), demonstrations, options, callbacks=[speed])
    return [Row("fine-tuning, every weight", totals(speed))]


def totals(speed: Throughput) -> str:
    """What a training cost, in words."""
    names = {
        "generated_per_second": "{:,.0f} tokens a second generated",
        "trained_per_second": "{:,.0f} trained",
        "peak_memory_gb": "at most {:.1f} GB",
    }
    return ", ".join(
        text.format(speed.totals[name]) for name, text in names.items() if name in speed.totals
    )


def canary(config: Config, model: str) -> list[Row]:
    """Weight sync: how far trainer and engine are apart before and after it."""
    backend = choose("auto")
    with closing(backend.load(EngineOptions(model))) as engine:
        before, after = sync_check(engine, model)
    return [
        Row(
            f"weight sync, {backend.name}: log-probs apart before / after",
            f"{before:.2g} / {after:.2g} nats",
            f"before > {TOLERANCE} > after",
            after < TOLERANCE < before,
        )
    ]


PARTS: tuple[Callable[[Config, str], list[Row]], ...] = (
    rollouts, fine_tuning, policy_gradient, lora, canary,
)  # fmt: skip


def measure(part: Callable[[Config, str], list[Row]], config: Config, model: str) -> list[Row]:
    """Runs a part in a process of its own; a failure is a row."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(part, config, model).result()
        except Exception as error:  # the other parts are worth having
            return [Row(part.__name__.replace("_", " "), f"failed: {error}", "", False)]


def parameters(model: str) -> int:
    """Returns the number of a model's parameters."""
    return int(AutoModelForCausalLM.from_pretrained(model).num_parameters())


def device() -> str:
    """The machine, in words."""
    if torch.cuda.is_available():
        gigabytes = torch.cuda.get_device_properties(0).total_memory / 1e9
        return f"{torch.cuda.get_device_name(0)} ({gigabytes:.0f} GB)"
    return f"no GPU, {os.cpu_count()} CPU cores"


def table(config: Config) -> str:
    """Measures everything and returns the page."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in config.models:
            try:
                model = make_model(Path(folder), config) if name == MADE else model_path(name)
            except ImportError as error:
                rows.append(Row(name, f"left out: {error}"))
                continue
            rows.append(Row(f"**{name}**", f"{parameters(model) / 1e6:,.0f}M parameters"))
            for part in PARTS:
                rows += measure(part, config, model)
    how = (
        f"Written by `python benchmarks/gpu.py` on: {device()}; Python "
        f"{platform.python_version()}, torch {torch.__version__}, transformers "
        f"{transformers.__version__}, TRL {trl.__version__}."
    )
    return page("On a GPU", how, rows)


def main(config: Config) -> None:
    """Measures and writes the table."""
    text = table(config)
    config.output.parent.mkdir(parents=True, exist_ok=True)
    config.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main(tyro.cli(Config))
