"""Validates options that would otherwise fail only late in a run."""

from __future__ import annotations

import importlib.util
from dataclasses import fields
from typing import Any

from agents.engines import Sampling
from agents.engines.backend import EngineOptions
from agents.engines.registry import check_engine, trainer_link
from agents.models.chat import chat_options
from agents.models.lora import lora_config
from agents.models.paths import model_path
from agents.recipes.cold_start import check_cold_start
from agents.recipes.held_out import take_without, unseen_problems
from agents.training.credit import make_estimator
from agents.training.dpo import PreferenceConfig
from agents.training.policy_gradient import (
    PolicyGradientConfig,
    check_policy,
    evaluation_settings,
    step_batches,
)
from agents.training.settings import check_passes
from agents.training.sft import SftConfig
from srenv.problems import load_problems
from srenv.rewards import make_reward


def check_options(config: Any, trains: bool) -> None:
    """Validates a recipe's options before anything is loaded or written.

    Args:
        config: The options.
        trains: Whether the recipe's method trains.

    Raises:
        FileNotFoundError: There is no such model, or no such file of problems.
        ValueError: There are no such problems, too few to evaluate on, or none besides those to
            train on; a reward, an estimator or an engine is unknown, options do not go together,
            or a number is out of range.
        ImportError: An option needs a package that is not installed.
    """
    if config.eval_n < 1:
        raise ValueError(f"--eval-n is {config.eval_n}: rows need at least one problem")
    backend = config.report_to
    if backend != "none" and importlib.util.find_spec(backend) is None:
        raise ImportError(f'--report-to {backend} needs a package: pip install "srenv[{backend}]"')
    if hasattr(config, "reward"):
        make_reward(config.reward)
    model_path(config.model)
    chat_options(config.history, config.chat_template_kwargs)
    check_engine(config.engine, EngineOptions(config.model, base_url=config.base_url))
    source, unseen = load_problems(config.problems, "train"), unseen_problems(config)
    check_cold_start(config, {problem.prompt for problem in unseen})
    if trains or (config.cold_start and not config.cold_start_file):
        take_without(source, 1, config.seed, unseen)
    Sampling(max_new_tokens=config.max_new_tokens)
    unused = {"dpo": "pg", "pg": "dpo"}.get(getattr(config, "stage2", ""), "")
    for field in fields(config):
        stage = getattr(config, field.name)
        if field.name != unused:
            check_batches(field.name, stage)
        if isinstance(stage, PolicyGradientConfig):
            make_estimator(stage.estimator, stage.turn_discount)
        if isinstance(stage, PolicyGradientConfig) and stage.steps:
            check_policy(stage)
            evaluation_settings(stage, config.output)
            stage = stage.with_engine(config.engine, config.base_url)
            trainer_link(stage.engine, stage.base_url)
        if isinstance(stage, PolicyGradientConfig | SftConfig):
            lora_config(stage.lora_rank)


def check_batches(name: str, stage: Any) -> None:
    """Validates the batches of a training stage, if `stage` is the options of one.

    Raises:
        ValueError: A size is out of range, or batches cannot be divided evenly.
    """
    if isinstance(stage, PolicyGradientConfig) and stage.steps:
        if stage.steps < 0:
            raise ValueError(f"--{name}.steps is {stage.steps}: it must be 0 (no stage) or more")
        step_batches(stage)
    if isinstance(stage, SftConfig | PreferenceConfig):
        check_passes(stage, name)
