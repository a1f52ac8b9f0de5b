"""Shell completion: the script that tyro writes knows every command, recipe and option."""

import shutil
import subprocess
import sys

import pytest

from srenv.commands import main as commands


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    run = [sys.executable, "-m", "srenv", "--tyro-print-completion", "bash"]
    result = subprocess.run(run, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr
    path = tmp_path_factory.mktemp("completion") / "srenv"
    path.write_text(result.stdout, encoding="utf-8")
    return path


def complete(script, *words):
    """Returns what bash offers for the last of the words."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    lines = [
        'source "$1"; shift',
        "function=$(complete -p srenv | sed -E 's/.*-F ([^ ]+) .*/\\1/')",
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()',
        '$function; printf "%s\\n" "${COMPREPLY[@]}"',
    ]
    run = ["bash", "-c", "\n".join(lines), "bash", str(script), *words]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "offers"),
    [
        (("srenv", "ev"), "evaluate"),
        (("srenv", "train", "sc"), "score"),
        (("srenv", "train", "score", "--stage1.le"), "--stage1.learning-rate"),
        (("srenv", "evaluate", "--prot"), "--protocol"),
    ],
)
def test_bash_completes_commands_recipes_and_options(script, words, offers):
    assert offers in complete(script, *words)


def test_without_the_training_extra_the_core_is_completed(monkeypatch, capsys):
    monkeypatch.setattr(commands, "TRAINING_LIBRARIES", ("a_library_that_does_not_exist",))
    with pytest.raises(SystemExit) as leaving:
        commands.main(["--tyro-print-completion", "bash"])
    assert not leaving.value.code
    script = capsys.readouterr().out
    assert "regrade" in script
    assert "self_rewarding" not in script


@pytest.mark.parametrize("arguments", [[], ["tea"], ["bash", "zsh"]])
def test_an_unknown_shell_is_refused(arguments):
    with pytest.raises(SystemExit, match="takes one of bash, zsh"):
        commands.main(["--tyro-print-completion", *arguments])
