"""One problem, one model, one conversation.

Before training the bundled model writes no verdict, so its turn is malformed; the main job's result
(--model runs/self_rewarding/policy_gradient/final) writes one.

python examples/quickstart.py
python examples/quickstart.py --model Qwen/Qwen2.5-1.5B-Instruct --problems hf:openai/gsm8k
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium as gym
import tyro

from agents.engines import Sampling, TransformersEngine
from agents.models.paths import TINY


def main(
    model: str = TINY,
    problems: str = "synthetic:linear",
    max_new_tokens: int = 512,
    seed: int = 0,
) -> None:
    """Let a model solve one problem, and show the reward of every turn.

    Args:
        model: Folder or hub id; the bundled model by default.
        problems: Where the problem comes from.
        max_new_tokens: Greatest length of one turn.
        seed: Chooses the problem.
    """
    engine = TransformersEngine.load(model)
    env = gym.make("srenv:SelfCorrectMath-v0", problems=problems, split="eval", max_attempts=2)
    observation, info = env.reset(seed=seed)
    print(observation)
    done = False
    while not done:
        # The episode holds the chat messages; the observation is their plain text.
        prompt = engine.chat.opening(env.unwrapped.episode.messages)
        (turn,) = engine.generate([prompt], Sampling(0.0, max_new_tokens=max_new_tokens))
        action = engine.chat.turn_text(turn.ids)
        observation, reward, terminated, truncated, info = env.step(action)
        done = terminated or truncated
        print(f"\nTurn {info['turn']}: {action}")
        print(f"correct {info['correct']}, verdict {info['verdict']!r}", end="")
        print(f", malformed: {info['malformed']}" if info["malformed"] else "")
        parts = f"{info['reward_attempt']:+.2f} for the attempt, {info['reward_verdict']:+.2f}"
        print(f"reward {reward:+.2f}: {parts} for the verdict")


if __name__ == "__main__":
    tyro.cli(main)
