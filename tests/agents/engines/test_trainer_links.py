"""How engines are attached to a trainer, with a trainer that only has the attributes they use."""

from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.engines import TransformersEngine
from agents.engines.registry import trainer_link
from agents.engines.server import ServerEngine, ServerError
from agents.engines.vllm import VLLMEngine
from tests.support.server import fake_servers


class Accelerator:
    def __init__(self, distributed_type="NO"):
        self.state = SimpleNamespace(distributed_type=distributed_type, deepspeed_plugin=None)
        self.waits = 0

    def unwrap_model(self, model):
        return model

    def wait_for_everyone(self):
        self.waits += 1


class VLLM:
    """The part of vLLM's engine that loading weights and closing use."""

    def __init__(self):
        self.calls = []
        config = SimpleNamespace(tie_word_embeddings=False)
        self.vllm_config = SimpleNamespace(model_config=SimpleNamespace(hf_config=config))
        self.engine_core = SimpleNamespace(shutdown=lambda: self.calls.append("shutdown"))

    def collective_rpc(self, method, kwargs):
        self.calls.append((method, [name for name, _ in kwargs["weights_iterator"]]))

    def reset_prefix_cache(self):
        self.calls.append("reset_prefix_cache")


@pytest.fixture
def trainer(untrained):
    generation = SimpleNamespace(
        llm=SimpleNamespace(llm_engine=VLLM()),
        sync_weights=lambda: pytest.fail("TRL's own sync"),
        _iter_named_params=lambda: iter([("weight", torch.ones(1))]),
    )
    return SimpleNamespace(
        model_wrapped=AutoModelForCausalLM.from_pretrained(untrained),
        processing_class=AutoTokenizer.from_pretrained(untrained),
        accelerator=Accelerator(),
        vllm_generation=generation,
        args=SimpleNamespace(vllm_server_base_url=""),
    )


def test_transformers_generates_with_the_model_of_the_trainer(trainer):
    engine = trainer_link("transformers").engine(trainer)
    assert isinstance(engine, TransformersEngine)
    assert engine.model is trainer.model_wrapped


def test_transformers_refuses_a_model_that_is_spread_over_processes(trainer):
    trainer.accelerator = Accelerator("FSDP")
    with pytest.raises(ValueError, match="choose --engine vllm or --engine server"):
        trainer_link("transformers").prepare(trainer)


def test_transformers_keeps_its_model_after_training(trainer):
    trainer_link("transformers").release(trainer)
    assert trainer.model_wrapped is not None


@pytest.mark.parametrize("name", ["vllm", "server"])
def test_vllm_serves_a_model_that_is_spread_over_processes(trainer, name, monkeypatch):
    trainer.accelerator = Accelerator("FSDP")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    trainer_link(name, "http://x/v1" if name == "server" else None).prepare(trainer)


def test_vllm_generates_with_the_engine_that_trl_started(trainer):
    trainer.model_wrapped.generation_config.eos_token_id = [5, 6]
    engine = trainer_link("vllm").engine(trainer)
    assert isinstance(engine, VLLMEngine)
    assert engine.engine is trainer.vllm_generation.llm.llm_engine
    assert engine.chat.stop_ids == {5, 6, trainer.processing_class.eos_token_id}


def test_vllm_on_a_cpu_reloads_the_weights_of_the_trainer(trainer, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    trainer_link("vllm").prepare(trainer)
    trainer.vllm_generation.sync_weights()
    calls = trainer.vllm_generation.llm.llm_engine.calls
    assert calls == [("reload_weights", ["weight"]), "reset_prefix_cache"]


def test_vllm_on_a_gpu_keeps_the_sync_of_trl(trainer, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    sync = trainer.vllm_generation.sync_weights
    trainer_link("vllm").prepare(trainer)
    assert trainer.vllm_generation.sync_weights is sync


def test_vllm_is_shut_down_after_training(trainer):
    trainer_link("vllm").release(trainer)
    assert trainer.vllm_generation.llm.llm_engine.calls == ["shutdown"]


def test_processes_wait_for_the_weights_before_they_ask_the_server(trainer, untrained):
    with fake_servers(untrained) as serve:
        trainer.args.vllm_server_base_url = serve().url.removesuffix("/v1")
        engine = trainer_link("server", "http://x/v1").engine(trainer)
    assert isinstance(engine, ServerEngine)
    assert trainer.accelerator.waits == 1


def test_a_server_that_returns_text_only_is_refused(trainer, untrained):
    with fake_servers(untrained, exact=False) as serve:
        server = serve()
        trainer.args.vllm_server_base_url = server.url.removesuffix("/v1")
        link = trainer_link("server", server.url)
        with pytest.raises(ServerError, match=r"docs/scaling\.md.*vllm serve MODEL"):
            link.check(server.url)
        with pytest.raises(ServerError, match="needs token ids"):
            link.engine(trainer)


def test_a_server_that_returns_ids_may_be_trained_with(untrained):
    with fake_servers(untrained) as serve:
        server = serve()
        trainer_link("server", server.url).check(server.url)
