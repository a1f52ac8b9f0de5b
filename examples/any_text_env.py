"""Train a model by policy gradient in any text environment, one that knows nothing of srenv.

python examples/any_text_env.py --model tiny
"""

from pathlib import Path
from tempfile import mkdtemp

import gymnasium as gym
import tyro

from agents.models.paths import TINY, model_path
from agents.training.policy_gradient import PolicyGradientConfig, train_policy


class Sevens(gym.Env[str, str]):
    """Asks for x, and rewards every reply with a 7 in it, right or wrong."""

    observation_space = action_space = gym.spaces.Text(1000)

    def reset(self, *, seed=None, options=None):
        """Draws a question from the seed."""
        super().reset(seed=seed)
        a, x = self.np_random.integers(2, 9), self.np_random.integers(10, 99)
        return f"Solve {a}x+{a}={a * x + a} for x.\nGive the answer in \\boxed{{}}.", {}

    def step(self, action):
        """Ends the episode."""
        return "", float("7" in action), True, False, {}


def main(model: str = TINY, steps: int = 30, max_new_tokens: int = 40) -> None:
    """Trains, and prints the share of rewarded replies every few steps.

    Args:
        model: Folder or hub id of any transformers model, or tiny, the bundled one.
        steps: Training steps of 64 episodes.
        max_new_tokens: Greatest length of a reply.
    """

    def show(episodes, step):
        if step % 5 == 0 or step == steps - 1:
            rewarded = sum(episode.reward for episode in episodes) / len(episodes)
            print(f"step {step:>3}: {rewarded:.0%} rewarded, such as {episodes[0].final.text!r}")

    config = PolicyGradientConfig(
        steps=steps, problems_per_step=8, scale_roles=False, max_new_tokens=max_new_tokens
    )
    seeds = range(8 * steps)
    folder = Path(mkdtemp())
    final = train_policy(model_path(model), folder, seeds, Sevens, config, on_episodes=show)
    print(f"wrote {final}")


if __name__ == "__main__":
    tyro.cli(main)
