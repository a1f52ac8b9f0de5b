"""Published methods, each end to end from a base model to a trained one.

A recipe is a function of one configuration, a dataclass that extends `agents.recipes.base.
RecipeConfig`. `srenv train` and `benchmarks/methods.py` know the recipes of this table by name, and
any other as ``module:function``.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Any

from srenv.registry import lookup_or_import
from srenv.rewards import TERMS

RECIPES: dict[str, str | Callable[[Any], Any]] = {
    "self_rewarding": "agents.recipes.self_rewarding.recipe:train",
    "score": "agents.recipes.score:train",
    "rise": "agents.recipes.rise:train",
    "process": "agents.recipes.process.recipe:train",
    "external_verifier": "agents.recipes.external_verifier:train",
    "prompting": "agents.recipes.baselines.prompting:train",
    "star": "agents.recipes.baselines.star:train",
    "pair_sft": "agents.recipes.baselines.pair_sft:train",
    "plain_rl": "agents.recipes.baselines.plain_rl:train",
}
"""Recipes by name; those of srenv are imported when they are asked for."""

SUMMARIES: dict[str, str] = {
    "self_rewarding": "Self-rewarding correction (Xiong et al. 2025)",
    "score": "SCoRe, multi-turn RL in two stages (Kumar et al. 2024)",
    "rise": "RISE, recursive introspection (Qu et al. 2024)",
    "process": "Process-based self-rewarding, DPO on judged steps (Zhang et al. 2025)",
    "external_verifier": "A generator and a separately trained critic (Xiong et al. 2025)",
    "prompting": "Prompting without training: an oracle, and Self-Refine (Madaan et al. 2023)",
    "star": "STaR, imitation of successful corrections (baseline of Kumar et al. 2024)",
    "pair_sft": "Pair-SFT, imitation of synthetic repairs (baseline of Kumar et al. 2024)",
    "plain_rl": "Policy gradient on correctness alone (baseline of Kumar et al. 2024)",
}
"""What each recipe is, in a line, with its paper."""

TERMS["judged_steps"] = "agents.recipes.process.reward:JUDGED_STEPS"


def register_recipe(name: str, train: Callable[[Any], Any]) -> None:
    """Makes a recipe of your own known as `name`."""
    RECIPES[name] = train


def find_recipe(name: str) -> tuple[Callable[[Any], Any], type[Any]]:
    """Returns a recipe and the dataclass that configures it.

    Raises:
        ValueError: There is no such recipe, or it is not a function of one annotated dataclass.
    """
    entry = lookup_or_import("recipe", name, RECIPES)
    train = lookup_or_import("recipe", entry, {}) if isinstance(entry, str) else entry
    config = next(iter(typing.get_type_hints(train).values()), None)
    if not isinstance(config, type) or not dataclasses.is_dataclass(config):
        raise ValueError(f"recipe {name!r} must be a function of one annotated dataclass")
    return train, config
