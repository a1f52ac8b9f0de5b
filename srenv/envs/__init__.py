"""Registers the environments with Gymnasium."""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

ENVIRONMENTS: dict[str, tuple[str, str | None]] = {
    "SelfCorrectMath-v0": ("srenv.envs.env:SelfCorrectMathEnv", None),
    "SelfCorrectGSM8K-v0": ("srenv.envs.catalogue:GSM8KEnv", "hf:openai/gsm8k?config=main"),
    "SelfCorrectMATH500-v0": (
        "srenv.envs.catalogue:MATH500Env",
        "hf:HuggingFaceH4/MATH-500?split=test",
    ),
    "SelfCorrectLinear-v0": ("srenv.envs.catalogue:LinearEnv", "synthetic:linear"),
    "SelfCorrectSystem-v0": ("srenv.envs.catalogue:SystemEnv", "synthetic:system"),
    "SelfCorrectFactor-v0": ("srenv.envs.catalogue:FactorEnv", "synthetic:factor"),
    "SelfCorrectRoot-v0": ("srenv.envs.catalogue:RootEnv", "synthetic:root"),
    "SelfCorrectModInv-v0": ("srenv.envs.catalogue:ModInvEnv", "synthetic:modinv"),
    "SelfCorrectCountdown-v0": ("srenv.envs.catalogue:CountdownEnv", "synthetic:countdown"),
    "SelfCorrectMixed-v0": ("srenv.envs.catalogue:MixedEnv", "synthetic:mixed"),
}
"""Entry point and source of problems by id; entry points are strings, so that specs are JSON."""


def register_environments() -> None:
    """Registers what is not registered yet: ``srenv:ID`` may import the package a second time."""
    for name, (entry_point, problems) in ENVIRONMENTS.items():
        if name not in registry:
            register(
                id=name,
                entry_point=entry_point,
                vector_entry_point="srenv.envs.vector:SelfCorrectMathVectorEnv",
                kwargs={} if problems is None else {"problems": problems},
            )
