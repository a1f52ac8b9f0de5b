r"""The answer in the closing words of a turn that marks none: its last sentence or formula."""

from __future__ import annotations

import re

FORMULA = re.compile(
    r"(?<![\\$])\$\$(?P<a>[^$]+)\$\$|(?<![\\$])\$(?P<b>(?:[^$\\]|\\.)+)\$(?!\$)"
    r"|\\\((?P<c>.+?)\\\)|\\\[(?P<d>.+?)\\\]",
    re.DOTALL,
)
CLOSING_LIMIT = 1_500
"""Characters at the end of a turn that are searched for its closing words."""

# What ends a message, or is said behind every answer.
_TRAILER = re.compile(
    r"(?:<\|[^<>|\n]{1,40}\|>(?:user|assistant|system)?|</?(?:s|eo[a-z]|end|br|think)\s?/?>|"
    r"(?<!-)-{3,}|I hope (?:it|this) (?:is correct|helps)[.!]?|This is the (?:final )?answer\.|"
    r"[■□∎]|\\(?:blacksquare|square)|Это и есть ответ\.)$",
    re.IGNORECASE,
)
# `$2, so she makes 9 * $`
_PRICES = re.compile(
    r"^[0-9][0-9.,]*(?:\s+\(?[A-Za-z]{2,}|,? [a-z]+ [a-z])"
    r"|\n\n|(?:\)|[0-9]) ?[-+*=/] *$|[a-z]{3,} [a-z]{2,} [a-z]"
)
_TRAILERS = 8
"""How many of them are taken off, at most."""

_VALUE = r"[-$\\]*\d"
_DOUBT = re.compile(
    r"^no\b|\bnone\b|\b(?:is|are|was|be) not\b|\bnot (?:sure|certain|known)\b|"
    r"\b(?:either|maybe|perhaps|possibly|"
    r"probably|unless|except|otherwise|wrong|false|incorrect|guess|example|unknown|assum\w+)\b|[?？]|"
    r"\b(?:could|might|may) be\b|isn't|\bnot ?" + _VALUE + r"|"
    r"\b(?:or|between|about|around|approximately|roughly|at (?:least|most)|(?:more|less|fewer|"
    rf"greater|larger|smaller) than) ?{_VALUE}|\bif \\?\$?[a-z] ?[=<>]|\d\S* or\b|"
    r"\b(?:не|или|если|возможно|примерно|около)\b|可能|不是|或者?|大约|如果|约为",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!](?:\*{0,2}|\"?)\s+(?=[A-ZА-Я*$\\\"(\[])|[。！]|\n")
_BOLD = re.compile(r"(?:\*\*|(?P<tick>`))([^*`\n]{1,200})(?(tick)`|\*\*)")
_PLAIN = re.compile(r"[^$ ]*[^A-Za-z ][^$ ]*|(?:\S|(?<=[-+*/=]) | (?=[-+*/=]))+")
# Behind `= 20`: words, in which other numbers are neither calculated with nor alternatives.
_WORDS_ONLY = re.compile(r"[\"'a-z]{0,3}(?: (?!(?:and|or) [$£€]?\d)[^\s=+*/]+)*$")
_FENCED = re.compile(r"```\w{0,20}\n([^\n`]{1,200})\n```$")
_SEVERAL = re.compile(r"\d[^.=]*[^\d.=]\b(?:and|or) [$£€]?\d")
_IS = re.compile(
    r"(?:\b(?:is|are|was|were|be|equals?|equal to|gives?|yields?|total(?:s|ed)?(?: of)?|make|makes|"
    r"made|earn|earns|earned|has|have|had|commission of|cost of|pay|pays|paid)|=|####|"
    r"равн[оаы]?|равен|составля[а-я]+|является|是|为|等于|得|共有?|есть)[\s:：—]*$"
)
# `<<3*3=9>>`, a calculator's note in GSM8K
_ANNOTATION = re.compile(r"<<[^<>\n]{1,80}>>")
_CONCLUDES = re.compile(
    r"\s*(?:so|thus|therefore|hence|finally|in total|altogether|consequently|"
    r"overall|in conclusion)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?<![\w.,^_{\\/])(?:-|\\?\$|£|€|¥|-\\?\$)?\d+(?:,\d{3})*(?:\.\d+)?(?:\s?/\s?\d+)?(?:\s?\\?%)?(?=[a-z]{1,3}\b|[\"'])?(?![A-Z\d_/^]|[a-z]{4})"
)
_EQUALS = re.compile(r"(?<![<>!:])=(?!=)")


