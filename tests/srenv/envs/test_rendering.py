"""Conversations for people: plain text, and colors for a terminal."""

import gymnasium as gym
import pytest

import srenv
from srenv.envs.rendering import ansi, printable


@pytest.fixture
def rendered():
    """An episode of two turns as text; the first turn tries to steer the terminal."""
    problem = srenv.Problem("p", "2+2?", "4", "test")
    conversation = srenv.Conversation(problem, srenv.Rules(srenv.Protocol(), 2))
    conversation.step("\x1b[2J\u202e[bold]\\boxed{5}\n[VERIFY] wrong")
    conversation.step("\\boxed{4}\n[VERIFY] correct")
    return ansi(conversation.episode)


def test_ansi_shows_every_attempt_and_the_end(rendered):
    assert "attempt 1" in rendered
    assert "attempt 2" in rendered
    assert "declared correct: right" in rendered


def test_ansi_fits_88_columns(rendered):
    assert max(map(len, rendered.splitlines())) <= 88


def test_ansi_has_no_control_characters(rendered):
    assert "\x1b" not in rendered
    assert "\u202e" not in rendered


def test_markup_in_a_turn_is_not_interpreted(rendered):
    assert "[bold]" in rendered


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\x9b", "\r"])
def test_control_characters_become_visible(character):
    assert character not in printable(f"a{character}b")


def test_other_text_stays_as_it_is():
    assert printable("a\tb\nπ") == "a\tb\nπ"


def test_human_mode_prints_every_step(capsys):
    env = gym.make("SelfCorrectMath-v0", render_mode="human")
    env.reset(seed=0)
    assert "Solve" in capsys.readouterr().out
    env.step("\\boxed{1}\n[VERIFY] wrong")
    assert "attempt 1" in capsys.readouterr().out
    assert env.render() is None
