"""``srenv card``: the files that it writes."""

import json

import pytest

from srenv.commands.card import CardConfig, card
from srenv.episode import write_episodes
from tests.support.episodes import made_episode, made_turn

pytest.importorskip("matplotlib", reason="needs srenv[card]")


@pytest.fixture
def run(tmp_path):
    """The folder of an evaluation."""
    episodes = [
        made_episode(made_turn(n % 3 > 0, "correct", 0.5 + n / 20, probability=0.9))
        for n in range(9)
    ]
    write_episodes(tmp_path / "episodes.jsonl", episodes)
    (tmp_path / "config.json").write_text(json.dumps({"model": "/models/tiny", "n": 9}))
    return tmp_path


def test_an_evaluation_has_its_card_next_to_it(run):
    path = card(CardConfig(str(run)))
    assert path == run / "card.md"
    assert path.read_text().startswith("# How well tiny corrects itself")
    assert (run / "card.png").read_bytes().startswith(b"\x89PNG")
    assert "data:image/png;base64," in (run / "card.html").read_text()


def test_a_row_of_a_run_is_named_on_its_card(run, tmp_path):
    summary = {"episodes": {"after warm-up": ["episodes.jsonl", "final"]}, "result": ""}
    (run / "summary.json").write_text(json.dumps(summary))
    output = tmp_path / "out"
    text = card(CardConfig(f"{run}:after warm-up", name="Mine", output=output)).read_text()
    assert text.startswith("# How well Mine, after warm-up corrects itself")
    assert {path.name for path in output.iterdir()} == {"card.md", "card.html", "card.png"}


def test_a_model_without_verdicts_has_a_figure(tmp_path):
    path = write_episodes(tmp_path / "e.jsonl", [made_episode(made_turn(True))])
    assert card(CardConfig(str(path))).exists()
