"""Options that make a recipe short."""

from agents.training.policy_gradient import PolicyGradientConfig

SHORT = {"eval_n": 6, "max_new_tokens": 8, "report_to": "none"}
"""Few problems, short turns, no tracker."""

SOLVING = {**SHORT, "max_new_tokens": 40}
"""The same with turns that the bundled model's solutions fit into."""

FEW_STEPS = PolicyGradientConfig(
    steps=2, problems_per_step=2, group_size=4, micro_batch=8, max_new_tokens=6, save_every=1
)
"""Two steps of policy gradient, each with a checkpoint."""
