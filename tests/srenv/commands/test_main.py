"""The table of commands, the help that is made from it, and what an error looks like."""

import subprocess
import sys
import warnings

import pytest

from agents.recipes import RECIPES
from srenv.commands.main import COMMANDS, main, plain_warnings, wants_threads
from srenv.problems.records import SkippedRows
from srenv.registry import config_of, lookup_or_import


def run(*arguments):
    command = [sys.executable, "-m", "srenv", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help_has_one_line_per_command(arguments, capsys):
    main(arguments)
    help_text = capsys.readouterr().out
    lines = {line.split()[0]: line for line in help_text.splitlines() if line.startswith("  ")}
    assert list(lines) == list(COMMANDS)
    assert all(line.endswith(COMMANDS[name].summary) for name, line in lines.items())
    assert all(len(line) <= 100 for line in lines.values())


@pytest.mark.parametrize("arguments", [["train"], ["train", "-h"], ["train", "--help"]])
def test_train_without_a_recipe_lists_the_recipes(arguments, capsys):
    main(arguments)
    help_text = capsys.readouterr().out
    lines = [line.split()[0] for line in help_text.splitlines() if line.startswith("  ")]
    assert lines == [*RECIPES, "MODULE:FUNCTION"]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train"])
def test_every_command_is_a_function_of_one_dataclass(name):
    function = lookup_or_import("command", COMMANDS[name].function, {})
    assert config_of(name, function).__doc__


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train"])
def test_every_command_describes_its_options(name, capsys):
    with pytest.raises(SystemExit) as leaving:
        main([name, "--help"])
    assert leaving.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: srenv {name}")


@pytest.mark.parametrize("recipe", ["self_rewarding", "process"])
def test_every_recipe_describes_its_options(recipe, capsys):
    with pytest.raises(SystemExit) as leaving:
        main(["train", recipe, "--help"])
    assert leaving.value.code == 0
    assert "--model" in capsys.readouterr().out


def test_the_package_runs_as_a_module():
    result = run("--help")
    assert result.returncode == 0
    assert result.stdout.startswith("usage: srenv COMMAND")


def test_an_unknown_command_is_refused_with_the_nearest_name(capsys):
    with pytest.raises(SystemExit, match=r"'trian'\. Did you mean 'train'\?"):
        main(["trian"])


def test_an_unknown_recipe_is_refused_with_the_nearest_name():
    with pytest.raises(SystemExit, match=r"'scroe'\. Did you mean 'score'\?"):
        main(["train", "scroe"])


def test_an_error_is_one_sentence_and_the_way_to_its_traceback(tmp_path, monkeypatch):
    monkeypatch.delenv("SRENV_TRACEBACK", raising=False)
    missing = str(tmp_path / "missing.jsonl")
    with pytest.raises(SystemExit, match=r"there is no file.*\n.*SRENV_TRACEBACK=1"):
        main(["regrade", missing])


def test_tracebacks_are_shown_on_request(tmp_path, monkeypatch):
    monkeypatch.setenv("SRENV_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        main(["regrade", str(tmp_path / "missing.jsonl")])


@pytest.mark.parametrize(
    ("threads", "model", "base_url", "expected"),
    [
        ("none", "tiny", None, False),
        ("local", "tiny", None, True),
        ("local", "tiny", "http://localhost", False),
        ("always", "tiny", "http://localhost", True),
        ("always", None, None, False),
    ],
)
def test_threads_are_chosen_for_a_model_in_this_process(threads, model, base_url, expected):
    class Options:
        pass

    options = Options()
    options.base_url = base_url
    if model:
        options.model = model
    assert wants_threads(threads, options) is expected


def test_warnings_of_srenv_are_messages_without_a_place_in_the_code():
    with plain_warnings():
        ours = warnings.formatwarning(SkippedRows("2 rows"), SkippedRows, "records.py", 1)
        other = warnings.formatwarning(UserWarning("old"), UserWarning, "theirs.py", 1)
    assert ours == "srenv: 2 rows\n"
    assert "theirs.py:1" in other
