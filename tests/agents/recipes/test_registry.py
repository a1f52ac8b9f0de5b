"""The table of recipes, and how a recipe is found."""

import subprocess
import sys

import pytest

from agents.recipes import RECIPES, SUMMARIES, find_recipe, register_recipe
from agents.recipes.base import RecipeConfig
from agents.recipes.baselines import star
from agents.recipes.baselines.star import StarConfig


def test_each_recipe_has_a_summary_of_one_line():
    assert set(SUMMARIES) == set(RECIPES)
    assert all(0 < len(summary) <= 80 for summary in SUMMARIES.values())


def test_summaries_are_imported_without_torch():
    code = "import sys; from agents.recipes import SUMMARIES; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", ["star", "agents.recipes.baselines.star:train"])
def test_a_recipe_is_found_by_name_or_by_path(name):
    assert find_recipe(name) == (star.train, StarConfig)


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_takes_a_recipe_configuration(name):
    assert issubclass(find_recipe(name)[1], RecipeConfig)


def test_a_registered_recipe_is_found(monkeypatch):
    monkeypatch.setattr("agents.recipes.RECIPES", dict(RECIPES))
    register_recipe("mine", star.train)
    assert find_recipe("mine") == (star.train, StarConfig)


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(ValueError, match="Did you mean 'star'"):
        find_recipe("starr")


def test_a_function_that_is_no_recipe_is_refused():
    with pytest.raises(ValueError, match="one annotated dataclass"):
        find_recipe("agents.recipes.baselines.star:repairs")
