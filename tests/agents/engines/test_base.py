"""Sampling, requests, and what engines of all kinds have in common."""

import pytest

from agents.engines import Generation, Request, Sampling, reply
from agents.engines.base import BatchSession, generate_in_session
from agents.engines.server import ServerEngine, ServerOptions
from tests.support import ContinuousEngine
from tests.support.server import fake_servers


@pytest.mark.parametrize(
    "options", [{"temperature": -1}, {"top_p": 0.0}, {"top_p": 1.5}, {"max_new_tokens": 0}]
)
def test_sampling_refuses_options_out_of_range(options):
    with pytest.raises(ValueError, match="sampling needs temperature >= 0"):
        Sampling(**options)


def test_the_seed_of_a_request_follows_from_its_key_and_length():
    sampling = Sampling(seed=3)
    assert Request(1, [5, 6]).seed(sampling) == Request(1, [7, 8]).seed(sampling)
    seeds = {Request(key, [0] * n).seed(sampling) for key in (1, 2) for n in (1, 2)}
    assert len(seeds) == 4


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.0, seed=3)])
def test_a_request_needs_no_seed_without_one_or_when_greedy(sampling):
    assert Request(1, [5]).seed(sampling) is None


class Echo:
    """Writes each prompt back, and notes the batches."""

    def __init__(self):
        self.batches = []

    def generate(self, prompts, sampling):
        self.batches.append(prompts)
        return [Generation(list(prompt), [0.0] * len(prompt)) for prompt in prompts]


def test_a_batch_session_generates_in_the_order_of_keys():
    engine = Echo()
    session = BatchSession(engine, Sampling())
    for key in (2, 0, 1):
        session.submit(Request(key, [key]))
    assert [key for key, _ in session.collect()] == [0, 1, 2]
    assert engine.batches == [[[0], [1], [2]]]


def test_a_batch_session_collects_nothing_after_it_was_closed():
    session = BatchSession(Echo(), Sampling())
    session.submit(Request(0, [5]))
    session.close()
    assert session.collect() == []


def test_the_first_failed_request_is_raised_and_closes_the_session(untrained):
    from agents.models.chat import ChatFormat

    def say(key, prompt):
        return ValueError("too long") if key == 1 else "fine"

    engine = ContinuousEngine(ChatFormat.load(untrained), say, order="first")
    with pytest.raises(ValueError, match="too long"):
        generate_in_session(engine, [[5], [6], [7]], Sampling())
    assert engine.closed == 1


@pytest.mark.parametrize("exact", [True, False])
def test_replies_are_grouped_by_conversation(untrained, exact):
    chats = [[{"role": "user", "content": f"question {i}"}] for i in range(3)]
    with fake_servers(untrained, exact=exact) as serve:
        server = serve()
        engine = ServerEngine(ServerOptions(server.url))
        generations = reply(engine, chats, Sampling(1.0, 1.0, 40, seed=1), 2)
    texts = [engine.chat.turn_text(generation.ids) for generation in generations]
    assert texts == ["\\boxed{0}\n[VERIFY] wrong"] * 6
    assert len({body["seed"] for body in server.bodies}) == 6


def test_a_server_without_ids_gets_the_messages_of_each_reply(untrained):
    chats = [[{"role": "user", "content": f"question {i}"}] for i in range(3)]
    with fake_servers(untrained, exact=False) as serve:
        server = serve()
        reply(ServerEngine(ServerOptions(server.url)), chats, Sampling(), 2)
    contents = sorted(body["messages"][0]["content"] for body in server.bodies)
    assert contents == sorted(f"question {i}" for i in range(3) for _ in range(2))
