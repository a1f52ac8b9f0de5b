r"""Takes the dressing off an answer: dollar signs, spacing, ``\text{}``, ``\dfrac``, Unicode signs.

`normalize` maps the many ways of typing an answer to one. Two answers with equal results are the
same answer, so nothing that carries meaning may be lost here.
"""

from __future__ import annotations

import re
import unicodedata

from srenv.verifier.reading.units import unit_symbols

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True))
_GREEK = {
    chr(code): f"\\{unicodedata.name(chr(code)).rpartition(' ')[2].lower()} "
    for code in (*range(0x3B1, 0x3C2), *range(0x3C3, 0x3CA))
    if code not in (0x3BF, 0x3BB)
}
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("−–—‐‑﹣－", "-"),
        **{chr(0xFF10 + d): str(d) for d in range(10)},
        **dict.fromkeys("\u00a0\u2009\u202f\u2002\u2003\u2005\u2006\u2007\u2008\u200a\u3000", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\u2061\u2062\u2063\ufeff\u00ad"),
        **_GREEK,
        **{"λ": r"\lambda ", "∞": r"\infty ", "°": r"^{\circ}", "º": r"^{\circ}", "±": r"\pm "},
        **{"∓": r"\mp ", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot "},
        **{"÷": "/", "⁄": "/", "∕": "/", "∪": r"\cup ", "∩": r"\cap ", "∖": r"\setminus "},
        **{"≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ", "∈": r"\in "},
        **{"≈": r"\approx ", "≡": r"\equiv ", "∅": r"\emptyset ", "ℝ": r"\mathbb{R}"},
        **{"ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}"},
        **{"，": ",", "、": ",", "％": "%", "＋": "+", "＝": "=", "（": "(", "）": ")", "：": ":"},
        **{"。": ".", "．": ".", "∶": ":", "≅": r"\simeq ", "∀": r"\forall ", "√": r"\sqrt "},
        **{"Ω": r"\Omega ", "‘": "'", "’": "'", "“": '"', "”": '"', "【": "[", "】": "]"},
        **{"≔": ":=", "→": r"\to ", "⇒": r"\implies ", "∴": r"\therefore ", "⋃": r"\cup "},
        **{"；": ";", "＜": "<", "＞": ">", "｜": "|", "＊": "*", "／": "/", "∗": "*"},
        **{"⟨": r"\langle ", "⟩": r"\rangle ", "⌊": r"\lfloor ", "⌋": r"\rfloor "},
        **{"⌈": r"\lceil ", "⌉": r"\rceil ", "∠": r"\angle ", "△": r"\triangle ", "′": "'"},
    }
)
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_LOWERED = re.compile(f"[{''.join(_SUBSCRIPTS)}]+")
_ROOT_SIGN = re.compile(r"([√∛∜])\s*(?:\(([^()]*)\)|([0-9]+|[a-zπ]))")
_ROOT_INDEX = {"√": "", "∛": "[3]", "∜": "[4]"}
_STYLED_LETTERS = re.compile("[\U0001d400-\U0001d7ff]")

