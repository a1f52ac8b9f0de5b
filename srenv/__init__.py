"""Self-correction of language models on math, as Gymnasium environments.

Importing this package registers ``SelfCorrectMath-v0`` and its siblings (`srenv.envs`). It
needs neither torch nor SymPy::

    import gymnasium as gym
    import srenv

    env = gym.make("SelfCorrectMath-v0", problems="synthetic:linear")
"""

from srenv.conversation import Conversation, Rules
from srenv.envs import register_environments
from srenv.episode import Episode, Problem, Turn, read_episodes, transcript, write_episodes
from srenv.metrics import Metrics, Outcomes, measure
from srenv.problems import ProblemSource, load_problems
from srenv.protocol import Protocol
from srenv.rewards import Reward, make_reward, register_term
from srenv.verifier import Grade, extract, verify, verify_batch

__version__ = "0.1.0"

__all__ = [
    "Conversation",
    "Episode",
    "Grade",
    "Metrics",
    "Outcomes",
    "Problem",
    "ProblemSource",
    "Protocol",
    "Reward",
    "Rules",
    "Turn",
    "extract",
    "load_problems",
    "make_reward",
    "measure",
    "read_episodes",
    "register_term",
    "transcript",
    "verify",
    "verify_batch",
    "write_episodes",
]


register_environments()
