"""The page about how well a model corrects itself."""

import pytest

from srenv.card import FIGURE, Card, html, markdown
from srenv.metrics import Outcomes
from tests.support.episodes import made_episode, made_turn


def card(*episodes, model="tiny", row="", **options):
    return Card(model, row, Outcomes.of(episodes), options)


FIXED = made_episode(made_turn(False, "wrong", 0.9), made_turn(True, "correct", 0.9))
RIGHT = made_episode(made_turn(True, "correct", 0.8))
LOST = made_episode(made_turn(False, "correct", 0.6))


def test_the_page_says_what_was_fixed_and_what_was_noticed():
    text = markdown(card(FIXED, RIGHT, LOST, RIGHT))
    assert "50.0% [15.0, 85.0] of the first attempts are right" in text
    assert "first attempt is wrong, 50.0%" in text
    assert "it rejects 50.0%" in text
    assert "accepts 100.0% of its right ones" in text
    # The two most confident answers are right, one of four is wrong.
    assert "most confident of, 0.0% are wrong; of all answers, 25.0%" in text


def test_a_model_without_verdicts_is_said_to_give_none():
    text = markdown(card(made_episode(made_turn(True), made_turn(False))))
    assert "gave no verdicts" in text
    assert "Does its confidence" not in text


def test_what_is_not_defined_is_not_a_finding():
    text = markdown(card(RIGHT))
    assert "Does it fix" not in text
    assert "it had no wrong attempt to reject" in text
    assert "nan" not in text


def test_the_confidence_of_the_tokens_goes_first():
    page = card(made_episode(made_turn(True, "correct", 0.9, probability=0.7)))
    assert page.kind == "token"
    assert "By the probability of the verdict's tokens" in markdown(page)


def test_the_page_repeats_how_it_was_measured():
    text = markdown(card(RIGHT, problems="hf:a/b", max_attempts=4, base_url="http://secret"))
    assert "- problems: hf:a/b" in text
    assert "- max-attempts: 4" in text
    assert "secret" not in text


def test_names_are_shown_and_not_obeyed():
    pytest.importorskip("markdown_it")
    page = card(RIGHT, model="a|b <script>x</script> [c](http://d) *e*", row="<img>")
    document = html(markdown(page), page.model, b"png")
    assert "<script>" not in document
    assert "<img>" not in document
    assert "<a " not in document
    assert "a|b &lt;script&gt;x&lt;/script&gt; [c](http://d) *e*, &lt;img&gt;" in document


def test_the_document_holds_its_figure_and_tables():
    pytest.importorskip("markdown_it")
    document = html(markdown(card(FIXED, RIGHT)), "title", b"png")
    assert 'src="data:image/png;base64,cG5n"' in document
    assert FIGURE not in document
    assert "<td>Malformed turns</td>" in document


def test_nothing_graded_is_refused():
    with pytest.raises(ValueError, match="could be graded"):
        card(made_episode(made_turn(None, "correct")))
