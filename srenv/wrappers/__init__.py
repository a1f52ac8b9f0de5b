"""Wrappers for self-correction environments; `srenv.wrappers.vector` has those for batches."""

from srenv.wrappers.bandit import BanditView
from srenv.wrappers.calibration import CalibrationStatistics
from srenv.wrappers.chat import ChatObservation
from srenv.wrappers.curriculum import TurnBudgetCurriculum
from srenv.wrappers.recorder import EpisodeRecorder
from srenv.wrappers.tool import CalculatorTool, PythonTool

__all__ = [
    "BanditView",
    "CalculatorTool",
    "CalibrationStatistics",
    "ChatObservation",
    "EpisodeRecorder",
    "PythonTool",
    "TurnBudgetCurriculum",
]
