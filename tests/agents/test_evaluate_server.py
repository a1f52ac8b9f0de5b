"""An evaluation through a server plays what anyone plays with the same model.

`tests/srenv/inspect/test_task.py` holds Inspect's task to the same episodes.
"""

import pytest

import srenv
from agents.evaluate import EvaluateConfig, evaluate
from tests.support.stub_model import NAME, expected_episodes, stub_server


def episodes(tmp_path, **options):
    with stub_server() as address:
        config = EvaluateConfig(
            model=NAME, engine="server", base_url=address, output=tmp_path, **options
        )
        evaluate(config)
    return list(srenv.read_episodes(tmp_path / "episodes.jsonl"))


@pytest.mark.parametrize("protocol", ["default", "intrinsic", "yes_no"])
def test_greedy_episodes_follow_from_problems_and_model(tmp_path, protocol):
    problems = srenv.load_problems("synthetic:linear", "eval").take(6)
    played = episodes(tmp_path, n=6, max_attempts=3, protocol=protocol)
    assert played == expected_episodes(problems, protocol=protocol)


def test_samples_have_seeds_that_follow_from_the_conversation(tmp_path):
    options = {"samples": 2, "max_attempts": 3, "seed": 5}
    problems = srenv.load_problems("synthetic:linear", "eval").take(4, seed=5)
    played = episodes(tmp_path, n=4, temperature=0.7, **options)
    assert played == expected_episodes(problems, **options)
