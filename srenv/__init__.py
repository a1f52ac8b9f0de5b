"""Self-correction of language models on maths, as Gymnasium environments.

Importing this package registers ``SelfCorrectMath-v0``. It needs neither torch nor SymPy::

    import gymnasium as gym
    import srenv

    env = gym.make("SelfCorrectMath-v0", problems="synthetic:linear")
"""

from gymnasium.envs.registration import register, registry

from srenv.conversation import Conversation, transcript
from srenv.episode import Episode, Problem, Turn, read_episodes, write_episodes
from srenv.metrics import Metrics, Outcomes, measure, outcomes
from srenv.problems import ProblemSource, load_problems
from srenv.protocol import Protocol
from srenv.rewards import Reward, make_reward, register_term
from srenv.verifier import Judgement, extract, verify, verify_batch

__version__ = "0.1.0"

__all__ = [
    "Conversation",
    "Episode",
    "Judgement",
    "Metrics",
    "Outcomes",
    "Problem",
    "ProblemSource",
    "Protocol",
    "Reward",
    "Turn",
    "extract",
    "load_problems",
    "make_reward",
    "measure",
    "outcomes",
    "read_episodes",
    "register_term",
    "transcript",
    "verify",
    "verify_batch",
    "write_episodes",
]


def _register() -> None:
    # The package can be imported twice (as itself and through "srenv:..."): register once.
    if "SelfCorrectMath-v0" not in registry:
        register(id="SelfCorrectMath-v0", entry_point="srenv.env:SelfCorrectMathEnv")


_register()
