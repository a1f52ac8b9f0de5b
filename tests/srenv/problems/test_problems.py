"""Problem sources: determinism, disjoint splits, hostile answers, and messages that help."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from srenv.episode import Problem
from srenv.problems import (
    FAMILIES,
    ListSource,
    ProblemSource,
    SourceSpec,
    grade,
    load_problems,
    register_checker,
    register_source,
)
from srenv.problems.countdown import NotAnExpression, evaluate
from srenv.problems.seeding import hashed_seed
from srenv.verifier.grade import Grade

SYNTHETIC = [*FAMILIES, "mixed"]


def run_python(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


class TestSynthetic:
    def test_same_problems_in_every_process(self) -> None:
        code = (
            "from srenv.problems import FAMILIES, load_problems\n"
            "for family in [*FAMILIES, 'mixed']:\n"
            "    for split in ('train', 'eval'):\n"
            "        source = load_problems('synthetic:' + family, split)\n"
            "        print([source.problem(i) for i in range(20)], source.take(5, seed=3))\n"
        )
        first, second = (run_python(code, PYTHONHASHSEED=seed) for seed in ("1", "2"))
        assert first == second

    def test_linear_is_pinned(self) -> None:
        # Published numbers depend on these very problems: a change here is a new benchmark.
        problem = load_problems("synthetic:linear", "eval").problem(0)
        assert (problem.id, problem.prompt, problem.answer) == (
            "linear/eval/0",
            "Solve 8x-78=18 for x.",
            "12",
        )

    @pytest.mark.parametrize("family", SYNTHETIC)
    def test_splits_share_no_prompt(self, family: str) -> None:
        train, evaluation = (
            {source.problem(index).prompt for index in range(count)}
            for source, count in (
                (load_problems(f"synthetic:{family}", "train"), 4000),
                (load_problems(f"synthetic:{family}", "eval"), 2000),
            )
        )
        assert not train & evaluation
        assert len(train) > 2000
        assert len(evaluation) > 800

    @pytest.mark.parametrize("family", SYNTHETIC)
    def test_gold_is_right_and_its_neighbour_wrong(self, family: str) -> None:
        for problem in load_problems(f"synthetic:{family}", "eval").take(20):
            assert grade(problem, problem.answer).correct is True, problem
            assert grade(problem, perturbed(problem.answer)).correct is False, problem
            assert grade(problem, None) == Grade(False, "no_answer")

    @pytest.mark.parametrize("family", FAMILIES)
    def test_gold_solves_the_problem(self, family: str) -> None:
        for problem in load_problems(f"synthetic:{family}").take(200):
            assert solves(family, problem), problem

    @pytest.mark.parametrize("family", SYNTHETIC)
    def test_found_by_id(self, family: str) -> None:
        source = load_problems(f"synthetic:{family}", "eval")
        problem = source.problem(123)
        assert source.find(problem.id) == problem
        assert load_problems(problem.source, "eval").find(problem.id) == problem

    @pytest.mark.parametrize(
        "problem_id",
        ["linear/train/1", "linear/eval/", "linear/eval/-1", "linear/eval/٣", "1", "linear/eval/1x",
         "linear/eval/" + "9" * 5000],
    )  # fmt: skip
    def test_foreign_id(self, problem_id: str) -> None:
        with pytest.raises(KeyError, match="linear/eval/INDEX"):
            load_problems("synthetic:linear", "eval").find(problem_id)

    def test_mixed_has_every_family(self) -> None:
        problems = load_problems("synthetic:mixed").take(600)
        counts = {name: sum(p.id.startswith(name + "/") for p in problems) for name in FAMILIES}
        assert min(counts.values()) > 50
        with pytest.raises(KeyError, match="Did you mean 'linear'"):
            load_problems("synthetic:mixed").find("linea/train/3")

    def test_index_must_not_be_negative(self) -> None:
        with pytest.raises(IndexError, match="0 or more"):
            load_problems("synthetic:linear").problem(-1)


def perturbed(answer: str) -> str:
    """Return a wrong answer that looks like the right one."""
    if pair := re.fullmatch(r"\((.+), (.+)\)", answer):
        return f"({pair[1]}, {int(pair[2]) + 1})"
    return str(int(answer) + 1) if answer.lstrip("-").isdigit() else answer + "+1"


def solves(family: str, problem: Problem) -> bool:
    """Check a gold answer against the prompt alone, by other means than its family's."""
    n = [int(number) for number in re.findall(r"-?\d+", problem.prompt)]
    if family == "countdown":
        value, numbers = evaluate(problem.answer)
        return value == n[-1] and sorted(numbers) == sorted(n[:-1])
    if family == "system":
        x, y = map(int, problem.answer.strip("()").split(", "))
        return n[0] * x + n[1] * y == n[2] and n[3] * x + n[4] * y == n[5]
    x = int(problem.answer)
    if family == "linear":
        a, b, c = n
        return a * x + b == c and problem.data == {"a": a, "b": b, "c": c}
    if family == "factor":
        return n[0] % x == 0 and 1 < x < n[0] // x
    if family == "root":
        power, number = n
        return int(x**power) <= number < int((x + 1) ** power)
    low, high, a, one, p = n
    return low <= x <= high == p - 1 and a * x % p == one