# Bold letters are vectors, for which `\times` does not commute: they keep their dress.
_WRAPPERS = (
    r"text|textbf|textit|textrm|textsf|texttt|textnormal|mathrm|mathit|mathsf|mbox|hbox|emph|"
    r"textsc|textmd|textup|operatorname\*?|underline|uline|ensuremath|boxed|fbox|framebox|mathtt|"
    r"mathnormal|mathbb(?=\s*\{[0-9])|mathcal(?=\s*\{[0-9])|mathbf(?!\s*\{[a-z]\})"
)
_WRAPPED = re.compile(rf"\\(?:{_WRAPPERS})\s*\{{([^{{}}]*)\}}")
WRAPPER = re.compile(rf"\\(?:{_WRAPPERS})\s*\{{")
# What wraps braces of its own loses its name and becomes a group.
_WRAPS_GROUP = re.compile(rf"\\(?:{_WRAPPERS})\s*(?=\{{)")
_SPACING = re.compile(
    r"\$|\\[()\[\],;:> ]|~|\\(?:quad|qquad|enspace|thinspace|hfill)(?![A-Za-z])|"
    r"\\[hv]space\{[^{}]*\}"
)
_STYLE = re.compile(
    r"\\!\s*|\\(?:text)?color\{\w+\}|\\h?phantom\{[^{}]*\}|\\colorbox\{\w+\}|"
    r"\\(?:tag|label)\*?\{[^{}]*\}|\\(?:left|right)\s*\.|"
    r"\\(?:left|right|middle|[bB]ig+[lrm]?|displaystyle|textstyle|limits|large|Large|LARGE|huge|"
    r"small|normalsize|bf|rm|it|sf|tt|bfseries|boldsymbol|bm|pmb|mathstrut|strut|nolimits|"
    r"blacksquare|square|qed|scriptstyle|checkmark|centering|hline|protect|noindent)(?![A-Za-z])"
)
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|\\degree(?![A-Za-z])")
_SYNONYMS = (
    (re.compile(r"\\(?:[dtcsx]|nice)(frac|binom)(?![A-Za-z])"), r"\\\1"),
    (re.compile(r"\\(?:bigcup|sqcup)(?![A-Za-z])"), r"\\cup"),
    (re.compile(r"\\(?:bigcap|sqcap)(?![A-Za-z])"), r"\\cap"),
    (re.compile(r"\\(?:coloneqq|triangleq|coloneq)(?![A-Za-z])"), ":="),
    (re.compile(r"\\(?:varnothing|oslash|O)(?![A-Za-z])"), r"\\emptyset"),
    (re.compile(r"\\le(?:q|qslant)(?![A-Za-z])"), r"\\le"),
    (re.compile(r"\\ge(?:q|qslant)(?![A-Za-z])"), r"\\ge"),
    (re.compile(r"\\neq(?![A-Za-z])|\\not\s*="), r"\\ne"),
    (re.compile(r"\\colon(?![A-Za-z])|\\ratio(?![A-Za-z])"), ":"),
    (re.compile(r"\\(?:lbrace|rbrace)(?![A-Za-z])"), lambda m: "\\{" if "l" in m[0] else "\\}"),
    (re.compile(r"\\(?:dots|ldots|cdots|dotsc)(?![A-Za-z])|…"), "..."),
)
_LINE_BREAK = "\\\\"
# `5 \mathrm{~m/s^2}`: a few letters are a unit when they are set upright behind a number.
_UPRIGHT_UNIT = re.compile(
    r"(?<=[0-9}.])[\s~]*(?:\\[,;:! ])*\\(?:text|mathrm|mbox|textrm|textnormal|operatorname|rm)"
    r"\{(?P<unit>[^{}]{1,40}(?:\{-?[0-9]\}[^{}]{0,20}){0,3})\}"
    r"(?P<power>\^\{?-?[0-9]\}?)?(?=\s*\$?\s*(?:[.,]?$|\\approx|[=)]))"
)
# Words that join answers, in languages other than English.
_JOINING = (
    (re.compile("或者?|或是"), " or "),
    (re.compile("[和与及且]"), " and "),
    (re.compile(r"\b(?:или|oder|ou)\b"), " or "),
    (re.compile(r"\b(?:и|und|et)\b"), " and "),
    (re.compile("无解|нет решений"), "no solution"),
    (re.compile("不存在|не существует"), "does not exist"),
    (re.compile(r"^[\u4e00-\u4e0c\u4e0e-\u9fff]{2,12}[为是](?=[-0-9\\$(\[])"), ""),
    (re.compile("根号 ?([0-9]+|[a-z])"), r"\\sqrt{\1}"),
    (re.compile("[^\x00-\x7f]{0,20}(?:答案|故选|答)(?:是|为|:)?:?"), " "),
)
# `x = 1 \qquad y = 2` is a list
_QUAD = re.compile(r"\\q?quad(?![A-Za-z])")
_EQUATION = re.compile(r"[^=(]*[A-Za-z)}][^=]*=[^=]+$")
_ALIGNED = re.compile(r"\\(?:begin|end)\s*\{(?:aligned|align\*?|gathered|split|equation\*?)\}")
_COMBINATIONS = (
    (re.compile(r"(?:\{\})?_\{?([0-9]+)\}? ?C_\{?([0-9]+)\}?"), r"\\binom{\1}{\2}"),
    (re.compile(r"(?:\{\})?\^\{?([0-9]+)\}? ?C_\{?([0-9]+)\}?"), r"\\binom{\1}{\2}"),
    (re.compile(r"(?<![A-Za-z\\])C_\{?([0-9]+)\}?\^\{?([0-9]+)\}?"), r"\\binom{\1}{\2}"),
    (re.compile(r"(?:\{\})?[_^]\{?([0-9]+)\}? ?P_\{?([0-9]+)\}?"), r"\\frac{\1!}{(\1-\2)!}"),
)
# `]2,5[` and `[2,5[` are open where the bracket turns away.
_TURNED = re.compile(
    r"([\[\]])([^\[\](){}]*(?:\{[^\[\](){}]*\}[^\[\](){}]*)*[,;][^\[\](){}]*(?:\{[^\[\](){}]*\}[^\[\](){}]*)*)([\[\]])"
)
# `the number of ways is 120`
_STATED = re.compile(
    r"^(?:(?!(?:not|no|none|nor|never|least|most|either|between|if|or|more|less|than|about)(?![a-z]))"
    r"[A-Za-z]+,? ){1,12}"
    r"(?:is|are|equals)(?: equal to)?:? ?(?=[-+0-9\\$(\[{])"
)
_MODULO = re.compile(r" ?\(? ?(?:\\[bp]?mod|(?<![A-Za-z])mod)(?![A-Za-z]) ?\{?(\w+)\}? ?\)?")
_REPEATING = re.compile(r"^(-?[0-9]*\.[0-9]*)(?:\\dot\{?|\()([0-9]+)[})]?$")
_INTERVAL_LIMIT = 300
_UNION = re.compile(r"(?<=[)\]}]) ?U ?(?=[(\[{\\])")
_LEADING = re.compile(
    r"(?:\\(?:therefore|implies|Rightarrow|rightarrow|to)(?![A-Za-z])|:(?!=)|"
    r"(?:ans|so)\b ?[:,]|(?!wrong|false|incorrect|guess|hint|except|maybe)"
    r"[a-z]{4,12}(?: [a-z]{2,10})?:(?!=) ?(?=[-0-9\\(\[{$A-Z])|[*_`&])\s*",
    re.IGNORECASE,
)
_TRAILING = re.compile(r"(?:\\\\|[,;:&`_*]|(?<!\\)\\)+$")
# `4! = 24` is no inequality.
_OPENING = re.compile(
    r"[A-Za-z]{2,12}(?: [a-z]{2,10})?[:,]|(?:exactly|only) (?=[0-9\\\\])|.{1,60} only$"
)
_FACTORIAL_EQUALS = re.compile(r"(?<=[0-9)}])!\s*=(?!=)")
_ONLY = re.compile(r"^(?:exactly|only) (?=[0-9\\\\])| only$")
_QUOTED = re.compile(r"(['\"])([^'\"]*)\1")
# A space matters between letters and digits (`5 520`, `no solution`, `\frac{1}{2} mile`).
_IDLE_SPACE = re.compile(r"(?<![A-Za-z0-9}]) | (?![A-Za-z0-9])")


