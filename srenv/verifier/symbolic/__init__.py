"""Comparison by math-verify and SymPy, in processes that can be killed.

`screen` refuses what is not worth parsing, `pool` keeps the processes, and `worker` is the script
that they run.
"""
