"""Validates options that would otherwise fail only late in a run."""

from __future__ import annotations

import importlib.util
from dataclasses import fields
from typing import Any

from agents.engines.backend import EngineOptions
from agents.engines.registry import check_engine, trainer_link
from agents.models.lora import lora_config
from agents.models.paths import model_path
from agents.training.credit import make_estimator
from agents.training.policy_gradient import PolicyGradientConfig
from agents.training.sft import SftConfig
from srenv.rewards import make_reward


def check_options(config: Any) -> None:
    """Validates a recipe's options before anything is loaded or written.

    Raises:
        FileNotFoundError: There is no such model.
        ValueError: A reward, an estimator or an engine is unknown, options do not go together, or a
            number makes no sense.
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
    check_engine(config.engine, EngineOptions(config.model, base_url=config.base_url))
    for field in fields(config):
        stage = getattr(config, field.name)
        if isinstance(stage, PolicyGradientConfig):
            make_estimator(stage.estimator, stage.turn_discount)
        if isinstance(stage, PolicyGradientConfig) and stage.steps:
            stage = stage.with_engine(config.engine, config.base_url)
            trainer_link(stage.engine, stage.base_url)
        if isinstance(stage, PolicyGradientConfig | SftConfig):
            lora_config(stage.lora_rank)
