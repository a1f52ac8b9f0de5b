"""Measure self-correction on problems of your own, one JSON object a line.

    python examples/evaluate_real_problems.py
    python examples/evaluate_real_problems.py --file math500.jsonl --model Qwen/Qwen2.5-7B-Instruct

The bundled model can only solve linear equations; the other problems show what failure looks like.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import tyro

from agents.evaluate import EvaluateConfig, evaluate
from agents.models.paths import TINY


def main(
    file: Path = Path(__file__).parent / "problems.jsonl",
    model: str = TINY,
    n: int = 100,
    max_new_tokens: int = 128,
    output: Path = Path("runs/real_problems"),
) -> None:
    """Evaluate a model on a JSONL file with the keys problem and answer.

    Args:
        file: The problems.
        model: Folder or hub id; the bundled model by default.
        n: Number of problems; at most all are used.
        max_new_tokens: Greatest length of one turn; a real model wants 2048.
        output: Folder for metrics.json and episodes.jsonl; an evaluation in it is resumed.
    """
    evaluate(
        EvaluateConfig(
            model=model,
            problems=f"jsonl:{file}",
            n=n,
            max_new_tokens=max_new_tokens,
            output=output,
            resume=True,
        )
    )


if __name__ == "__main__":
    tyro.cli(main)
