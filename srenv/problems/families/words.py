"""Word problems and arithmetic in English, of one to three steps.

## Description
For models that read English: stories about people, prices, boxes, ages and distances, and
plain arithmetic in symbols and in words. One problem in three takes one step of elementary
arithmetic, one two, and one three. Numbers have at most three digits, and every result on the way
is a whole number of at least two. Problems of one step stay in the multiplication table up to 12
times 12, and their sums and differences below 200; longer ones also multiply and divide by numbers
of two digits, with results below 1000. Problems are drawn from a table of stories, each in several
wordings, with forty names. The worked solution of a problem is in its ``data``, where
`srenv.problems.families.words.solve` reads it; a model does not see it. Nothing needs knowledge
beyond days in a week: no percentages, fractions, units to convert or numbers that do not matter.
The option ``?steps=1`` or ``?steps=1-2`` chooses the steps.

## Problems
``synthetic:words``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint. Both splits
have the same stories, with other numbers and names.

>>> import gymnasium as gym, srenv
>>> observation, _ = gym.make("SelfCorrectWords-v0").reset(seed=0)
>>> print(observation.splitlines()[0])
User: Add 18 and 14, multiply the sum by 4, and subtract 66. What do you get?

## Version History
* v0: Initial version.
"""

from __future__ import annotations

import functools
import operator
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from srenv.problems.source import Drawn, EndlessSource, SourceSpec

WOMEN = [
    "Maria", "Anna", "Emma", "Sofia", "Olivia", "Grace", "Lily", "Nora", "Zoe", "Ruth", "Clara",
    "Amina", "Priya", "Mei", "Ingrid", "Fatima", "Leila", "Hannah", "Julia", "Rosa",
]  # fmt: skip
MEN = [
    "Tom", "Ben", "Luis", "Omar", "James", "Peter", "Sam", "Noah", "Leo", "Jack", "David",
    "Carlos", "Ahmed", "Kenji", "Ivan", "Marco", "Oscar", "Felix", "Daniel", "Ravi",
]  # fmt: skip
THINGS = [
    "apples", "oranges", "marbles", "stickers", "pencils", "books", "coins", "cards", "shells",
    "buttons", "cookies", "stamps", "balloons", "beads", "crayons", "peaches", "tomatoes",
    "toys", "pebbles", "candles",
]  # fmt: skip
CONTAINERS = (
    ("box", "boxes"), ("bag", "bags"), ("basket", "baskets"), ("jar", "jars"), ("tray", "trays"),
)  # fmt: skip
GOODS = (
    ("notebook", "notebooks"), ("ticket", "tickets"), ("sandwich", "sandwiches"),
    ("plant", "plants"), ("cake", "cakes"), ("pen", "pens"), ("shirt", "shirts"),
    ("lamp", "lamps"), ("cup", "cups"), ("puzzle", "puzzles"),
)  # fmt: skip

MAX_STEPS = 3
LARGEST = 999
"""Greatest result of a step."""
TABLE = 12
"""Greatest factor of the multiplication table, in which problems of one step stay."""


@dataclass(frozen=True, slots=True)
class Story:
    """A kind of problem.

    Attributes:
        texts: Its wordings. Names in braces are filled in: the numbers by letter, and those of
            `cast`.
        numbers: Range of every number by letter, both ends included.
        steps: Its solution in order: a sentence with ``{calc}`` for the calculation, and the
            calculation itself, two operands and an operator. An operand is the letter of a number,
            a number, or ``#k``, the result of step k.
    """

    texts: tuple[str, ...]
    numbers: dict[str, tuple[int, int]]
    steps: tuple[tuple[str, str], ...]


