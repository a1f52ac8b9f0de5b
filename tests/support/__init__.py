"""Engines and checks that several tests share."""

from tests.support.engines import ContinuousEngine, ScriptedEngine, check_early_ends

__all__ = ["ContinuousEngine", "ScriptedEngine", "check_early_ends"]
