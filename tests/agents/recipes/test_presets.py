"""Presets: files of options that parse, make sense, and give way to the command line."""

import json

import pytest

from agents.recipes import find_recipe
from agents.recipes.check import check_batches
from agents.recipes.presets import FOLDER, expand_preset, preset_file, preset_names
from srenv.commands.config_file import read_config
from srenv.commands.main import main, parse_options
from tests.support.smollm2 import real_smollm2

FILES = sorted(FOLDER.glob("*/*.yaml"))


def test_every_size_of_model_has_a_preset_of_both_recipes():
    for recipe in ("self_rewarding", "score"):
        assert preset_names(recipe) == ["0.5b", "1.5b", "7b", "7b-lora", "smollm2"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_options_of_a_preset_are_those_of_its_recipe(path):
    config = read_config(path, find_recipe(path.stem)[1])
    for name, stage in vars(config).items():
        check_batches(name, stage)
    stages = [stage for stage in vars(config).values() if hasattr(stage, "lora_rank")]
    trained = [stage for stage in stages if stage is not config.cold_sft]
    assert all(bool(stage.lora_rank) == (path.parent.name == "7b-lora") for stage in trained)
    # The line says what the file is for, and every file says where its values come from.
    assert path.read_text().startswith("# ")
    assert "et al. 20" in path.read_text()


def test_a_preset_gives_way_to_the_command_line():
    arguments = expand_preset("score", ["--alpha", "3", "--preset", "smollm2", "--stage1.steps=4"])
    config = parse_options("srenv", find_recipe("score")[1], arguments, config_file=True)
    assert (config.alpha, config.stage1.steps, config.stage1.first_kl) == (3.0, 4, 0.1)
    assert (config.model, config.problems) == ("smollm2", "synthetic:words?steps=1")


def test_without_a_preset_the_arguments_are_as_they_were():
    assert expand_preset("rise", ["--pre", "x"]) == ["--pre", "x"]


@pytest.mark.parametrize(
    ("recipe", "arguments", "message"),
    [
        ("score", ["--preset", "smolm2"], "Did you mean 'smollm2'"),
        ("rise", ["--preset", "7b"], "preset of rise '7b'"),
        ("score", ["--preset", "7b", "--config", "a.json"], "--preset and --config"),
        ("score", ["--preset", "7b", "--config=a.json"], "--preset and --config"),
    ],
)
def test_an_unknown_preset_is_refused(recipe, arguments, message):
    with pytest.raises(ValueError, match=message):
        expand_preset(recipe, arguments)
    with pytest.raises(SystemExit, match=message):
        main(["train", recipe, *arguments])


def test_help_names_the_presets(capsys):
    main(["train"])
    text = capsys.readouterr().out
    assert all(name in text for name in preset_names("self_rewarding"))


@pytest.mark.slow
def test_a_preset_trains_a_real_model(tmp_path):
    real_smollm2()
    main(
        "train score --preset smollm2 --eval-n 2 --max-new-tokens 8 --cold-start 0 "
        "--stage1.steps 0 --stage2.steps 1 --stage2.problems-per-step 1 "
        "--stage2.group-size 2 --stage2.max-new-tokens 8 --report-to none "
        f"--output {tmp_path / 'run'}".split()
    )
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert next(iter(summary["rows"])) == "base"
    assert summary["config"]["stage2"]["kl"] == 0.01
    assert preset_file("score", "smollm2").is_file()
