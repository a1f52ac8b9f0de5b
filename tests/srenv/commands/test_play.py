import subprocess
import sys

import pytest

import srenv
from srenv.commands.play import PlayConfig, play
from srenv.envs.rendering import ansi, printable


def answers(*lines):
    waiting = list(lines)

    def ask(prompt):
        if not waiting:
            raise EOFError
        return waiting.pop(0)

    return ask


def test_person_plays_an_episode(capsys):
    problem = srenv.load_problems("jsonl:examples/problems.jsonl").problem(0)
    config = PlayConfig(problems="jsonl:examples/problems.jsonl", n=20, seed=0)
    play(config, answers("", "thinking", "-123456", "", "what", "w 0.9", problem.answer, "", "c"))
    said = capsys.readouterr().out
    assert "\\boxed{-123456}" in said
    assert "says wrong (0.9)" in said
    assert "says correct" in said
    assert "gold answer:" in said


def test_turn_in_full_form_is_played_unchanged(capsys):
    play(PlayConfig(seed=0), answers("\\boxed{7}\n[VERIFY] correct", ""))
    said = capsys.readouterr().out
    assert "right?" not in said
    assert "of 1 right" in said


def test_verdict_is_written_in_the_words_of_the_protocol(capsys):
    play(PlayConfig(seed=0, protocol="yes_no"), answers("7", "", "w"))
    said = capsys.readouterr().out
    assert "(Yes or No)? No." in said
    assert "says wrong" in said


def test_command_plays_n_problems(tmp_path):
    run = [sys.executable, "-m", "srenv", "play", "-n", "1"]
    out = subprocess.run(run, input="12\n\nc\n", capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    assert "of 1 right" in out.stdout


def test_ansi_is_plain_text_without_control_sequences():
    problem = srenv.Problem("p", "2+2?", "4", "test")
    conversation = srenv.Conversation(problem, srenv.Rules(srenv.Protocol(), 2))
    conversation.step("\x1b[2J\u202e[bold]\\boxed{5}\n[VERIFY] wrong")
    conversation.step("\\boxed{4}\n[VERIFY] correct")
    text = ansi(conversation.episode)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold]" in text  # markup is not read
    assert text.count("attempt") >= 2
    assert "declared correct: right" in text
    assert max(map(len, text.splitlines())) <= 88


@pytest.mark.parametrize("bad", ["\x1b", "\x07", "\x9b", "\r"])
def test_control_characters_become_visible(bad):
    assert bad not in printable(f"a{bad}b")
    assert printable("a\tb\nπ") == "a\tb\nπ"


def test_human_mode_prints_as_it_happens(capsys):
    import gymnasium as gym

    env = gym.make("SelfCorrectMath-v0", render_mode="human")
    env.reset(seed=0)
    assert "Solve" in capsys.readouterr().out
    env.step("\\boxed{1}\n[VERIFY] wrong")
    assert "attempt 1" in capsys.readouterr().out
    assert env.render() is None
