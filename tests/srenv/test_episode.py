"""Episodes in files."""

import json

import pytest

from srenv.episode import read_episodes, write_episodes
from tests.support.episodes import made_episode, made_turn


def test_episodes_survive_a_file(tmp_path):
    episode = made_episode(made_turn(True, "correct", 0.5, 0.25), made_turn(None))
    path = write_episodes(tmp_path / "new" / "episodes.jsonl", [episode, episode])
    assert list(read_episodes(path)) == [episode, episode]


@pytest.mark.parametrize("line", ["{", "[]", '{"problem": {}}', json.dumps({"turns": []})])
def test_a_line_that_is_no_episode_is_named(tmp_path, line):
    path = tmp_path / "episodes.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValueError, match="line 1"):
        list(read_episodes(path))
