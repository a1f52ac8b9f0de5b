r"""Decide one pair: as text, as numbers, as words, as mathematics, and only then with SymPy.

Each rule either decides or passes the pair on. What was read is kept, so a gold answer is parsed
once for all the answers it is compared with.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from srenv.verifier.grade import Decision
from srenv.verifier.reading.extract import extract, looks_like_turn, only_formula
from srenv.verifier.reading.normalise import normalise
from srenv.verifier.reading.structure import Answer, is_spaced, read
from srenv.verifier.reading.tokens import TooLargeError, UnreadableError
from srenv.verifier.rules.compare import compare
from srenv.verifier.rules.numerals import Number, parse_number, same_number
from srenv.verifier.rules.units import unit_name
from srenv.verifier.rules.words import compare_words, is_words
from srenv.verifier.values.exact import start_clock

Comparer = Callable[[str, str], Decision]

ANSWER_LIMIT = 20_000
"""Longer answers are compared as they are written, and not at all beyond that."""

_UNIT_BEHIND = re.compile(
    r"(?:(?<=[0-9)}\]!])|(?<=\\pi)|(?<=\\pi )) ?(?P<word>(?<= )[A-Za-z][A-Za-z .]*(?:\^\{?[23]\}?)?"
    r"|(?:mm|cm|m|km|ft|in)\^\{?[23]\}?)$"
)
_QUESTION = re.compile(r"[?]|^\.\.\.$")


@dataclass(frozen=True, slots=True)
class Read:
    """An answer, read as far as it can be.

    Attributes:
        written: The answer as written, without its box.
        normal: The same, normalised.
        number: Its value, where it is a plain number.
    """

    written: str
    normal: str
    number: Number | None


def bare(text: str) -> str | None:
    """Return the answer in a turn, or a bare answer as it is."""
    text = text.strip()
    if looks_like_turn(text):
        found = extract(text)
        return found if found is not None else only_formula(text)
    return only_formula(text) or text


def decide(gold: str, answer: str, compare_symbolically: Comparer) -> Decision:
    """Decide whether an answer is the gold answer.

    Args:
        gold: The gold answer.
        answer: An answer, or a turn.
        compare_symbolically: Compares two normalised answers that no rule here reads.
    """
    wanted, given = bare(gold), bare(answer)
    if given is None:
        return (False, "no_answer") if wanted else (None, "no_gold")
    if not wanted:
        return None, "no_gold"
    if wanted == given and wanted.strip(" .$"):
        return True, "text"
    if max(len(wanted), len(given)) > ANSWER_LIMIT:
        return None, "too_large"
    start_clock()
    first, second = _read_gold(wanted), _read(given)
    if not first.normal:
        return None, "no_gold"
    if not second.normal:
        return False, "no_answer"
    if first.normal == second.normal:
        return True, "text"
    return _decide(first, second, compare_symbolically)


def _read(written: str) -> Read:
    normal = normalise(written)
    number = parse_number(normal) if not is_spaced(written) else None
    return Read(written, normal, number)


_read_gold = functools.lru_cache(maxsize=8192)(_read)


def _decide(gold: Read, answer: Read, compare_symbolically: Comparer) -> Decision:
    if gold.number is not None and answer.number is not None:
        return same_number(gold.number, answer.number)
    words = compare_words((gold.written, answer.written), (gold.normal, answer.normal))
    if words is not None:
        return words
    if _QUESTION.search(answer.normal):
        return False, "no_answer"
    return _mathematically(gold, answer, compare_symbolically)


def _mathematically(gold: Read, answer: Read, compare_symbolically: Comparer) -> Decision:
    commas = is_spaced(gold.written) or is_spaced(answer.written)
    (first, unit), (second, other) = _without_unit(gold.normal), _without_unit(answer.normal)
    if unit and other and unit != other:
        return None, "unit"
    try:
        wanted = _structure(first, commas)
    except TooLargeError:
        return None, "too_large"
    except UnreadableError:
        return compare_symbolically(gold.normal, answer.normal)
    try:
        given = read(second, commas)
    except TooLargeError:
        return None, "too_large"
    except UnreadableError:
        if gold.number is not None or is_words(answer.written, answer.normal):
            return False, "unparsable_answer"
        return compare_symbolically(gold.normal, answer.normal)
    return compare(wanted, given)


@functools.lru_cache(maxsize=8192)
def _structure_or_error(text: str, commas: bool) -> Answer | type[Exception]:
    try:
        return read(text, commas)
    except UnreadableError as error:
        return _two_forms(text, commas) or type(error)
    except TooLargeError as error:
        return type(error)


def _two_forms(text: str, commas: bool) -> Answer | None:
    r"""Read a gold answer that gives two forms of one answer: `x > 4 : (4,\infty)`."""
    first, colon, second = text.rpartition(":")
    if not colon:
        return None
    try:
        forms = read(first.strip(), commas), read(second.strip(), commas)
    except (UnreadableError, TooLargeError):
        return None
    return forms[1] if compare(*forms)[0] else None


def _structure(text: str, commas: bool) -> Answer:
    found = _structure_or_error(text, commas)
    if isinstance(found, type):
        raise found
    return found


def _without_unit(text: str) -> tuple[str, str]:
    r"""Take a unit off an expression: `25\pi square units`."""
    text = text.removeprefix(r"\$")
    found = _UNIT_BEHIND.search(text)
    if found is None:
        return text, ""
    name = unit_name(found["word"])
    body = text[: found.start()].rstrip()
    if name is None or not body or "," in body:
        return text, ""
    return body, name
