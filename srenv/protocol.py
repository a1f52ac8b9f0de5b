"""Protocols: the turn format as data, from what the model is told to what ends an episode."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from srenv.domains import Domain, find_domain
from srenv.episode import AnswerSource, Message, Problem, Verdict
from srenv.parsing import ACCEPTED, MAX_TURN_CHARS, ParsedTurn, parse_turn
from srenv.registry import unknown
from srenv.verdicts import MARKED, Marker, VerdictLine, verdict_line, verdict_on_last_line

Stop = Literal["verdict", "never", "oracle"]
VerdictForm = Literal["marker", "question", "none"]
Feedback = Literal["neutral", "constant", "oracle", "verdict", "public_tests"]
Unreadable = Literal["retry", "stop", "correct"]

FORM = "{form}"
"""Placeholder for the domain's `answer_form` in sentences, as in "give the answer {form}"."""

RESULTS = "Your program on the examples:"
"""Precedes the results of visible examples under ``feedback="public_tests"``."""


@dataclass(frozen=True, slots=True)
class Protocol:
    r"""The wording of the conversation and the choices in which published systems differ.

    By default only the last non-empty line of a turn can be its verdict, so a marker in the problem
    or in the reasoning never counts. A line that holds two markers is no verdict.

    Sentences know no domain: they say `FORM`, ``{form}``, for the domain's `answer_form`.

    Attributes:
        instruction: Added to the problem in the first message; describes the turn format.
        retry: The neutral request to try again. It is silent about correctness.
        reveal: The request that says that the attempt was wrong (``feedback`` other than neutral).
        praise: The request after a right attempt under ``feedback="oracle"``, and after a verdict
            of correct under ``feedback="verdict"``.
        stop: Who ends the episode: the model's own ``"verdict"``, ``"never"`` (attempts run out),
            or the ``"oracle"`` (first right answer; for baselines, it leaks correctness).
        verdict: How the verdict is given: by a ``"marker"`` line, as the answer to a
            ``"question"`` that the model asks itself (the line is the question and ``Yes.`` or
            ``No.``; Xiong et al., two-turn format), or ``"none"`` at all.
        feedback: What follows an attempt: the ``"neutral"`` retry, a ``"constant"`` claim that it
            was wrong (RISE), what the model's own ``"verdict"`` says of it (Xiong et al.,
            two-turn format), the ``"oracle"`` truth (for baselines, it leaks correctness), or what
            the examples in the prompt say of it (``"public_tests"``, a help: programs are run on
            the examples and the results precede the neutral retry).
        marker: Where the verdict's marker counts: on the ``"last_line"``, or anywhere as long as
            it occurs in the turn ``"once"`` (the scripts of Xiong et al.).
        unreadable: What an attempt without a readable verdict leads to: another try
            (``"retry"``), the end with this answer (``"stop"``; Xiong et al., two-turn format),
            or the same as a verdict of correct (``"correct"``; S2R).
        question: What the model asks itself under ``verdict="question"``; one line.
        answer: What counts as an answer: one in the ``"form"`` that was asked for and nothing
            else; without one, also what is ``"marked"`` as the answer in words ("The answer is 5");
            or, without either, also what the last sentence or formula has ``"stated"``. Turns whose
            answer is out of form are counted in any case (``out_of_form_rate``).
        system: A system message before the problem; none if empty.
        strict: Whether a verdict must have exactly the form that is asked for. By default it is
            read as a person would read it (`srenv.verdicts`): ``**[Verify]: incorrect** (90%)``.

    Example:
        >>> problem = Problem("1", "What is 2*3?", "6", "example")
        >>> turn = Protocol().parse("so \\boxed{6}\n6/3=2\n[VERIFY] correct (0.9)", problem)
        >>> turn.answer, turn.verdict, turn.confidence
        ('6', 'correct', 0.9)
    """

    instruction: str = (
        "Solve the problem and give the answer {form}. Then check your answer, and end with "
        "one line that says [VERIFY] correct or [VERIFY] wrong."
    )
    retry: str = (
        "There might be an error in the solution above. Go through it again, correct it where "
        "needed, and reply in the same form."
    )
    reveal: str = (
        "The solution above is wrong. Find the error, correct it, and give the answer {form}."
    )
    praise: str = "The solution above is right. Confirm it and give the same answer {form}."
    stop: Stop = "verdict"
    verdict: VerdictForm = "marker"
    feedback: Feedback = "neutral"
    marker: Marker = "last_line"
    unreadable: Unreadable = "retry"
    question: str = "Is my most recent final answer correct (Yes or No)?"
    answer: AnswerSource = "marked"
    system: str = ""
    strict: bool = False

    def __post_init__(self) -> None:
        if self.answer not in ACCEPTED:
            raise ValueError(unknown("kind of answer", self.answer, ACCEPTED))
        if not self.question.strip() or len(self.question.strip().splitlines()) > 1:
            raise ValueError(f"the question must be one line of text, got {self.question!r}")

    def opening(self, problem: Problem) -> list[Message]:
        """Returns the messages that start a conversation about `problem`."""
        instruction = _worded(self.instruction, find_domain(problem.domain))
        request: Message = {"role": "user", "content": f"{problem.prompt}\n{instruction}"}
        return [{"role": "system", "content": self.system}, request] if self.system else [request]

    def follow_up(
        self,
        problem: Problem,
        correct: bool | None,
        verdict: Verdict | None = None,
        answer: str | None = None,
    ) -> Message:
        """Returns the message after a turn that did not end the episode.

        Args:
            problem: The problem; its domain says what answers look like.
            correct: The grade, which counts only under ``feedback="oracle"``.
            verdict: The model's own verdict, which counts only under ``feedback="verdict"``;
                without a readable one the request is the neutral one.
            answer: The answer, which counts only under ``feedback="public_tests"``.
        """
        domain = find_domain(problem.domain)
        own, results = self.feedback == "verdict", ""
        content = self.reveal
        if self.feedback == "public_tests" and answer is not None:
            results = domain.run_examples(problem, answer)
        if self.feedback in ("neutral", "public_tests") or (own and verdict is None):
            content = self.retry
        elif (self.feedback == "oracle" and correct) or (own and verdict == "correct"):
            content = self.praise
        request = _worded(content, domain)
        return {
            "role": "user",
            "content": f"{RESULTS}\n{results}\n{request}" if results else request,
        }

    def worded(self, domain: Domain) -> Protocol:
        """Returns the protocol in the words of one domain, without `FORM` in its sentences."""
        return replace(
            self,
            instruction=_worded(self.instruction, domain),
            retry=_worded(self.retry, domain),
            reveal=_worded(self.reveal, domain),
            praise=_worded(self.praise, domain),
        )

    def parse(self, text: str, problem: Problem, max_chars: int = MAX_TURN_CHARS) -> ParsedTurn:
        """Parses a turn about `problem`; never raises, in time linear in its bounded end.

        Args:
            text: The turn.
            problem: The problem; its domain finds the answer.
            max_chars: Only this many characters at the end of the turn are parsed.
        """
        default: Verdict | None = "correct" if self.unreadable == "correct" else None
        domain = find_domain(problem.domain)
        form = self._verdict_line
        return parse_turn(
            text, domain, form, self.marker, default, self.answer, max_chars, self.strict
        )

    def word(self, verdict: Verdict) -> str:
        """Returns the word that gives a verdict: ``correct`` or ``wrong``, ``Yes`` or ``No``."""
        return (self._verdict_line or MARKED).words[verdict]

    def phrase(self, text: str) -> str:
        r"""Rewrites a turn that ends in a ``[VERIFY]`` line so that it says the same here.

        Other turns are returned as they are, and so is every turn of a protocol without verdicts.

        Example:
            >>> PROTOCOLS["yes_no"].phrase("\\boxed{6}\n[VERIFY] wrong (0.9)").splitlines()[-1]
            'Is my most recent final answer correct (Yes or No)? No (0.9).'
        """
        form = self._verdict_line
        start, match = verdict_on_last_line(text, MARKED)
        if form is None or form is MARKED or match is None:
            return text
        stated = f" ({match[2]})" if match[2] else ""
        word = self.word("correct" if match[1] == "correct" else "wrong")
        return f"{text[:start]}{form.marker} {word}{stated}."

    @property
    def _verdict_line(self) -> VerdictLine | None:
        if self.verdict == "question":
            return verdict_line(self.question.strip(), "Yes", "No")
        return MARKED if self.verdict == "marker" else None


