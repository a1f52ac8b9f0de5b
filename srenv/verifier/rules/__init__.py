"""When two answers are equal, by kind of answer.

Before parsing: `numbers` (exact arithmetic, with `units`) and `words` (names, choices, dates). On
parsed answers: `answers` compares kind by kind, and leaves single expressions to `expressions`,
intervals and inequalities to `real_sets`, relations in several variables to `equations`.
"""
