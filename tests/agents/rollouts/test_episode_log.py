"""The log of finished episodes, from which a killed evaluation resumes."""

import pytest

from agents.rollouts.episode_log import EpisodeLog


def test_a_line_that_is_no_episode_is_refused(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"key": 1}\n')
    with pytest.raises(ValueError, match="line 1"):
        EpisodeLog(path)