class TestSeeding:
    def test_parts_do_not_run_together(self) -> None:
        assert hashed_seed("a", 1, 11) != hashed_seed("a", 11, 1) != hashed_seed("a1", 1, 1)


class TestTake:
    @pytest.mark.parametrize("family", ["factor", "linear"])
    def test_distinct_seeded_and_nested(self, family: str) -> None:
        source = load_problems(f"synthetic:{family}", "eval")
        many = source.take(300, seed=1)
        assert len({problem.prompt for problem in many}) == 300
        assert source.take(10, seed=1) == many[:10]
        assert source.take(10, seed=2) != many[:10]

    def test_more_than_an_endless_family_has(self) -> None:
        with pytest.raises(ValueError, match=r"about 1[67]\d\d distinct problems in its eval"):
            load_problems("synthetic:factor", "eval").take(5000)

    def test_more_than_a_finite_source_has(self) -> None:
        problems = [Problem(str(i), f"{i}+1?", str(i + 1), "list") for i in range(3)]
        source = ListSource("list", "train", problems)
        assert sorted(problem.id for problem in source.take(3, seed=7)) == ["0", "1", "2"]
        with pytest.raises(ValueError, match="has 3 problems; 4 were asked for"):
            source.take(4)
        with pytest.raises(IndexError, match="0 to 2"):
            source.problem(3)
        with pytest.raises(KeyError, match="no problem with id '9'"):
            source.find("9")


COUNTDOWN = Problem(
    "c/1", "", "3*7+2", "test", "countdown", {"numbers": [2, 3, 7, 7], "target": 23}
)


class TestCountdown:
    @pytest.mark.parametrize(
        "answer",
        ["3*7+2", "2 + 7*3", "(3*7)+2", r"3 \times 7 + 2", r"$3\cdot 7+2$", "3*7+2 = 23",
         r"\left(3×7\right)+2", "2-(-3*7)", "-(-7*3-2)"],
    )  # fmt: skip
    def test_right(self, answer: str) -> None:
        assert grade(COUNTDOWN, answer).correct is True

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ("23", "numbers"),
            ("3*7+1+1", "numbers"),
            ("3*7+2+2-2", "numbers"),
            ("3*7", "value"),
            ("3*7-2", "value"),
            ("3*7+2 = 22", "syntax"),
            ("", "syntax"),
            ("3*7+", "syntax"),
            ("(3*7+2", "syntax"),
            ("3*7+2)", "syntax"),
            ("3(7)+2", "syntax"),
            ("3**7", "syntax"),
            ("3^7", "syntax"),
            ("46/2", "syntax"),
            ("٣*7+2", "syntax"),
            ("３*7+2", "syntax"),
            ("x+2", "syntax"),
            ("9999999", "syntax"),
            ("__import__('os').system('true')", "syntax"),
        ],
    )
    def test_refused(self, answer: str, reason: str) -> None:
        graded = grade(COUNTDOWN, answer)
        assert (graded.correct, graded.reason) == (False, f"countdown_{reason}")

    @pytest.mark.parametrize(
        "answer",
        ["(" * 10**6 + "1" + ")" * 10**6, "(" * 99 + "2" + ")" * 99, "9**" * 10**5 + "9",
         "9" * 10**6, "-" * 10**6, "7*" * 99 + "7", " " * 10**7, "=23" * 10**6, "\\left" * 10**6],
    )  # fmt: skip
    def test_hostile_text_is_refused_quickly(self, answer: str) -> None:
        start = time.perf_counter()
        assert grade(COUNTDOWN, answer).correct is False
        assert time.perf_counter() - start < 0.5

    def test_precedence(self) -> None:
        assert evaluate("2+3*4-(5-6)*2")[0] == 16
        assert evaluate("10-3-2")[0] == 5
        assert evaluate("10-(3-2)")[0] == 9
        with pytest.raises(NotAnExpression):
            evaluate("1--2")


