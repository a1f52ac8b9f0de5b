"""Programs without a sandbox: only if both options say so, and only for one command."""

import json

import pytest

from srenv.commands.main import COMMANDS, main
from srenv.sandbox import default_runner, use_runner
from srenv.sandbox.others import TrustingRunner

GRADING = [name for name in COMMANDS if COMMANDS[name].programs]
TASK = {
    "problem": "Read a number and print its double.",
    "answer": "print(2 * int(input()))",
    "cases": [["2", "4"], ["5", "10"]],
}


class Untouched:
    """A runner that must not run anything."""

    def grade(self, jobs):
        raise AssertionError

    def execute(self, program, stdin, limits):
        raise AssertionError

    def close(self):
        """Has nothing to close."""


@pytest.fixture
def source(tmp_path):
    use_runner(Untouched())
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(TASK))
    yield f"jsonl:{path}?domain=code"
    use_runner(None)


def test_every_command_that_grades_programs_says_how_to_do_without(capsys):
    assert {"train", "evaluate", "validate"} <= set(GRADING)
    for name in GRADING:
        with pytest.raises(SystemExit):
            main([*(["train", "score"] if name == "train" else [name]), "--help"])
        assert "--i-trust-this-code" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sandbox", "none"], "add --i-trust-this-code"),
        (["--sandbox=none"], "add --i-trust-this-code"),
        (["--i-trust-this-code"], "is for --sandbox none"),
        (["--i-trust-this-code", "--sandbox", "bubblewrap"], "is for --sandbox none"),
    ],
)
@pytest.mark.parametrize("command", ["train score", "evaluate", "validate"])
def test_one_of_the_options_alone_is_refused(command, options, message):
    with pytest.raises(SystemExit, match=message):
        main([*command.split(), *options])


def test_both_options_run_programs_without_a_sandbox_for_one_command(source, capsys, monkeypatch):
    graded = []
    original = TrustingRunner.grade
    monkeypatch.setattr(
        TrustingRunner, "grade", lambda self, jobs: graded.extend(jobs) or original(self, jobs)
    )
    main(["validate", source, "--sandbox", "none", "--i-trust-this-code"])
    assert graded
    assert "without a sandbox" in capsys.readouterr().err
    use_runner(keep := Untouched())
    assert default_runner() is keep
    with pytest.raises(AssertionError):
        main(["validate", source])
