"""Episodes in files."""

import json

import pytest

from srenv.episode import read_episodes, write_episodes
from tests.support.episodes import made_episode, made_turn


def test_episodes_survive_a_file(tmp_path):
    episode = made_episode(made_turn(True, "correct", 0.5, 0.25), made_turn(None))
    path = write_episodes(tmp_path / "new" / "episodes.jsonl", [episode, episode])
    assert list(read_episodes(path)) == [episode, episode]


def test_files_from_before_a_field_was_recorded_are_read(tmp_path):
    record = made_episode(made_turn(True, "correct")).to_json()
    for name in ("cut", "answer_source"):
        del record["turns"][0][name]
    path = tmp_path / "episodes.jsonl"
    path.write_text(json.dumps(record) + "\n")
    (episode,) = read_episodes(path)
    assert (episode.final.cut, episode.final.answer_source) == (0, None)


@pytest.mark.parametrize("line", ["{", "[]", '{"problem": {}}', json.dumps({"turns": []})])
def test_a_line_that_is_no_episode_is_named(tmp_path, line):
    path = tmp_path / "episodes.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValueError, match="line 1"):
        list(read_episodes(path))