def accept_even(problem: Problem, answer: str) -> Grade:
    return Grade(int(answer) % 2 == 0, "even")


class TestCheckers:
    @pytest.mark.parametrize("checker", ["even", f"{__name__}:accept_even"])
    def test_registered_or_imported(self, checker: str) -> None:
        register_checker("even", accept_even)
        problem = Problem("1", "Name an even number.", "2", "test", checker)
        assert grade(problem, "4").correct is True
        assert grade(problem, "5").correct is False
        raised = grade(problem, "four")
        assert (raised.correct, raised.reason) == (None, "checker_error")

    def test_unknown(self) -> None:
        with pytest.raises(
            ValueError, match=r"unknown checker 'countdwn'\. Did you mean 'countdow"
        ):
            grade(Problem("1", "", "2", "test", "countdwn"), "2")


class TestNames:
    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("syntetic:linear", "unknown source 'syntetic'. Did you mean 'synthetic'.*hf, jsonl"),
            ("synthetic:linaer", "Did you mean 'linear'.*Known: .*mixed"),
            ("synthetic:linear?a=1", "unknown option 'a'"),
            ("synthetic:linear?a", "options are written"),
            ("synthetic", "not 'scheme:target'"),
            ("synthetic:", "not 'scheme:target'"),
            ("json:nothing", "module 'json' has no 'nothing'"),
        ],
    )
    def test_unknown(self, source: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            load_problems(source)

    def test_unknown_split(self) -> None:
        with pytest.raises(ValueError, match="'train' or 'eval', not 'test'"):
            load_problems("synthetic:linear", "test")  # type: ignore[arg-type]

    def test_shared(self) -> None:
        assert load_problems("synthetic:linear") is load_problems("synthetic:linear", "train")
        assert load_problems("synthetic:linear", "eval") is not load_problems("synthetic:linear")

    @pytest.mark.parametrize("source", ["own:3", f"{__name__}:own_source?n=3"])
    def test_own_source(self, source: str) -> None:
        register_source("own", own_source)
        assert load_problems(source).size == 3
        assert load_problems(source).problem(2).answer == "4"


def own_source(spec: SourceSpec) -> ProblemSource:
    count = int(spec.read_options("n").get("n", spec.target if spec.target.isdigit() else "0"))
    problems = [Problem(str(i), f"{i}+{i}?", str(2 * i), spec.text) for i in range(count)]
    return ListSource(spec.text, spec.split, problems)


def test_import_is_light() -> None:
    heavy = "datasets torch sympy math_verify reasoning_gym transformers"
    code = f"import sys, srenv.problems; print([m for m in '{heavy}'.split() if m in sys.modules])"
    assert run_python(code).strip() == "[]"


class TestJsonl:
    def write(self, path: Path, *rows: object) -> str:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines), encoding="utf-8")
        return f"jsonl:{path}"

    def test_rows(self, tmp_path: Path) -> None:
        source = load_problems(
            self.write(
                tmp_path / "algebra.jsonl",
                {"id": "a", "problem": "1+1?", "answer": "2", "source": "book", "level": 5},
                "",
                {"problem": "½+½?", "answer": 1},
                '{"question": "7/10 as a decimal?", "solution": 0.70}',
                {"prompt": "2*3?", "answer": "2*3=6\n#### 6"},
                {"problem": "2*4?", "answer": r"so $\boxed{\frac{16}{2}}$."},
            )
        )
        assert source.size == 5
        assert source.find("a") == Problem("a", "1+1?", "2", "book")
        second = Problem("algebra/3", "½+½?", "1", "algebra.jsonl")
        assert source.problem(1) == second == source.find("algebra/3")
        assert [source.problem(i).answer for i in (2, 3, 4)] == ["0.70", "6", r"\frac{16}{2}"]

    def test_columns_by_query(self, tmp_path: Path) -> None:
        row = {"text": "1+1?", "gold": "2", "key": 7, "answer": "no", "book": "b"}
        path = self.write(tmp_path / "x.jsonl", row)
        query = "?problem=text&answer=gold&id=key&source=book"
        assert load_problems(path + query).problem(0) == Problem("7", "1+1?", "2", "b")

    def test_same_name_elsewhere_is_another_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for answer in "12":
            folder = tmp_path / answer
            folder.mkdir()
            self.write(folder / "x.jsonl", {"problem": "?", "answer": answer})
            monkeypatch.chdir(folder)
            source = load_problems("jsonl:x.jsonl")
            assert source.problem(0).answer == answer
            assert source.name == "jsonl:x.jsonl"
            assert load_problems("jsonl:x.jsonl") is source

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ('{"problem": "?", "answer": ', "not JSON.*write one JSON object a line"),
            ("[" * 100_000, "not JSON"),
            ('["?", "2"]', "a JSON list, not an object"),
            ('{"text": "?", "answer": "2"}', "no column 'problem' or 'question' or 'prompt'.*"
             r"found 'text', 'answer'.*'\?problem=COLUMN'"),
            ('{"problem": "?", "gold": "2"}', "no column 'answer' or 'solution'.*found 'problem'"),
            ('{"problem": "?", "answer": "  "}', "column 'answer' is empty; fill it in"),
            ('{"problem": "?", "answer": null}', "column 'answer' is null; write it as text"),
            ('{"problem": "?", "answer": [2]}', "column 'answer' is list"),
            ('{"problem": "?", "answer": true}', "column 'answer' is bool"),
            ('{"problem": "?", "answer": "####"}', "the solution has no '#### ANSWER'"),
            ('{"problem": "?", "answer": "\\\\boxed{2"}', "has no closed"),
            ('{"id": "1", "problem": "?", "answer": "2"}', "id '1' stands in line 1 already"),
            ('{"problem": "' + "?" * 10**6 + '", "answer": "2"}', "longer than 1 MB"),
        ],
    )  # fmt: skip
    def test_bad_line(self, tmp_path: Path, line: str, message: str) -> None:
        first = {"id": "1", "problem": "1+1?", "answer": "2"}
        with pytest.raises(ValueError, match=f"(?s)bad.jsonl, line 2: .*{message}"):
            load_problems(self.write(tmp_path / "bad.jsonl", first, line))

    def test_bad_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"no file .*none\.jsonl; relative paths start"):
            load_problems(f"jsonl:{tmp_path}/none.jsonl")
        with pytest.raises(ValueError, match=r"x\.jsonl is empty; it needs one JSON object"):
            load_problems(self.write(tmp_path / "x.jsonl", "", " "))
        (tmp_path / "latin.jsonl").write_bytes('{"problem": "é"}'.encode("latin-1"))
        with pytest.raises(ValueError, match=r"latin\.jsonl, line 1: not UTF-8"):
            load_problems(f"jsonl:{tmp_path}/latin.jsonl")

    def test_named_columns_must_be_there(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / "x.jsonl", {"problem": "?", "answer": "2"})
        for query in ("?answer=gold", "?id=key", "?source=book"):
            with pytest.raises(ValueError, match="line 1: no column"):
                load_problems(path + query)
        with pytest.raises(ValueError, match=r"unknown extract 'bxed'\. Did you mean 'boxed'"):
            load_problems(path + "?extract=bxed")
        with pytest.raises(ValueError, match="no '#### ANSWER'"):
            load_problems(path + "?extract=hash")


