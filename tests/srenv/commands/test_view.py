"""``srenv view``: logs of Inspect from a run's folder, and the page in a browser."""

import builtins
import json
import sys

import pytest

from srenv.commands.main import main
from srenv.commands.view import ViewConfig, view, write_logs
from srenv.conversation import Conversation, Rules
from srenv.episode import Problem, write_episodes
from srenv.protocol import PROTOCOLS
from tests.support.browser import opened_page, served


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run with two rows."""
    folder = tmp_path / "run"
    rows = {"base": ["episodes_base.jsonl", "final"], "M1, all": ["episodes_m1.jsonl", "final"]}
    for file, _ in rows.values():
        conversation = Conversation(
            Problem("sum", "How much is 2+2?", "4", "test"), Rules(PROTOCOLS["default"], 2)
        )
        conversation.step("I guess five.\n\\boxed{5}\n[VERIFY] wrong")
        conversation.step("Four, by counting.\n\\boxed{4}\n[VERIFY] correct")
        write_episodes(folder / file, [conversation.episode])
    (folder / "summary.json").write_text(json.dumps({"episodes": rows, "result": "M1, all"}))
    (folder / "config.json").write_text(json.dumps({"model": "tiny"}))
    return folder


def test_a_run_has_a_log_per_row_in_its_order(run):
    log = pytest.importorskip("inspect_ai.log", reason="needs srenv[inspect]")
    folder = write_logs(ViewConfig(run))
    assert folder == run / "inspect"
    logs = [log.read_eval_log(path, header_only=True) for path in sorted(folder.iterdir())]
    assert [(log.eval.task, log.eval.model) for log in logs] == [
        ("base", "tiny"),
        ("M1, all", "tiny"),
    ]


def test_the_conversation_is_on_a_page_of_the_site(run, tmp_path):
    pytest.importorskip("inspect_ai", reason="needs srenv[inspect]")
    with opened_page(tmp_path / "profile") as page:
        view(ViewConfig(run, bundle=tmp_path / "site"))
        with served(tmp_path / "site") as address:
            page.goto(f"{address}/#/tasks/01_base.eval")
            page.get_by_text("How much is 2+2?").first.click(timeout=60_000)
            page.get_by_text("Four, by counting.").first.wait_for(timeout=60_000)
            shown = page.inner_text("body")
    for text in ("I guess five.", "[VERIFY] wrong", "There might be an error", "I → C"):
        assert text in shown


def test_a_folder_with_files_is_not_overwritten_by_a_site(run):
    with pytest.raises(FileExistsError, match="--bundle"):
        view(ViewConfig(run, bundle=run))


def test_a_missing_extra_is_named(run, monkeypatch):
    monkeypatch.delenv("SRENV_TRACEBACK", raising=False)
    for name in [n for n in sys.modules if n.split(".")[0] == "inspect_ai" or "srenv.inspect" in n]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.split(".")[0] == "inspect_ai":
            raise ImportError("No module named 'inspect_ai'")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit, match=r'pip install "srenv\[inspect\]"'):
        main(["view", str(run)])


def test_a_path_without_episodes_is_an_error(tmp_path, monkeypatch):
    monkeypatch.delenv("SRENV_TRACEBACK", raising=False)
    with pytest.raises(SystemExit, match=r"no episodes: .*srenv evaluate"):
        main(["view", str(tmp_path)])
