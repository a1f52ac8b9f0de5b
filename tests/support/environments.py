"""A self-correction environment on a known problem, and turns for it."""

import gymnasium as gym

import srenv

PROBLEM = srenv.Problem("p", "2+2?", "4", "test")


def make_env(**kwargs):
    """Makes the registered environment; `kwargs` are its arguments."""
    return gym.make("srenv:SelfCorrectMath-v0", **kwargs)


def make_envs(count, mode, **kwargs):
    """Makes the native vector environment with the given autoreset mode."""
    return gym.make_vec("srenv:SelfCorrectMath-v0", count, autoreset_mode=mode, **kwargs)


def reset(env):
    """Starts an episode on `PROBLEM`."""
    return env.reset(seed=0, options={"problem": PROBLEM})


def turn(answer, verdict):
    """Returns the text of a turn; `verdict` may end with a confidence."""
    return f"\\boxed{{{answer}}}\n[VERIFY] {verdict}"


def play(env, turns):
    """Plays turns until the episode ends; returns the last step."""
    for text in turns:
        step = env.step(text)
        if step[2] or step[3]:
            break
    return step