def strip_trailer(text: str) -> str:
    """Returns a text without tokens that end a message, and without polite last words."""
    for _ in range(_TRAILERS):
        text = text.rstrip()
        match = _TRAILER.search(text, max(0, len(text) - 80))
        if match is None:
            break
        text = text[: match.start()]
    return text


def formulas(text: str) -> list[re.Match[str]]:
    """Returns the formulas of a text; what lies between two prices is none."""
    return [m for m in FORMULA.finditer(text) if m["b"] is None or not _PRICES.search(m["b"])]


def _mask(text: str, char: str) -> str:
    """Puts a character in the place of all that formulas hold."""
    for match in formulas(text):
        text = text[: match.start()] + char * len(match.group()) + text[match.end() :]
    return text


def content(formula: re.Match[str]) -> str:
    """Returns what a formula holds."""
    return next(part for part in formula.groups() if part is not None).strip()


def closing_answer(text: str) -> str | None:
    """Returns the answer that the closing words of a turn state without doubt, or None.

    It is a formula of its own at the end, or what the last sentence says: its only bold value, its
    only formula, its only number, or the one behind its verb.

    Args:
        text: A turn, without what its `strip_trailer` takes off.
    """
    tail = text[-CLOSING_LIMIT:]
    last = formulas(tail)
    if last and not tail[last[-1].end() :].strip(" .,;:*\n)") and _is_display(last[-1]):
        return _formula_value(last[-1])
    fenced = _FENCED.search(tail)
    if fenced is not None:
        return fenced[1].strip()
    sentence = _last_sentence(tail)
    sentence = _ANNOTATION.sub("", sentence)
    if not sentence or _DOUBT.search(_mask(sentence, "0")):
        return None
    return _stated(sentence)


def _is_display(formula: re.Match[str]) -> bool:
    return formula["a"] is not None or formula["d"] is not None


def _formula_value(formula: re.Match[str]) -> str | None:
    return content(formula).rstrip(".,;").strip() or None


def _last_sentence(text: str) -> str:
    r"""Returns the last sentence; formulas are not cut at their full stops."""
    masked = _mask(text, "\x01")
    pieces = [0, *(m.end() for m in _SENTENCE_END.finditer(masked))]
    for start in reversed(pieces):
        if text[start:].strip(" .*\n"):
            return text[start:].strip()
    return ""


def _stated(sentence: str) -> str | None:
    """Returns the value that a sentence states."""
    bold = [m[2] for m in _BOLD.finditer(sentence) if _has_value(m[2])]
    if bold:
        if len(bold) > 1:
            return None
        value = bold[0].strip(" .:,")
        return value if _PLAIN.fullmatch(value) else _from_words(value)
    return _from_words(sentence)


def _has_value(text: str) -> bool:
    return any(c.isdigit() for c in text) or "$" in text or "\\" in text


def _from_words(sentence: str) -> str | None:
    matches = formulas(sentence)
    numbers = list(_NUMBER.finditer(_mask(sentence, " ")))
    if len(matches) == 1 and not numbers:
        return _formula_value(matches[0])
    if matches:
        behind = sentence[matches[-1].end() :].strip(" .*")
        is_stated = _IS.search(sentence[: matches[-1].start()]) is not None
        return _formula_value(matches[-1]) if is_stated and not behind else None
    equals = [m.end() for m in _EQUALS.finditer(sentence)]
    if equals and (not numbers or equals[-1] <= numbers[-1].end()):
        return _leading_value(sentence[equals[-1] :].strip(" .*"))
    money = [n for n in numbers if n.group()[:2].strip("-\\")[:1] in tuple("$£€¥")]
    stated = [n for n in numbers if _IS.search(sentence[: n.start()])]
    if _SEVERAL.search(sentence):
        return None
    for candidates in (numbers, stated, money):
        if len(candidates) == 1:
            return candidates[0].group()
    return numbers[-1].group() if numbers and _CONCLUDES.match(sentence) else None


def _leading_value(text: str) -> str | None:
    """Returns a value, without the words of the sentence that follow it."""
    number = _NUMBER.match(text)
    if number is not None and _WORDS_ONLY.match(text[number.end() :]):
        return number.group()
    return text or None