def _worded(sentence: str, domain: Domain) -> str:
    return sentence.replace(FORM, domain.answer_form)


EVALUATE = "Check the answer above, and end with one line: [VERIFY] correct or [VERIFY] wrong."
"""Asks for a self-evaluation alone, where the parts of a turn are sampled one by one."""

PROTOCOLS: dict[str, Protocol] = {
    "default": Protocol(),
    # Intrinsic self-correction: always revise, no verdict (papers: Xiong et al., app. B).
    "intrinsic": Protocol(
        instruction="Solve the problem and give the answer {form}.",
        retry=(
            "There might be an error in the solution above. Correct it where needed, and give the "
            "answer {form}."
        ),
        stop="never",
        verdict="none",
    ),
}
PROTOCOLS |= {
    # RISE: every attempt is followed by the claim that it was wrong, whatever it was.
    "rise": replace(PROTOCOLS["intrinsic"], feedback="constant"),
    # Told the truth by the verifier, and stopped by it (baselines, and RISE with an oracle).
    "gold": replace(PROTOCOLS["intrinsic"], feedback="constant", stop="oracle"),
    # The two-turn chat of Xiong et al.: the model asks itself, and is told what it answered. The
    # request after Yes is not met, as Yes ends the episode; stop="never" asks for a confirmation.
    "yes_no": Protocol(
        instruction=(
            "Solve the problem and give the answer {form}. Then check your answer, and end "
            "with one line that asks: Is my most recent final answer correct (Yes or No)? Answer "
            "it there with Yes. or No."
        ),
        reveal=(
            "You have judged your last answer to be wrong. Find the mistake, which may lie in how "
            "the problem was read, correct it, and reply in the same form."
        ),
        praise=(
            "You have judged your last answer to be right. Confirm it without changes, and reply "
            "in the same form."
        ),
        verdict="question",
        feedback="verdict",
        unreadable="stop",
    ),
    "code": Protocol(
        instruction=(
            "Write the program and give it {form}. Then check it, and end with one line that says "
            "[VERIFY] correct or [VERIFY] wrong."
        ),
        retry=(
            "There might be an error in the program above. Go through it again, correct it where "
            "needed, and reply in the same form."
        ),
        reveal=(
            "The program above is wrong. Find the error, correct it, and give the program {form}."
        ),
        praise="The program above is right. Confirm it and give the same program {form}.",
        answer="stated",
    ),
}
# With help: the examples in the prompt are run between attempts, and their results are shown.
PROTOCOLS["code_public"] = replace(PROTOCOLS["code"], feedback="public_tests")
"""Protocols by name; `gym.make` takes a name, a dict of fields, or ``module:attribute``."""

# Not in PROTOCOLS, whose sentences are tokens of the bundled model.
CONFIDENCE = Protocol(
    instruction=(
        "Solve the problem and give the answer {form}. Then check your answer, and end with "
        "one line that says [VERIFY] correct or [VERIFY] wrong, followed in parentheses by the "
        "probability, from 0 to 1, that this verdict is true: [VERIFY] correct (0.8)."
    )
)
"""Asks for a stated confidence (RLCR): ``--protocol srenv.protocol:CONFIDENCE``."""