class TestHub:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A dataset like GSM8K in a local folder."""
        datasets = pytest.importorskip("datasets")
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        folder = tmp_path / "gsm"
        folder.mkdir()
        for split, first in (("train", 1), ("test", 100)):
            rows = [
                {"question": f"{i}+{i}?", "answer": f"<<{i}+{i}={2 * i}>>\n#### {2 * i}", "n": i}
                for i in range(first, first + 3)
            ]
            datasets.Dataset.from_list(rows).to_parquet(folder / f"{split}.parquet")
        return folder

    def test_splits(self, folder: Path) -> None:
        train, evaluation = (load_problems(f"hf:{folder}", split) for split in ("train", "eval"))
        assert [train.problem(i).answer for i in range(3)] == ["2", "4", "6"]
        assert evaluation.find("test/1") == Problem("test/1", "101+101?", "202", f"hf:{folder}")
        both = load_problems(f"hf:{folder}?split=test&problem=n&answer=n&id=n")
        assert both.find("100").answer == "100"

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("?answer=final", "row 0: no column 'final'.*found 'question', 'answer', 'n'"),
            ("?split=dev", "has no split dev; found"),
            ("?extract=boxed", r"row 0: the solution has no closed \\boxed"),
            ("?colour=red", "unknown option 'colour'"),
            ("?config=other", "could not load"),
        ],
    )
    def test_errors(self, folder: Path, query: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            load_problems(f"hf:{folder}{query}")

    def test_no_such_folder(self, folder: Path) -> None:
        with pytest.raises(ValueError, match="could not load 'hf:"):
            load_problems(f"hf:{folder}/nothing")

    @pytest.mark.parametrize(
        ("source", "module", "extra"),
        [("hf:x/y", "datasets", "hub"), ("rg:chain_sum", "reasoning_gym", "reasoning-gym")],
    )
    def test_missing_package_names_the_extra(
        self, source: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == module]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, module, None)
        register_source("own", own_source)  # forgets the sources that were loaded before
        with pytest.raises(ImportError, match=rf'pip install "srenv\[{extra}\]"'):
            load_problems(source)


class TestReasoningGym:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("reasoning_gym")

    @pytest.mark.parametrize("task", ["chain_sum", "gcd", "countdown", "n_queens"])
    def test_gold_is_right_and_another_wrong(self, task: str) -> None:
        for problem in load_problems(f"rg:{task}").take(5):
            assert grade(problem, problem.answer).correct is True
            assert grade(problem, problem.answer + "1").correct is False
            assert json.loads(json.dumps(problem.data)) == problem.data

    def test_partial_credit_is_wrong(self) -> None:
        problem = load_problems("rg:chain_sum").problem(0)
        assert grade(problem, f"it is {problem.answer}").correct is False

    def test_splits_share_no_prompt(self) -> None:
        train, evaluation = (
            {load_problems("rg:gcd", split).problem(i).prompt for i in range(400)}
            for split in ("train", "eval")
        )
        assert not train & evaluation
        assert len(train) > 390  # neighbouring seeds must not overlap

    def test_found_by_id_in_another_process(self) -> None:
        problem = load_problems("rg:chain_sum", "eval").problem(9)
        code = (
            "from srenv.problems import load_problems, grade\n"
            f"print(load_problems('rg:chain_sum', 'eval').find({problem.id!r}).prompt)"
        )
        assert run_python(code, PYTHONHASHSEED="7").strip() == problem.prompt

    def test_options(self) -> None:
        source = load_problems("rg:chain_sum?min_terms=5&max_terms=5&allow_negation=false")
        problem = source.problem(0)
        assert len(re.findall(r"\d+", problem.prompt)) == 5
        assert problem.data["options"]["allow_negation"] is False
        with pytest.raises(ValueError, match="refuses these options"):
            load_problems("rg:chain_sum?min_terms=9&max_terms=3")
        with pytest.raises(ValueError, match="Did you mean 'min_terms'"):
            load_problems("rg:chain_sum?min_term=5")

    def test_unknown_task(self) -> None:
        with pytest.raises(ValueError, match="Did you mean 'chain_sum'"):
            load_problems("rg:chain_sums")
        with pytest.raises(ValueError, match="not supported: it is a mixture"):
            load_problems("rg:composite")

    @pytest.mark.parametrize("task", ["countdown", "n_queens", "spiral_matrix", "coin_flip"])
    @pytest.mark.parametrize(
        "answer",
        ["__import__('pathlib').Path('{marker}').touch()", "9**9**9**9", "9 ** 9 ** 9 ** 9",
         "1e999999999", "[0 for a in range(10**9)]", "(" * 10**6],
    )  # fmt: skip
    def test_hostile_text(self, task: str, answer: str, tmp_path: Path) -> None:
        problem = load_problems(f"rg:{task}").problem(1)
        marker = tmp_path / "ran"
        start = time.perf_counter()
        assert grade(problem, answer.replace("{marker}", str(marker))).correct is not True
        assert time.perf_counter() - start < 1
        assert not marker.exists()

    def test_other_version_is_undecided(self) -> None:
        problem = load_problems("rg:gcd").problem(0)
        data = {**problem.data, "seed": problem.data["seed"] + 1}
        moved = Problem(problem.id, problem.prompt, problem.answer, "rg:gcd", problem.checker, data)
        assert grade(moved, problem.answer).correct is None
