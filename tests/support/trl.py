"""TRL's own trainer on srenv's episodes, for one step."""

from trl import GRPOConfig, GRPOTrainer

from agents.integrations.trl import episode_reward, prompts_for, rollouts_from

GROUP = 4
"""Episodes from one start; a step has two such groups."""


def make_trainer(model, folder, starts, make_env, **settings):
    return GRPOTrainer(
        model=model,
        args=GRPOConfig(
            str(folder),
            max_steps=1,
            per_device_train_batch_size=2 * GROUP,
            num_generations=GROUP,
            max_completion_length=10,
            use_cpu=True,
            bf16=False,
            report_to="none",
            **settings,
        ),
        train_dataset=prompts_for(starts),
        rollout_func=rollouts_from(starts, make_env),
        reward_funcs=episode_reward,
    )


def train(trainer):
    """Trains for a step; returns its episodes and the tensors that TRL made of them."""
    captured = {}
    original = trainer._generate_and_score_completions

    def spy(inputs):
        captured["batch"] = original(inputs)
        captured["records"] = [row["episode_rollout"] for row in inputs]
        return captured["batch"]

    trainer._generate_and_score_completions = spy
    trainer.train()
    return captured["records"], captured["batch"]
