"""Episodes that are played on an OpenEnv server, as tokens and as TRL's batches."""

from functools import partial

import pytest

pytest.importorskip("openenv", reason="needs the extra openenv")

from agents.engines import Sampling
from agents.rollouts.environments import environment_factory
from agents.rollouts.rollout import rollout
from srenv.integrations.openenv import RemoteEnv
from tests.support.engines import ScriptedEngine
from tests.support.environments import make_env, turn
from tests.support.openenv import openenv_server
from tests.support.trl import GROUP, make_trainer, train

LINES = [
    [turn(1, "wrong"), turn(2, "correct (0.9)")],
    [turn(3, "correct")],
    [turn(4, "wrong (0.6)"), "nothing", turn(5, "wrong"), turn(6, "wrong")],
]


@pytest.fixture(scope="module")
def url():
    with openenv_server(make_env) as address:
        yield address


def test_rollouts_on_a_server_are_those_of_the_environment(chat, url):
    seeds = range(len(LINES))
    local, remote = (
        rollout(make, ScriptedEngine(chat, LINES), seeds, Sampling())
        for make in (environment_factory(4), partial(RemoteEnv, url))
    )
    for a, b in zip(local, remote, strict=True):
        assert (a.prompt_ids, a.ids, a.turns, a.roles) == (b.prompt_ids, b.ids, b.turns, b.roles)
        assert a.rewards == b.rewards
        assert a.graded == b.graded
        assert len({0, 1, 2} & set(b.roles)) >= 2


@pytest.mark.slow
def test_trl_takes_a_step_on_a_server(untrained, tmp_path, url):
    records, batch = train(make_trainer(untrained, tmp_path, range(4), partial(RemoteEnv, url)))
    assert len(records) == 2 * GROUP
    assert not any(record.error for record in records)
    assert all(len(record.rewards) == 4 for record in records)
    assert batch["advantages"].shape == (2 * GROUP,)
    prompts = {tuple(record.prompt_ids) for record in records}
    assert len(prompts) == 2
