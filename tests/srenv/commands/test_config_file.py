"""`--config FILE`: a run made again from its config.json, and options in YAML."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from agents.evaluate import EvaluateConfig
from agents.recipes import RECIPES, find_recipe
from srenv.commands.config_file import read_config
from srenv.commands.main import main, parse_options
from srenv.json_files import to_json


@dataclass(frozen=True)
class Stage:
    steps: int = 10
    rate: float = 0.1


@dataclass(frozen=True)
class Options:
    """Options of a test."""

    model: str = "tiny"
    output: Path = Path("runs/x")
    mode: Literal["fast", "slow"] = "fast"
    limit: int | None = None
    sets: tuple[str, ...] = ("a",)
    resume: bool = False
    first: Stage = field(default_factory=lambda: Stage(steps=40))


def options(*arguments):
    return parse_options("srenv test", Options, arguments, True)


@pytest.fixture
def write(tmp_path):
    """Writes a file of options and returns its path."""

    def write(text, name="options.yaml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_file_that_a_run_of_any_recipe_writes_gives_its_options_back(recipe, tmp_path):
    kind = find_recipe(recipe)[1]
    config = dataclasses.replace(kind(), seed=7, output=tmp_path / "run", eval_problems="rg:x")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(to_json(config)))
    assert read_config(path, kind) == config
    assert parse_options("srenv train", kind, ["--config", str(path)], True) == config


def test_the_file_that_an_evaluation_writes_gives_its_options_back(tmp_path):
    config = EvaluateConfig(n=7, votes=3, temperature=0.5, tokenizer="t")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(to_json(config)))
    assert parse_options("srenv evaluate", EvaluateConfig, [f"--config={path}"], True) == config


def test_options_in_yaml_may_be_few_and_have_dashes(write):
    path = write("limit: 3\nsets: [b, c]\nfirst:\n  rate: 1e-6\nmode: slow\noutput: runs/y\n")
    assert options("--config", str(path)) == Options(
        limit=3, sets=("b", "c"), first=Stage(40, 1e-6), mode="slow", output=Path("runs/y")
    )
    dashed = write("max-attempts: 2\nn: 5\n")
    assert read_config(dashed, EvaluateConfig) == EvaluateConfig(max_attempts=2, n=5)


def test_the_command_line_goes_before_the_file(write):
    path = write("limit: 3\nfirst: {steps: 1, rate: 2}\n")
    given = options("--first.steps", "5", "--config", str(path), "--resume")
    assert given == Options(limit=3, resume=True, first=Stage(5, 2.0))


def test_without_a_file_the_options_are_those_of_the_command_line():
    assert options("--limit", "4") == Options(limit=4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: x", r"options.yaml: unknown option 'modle'. Did you mean .*'model'"),
        ("first: {stepps: 1}", r"unknown option 'first.stepps'. Did you mean 'first.steps'"),
        ("limit: many", r"option limit is 'many', not int \| None"),
        ("first: {steps: 1.5}", r"option first.steps is 1.5, not int"),
        ("first: 3", "first must hold options by name, not 3"),
        ("resume: 1", "option resume is 1, not bool"),
        ("mode: odd", "option mode is 'odd', not .*'fast', 'slow'"),
        ("- a", "it must hold options by name"),
        ("model: !!python/object/apply:os.getcwd []", "not YAML"),
        ("model: [", "not YAML"),
    ],
)
def test_what_is_no_option_is_refused_by_name(write, text, message):
    path = write(text)
    with pytest.raises(ValueError, match=message):
        options("--config", str(path))


def test_a_file_that_is_not_json_is_refused(write):
    with pytest.raises(ValueError, match=r"config.json: not JSON"):
        options("--config", str(write("{", "config.json")))


def test_a_missing_file_ends_the_command_with_its_name(capsys):
    with pytest.raises(SystemExit, match=r"/no/such\.json"):
        main(["evaluate", "--config", "/no/such.json"])


def test_an_option_without_a_default_is_asked_for_on_the_command_line(write):
    @dataclass(frozen=True)
    class Required:
        """Options of which one has no default."""

        problems: str
        n: int = 1

    arguments = ["--config", str(write("n: 3"))]
    with pytest.raises(SystemExit):
        parse_options("srenv test", Required, arguments, True)
    given = parse_options("srenv test", Required, [*arguments, "--problems", "p"], True)
    assert given == Required("p", 3)


def test_the_help_says_that_options_may_be_in_a_file(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    help_text = " ".join(capsys.readouterr().out.split())
    assert "--config FILE" in help_text
    assert "--max-new-tokens" in help_text


def test_an_evaluation_is_made_again_from_the_file_that_it_wrote(tmp_path, untrained):
    first, second = tmp_path / "first", tmp_path / "second"
    main(["evaluate", f"--model={untrained}", "-n=2", "--max-new-tokens=4", f"--output={first}"])
    again = ["evaluate", f"--config={first / 'config.json'}"]
    with pytest.raises(SystemExit, match="holds a finished evaluation"):
        main(again)
    main([*again, f"--output={second}"])
    episodes = [(folder / "episodes.jsonl").read_text() for folder in (first, second)]
    assert episodes[0] == episodes[1]
