"""The benchmark for a GPU, from end to end on a CPU at a toy size."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.recipes import FEW_STEPS

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import gpu


def process(config, model):
    return [gpu.Row("process", str(os.getpid()))]


def failing(config, model):
    raise RuntimeError("out of memory")


@pytest.mark.slow
def test_every_part_runs_and_one_that_fails_is_a_row(tmp_path, monkeypatch):
    # In this process: starting five costs a minute.
    monkeypatch.setattr(gpu, "ProcessPoolExecutor", lambda n, mp_context: ThreadPoolExecutor(n))
    monkeypatch.setattr(gpu, "PARTS", (*gpu.PARTS, failing))
    # A small vocabulary: the logits of a large one take minutes on a CPU without bfloat16.
    monkeypatch.setattr(gpu, "SMOLLM2", gpu.TINY)
    config = gpu.Config(
        models=(gpu.MADE,),
        hidden=256,
        layers=2,
        slots=2,
        waiting=1,
        runs=1,
        demonstrations=40,
        pg=FEW_STEPS,
        output=tmp_path / "gpu.md",
    )
    gpu.main(config)
    page = (tmp_path / "gpu.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ")][2:]
    rows = {cells[0]: cells[1:] for cells in (line.strip("| ").split(" | ") for line in lines)}
    assert rows.pop("failing")[0] == "failed: out of memory"
    assert not [row for row in rows.values() if "failed" in row[0]], page
    assert "tokens a second generated" in rows["policy gradient, every weight"][0]
    assert "GB" in rows["policy gradient, LoRA"][0]
    assert "trained" in rows["fine-tuning, every weight"][0]
    (sync,) = (name for name in rows if name.startswith("weight sync"))
    assert "yes" in page.split(sync)[1].splitlines()[0]
    assert "rollout" in page


@pytest.mark.slow
def test_a_part_has_a_process_of_its_own():
    (row,) = gpu.measure(process, gpu.Config(), "a model")
    assert row.measured != str(os.getpid())


def test_the_model_that_is_made_has_more_than_half_a_billion_parameters():
    config = gpu.Config()
    heads = config.hidden // 64
    attention = 2 * config.hidden**2 * (1 + (heads // 4) / heads)
    assert config.layers * (attention + 12 * config.hidden**2) > 5e8