ARITHMETIC = (
    Story(
        (
            "What is {a} + {b}?",
            "Add {a} and {b}.",
            "What is the sum of {a} and {b}?",
            "Work out {a} plus {b}.",
        ),
        {"a": (11, 99), "b": (11, 99)},
        (("Add the numbers: {calc}.", "a + b"),),
    ),
    Story(
        (
            "What is {a} - {b}?",
            "Subtract {b} from {a}.",
            "How much is {a} minus {b}?",
            "By how much is {a} greater than {b}?",
        ),
        {"a": (30, 199), "b": (11, 150)},
        (("Subtract: {calc}.", "a - b"),),
    ),
    Story(
        (
            "What is {a} * {b}?",
            "Multiply {a} by {b}.",
            "What is {a} times {b}?",
            "Find the product of {a} and {b}.",
        ),
        {"a": (2, 12), "b": (2, 12)},
        (("Multiply: {calc}.", "a * b"),),
    ),
    Story(
        (
            "What is {a} / {b}?",
            "Divide {a} by {b}.",
            "How many times does {b} go into {a}?",
        ),
        {"a": (6, 144), "b": (2, 12)},
        (("Divide: {calc}.", "a / b"),),
    ),
    Story(
        (
            "What is {a} + {b} * {c}?",
            "Add {a} to the product of {b} and {c}.",
            "Multiply {b} by {c} and add {a} to the result. What do you get?",
        ),
        {"a": (5, 99), "b": (2, 12), "c": (3, 12)},
        (("First multiply: {calc}.", "b * c"), ("Then add: {calc}.", "a + #1")),
    ),
    Story(
        (
            "What is {a} * {b} - {c}?",
            "Multiply {a} by {b}, then subtract {c}.",
            "What is {c} less than {a} times {b}?",
        ),
        {"a": (3, 12), "b": (4, 15), "c": (3, 60)},
        (("First multiply: {calc}.", "a * b"), ("Then subtract: {calc}.", "#1 - c")),
    ),
    Story(
        (
            "What is ({a} + {b}) * {c}?",
            "Add {a} and {b}, then multiply the sum by {c}.",
            "Multiply the sum of {a} and {b} by {c}.",
        ),
        {"a": (3, 40), "b": (3, 40), "c": (2, 9)},
        (("First add: {calc}.", "a + b"), ("Then multiply: {calc}.", "#1 * c")),
    ),
    Story(
        (
            "I think of a number. I multiply it by {a} and add {b}, and get {c}. "
            "What is my number?",
            "{a} times a number, plus {b}, is {c}. Find the number.",
        ),
        {"a": (2, 9), "b": (3, 50), "c": (20, 150)},
        (("Undo the sum: {calc}.", "c - b"), ("Undo the product: {calc}.", "#1 / a")),
    ),
    Story(
        (
            "What is {a} * {b} + {c} * {d}?",
            "Add the product of {a} and {b} to the product of {c} and {d}.",
        ),
        {"a": (2, 12), "b": (3, 12), "c": (2, 12), "d": (3, 12)},
        (
            ("The first product is {calc}.", "a * b"),
            ("The second product is {calc}.", "c * d"),
            ("Their sum is {calc}.", "#1 + #2"),
        ),
    ),
    Story(
        (
            "What is ({a} + {b}) * {c} - {d}?",
            "Add {a} and {b}, multiply the sum by {c}, and subtract {d}. What do you get?",
        ),
        {"a": (2, 30), "b": (2, 30), "c": (2, 9), "d": (3, 80)},
        (
            ("First add: {calc}.", "a + b"),
            ("Then multiply: {calc}.", "#1 * c"),
            ("Then subtract: {calc}.", "#2 - d"),
        ),
    ),
    Story(
        (
            "What is the average of {a}, {b} and {c}?",
            "Find the mean of the three numbers {a}, {b} and {c}.",
        ),
        {"a": (4, 60), "b": (4, 60), "c": (4, 60)},
        (
            ("The first two make {calc}.", "a + b"),
            ("All three make {calc}.", "#1 + c"),
            ("Divide by three: {calc}.", "#2 / 3"),
        ),
    ),
)
"""Arithmetic in symbols and in words."""

