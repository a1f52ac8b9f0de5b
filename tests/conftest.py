"""Shared fixtures; the environment is set before torch is imported anywhere."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest

DATA = Path(os.environ.get("SRENV_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data_file():
    """Returns a function from a file name to its path in the shared data; skips without it."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"{name} is not in {DATA}; set SRENV_DATA to the folder that holds it")
        return path

    return find


@pytest.fixture(scope="session")
def untrained(tmp_path_factory) -> str:
    """A folder with an untrained model of the bundled kind, one layer deep."""
    from agents.tiny.pretrain import PretrainConfig, make_model
    from agents.tiny.tokenizer import make_tokenizer
    from agents.tiny.worlds import WORLDS

    folder = tmp_path_factory.mktemp("untrained")
    tokenizer = make_tokenizer(WORLDS["math"])
    make_model(PretrainConfig(hidden=32, layers=1, heads=2), tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