def normalize(answer: str) -> str:
    """Returns an answer without its dressing; answers with equal results are the same answer."""
    text = answer if answer.isascii() else _to_ascii(answer)
    if "\\" in text:
        text = _undress(text)
    else:
        text = text.replace("$", " ").replace("~", " ").replace("{,}", ",")
    if "!" in text:
        text = _FACTORIAL_EQUALS.sub(r"!\\eq ", text)
    text = _IDLE_SPACE.sub("", " ".join(text.split()))
    text = _full_stop(_full_stop(text).removeprefix("**").removesuffix("**").strip())
    if not text[:1].isalnum() or not text[-1:].isalnum() or _OPENING.match(text):
        text = _trim(text)
    for _ in range(4):
        if not _is_group(text):
            break
        text = _full_stop(text[1:-1].strip())
    return _rewrite(text)


def _trim(text: str) -> str:
    """Takes off signs at either end that say nothing, and quotes around the whole."""
    leading = _LEADING.match(text)
    if leading is not None and leading.end() < len(text):
        text = text[leading.end() :]
    if not text.endswith("_*"):
        text = _full_stop(text[:-20] + _TRAILING.sub("", text[-20:]).rstrip() or text)
    text = _ONLY.sub("", text) or text
    quoted = _QUOTED.fullmatch(text)
    return quoted[2].strip() if quoted else text