STORIES = (
    # One step.
    Story(
        (
            "{A} has {a} {things}. {B} gives {him} {b} more. How many {things} does {A} have now?",
            "{A} finds {a} {things} on Monday and {b} on Tuesday. How many {things} does {he} "
            "find on the two days?",
        ),
        {"a": (4, 80), "b": (4, 80)},
        (("Together these are {calc} {things}.", "a + b"),),
    ),
    Story(
        (
            "{A} has {a} {things} and gives {b} of them to {B}. How many {things} does {A} have "
            "left?",
            "There are {a} {things} on a table. {A} takes {b} of them away. How many {things} are "
            "still there?",
        ),
        {"a": (12, 120), "b": (4, 90)},
        (("{calc} {things} are left.", "a - b"),),
    ),
    Story(
        (
            "A {box} holds {a} {things}. How many {things} are in {b} full {boxes}?",
            "{A} fills {b} {boxes} with {a} {things} each. How many {things} does {he} need?",
        ),
        {"a": (3, 12), "b": (3, 12)},
        (("The {boxes} hold {calc} {things}.", "b * a"),),
    ),
    Story(
        (
            "{A} shares {a} {things} equally among {b} friends. How many {things} does each "
            "friend get?",
            "{A} puts {a} {things} into {b} {boxes}, the same number into each. How many {things} "
            "are in one {box}?",
        ),
        {"a": (6, 144), "b": (2, 12)},
        (("Each has {calc} {things}.", "a / b"),),
    ),
    Story(
        (
            "{A} has {a} {things} and {B} has {b}. How many more {things} does {A} have than {B}?",
            "{B} counts {b} {things}, and {A} counts {a}. How many fewer does {B} count?",
        ),
        {"a": (15, 120), "b": (4, 90)},
        (("The difference is {calc} {things}.", "a - b"),),
    ),
    Story(
        (
            "One {good} costs ${a}. How many dollars do {b} {goods} cost?",
            "{A} buys {b} {goods} at ${a} each. How many dollars does {he} pay?",
        ),
        {"a": (3, 12), "b": (3, 12)},
        (("The {goods} cost {calc} dollars.", "b * a"),),
    ),
    Story(
        (
            "{A} reads {a} pages every day. How many pages does {he} read in {b} days?",
            "{A} runs {b} times, {a} minutes each time. How many minutes is that altogether?",
        ),
        {"a": (3, 12), "b": (3, 9)},
        (("Altogether that is {calc}.", "b * a"),),
    ),
    Story(
        (
            "{A} is {a} years old, and {B} is {b} years older. How old is {B}?",
            "{A} is {a} years old now. How old will {he} be in {b} years?",
        ),
        {"a": (5, 60), "b": (3, 35)},
        (("The age is {calc} years.", "a + b"),),
    ),
    # Two steps.
    Story(
        (
            "{A} has {a} {boxes} with {b} {things} in each. {He} gives {c} {things} to {B}. How "
            "many {things} does {A} have left?",
            "A shop has {a} {boxes} of {b} {things}. It sells {c} {things}. How many {things} "
            "remain?",
        ),
        {"a": (3, 12), "b": (4, 20), "c": (3, 60)},
        (
            ("The {boxes} hold {calc} {things}.", "a * b"),
            ("{calc} {things} are left.", "#1 - c"),
        ),
    ),
    Story(
        (
            "{A} has ${c} and buys {a} {goods} at ${b} each. How many dollars does {he} have left?",
            "A {good} costs ${b}. {A} pays for {a} {goods} with ${c}. How many dollars does {he} "
            "get back?",
        ),
        {"a": (2, 9), "b": (2, 15), "c": (20, 150)},
        (
            ("The {goods} cost {calc} dollars.", "a * b"),
            ("{calc} dollars are left.", "c - #1"),
        ),
    ),
    Story(
        (
            "{A} picks {a} {things} in the morning and {b} in the afternoon. {He} puts them into "
            "{boxes} of {c}. How many {boxes} does {he} fill?",
            "{A} has {a} {things} and {B} has {b}. They put all of them into {boxes} that hold "
            "{c} each. How many {boxes} do they fill?",
        ),
        {"a": (6, 60), "b": (6, 60), "c": (2, 12)},
        (
            ("Together these are {calc} {things}.", "a + b"),
            ("They fill {calc} {boxes}.", "#1 / c"),
        ),
    ),
    Story(
        (
            "{A} has {a} {things}. {B} has {b} times as many. How many {things} do they have "
            "together?",
            "{A} collects {a} {things}, and {B} collects {b} times as many as {A}. How many do "
            "the two collect in all?",
        ),
        {"a": (4, 40), "b": (2, 7)},
        (
            ("{B} has {calc} {things}.", "a * b"),
            ("Together they have {calc} {things}.", "a + #1"),
        ),
    ),
    Story(
        (
            "A train travels at {a} miles an hour for {b} hours, and then another {c} miles. How "
            "many miles does it travel?",
            "{A} drives {b} hours at {a} miles an hour. After lunch {he} drives {c} miles more. "
            "How many miles does {he} drive?",
        ),
        {"a": (20, 70), "b": (2, 8), "c": (10, 90)},
        (
            ("The first part is {calc} miles.", "a * b"),
            ("The whole way is {calc} miles.", "#1 + c"),
        ),
    ),
    Story(
        (
            "There are {a} people on a bus. At a stop {b} get off and {c} get on. How many people "
            "are on the bus now?",
            "A pond has {a} ducks. {b} fly away, and later {c} others arrive. How many ducks are "
            "on the pond then?",
        ),
        {"a": (15, 70), "b": (3, 40), "c": (3, 40)},
        (("{calc} stay.", "a - b"), ("Then there are {calc}.", "#1 + c")),
    ),
    Story(
        (
            "{A} wants a bike for ${a}. {He} has ${b} and saves ${c} every week. How many weeks "
            "does {he} have to save?",
            "A coat costs ${a}. {A} has ${b} already and earns ${c} a day. After how many days "
            "can {he} buy it?",
        ),
        {"a": (60, 250), "b": (10, 100), "c": (4, 20)},
        (
            ("{A} still needs {calc} dollars.", "a - b"),
            ("That takes {calc} times.", "#1 / c"),
        ),
    ),
    Story(
        (
            "A hall has {a} rows of {b} chairs. {c} chairs are taken. How many chairs are free?",
            "{A} plants {a} rows of {b} trees. {c} trees do not grow. How many trees grow?",
        ),
        {"a": (4, 15), "b": (5, 20), "c": (5, 90)},
        (("In all there are {calc}.", "a * b"), ("That leaves {calc}.", "#1 - c")),
    ),
    Story(
        (
            "A book has {a} pages. {A} reads {b} pages a day for {c} days. How many pages are "
            "left?",
            "{A} has to read {a} pages. {He} reads {b} pages on each of {c} evenings. How many "
            "pages does {he} still have to read?",
        ),
        {"a": (60, 300), "b": (6, 30), "c": (2, 9)},
        (("{A} reads {calc} pages.", "b * c"), ("{calc} pages are left.", "a - #1")),
    ),
    Story(
        (
            "{A} has {a} {things}. {He} loses {b} and shares the rest equally among {c} friends. "
            "How many {things} does each friend get?",
            "{A} bakes {a} cookies, and {b} of them burn. {He} puts the others on {c} plates, the "
            "same number on each. How many cookies are on a plate?",
        ),
        {"a": (15, 120), "b": (3, 30), "c": (2, 9)},
        (("{calc} are left.", "a - b"), ("Each gets {calc}.", "#1 / c")),
    ),
    # Three steps.
    Story(
        (
            "{A} buys {a} {goods} at ${b} each and {c} books at ${d} each. How many dollars does "
            "{he} spend?",
            "A {good} costs ${b} and a chair costs ${d}. How many dollars do {a} {goods} and {c} "
            "chairs cost together?",
        ),
        {"a": (2, 9), "b": (2, 15), "c": (2, 9), "d": (4, 20)},
        (
            ("The {goods} cost {calc} dollars.", "a * b"),
            ("The others cost {calc} dollars.", "c * d"),
            ("Together that is {calc} dollars.", "#1 + #2"),
        ),
    ),
    Story(
        (
            "{A} buys {a} {goods} at ${b} each and a bag for ${c}. {He} pays with ${d}. How many "
            "dollars does {he} get back?",
            "{A} has ${d}. {He} pays ${c} for the bus and then buys {a} {goods} at ${b} each. How "
            "many dollars does {he} have left?",
        ),
        {"a": (2, 9), "b": (2, 12), "c": (2, 20), "d": (40, 150)},
        (
            ("The {goods} cost {calc} dollars.", "a * b"),
            ("In all {A} pays {calc} dollars.", "#1 + c"),
            ("{calc} dollars are left.", "d - #2"),
        ),
    ),
    Story(
        (
            "{A} has {a} hens. Each lays {b} eggs a week. {He} eats {c} of the eggs and sells the "
            "others for ${d} each. How many dollars does {he} make in a week?",
            "{A} bakes {a} trays of {b} pies. {He} keeps {c} pies and sells the rest at ${d} each. "
            "How many dollars does {he} get?",
        ),
        {"a": (2, 9), "b": (3, 12), "c": (3, 30), "d": (2, 9)},
        (
            ("In all there are {calc}.", "a * b"),
            ("{A} sells {calc} of them.", "#1 - c"),
            ("They bring {calc} dollars.", "#2 * d"),
        ),
    ),
    Story(
        (
            "{A} opens {a} {boxes} with {b} {things} each. {He} throws {c} broken ones away and "
            "shares the rest equally among {d} friends. How many {things} does each friend get?",
            "A class has {a} rows of {b} pupils. {c} pupils are ill today. The others make {d} "
            "teams of the same size. How many pupils are in a team?",
        ),
        {"a": (3, 9), "b": (4, 12), "c": (2, 20), "d": (2, 8)},
        (
            ("In all there are {calc}.", "a * b"),
            ("{calc} are left.", "#1 - c"),
            ("Each gets {calc}.", "#2 / d"),
        ),
    ),
    Story(
        (
            "{A} earns ${a} an hour. {He} works {b} hours on Monday and {c} hours on Tuesday, and "
            "spends ${d}. How many dollars does {he} have left of what {he} earned?",
            "A boat costs ${a} an hour. {A} rents it for {b} hours, then for {c} hours more, and "
            "has a coupon for ${d}. How many dollars does {he} pay?",
        ),
        {"a": (6, 25), "b": (2, 9), "c": (2, 9), "d": (5, 90)},
        (
            ("The hours are {calc}.", "b + c"),
            ("That makes {calc} dollars.", "#1 * a"),
            ("{calc} dollars remain.", "#2 - d"),
        ),
    ),
    Story(
        (
            "{A} saves ${b} a week for {a} weeks. Then {he} spends ${c}, and {his} aunt gives "
            "{him} ${d}. How many dollars does {he} have?",
            "{A} saves ${b} in each of {a} months, lends ${c} to {B}, and later finds ${d}. How "
            "many dollars does {A} have?",
        ),
        {"a": (3, 12), "b": (4, 30), "c": (5, 80), "d": (5, 50)},
        (
            ("{A} saves {calc} dollars.", "a * b"),
            ("{calc} dollars are left of them.", "#1 - c"),
            ("In the end there are {calc} dollars.", "#2 + d"),
        ),
    ),
    Story(
        (
            "{A} reads {a} pages a day for {b} days. {B} reads {c} pages a day for {d} days. How "
            "many more pages does {A} read than {B}?",
            "{A} has {b} {boxes} of {a} {things}, and {B} has {d} {boxes} of {c}. How many more "
            "{things} does {A} have than {B}?",
        ),
        {"a": (8, 40), "b": (3, 9), "c": (4, 30), "d": (2, 9)},
        (
            ("{A} has {calc}.", "a * b"),
            ("{B} has {calc}.", "c * d"),
            ("The difference is {calc}.", "#1 - #2"),
        ),
    ),
    Story(
        (
            "{A} has {a} {things}. {B} has {b} more than {A}, and {C} has {c} times as many as "
            "{B}. How many more {things} does {C} have than {A}?",
            "{A} jumps {a} times. {B} jumps {b} times more than {A}, and {C} jumps {c} times as "
            "often as {B}. How many more jumps does {C} make than {A}?",
        ),
        {"a": (3, 30), "b": (2, 20), "c": (2, 5)},
        (
            ("{B} has {calc}.", "a + b"),
            ("{C} has {calc}.", "#1 * c"),
            ("The difference is {calc}.", "#2 - a"),
        ),
    ),
    Story(
        (
            "A tank holds {a} gallons of water. Every day {b} gallons flow in and {c} gallons are "
            "used. How many gallons are in the tank after {d} days?",
            "{A} has ${a}. Every week {he} earns ${b} and spends ${c}. How many dollars does {he} "
            "have after {d} weeks?",
        ),
        {"a": (20, 150), "b": (10, 50), "c": (3, 40), "d": (2, 9)},
        (
            ("Each time {calc} are added.", "b - c"),
            ("In all {calc} are added.", "#1 * d"),
            ("In the end there are {calc}.", "a + #2"),
        ),
    ),
)
"""Word problems."""


