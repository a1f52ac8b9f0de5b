"""Conformance to Gymnasium's contract; every warning counts as an error."""

from __future__ import annotations

import copy
import json
import pickle
import random
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces.utils import flatten, flatten_space, unflatten
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from srenv.domains import find_domain
from srenv.envs.info import KEYS
from srenv.episode import Problem
from srenv.parsing import MAX_TURN_CHARS
from srenv.wrappers.common import core

HOSTILE = (
    "",
    "π∑→😀\n\t\x00",
    "\\boxed{" * 2000,
    "\\boxed{9^{9^{9^9}}}\n[VERIFY] correct",
    "%s %d {0} {problem}\n[VERIFY] wrong",
    "x" * (MAX_TURN_CHARS + 1),
)
"""Turns that every environment must survive."""


def check_environment(env_id: str = "SelfCorrectMath-v0", **kwargs: Any) -> None:
    """Checks a registered environment, as `gym.make(env_id, **kwargs)` makes it.

    Runs Gymnasium's own checker, and checks determinism, info, hostile turns, pickling and copying
    in the middle of an episode, the spec as JSON, the spaces, and the vector environment against
    `SyncVectorEnv` in all autoreset modes. Takes a few seconds.

    Args:
        env_id: The id; ``module:id`` imports the module that registers it.
        kwargs: Arguments of the environment; a source of your own is ``problems="module:name"``.

    Raises:
        AssertionError: A rule is broken; the message says which.
        Exception: What the environment or Gymnasium's checker raised, warnings included.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(env_id, **kwargs).unwrapped)
        _check_determinism(env_id, kwargs)
        _check_info(env_id, kwargs)
        _check_hostile_turns(env_id, kwargs)
        _check_copies(env_id, kwargs)
        _check_spec(env_id, kwargs)
        env = gym.make(env_id, **kwargs)
        for space in (env.action_space, env.observation_space):
            _check_space(space)
        for mode in AutoresetMode:
            check_vector_parity(env_id, mode, num_envs=3, steps=30, **kwargs)


def check_vector_parity(
    env_id: str,
    mode: AutoresetMode,
    num_envs: int,
    steps: int,
    seed: int = 0,
    vectorization_mode: str = "sync",
    vector_kwargs: dict[str, Any] | None = None,
    **kwargs: Any,
) -> int:
    """Checks that the native vector environment returns what one of Gymnasium's does.

    Observations, rewards, flags and infos must be equal in value, type and mask, including final
    observations and infos. Turns are right, wrong, malformed or hostile, by a seeded draw.

    Args:
        env_id: Id of the environment.
        mode: The autoreset mode.
        num_envs: Number of environments.
        steps: Number of steps.
        seed: Seed of the environments and of the turns.
        vectorization_mode: ``"sync"`` or ``"async"``, of the environment to compare with.
        vector_kwargs: Further arguments of the environment to compare with.
        kwargs: Arguments of the environments inside.

    Returns:
        Number of episodes that ended.

    Raises:
        AssertionError: They differ; the message names the step and the value.
    """
    reference = gym.make_vec(
        env_id,
        num_envs,
        vectorization_mode=vectorization_mode,
        vector_kwargs={"autoreset_mode": mode, **(vector_kwargs or {})},
        **kwargs,
    )
    native = gym.make_vec(env_id, num_envs, autoreset_mode=mode, **kwargs)
    _assert_same(native.single_observation_space, reference.single_observation_space, "space")
    rng = random.Random(seed)
    episodes = 0
    try:
        _assert_same(native.reset(seed=seed), reference.reset(seed=seed), "reset")
        for step in range(steps):
            turns = tuple(
                core(env).protocol.phrase(_some_turn(rng, core(env).episode.problem))
                for env in native.unwrapped.envs  # type: ignore[attr-defined]
            )
            result = native.step(turns)
            _assert_same(result, reference.step(turns), f"step {step}")
            over = result[2] | result[3]
            episodes += int(over.sum())
            if mode is AutoresetMode.DISABLED and over.any():
                _assert_same(
                    native.reset(options={"reset_mask": over.copy()}),
                    reference.reset(options={"reset_mask": over.copy()}),
                    f"reset after step {step}",
                )
    finally:
        reference.close()
        native.close()
    return episodes


def _some_turn(rng: random.Random, problem: Problem) -> str:
    draw = rng.random()
    if draw < 0.05:
        return rng.choice(HOSTILE)
    answer = problem.answer if draw < 0.4 else str(rng.randint(-9, 99))
    verdict = rng.choice(["correct", "wrong", "wrong", "wrong (0.7)", "correct (0.25)", "perhaps"])
    attempt = find_domain(problem.domain).write(answer)
    return f"I think so.\n{attempt}\n[VERIFY] {verdict}"


def _assert_same(actual: Any, expected: Any, where: str) -> None:
    if isinstance(expected, dict):
        assert isinstance(actual, dict), f"{where}: {type(actual).__name__}, not dict"
        assert actual.keys() == expected.keys(), (
            f"{where}: keys {actual.keys() ^ expected.keys()} differ"
        )
        for key in expected:
            _assert_same(actual[key], expected[key], f"{where}, {key!r}")
    elif isinstance(expected, np.ndarray):
        assert actual.dtype == expected.dtype, f"{where}: {actual.dtype}, not {expected.dtype}"
        assert actual.shape == expected.shape, f"{where}: {actual.shape}, not {expected.shape}"
        if expected.dtype == object:
            _assert_same(list(actual), list(expected), where)
        else:
            assert np.array_equal(actual, expected), f"{where}: {actual!r}, not {expected!r}"
    elif isinstance(expected, (tuple, list)):
        assert len(actual) == len(expected), f"{where}: {len(actual)} values, not {len(expected)}"
        for place, (one, other) in enumerate(zip(actual, expected, strict=True)):
            _assert_same(one, other, f"{where}, {place}")
    else:
        assert type(actual) is type(expected), f"{where}: {type(actual)}, not {type(expected)}"
        assert actual == expected, f"{where}: {actual!r}, not {expected!r}"


def _check_determinism(env_id: str, kwargs: dict[str, Any]) -> None:
    one, two = gym.make(env_id, **kwargs), gym.make(env_id, **kwargs)
    _assert_same(one.reset(seed=3), two.reset(seed=3), "reset of two environments")
    one.action_space.seed(0)
    for step in range(40):
        action = one.action_space.sample()
        result = one.step(action)
        _assert_same(result, two.step(action), f"step {step} of two environments")
        assert result[0] in one.observation_space, f"step {step}: observation not in its space"
        if result[2] or result[3]:
            _assert_same(one.reset(), two.reset(), f"reset after step {step}")


def _check_info(env_id: str, kwargs: dict[str, Any]) -> None:
    env = gym.make(env_id, **kwargs)
    _, at_reset = env.reset(seed=0)
    *_, at_step = env.step(core(env).protocol.phrase("\\boxed{1}\n[VERIFY] wrong (0.5)"))
    assert tuple(at_reset) == tuple(at_step) == tuple(KEYS), "info must have the keys of Info"
    for key, value in at_step.items():
        kinds = type(at_reset[key]).__name__, type(value).__name__
        assert kinds[0] == kinds[1], f"info[{key!r}] is {kinds[0]} at reset and {kinds[1]} later"


def _check_hostile_turns(env_id: str, kwargs: dict[str, Any]) -> None:
    env = gym.make(env_id, **kwargs)
    for text in HOSTILE:
        env.reset(seed=0)
        observation, reward, *_ = env.step(text)
        assert observation in env.observation_space, f"after {text[:20]!r}: not in its space"
        assert np.isfinite(float(reward)), f"after {text[:20]!r}: reward {reward}"


def _check_copies(env_id: str, kwargs: dict[str, Any]) -> None:
    env = gym.make(env_id, **kwargs)
    env.reset(seed=1)
    phrase = core(env).protocol.phrase
    env.step(phrase("\\boxed{1}\n[VERIFY] wrong"))
    second = phrase("\\boxed{2}\n[VERIFY] correct")
    twins = pickle.loads(pickle.dumps(env)), copy.deepcopy(env)
    played = env.step(second), env.reset()
    for twin in twins:
        again = twin.step(second), twin.reset()
        _assert_same(again, played, "a copy from the middle of an episode")


def _check_spec(env_id: str, kwargs: dict[str, Any]) -> None:
    env = gym.make(env_id, **kwargs)
    assert env.spec is not None, "gym.make gives a spec"
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.spec == env.spec, "the spec must survive JSON"
    _assert_same(again.reset(seed=5), env.reset(seed=5), "an environment made from JSON")


def _check_space(space: gym.Space[Any]) -> None:
    space.seed(7)
    drawn = [space.sample() for _ in range(30)]
    space.seed(7)
    assert drawn == [space.sample() for _ in range(30)], f"{space}: samples ignore the seed"
    assert all(x in space for x in drawn), f"{space}: a sample is not in the space"
    for twin in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space)):
        assert twin == space, f"{space}: a copy differs"
    written = json.loads(json.dumps(space.to_jsonable(drawn)))
    assert list(space.from_jsonable(written)) == drawn, f"{space}: samples do not survive JSON"
    for text in ("", "π∑→😀\n\t", "\\boxed{\\frac{1}{2}}", np.str_("x")):
        assert text in space, f"{space}: {text!r} must be allowed"
    for bad in (None, 3, b"x", ["x"], "\ud800"):
        assert bad not in space, f"{space}: {bad!r} must not be allowed"
    text = "π \\boxed{1}😀"
    assert unflatten(space, flatten(space, text)) == text, f"{space}: flattening loses text"
    assert flatten(space, text) in flatten_space(space), f"{space}: not in the flat space"
