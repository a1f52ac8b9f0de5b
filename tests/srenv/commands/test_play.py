"""``srenv play``: a person takes the model's place."""

import subprocess
import sys

import pytest

from srenv.commands.play import PlayConfig, play


def typed(*lines):
    """Returns a reader of lines that leaves after the last one."""
    waiting = list(lines)

    def ask(prompt):
        if not waiting:
            raise EOFError
        return waiting.pop(0)

    return ask


@pytest.fixture
def one_problem(tmp_path):
    """A source with one problem, whose answer is 4."""
    path = tmp_path / "problems.jsonl"
    path.write_text('{"problem": "2+2?", "answer": "4"}')
    return f"jsonl:{path}"


def test_a_bare_answer_is_enough(one_problem, capsys):
    play(PlayConfig(problems=one_problem), typed("", "thinking", "4", "", "c"))
    assert "right  says correct" in capsys.readouterr().out


def test_a_verdict_is_asked_until_it_is_readable(capsys):
    play(PlayConfig(seed=0), typed("7", "", "what", "w 0.9"))
    assert "says wrong (0.9)" in capsys.readouterr().out


def test_an_episode_that_ends_shows_the_gold_answer(one_problem, capsys):
    play(PlayConfig(problems=one_problem), typed("5", "", "c"))
    assert "gold answer: 4" in capsys.readouterr().out


def test_a_turn_with_its_verdict_is_taken_as_it_is(capsys):
    play(PlayConfig(seed=0), typed("\\boxed{7}\n[VERIFY] correct", ""))
    assert "right?" not in capsys.readouterr().out


def test_leaving_prints_the_score(capsys):
    play(PlayConfig(seed=0), typed("\\boxed{7}\n[VERIFY] correct", ""))
    assert "of 1 right" in capsys.readouterr().out


def test_a_verdict_is_written_in_the_words_of_the_protocol(capsys):
    play(PlayConfig(seed=0, protocol="yes_no"), typed("7", "", "w"))
    printed = capsys.readouterr().out
    assert "(Yes or No)? No." in printed
    assert "says wrong" in printed


def test_the_command_reads_from_standard_input():
    run = [sys.executable, "-m", "srenv", "play", "-n", "1"]
    result = subprocess.run(
        run, input="12\n\nc\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "of 1 right" in result.stdout