def divide(left: int, right: int) -> int | None:
    """Returns the quotient of a division without remainder; None of any other."""
    return left // right if right and left % right == 0 else None


OPERATORS: dict[str, Callable[[int, int], int | None]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
}
"""Whole-number arithmetic by its signs."""

Step = Sequence[Any]
"""A sentence with ``{}`` for the calculation, the left operand, the operator, the right operand.

An operand is a number, or ``#k`` for the result of step k, counted from 1.
"""


def words_source(spec: SourceSpec) -> EndlessSource:
    """Returns the source ``synthetic:words``, with its option ``steps``.

    Raises:
        ValueError: An option is unknown or has no such value.
    """
    spec.read_options("steps")
    least, most = spec.read_steps(MAX_STEPS)
    return EndlessSource(
        spec.text, spec.split, "words", functools.partial(_draw, least=least, most=most)
    )


def _draw(seed: int, least: int, most: int) -> Drawn:
    return draw(random.Random(seed), least, most)


def draw(rng: random.Random, least: int = 1, most: int = MAX_STEPS) -> Drawn:
    """Draws a problem of `least` to `most` steps, in one of four by arithmetic alone."""
    length = rng.randint(least, most)
    stories = ARITHMETIC if rng.random() < 0.25 else STORIES
    story = rng.choice([story for story in stories if len(story.steps) == length])
    names = cast(rng)
    answer = None
    while answer is None:
        numbers = {letter: rng.randint(*span) for letter, span in story.numbers.items()}
        steps = fill(story, numbers, names)
        answer = outcome(steps)
    prompt = rng.choice(story.texts).format(**names, **numbers)
    return Drawn(prompt, str(answer), data={"steps": steps})


