r"""Decides one pair: as text, as numbers, as words, as mathematics, and only then with SymPy.

`RULES` are tried in order; each decides or passes the pair on. Gold answers that were read are
cached, so one is parsed once for all the answers it is compared with.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from srenv.verifier.grade import Decision
from srenv.verifier.reading.extract import find_answer, is_conclusion, looks_like_turn, only_formula
from srenv.verifier.reading.labels import letters_of, rename, value_of
from srenv.verifier.reading.normalize import normalize
from srenv.verifier.reading.remarks import declared_letters, is_word, split_remarks
from srenv.verifier.reading.structure import Answer, Relation, is_spaced, read
from srenv.verifier.reading.tokens import TooLargeError, UnreadableError
from srenv.verifier.reading.units import unit_name
from srenv.verifier.rules.answers import compare_answers
from srenv.verifier.rules.numbers import Number, compare_numbers, number_of_word, parse_number
from srenv.verifier.rules.quantities import scale_between
from srenv.verifier.rules.words import (
    choice_letter,
    compare_words,
    is_words,
    split_option,
)
from srenv.verifier.trace import note
from srenv.verifier.values.exact import start_clock

Comparer = Callable[[str, str], Decision]

ANSWER_LIMIT = 20_000
"""Longer answers are compared as they are written, and not at all beyond that."""

_UNIT_BEHIND = re.compile(
    r"(?:\\unit\{(?P<upright>[^{}]+)\}|(?:(?<=[0-9)}\]!])|(?<=\\pi)|(?<=\\pi )) ?"
    r"(?P<word>(?<= )[A-Za-z][A-Za-z .]*(?:\^\{?[23]\}?)?"
    r"|(?:mm|cm|m|km|ft|in)\^\{?[23]\}?))$"
)
MAY_HOLD_LIMIT = 2_000
"""Longer answers that cannot be read are wrong."""

_DOUBT = re.compile(
    r"[<>?]|\\(?:le|ge|ne|pm|in|cup)(?![A-Za-z])|\b(?:not|n't|no|or|either|maybe|perhaps|wrong|false|"
    r"least|most|more|less|than|between|about|if|unless|except|incorrect|guess|could|might)\b"
)
_QUESTION = re.compile(r"[?]|^\.\.\.$")


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer, read as far as it can be.

    Attributes:
        written: The answer as written, without its box.
        normal: The same, normalized.
        number: Its value, if it is a plain number.
    """

    written: str
    normal: str
    number: Number | None


Rule = Callable[[Reading, Reading], Decision | None]
"""Decides on a gold answer and an answer, or returns None to pass them on to the next rule."""


def bare(text: str) -> str | None:
    """Returns the answer in a turn, or a bare answer as it is."""
    text = text.strip()
    if not looks_like_turn(text) and not is_conclusion(text):
        return only_formula(text) or text
    extracted = find_answer(text)
    answer = extracted.answer if extracted else only_formula(text)
    return answer if answer is not None or looks_like_turn(text) else text


def decide(gold: str, answer: str, compare_symbolically: Comparer) -> Decision:
    """Decides whether an answer is the gold answer.

    Args:
        gold: The gold answer.
        answer: An answer, or a turn.
        compare_symbolically: Compares two normalized answers that no rule here reads.
    """
    gold_text, answer_text = bare(gold), bare(answer)
    note("extract", "gold:", gold_text)
    note("extract", "answer:", answer_text)
    if answer_text is None:
        return (False, "no_answer") if gold_text else (None, "no_gold")
    if not gold_text:
        return None, "no_gold"
    if gold_text == answer_text and gold_text.strip(" .$"):
        return True, "text"
    if max(len(gold_text), len(answer_text)) > ANSWER_LIMIT:
        return None, "too_large"
    start_clock()
    gold_reading, answer_reading = _read_gold(gold_text), _read(answer_text)
    note("read", "gold:", gold_reading.normal)
    note("read", "answer:", answer_reading.normal)
    decision = _decide_by_rules(gold_reading, answer_reading)
    if decision is not None:
        return decision
    note("symbolic", "asks a worker process")
    correct, reason = compare_symbolically(gold_reading.normal, answer_reading.normal)
    if reason == "unparsable_answer" and may_hold(gold_reading.normal, answer_reading.normal):
        return None, reason
    return correct, reason


def _decide_by_rules(gold: Reading, answer: Reading) -> Decision | None:
    """Returns the decision of the first rule that has one."""
    for name, rule in RULES:
        decision = rule(gold, answer)
        note(name, *(("passes it on",) if decision is None else ("decides:", *decision)))
        if decision is not None:
            return decision
    return None


def may_hold(gold: str, answer: str) -> bool:
    """Whether an answer that cannot be read may be right: it holds the gold answer, without doubt.

    Any other answer that cannot be read is wrong.
    """
    if len(answer) > MAY_HOLD_LIMIT or _DOUBT.search(answer):
        return False
    return re.search(rf"(?<![\w.]){re.escape(gold)}(?![\w.])", answer) is not None


def _read(written: str) -> Reading:
    normal = normalize(written)
    number = parse_number(normal) if not is_spaced(written) else None
    return Reading(written, normal, number)


_read_gold = functools.lru_cache(maxsize=8192)(_read)


# --- the rules, in the order in which they are tried -------------------------------------------


def _text_rule(gold: Reading, answer: Reading) -> Decision | None:
    if not gold.normal:
        return None, "no_gold"
    if not answer.normal:
        return False, "no_answer"
    return (True, "text") if gold.normal == answer.normal else None


