"""Episodes as a Minari dataset."""

import json

import pytest

import srenv
from tests.support.environments import make_env, turn

pytestmark = pytest.mark.slow


def test_minari_records_episodes_and_recovers_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    pytest.importorskip("jax", reason='pip install "srenv[gymnasium-tests]"')
    minari = pytest.importorskip("minari", reason='pip install "srenv[gymnasium-tests]"')
    env = minari.DataCollector(make_env())
    # A dataset holds what HDF5 can: a problem by its id, not as an object.
    problem = srenv.load_problems("synthetic:linear").problem(0)
    turns = ["π is no answer 😀", turn(problem.answer, "correct (0.8)")]
    for _ in range(3):
        env.reset(seed=0, options={"problem_id": problem.id})
        for text in turns:
            env.step(text)
    env.create_dataset(
        dataset_id="srenv/test-v0",
        algorithm_name="scripted",
        author="srenv",
        author_email="nobody@example.org",
        code_permalink="none",
    )
    dataset = minari.load_dataset("srenv/test-v0")
    assert dataset.total_episodes == 3
    episode = dataset[0]
    assert list(episode.actions) == turns
    assert episode.observations[0].startswith(f"User: {problem.prompt}")
    assert turns[0] in episode.observations[1]
    assert episode.rewards.tolist() == pytest.approx([-0.5, 1 - 0.5 * 0.2**2 - 0.05])
    recovered = dataset.recover_environment()
    assert recovered.observation_space == env.observation_space
    assert json.loads(recovered.spec.to_json())["id"] == "SelfCorrectMath-v0"
    recovered.reset(seed=0)