def cast(rng: random.Random) -> dict[str, str]:
    """Draws what the sentences of a story name: three people, things, containers and goods."""
    people = rng.sample(WOMEN + MEN, 3)
    he, him, his = ("she", "her", "her") if people[0] in WOMEN else ("he", "him", "his")
    box, boxes = rng.choice(CONTAINERS)
    good, goods = rng.choice(GOODS)
    return {
        **dict(zip("ABC", people, strict=True)),
        "he": he, "He": he.title(), "him": him, "his": his,
        "things": rng.choice(THINGS), "box": box, "boxes": boxes, "good": good, "goods": goods,
    }  # fmt: skip


def fill(story: Story, numbers: dict[str, int], names: dict[str, str]) -> list[list[Any]]:
    """Returns the steps of a story with its numbers and names; see `Step`."""
    steps: list[list[Any]] = []
    for sentence, calculation in story.steps:
        left, sign, right = calculation.split()
        operands = [
            text if text[0] == "#" else numbers[text] if text in numbers else int(text)
            for text in (left, right)
        ]
        steps.append([sentence.format(**names, calc="{}"), operands[0], sign, operands[1]])
    return steps


def outcome(steps: Sequence[Step]) -> int | None:
    """Returns the last result; None if a result is below 2, too large or not a whole number.

    The only step of a problem is no division beyond the multiplication table.
    """
    results: list[int] = []
    for step in steps:
        result = result_of(step, results)
        if result is None or not 2 <= result <= LARGEST:
            return None
        results.append(result)
    if len(steps) == 1 and steps[0][2] == "/" and results[-1] > TABLE:
        return None
    return results[-1]


