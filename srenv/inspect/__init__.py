"""Inspect (https://inspect.aisi.org.uk): episodes in its log viewer, and self-correction as a task.

Needs ``pip install "srenv[inspect]"``. `srenv.inspect.logs` writes episodes as logs,
`srenv.inspect.task` plays them through Inspect's model API; both score an episode alike
(`srenv.inspect.scores`).
"""
