"""What the transformers engine saves by reading nothing twice.

    python benchmarks/prefix_reuse.py      # about two minutes on an idle core

The same conversations are played by two engines over one model: one reads every prompt from the
start, one keeps keys and values (`agents.engines.prefix_cache`). Every turn has its full length and
every episode its full number of turns; openings are filled up to the length that is asked for.
*groups alone* forgets everything between two calls, so that only equal prompts of one
batch are shared. Seconds are CPU seconds of this process, and ratios medians over runs that are
interleaved, so that a busy machine disturbs them little.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch
import transformers
import tyro
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

import srenv
from agents.engines import Generation, Sampling, TransformersEngine
from agents.engines.transformers import CACHE_BYTES
from agents.models.chat import ChatFormat
from agents.models.paths import TINY, model_path
from agents.rollouts.player import Rollout
from agents.rollouts.rollout import rollout


@dataclass(frozen=True)
class Case:
    """One row of the table: how many conversations of which shape."""

    problems: int
    group: int
    opening: int
    turn: int
    attempts: int


@dataclass(frozen=True)
class Config:
    """The benchmark's options."""

    runs: int = 3
    """Runs of each kind."""
    output: Path = Path(__file__).parent / "results" / "prefix_reuse.md"
    """File of the result."""


BUNDLED = (Case(4, 8, 60, 32, 3), Case(32, 1, 60, 32, 3), Case(4, 8, 300, 64, 3))
LARGER = (Case(1, 8, 400, 24, 3),)


class Filled(ChatFormat):
    """Openings of a set length, and turns that nothing but their length ends."""

    def __init__(self, tokenizer: Any, length: int) -> None:
        super().__init__(tokenizer, [])
        self.stop_ids = frozenset({tokenizer.pad_token_id})
        self.length = length

    def opening(self, messages: Any) -> list[int]:
        """Ids of the opening, behind as many letters as are missing."""
        ids = super().opening(messages)
        return self.encode("x" * (self.length - len(ids))) + ids


class GroupsAlone(TransformersEngine):
    """Keeps nothing from one call to the next."""

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Generation]:
        """Continues every prompt."""
        self.prefixes.clear()
        return super().generate(prompts, sampling)


def larger(tokenizer: Any) -> Any:
    """An untrained model of 12 layers of width 512."""
    torch.manual_seed(0)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=512,
            intermediate_size=1536,
            num_hidden_layers=12,
            num_attention_heads=8,
            num_key_value_heads=8,
            max_position_embeddings=4096,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def measure(model: Any, tokenizer: Any, case: Case, runs: int) -> list[str]:
    """One row: seconds without and with reuse, and the ratios."""
    problems = srenv.load_problems("synthetic:linear").take(case.problems)
    repeated = [problem for problem in problems for _ in range(case.group)]

    def make_env() -> gym.Env[str, str]:
        return gym.make(
            "srenv:SelfCorrectMath-v0", protocol="intrinsic", max_attempts=case.attempts
        )

    def play(kind: type[TransformersEngine], cache_bytes: int) -> tuple[float, list[Rollout]]:
        engine = kind(model, tokenizer, 256, cache_bytes)
        engine.chat = Filled(tokenizer, case.opening)
        torch.manual_seed(0)
        began = time.process_time()
        records = rollout(make_env, engine, repeated, Sampling(1.0, 1.0, case.turn))
        return time.process_time() - began, records

    kinds = {
        "uncached": (TransformersEngine, 0),
        "groups": (GroupsAlone, CACHE_BYTES),
        "both": (TransformersEngine, CACHE_BYTES),
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    ids: dict[str, list[list[int]]] = {}
    for _ in range(runs):
        for name, kind in kinds.items():
            spent, records = play(*kind)
            seconds[name].append(spent)
            ids[name] = [record.ids for record in records]
    same = sum(a == b for a, b in zip(ids["uncached"], ids["both"], strict=True))

    def gain(name: str) -> str:
        ratios = [a / b for a, b in zip(seconds["uncached"], seconds[name], strict=True)]
        return f"{statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"

    width, layers = model.config.hidden_size, model.config.num_hidden_layers
    return [
        f"{layers} x {width}",
        f"{case.problems} x {case.group}, openings of {case.opening}, {case.attempts} turns of "
        f"{case.turn}",
        f"{statistics.median(seconds['uncached']):.2f} s",
        f"{statistics.median(seconds['both']):.2f} s",
        gain("groups") if case.group > 1 else "",
        gain("both"),
        f"{same} of {len(repeated)}",
    ]


def main(config: Config) -> None:
    """Measures and writes the table."""
    tokenizer = AutoTokenizer.from_pretrained(model_path(TINY))
    bundled = AutoModelForCausalLM.from_pretrained(model_path(TINY), dtype=torch.float32)
    rows = [measure(bundled, tokenizer, case, config.runs) for case in BUNDLED]
    rows += [measure(larger(tokenizer), tokenizer, case, config.runs) for case in LARGER]
    heads = ["model", "conversations, tokens", "no cache", "prefix cache"]
    heads += ["gain of groups alone", "gain in all", "the same ids sampled"]
    lines = [
        "# What prefix reuse saves",
        "",
        "Written by `python benchmarks/prefix_reuse.py`; its docstring says how. Python "
        f"{platform.python_version()}, torch {torch.__version__}, transformers "
        f"{transformers.__version__}, one thread, {config.runs} runs.",
        "",
        *("| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows)),
        "",
    ]
    print("\n".join(lines))
    config.output.write_text("\n".join(lines), encoding="utf-8")
    print(f"wrote {config.output}")


if __name__ == "__main__":
    main(tyro.cli(Config))