def operands_of(step: Step, results: Sequence[int | None]) -> tuple[int, int] | None:
    """Returns the two operands of a step; None if it refers to a result that is None."""
    _, left, _, right = step
    values = [
        results[int(value[1:]) - 1] if isinstance(value, str) else value for value in (left, right)
    ]
    first, second = values
    return None if first is None or second is None else (first, second)


def result_of(step: Step, results: Sequence[int | None]) -> int | None:
    """Returns the result of a step after those before it; None if it is no whole number."""
    operands = operands_of(step, results)
    return None if operands is None else OPERATORS[step[2]](*operands)


def write_step(step: Step, results: Sequence[int | None]) -> str | None:
    """Returns a step as its sentence with the calculation; None if it cannot be calculated."""
    operands, result = operands_of(step, results), result_of(step, results)
    if operands is None or result is None:
        return None
    return str(step[0]).format(f"{operands[0]} {step[2]} {operands[1]} = {result}")


_CALCULATION = re.compile(r"(-?\d{1,9}) ([-+*/]) (-?\d{1,9}) = (-?\d{1,9})(?!\d)")


def read_result(sentence: str) -> int | None:
    """Returns the result that a step states, right or wrong; None if it states no calculation."""
    match = _CALCULATION.search(sentence)
    return int(match[4]) if match else None


def solve(steps: Sequence[Step], written: Sequence[str] = ()) -> str | None:
    r"""Returns the next line of a solution; None if nothing right can follow.

    Args:
        steps: The steps of the problem, its ``data["steps"]``.
        written: The lines so far, taken as correct, even if they are wrong.

    Example:
        >>> steps = [["There are {} pens.", 3, "*", 4], ["{} are left.", "#1", "-", 5]]
        >>> solve(steps)
        'There are 3 * 4 = 12 pens.'
        >>> solve(steps, ["There are 3 * 4 = 14 pens."])
        '14 - 5 = 9 are left.'
        >>> solve(steps, ["There are 3 * 4 = 12 pens.", "12 - 5 = 7 are left."])
        'The answer is \\boxed{7}.'
    """
    results = [read_result(line) for line in written]
    if len(results) < len(steps):
        return write_step(steps[len(results)], results)
    if len(results) > len(steps) or results[-1] is None:
        return None
    return f"The answer is \\boxed{{{results[-1]}}}."
