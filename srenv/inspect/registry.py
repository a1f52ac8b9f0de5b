"""What Inspect finds of srenv, by the entry point ``inspect_ai``."""

from srenv.inspect.task import play_protocol, self_correct, self_correction

__all__ = ["play_protocol", "self_correct", "self_correction"]