def _rewrite(text: str) -> str:
    """Writes other notations of intervals, unions, combinations and lists as the usual ones."""
    if " is" in text or " are" in text:
        text = _STATED.sub("", text)
    if "mod" in text:
        text = _MODULO.sub(r"\\pmod{\1}", text)
    if "." in text:
        text = _REPEATING.sub(r"\1\\overline{\2}", text)
    if "U" in text:
        text = _UNION.sub(r"\\cup ", text)
    if "C_" in text or "P_" in text:
        for pattern, usual in _COMBINATIONS:
            text = pattern.sub(usual, text)
    if "[" in text or "]" in text:
        if len(text) < _INTERVAL_LIMIT:
            text = _TURNED.sub(_straighten, text)
        if text[0] == "[" and "'" in text:
            text = _QUOTED.sub(r"\2", text)
    return text


def _straighten(interval: re.Match[str]) -> str:
    left, inside, right = interval.groups()
    return ("(" if left == "]" else left) + inside + (")" if right == "[" else right)


def _to_ascii(text: str) -> str:
    """Writes Unicode mathematics as LaTeX."""
    text = _STYLED_LETTERS.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text)
    text = "".join(_vulgar_fraction(c) if "¼" <= c <= "⅞" else c for c in text)
    text = _RAISED.sub(lambda m: f"^{{{''.join(_SUPERSCRIPTS[c] for c in m[0])}}}", text)
    text = _LOWERED.sub(lambda m: f"_{{{''.join(_SUBSCRIPTS[c] for c in m[0])}}}", text)
    text = _ROOT_SIGN.sub(lambda m: rf"\sqrt{_ROOT_INDEX[m[1]]}{{{m[2] or m[3]}}}", text)
    text = text.translate(_CHARACTERS)
    if not text.isascii():
        for pattern, word in _JOINING:
            text = pattern.sub(word, text)
    return text


def _vulgar_fraction(char: str) -> str:
    parts = unicodedata.normalize("NFKC", char).split("⁄")
    if len(parts) != 2 or not all(parts):
        return char
    return rf"\frac{{{parts[0]}}}{{{parts[1]}}}"


def _undress(text: str) -> str:
    r"""Takes off the LaTeX dressing; line breaks are set aside: a `\\[` is not read as `\[`."""
    text = _UPRIGHT_UNIT.sub(_upright, text)
    if "quad" in text and "=" in text:
        parts = _QUAD.split(text)
        if max(map(len, parts)) < _INTERVAL_LIMIT and all(map(_EQUATION.match, parts)):
            text = ", ".join(part.rstrip(" ,;") for part in parts)
    rows = text.replace(r"\$", "\uffff").split(_LINE_BREAK)
    text = _LINE_BREAK.join(_SPACING.sub(" ", _STYLE.sub("", row)) for row in rows)
    text = text.replace("{,}", ",").replace("\uffff", r"\$")
    if "\\begin" in text and text.count("\\\\") < 2:
        text = _ALIGNED.sub("", text)
    text = _WRAPPED.sub(r" \1 ", _WRAPPED.sub(r" \1 ", text))
    text = _DEGREES.sub(r"^{\\circ}", _WRAPS_GROUP.sub("", text))
    for pattern, name in _SYNONYMS:
        text = pattern.sub(name, text)
    return text


def _upright(match: re.Match[str]) -> str:
    r"""Marks an upright unit, so that it is not taken for variables: `\unit{m/s^2}`."""
    unit = unit_symbols(match["unit"], match["power"] or "")
    return match.group() if unit is None else rf"\unit{{{unit}}}"


def _full_stop(text: str) -> str:
    """Takes off the full stop of a sentence, but no ellipsis."""
    return text if text.endswith("..") else text.removesuffix(".").rstrip()


def _is_group(text: str) -> bool:
    r"""Whether one pair of braces encloses the whole text; `\{1\}` is a set and no group."""
    if text[:1] != "{" or text[-1:] != "}" or text[-2:-1] == "\\":
        return False
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return at == len(text) - 1
    return False