def _number_rule(gold: Reading, answer: Reading) -> Decision | None:
    if gold.number is None or answer.number is None:
        return None
    return compare_numbers(gold.number, answer.number)


def _word_rule(gold: Reading, answer: Reading) -> Decision | None:
    return compare_words((gold.written, answer.written), (gold.normal, answer.normal))


def _option_rule(gold: Reading, answer: Reading) -> Decision | None:
    """Compares a choice with its option, `(A) 5`, to the letter or to the option alone."""
    gold_option, option = split_option(gold.normal), split_option(answer.normal)
    if gold_option is None and option is None:
        return None
    gold_letter = gold_option[0] if gold_option else choice_letter(gold.normal)
    letter = option[0] if option else choice_letter(answer.normal)
    if gold_letter and letter:
        return gold_letter == letter, "choice"
    if gold_letter and not gold_option:
        return False, "choice"
    gold_text = gold_option[1] if gold_option else gold.normal
    text = option[1] if option else answer.normal
    decision = _decide_by_rules(_read(gold_text), _read(text))
    return decision if decision and decision[0] else None


def _question_rule(gold: Reading, answer: Reading) -> Decision | None:
    return (False, "no_answer") if _QUESTION.search(answer.normal) else None


def _mathematics_rule(gold: Reading, answer: Reading) -> Decision | None:
    """Compares two answers that the parser reads; what it cannot read is left to SymPy."""
    commas = is_spaced(gold.written) or is_spaced(answer.written)
    gold_said, said = split_remarks(gold.normal), split_remarks(answer.normal)
    (gold_body, gold_unit), (body, unit) = _without_unit(gold_said.main), _without_unit(said.main)
    if gold_unit and unit and gold_unit != unit:
        scale = scale_between(gold_unit, unit)
        if not isinstance(scale, Fraction):
            return scale, "unit"
        body = rf"({body})\cdot\frac{{{scale.numerator}}}{{{scale.denominator}}}"
    try:
        gold_tree = _structure(gold_body, commas)
    except TooLargeError:
        return None, "too_large"
    except UnreadableError:
        return None
    note("parse", "gold:", gold_tree)
    try:
        tree = read(body, commas)
    except TooLargeError:
        return None, "too_large"
    except UnreadableError:
        if gold.number is None and not is_words(answer.written, answer.normal):
            return None
        return (None if may_hold(gold.normal, answer.normal) else False), "unparsable_answer"
    note("parse", "answer:", tree)
    decision = compare_answers(gold_tree, tree)
    if decision[0] is False and (gold_said.condition or said.condition):
        renamed = _rename_declared(gold_tree, gold_said.condition, tree, said.condition)
        decision = decision if renamed is None else compare_answers(gold_tree, renamed)
    if decision[0] and not all(_agrees(gold_tree, form) for form in gold_said.forms):
        return None, "contradiction"
    if decision[0] and not all(_agrees(tree, form) for form in said.forms):
        return False, "hedged"
    return decision


def _rename_declared(
    gold: Answer, gold_condition: str, answer: Answer, condition: str
) -> Answer | None:
    r"""Renames the one letter of an answer that a condition declares: `3k, k \in \mathbb{Z}`."""
    ours, theirs = letters_of(gold) - letters_of(answer), letters_of(answer) - letters_of(gold)
    if len(ours) != 1 or len(theirs) != 1:
        return None
    declared = declared_letters(gold_condition) & ours or declared_letters(condition) & theirs
    return rename(answer, *theirs, *ours) if declared else None


def _agrees(tree: Answer, form: str) -> bool:
    """Whether another form of an answer is equal to it, or a rounding of it."""
    sign = "~=" if form.startswith("\\approx") else "="
    text = form.removeprefix("\\approx ")
    if is_word(text):
        text = str(number_of_word(text))
    try:
        other = read(text)
    except (UnreadableError, TooLargeError):
        return False
    if letters_of(other) - letters_of(tree):
        return False
    value = value_of(tree)
    return compare_answers(value, Relation((value, other), (sign,)))[0] is True


RULES: tuple[tuple[str, Rule], ...] = (
    ("text", _text_rule),
    ("numbers", _number_rule),
    ("options", _option_rule),
    ("words", _word_rule),
    ("question", _question_rule),
    ("mathematics", _mathematics_rule),
)


@functools.lru_cache(maxsize=8192)
def _structure_or_error(text: str, commas: bool) -> Answer | type[Exception]:
    try:
        return read(text, commas)
    except UnreadableError as error:
        return _two_forms(text, commas) or type(error)
    except TooLargeError as error:
        return type(error)


def _two_forms(text: str, commas: bool) -> Answer | None:
    r"""Reads a gold answer that gives two forms of one answer: `x > 4 : (4,\infty)`."""
    first, colon, second = text.rpartition(":")
    if not colon:
        return None
    try:
        forms = read(first.strip(), commas), read(second.strip(), commas)
    except (UnreadableError, TooLargeError):
        return None
    return forms[1] if compare_answers(*forms)[0] else None


def _structure(text: str, commas: bool) -> Answer:
    answer = _structure_or_error(text, commas)
    if isinstance(answer, type):
        raise answer
    return answer


def _without_unit(text: str) -> tuple[str, str]:
    r"""Takes a unit off an expression: `25\pi square units`."""
    text = text.removeprefix(r"\$")
    match = _UNIT_BEHIND.search(text)
    if match is None:
        return text, ""
    name = match["upright"] or unit_name(match["word"])
    body = text[: match.start()].rstrip()
    if name is None or not body or "," in body:
        return text, ""
    return body, name
